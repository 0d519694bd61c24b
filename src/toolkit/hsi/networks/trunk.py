"""What all networks have in common."""

from __future__ import annotations

from torch import nn

from toolkit.hsi.network_config import NetworkConfig, patch_of


class Trunk(nn.Module):
    """A network up to its last hidden layer: (B, bands, h, w) to (B, features, h', w').

    Spatially every convolution is valid and of stride 1, so h' = h - patch + 1 and w' likewise:
    a patch gives the one feature vector of its middle pixel, exactly as published, and a larger
    tile gives in one pass what its patches would give one by one. A fully connected layer over a
    patch is a 1-kernel here, since by then the patch is one position wide.

    Attributes:
        patch: side of the receptive field in pixels, odd.
        features: length of the feature vector of a pixel.
        min_bands: fewest bands that the spectral kernels fit into.
    """

    min_bands = 1

    def __init__(self, config: NetworkConfig, features: int) -> None:
        super().__init__()
        self.patch = patch_of(config)
        self.features = features
