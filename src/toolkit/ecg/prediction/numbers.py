"""Numbers as 16-bit samples with a gain of their own, finer than any converter's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.ecg.prediction.leads import distinct
from toolkit.ecg.records import Record

MOST_MV = 60.0  # from the lowest to the highest of nearly all samples
_HALF_RANGE, _FINEST = 32_000, 10_000.0  # of the 16-bit samples; adu per mV
_FAR = 100  # times the middle half of the samples


def from_numbers(
    name: str, values: NDArray[Any], fs_hz: float, leads: Sequence[str], scale: float = 1.0
) -> tuple[Record, tuple[str, ...]]:
    """A record of 16-bit samples from numbers, and what was noticed.

    Args:
        name: of the record.
        values: (n, leads); NaN, infinity and what no electrode gives are missing samples.
        fs_hz: sampling frequency.
        leads: names, ``""`` for unnamed; may be empty.
        scale: mV for each unit of ``values``.
    """
    n = values.shape[1]
    adu = np.empty(values.shape, np.int16)
    gains, baselines, notes = [], [], []
    names = distinct(leads or [""] * n)
    for column in range(n):
        with np.errstate(over="ignore"):  # too large is as good as infinite
            millivolts = np.asarray(values[:, column], np.float32) * np.float32(scale)
        known = np.isfinite(millivolts)
        far = _far(millivolts, known)
        if count := int(far.sum()):
            whose = f"{count} samples of lead {names[column]}"
            notes.append(f"{whose} lie too far from the others to be an ECG: taken as missing")
            known &= ~far
        adu[:, column], gain, baseline = _converted(millivolts, known)
        gains.append(gain)
        baselines.append(baseline)
    record = Record(
        name=name,
        fs_hz=fs_hz,
        leads=names,
        units=("mV",) * n,
        gain=tuple(gains),
        baseline=tuple(baselines),
        signal_adu=adu,
    )
    return record, tuple(notes)


def _far(millivolts: NDArray[np.float32], known: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Samples that stand for a missing one, such as 9999, or would cost the others their detail."""
    values = millivolts[known]
    low, high = _range(values)
    if high - low <= MOST_MV:
        return np.zeros(len(millivolts), bool)
    some = values[:: max(1, len(values) // 100_000)]
    first, middle, third = np.quantile(some.astype(np.float64), (0.25, 0.5, 0.75))
    reach = max(MOST_MV, _FAR * (third - first))
    far: NDArray[np.bool_] = known & (np.abs(millivolts.astype(np.float64) - middle) > reach)
    return far


def _converted(
    millivolts: NDArray[np.float32], known: NDArray[np.bool_]
) -> tuple[NDArray[np.float32], float, int]:
    """Samples as whole numbers, with the gain and baseline that use the whole range."""
    low, high = _range(millivolts[known])
    gain = min(_FINEST, _HALF_RANGE / max((high - low) / 2, 1e-6))
    baseline = -round((low + high) / 2 * gain)
    with np.errstate(invalid="ignore", over="ignore"):
        stored = np.rint(millivolts * np.float32(gain) + np.float32(baseline))
    stored[~known] = np.iinfo(np.int16).min
    return stored, gain, baseline


def _range(values: NDArray[np.float32]) -> tuple[float, float]:
    return (float(values.min()), float(values.max())) if len(values) else (0.0, 0.0)
