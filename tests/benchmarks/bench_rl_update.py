"""One update of the agents: ours, stable-baselines3's SAC, and ACERAX written down naively.

    python tests/benchmarks/bench_rl_update.py

HalfCheetah's sizes, batches of 256 (of ACERAX trajectories of 8) out of 20 000 random rows,
networks of 256-256, one thread, CPU time; drawing the batch counts. bfloat16 is our option
products=bfloat16. The naive ACERAX takes the formulas one by one: every network on all rows for the
advantages, V of rows and of their successors apart, then once more on the first rows, a backward
pass for each loss, and an Adam that loops over parameters. Its gradients and figures are first
compared to ours. With ``--out FILE`` the figures of SAC go to FILE, those of ACERAX to FILE with
``_acerax`` before its suffix.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable

import numpy as np
import torch
from side_by_side import arguments, compare
from stable_baselines3 import SAC
from stable_baselines3.common.logger import configure
from torch import Tensor, nn

from toolkit.core.config import load, preset_path
from toolkit.rl.agents.acer import Acer, truncated
from toolkit.rl.agents.agent import Agent
from toolkit.rl.agents.dispersion import dispersion_loss, log_normal
from toolkit.rl.agents.twin_q import TwinQ
from toolkit.rl.config import PRESETS, RlRunConfig
from toolkit.rl.environments import Spaces, make
from toolkit.rl.replay import Replay, Rows, Trajectories

ENV, D, A = "HalfCheetah-v5", 17, 6
ROWS, BATCH, UPDATES = 20_000, 256, 50
SAC_PEER, NAIVE = "stable-baselines3 SAC", "acerax, naively"
CPU = torch.device("cpu")


def settings(preset: str, *sets: str) -> RlRunConfig:
    return load(RlRunConfig, preset=preset_path(PRESETS, preset), sets=sets)


def agent_of(preset: str) -> TwinQ | Acer:
    config, one = settings(preset, "acer.trajectory=8"), np.ones(A, np.float32)
    kind = Acer if config.backbone == "acer" else TwinQ
    return kind(Spaces(D, -one, one, 1000), config, CPU)


def filled(agent: Agent) -> Replay:
    """Random rows, acted in by ``agent``, with an episode's end every 1000."""
    replay, random = Replay(ROWS, D, A), np.random.default_rng(0)
    x = random.standard_normal((ROWS + 1, D), dtype=np.float32)
    drawn = agent.act(x[:-1], random.standard_normal((ROWS, A), dtype=np.float32))
    rewards, no = random.standard_normal(ROWS, dtype=np.float32), np.zeros(1, np.bool_)
    for i in range(ROWS):
        at = slice(i, i + 1)
        acted = (drawn.actions[at], drawn.modes[at], drawn.log_probs[at])
        replay.add(
            Rows(x[at], *acted, rewards[at], x[i + 1 : i + 2], no, no | ((i + 1) % 1000 == 0))
        )
    return replay


def peer(rows: int = ROWS) -> SAC:
    """stable-baselines3's SAC with its own settings, which are those of our preset ``sac``."""
    model = SAC("MlpPolicy", make(ENV, {}), buffer_size=rows, seed=0, device="cpu")
    model.set_logger(configure(None, []))
    return model


def filled_peer() -> SAC:
    model, random = peer(), np.random.default_rng(0)
    buffer = model.replay_buffer
    for array in (buffer.observations, buffer.next_observations, buffer.actions, buffer.rewards):
        array[:] = random.standard_normal(array.shape).clip(-0.99, 0.99)
    buffer.full = True
    return model


def repeated(agent: Agent, replay: Replay, precision: str = "highest") -> Callable[[], None]:
    random = np.random.default_rng(1)

    def updates() -> None:
        torch.set_float32_matmul_precision(precision)
        for _ in range(UPDATES):
            agent.update(replay.sample(BATCH, agent.length, random), random)
        torch.set_float32_matmul_precision("highest")

    return updates


