"""R peaks of one or more leads: a slope-energy detector with adaptive thresholds.

After Pan and Tompkins (IEEE Trans. Biomed. Eng. 32, 1985): the energy of the slope in the QRS
band, peaks kept by thresholds that follow signal and noise, a search back where a beat is
overdue, and a check against T waves. Three things differ. The slope is that of the signal under
a Gaussian, as in the wavelet detector of Martínez et al. (IEEE Trans. Biomed. Eng. 51, 2004);
each lead is scaled by its own recent QRS and weighted by how far its peaks stand out, so that all
leads vote; and the energy has no sign, so that polarity does not matter.

The filters reach a few seconds and lie on an absolute grid: blocks of any size, read with that
margin, give the same candidates to the bit. Only candidates are kept of a day, never its signal.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, signal

from toolkit.ecg.prediction.thresholds import REFRACTORY_S, accepted

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]
Reader = Callable[[int, int], NDArray[np.float32]]
"""Samples ``start`` to ``stop`` of all leads: (leads, stop − start) mV, NaN = unreadable."""

FS_HZ = 120  # of the energy
_SLOPE, _SPREAD = FS_HZ / 120, 0.035 * FS_HZ  # deviations of derivative and of smoothing
_APART = 0.1 * FS_HZ  # a candidate is the highest point this far to either side
_BIN = FS_HZ  # one second
_NEAR = 7  # bins to either side that the level is taken from
_QUANTILE = 0.4  # of their highest points: many may be of larger ectopic beats, some hold none
_POWER = 0.35  # of the mean over leads: below 1, noise in one lead alone counts less
_MARGIN = (_NEAR + 2) * _BIN
_GAP = 0.3 * FS_HZ  # filters reach less far from an unreadable sample
_FLOOR_MV = 0.02  # a lead with less slope than this has no QRS
_LOWEST = 0.05  # of a typical QRS: lower peaks are no candidates


@dataclass(frozen=True)
class Candidates:
    """Peaks of the energy in order of time: native sample, and height (a typical QRS = 1)."""

    sample: Indices
    height: Floats


def detect(read: Reader, n_samples: int, fs_hz: float, *, block_s: float = 600.0) -> Indices:
    """Sample indices of the R peaks, (n,), ascending.

    Args:
        read: gives any stretch of the signal; the first that can be read places a peak.
        n_samples: of the whole signal.
        fs_hz: its sampling frequency.
        block_s: seconds read at once; without influence on the result.
    """
    found = candidates(read, n_samples, fs_hz, block_s)
    at = found.sample[accepted(found.sample / fs_hz, found.height)]
    return _r_peaks(read, at, n_samples, fs_hz, block_s)


def candidates(read: Reader, n_samples: int, fs_hz: float, block_s: float) -> Candidates:
    """All peaks of the energy that could be a QRS."""
    ratio = Fraction(FS_HZ / fs_hz).limit_denominator(1000)
    unit = math.lcm(_BIN, ratio.numerator)  # starts on the grid of bins, at a native sample
    total = math.ceil(n_samples * ratio)
    hop = unit * min(max(1, round(block_s * FS_HZ / unit)), math.ceil(total / unit))
    margin = unit * math.ceil(_MARGIN / unit)
    samples, heights = [np.empty(0, np.int64)], [np.empty(0)]
    for start in range(0, total, hop):
        energy_T = _energy(read, n_samples, ratio, start - margin, start + hop + margin)
        at = _peaks(energy_T)
        at = at[(at >= margin) & (at < margin + hop) & (at + start - margin < total)]
        heights.append(energy_T[at])
        samples.append(np.rint((at + start - margin) / float(ratio)).astype(np.int64))
    sample = np.minimum(np.concatenate(samples), n_samples - 1)
    return Candidates(sample, np.concatenate(heights))


def _energy(read: Reader, n_samples: int, ratio: Fraction, start: int, stop: int) -> Floats:
    """Energy of samples ``start`` to ``stop`` at :data:`FS_HZ`, all leads joined."""
    first, last = int(start / ratio), int(stop / ratio)
    x_LT = read(max(first, 0), min(last, n_samples)).astype(np.float64)
    ends = (max(-first, 0), max(last - n_samples, 0))
    x_LT = np.pad(x_LT, ((0, 0), ends), mode="edge")
    joined, total = np.zeros(stop - start), np.zeros(stop - start)
    for x_T in x_LT:
        missing = ~np.isfinite(x_T)
        even = signal.resample_poly(np.where(missing, 0, x_T), ratio.numerator, ratio.denominator)
        slope = ndimage.gaussian_filter1d(even, _SLOPE, order=1) * (_SLOPE * math.sqrt(2 * math.pi))
        energy = np.sqrt(ndimage.gaussian_filter1d(slope * slope, _SPREAD))
        outside = np.zeros(len(energy), bool)
        outside[: round(ends[0] * ratio)] = outside[len(energy) - round(ends[1] * ratio) :] = True
        level, weight = _level(energy, _unreadable(missing, energy, ratio), outside)
        joined += weight * (energy / level) ** _POWER
        total += weight
    mean: Floats = (joined / np.maximum(total, 1e-9)) ** (1 / _POWER)
    return mean


def _unreadable(missing: NDArray[np.bool_], energy: Floats, ratio: Fraction) -> NDArray[np.bool_]:
    """Where the energy is not that of the signal alone; sets it to zero there."""
    near = np.zeros(len(energy), bool)
    at = np.unique((np.flatnonzero(missing) * float(ratio)).astype(np.int64))
    near[np.minimum(at, len(energy) - 1)] = True
    if len(at):
        near = ndimage.maximum_filter1d(near, 2 * round(_GAP) + 1)
        energy[near] = 0
    return near


def _level(
    energy: Floats, unreadable: NDArray[np.bool_], outside: NDArray[np.bool_]
) -> tuple[Floats, Floats]:
    """Height of a typical QRS around each sample, and the lead's weight there."""
    known = ~(unreadable | outside).reshape(-1, _BIN)
    bins = energy.reshape(-1, _BIN)
    is_known = known.mean(axis=1) > 0.5
    top = _typical(np.where(is_known, bins.max(axis=1), np.nan))
    rest = _typical(np.where(is_known, np.median(bins, axis=1), np.nan))
    contrast = np.clip(top / np.maximum(rest, 0.1 * _FLOOR_MV) - 1.5, 0.1, 20)
    weight = np.where(top > _FLOOR_MV, contrast**2, 0)
    return _between_bins(np.maximum(top, _FLOOR_MV)), _between_bins(weight) * ~unreadable


