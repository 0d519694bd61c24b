"""Windows of which a part is hidden, as examples of the supervised task.

Shapes: N windows, B of them, L leads, T samples. Targets (B, L + 1, T) are the signals, then 1
where a sample is hidden.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor

from toolkit.core import rng
from toolkit.core.supervised import Indices
from toolkit.ecg.augmentation import disturbed, random_gain
from toolkit.ecg.config import AugmentationConfig, HidingConfig
from toolkit.ecg.regression.hiding import Hidden, hide
from toolkit.ecg.regression.predictors import joined
from toolkit.ecg.study import Floats

NEAR_S = 0.06  # around an R peak: where QRS complexes are


class Windows(Protocol):
    """Signals of which parts can be hidden.

    Attributes:
        fs_hz: of the windows.
        span: samples among which gaps lie; None for all.
    """

    fs_hz: float
    span: tuple[int, int] | None

    def __len__(self) -> int: ...

    def signals(self, at: Indices) -> Tensor:
        """(B, L, T)."""

    def inputs(
        self, seen_BLT: Tensor, at: Indices, hidden_BT: Hidden, gain: Tensor | None = None
    ) -> Tensor:
        """What the encoder gets (B, channels, T), the signals ``seen_BLT`` first.

        Nothing of what ``hidden_BT`` hides may show in the other channels. ``gain`` (B, 1, 1) is
        what the signals were multiplied by.
        """

    def ordinary(self, at: Indices) -> Floats | None:
        """What such windows of the record mostly look like, (B, L, T); None if unknown."""

    def alike(self, at: Indices, hidden_BT: Hidden) -> Floats:
        """What stands elsewhere in the record in surroundings like those of each gap, (B, L, T).

        With a sample on either side of the gaps; elsewhere anything.
        """

    def previous(self, at: Indices) -> Floats | None:
        """The beat before in place of this one, (B, L, T); None if the network sees none."""

    def near(self, at: Indices) -> Hidden:
        """(B, T) within :data:`NEAR_S` of an R peak."""

    def millivolts(self, at: Indices) -> Floats:
        """(B, L) how many mV the signals' unit is."""


class HiddenExamples:
    """``windows`` with parts hidden at random in training, and always the same ones else.

    Hidden samples are bridged for the network, which then predicts what is to be added: by the
    record's ordinary beat or what stands elsewhere in like surroundings, joined to what is seen,
    or else by straight lines. Gaps with like surroundings are always the same ones: seeking takes
    longer than learning.
    """

    def __init__(
        self, windows: Windows, hiding: HidingConfig, augmentation: AugmentationConfig
    ) -> None:
        self.windows, self.hiding, self.augmentation = windows, hiding, augmentation
        self._guides: dict[int, Floats] = {}

    def __len__(self) -> int:
        return len(self.windows)

    def batch(
        self, indices: Indices, generator: Generator | None
    ) -> tuple[tuple[Tensor, ...], Tensor]:
        """Inputs with hidden parts and targets; disturbed when a generator is given."""
        x_BLT, gain = self.windows.signals(indices), None
        if generator is not None:
            gain = random_gain(len(x_BLT), self.augmentation, generator)
            x_BLT = x_BLT * gain
        hidden_BT = self.hidden(indices, x_BLT.shape[-1], generator)
        hidden_B1T = torch.from_numpy(hidden_BT)[:, None]
        seen_BLT = x_BLT
        if generator is not None:  # what is asked for is free of the noise that is added
            seen_BLT = disturbed(x_BLT, self.windows.fs_hz, self.augmentation, generator)
        guide_BLT = self.guide(indices, hidden_BT)
        if guide_BLT is not None and gain is not None:
            guide_BLT = guide_BLT * gain.numpy()
        bridged = torch.from_numpy(joined(seen_BLT.numpy(), hidden_BT, guide_BLT))
        inputs = self.windows.inputs(bridged, indices, hidden_BT, gain)
        return (inputs,), torch.cat([x_BLT, hidden_B1T.float()], dim=1)

    def guide(self, indices: Indices, hidden_BT: Hidden) -> Floats | None:
        """(B, L, T) what hidden samples are bridged by, but for an offset; None for lines."""
        if not self.hiding.is_alike:
            return self.windows.ordinary(indices)
        new = np.array([row for row, i in enumerate(indices) if i not in self._guides], np.int64)
        if len(new):
            found = self.windows.alike(indices[new], hidden_BT[new])
            self._guides |= zip(indices[new].tolist(), found)
        return np.stack([self._guides[i] for i in indices.tolist()])

    def hidden(self, indices: Indices, width: int, generator: Generator | None) -> Hidden:
        """(B, T); without a generator the same for a window whatever it is asked with."""
        settings = width, self.windows.fs_hz, self.hiding
        if generator is not None and not self.hiding.is_alike:
            return hide(len(indices), *settings, generator, self.windows.span)
        own = [rng.generator(0, "hidden", int(i)) for i in indices]
        return np.concatenate([hide(1, *settings, one, self.windows.span) for one in own])
