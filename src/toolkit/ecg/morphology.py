"""The shape of each beat, against the shape that its record's ordinary beats have.

Signals are brought to 120 Hz, freed of baseline and high noise, cut around the R peaks and scaled
by the record's typical QRS; none of this looks at a label. The template is the median of the
record's late beats: a premature beat's P wave then shows as a difference before the QRS.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from toolkit.core.errors import DataError
from toolkit.ecg.records import Record

Floats = NDArray[np.float32]

FS_HZ = 120
BEFORE, AFTER = 90, 78  # samples at FS_HZ: 0.75 s before the R peak, 0.65 s from it on
WIDTH = BEFORE + AFTER
FEATURES_PER_LEAD = 13
_BAND_HZ = (0.5, 40.0)
_CLIP = 4.0  # of scaled signals and of features
_LATE = 0.9  # a beat is late when its interval is above this share of the mean
_P_WAVE_S = (-0.26, -0.08)  # where a P wave is sought, from the R peak
_NEAR = 20  # beats to either side whose P waves are compared
_FAINT = 1e-4  # power of a segment, in QRS heights squared, that is noise to it


def filtered(record: Record, leads: Sequence[str]) -> Floats:
    """Leads in mV at 120 Hz between 0.5 and 40 Hz, without phase shift: (n_leads, samples).

    Raises:
        DataError: the record lacks a lead, has missing samples, or is shorter than a beat.
    """
    x_LT = record.millivolts(leads)
    if record.n_samples * FS_HZ < WIDTH * record.fs_hz:
        what = (
            f"the record has {record.n_samples / record.fs_hz:.2f} s, less than one beat's window"
        )
        raise DataError(what, where=f"record {record.name}")
    if not np.isfinite(x_LT).all():
        raise DataError("the signal has missing samples", where=f"record {record.name}")
    ratio = Fraction(FS_HZ / record.fs_hz).limit_denominator(1000)
    if ratio != 1:
        up, down = ratio.numerator, ratio.denominator
        # the ends are padded with the median: with zeros, an offset would ring there
        x_LT = signal.resample_poly(x_LT, up, down, axis=1, padtype="median")
    return in_band(x_LT, FS_HZ)


def in_band(x_LT: Floats, fs_hz: float) -> Floats:
    """Signals between 0.5 and 40 Hz, without phase shift: (n_leads, samples) at ``fs_hz``."""
    high_hz = min(_BAND_HZ[1], 0.45 * fs_hz)
    band = signal.butter(2, (_BAND_HZ[0], high_hz), "bandpass", fs=fs_hz, output="sos")
    smooth: Floats = signal.sosfiltfilt(band, x_LT, axis=1).astype(np.float32)
    return smooth


def beat_windows(x_LT: Floats, at: NDArray[np.int64]) -> Floats:
    """Windows around samples ``at``, each minus its median, over the record's median QRS height.

    Args:
        x_LT: (n_leads, samples) from :func:`filtered`.
        at: (n,) R peaks as samples of ``x_LT``.

    Returns:
        (n, n_leads, WIDTH), clipped to ±4 typical QRS heights; the ends repeat the end samples.
    """
    return scaled_windows(x_LT, at, qrs_height(x_LT, at))


def scaled_windows(x_LT: Floats, at: NDArray[np.int64], height_L: Floats) -> Floats:
    """:func:`beat_windows` around any samples, over a height that is given."""
    scaled: Floats = np.clip(_centred(x_LT, at) / height_L[:, None], -_CLIP, _CLIP)
    return scaled.astype(np.float32)


def qrs_height(x_LT: Floats, at: NDArray[np.int64]) -> Floats:
    """The record's median QRS height in mV, the unit of its windows: (n_leads,)."""
    qrs_BLT = _centred(x_LT, at)[:, :, _between(-0.12, 0.16)]
    height: Floats = np.median(np.ptp(qrs_BLT, axis=2), axis=0) + 1e-3
    return height


def _centred(x_LT: Floats, at: NDArray[np.int64]) -> Floats:
    index = np.clip(at[:, None] + np.arange(-BEFORE, AFTER), 0, x_LT.shape[1] - 1)
    beats_BLT = x_LT[:, index].transpose(1, 0, 2)
    centred: Floats = beats_BLT - np.median(beats_BLT, axis=2, keepdims=True)
    return centred


def template(beats_BLT: Floats, rr_s: NDArray[np.float64]) -> Floats:
    """The record's ordinary beat: median of its late beats, (n_leads, WIDTH)."""
    late = rr_s > _LATE * rr_s.mean()
    chosen = beats_BLT[late] if late.sum() > 5 else beats_BLT
    return np.median(chosen, axis=0).astype(np.float32)


