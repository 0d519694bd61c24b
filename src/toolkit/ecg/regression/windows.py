"""Windows of which a part is hidden, as examples of the supervised task.

Shapes: N windows, B of them, L leads, T samples. Targets (B, L + 1, T) are the signals, then 1
where a sample is hidden.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor

from toolkit.core import rng
from toolkit.core.supervised import Indices
from toolkit.ecg import morphology
from toolkit.ecg.augmentation import disturbed, random_gain
from toolkit.ecg.beat_examples import BeatSeries
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

    def previous(self, at: Indices) -> Floats | None:
        """The beat before in place of this one, (B, L, T); None if the network sees none."""

    def near(self, at: Indices) -> Hidden:
        """(B, T) within :data:`NEAR_S` of an R peak."""

    def millivolts(self, at: Indices) -> Floats:
        """(B, L) how many mV the signals' unit is."""


class HiddenExamples:
    """``windows`` with parts hidden at random in training, and always the same ones else.

    Hidden samples are bridged for the network, which then predicts what is to be added: by the
    record's ordinary beat, joined to what is seen, or else by straight lines.
    """

    def __init__(
        self, windows: Windows, hiding: HidingConfig, augmentation: AugmentationConfig
    ) -> None:
        self.windows, self.hiding, self.augmentation = windows, hiding, augmentation

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
        guide_BLT = self.windows.ordinary(indices)
        if guide_BLT is not None and gain is not None:
            guide_BLT = guide_BLT * gain.numpy()
        bridged = torch.from_numpy(joined(seen_BLT.numpy(), hidden_BT, guide_BLT))
        inputs = self.windows.inputs(bridged, indices, hidden_BT, gain)
        return (inputs,), torch.cat([x_BLT, hidden_B1T.float()], dim=1)

    def hidden(self, indices: Indices, width: int, generator: Generator | None) -> Hidden:
        """(B, T); without a generator the same for a window whatever it is asked with."""
        settings = width, self.windows.fs_hz, self.hiding
        if generator is not None:
            return hide(len(indices), *settings, generator, self.windows.span)
        own = [rng.generator(0, "hidden", int(i)) for i in indices]
        return np.concatenate([hide(1, *settings, one, self.windows.span) for one in own])


class BeatWindows:
    """Beats around their R peak with what the classifier sees of them: template, beat before.

    The channels are those of :class:`toolkit.ecg.beat_examples.BeatExamples`: through its own
    difference from the template a beat shows the template where it is hidden itself.
    """

    fs_hz = float(morphology.FS_HZ)
    # the beat itself: its neighbours' peaks have windows of their own
    span: tuple[int, int] | None = (
        morphology.BEFORE - round(0.35 * morphology.FS_HZ),
        morphology.BEFORE + round(0.5 * morphology.FS_HZ),
    )

    def __init__(self, parts: Sequence[BeatSeries]) -> None:
        self._beats = torch.from_numpy(np.concatenate([one.beats_BLT[one.at] for one in parts]))
        self._before = torch.from_numpy(np.concatenate([_before(one) for one in parts]))
        self._templates = torch.from_numpy(np.stack([one.template_LT for one in parts]))
        self._owner = np.repeat(np.arange(len(parts)), [len(one) for one in parts])
        self._heights = np.stack([one.height_mv_L for one in parts])
        self._peaks_s = np.concatenate([_neighbours(one.rr_s) for one in parts])

    def __len__(self) -> int:
        return len(self._beats)

    def signals(self, at: Indices) -> Tensor:
        return self._beats[torch.from_numpy(at)]

    def inputs(
        self, seen_BLT: Tensor, at: Indices, hidden_BT: Hidden, gain: Tensor | None = None
    ) -> Tensor:
        template, before = self._templates[self._owner[at]], self._before[torch.from_numpy(at)]
        shown_B1T = torch.from_numpy(self._shown_before(at, hidden_BT))[:, None]
        before = torch.where(shown_B1T, template, before)
        if gain is not None:
            template, before = template * gain, before * gain
        return torch.cat([seen_BLT, seen_BLT - template, before - template], dim=1)

    def ordinary(self, at: Indices) -> Floats:
        found: Floats = self._templates[self._owner[at]].numpy()
        return found

    def previous(self, at: Indices) -> Floats:
        found: Floats = self._before[torch.from_numpy(at)].numpy()
        return found

    def near(self, at: Indices) -> Hidden:
        time_s = (np.arange(morphology.WIDTH) - morphology.BEFORE) / self.fs_hz
        peaks_s = np.concatenate([np.zeros((len(at), 1)), self._peaks_s[at]], axis=1)
        return np.asarray((np.abs(time_s - peaks_s[:, :, None]) <= NEAR_S).any(axis=1))

    def millivolts(self, at: Indices) -> Floats:
        heights: Floats = self._heights[self._owner[at]]
        return heights

    def _shown_before(self, at: Indices, hidden_BT: Hidden) -> Hidden:
        """(B, T) where the window of the beat before shows what is hidden in this one.

        The windows overlap in time when beats come fast. Peaks are known to a sample, hence the
        neighbours of hidden samples too.
        """
        later_B1 = np.round(-self._peaks_s[at, :1] * self.fs_hz)
        later_B1 = np.where(np.isfinite(later_B1), later_B1, morphology.WIDTH)
        source_BT = np.arange(morphology.WIDTH) - later_B1.astype(np.int64)
        found = np.zeros(hidden_BT.shape, bool)
        for near in (-1, 0, 1):
            there = (source_BT + near >= 0) & (source_BT + near < morphology.WIDTH)
            inside = np.clip(source_BT + near, 0, morphology.WIDTH - 1)
            found |= there & np.take_along_axis(hidden_BT, inside, axis=1)
        return found


