"""Lee, Kwon 2017, IEEE TIP 26(10) 4843 (arXiv 1604.03519): the contextual deep CNN."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from toolkit.hsi.network_config import NetworkConfig
from toolkit.hsi.networks.trunk import Trunk

WIDTH = 128


class Lee2017(Trunk):
    """A bank of 1 x 1, 3 x 3 and 5 x 5 filters over all bands, then seven 1 x 1 layers.

    Layers as in the paper, the ninth being the head: 1 the bank, whose finer maps are max-pooled
    to the coarsest one's field (5 x 5 and 3 x 3, stride 1) before all are joined; 2 brings them to
    128; 3 to 6 are two residual modules; 7 and 8 have dropout. Local response normalisation after
    layers 1 and 2.

    Chosen by us, as we know of no published value: AlexNet's constants of the normalisation
    (n = 5, alpha = 1e-4, beta = 0.75) and its place after the ReLU. Two things differ knowingly.
    The paper pads a scene with zeros; how a scene is padded is not the network's affair here. Its
    weights start Gaussian with sd 0.01 and biases at 1, and it takes 100,000 steps of SGD: in the
    few hundred steps of a few-label run that start hardly learns and would flatter whatever
    pre-training adds, so He's normal weights are drawn.
    """

    def __init__(self, config: NetworkConfig, bands: int) -> None:
        super().__init__(config, WIDTH)
        self.bank1 = nn.Sequential(nn.Conv2d(bands, WIDTH, 1), nn.MaxPool2d(5, stride=1))
        self.bank3 = nn.Sequential(nn.Conv2d(bands, WIDTH, 3), nn.MaxPool2d(3, stride=1))
        self.bank5 = nn.Conv2d(bands, WIDTH, 5)
        self.norm = nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=1.0)
        self.layer2 = nn.Conv2d(3 * WIDTH, WIDTH, 1)
        self.modules34, self.modules56 = _residual_module(), _residual_module()
        self.layer7, self.layer8 = nn.Conv2d(WIDTH, WIDTH, 1), nn.Conv2d(WIDTH, WIDTH, 1)
        self.dropout = nn.Dropout(config.dropout_rate)
        self.apply(_initialise)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        bank = [self.bank1(x_BCHW), self.bank3(x_BCHW), self.bank5(x_BCHW)]
        x_BFHW = self.norm(F.relu(torch.cat(bank, dim=1)))
        x_BFHW = self.norm(F.relu(self.layer2(x_BFHW)))
        x_BFHW = F.relu(x_BFHW + self.modules34(x_BFHW))
        x_BFHW = F.relu(x_BFHW + self.modules56(x_BFHW))
        x_BFHW = self.dropout(F.relu(self.layer7(x_BFHW)))
        out_BFHW: Tensor = self.dropout(F.relu(self.layer8(x_BFHW)))
        return out_BFHW


def _residual_module() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(WIDTH, WIDTH, 1), nn.ReLU(), nn.Conv2d(WIDTH, WIDTH, 1))


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)