def _typical(values: Floats) -> Floats:
    """Low quantile of the known values of neighbouring bins, 0 where none is known."""
    padded = np.pad(values, _NEAR, constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * _NEAR + 1)
    known = np.isfinite(windows).sum(axis=1)
    row = np.rint(_QUANTILE * (known - 1)).astype(np.int64).clip(0)
    found = np.take_along_axis(np.sort(windows, axis=1), row[:, None], axis=1)[:, 0]
    return np.where(known > 0, found, 0.0)  # NaN is sorted to the end


def _between_bins(values: Floats) -> Floats:
    """Values at the middle of bins, linear in between: (bins · _BIN,)."""
    share = (np.arange(_BIN) + 0.5) / _BIN - 0.5
    before, after = np.append(values[0], values[:-1]), np.append(values[1:], values[-1])
    other = np.where(share[None] < 0, before[:, None], after[:, None])
    between: Floats = values[:, None] + np.abs(share) * (other - values[:, None])
    return between.ravel()


def _peaks(energy: Floats) -> Indices:
    highest = ndimage.maximum_filter1d(energy, 2 * round(_APART) + 1)
    return np.flatnonzero((energy == highest) & (energy > _LOWEST))


_REACH_S, _BASE_S, _SMOOTH_S = 0.09, 0.25, 0.004
_OTHER_WAY = 1.5  # how much larger a deflection of the record's unusual polarity must be


def _r_peaks(read: Reader, at: Indices, n_samples: int, fs_hz: float, block_s: float) -> Indices:
    """The largest deflection near each detection, of its lead's usual polarity if it can be."""
    reach, count = round(_REACH_S * fs_hz), max(1, int(block_s * 2))
    parts = [
        _deflections(read, at[i : i + count], reach, n_samples, fs_hz)
        for i in range(0, len(at), count)
    ]
    if not parts:
        return at
    lead, up, up_at, down, down_at = (np.concatenate(column) for column in zip(*parts))
    peaks = at.copy()  # as detected where no lead can be read around it
    for one in np.unique(lead[lead >= 0]).tolist():
        own = lead == one
        tilt = _OTHER_WAY if np.median(up[own]) >= np.median(down[own]) else 1 / _OTHER_WAY
        moved = np.where(up[own] * tilt >= down[own], up_at[own], down_at[own])
        peaks[own] = at[own] + moved - reach
    peaks = np.unique(np.clip(peaks, 0, n_samples - 1))
    apart = np.diff(peaks, prepend=-n_samples) >= REFRACTORY_S * fs_hz
    return peaks[apart]  # where noise has peaks, moving them may bring two together


_Deflections = tuple[Indices, Floats, Indices, Floats, Indices]


def _deflections(
    read: Reader, at: Indices, reach: int, n_samples: int, fs_hz: float
) -> _Deflections:
    """Height and place of the highest and of the deepest point around each detection.

    In the first lead that can be read there, whose number comes first; −1 where there is none.
    """
    base = round(_BASE_S * fs_hz)
    first, last = max(0, int(at[0]) - base), min(n_samples, int(at[-1]) + base + 1)
    x_LT = read(first, last).astype(np.float64)
    around = np.clip(at[:, None] - first + np.arange(-base, base + 1), 0, last - first - 1)
    inner = around[:, base - reach : base + reach + 1]
    readable = np.isfinite(x_LT)[:, inner].all(axis=2)  # (leads, detections)
    lead = np.where(readable.any(axis=0), readable.argmax(axis=0), -1)
    x_LT = ndimage.gaussian_filter1d(np.nan_to_num(x_LT), _SMOOTH_S * fs_hz, axis=1)
    windows = x_LT[np.maximum(lead, 0)[:, None], around]
    windows = windows - np.median(windows, axis=1, keepdims=True)
    centre = windows[:, base - reach : base + reach + 1]
    near = np.exp(-0.5 * (np.arange(-reach, reach + 1) / reach) ** 2)
    up, down = centre * near, -centre * near
    return lead, up.max(axis=1), up.argmax(axis=1), down.max(axis=1), down.argmax(axis=1)
