"""The entropy temperature of soft actor-critic (Haarnoja et al. 2018, arXiv 1812.05905)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from toolkit.rl.agents.dispersion import log_normal

_LOG_2 = math.log(2.0)


def log_squashed(u: Tensor, mode: Tensor, log_std: Tensor) -> Tensor:
    """ln π(tanh u) where u (..., a) is normal: (...).

    ln N(u) − Σ ln(1 − tanh² u), in a form that does not overflow (app. C).
    """
    correction = 2 * (_LOG_2 - u - F.softplus(-2 * u))
    return log_normal(u, mode, log_std) - correction.sum(-1)


class Temperature(nn.Module):
    """τ, by which entropy is rewarded, and which learns to keep it at ``target`` (in nats)."""

    def __init__(self, target: float) -> None:
        super().__init__()
        self.target = target
        self.log = nn.Parameter(torch.zeros(()))

    @property
    def value(self) -> Tensor:
        """τ, as a constant."""
        return self.log.detach().exp()

    def reward(self, log_pi: Tensor) -> Tensor:
        """−τ ln π, what being random is worth (eq. 3)."""
        return -self.value * log_pi

    def loss(self, log_pi: Tensor) -> Tensor:
        """τ ln π for the actor (eq. 7), and for τ what brings the entropy to its target, as one.

        In eq. 18 it is τ that multiplies what the entropy lacks; here ln τ, as implementations do.
        """
        mean = log_pi.mean()
        return self.value * mean - self.log * (mean.detach() + self.target)