def _before(part: BeatSeries) -> Floats:
    """(n, L, T) the beat before each; before a record's first beat, its ordinary one."""
    before = part.beats_BLT[np.maximum(part.at - 1, 0)]
    before[part.at == 0] = part.template_LT
    return before


def _neighbours(rr_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, 2) when the R peaks before and after come, in seconds from the beat's own."""
    return np.stack([-rr_s, np.append(rr_s[1:], np.inf)], axis=1)


class RecordWindows:
    """Ten seconds of a record's lead, around their median: (B, 1, T) in mV.

    Args:
        signals_mv: (samples,) of each record.
        peaks: (n,) R peaks of each record as samples.
        record: (N,) which record each window is of.
        start: (N,) its first sample.
        width: samples of a window.
        fs_hz: of all records.
    """

    span: tuple[int, int] | None = None

    def __init__(
        self,
        signals_mv: Sequence[Floats],
        peaks: Sequence[NDArray[np.int64]],
        record: NDArray[np.int64],
        start: NDArray[np.int64],
        width: int,
        fs_hz: float,
    ) -> None:
        self._signals, self._peaks = signals_mv, peaks
        self._record, self._start = record, start
        self._width, self.fs_hz = width, fs_hz

    def __len__(self) -> int:
        return len(self._start)

    def signals(self, at: Indices) -> Tensor:
        x_BT = np.stack([self._cut(i, 0) for i in at])
        return torch.from_numpy(x_BT - np.median(x_BT, axis=1, keepdims=True))[:, None]

    def inputs(
        self, seen_BLT: Tensor, at: Indices, hidden_BT: Hidden, gain: Tensor | None = None
    ) -> Tensor:
        return seen_BLT

    def ordinary(self, at: Indices) -> None:
        return None

    def previous(self, at: Indices) -> Floats:
        """The signal one typical RR interval earlier."""
        x_BT = np.stack([self._cut(i, 0) for i in at])
        earlier = np.stack([self._cut(i, self._interval(i)) for i in at])
        centred: Floats = (earlier - np.median(x_BT, axis=1, keepdims=True))[:, None]
        return centred

    def near(self, at: Indices) -> Hidden:
        found = np.zeros((len(at), self._width), bool)
        reach = round(NEAR_S * self.fs_hz)
        for row, i in enumerate(at):
            for peak in self._inside(i, reach):
                found[row, max(0, peak - reach) : max(0, peak + reach + 1)] = True
        return found

    def millivolts(self, at: Indices) -> Floats:
        return np.ones((len(at), 1), np.float32)

    def _cut(self, i: int, earlier: int) -> Floats:
        signal, start = self._signals[self._record[i]], int(self._start[i]) - earlier
        at = np.clip(np.arange(start, start + self._width), 0, len(signal) - 1)
        cut: Floats = signal[at]
        return cut

    def _inside(self, i: int, reach: int = 0) -> NDArray[np.int64]:
        peaks = self._peaks[self._record[i]] - int(self._start[i])
        inside: NDArray[np.int64] = peaks[(peaks >= -reach) & (peaks < self._width + reach)]
        return inside

    def _interval(self, i: int) -> int:
        between = np.diff(self._inside(i))
        return int(np.median(between)) if len(between) else round(0.8 * self.fs_hz)
