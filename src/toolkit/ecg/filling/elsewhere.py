"""Gaps filled by what stood elsewhere in the recording in surroundings like theirs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from toolkit.ecg import morphology
from toolkit.ecg.prediction.readable import Readable
from toolkit.ecg.regression.analogues import REACH_S, analogue, within_reach

_MARGIN_S = REACH_S + 5.0  # filters settle in that
_AWAY = 0.5  # a lead that cannot be read for more than this share says nothing of the others


class Elsewhere:
    """A piece of the recording with what is around it, between 0.5 and 40 Hz at its own rate.

    Args:
        signal: the leads that are looked at.
        low: first sample of the piece; ``high`` is the one after its last.
    """

    def __init__(self, signal: Readable, low: int, high: int) -> None:
        margin = round(_MARGIN_S * signal.fs_hz)
        self._low, high = max(0, low - margin), min(signal.n_samples, high + margin)
        names = tuple(f"part {i}" for i in range(len(signal.columns)))
        read_LT = signal.piece(self._low, high, names).millivolts(names)
        x_LT = morphology.in_band(read_LT, signal.fs_hz)
        self._scale_L = x_LT.std(axis=1) + np.float32(1e-3)  # leads weigh the same
        self._x_LT = x_LT / self._scale_L[:, None]
        self._hidden_LT = np.zeros(x_LT.shape, bool)
        for lead, found in enumerate(signal.unreadable):
            for start, stop in np.clip(found.all - self._low, 0, high - self._low).tolist():
                self._hidden_LT[lead, start:stop] = True
        self._of_use_L = self._hidden_LT.mean(axis=1) < _AWAY
        self._signal = signal

    def fill(self, adu: NDArray[np.integer], lead: int, start: int, stop: int) -> bool:
        """Fill a gap of ``lead`` in ``adu``, the samples of the whole recording.

        False where nothing like it is near.
        """
        of_use, fs_hz = self._of_use_L.copy(), self._signal.fs_hz
        of_use[lead] = True
        start_here, stop_here = start - self._low, stop - self._low
        low, high = within_reach(start_here, stop_here, self._x_LT.shape[1], fs_hz)
        x_LT, hidden_LT = (x[:, low:high][of_use] for x in (self._x_LT, self._hidden_LT))
        found_LT = analogue(x_LT, start_here - low, stop_here - low, hidden_LT, fs_hz)
        own = int(of_use[:lead].sum())
        if found_LT is not None:
            joins(adu, self._signal, lead, start, found_LT[own] * self._scale_L[lead])
        return found_LT is not None


def joins(
    adu: NDArray[np.integer],
    signal: Readable,
    lead: int,
    start: int,
    guide_mv: NDArray[np.floating],
) -> None:
    """Put ``guide_mv``, of a gap and a sample on either side, between what was recorded."""
    column, stop = signal.columns[lead], start + len(guide_mv) - 2
    where, ends = np.arange(start - 1, stop + 1), [start - 1, stop]
    guide = guide_mv * signal.record.adu_per_mv(column)
    made = guide + np.interp(where, ends, adu[ends, column] - guide[[0, -1]])
    limits = np.iinfo(adu.dtype)
    adu[start:stop, column] = np.clip(np.rint(made[1:-1]), limits.min + 1, limits.max)
