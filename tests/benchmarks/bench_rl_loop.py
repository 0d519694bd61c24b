"""The whole loop of a run on HalfCheetah: ours, and stable-baselines3's SAC.

    python tests/benchmarks/bench_rl_loop.py
    python tests/benchmarks/bench_rl_loop.py --two-seeds

Steps of the environment with their updates once learning began, in alternating rounds of one
thread's CPU time: preset ``sac`` does an update a step as the peer does, ``acerax`` small ones in
two steps of five. Then the same without updates, which is what all else costs; with ``--out FILE``
that goes to FILE with ``_outside`` before its suffix. ``--two-seeds`` times instead two processes
at once against one alone, in seconds of the clock: on two cores, and only where nothing else runs.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import torch
from bench_rl_update import SAC_PEER, peer, settings
from side_by_side import arguments, compare, origin

from toolkit.rl import tasks

STARTS = 300  # steps before the first round
STEPS, OUTSIDE_STEPS, SEED_STEPS = 200, 2_000, 2_000
NEVER = 1_000_000


def ours(preset: str, steps: int, *sets: str) -> Callable[[], None]:
    """A run of ``preset`` that goes on by ``steps`` at every call."""
    task = tasks.make(settings(preset, "random_steps=0", "learning_starts=100", *sets))
    numbers = iter(range(NEVER))

    def advance() -> None:
        for _ in range(steps):
            task.step(next(numbers))

    for _ in range(STARTS):
        task.step(next(numbers))
    return advance


def theirs(steps: int, gradient_steps: int = 1) -> Callable[[], None]:
    """The same of the peer, whose policy acts from the beginning as well."""
    model = peer(settings("sac").replay.capacity)
    model.learning_starts, model.gradient_steps = 0, gradient_steps
    model.learn(STARTS)

    def advance() -> None:
        model.learn(steps, reset_num_timesteps=False, log_interval=NEVER)

    return advance


def two_seeds(rounds: int) -> dict[str, float]:
    """Steps a second of one process alone and of two at once together, medians over rounds."""
    alone = statistics.median(sum(rates(1)) for _ in range(rounds))
    both = statistics.median(sum(rates(2)) for _ in range(rounds))
    print(f"one process {alone:.1f} steps/s, two together {both:.1f}: {both / alone:.2f} times")
    return {"one_steps_per_s": alone, "two_steps_per_s": both, "ratio": both / alone}


def rates(count: int) -> list[float]:
    """Steps a second of ``count`` processes at once, a seed each."""
    command = [sys.executable, __file__, "--seed"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    running = [
        subprocess.Popen([*command, str(seed)], stdout=subprocess.PIPE, env=environment)
        for seed in range(count)
    ]
    return [float(one.communicate()[0]) for one in running]


def rate(seed: int) -> float:
    """Of this process; two that start together overlap but for their imports."""
    advance = ours("sac", SEED_STEPS, f"seed={seed}")
    start = time.perf_counter()
    advance()
    return SEED_STEPS / (time.perf_counter() - start)


def measure(options: argparse.Namespace) -> None:
    ways = {SAC_PEER: theirs(STEPS)}
    for one in ("sac", "acerax"):
        ways[f"whole loop, {one}"] = ours(one, STEPS)
    found = compare(ways, SAC_PEER, options, time.process_time, steps=STEPS)
    for name, seconds in found["median_s"].items():
        print(f"  {name}: {STEPS / seconds:.0f} steps/s")
    options.out = options.out and options.out.with_stem(f"{options.out.stem}_outside")
    ways = {SAC_PEER: theirs(OUTSIDE_STEPS, 0)}
    for one in ("sac", "acerax"):
        ways[f"loop without updates, {one}"] = ours(one, OUTSIDE_STEPS, f"learning_starts={NEVER}")
    found = compare(ways, SAC_PEER, options, time.process_time, steps=OUTSIDE_STEPS)
    for name, seconds in found["median_s"].items():
        print(f"  {name}: {1e3 * seconds / OUTSIDE_STEPS:.3f} ms a step outside the update")


def main() -> None:
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--two-seeds", action="store_true")
    parser.add_argument("--seed", type=int)
    own, sys.argv[1:] = parser.parse_known_args()
    options = arguments(__doc__)
    torch.set_num_threads(1)
    if own.seed is not None:
        print(rate(own.seed))
    elif own.two_seeds:
        found = {**origin(), "clock": "perf_counter", **two_seeds(options.rounds)}
        if options.out:
            options.out.write_text(json.dumps(found, indent=2) + "\n")
    else:
        measure(options)


if __name__ == "__main__":
    main()
