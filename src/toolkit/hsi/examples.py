"""Patches and crops of a scene as the batches of a supervised task."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from toolkit.core.supervised import Indices
from toolkit.hsi.augmentation import augment, turned
from toolkit.hsi.config import AugmentationConfig
from toolkit.hsi.reading import windows
from toolkit.hsi.scene import Cube
from toolkit.hsi.standardisation import Statistics

IGNORED = -100  # target of a pixel that is not learnt from, as in torch's cross-entropy
Targets = NDArray[np.int64]


@dataclass(frozen=True)
class Pixels:
    """Some pixels of a scene with their windows: (B, bands, side, side) and targets (B, 1, 1).

    Attributes:
        cube: (rows, columns, bands).
        places: (n, 2) row and column of each pixel.
        targets: (n,) class ids from 0.
        patch: side of the windows.
        statistics: of each band, the unit of augmentation.
        augmentation: of training batches.
    """

    cube: Cube
    places: NDArray[np.int64]
    targets: Targets
    patch: int
    statistics: Statistics
    augmentation: AugmentationConfig

    def __len__(self) -> int:
        return len(self.places)

    def batch(
        self, indices: Indices, generator: np.random.Generator | None
    ) -> tuple[tuple[Tensor, ...], Tensor]:
        """Windows around the pixels ``indices``; augmented when a generator is given."""
        rows, columns = self.places[indices].T
        x_BHWC = windows(self.cube, rows, columns, self.patch)
        if generator is not None:
            x_BHWC = augment(x_BHWC, self.statistics, self.augmentation, generator)
            if self.augmentation.flips and self.patch > 1:
                x_BHWC = turned(x_BHWC, generator)
        return (channels_first(x_BHWC),), torch.from_numpy(self.targets[indices, None, None])


@dataclass(frozen=True)
class Crops:
    """Square crops, every pixel of which has a target for each labelling.

    Batches are windows (B, bands, crop + patch - 1, crop + patch - 1) and targets (B, labellings,
    crop, crop). A crop is named by its upper left pixel.

    Attributes:
        cube: (rows, columns, bands).
        planes: (labellings, rows, columns) class ids, below 0 where there is nothing to learn.
        crop: side in pixels.
        patch, statistics, augmentation: as of :class:`Pixels`.
    """

    cube: Cube
    planes: NDArray[np.int32]
    crop: int
    patch: int
    statistics: Statistics
    augmentation: AugmentationConfig

    @property
    def _free(self) -> tuple[int, int]:
        rows, columns = self.planes.shape[1:]
        return max(rows - self.crop + 1, 1), max(columns - self.crop + 1, 1)

    @cached_property
    def _places(self) -> Indices:
        """Those with something to learn in each labelling, in rows from the upper left.

        A batch of nothing to learn would have no loss.
        """
        learnt = np.pad((self.planes >= 0).cumsum(1).cumsum(2), ((0, 0), (1, 0), (1, 0)))
        high, wide = (min(self.crop, n) for n in self.planes.shape[1:])
        counts = learnt[:, high:, wide:] - learnt[:, :-high, wide:]
        counts -= learnt[:, high:, :-wide] - learnt[:, :-high, :-wide]
        return np.flatnonzero((counts > 0).all(0))

    def __len__(self) -> int:
        return len(self._places)

    def batch(
        self, indices: Indices, generator: np.random.Generator | None
    ) -> tuple[tuple[Tensor, ...], Tensor]:
        """Crops by number, in rows from the upper left; augmented when a generator is given."""
        top, left = np.unravel_index(self._places[indices], self._free)
        parts = [self._targets[:, r : r + self.crop, c : c + self.crop] for r, c in zip(top, left)]
        targets = np.stack(parts).astype(np.int64)
        middle, margin = self.crop // 2, self.patch // 2
        side = self.crop + 2 * margin
        x_BHWC = windows(self.cube, top + middle, left + middle, side | 1)[:, :side, :side]
        if generator is not None:
            x_BHWC = augment(x_BHWC, self.statistics, self.augmentation, generator)
            if self.augmentation.flips and self.patch > 1:  # single pixels look the same turned
                x_BHWC, targets = _turned_together(x_BHWC, targets, generator)
        return (channels_first(x_BHWC),), torch.from_numpy(targets)

    @cached_property
    def _targets(self) -> NDArray[np.int32]:
        """``planes`` as the loss takes them, filled up to a crop where the scene is smaller."""
        gap = [(0, 0), *((0, max(self.crop - n, 0)) for n in self.planes.shape[1:])]
        targets = np.where(self.planes < 0, np.int32(IGNORED), self.planes)
        return np.pad(targets, gap, constant_values=IGNORED)


def _turned_together(
    x_BHWC: NDArray[np.float32], targets_BGHW: Targets, generator: np.random.Generator
) -> tuple[NDArray[np.float32], Targets]:
    state = generator.bit_generator.state
    x_BHWC = turned(x_BHWC, generator)
    generator.bit_generator.state = state  # the same turns for the targets
    return x_BHWC, turned(targets_BGHW.transpose(0, 2, 3, 1), generator).transpose(0, 3, 1, 2)


def channels_first(x_BHWC: NDArray[np.float32]) -> Tensor:
    """(B, H, W, C) as a (B, C, H, W) tensor in channels-last memory, without a copy."""
    return torch.from_numpy(np.ascontiguousarray(x_BHWC)).permute(0, 3, 1, 2)
