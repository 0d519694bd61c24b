"""The trunk of one N-dimensional residual convolutional network; its heads are in ``heads.py``.

The trunk (:class:`Encoder`) knows nothing of the task, so its ``state_dict()`` moves from a
pre-training task to another one. Blocks follow He et al. 2016 (arXiv 1512.03385), squeeze and
excitation Hu et al. 2018 (1709.01507).

Names end in their shape: B batch, C channels, N spatial axes (``ndim`` of them: T; H W; D H W),
F pooled features. Weights are drawn from torch's current generator: construct inside a seeded
scope for reproducible ones.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Literal, Self

import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor, nn

Count = Annotated[int, Field(ge=1, le=65536)]
Size = Count | tuple[Count, ...]  # one for every axis, or one for each
Pooling = Literal["avg", "max", "avg+max", "centre"]
Activation = Literal["relu", "gelu", "leaky_relu"]

CONV = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
_BATCH_NORM = {1: nn.BatchNorm1d, 2: nn.BatchNorm2d, 3: nn.BatchNorm3d}
ACTIVATIONS = {"relu": nn.ReLU, "gelu": nn.GELU, "leaky_relu": nn.LeakyReLU}


class ConvNetConfig(BaseModel):
    """The trunk: a stem convolution, then one stage of residual blocks per entry of ``channels``.

    With ``padding = "same"`` a layer of stride s turns length n into ceil(n / s). With ``"valid"``
    each k-kernel takes k - 1 samples, and at stride 1 a dense map equals patch-wise prediction.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    ndim: Literal[1, 2, 3] = 1
    in_channels: Count = 1
    stem_channels: Count = 32
    stem_kernel: Size = 7
    stem_stride: Size = 1
    channels: tuple[Count, ...] = Field((32, 64, 128), min_length=1, max_length=16)
    blocks_per_stage: Annotated[int, Field(ge=1, le=64)] = 1
    kernel: Size = 3
    stage_stride: Count | tuple[Size, ...] = 2  # of every stage's first block, or one per stage
    padding: Literal["same", "valid"] = "same"
    norm: Literal["batch", "group", "none"] = "batch"
    activation: Activation = "relu"
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0  # between the convolutions of a block
    squeeze_excite: bool = False

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        per_stage = self.stage_stride if isinstance(self.stage_stride, tuple) else ()
        if per_stage and len(per_stage) != len(self.channels):
            raise ValueError(f"stage_stride has {len(per_stage)} entries, channels {self.channels}")
        for size in (self.stem_kernel, self.stem_stride, self.kernel, *per_stage):
            if isinstance(size, tuple) and len(size) != self.ndim:
                raise ValueError(f"{size} must have one entry per axis (ndim = {self.ndim})")
        if any(k % 2 == 0 for k in self.axes(self.stem_kernel) + self.axes(self.kernel)):
            raise ValueError(f"kernels must be odd: stem {self.stem_kernel}, {self.kernel}")
        return self

    def axes(self, size: Size) -> tuple[int, ...]:
        """``size`` written out per axis."""
        return size if isinstance(size, tuple) else (size,) * self.ndim

    @property
    def strides(self) -> tuple[tuple[int, ...], ...]:
        """Stride per axis of the stem and of each stage."""
        stages = self.stage_stride
        per_stage = stages if isinstance(stages, tuple) else (stages,) * len(self.channels)
        return tuple(self.axes(s) for s in (self.stem_stride, *per_stage))


