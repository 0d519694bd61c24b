"""R peaks that a gap hides: as many as the rhythm asks for, where the waves around the gap fit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from toolkit.ecg import morphology
from toolkit.ecg.prediction import quality
from toolkit.ecg.prediction.quality import Intervals

Floats = NDArray[np.float32]
Indices = NDArray[np.int64]

_AROUND = 8  # intervals on either side that say what the rhythm is
_LONG = 1.5  # of them: a longer one has lost a beat, if a gap lies in it
_SHIFT = round(0.15 * morphology.FS_HZ)  # how far a guess may be from the rhythm's
_SEEN = slice(  # from the P wave to the beginning of the T wave, which moves with the rate
    morphology.BEFORE - round(0.25 * morphology.FS_HZ),
    morphology.BEFORE + round(0.3 * morphology.FS_HZ),
)


def expected_peaks(at: Indices, short: Intervals, long: Intervals) -> Indices:
    """Where peaks belong in an interval of ``at`` that is long and has a short gap in it.

    They are evenly spread over it, as many as the intervals without a gap nearby ask for. What
    happened in a ``long`` gap is not guessed.
    """
    interval, between = np.diff(at), np.stack([at[:-1], at[1:]], axis=1)
    lost = quality.touched(between, long)
    gapped = quality.touched(between, short) & ~lost
    guessed = [np.empty(0, np.int64)]
    for i in np.flatnonzero(gapped):
        around = slice(max(0, i - _AROUND), i + _AROUND + 1)
        near = interval[around][~(gapped | lost)[around]]
        if len(near) and interval[i] > _LONG * np.median(near):
            count = round(float(interval[i] / np.median(near)))
            guessed.append(np.linspace(at[i], at[i + 1], count + 1)[1:-1].round().astype(np.int64))
    return np.concatenate(guessed)


def fitted(guess: int, x_LT: Floats, template_LT: Floats, hidden_T: NDArray[np.bool_]) -> int:
    """The instant near ``guess`` around which what is seen looks most like the ordinary beat.

    It may be outside of the gap: a peak right beside one is not always detected.

    Args:
        guess: sample of ``x_LT``.
        x_LT: (leads, samples) at 120 Hz, in units of the typical QRS height.
        template_LT: (leads, T) the ordinary beat.
        hidden_T: (samples,) what cannot be read.
    """
    low, high = morphology.BEFORE, x_LT.shape[1] - morphology.AFTER
    possible = range(max(low, guess - _SHIFT), min(high, guess + _SHIFT) + 1)
    costs = [_misfit(at, x_LT, template_LT, hidden_T) for at in possible]
    return possible[int(np.argmin(costs))] if costs else guess


def _misfit(at: int, x_LT: Floats, template_LT: Floats, hidden_T: NDArray[np.bool_]) -> float:
    """Mean squared difference from the ordinary beat where it is seen, whatever the offset."""
    window = slice(at - morphology.BEFORE, at + morphology.AFTER)
    seen = ~hidden_T[window][_SEEN]
    if not seen.any():
        return np.inf
    off = (x_LT[:, window] - template_LT)[:, _SEEN][:, seen]
    return float(np.square(off - off.mean(axis=1, keepdims=True)).mean())
