"""The rate that a column of times gives."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from toolkit.core.errors import DataError

_LEAST_HZ = 20  # slower times are taken for those of the next smaller unit
_UNITS: Mapping[str, tuple[int, re.Pattern[str]]] = {
    name: (per_second, re.compile(rf"(?<![a-z0-9])({words})(?![a-z0-9])", re.IGNORECASE))
    for name, per_second, words in (
        ("milliseconds", 10**3, "ms|msecs?|milliseconds?|millis"),
        ("microseconds", 10**6, "[uµμ]s|usecs?|microseconds?|micros"),
        ("nanoseconds", 10**9, "ns|nsecs?|nanoseconds?|nanos"),
    )
}


class Clock:
    """Follows a column of times and finds its rate."""

    def __init__(self, path: Path) -> None:
        self._path, self._n, self._first, self._last = path, 0, 0.0, 0.0
        self._shortest, self._longest = np.inf, -np.inf

    def take(self, times: NDArray[np.float64]) -> None:
        """The next times of the column."""
        steps = np.diff(times, prepend=self._last) if self._n else np.diff(times)
        self._first = self._first if self._n else float(times[0])
        self._last, self._n = float(times[-1]), self._n + len(times)
        if len(steps):
            self._shortest = min(self._shortest, float(np.nan_to_num(steps, nan=-1).min()))
            self._longest = max(self._longest, float(steps.max()))

    def rate(self, title: str) -> tuple[float | None, str]:
        """Samples a second, None where the column only numbers the samples; and a remark.

        Args:
            title: name and unit of the column, as far as the file says them.

        Raises:
            DataError: the times do not rise, or have a gap.
        """
        if self._n < 2 or self._shortest <= 0:
            raise self._refused("has times that do not rise", "give rows of numbers in order")
        step = (self._last - self._first) / (self._n - 1)
        if self._longest > 2.5 * step:
            gap = f"has a step of {self._longest:g} in its times, usually {step:g}"
            raise self._refused(gap, "fill the gap with empty cells")
        said = [unit for unit, (_, words) in _UNITS.items() if words.search(title)]
        if not said and step == 1:  # no ECG has 1 Hz, few have 1000
            return None, f"column {title.strip() or 1} numbers the samples"
        unit, per_second = _unit(step, said)
        fs_hz = per_second / step
        whole = round(fs_hz)
        fs_hz = float(whole) if whole and abs(fs_hz / whole - 1) < 1e-3 else fs_hz
        return fs_hz, f"times in {unit} give {fs_hz:g} Hz"

    def _refused(self, why: str, hint: str) -> DataError:
        return DataError(f"{self._path.name} {why}", where=str(self._path), hint=hint)


def _unit(step: float, said: list[str]) -> tuple[str, int]:
    """The unit of times ``step`` apart, and how many of it a second has.

    Where none is said, or what goes for seconds too, the largest that gives the rate of an ECG.
    """
    if said:
        return said[0], _UNITS[said[0]][0]
    known = {"seconds": 1, **{unit: per_second for unit, (per_second, _) in _UNITS.items()}}
    fitting = (unit for unit, per_second in known.items() if per_second / step >= _LEAST_HZ)
    unit = next(fitting, "nanoseconds")
    return unit, known[unit]
