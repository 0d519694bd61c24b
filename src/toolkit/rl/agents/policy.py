"""What a run learns: from raw observations to actions in the environment's own units."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from toolkit.rl.agents.networks import Actor
from toolkit.rl.agents.standardisation import Standardisation
from toolkit.rl.environments import Spaces


class Policy(nn.Module):
    """Standardise, ask the actor for a mode, bound it, and scale it from [-1, 1] to the box.

    Args:
        spaces: of the environment.
        actor: standardised observations (N, d) to modes (N, a).
        standardisation: of observations.
        squash: actions are bounded by tanh; by clipping otherwise.
    """

    centre: Tensor
    reach: Tensor
    low: Tensor
    high: Tensor

    def __init__(
        self, spaces: Spaces, actor: Actor, standardisation: Standardisation, squash: bool
    ) -> None:
        super().__init__()
        self.spaces, self.squash = spaces, squash
        self.actor, self.standardisation = actor, standardisation
        low, high = torch.as_tensor(spaces.low), torch.as_tensor(spaces.high)
        bounds = {"low": low, "high": high, "centre": (high + low) / 2, "reach": (high - low) / 2}
        for name, values in bounds.items():
            self.register_buffer(name, values, persistent=False)

    def forward(self, observations: Tensor) -> Tensor:
        """Deterministic actions (N, a) in the environment's units for observations (N, d)."""
        return self.scaled(self.bounded(self.modes(observations)))

    def modes(self, observations: Tensor) -> Tensor:
        """Modes (N, a) of the distribution of actions, before any bound on actions."""
        modes: Tensor = self.actor(self.standardisation(observations))
        return modes

    def bounded(self, actions: Tensor) -> Tensor:
        """``actions`` brought into [-1, 1]; noise, where there is some, is already in them."""
        return actions.tanh() if self.squash else actions.clamp(-1, 1)

    def scaled(self, actions: Tensor) -> Tensor:
        """``actions`` from [-1, 1] to the environment's units."""
        moved = self.centre + self.reach * actions
        return moved.clamp(self.low, self.high)  # rounding may leave the box by a last bit

    @torch.no_grad()
    def sample(self, observations: Tensor, sigma: Tensor, noise: Tensor) -> Tensor:
        """Actions (N, a) as exploration takes them: mode plus σ ξ, then bounded and scaled.

        Args:
            observations: (N, d), raw.
            sigma: (a,), of actions scaled to [-1, 1]; before tanh where the policy squashes.
            noise: (N, a), standard normal.
        """
        return self.scaled(self.bounded(self.modes(observations) + sigma * noise))
