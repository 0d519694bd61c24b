"""A classifier of every pixel of a tile: standardisation, trunk and head in one module.

Names end in their shape: B tiles, C bands, H W pixels, F features, K classes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from toolkit.core.errors import DataError
from toolkit.core.supervised import load_weights
from toolkit.hsi import networks
from toolkit.hsi.heads import Heads
from toolkit.hsi.network_config import HeadsConfig, NetworkConfig

_HEAD = "head."


class HsiModel(nn.Module):
    """Logits (B, K, H', W') from raw cube values (B, bands, H, W), H' = H - patch + 1.

    Raw means in the scene's own unit, as float32: the statistics that standardise each band are
    buffers, so they travel with the weights and a map needs nothing else.

    Args:
        config: the network.
        bands: of the scenes that it is for.
        classes: outputs of the head; of several groups (grids of artificial labels, say) one after
            another, in which case splitting them again is the loss's business.
        heads: that are asked and whose probabilities are averaged.

    Raises:
        ConfigError: too few bands for the network.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(
        self,
        config: NetworkConfig,
        bands: int,
        classes: int | Sequence[int],
        heads: HeadsConfig | None = None,
    ) -> None:
        super().__init__()
        self.heads = heads or HeadsConfig()
        self.bands = bands
        self.register_buffer("mean", torch.zeros(bands))
        self.register_buffer("deviation", torch.ones(bands))
        self.trunk = networks.build(config, bands)
        self.replace_head(classes)

    @property
    def patch(self) -> int:
        """Side of the receptive field in pixels, odd."""
        return self.trunk.patch

    @property
    def classes(self) -> int:
        """Outputs of the head."""
        return self.head.out_channels

    def replace_head(self, classes: int | Sequence[int]) -> None:
        """A new head, a linear layer per pixel, with fresh weights; the trunk stays."""
        outputs = classes if isinstance(classes, int) else sum(classes)
        self.head = self._new_head(outputs).to(self.mean.device)

    def _new_head(self, outputs: int) -> nn.Conv2d | Heads:
        features, asked = self.trunk.features, self.heads
        if asked.count == 1:
            return nn.Conv2d(features, outputs, 1)
        return Heads(features, outputs, asked.count, asked.dropout)

    def set_statistics(self, mean: ArrayLike, deviation: ArrayLike) -> None:
        """Standardise with these from now on.

        Args:
            mean: (bands,) in the scene's unit.
            deviation: (bands,) likewise; a band that never varies, 0, is only shifted.

        Raises:
            DataError: one of another length, not finite or negative.
        """
        spread_C = _per_band("deviation", deviation, self.bands)
        if (spread_C < 0).any():
            raise DataError(f"a deviation of {spread_C.min():g} in band {spread_C.argmin()}")
        self.mean.copy_(_per_band("mean", mean, self.bands))
        self.deviation.copy_(torch.where(spread_C == 0, 1.0, spread_C))

    def features(self, x_BCHW: Tensor) -> Tensor:
        """What the head sees, (B, F, H', W').

        Raises:
            DataError: another number of bands, or a tile smaller than the patch.
        """
        self._check(x_BCHW)
        standard_BCHW = (x_BCHW - self.mean[:, None, None]) / self.deviation[:, None, None]
        features_BFHW: Tensor = self.trunk(standard_BCHW)
        return features_BFHW

    def forward(self, x_BCHW: Tensor) -> Tensor:
        logits_BKHW: Tensor = self.head(self.features(x_BCHW))
        return logits_BKHW

    def trunk_state(self) -> dict[str, Tensor]:
        """Everything but the head: weights, running statistics, mean and deviation."""
        return {k: v for k, v in self.state_dict().items() if not k.startswith(_HEAD)}

    def load_trunk(self, state: Mapping[str, Tensor]) -> None:
        """Take over another model's ``trunk_state``; the head stays.

        Raises:
            DataError: it is for another number of bands; says both.
            RunError: a tensor that is missing, unexpected or of another shape; names it.
        """
        if "mean" in state:
            self._check_bands(len(self.mean), "this model", len(state["mean"]))
        head = {k: v for k, v in self.state_dict().items() if k.startswith(_HEAD)}
        load_weights(self, {**head, **state})

    def _check(self, x_BCHW: Tensor) -> None:
        self._check_bands(x_BCHW.shape[1], "the scene", self.bands)
        h, w = x_BCHW.shape[2:]
        if min(h, w) < self.patch:
            raise DataError(
                f"a tile of {h} x {w} pixels is smaller than the network's patch of "
                f"{self.patch} x {self.patch}",
                hint="a network of a smaller patch, such as --network hu2015, or a larger scene",
            )

    @staticmethod
    def _check_bands(found: int, whose: str, expected: int) -> None:
        if found != expected:
            raise DataError(
                f"{whose} has {found} bands, the trained model {expected}",
                hint="toolkit hsi info SCENE shows a scene's bands; a model fits the sensor "
                "that it was trained on: toolkit hsi pretrain --scene SCENE makes one for this",
            )


def _per_band(name: str, values: ArrayLike, bands: int) -> Tensor:
    values_C = torch.as_tensor(values, dtype=torch.float32).flatten()
    if len(values_C) != bands:
        raise DataError(f"{name} of {len(values_C)} bands for a model of {bands}")
    if not values_C.isfinite().all():
        band = int((~values_C.isfinite()).nonzero()[0])
        raise DataError(f"{name} of band {band} is {values_C[band]:g}")
    return values_C
