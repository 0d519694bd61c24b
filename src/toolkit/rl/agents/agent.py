"""What a run needs of whoever learns in it, and what all of them share."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from toolkit.core.supervised import load_weights
from toolkit.rl.agents.dispersion import dispersion_loss
from toolkit.rl.agents.networks import Actor
from toolkit.rl.agents.policy import Policy
from toolkit.rl.config import RlRunConfig
from toolkit.rl.replay import Trajectories

Floats = NDArray[np.float32]


class Action(NamedTuple):
    """Drawn for N observations: unbounded actions and modes (N, a), log densities (N,)."""

    actions: Floats
    modes: Floats
    log_probs: Floats
    log_stds: Floats


def anyhow(uniform: NDArray[np.float64], squash: bool) -> Action:
    """Uniformly random actions (N, a) of [-1, 1] as if drawn from modes of zero."""
    n, size = uniform.shape
    actions, densities, std = uniform, np.full((n, size), 0.5), 1 / np.sqrt(3)
    if squash:  # before their tanh, of which they are uniform
        actions, densities, std = np.arctanh(uniform), 0.5 * (1 - uniform**2), np.pi / np.sqrt(12)
    log_probs = np.log(densities).sum(1).astype(np.float32)
    log_stds = np.full((n, size), np.log(std), np.float32)
    modes = np.zeros((n, size), np.float32)
    return Action(actions.astype(np.float32), modes, log_probs, log_stds)


class Agent(Protocol):
    """Acts by a policy and learns from trajectories of the replay."""

    policy: Policy
    config: RlRunConfig
    device: torch.device
    actor: Actor
    dispersion: nn.Module
    length: int  # rows of a trajectory

    @property
    def critic(self) -> nn.Module:
        """What values states, or states with actions."""

    @property
    def target(self) -> nn.Module:
        """What gives the critic the values of what comes after: its slow copy, or itself."""

    def act(self, x: Floats, noise: Floats) -> Action:
        """Actions for standardised observations (N, d); ``noise`` (N, a) is standard normal."""

    def value(self, x: Tensor) -> Tensor:
        """Expected discounted sum of rewards from standardised observations (N, d): (N,)."""

    def update(
        self, batch: Trajectories, random: np.random.Generator, latest: Trajectories | None = None
    ) -> dict[str, float]:
        """Learn from a batch of the replay, and σ from its ``latest`` rows where given.

        Returns diagnostics.
        """

    def state_dict(self) -> Mapping[str, Any]:
        """All networks and optimisers."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what ``state_dict`` gave."""


def adam(groups: Iterable[tuple[nn.Module, float]], beta: float = 0.9) -> torch.optim.Adam:
    """Fused Adam over ``groups`` of modules and their learning rates."""
    settings = [{"params": list(module.parameters()), "lr": rate} for module, rate in groups]
    return torch.optim.Adam(settings, betas=(beta, 0.999), fused=True)


def descend(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    """One step of ``optimizer`` down the gradient of ``loss`` in its own parameters alone."""
    own = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    for parameter in own:  # Optimizer.zero_grad takes ten times as long
        parameter.grad = None
    loss.backward(inputs=own)  # type: ignore[no-untyped-call]
    optimizer.step()


def widen(agent: Agent, optimizer: torch.optim.Optimizer, batch: Trajectories) -> None:
    """One step of σ towards what keeps first rows of ``batch`` probable under the moved actor."""
    parts = (batch.observations[:, 0], batch.actions[:, 0], batch.modes[:, 0])
    x, a, m = (torch.from_numpy(part).to(agent.device) for part in parts)
    x = agent.policy.standardisation(x)
    with torch.no_grad():
        mode = agent.actor(x)
    alpha = agent.config.dispersion.alpha
    descend(optimizer, dispersion_loss(agent.dispersion(x), a, m, mode, alpha))


def follower(actor: Actor, share: float) -> Actor:
    """What the policy asks where it takes up a ``share`` of ``actor`` at each step."""
    return actor if share == 1 else copy.deepcopy(actor).requires_grad_(False)


@torch.no_grad()
def follow(target: nn.Module, source: nn.Module, share: float) -> None:
    """Polyak averaging: target += share · (source − target)."""
    torch._foreach_lerp_(list(target.parameters()), list(source.parameters()), share)


def saved(agent: Agent, optimizers: Mapping[str, torch.optim.Optimizer]) -> dict[str, Any]:
    """State of all networks of ``agent`` and of ``optimizers``."""
    parts = {**networks(agent), **optimizers}
    return {name: part.state_dict() for name, part in parts.items()}


def restore(
    agent: Agent, optimizers: Mapping[str, torch.optim.Optimizer], state: Mapping[str, Any]
) -> None:
    """Take over what ``saved`` gave."""
    for name, network in networks(agent).items():
        load_weights(network, state[name])
    for name, optimizer in optimizers.items():
        optimizer.load_state_dict(state[name])


def networks(agent: Agent) -> dict[str, Any]:
    """Those of ``agent`` by name, none twice.

    A policy may ask the actor that learns, and a critic be its own target.
    """
    named = {"policy": agent.policy, "critic": agent.critic, "dispersion": agent.dispersion}
    apart = {"actor": agent.actor, "target": agent.target}
    known = (agent.policy.actor, agent.critic)
    return {**named, **{name: one for name, one in apart.items() if one not in known}}


def averages(**figures: Tensor) -> dict[str, float]:
    """Means of tensors as numbers, fetched from the device at once."""
    means = torch.stack([figure.detach().float().mean() for figure in figures.values()])
    return dict(zip(figures, means.tolist()))
