"""Hu, Huang, Wei, Zhang, Li 2015, J. Sensors 258619 (doi 10.1155/2015/258619): a 1-D CNN."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from toolkit.hsi.network_config import NetworkConfig
from toolkit.hsi.networks.trunk import Trunk

KERNELS, HIDDEN = 20, 100  # C1's 20 kernels; n4 = 100


class Hu2015(Trunk):
    """One convolution along the spectrum, max pooling, one hidden layer; tanh throughout.

    The paper gives the kernel as a ninth of the bands and wants 30 to 40 pooled values a kernel.
    How to round is taken from DeepHyperX: up for the kernel, a pool of a fifth of the kernel,
    rounded up, and what is left after the last whole pool dropped. All parameters start uniform
    within 0.05 of zero, as in the paper.

    Spectra are images one pixel high in channels-last memory, and the pooled values enter the
    hidden layer position by position as they lie: a third of the time of 1-D layers.
    """

    def __init__(self, config: NetworkConfig, bands: int) -> None:
        super().__init__(config, HIDDEN)
        kernel = math.ceil(bands / 9)
        pool = math.ceil(kernel / 5)
        pooled = (bands - kernel + 1) // pool
        self.conv = nn.Conv2d(1, KERNELS, (1, kernel))
        self.pool = nn.MaxPool2d((1, pool))
        self.hidden = nn.Linear(KERNELS * pooled, HIDDEN)
        self.dropout = nn.Dropout(config.dropout_rate)
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -0.05, 0.05)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        b, bands, h, w = x_BCHW.shape
        spectra_N11C = x_BCHW.movedim(1, -1).reshape(b * h * w, 1, 1, bands)
        spectra_N11C = spectra_N11C.to(memory_format=torch.channels_last)
        pooled_NK1P = torch.tanh(self.pool(self.conv(spectra_N11C)))
        pooled_NF = pooled_NK1P.permute(0, 2, 3, 1).flatten(1)
        hidden_NF = self.dropout(torch.tanh(self.hidden(pooled_NF)))
        out_BFHW: Tensor = hidden_NF.reshape(b, h, w, self.features).movedim(-1, 1)
        return out_BFHW
