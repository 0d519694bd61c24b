"""What an annotation file says to EC57: beats and their classes, flutter, shutdown.

bxb(1) in the WFDB Applications Guide defines shutdown; ``ecgmap.h`` of the WFDB library maps codes.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from toolkit.ecg.annotations import Annotations
from toolkit.ecg.beats import CLASSES, SYMBOLS_OF_CLASS

Samples = NDArray[np.int64]

MATCH_WINDOW_S = 0.15
_UNREADABLE = 0b110000  # subtype of a signal quality change: both signals unreadable
_CLASS_OF_SYMBOL = {
    symbol: CLASSES.index(name) for name in CLASSES for symbol in SYMBOLS_OF_CLASS[name]
}
# WFDB maps escapes of any supraventricular origin to normal. A flutter wave is a beat to it and
# ventricular; flutter waves lie in flutter, which is left out, but for those marked wrongly.
_CLASS_OF_SYMBOL |= {"n": CLASSES.index("N"), "!": CLASSES.index("V")}


@dataclass(frozen=True, eq=False)
class BeatLabels:
    """The beats of one annotator that EC57 compares, in time order; arrays have length n.

    Attributes:
        sample: int64, sample index of each beat.
        label: int8, AAMI class id, an index into :data:`toolkit.ecg.beats.CLASSES`.
        after_flutter: whether flutter lies between the beat and the one before.
        shutdown: (k, 2) first sample of each shutdown and the one after its last, in order.
    """

    sample: Samples
    label: NDArray[np.int8]
    after_flutter: NDArray[np.bool_]
    shutdown: Samples

    def within(self, start: int, stop: int) -> BeatLabels:
        """The part from sample ``start`` up to, not including, ``stop``."""
        rows = (self.sample >= start) & (self.sample < stop)
        shutdown = np.clip(self.shutdown, start, stop)
        shutdown = shutdown[shutdown[:, 0] < shutdown[:, 1]]
        return BeatLabels(self.sample[rows], self.label[rows], self.after_flutter[rows], shutdown)


def match_window(fs_hz: float) -> int:
    """150 ms in samples, to the nearest one."""
    return int(MATCH_WINDOW_S * fs_hz + 0.5)


def of_beats(sample: Samples, label: NDArray[np.integer]) -> BeatLabels:
    """Beats without flutter or shutdown, such as a model's; samples and AAMI class ids, (n,)."""
    order = np.argsort(sample, kind="stable")
    never = np.zeros(len(sample), bool)
    return BeatLabels(
        np.asarray(sample, np.int64)[order],
        label[order].astype(np.int8),
        never,
        np.zeros((0, 2), np.int64),
    )


def of_annotations(annotations: Annotations, fs_hz: float) -> BeatLabels:
    """The beats of an annotation file, those in ventricular flutter left out."""
    symbols = annotations.symbol.tolist()
    label = np.array([_CLASS_OF_SYMBOL.get(symbol, -1) for symbol in symbols], np.int8)
    in_flutter, onsets = _flutter(symbols)
    every = annotations.sample[label >= 0]
    kept = (label >= 0) & ~in_flutter
    seen = onsets[kept]
    after = np.diff(seen, prepend=seen[:1]) > 0
    shutdown = _shutdown(annotations, every, match_window(fs_hz))
    return BeatLabels(annotations.sample[kept], label[kept], after, shutdown)


def _flutter(symbols: list[str]) -> tuple[NDArray[np.bool_], Samples]:
    """For each annotation: whether it lies in flutter, and the onsets of flutter so far."""
    onset = np.array([symbol == "[" for symbol in symbols], bool)
    end = np.array([symbol == "]" for symbol in symbols], bool)
    at = np.arange(len(symbols))
    last_onset = np.maximum.accumulate(np.where(onset, at, -1))
    last_end = np.maximum.accumulate(np.where(end, at, -1))
    return last_onset > last_end, np.cumsum(onset)


def _shutdown(annotations: Annotations, beats: Samples, window: int) -> Samples:
    """Intervals of shutdown: from a mark to the resumption, or about a mark without one.

    A mark whose next change of signal quality is no resumption stands alone, as in AHA's files:
    shutdown reaches from 150 ms after the beat before it to 150 ms before the beat after it.
    """
    rows = np.flatnonzero(annotations.symbol == "~")
    marks = [
        (int(annotations.sample[row]), (int(annotations.subtype[row]) & _UNREADABLE) == _UNREADABLE)
        for row in rows
    ]
    never = np.iinfo(np.int64).max
    found = []
    for (sample, is_shutdown), (following, is_next_shutdown) in pairwise([*marks, (never, True)]):
        if is_shutdown:
            paired = (sample, following)
            found.append(_alone(sample, beats, window) if is_next_shutdown else paired)
    return _union(found)


def _alone(mark: int, beats: Samples, window: int) -> tuple[int, int]:
    before, after = np.searchsorted(beats, mark), np.searchsorted(beats, mark, side="right")
    start = int(beats[before - 1]) + window if before else 0
    stop = int(beats[after]) - window if after < len(beats) else np.iinfo(np.int64).max
    return start, stop


def _union(intervals: list[tuple[int, int]]) -> Samples:
    """The same time in intervals that neither overlap nor are empty."""
    found: list[tuple[int, int]] = []
    for start, stop in sorted(intervals):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(stop, found[-1][1]))
        elif start < stop:
            found.append((start, stop))
    return np.array(found, np.int64).reshape(-1, 2)