def shape_features(beats_BLT: Floats, template_LT: Floats) -> Floats:
    """How each beat differs from the template and its neighbours: (n, 13 · n_leads).

    Per lead: log distance (over the record's median distance) and correlation for P wave, QRS
    and T wave; QRS height, area, area over height, steepness (each over the record's median) and
    polarity; correlation of the QRS with those of the beats before and after.
    """
    columns: list[Floats] = []
    for lead in range(beats_BLT.shape[1]):
        beats, ordinary = beats_BLT[:, lead], template_LT[lead]
        for start_s, end_s in ((-0.26, -0.06), (-0.08, 0.12), (0.14, 0.45)):
            columns += _against(beats, ordinary, _between(start_s, end_s))
        columns += _qrs(beats, ordinary)
        qrs = beats[:, _between(-0.08, 0.12)]
        columns += [_correlation(qrs, np.roll(qrs, shift, 0)) for shift in (1, -1)]
    return np.clip(np.stack(columns, axis=1), -_CLIP, _CLIP).astype(np.float32)


def p_coherence(beats_BLT: Floats) -> Floats:
    """How alike the P waves around each beat are, (n, n_leads): 1 the same, 0 unrelated.

    The mean correlation of all pairs of segments before the QRS, of 20 beats to either side. What
    has no P waves, atrial fibrillation above all, has segments that are unrelated, while the P
    waves of premature beats, few or alike, leave much of it. After the absence of P waves as a
    criterion of fibrillation (Slocum, Sahakian and Swiryn 1992, J Electrocardiol 25(1) 1).
    """
    p_BLT = signal.detrend(beats_BLT[:, :, _between(*_P_WAVE_S)], axis=2)
    p_BLT /= np.sqrt(np.square(p_BLT).sum(axis=2, keepdims=True) + _FAINT)
    i = np.arange(len(p_BLT))
    low, high = np.maximum(i - _NEAR, 0), np.minimum(i + _NEAR + 1, len(p_BLT))
    total_BLT, power_BL = (_sums(x, low, high) for x in (p_BLT, np.square(p_BLT).sum(axis=2)))
    pairs_BL = np.square(total_BLT).sum(axis=2) - power_BL  # of each with every other
    others = np.maximum(high - low - 1, 1)[:, None]
    coherence: Floats = (pairs_BL / (others * np.maximum(power_BL, _FAINT))).astype(np.float32)
    return coherence


def _sums(
    values: NDArray[np.floating], low: NDArray[np.int64], high: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Sums over rows low … high - 1."""
    first = np.zeros((1, *values.shape[1:]))
    total: NDArray[np.float64] = np.concatenate([first, values.cumsum(axis=0, dtype=np.float64)])
    return total[high] - total[low]


def _between(start_s: float, end_s: float) -> slice:
    return slice(BEFORE + round(start_s * FS_HZ), BEFORE + round(end_s * FS_HZ))


def _against(beats: Floats, ordinary: Floats, part: slice) -> list[Floats]:
    a = beats[:, part] - beats[:, part].mean(axis=1, keepdims=True)
    b = ordinary[part] - ordinary[part].mean()
    distance = np.sqrt(np.square(a - b).mean(axis=1))
    relative = np.log((distance + 0.01) / (np.median(distance) + 0.011))
    return [relative, _correlation(a, b[None])]


def _qrs(beats: Floats, ordinary: Floats) -> list[Floats]:
    part = _between(-0.12, 0.16)
    qrs = beats[:, part]
    height = np.ptp(qrs, axis=1)
    area = np.abs(qrs - np.median(qrs, axis=1, keepdims=True)).mean(axis=1)
    steepness = np.abs(np.diff(qrs, axis=1)).max(axis=1)
    polarity = qrs.max(axis=1) / (height + 1e-3)
    usual = ordinary[part].max() / (np.ptp(ordinary[part]) + 1e-3)
    sizes = (height, area, area / (height + 1e-3), steepness)
    return [*(_over_median(size) for size in sizes), polarity - usual]


def _over_median(values: Floats) -> Floats:
    relative: Floats = np.log((values + 1e-3) / (np.median(values) + 1e-3))
    return relative


def _correlation(a: Floats, b: Floats) -> Floats:
    a, b = a - a.mean(axis=-1, keepdims=True), b - b.mean(axis=-1, keepdims=True)
    power = np.sqrt((a * a).sum(-1) * (b * b).sum(-1))
    correlation: Floats = (a * b).sum(-1) / (power + 1e-6)
    return correlation
