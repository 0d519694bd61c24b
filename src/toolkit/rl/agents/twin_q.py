"""Soft actor-critic and its kin: a reparametrised actor under two Q-critics."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

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
from toolkit.rl.agents.networks import Actor, critics
from toolkit.rl.agents.policy import Policy
from toolkit.rl.agents.standardisation import Standardisation
from toolkit.rl.agents.temperature import Temperature, log_squashed
from toolkit.rl.config import RlRunConfig
from toolkit.rl.environments import Spaces
from toolkit.rl.replay import Trajectories

_LOG_STD = (-20.0, 2.0)  # of soft actor-critic: Haarnoja et al. 2018, arXiv 1812.05905


def _outside(mode: Tensor) -> Tensor:
    """How far modes (B, a) lie beyond the box: the mean of Σ max(0, |μ| − 1)²."""
    return (mode.abs() - 1).clamp(min=0).square().sum(-1).mean()


class TwinQ:
    """Actor and σ under the smaller of two Q-values.

    The width of actions is that of a temperature (SAC: entropy is rewarded), adapted to what is
    replayed (σ has its own loss, and no reward reaches it), or fixed. Actions are compared before
    they are squashed.

    Args:
        spaces: of the environment.
        config: networks and learning.
        device: where they live.
    """

    length = 1

    def __init__(self, spaces: Spaces, config: RlRunConfig, device: torch.device) -> None:
        self.config, self.device, self.updates = config, device, 0
        own, size, actions = config.twin_q, spaces.observation_size, spaces.action_size
        self.is_soft = config.dispersion.kind == "temperature"
        with rng.torch_scope(config.seed, "weights"):
            sizes = [size, *config.hidden, actions]
            is_bounded = own.bound == "mode"
            self.actor = Actor(sizes, config.activation, is_bounded, own.reach).to(device)
            self.critic = critics(own.critic, 2, [size + actions, *own.critic_hidden])
            self.critic = self.critic.eval().to(device)
            self.dispersion = (
                nn.Linear(config.hidden[-1], actions)  # on the actor's trunk
                if self.is_soft
                else dispersion_of(config, size, actions)
            ).to(device)
        self.target = self.critic
        if own.critic != "batch-norm":
            self.target = copy.deepcopy(self.critic).requires_grad_(False)
        standardisation = Standardisation(size, enabled=config.standardise)
        slow, squash = follower(self.actor, config.policy_share), own.bound == "action"
        self.policy = Policy(spaces, slow, standardisation, squash).to(device)
        aim = -float(actions) if own.target_entropy is None else own.target_entropy
        self.temperature = Temperature(aim).to(device)
        self.optimizers = self._optimizers()

    def _optimizers(self) -> dict[str, torch.optim.Adam]:
        rate, beta = self.config.twin_q.learning_rate, self.config.twin_q.adam_beta
        improved: nn.Module = self.actor
        if self.is_soft:  # one step for all: for a single number it is mostly overhead
            improved = nn.ModuleList([self.actor, self.dispersion, self.temperature])
        networks = {"critic": self.critic, "actor": improved}
        made = {name: adam([(one, rate)], beta) for name, one in networks.items()}
        if self.config.dispersion.kind == "adaptive":
            made["dispersion"] = adam([(self.dispersion, self.config.dispersion.learning_rate)])
        return made

    def _distribution(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """What the actor bounds to μ, and ln σ (..., a), of actions before they are squashed."""
        features = self.actor.trunk(x)
        raw = self.actor.head(features)
        if not self.is_soft:
            return raw, self.dispersion(x)
        return raw, self.dispersion(features).clamp(*_LOG_STD)

    @torch.inference_mode()
    def act(self, x: Floats, noise: Floats) -> Action:
        """u ~ N(μ(x), diag σ(x)²) for standardised observations (N, d)."""
        seen = torch.from_numpy(x).to(self.device)
        raw, log_std = self._distribution(seen)
        mode = self.actor.bound(raw)
        action = mode + log_std.exp() * torch.from_numpy(noise).to(self.device)
        found = (action, mode, log_normal(action, mode, log_std), log_std)
        return Action(*(tensor.cpu().numpy() for tensor in found))

    @torch.inference_mode()
    def value(self, x: Tensor) -> Tensor:
        """Q of the mode: the smaller of two."""
        action = self.policy.bounded(self.actor(x))
        value: Tensor = self.critic(torch.cat([x, action], -1)).amin(0)
        return value

    def update(
        self, batch: Trajectories, random: np.random.Generator, latest: Trajectories | None = None
    ) -> dict[str, float]:
        """One update: critics, and at every ``policy_delay``-th actor, σ and temperature.

        Haarnoja et al. 2018, arXiv 1812.05905, eq. 5-18; with batch normalisation both halves of
        the Bellman equation go through the critic at once, and no target network is needed (Bhatt
        et al. 2024, arXiv 1902.05605).
        """
        x, u, m, r, x_after, terminated = self._tensors(batch)
        drawn = random.standard_normal((2, *u.shape), dtype=np.float32)
        noise = torch.from_numpy(drawn).to(self.device)
        with torch.no_grad():
            raw, log_std = self._distribution(x_after)
            mode = self.actor.bound(raw)
            u_after = mode + log_std.exp() * noise[0]  # u' ~ π(x')
            bonus = r.new_zeros(())
            if self.is_soft:  # −τ ln π(a'|x')
                bonus = self.temperature.reward(log_squashed(u_after, mode, log_std))
        now = torch.cat([x, self.policy.bounded(u)], -1)
        after = torch.cat([x_after, self.policy.bounded(u_after)], -1)
        q, q_after = self._both(now, after)
        y = r + self.config.discount * (q_after.amin(0) + bonus).masked_fill(terminated, 0.0)
        critic_loss = 0.5 * (q - y).square().mean(1).sum()
        descend(self.optimizers["critic"], critic_loss)
        figures = {"value": q, "critic_loss": critic_loss}
        if self.updates % self.config.twin_q.policy_delay == 0:
            figures |= self._improve(x, m, noise[1])
            if "dispersion" in self.optimizers:
                widen(self, self.optimizers["dispersion"], batch if latest is None else latest)
        if self.target is not self.critic:
            follow(self.target, self.critic, self.config.twin_q.target_share)
        self.updates += 1
        return averages(**figures)

    def _both(self, now: Tensor, after: Tensor) -> tuple[Tensor, Tensor]:
        """Q of what was done, with its gradient, and of what comes after (2, B), without."""
        if self.target is not self.critic:
            with torch.no_grad():
                q_after = self.target(after)
            return self.critic(now), q_after
        self.critic.train()  # here alone the moments of the batch count
        q, q_after = self.critic(torch.cat([now, after])).chunk(2, 1)
        self.critic.eval()
        return q, q_after.detach()

    def _improve(self, x: Tensor, m_old: Tensor, noise: Tensor) -> dict[str, Tensor]:
        """The step of the actor and the temperature.

        Ours is the pull: modes that lie deep in the flat ends of a tanh have no gradient left.
        """
        own = self.config.twin_q
        raw, log_std = self._distribution(x)
        mode = self.actor.bound(raw)
        std = log_std.exp() if self.is_soft else log_std.detach().exp()
        u = mode + std * noise
        q = self.critic(torch.cat([x, self.policy.bounded(u)], -1)).amin(0)
        loss = -q.mean()
        if self.is_soft:
            loss = loss + self.temperature.loss(log_squashed(u, mode, log_std))
        if own.bound == "penalty":
            loss = loss + own.penalty * _outside(mode)
        if own.pull > 0:  # beside Q / |Q|, so that one β serves rewards of any size
            loss = loss / q.detach().abs().mean() + own.pull * _outside(raw)
        descend(self.optimizers["actor"], loss)
        distance = ((m_old - mode.detach()) * torch.exp(-log_std.detach())).square().mean(-1).sqrt()
        return {"mode_distance": distance, "temperature": self.temperature.value}

    def _tensors(self, batch: Trajectories) -> tuple[Tensor, ...]:
        """x, u, m, r, x' and whether it is terminal, of the first rows, on the device."""
        parts = (
            part[:, 0] for part in (batch.actions, batch.modes, batch.rewards, batch.terminated)
        )
        x, u, m, r, terminated = (
            torch.from_numpy(part).to(self.device) for part in (batch.observations, *parts)
        )
        x = self.policy.standardisation(x)
        return x[:, 0], u, m, r, x[:, 1], terminated

    def state_dict(self) -> dict[str, Any]:
        """Networks, optimisers, temperature and the count that the delay needs."""
        own = {"temperature": self.temperature.log.detach(), "updates": self.updates}
        return {**saved(self, self._named_optimizers()), **own}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what ``state_dict`` gave."""
        restore(self, self._named_optimizers(), state)
        with torch.no_grad():
            self.temperature.log.copy_(state["temperature"])
        self.updates = int(state["updates"])

    def _named_optimizers(self) -> dict[str, torch.optim.Optimizer]:
        return {f"{name}_optimizer": one for name, one in self.optimizers.items()}