class NaiveAcerax:
    """The update of ``agent``, from the same weights, as the formulas are written."""

    def __init__(self, agent: Acer) -> None:
        self.config, self.length = agent.config, agent.length
        self.actor, self.critic = copy.deepcopy(agent.actor), copy.deepcopy(agent.critic)
        self.target, self.dispersion = copy.deepcopy(agent.target), copy.deepcopy(agent.dispersion)
        self.standardisation = agent.policy.standardisation
        self.mean_square = agent.mean_square.clone()
        own, wide = agent.config.acer, agent.config.dispersion
        self.optimizers = {
            "actor": plain_adam(self.actor, own.actor_rate),
            "dispersion": plain_adam(self.dispersion, wide.learning_rate),
            "critic": plain_adam(self.critic, own.critic_rate),
        }

    def update(self, batch: Trajectories, random: np.random.Generator) -> dict[str, float]:
        own, alpha = self.config.acer, self.config.dispersion.alpha
        x, a, m, log_old, r, terminated, mask, _ = (torch.from_numpy(one) for one in batch)
        x = self.standardisation(x)
        d, ratio = self._advantage(x, a, log_old, r, terminated, mask)
        self.mean_square = 0.99 * self.mean_square + 0.01 * d.square().mean()
        pull = (d / self.mean_square.sqrt()).clamp(-own.clip, own.clip)
        first = x[:, 0]
        mode, log_std, value = self.actor(first), self.dispersion(first), self.critic(first)
        log_pi = log_normal(a[:, 0], mode, log_std.detach())
        outside = (mode.abs() - 1).clamp(min=0).square().sum(-1)
        self._descend("actor", own.penalty * outside.mean() - (log_pi * pull).mean())
        moved = self.actor(first)
        loss = dispersion_loss(log_std, a[:, 0], m[:, 0], moved, alpha)
        self._descend("dispersion", loss)
        self._descend("critic", -(value * d).mean())
        for slow, fast in zip(self.target.parameters(), self.critic.parameters()):
            slow.data.mul_(1 - own.target_share).add_(own.target_share * fast.data)
        unmoved = truncated(torch.zeros(()), own.bound, own.truncation)
        found = {"value": value, "ratio": ratio[:, 0] / unmoved, "advantage": d.square()}
        return {name: one.mean().item() for name, one in found.items()}

    @torch.no_grad()
    def _advantage(
        self, x: Tensor, a: Tensor, log_old: Tensor, r: Tensor, terminated: Tensor, mask: Tensor
    ) -> tuple[Tensor, Tensor]:
        """d_i (B,) and ψ_b(ρ) (B, L); the target speaks for all rows but the first."""
        own, gamma = self.config.acer, self.config.discount
        log_pi = log_normal(a, self.actor(x[:, :-1]), self.dispersion(x[:, :-1]))
        ratio = truncated((log_pi - log_old).cumsum(1), own.bound, own.truncation)
        values = torch.cat([self.critic(x[:, :1]), self.target(x[:, :-1])[:, 1:]], 1)
        delta = r + gamma * self.target(x[:, 1:]) * ~terminated - values
        return (gamma ** torch.arange(self.length) * ratio * delta * mask).sum(1), ratio

    def _descend(self, name: str, loss: Tensor) -> None:
        self.optimizers[name].zero_grad()
        loss.backward()
        self.optimizers[name].step()


def plain_adam(network: nn.Module, rate: float) -> torch.optim.Adam:
    return torch.optim.Adam(network.parameters(), lr=rate, foreach=False)


def check_same(agent: Acer, naive: NaiveAcerax, replay: Replay) -> dict[str, float]:
    """Largest differences of gradients and figures in one update; tiny, or an error."""
    batch = replay.sample(BATCH, agent.length, np.random.default_rng(2))
    ours, theirs = (one.update(batch, np.random.default_rng(0)) for one in (agent, naive))
    found = {}
    for name in ("actor", "critic", "dispersion"):
        pairs = zip(getattr(agent, name).parameters(), getattr(naive, name).parameters())
        # relative to the largest of the layer
        found[name] = max(
            float((p.grad - q.grad).abs().max() / q.grad.abs().max()) for p, q in pairs
        )
    for name, figure in theirs.items():
        found[name] = abs(ours[name] - figure) / abs(figure)
    assert max(found.values()) < 1e-3, found
    return found


def report(medians: dict[str, float]) -> None:
    for name, seconds in medians.items():
        print(f"  {name}: {1e3 * seconds / UPDATES:.2f} ms an update")


def main() -> None:
    options = arguments(__doc__)
    torch.set_num_threads(1)
    model = filled_peer()
    sac = {SAC_PEER: lambda: [model.train(1, BATCH) for _ in range(UPDATES)]}
    for preset in ("sac", "sacx"):
        agent = agent_of(preset)
        sac[f"update, {preset}"] = repeated(agent, filled(agent))
        sac[f"update, {preset}, bfloat16"] = repeated(agent, filled(agent), "medium")
    facts = {"updates": UPDATES, "batch": BATCH, "clock": time.process_time}
    report(compare(sac, SAC_PEER, options, **facts)["median_s"])
    ours = agent_of("acerax")
    replay, naive = filled(ours), NaiveAcerax(ours)
    facts["differences"] = check_same(ours, naive, replay)
    options.out = options.out and options.out.with_stem(f"{options.out.stem}_acerax")
    ways = {NAIVE: repeated(naive, replay), "update, acerax": repeated(ours, replay)}
    report(compare(ways, NAIVE, options, **facts)["median_s"])


if __name__ == "__main__":
    main()
