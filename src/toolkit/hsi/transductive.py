"""Learning from unlabelled pixels: what is sure of a pixel must hold for it changed strongly.

FixMatch (Sohn et al. 2020, arXiv 2001.07685): the prediction for a weakly changed window, where it
is sure, is the label of the same window strongly changed. The pixels are the whole scene's, test
pixels among them, so that results with it are transductive and say so.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from toolkit.core.supervised import Indices
from toolkit.hsi.augmentation import augment, turned
from toolkit.hsi.config import AugmentationConfig, TransductiveConfig
from toolkit.hsi.examples import Pixels, channels_first
from toolkit.hsi.heads import Loss
from toolkit.hsi.reading import windows
from toolkit.hsi.scene import Mask

STRONG = AugmentationConfig(noise=0.1, gain=0.1, band_dropout=0.5)
_WEAK, _STRONG = -1, -2  # targets that mark what a window is


@dataclass(frozen=True)
class Unlabelled:
    """Labelled pixels, then ``count`` others weakly and the same ones strongly changed.

    The others are of the ``area`` (rows, columns), all of the scene by default. Their targets are
    marks, not classes: a batch of B labelled pixels is windows (B + 2 count, bands, side, side)
    with targets (B + 2 count, 1, 1).
    """

    labelled: Pixels
    count: int
    area: Mask | None = None

    def __len__(self) -> int:
        return len(self.labelled)

    def batch(
        self, indices: Indices, generator: np.random.Generator | None
    ) -> tuple[tuple[Tensor, ...], Tensor]:
        """The labelled pixels ``indices`` and, in training, some others."""
        (x_BCHW,), targets = self.labelled.batch(indices, generator)
        if generator is None:
            return (x_BCHW,), targets
        own = self.labelled
        rows, columns = self._drawn(generator)
        weak = windows(own.cube, rows, columns, own.patch)
        strong = augment(weak, own.statistics, STRONG, generator)
        if own.augmentation.flips:
            strong = turned(strong, generator)
        marks = torch.tensor([_WEAK] * self.count + [_STRONG] * self.count)[:, None, None]
        x_BCHW = torch.cat([x_BCHW, channels_first(weak), channels_first(strong)])
        return (x_BCHW,), torch.cat([targets, marks])

    def _drawn(self, generator: np.random.Generator) -> tuple[NDArray[np.intp], ...]:
        """Rows and columns of pixels, (count,) each."""
        if self._places is None:
            shape = self.labelled.cube.shape[:2]
            return tuple(generator.integers(n, size=self.count) for n in shape)
        chosen = generator.integers(len(self._places[0]), size=self.count)
        return tuple(places[chosen] for places in self._places)

    @cached_property
    def _places(self) -> tuple[NDArray[np.intp], ...] | None:
        """Rows and columns of the area, listed once for all batches."""
        return None if self.area is None else np.nonzero(self.area)


def consistency_loss(
    logits_BKHW: Tensor,
    targets_BHW: Tensor,
    settings: TransductiveConfig,
    labelled_loss: Loss = F.cross_entropy,
) -> Tensor:
    """Loss of the labelled pixels, and cross-entropy of the others to their own sure guesses."""
    mark = targets_BHW[:, 0, 0]
    labelled = mark >= 0
    loss = labelled_loss(logits_BKHW[labelled], targets_BHW[labelled])
    with torch.no_grad():
        sure, guess = logits_BKHW[mark == _WEAK].softmax(1).max(1)
    each = F.cross_entropy(logits_BKHW[mark == _STRONG], guess, reduction="none")
    return loss + settings.weight * (each * (sure >= settings.confidence)).mean()
