"""How wide the action distribution is: fixed, adapted to what is replayed, or by a temperature.

A dispersion gives η = ln σ for observations; σ is in units of half the box of actions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from toolkit.core.mlp import mlp
from toolkit.rl.config import RlRunConfig

_HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)


def log_normal(a: Tensor, mode: Tensor, log_std: Tensor) -> Tensor:
    """ln N(a; mode, diag σ²) of actions (..., a): (...)."""
    z = (a - mode) * torch.exp(-log_std)
    return -(0.5 * z.square() + log_std + _HALF_LOG_2PI).sum(-1)


class _Bounded(torch.autograd.Function):
    """Values clamped to a range, which a gradient leads back into but not farther out of.

    The gradient of a plain clamp is zero outside: a σ once at its floor would stay there.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, low: float, high: float) -> Tensor:
        ctx.save_for_backward(x)
        ctx.low, ctx.high = low, high
        return x.clamp(low, high)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        (x,) = ctx.saved_tensors
        outward = ((x < ctx.low) & (gradient > 0)) | ((x > ctx.high) & (gradient < 0))
        return gradient.masked_fill(outward, 0.0), None, None


class Dispersion(nn.Module):
    """η(x; ξ) between a floor and a ceiling; ``std`` at the beginning, whatever x."""

    def __init__(
        self,
        sizes: Sequence[int],
        std: float,
        floor: float = 1e-6,
        ceiling: float = 1e6,
    ) -> None:
        super().__init__()
        self.layers = mlp(sizes, "tanh", output_gain=0.01)
        self.low, self.high = math.log(floor), math.log(ceiling)
        nn.init.constant_(self.layers[-1].bias, math.log(std))  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """η (..., a) of observations (..., d)."""
        bounded: Tensor = _Bounded.apply(self.layers(x), self.low, self.high)  # type: ignore[no-untyped-call]
        return bounded


class FixedDispersion(nn.Module):
    """The same σ everywhere and for good."""

    log_std: Tensor

    def __init__(self, std: float, actions: int) -> None:
        super().__init__()
        self.register_buffer("log_std", torch.full((actions,), math.log(std)))

    def forward(self, x: Tensor) -> Tensor:
        """η (..., a) of observations (..., d)."""
        return self.log_std.expand(*x.shape[:-1], -1)


def dispersion_of(config: RlRunConfig, observation_size: int, actions: int) -> nn.Module:
    """The σ that ``config`` asks for."""
    own = config.dispersion
    if own.kind == "fixed":
        return FixedDispersion(own.std, actions)
    sizes = [observation_size, *own.hidden, actions]
    return Dispersion(sizes, own.std, own.floor, own.ceiling)


def dispersion_loss(
    log_std: Tensor, actions: Tensor, old_modes: Tensor, modes: Tensor, alpha: float
) -> Tensor:
    """Mean over rows (B, a) of −[ln N(m; μ, σ) + α ln N(a; μ, σ)] but for constants.

    L_η = Σ_j ½[(m_j − μ_j)² + α (a_j − μ_j)²] e^{−2η_j} + (1 + α) Σ_j η_j: replayed actions a, and
    the modes m of the distributions that they were drawn from, stay probable under the current
    policy, no wider (Wawrzyński et al. 2022, arXiv 2208.00156). μ is a constant here: in every
    dimension σ*² = (E(m − μ)² + α E(a − μ)²) / (1 + α).
    """
    modes = modes.detach()
    spread = (old_modes - modes).square() + alpha * (actions - modes).square()
    each = 0.5 * spread * torch.exp(-2 * log_std) + (1 + alpha) * log_std
    return each.sum(-1).mean()
