"""Rhythm around each beat, in ratios that mean the same in every record.

All features are logarithms of RR ratios or shares: absolute seconds do not carry over to other
patients. The reference is the record's *mean* interval and a high quantile, not its median: where
most beats are premature (MIT-BIH 232) the median takes the ectopic interval for the normal one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_SHORTEST_S, _LONGEST_S = 0.2, 3.0
_BIG, _SMALL = 0.15, 0.04  # changes of log RR between neighbours
FEATURES = 28


def intervals(time_s: NDArray[np.float64]) -> Floats:
    """Interval before each beat in seconds, (n,); the first beat takes its successor's."""
    if len(time_s) < 2:
        return np.full(len(time_s), 0.8)
    rr_s = np.diff(time_s, prepend=time_s[0])
    rr_s[0] = rr_s[1]
    return rr_s


def rhythm_features(rr_s: Floats) -> NDArray[np.float32]:
    """Features of every beat from the intervals before all beats of its record.

    Args:
        rr_s: (n,) interval before each beat in seconds, in order of time.

    Returns:
        (n, FEATURES): ratios of neighbouring intervals to mean, local mean and high quantile, to
        one another, irregularity near the beat, then the record's own rhythm (its spread, its
        shares of abrupt and of steady changes, its two typical intervals).
    """
    rr = np.clip(rr_s, _SHORTEST_S, _LONGEST_S)
    mean, near = rr.mean(), _moving_mean(rr, 20, 20)
    recent, high = _moving_mean(rr, 40, 0), _moving_quantile(rr, 60, 0.9)
    before, before2, before3 = (_neighbour(rr, -k) for k in (1, 2, 3))
    after, after2 = _neighbour(rr, 1), _neighbour(rr, 2)
    change = np.abs(np.diff(np.log(rr), prepend=np.log(rr[0])))
    abrupt, steady = (change > _BIG).astype(float), (change < _SMALL).astype(float)
    ratios = [
        *(x / mean for x in (rr, after, before, before2, after2)),
        *(x / near for x in (rr, after, before)),
        rr / recent,
        *(x / high for x in (rr, after, before, after2)),
        rr / after,
        rr / before,
        (rr + after) / (2 * mean),
        rr / np.maximum(np.maximum(before, before2), before3),
        near / mean,
        high / mean,
    ]
    local = [
        _moving_mean(change, 10, 10),
        _moving_mean(abrupt, 20, 20),
        _moving_mean(steady, 20, 20),
    ]
    relative = np.log(rr / mean)
    whole = [relative.std(), abrupt.mean(), steady.mean(), *_two_means(relative)]
    columns = [*np.log(ratios), *local, *(np.full(len(rr), value) for value in whole)]
    return np.stack(columns, axis=1).astype(np.float32)


def _neighbour(values: Floats, distance: int) -> Floats:
    last = len(values) - 1
    return values[np.clip(np.arange(len(values)) + distance, 0, last)]


def _moving_mean(values: Floats, before: int, after: int) -> Floats:
    """Mean over ``before`` earlier and ``after`` later values, fewer at the ends."""
    total = np.concatenate([[0.0], np.cumsum(values)])
    position = np.arange(len(values))
    low, high = np.maximum(position - before, 0), np.minimum(position + after + 1, len(values))
    mean: Floats = (total[high] - total[low]) / (high - low)
    return mean


def _moving_quantile(values: Floats, half: int, share: float) -> Floats:
    """Quantile over ``half`` values to either side; the ends repeat the first and last window."""
    if len(values) < 2 * half + 1:
        return np.full(len(values), np.quantile(values, share))
    views = np.lib.stride_tricks.sliding_window_view(values, 2 * half + 1)
    inner: Floats = np.quantile(views, share, axis=1)
    return np.pad(inner, half, mode="edge")


def _two_means(values: Floats, rounds: int = 20) -> tuple[float, float, float]:
    """Centres of two groups of values and the share of the higher one (Lloyd's algorithm)."""
    low, high = np.quantile(values, [0.1, 0.9])
    is_high = np.zeros(len(values), bool)
    for _ in range(rounds):
        is_high = np.abs(values - high) < np.abs(values - low)
        low = values[~is_high].mean() if not is_high.all() else low
        high = values[is_high].mean() if is_high.any() else high
    return float(low), float(high), float(is_high.mean())
