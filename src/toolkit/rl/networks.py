"""Actors and critics; an ensemble of small networks is one batched multiplication a layer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from toolkit.core.linear import linear
from toolkit.core.mlp import mlp

_SMALL = 0.01  # gain of a policy's last layer: modes start near zero


def _in_place(layers: nn.Sequential) -> nn.Sequential:
    """``layers`` whose relus overwrite what they are given, which no backward pass needs."""
    for layer in layers:
        if isinstance(layer, nn.ReLU):
            layer.inplace = True
    return layers


class Actor(nn.Module):
    """Observations (..., d) to modes (..., a), by tanh within (-1, 1) where ``bounded``."""

    def __init__(self, sizes: Sequence[int], activation: str, bounded: bool = False) -> None:
        super().__init__()
        self.bounded = bounded
        *trunk, self.head = _in_place(mlp(sizes, activation, output_gain=_SMALL))
        self.trunk = nn.Sequential(*trunk)

    def forward(self, x: Tensor) -> Tensor:
        """Modes of the action distribution."""
        modes: Tensor = self.head(self.trunk(x))
        return modes.tanh() if self.bounded else modes


class StateValue(nn.Module):
    """Observations (..., d) to their values (...)."""

    def __init__(self, sizes: Sequence[int], activation: str) -> None:
        super().__init__()
        self.layers = _in_place(mlp([*sizes, 1], activation))

    def forward(self, x: Tensor) -> Tensor:
        """V(x)."""
        values: Tensor = self.layers(x)
        return values[..., 0]


class EnsembleLinear(nn.Module):
    """``members`` linear layers as one: (members, B, n_in) to (members, B, n_out)."""

    def __init__(self, members: int, n_in: int, n_out: int) -> None:
        super().__init__()
        bound = 1 / math.sqrt(n_in)  # as of torch's own linear layer
        self.weight = nn.Parameter(torch.empty(members, n_in, n_out).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(members, 1, n_out).uniform_(-bound, bound))

    def forward(self, x: Tensor) -> Tensor:
        """x W + b, of each member its own."""
        if self.weight.shape[-1] == 1:  # products of matrices take five times as long for one
            return (x * self.weight.mT).sum(-1, keepdim=True) + self.bias
        members = zip(x, self.weight.mT, self.bias[:, 0])
        return torch.stack([linear(*member) for member in members])


class EnsembleNorm(nn.Module):
    """Layer normalisation (Ba et al. 2016) with gains and biases of each member's own."""

    def __init__(self, members: int, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(members, 1, width))
        self.bias = nn.Parameter(torch.zeros(members, 1, width))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (members, B, width) over its last axis."""
        return torch.addcmul(self.bias, F.layer_norm(x, x.shape[-1:]), self.weight)


class EnsembleBatchNorm(nn.Module):
    """Batch renormalisation (Ioffe 2017, arXiv 1702.03275) of each member's own.

    CrossQ (Bhatt et al. 2024, arXiv 1902.05605) needs it: what a critic is evaluated with later,
    running moments, must already be near what it is trained with. For the first ``warmup`` batches
    those of the batch alone count.
    """

    mean: Tensor
    variance: Tensor
    seen: Tensor

    def __init__(
        self, members: int, width: int, momentum: float = 0.01, warmup: int = 100_000
    ) -> None:
        super().__init__()
        self.momentum, self.warmup = momentum, warmup
        self.weight = nn.Parameter(torch.ones(members, 1, width))
        self.bias = nn.Parameter(torch.zeros(members, 1, width))
        self.register_buffer("mean", torch.zeros(members, 1, width))
        self.register_buffer("variance", torch.ones(members, 1, width))
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (members, B, width) over the batch, or by running moments in evaluation."""
        if not self.training:
            x = (x - self.mean) * (self.variance + 1e-3).rsqrt()
            return torch.addcmul(self.bias, x, self.weight)
        variance, mean = torch.var_mean(x, 1, correction=0, keepdim=True)
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


class Plain(nn.Module):
    """Critics (members, B) of inputs (B, n): linear layers, perhaps normalised, and relu."""

    def __init__(
        self, members: int, sizes: Sequence[int], norm: type[nn.Module] | None = None
    ) -> None:
        super().__init__()
        self.members = members
        layers: list[nn.Module] = [norm(members, sizes[0])] if norm is EnsembleBatchNorm else []
        for n_in, n_out in pairwise(sizes):
            layers += [EnsembleLinear(members, n_in, n_out)]
            # CrossQ normalises what an activation gives, layer normalisation what it takes
            if norm is EnsembleBatchNorm:
                layers += [nn.ReLU(inplace=True), norm(members, n_out)]
            else:
                layers += [*([norm(members, n_out)] if norm else []), nn.ReLU(inplace=True)]
        self.layers = nn.Sequential(*layers, EnsembleLinear(members, sizes[-1], 1))

    def forward(self, x: Tensor) -> Tensor:
        """Q of every member."""
        values: Tensor = self.layers(x.expand(self.members, *x.shape))
        return values[..., 0]


class _Residual(nn.Module):
    """x + W₂ relu(W₁ LN(x)), four times as wide within (Lee et al. 2024, arXiv 2410.09754)."""

    def __init__(self, members: int, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            EnsembleNorm(members, width),
            EnsembleLinear(members, width, 4 * width),
            nn.ReLU(inplace=True),
            EnsembleLinear(members, 4 * width, width),
        )

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.layers(x)
        return x + y


class Simba(nn.Module):
    """Critics (members, B) of inputs (B, n): residual blocks, normalised before the last layer."""

    def __init__(self, members: int, sizes: Sequence[int]) -> None:
        super().__init__()
        self.members = members
        width = sizes[1]
        self.layers = nn.Sequential(
            EnsembleLinear(members, sizes[0], width),
            *(_Residual(members, width) for _ in sizes[1:]),
            EnsembleNorm(members, width),
            EnsembleLinear(members, width, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Q of every member."""
        values: Tensor = self.layers(x.expand(self.members, *x.shape))
        return values[..., 0]


def critics(kind: str, members: int, sizes: Sequence[int]) -> nn.Module:
    """An ensemble of Q-critics, of ``kind`` as ``twin_q.critic`` names it."""
    if kind == "simba":
        return Simba(members, sizes)
    norm = {"batch-norm": EnsembleBatchNorm, "layer-norm": EnsembleNorm}.get(kind)
    return Plain(members, sizes, norm)
