"""Multi-layer perceptrons, as the actors, critics and angle predictors of RL and VQE use them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

from torch import nn

from toolkit.core.errors import ConfigError, closest
from toolkit.core.linear import Linear

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "silu": nn.SiLU,
    "gelu": nn.GELU,
}


def mlp(
    sizes: Sequence[int],
    activation: str = "relu",
    *,
    norm: Literal["none", "layer"] = "none",
    gain: float | None = None,
    output_gain: float | None = None,
) -> nn.Sequential:
    """Linear layers (..., sizes[0]) to (..., sizes[-1]), the last one without activation.

    Args:
        sizes: widths from input to output, at least two.
        activation: after every hidden layer; a key of ``ACTIVATIONS``.
        norm: ``"layer"`` puts a LayerNorm before every activation.
        gain: of orthogonal hidden weights with zero biases (Saxe et al. 2014, arXiv 1312.6120);
            sqrt(2) suits relu. Without it torch's own initialisation stays.
        output_gain: the same for the last layer (``gain`` by default); 0.01 starts a policy near
            zero (Andrychowicz et al. 2021, arXiv 2006.05990).

    Raises:
        ConfigError: for fewer than two sizes, one below 1 or an unknown activation.
    """
    if len(sizes) < 2 or min(sizes) < 1:
        raise ConfigError(f"an MLP needs two or more positive sizes, not {list(sizes)}")
    if activation not in ACTIVATIONS:
        raise ConfigError(
            f"unknown activation {activation!r}", hint=closest(activation, ACTIVATIONS)
        )
    layers: list[nn.Module] = []
    for n_in, n_out in pairwise(sizes[:-1]):
        layers.append(_linear(n_in, n_out, gain))
        if norm == "layer":
            layers.append(nn.LayerNorm(n_out))
        layers.append(ACTIVATIONS[activation]())
    last = _linear(sizes[-2], sizes[-1], gain if output_gain is None else output_gain)
    return nn.Sequential(*layers, last)


def _linear(n_in: int, n_out: int, gain: float | None) -> Linear:
    layer = Linear(n_in, n_out)
    if gain is not None:
        nn.init.orthogonal_(layer.weight, gain)
        nn.init.zeros_(layer.bias)
    return layer
