"""Heads for :mod:`toolkit.core.convnet`'s trunk, and the two models that join them.

The decoder resizes and convolves (Odena et al. 2016, doi 10.23915/distill.00003), optionally with
additive lateral links (Lin et al. 2017, arXiv 1612.03144).

Names end in their shape: B batch, C channels, N spatial axes (T; H W; D H W), F pooled features,
S side features, K classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from toolkit.core.convnet import ACTIVATIONS, CONV, Encoder, Pooling, conv, initialise, norm, pool
from toolkit.core.errors import ConfigError


class ClassifierHead(nn.Module):
    """Logits (..., K) from features (..., F) joined with an optional side vector (..., S)."""

    def __init__(
        self, features: int, classes: int, side: int = 0, hidden: int = 0, dropout: float = 0.0
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Dropout(dropout)]
        width = features + side
        if hidden:
            layers += [nn.Linear(width, hidden), nn.ReLU(), nn.Dropout(dropout)]
        self.side = side
        self.layers = nn.Sequential(*layers, nn.Linear(hidden or width, classes))

    def forward(self, features_BF: Tensor, side_BS: Tensor | None = None) -> Tensor:
        given = 0 if side_BS is None else side_BS.shape[-1]
        if given != self.side:
            raise ConfigError(f"this head takes {self.side} side features, not {given}")
        joined = features_BF if side_BS is None else torch.cat([features_BF, side_BS], dim=-1)
        logits_BK: Tensor = self.layers(joined)
        return logits_BK


class DecoderHead(nn.Module):
    """Brings an encoder's levels back to the input's exact size: (B, out_channels, *size).

    Args:
        encoder: the trunk whose stages are mirrored; its padding must be ``"same"``.
        out_channels: channels of the output, for example leads.
        lateral: also add each finer level, and the input itself, through a 1-kernel. Sharper, but
            then the coarsest features, the ones that a classifier reads, need not hold all of the
            signal.

    Raises:
        ConfigError: for an encoder with valid padding, whose sizes cannot be retraced.
    """

    def __init__(self, encoder: Encoder, out_channels: int = 1, *, lateral: bool = False) -> None:
        super().__init__()
        config = encoder.config
        if config.padding != "same":
            raise ConfigError("a decoder needs an encoder with padding = 'same'")
        self.strides, self.lateral = config.strides, lateral
        widths = (config.stem_channels, *config.channels)
        self.merge = nn.ModuleList(
            nn.Sequential(
                conv(config, coarse, fine, config.kernel),
                norm(config, fine),
                ACTIVATIONS[config.activation](),
            )
            for fine, coarse in pairwise(widths)
        )
        self.links = nn.ModuleList(conv(config, c, c, 1) for c in widths[:-1] if lateral)
        self.direct = conv(config, config.in_channels, widths[0], 1) if lateral else None
        # what the stem's stride left out is smoothed by a kernel as wide as the stem's
        self.fine = nn.Sequential(
            conv(config, widths[0], widths[0], config.stem_kernel),
            norm(config, widths[0]),
            ACTIVATIONS[config.activation](),
        )
        self.out = CONV[config.ndim](widths[0], out_channels, 1)
        self.apply(initialise)

    def forward(self, levels: Sequence[Tensor], input_BCN: Tensor) -> Tensor:
        x_BCN = levels[-1]
        for i in reversed(range(len(self.merge))):
            x_BCN = self.merge[i](_upsample(x_BCN, self.strides[i + 1], levels[i].shape[2:]))
            if self.lateral:
                x_BCN = x_BCN + self.links[i](levels[i])
        x_BCN = _upsample(x_BCN, self.strides[0], input_BCN.shape[2:])
        if self.direct is not None:
            x_BCN = x_BCN + self.direct(input_BCN)
        out_BCN: Tensor = self.out(self.fine(x_BCN))
        return out_BCN


def _upsample(x_BCN: Tensor, stride: Sequence[int], size: Sequence[int]) -> Tensor:
    # Repeat, then cut the tail: position j stays above the input j * stride whatever the length.
    if set(stride) != {1}:
        x_BCN = F.interpolate(x_BCN, scale_factor=[float(s) for s in stride], mode="nearest")
    for axis, length in enumerate(size, start=2):
        x_BCN = x_BCN.narrow(axis, 0, length)
    return x_BCN


class ConvClassifier(nn.Module):
    """Encoder, global pooling and classifier: (B, C, N) and optional (B, S) to logits (B, K)."""

    def __init__(
        self,
        encoder: Encoder,
        classes: int,
        *,
        pooling: Pooling = "avg",
        side: int = 0,
        hidden: int = 0,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.encoder, self.pooling = encoder, pooling
        self.copies = pooling.count("+") + 1
        features = encoder.out_channels * self.copies
        self.head = ClassifierHead(features, classes, side, hidden, dropout)

    def forward(self, x_BCN: Tensor, side_BS: Tensor | None = None) -> Tensor:
        logits_BK: Tensor = self.head(pool(self.encoder(x_BCN), self.pooling), side_BS)
        return logits_BK

    def dense(self, x_BCN: Tensor) -> Tensor:
        """Logits (B, K, N / total_stride) at every position, each pooled over itself alone."""
        features_BFN = torch.cat([self.encoder(x_BCN)] * self.copies, dim=1)
        logits_BNK: Tensor = self.head(features_BFN.movedim(1, -1))
        return logits_BNK.movedim(-1, 1)


class ConvRegressor(nn.Module):
    """Encoder and decoder: (B, C, N) to (B, out_channels, N), of exactly the input's size."""

    def __init__(self, encoder: Encoder, out_channels: int = 1, *, lateral: bool = False) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = DecoderHead(encoder, out_channels, lateral=lateral)

    def forward(self, x_BCN: Tensor) -> Tensor:
        out_BCN: Tensor = self.decoder(self.encoder.levels(x_BCN), x_BCN)
        return out_BCN
