"""Actor-critic with experience replay, and adaptation of its action dispersion (ACERAX)."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from toolkit.core import rng
from toolkit.rl.agents.agent import (
    Action,
    Floats,
    adam,
    averages,
    descend,
    follow,
    follower,
    restore,
    saved,
    widen,
)
from toolkit.rl.agents.dispersion import dispersion_of, log_normal
from toolkit.rl.agents.networks import Actor, StateValue
from toolkit.rl.agents.policy import Policy
from toolkit.rl.agents.standardisation import Standardisation
from toolkit.rl.config import AcerConfig, RlRunConfig
from toolkit.rl.environments import Spaces
from toolkit.rl.replay import Trajectories

_LOG_RATIO = 20.0  # e^20 is beyond every bound, and finite


def truncated(log_ratio: Tensor, bound: float, kind: str) -> Tensor:
    """ψ_b(ρ) of density ratios given as logarithms: min(ρ, b), or b tanh(ρ / b)."""
    ratio = log_ratio.clamp(-_LOG_RATIO, _LOG_RATIO).exp()
    return ratio.clamp(max=bound) if kind == "hard" else bound * torch.tanh(ratio / bound)


def advantage(
    rewards: Tensor,
    terminated: Tensor,
    values: Tensor,
    ratios: Tensor,
    mask: Tensor,
    discount: float,
) -> Tensor:
    """d_i = Σ_k γ^k ψ_b(ρ_{i+k}) δ_{i+k} over the rows (B, L) of trajectories: (B,).

    δ_k = r_k + γ V(x_{k+1}) (1 − terminated_k) − V(x_k), with values (B, L + 1) of the rows and
    what follows them (Wawrzyński et al. 2022, arXiv 2208.00156).
    """
    after = values[:, 1:].masked_fill(terminated, 0.0)
    delta = torch.where(mask, rewards + discount * after - values[:, :-1], 0.0)
    powers = discount ** torch.arange(delta.shape[1], device=delta.device)
    return (powers * ratios * delta).sum(1)


def shares(settings: AcerConfig) -> list[float]:
    """Of lengths that are averaged, how many have the k-th row: P(length > k), 1 for the first."""
    length, geometric = settings.trajectory, settings.geometric
    if geometric is not None:
        return [geometric**k for k in range(length)]
    return [1 - k / length for k in range(length)]


class Acer:
    """The replayed n-step likelihood-ratio actor-critic, its σ fixed or adaptive.

    Args:
        spaces: of the environment.
        config: networks and learning.
        device: where they live.
    """

    def __init__(self, spaces: Spaces, config: RlRunConfig, device: torch.device) -> None:
        self.config, self.device = config, device
        self.length = config.acer.trajectory
        size, actions = spaces.observation_size, spaces.action_size
        with rng.torch_scope(config.seed, "weights"):
            self.actor = Actor([size, *config.hidden, actions], config.activation).to(device)
            self.critic = StateValue([size, *config.hidden], config.activation).to(device)
            self.dispersion = dispersion_of(config, size, actions).to(device)
        self.target = self.critic
        if config.acer.target_share < 1:
            self.target = copy.deepcopy(self.critic).requires_grad_(False)
        standardisation = Standardisation(size, enabled=config.standardise).to(device)
        slow = follower(self.actor, config.policy_share)
        self.policy = Policy(spaces, slow, standardisation, squash=False).to(device)
        own = config.acer
        self.optimizer = adam([(self.actor, own.actor_rate), (self.critic, own.critic_rate)])
        self.widener = None
        if config.dispersion.kind == "adaptive":
            self.widener = adam([(self.dispersion, config.dispersion.learning_rate)])
        self.mean_square = torch.ones((), device=device)  # of advantages, a running mean
        every = shares(config.acer) if config.acer.averaged else [1.0] * self.length
        self._shares = torch.tensor(every, device=device)
        self._unmoved = float(truncated(torch.zeros(()), own.bound, own.truncation))  # ψ_b(1)

    @torch.inference_mode()
    def act(self, x: Floats, noise: Floats) -> Action:
        """a ~ N(μ(x), diag σ(x)²) for standardised observations (N, d)."""
        seen = torch.from_numpy(x).to(self.device)
        mode, log_std = self.actor(seen), self.dispersion(seen)
        action = mode + log_std.exp() * torch.from_numpy(noise).to(self.device)
        found = (action, mode, log_normal(action, mode, log_std), log_std)
        return Action(*(tensor.cpu().numpy() for tensor in found))

    @torch.inference_mode()
    def value(self, x: Tensor) -> Tensor:
        """V(x)."""
        values: Tensor = self.critic(x)
        return values

    def update(
        self, batch: Trajectories, random: np.random.Generator, latest: Trajectories | None = None
    ) -> dict[str, float]:
        """One update from the first rows of trajectories: actor, dispersion, critic.

        Wawrzyński et al. 2022, arXiv 2208.00156. Actor and critic share one backward pass, for
        neither's loss touches the other's weights; the dispersion sees the moved actor.

        Ours is the anchor, c: the likelihood of replayed modes m, which decides σ, holds μ too.
        Without it the actor leaves what the replay knows, ratios vanish, and what is learnt is
        lost again (the paper's rate of 1e-5 avoids that at the price of millions of steps).
        """
        own, actor = self.config.acer, self.actor
        x, a, m, log_old, r, terminated, mask = self._tensors(batch, random)
        mode, log_std = actor(x[:, 0]), self.dispersion(x[:, 0]).detach()
        log_pi = log_normal(a[:, 0], mode, log_std)  # ln π(a_i | x_i)
        value = self.critic(x[:, 0])  # V(x_i)
        with torch.no_grad():
            later = log_normal(a[:, 1:], actor(x[:, 1:-1]), self.dispersion(x[:, 1:-1]))
            log_ratio = (torch.cat([log_pi[:, None], later], 1) - log_old).cumsum(1)  # ln ρ_k
            ratios = truncated(log_ratio, own.bound, own.truncation) * self._shares  # ψ_b(ρ_k)
            values = torch.cat([value[:, None], self.target(x[:, 1:])], 1)  # V(x_k)
            d = advantage(r, terminated, values, ratios, mask, self.config.discount)  # d_i
            pull = self._scaled(d)
        outside = (mode.abs() - 1).clamp(min=0).square().sum(-1)  # of the box
        away = ((m - mode) * torch.exp(-log_std)).square()  # from where it was, in σ²
        actor_loss = own.penalty * outside.mean() - (log_pi * pull).mean()
        actor_loss = actor_loss + 0.5 * own.anchor * away.sum(-1).mean()  # −c ln N(m; μ, σ)
        critic_loss = -(value * d).mean()
        descend(self.optimizer, actor_loss + critic_loss)
        if self.widener is not None:
            widen(self, self.widener, batch if latest is None else latest)
        if self.target is not self.critic:
            follow(self.target, self.critic, own.target_share)
        distance = away.detach().mean(-1).sqrt()
        ratio = ratios[:, 0] / self._unmoved  # 1: the policy is what it was
        return averages(value=value, ratio=ratio, advantage=d.square(), mode_distance=distance)

    def _scaled(self, d: Tensor) -> Tensor:
        """Advantages divided by their running RMS, and bounded: where the actor is pulled."""
        own = self.config.acer
        if not own.scaled:
            return d
        self.mean_square.lerp_(d.square().mean(), 0.01)
        scaled = d * (self.mean_square + 1e-8).rsqrt()
        return scaled.clamp(-own.clip, own.clip)

    def _tensors(self, batch: Trajectories, random: np.random.Generator) -> tuple[Tensor, ...]:
        """x, a, m, ln π_old, r, terminated and the mask of a batch, on the device."""
        mask = batch.mask
        own = self.config.acer
        if own.geometric is not None and not own.averaged:
            lengths = random.geometric(1 - own.geometric, len(mask))
            mask = mask & (np.arange(self.length) < lengths[:, None])
        parts: list[NDArray[Any]] = [batch.actions, batch.modes[:, 0], batch.log_probs]
        parts += [batch.rewards, batch.terminated, mask]
        x = torch.from_numpy(batch.observations).to(self.device)
        rest = (torch.from_numpy(part).to(self.device) for part in parts)
        return self.policy.standardisation(x), *rest

    def state_dict(self) -> dict[str, Any]:
        """Networks, optimisers and the scale of advantages."""
        return {**saved(self, self._optimizers), "mean_square": self.mean_square}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what ``state_dict`` gave."""
        restore(self, self._optimizers, state)
        self.mean_square.copy_(state["mean_square"])

    @property
    def _optimizers(self) -> dict[str, torch.optim.Optimizer]:
        named = {"optimizer": self.optimizer, "widener": self.widener}
        return {name: one for name, one in named.items() if one is not None}
