"""Our network: the core's residual ConvNet, valid in space, over mixtures of the bands."""

from __future__ import annotations

from torch import Tensor

from toolkit.core.convnet import ConvNetConfig, Encoder
from toolkit.hsi.network_config import NetworkConfig
from toolkit.hsi.networks.trunk import Trunk


class Residual(Trunk):
    """A 1 x 1 convolution over the bands, then residual blocks (He et al. 2016) of growing field.

    By default two blocks of two 3 x 3 convolutions with 128 features: a patch of 9 x 9.
    """

    def __init__(self, config: NetworkConfig, bands: int) -> None:
        settings = config.residual
        super().__init__(config, settings.channels[-1])
        self.encoder = Encoder(
            ConvNetConfig(
                ndim=2,
                in_channels=bands,
                stem_kernel=1,
                stage_stride=1,
                padding="valid",
                dropout=config.dropout_rate,
                **settings.model_dump(),
            )
        )

    def forward(self, x_BCHW: Tensor) -> Tensor:
        features_BFHW: Tensor = self.encoder(x_BCHW)
        return features_BFHW
