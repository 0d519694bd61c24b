"""Ben Hamida, Benoit, Lambert, Ben Amar 2018, IEEE TGRS 56(8) 4420: a deeper 3-D CNN."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from toolkit.hsi.network_config import NetworkConfig
from toolkit.hsi.networks.trunk import Trunk


class Hamida2018(Trunk):
    """Six 3-D convolutions; those of stride 2 along the spectrum stand in for pooling.

    Written here spectrum first: 20 of 3 x 3 x 3, 20 of 3 x 1 x 1 with stride 2, 35 of 3 x 3 x 3,
    35 of 3 x 1 x 1 with stride 2, 35 of 3 x 1 x 1, 35 of 2 x 1 x 1 with stride 2. The features
    are what is left of the spectrum, 35 times.

    Taken from DeepHyperX: one zero at either end of the spectrum in all layers but the first, no
    ReLU after the two layers that pool, He's normal weights.
    """

    min_bands = 3

    def __init__(self, config: NetworkConfig, bands: int) -> None:
        pooled = ((bands - 2 - 1) // 2 + 1 - 1) // 2 + 1
        super().__init__(config, 35 * (pooled // 2 + 1))
        self.layers = nn.Sequential(
            nn.Conv3d(1, 20, 3),
            nn.ReLU(),
            _spectral(20, 3, stride=2),
            nn.Conv3d(20, 35, 3, padding=(1, 0, 0)),
            nn.ReLU(),
            _spectral(35, 3, stride=2),
            _spectral(35, 3),
            nn.ReLU(),
            _spectral(35, 2, stride=2),
            nn.ReLU(),
            nn.Dropout(config.dropout_rate),
        )
        self.apply(_initialise)
        # a third faster, here and in maps
        self.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]

    def forward(self, x_BCHW: Tensor) -> Tensor:
        out_BKDHW: Tensor = self.layers(x_BCHW.unsqueeze(1))
        return out_BKDHW.flatten(1, 2)


def _spectral(channels: int, kernel: int, stride: int = 1) -> nn.Conv3d:
    return nn.Conv3d(channels, channels, (kernel, 1, 1), (stride, 1, 1), (1, 0, 0))


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv3d):
        nn.init.kaiming_normal_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
