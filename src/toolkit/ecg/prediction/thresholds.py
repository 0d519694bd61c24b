"""Which peaks of the energy are beats: adaptive thresholds, search back, T waves.

The rules are those of Pan and Tompkins (1985): running estimates of signal and noise peaks, a
threshold between them, a second, lower one where a beat is overdue.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

REFRACTORY_S = 0.2  # after a beat, in which no other can be
_T_WAVE_S = 0.36  # after a beat, in which its T wave lies
_SHARE = 0.3  # the threshold lies this far from noise to signal
_BACK = 0.5  # of the threshold: what search back accepts
_OVERDUE = 1.66  # mean intervals without a beat before one is searched for
_RATE = 0.125  # weight of the newest peak in the running estimates
_T_WAVE = 0.5  # of the QRS before: a lower peak so soon is its T wave


class _Levels:
    """Running estimates of the height of signal and noise peaks and of the interval."""

    def __init__(self) -> None:
        self.signal, self.noise, self.rr_s = 1.0, 0.1, 0.8

    @property
    def threshold(self) -> float:
        """What a peak must exceed."""
        return self.noise + _SHARE * (self.signal - self.noise)

    def beat(self, height: float, rr_s: float, weight: float = _RATE) -> None:
        """Learn from a peak that is a beat."""
        self.signal += weight * (min(height, 2 * self.signal) - self.signal)
        if rr_s < 2.5:
            self.rr_s += _RATE * (rr_s - self.rr_s)

    def other(self, height: float) -> None:
        """Learn from a peak that is none."""
        self.noise += _RATE * (min(height, self.signal) - self.noise)


def accepted(time_s: NDArray[np.float64], height: NDArray[np.float64]) -> NDArray[np.int64]:
    """Rows of the candidates that are beats, ascending.

    Args:
        time_s: (n,) ascending times of the candidates.
        height: (n,) their heights, a typical QRS being 1.
    """
    times, heights, levels = time_s.tolist(), height.tolist(), _Levels()
    beats: list[int] = []
    for row in range(len(times)):
        since = times[row] - times[beats[-1]] if beats else 10.0
        if since < REFRACTORY_S:
            if heights[row] > heights[beats[-1]]:
                beats[-1] = row
            continue
        soon = since < _T_WAVE_S and heights[row] < _T_WAVE * heights[beats[-1]]
        if heights[row] <= levels.threshold or soon:
            levels.other(heights[row])
            continue
        if beats:
            _search_back(times, heights, beats, row, levels)
            since = times[row] - times[beats[-1]]
        levels.beat(heights[row], since)
        beats.append(row)
    return np.array(beats, np.int64)


def _search_back(
    times: list[float], heights: list[float], beats: list[int], row: int, levels: _Levels
) -> None:
    """Add the highest peaks of overdue stretches before ``row`` to ``beats``."""
    while times[row] - times[last := beats[-1]] > _OVERDUE * levels.rr_s:
        between = [
            i
            for i in range(last + 1, row)
            if times[i] - times[last] > _T_WAVE_S and times[row] - times[i] > REFRACTORY_S
        ]
        best = max(between, key=heights.__getitem__, default=last)
        if best == last or heights[best] < _BACK * levels.threshold:
            return
        levels.beat(heights[best], times[best] - times[last], 2 * _RATE)
        beats.append(best)
