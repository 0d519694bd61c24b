"""Windows of many seconds cut from records, wherever R peaks are."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from toolkit.core.supervised import Indices
from toolkit.ecg import morphology
from toolkit.ecg.regression.analogues import fill_window
from toolkit.ecg.regression.hiding import Hidden
from toolkit.ecg.regression.windows import NEAR_S
from toolkit.ecg.study import Floats


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

    def alike(self, at: Indices, hidden_BT: Hidden) -> Floats:
        guide_BLT = np.zeros((len(at), 1, self._width), np.float32)
        for row, i in enumerate(at):
            signal_LT, first = self._filtered[self._record[i]], int(self._start[i])
            fill_window(guide_BLT[row], signal_LT, first, hidden_BT[row], self.fs_hz)
        return guide_BLT

    def previous(self, at: Indices) -> Floats:
        """The signal one RR interval earlier, which is that of the window before."""
        x_BT = np.stack([self._cut(i, 0) for i in at])
        earlier = np.stack([self._cut(i, self._interval(i)) for i in at])
        centred: Floats = (earlier - np.median(x_BT, axis=1, keepdims=True))[:, None]
        return centred

    def near(self, at: Indices) -> Hidden:
        found = np.zeros((len(at), self._width), bool)
        reach = round(NEAR_S * self.fs_hz)
        for row, i in enumerate(at):
            peaks = self._peaks[self._record[i]] - int(self._start[i])
            for peak in peaks[(peaks >= -reach) & (peaks < self._width + reach)].tolist():
                found[row, max(0, peak - reach) : max(0, peak + reach + 1)] = True
        return found

    def millivolts(self, at: Indices) -> Floats:
        return np.ones((len(at), 1), np.float32)

    @cached_property
    def _filtered(self) -> list[Floats]:
        """(1, samples) of each record, in which like surroundings are sought."""
        return [morphology.in_band(one[None], self.fs_hz) for one in self._signals]

    def _cut(self, i: int, earlier: int) -> Floats:
        signal, start = self._signals[self._record[i]], int(self._start[i]) - earlier
        at = np.clip(np.arange(start, start + self._width), 0, len(signal) - 1)
        cut: Floats = signal[at]
        return cut

    def _interval(self, i: int) -> int:
        """Samples between R peaks before the window: those within may be hidden."""
        peaks, start = self._peaks[self._record[i]], int(self._start[i])
        between = np.diff(peaks[(peaks >= start - self._width) & (peaks < start)])
        return int(np.median(between)) if len(between) else round(0.8 * self.fs_hz)