def conv(config: ConvNetConfig, c_in: int, c_out: int, kernel: Size, stride: Size = 1) -> nn.Module:
    k, s = config.axes(kernel), config.axes(stride)
    pad = tuple(n // 2 if config.padding == "same" else 0 for n in k)
    bias = config.norm == "none"  # a normalisation subtracts it again
    # torch types the tuples of each ConvNd apart; here their length follows ndim.
    return CONV[config.ndim](c_in, c_out, k, s, pad, bias=bias)  # type: ignore[arg-type]


def norm(config: ConvNetConfig, channels: int) -> nn.Module:
    if config.norm == "batch":
        return _BATCH_NORM[config.ndim](channels)
    return (
        nn.GroupNorm(math.gcd(8, channels), channels) if config.norm == "group" else nn.Identity()
    )


def initialise(module: nn.Module) -> None:
    if isinstance(module, (nn.Conv1d, nn.Conv2d, nn.Conv3d)):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def _crop(x_BCN: Tensor, margins: Sequence[int]) -> Tensor:
    for axis, margin in enumerate(margins, start=2):
        if margin:
            x_BCN = x_BCN.narrow(axis, margin, x_BCN.shape[axis] - 2 * margin)
    return x_BCN


class SqueezeExcite(nn.Module):
    """Scales each channel by a gate computed from every channel's mean; (B, C, N) stays."""

    def __init__(self, channels: int, reduction: int = 8) -> None:
        super().__init__()
        hidden = max(channels // reduction, 4)
        self.gate = nn.Sequential(
            nn.Linear(channels, hidden), nn.ReLU(), nn.Linear(hidden, channels), nn.Sigmoid()
        )

    def forward(self, x_BCN: Tensor) -> Tensor:
        gate_BC: Tensor = self.gate(x_BCN.flatten(2).mean(-1))
        return x_BCN * gate_BC.reshape(*gate_BC.shape, *(1,) * (x_BCN.ndim - 2))


class ResidualBlock(nn.Module):
    """conv-norm-act-dropout-conv-norm(-gate) + input: (B, c_in, N) to (B, c_out, N / stride)."""

    def __init__(self, config: ConvNetConfig, c_in: int, c_out: int, stride: Size) -> None:
        super().__init__()
        self.body = nn.Sequential(
            conv(config, c_in, c_out, config.kernel, stride),
            norm(config, c_out),
            ACTIVATIONS[config.activation](),
            nn.Dropout(config.dropout),
            conv(config, c_out, c_out, config.kernel),
            norm(config, c_out),
            SqueezeExcite(c_out) if config.squeeze_excite else nn.Identity(),
        )
        same_shape = c_in == c_out and set(config.axes(stride)) == {1}
        self.skip: nn.Module = nn.Identity()
        if not same_shape:
            self.skip = nn.Sequential(conv(config, c_in, c_out, 1, stride), norm(config, c_out))
        self.activation = ACTIVATIONS[config.activation]()
        valid = config.padding == "valid"
        self.margins = tuple(k // 2 if valid else 0 for k in config.axes(config.kernel))

    def forward(self, x_BCN: Tensor) -> Tensor:
        skip_BCN = _crop(self.skip(_crop(x_BCN, self.margins)), self.margins)
        out_BCN: Tensor = self.activation(self.body(x_BCN) + skip_BCN)
        return out_BCN


class Encoder(nn.Module):
    """The trunk: (B, in_channels, N) to features (B, ``out_channels``, N / ``total_stride``)."""

    def __init__(self, config: ConvNetConfig) -> None:
        super().__init__()
        self.config = config
        self.out_channels = config.channels[-1]
        self.total_stride = tuple(math.prod(axis) for axis in zip(*config.strides))
        self.stem = nn.Sequential(
            conv(
                config,
                config.in_channels,
                config.stem_channels,
                config.stem_kernel,
                config.strides[0],
            ),
            norm(config, config.stem_channels),
            ACTIVATIONS[config.activation](),
        )
        widths = (config.stem_channels, *config.channels)
        self.stages = nn.ModuleList(
            nn.Sequential(
                ResidualBlock(config, c_in, c_out, stride),
                *(
                    ResidualBlock(config, c_out, c_out, 1)
                    for _ in range(config.blocks_per_stage - 1)
                ),
            )
            for c_in, c_out, stride in zip(widths, widths[1:], config.strides[1:])
        )
        self.apply(initialise)

    def levels(self, x_BCN: Tensor) -> list[Tensor]:
        """Features after the stem and after each stage, finest first."""
        levels = [self.stem(x_BCN)]
        for stage in self.stages:
            levels.append(stage(levels[-1]))
        return levels

    def forward(self, x_BCN: Tensor) -> Tensor:
        return self.levels(x_BCN)[-1]


def pool(features_BCN: Tensor, kind: Pooling = "avg") -> Tensor:
    """Global pooling: (B, C, N) to (B, F); F is C, or 2 C for ``"avg+max"``.

    ``"centre"`` takes the middle position: what a patch says about its own pixel.
    """
    if kind == "centre":
        for n in features_BCN.shape[2:]:
            features_BCN = features_BCN.select(2, n // 2)
        return features_BCN
    flat_BCT = features_BCN.flatten(2)
    if kind == "avg":
        return flat_BCT.mean(-1)
    maxima_BC = flat_BCT.amax(-1)
    return maxima_BC if kind == "max" else torch.cat([flat_BCT.mean(-1), maxima_BC], dim=1)
