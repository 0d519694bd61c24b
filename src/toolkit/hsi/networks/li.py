"""Li, Zhang, Shen 2017, Remote Sensing 9(1) 67 (doi 10.3390/rs9010067): a small 3-D CNN."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from toolkit.hsi.network_config import NetworkConfig
from toolkit.hsi.networks.trunk import Trunk

HIDDEN = 128
FIRST, SECOND = 2, 4  # kernels of C1 and of C2


class Li2017(Trunk):
    """Two 3-D convolutions without pooling or padding, and a fully connected layer; ReLU.

    C1 has 2 kernels of 3 x 3 x 7 and C2 has 4 of 3 x 3 x 3, each run over each of C1's 2 cubes:
    8 cubes of 1 x 1 x (bands - 8) enter F1.

    Chosen by us: 128 features in F1 and Xavier's uniform weights, both as in public
    re-implementations (LK2018/hsi-classification; DeepHyperX). The latter's own variant is another
    network: 16 and 32 kernels that sum over cubes, padded spectra, no F1.
    """

    min_bands = 9

    def __init__(self, config: NetworkConfig, bands: int) -> None:
        super().__init__(config, HIDDEN)
        self.conv1 = nn.Conv3d(1, FIRST, (7, 3, 3))
        self.conv2 = nn.Conv3d(1, SECOND, (3, 3, 3))
        self.hidden = nn.Conv2d(FIRST * SECOND * (bands - 8), HIDDEN, 1)
        self.dropout = nn.Dropout(config.dropout_rate)
        self.apply(_initialise)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        cubes_BKDHW = F.relu(self.conv1(x_BCHW.unsqueeze(1)))
        # each cube by itself: the batch axis takes the cubes in, and gives them back after C2
        apart_BKDHW = F.relu(self.conv2(cubes_BKDHW.flatten(0, 1).unsqueeze(1)))
        flat_BFHW = apart_BKDHW.reshape(x_BCHW.shape[0], -1, *apart_BKDHW.shape[-2:])
        out_BFHW: Tensor = self.dropout(F.relu(self.hidden(flat_BFHW)))
        return out_BFHW


def _initialise(module: nn.Module) -> None:
    if isinstance(module, (nn.Conv2d, nn.Conv3d)):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
