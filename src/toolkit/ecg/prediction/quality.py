"""Where a lead cannot be read: missing, flat or saturated samples. They are marked, not guessed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from toolkit.ecg.formats import Signal

Intervals = NDArray[np.int64]
"""(n, 2): first sample and the one after the last, ascending, apart from one another."""

FLAT_S = 1.0  # without any change: no electrode is so quiet
SATURATED_S, SATURATED_MV = 0.15, 1.0  # at the record's extreme, so far from its middle
BRIDGED_S = 0.02  # a shorter gap is interpolated
_BLOCK = 1 << 20


@dataclass(frozen=True, eq=False)
class Unreadable:
    """Stretches of one lead by their cause."""

    missing: Intervals
    flat: Intervals
    saturated: Intervals

    @property
    def all(self) -> Intervals:
        """All stretches, joined where they touch."""
        return union(self.missing, self.flat, self.saturated)


def unreadable(adu: Signal, fs_hz: float, adu_per_mv: float) -> Unreadable:
    """The unreadable stretches of one lead.

    Args:
        adu: (n,) samples; the smallest value of the type marks a missing one.
        fs_hz: sampling frequency.
        adu_per_mv: the lead's gain.
    """
    mark = np.iinfo(adu.dtype).min
    low, high, middle = _extremes(adu, mark)
    far = [value for value in (low, high) if abs(value - middle) > SATURATED_MV * abs(adu_per_mv)]
    runs = _runs(adu, max(2, round(SATURATED_S * fs_hz)))
    value, length = adu[runs[:, 0]], runs[:, 1] - runs[:, 0]
    flat = (length >= FLAT_S * fs_hz) & (value != mark)
    saturated = np.isin(value, far) & ~flat & (value != mark)
    missing = _where_missing(adu, mark)
    long = missing[:, 1] - missing[:, 0] > BRIDGED_S * fs_hz
    return Unreadable(missing[long], runs[flat], runs[saturated])


def _extremes(adu: Signal, mark: int) -> tuple[int, int, int]:
    """Lowest, highest and about the median of the samples that are there."""
    blocks = (adu[i : i + _BLOCK] for i in range(0, len(adu), _BLOCK))
    some = [block[block != mark] for block in blocks]
    some = [block for block in some if len(block)]
    if not some:
        return 0, 0, 0
    middle = np.median(np.concatenate([block[::64] for block in some]))
    return min(int(b.min()) for b in some), max(int(b.max()) for b in some), int(middle)


def _runs(adu: Signal, least: int) -> Intervals:
    """Runs of ``least`` or more equal samples."""
    parts = []
    for start in range(0, len(adu), _BLOCK):
        block = adu[start : start + _BLOCK + least]  # a run across the end shows in one of both
        edges = np.flatnonzero(np.diff(block)) + 1
        bounds = np.concatenate([[0], edges, [len(block)]])
        long = np.diff(bounds) >= least
        parts.append(start + np.stack([bounds[:-1][long], bounds[1:][long]], axis=1))
    return _joined(np.concatenate(parts), adu) if parts else np.empty((0, 2), np.int64)


def _joined(runs: Intervals, adu: Signal) -> Intervals:
    """Runs that overlap are one; neighbours of other values stay apart."""
    if len(runs) < 2:
        return runs
    new = np.append(True, runs[1:, 0] >= np.maximum.accumulate(runs[:, 1])[:-1])
    new[1:] |= adu[runs[1:, 0]] != adu[runs[:-1, 0]]
    first = np.flatnonzero(new)
    return np.stack([runs[first, 0], np.maximum.reduceat(runs[:, 1], first)], axis=1)


def _where_missing(adu: Signal, mark: int) -> Intervals:
    blocks = range(0, len(adu), _BLOCK)
    at = [start + np.flatnonzero(adu[start : start + _BLOCK] == mark) for start in blocks]
    return intervals_of(np.concatenate(at)) if at else np.empty((0, 2), np.int64)


def intervals_of(samples: NDArray[np.int64]) -> Intervals:
    """Ascending sample indices as intervals."""
    if not len(samples):
        return np.empty((0, 2), np.int64)
    breaks = np.flatnonzero(np.diff(samples) > 1)
    first = samples[np.append(0, breaks + 1)]
    last = samples[np.append(breaks, len(samples) - 1)]
    return np.stack([first, last + 1], axis=1)


def union(*sets: Intervals) -> Intervals:
    """Intervals that cover what any of ``sets`` covers."""
    every = np.concatenate(sets)
    every = every[np.argsort(every[:, 0], kind="stable")]
    if not len(every):
        return every
    reach = np.maximum.accumulate(every[:, 1])
    first = np.flatnonzero(np.append(True, every[1:, 0] > reach[:-1]))
    return np.stack([every[first, 0], np.maximum.reduceat(every[:, 1], first)], axis=1)


def common(a: Intervals, b: Intervals) -> Intervals:
    """Intervals that both cover."""
    edges = np.unique(np.concatenate([a.ravel(), b.ravel()]))
    inner = np.stack([edges[:-1], edges[1:]], axis=1) if len(edges) else np.empty((0, 2), np.int64)
    return union(inner[touched(inner, a) & touched(inner, b)])


def touched(spans: Intervals, intervals: Intervals) -> NDArray[np.bool_]:
    """Which of ``spans`` share a sample with any of the ``intervals``, (n,)."""
    if not len(intervals):
        return np.zeros(len(spans), bool)
    begun = np.searchsorted(intervals[:, 0], spans[:, 1])  # intervals that start before the end
    ended = np.searchsorted(intervals[:, 1], spans[:, 0], side="right")
    met: NDArray[np.bool_] = begun > ended
    return met


def length(intervals: Intervals) -> int:
    """Samples that the intervals cover."""
    return int((intervals[:, 1] - intervals[:, 0]).sum())
