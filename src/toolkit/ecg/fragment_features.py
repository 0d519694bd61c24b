"""Beats and rhythm of ten-second fragments in numbers, for the baseline beside the network."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from toolkit.ecg.morphology import in_band
from toolkit.ecg.prediction.detection import detect

Floats = NDArray[np.float64]

_BEAT_S = (-0.3, 0.5)  # around the R peak
_POINTS = 48  # of a beat's shape
_SHARES = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0)
_BANDS_HZ = (0.5, 1.5, 3, 5, 8, 12, 18, 25, 40)


def fragment_features(signal_mv: NDArray[np.float32], fs_hz: float) -> NDArray[np.float32]:
    """Features of each of ``signal_mv`` (n, T): (n, features), NaN where no two beats are found.

    R peaks are detected. Quantiles of intervals and of their changes; the median beat and how
    beats spread around it, heights, widths and likeness to it; power in bands of frequency.
    """
    return np.stack([_features(one, fs_hz) for one in signal_mv]).astype(np.float32)


def _features(x_T: NDArray[np.float32], fs_hz: float) -> Floats:
    at = detect(lambda start, stop: x_T[None, start:stop], len(x_T), fs_hz)
    slow = in_band(x_T[None].astype(float), fs_hz)[0]
    beats = _beats(slow, at, fs_hz)
    return np.concatenate([_rhythm(at / fs_hz), _shape(beats), _spectrum(x_T, fs_hz)])


def _rhythm(time_s: Floats) -> Floats:
    """Beats a second, quantiles of RR in seconds and of |Δ ln RR|, and their spread."""
    if len(time_s) < 3:
        return np.full(3 + 2 * len(_SHARES), np.nan)
    rr = np.diff(time_s)
    change = np.abs(np.diff(np.log(rr)))
    whole = [len(rr) / rr.sum(), rr.std() / rr.mean(), change.mean()]
    return np.concatenate([whole, np.quantile(rr, _SHARES), np.quantile(change, _SHARES)])


def _beats(x_T: Floats, at: NDArray[np.int64], fs_hz: float) -> Floats:
    """Shapes (beats, _POINTS) around those R peaks that have one whole."""
    reach = np.rint(np.linspace(*_BEAT_S, _POINTS) * fs_hz).astype(np.int64)
    inside = at[(at + reach[0] >= 0) & (at + reach[-1] < len(x_T))]
    beats: Floats = x_T[inside[:, None] + reach]
    return beats


def _shape(beats: Floats) -> Floats:
    """Median beat, spread around it, and quantiles of height, width and likeness over beats."""
    if len(beats) < 2:
        return np.full(2 * _POINTS + 3 * len(_SHARES), np.nan)
    median = np.median(beats, axis=0)
    spread = np.abs(beats - median).mean(axis=0)
    half = np.abs(beats).max(axis=1, keepdims=True) / 2
    scale = np.linalg.norm(beats, axis=1) * np.linalg.norm(median) + 1e-9
    of_beats = (np.ptp(beats, axis=1), (np.abs(beats) > half).mean(axis=1), beats @ median / scale)
    quantiles = [np.quantile(values, _SHARES) for values in of_beats]
    return np.concatenate([median, spread, *quantiles])


def _spectrum(x_T: NDArray[np.float32], fs_hz: float) -> Floats:
    """Logarithm of the power in each band, and of that of all bands together."""
    hz, power = signal.welch(x_T - x_T.mean(), fs_hz, nperseg=min(len(x_T), round(4 * fs_hz)))
    edges = np.searchsorted(hz, _BANDS_HZ)
    bands = np.add.reduceat(power, edges)[:-1] + 1e-12
    logarithms: Floats = np.log(np.append(bands / bands.sum(), bands.sum()))
    return logarithms
