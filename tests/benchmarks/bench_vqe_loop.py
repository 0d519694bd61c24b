"""The whole loop of a search, learning included: ours, and the published settings in our loop.

    python tests/benchmarks/bench_vqe_loop.py

The authors' own code does 1.45 training steps a second on a CPU.
"""

from __future__ import annotations

import torch
import vqe_cases
from side_by_side import arguments, compare

from toolkit.core.config import load
from toolkit.vqe.config import PRESETS, VqeSearchConfig
from toolkit.vqe.environment import Environment
from toolkit.vqe.search import Search

PUBLISHED = "preset paper: 40 gates, all axes, their network and COBYLA"
STEPS = 80  # of the environment in a round; episodes are finished, so a few more
AUTHORS_STEPS_PER_S = 1.45


class Loop:
    """A search that has begun to learn, and goes on by a number of environment steps."""

    def __init__(self, preset: str) -> None:
        config = load(VqeSearchConfig, preset=PRESETS / f"{preset}.toml")
        environment = Environment(vqe_cases.lih(4), config.environment)
        self.search = Search(environment, config, torch.device("cpu"), lambda *_: {})
        self.episode = 0
        while self.search.agent.updates == 0:
            self.advance(1)

    def advance(self, steps: int) -> None:
        until = self.search.steps + steps
        while self.search.steps < until:
            self.search.step(self.episode)
            self.episode += 1

    def rate(self) -> float:
        """Environment steps a second while learning, over one round."""
        steps, seconds = self.search.steps, self.search.trained_s
        self.advance(STEPS)
        return (self.search.steps - steps) / (self.search.trained_s - seconds)


def main() -> None:
    options = arguments(__doc__)
    torch.set_num_threads(1)
    loops = {"ours": Loop("lih4"), PUBLISHED: Loop("paper")}
    rates = {name: loop.rate() for name, loop in loops.items()}
    for name, rate in rates.items():
        print(
            f"{name}: {rate:.1f} steps/s, {rate / AUTHORS_STEPS_PER_S:.0f} times the authors' code"
        )
    ways = {name: lambda loop=loop: loop.advance(STEPS) for name, loop in loops.items()}
    authors = {"steps_per_s": rates, "authors_steps_per_s": AUTHORS_STEPS_PER_S}
    compare(ways, PUBLISHED, options, steps=STEPS, **authors)


if __name__ == "__main__":
    main()
