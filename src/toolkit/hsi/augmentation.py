"""Random changes of windows that leave their class as it is."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from toolkit.hsi.config import AugmentationConfig
from toolkit.hsi.standardisation import Statistics

Windows = NDArray[np.float32]  # (B, H, W, C) in the scene's own unit
T = TypeVar("T", bound=np.generic)


def augment(
    x_BHWC: Windows,
    statistics: Statistics,
    config: AugmentationConfig,
    generator: np.random.Generator,
) -> Windows:
    """New windows with another illumination, noise, and neighbouring bands replaced by their mean.

    Everything is drawn whether used or not, so that one setting does not change the others' draws.
    """
    count, bands = len(x_BHWC), x_BHWC.shape[-1]
    gains = generator.uniform(-1, 1, (count, 1, 1, 1)).astype(np.float32)
    starts, widths = generator.random((2, count))
    x_BHWC = x_BHWC * (1 + config.gain * gains) if config.gain else x_BHWC.copy()
    if config.noise:
        noise = generator.standard_normal(x_BHWC.shape, np.float32)
        x_BHWC += config.noise * statistics.deviation * noise
    if config.band_dropout:
        width = (widths * (config.band_dropout * bands + 1)).astype(int)
        start = (starts * (bands - width + 1)).astype(int)
        place = np.arange(bands)
        hidden_BC = (place >= start[:, None]) & (place < (start + width)[:, None])
        x_BHWC = np.where(hidden_BC[:, None, None], statistics.mean, x_BHWC)
    return x_BHWC


def turned(x_BHWC: NDArray[T], generator: np.random.Generator) -> NDArray[T]:
    """Each square window in one of its eight orientations."""
    turns, mirrored = generator.integers(4, size=len(x_BHWC)), generator.random(len(x_BHWC)) < 0.5
    turned_BHWC = np.empty_like(x_BHWC)
    for quarter in range(4):
        for mirror in (False, True):
            chosen = (turns == quarter) & (mirrored == mirror)
            part = np.rot90(x_BHWC[chosen], quarter, axes=(1, 2))
            turned_BHWC[chosen] = part[:, :, ::-1] if mirror else part
    return turned_BHWC
