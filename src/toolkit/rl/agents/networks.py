"""Actors and critics."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from toolkit.core.linear import Linear
from toolkit.core.mlp import mlp

_SMALL = 0.01  # gain of a policy's last layer: modes start near zero


def _in_place(layers: nn.Sequential) -> nn.Sequential:
    """``layers`` whose relus overwrite what they are given, which no backward pass needs."""
    for layer in layers:
        if isinstance(layer, nn.ReLU):
            layer.inplace = True
    return layers


class Actor(nn.Module):
    """Observations (..., d) to modes (..., a), which are reach · tanh where ``bounded``.

    A ``reach`` beyond 1 brings the ends of the box to where tanh is not flat yet.
    """

    def __init__(
        self, sizes: Sequence[int], activation: str, bounded: bool = False, reach: float = 1.0
    ) -> None:
        super().__init__()
        self.bounded, self.reach = bounded, reach
        *trunk, self.head = _in_place(mlp(sizes, activation, output_gain=_SMALL))
        self.trunk = nn.Sequential(*trunk)

    def forward(self, x: Tensor) -> Tensor:
        """Modes of the action distribution."""
        return self.bound(self.head(self.trunk(x)))

    def bound(self, raw: Tensor) -> Tensor:
        """What the last layer gives, as modes."""
        return self.reach * raw.tanh() if self.bounded else raw


class StateValue(nn.Module):
    """Observations (..., d) to their values (...)."""

    def __init__(self, sizes: Sequence[int], activation: str) -> None:
        super().__init__()
        self.layers = _in_place(mlp([*sizes, 1], activation))

    def forward(self, x: Tensor) -> Tensor:
        """V(x)."""
        values: Tensor = self.layers(x)
        return values[..., 0]


class BatchRenorm(nn.Module):
    """Batch renormalisation (Ioffe 2017, arXiv 1702.03275) of (B, width).

    CrossQ (Bhatt et al. 2024, arXiv 1902.05605) needs it: what a critic is evaluated with later,
    running moments, must already be near what it is trained with. For the first ``warmup`` batches
    those of the batch alone count.
    """

    mean: Tensor
    variance: Tensor
    seen: Tensor

    def __init__(self, width: int, momentum: float = 0.01, warmup: int = 100_000) -> None:
        super().__init__()
        self.momentum, self.warmup = momentum, warmup
        self.weight, self.bias = nn.Parameter(torch.ones(width)), nn.Parameter(torch.zeros(width))
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("variance", torch.ones(width))
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise over the batch, or by running moments in evaluation."""
        if not self.training:
            x = (x - self.mean) * (self.variance + 1e-3).rsqrt()
            return torch.addcmul(self.bias, x, self.weight)
        variance, mean = torch.var_mean(x, 0, correction=0)
        scale = (variance + 1e-3).rsqrt()
        x = (x - mean) * scale
        with torch.no_grad():
            if int(self.seen) >= self.warmup:
                running = (self.variance + 1e-3).rsqrt()
                r = (running / scale).clamp(1 / 3, 3)
                d = ((mean - self.mean) * running).clamp(-5, 5)
            else:
                r, d = torch.ones_like(mean), torch.zeros_like(mean)
            self.mean.lerp_(mean, self.momentum)
            self.variance.lerp_(variance, self.momentum)
            self.seen += 1
        return torch.addcmul(self.bias, x * r + d, self.weight)


def _plain(sizes: Sequence[int]) -> nn.Sequential:
    """Linear layers and relu."""
    return _in_place(mlp([*sizes, 1]))


def _layer_normalised(sizes: Sequence[int]) -> nn.Sequential:
    """The same, normalised before each relu (Ba et al. 2016, arXiv 1607.06450)."""
    return _in_place(mlp([*sizes, 1], norm="layer"))


def _batch_normalised(sizes: Sequence[int]) -> nn.Sequential:
    """CrossQ's: the input and what each relu gives are normalised."""
    layers: list[nn.Module] = [BatchRenorm(sizes[0])]
    for n_in, n_out in pairwise(sizes):
        layers += [Linear(n_in, n_out), nn.ReLU(inplace=True), BatchRenorm(n_out)]
    return nn.Sequential(*layers, Linear(sizes[-1], 1))


def _simba(sizes: Sequence[int]) -> nn.Sequential:
    """Residual blocks, normalised before the last layer."""
    width = sizes[1]
    blocks = [_Residual(width) for _ in sizes[1:]]
    return nn.Sequential(Linear(sizes[0], width), *blocks, nn.LayerNorm(width), Linear(width, 1))


class _Residual(nn.Module):
    """x + W₂ relu(W₁ LN(x)), four times as wide within (Lee et al. 2024, arXiv 2410.09754)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.LayerNorm(width),
            Linear(width, 4 * width),
            nn.ReLU(inplace=True),
            Linear(4 * width, width),
        )

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.layers(x)
        return x + y


class Critics(nn.ModuleList):
    """Q-critics (members, B) of inputs (B, n)."""

    def forward(self, x: Tensor) -> Tensor:
        """Q of every member."""
        return torch.stack([member(x)[..., 0] for member in self])


def critics(kind: str, members: int, sizes: Sequence[int]) -> Critics:
    """Q-critics of ``kind`` as ``twin_q.critic`` names it."""
    makers: dict[str, Callable[[Sequence[int]], nn.Module]] = {
        "layer-norm": _layer_normalised,
        "batch-norm": _batch_normalised,
        "simba": _simba,
    }
    make = makers.get(kind, _plain)
    return Critics(make(sizes) for _ in range(members))
