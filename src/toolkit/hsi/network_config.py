"""Settings of the networks of ``toolkit hsi``, and what follows from them without building one."""

from __future__ import annotations

from typing import Annotated, Literal, Self, get_args

from pydantic import Field, model_validator

from toolkit.core.config import Config

Name = Literal["residual", "hu2015", "lee2017", "li2017", "hamida2018"]
NAMES: tuple[Name, ...] = get_args(Name)

_PATCHES: dict[Name, int] = {"hu2015": 1, "lee2017": 5, "li2017": 5, "hamida2018": 5}
_PUBLISHED_DROPOUT: dict[Name, float] = {"lee2017": 0.5}  # the other papers name none

Width = Annotated[int, Field(ge=1, le=4096)]


class ResidualConfig(Config):
    """Our network: a convolution over the bands of each pixel, then valid residual blocks.

    Left out on purpose are group normalisation and squeeze-and-excitation: both average over the
    whole tile, so that a map would depend on how it was cut.
    """

    stem_channels: Width = Field(128, description="features that the bands of a pixel become")
    channels: tuple[Width, ...] = Field(
        (128, 128), min_length=1, max_length=8, description="features of each stage"
    )
    blocks_per_stage: int = Field(1, ge=1, le=8, description="residual blocks in a stage")
    kernel: int = Field(3, ge=1, le=9, description="side of the spatial kernels, odd")
    norm: Literal["batch", "none"] = "batch"
    activation: Literal["relu", "gelu", "leaky_relu"] = "relu"

    @model_validator(mode="after")
    def _centred(self) -> Self:
        if self.kernel % 2 == 0:
            raise ValueError(f"kernel = {self.kernel}: an even kernel has no middle pixel")
        return self

    @property
    def patch(self) -> int:
        """Side of the receptive field in pixels: each block has two convolutions."""
        convolutions = 2 * self.blocks_per_stage * len(self.channels)
        return 1 + convolutions * (self.kernel - 1)


class HeadsConfig(Config):
    """How many heads are asked what a pixel is."""

    count: int = Field(1, ge=1, le=64, description="heads whose probabilities are averaged")
    dropout: float = Field(
        0.5, ge=0, lt=1, description="of the features before each of several; one head has none"
    )


class NetworkConfig(Config):
    """Which network, and its settings."""

    name: Name = Field("residual", description="ours, or a published one as its paper has it")
    residual: ResidualConfig = Field(ResidualConfig(), description="of network residual alone")
    dropout: float | None = Field(
        None, ge=0, lt=1, description="lee2017 as published 0.5, the others 0, if unset"
    )

    @property
    def dropout_rate(self) -> float:
        """Dropout as set, or as published."""
        return _PUBLISHED_DROPOUT.get(self.name, 0.0) if self.dropout is None else self.dropout


def patch_of(config: NetworkConfig) -> int:
    """Side, in pixels and odd, of the square patch from which a pixel is classified."""
    return config.residual.patch if config.name == "residual" else _PATCHES[config.name]
