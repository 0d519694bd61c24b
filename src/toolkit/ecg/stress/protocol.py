"""How much noise is added, and when: nst's standard protocol and its signal-to-noise ratio.

As nst(1) defines them: the signal's power is that of a sine as high as the QRS complexes from peak
to peak, S = P²/8, the noise's is its mean square N over pieces of a second of its first five
minutes; noise is scaled by a so that SNR = 10 log10(S / (a² N)) dB. P is the mean over normal beats
within 50 ms of their R peak and N that over pieces, the largest and smallest twentieth left out of
both.
Where noise begins and ends the signal does not jump: offsets are set so, and stay.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from toolkit.core.errors import DataError
from toolkit.ecg.beats import aami_classes
from toolkit.ecg.records import Record

Floats = NDArray[np.float64]
LEARNING_S, BLOCK_S = 300.0, 120.0
_BEATS, _REACH_S, _TRIM = 300, 0.05, 0.05


def noisy(n: int, fs_hz: float) -> NDArray[np.bool_]:
    """(n,) True in two of every four minutes, the first two after the five of learning."""
    since = np.arange(n) / fs_hz - LEARNING_S
    return np.asarray((since >= 0) & (np.floor(since / BLOCK_S) % 2 == 0))


def qrs_height_mv(record: Record, column: int) -> float:
    """Mean peak-to-peak height of a lead's first 300 normal QRS complexes, extremes left out.

    Raises:
        DataError: no normal beat is annotated.
    """
    beats = record.annotations
    normal = [] if beats is None else beats.sample[aami_classes(beats.symbol) == 0][:_BEATS]
    if not len(normal):
        raise DataError("no normal beats to measure the signal by", where=f"record {record.name}")
    reach = round(_REACH_S * record.fs_hz)
    at = np.clip(
        np.asarray(normal)[:, None] + np.arange(-reach, reach + 1), 0, record.n_samples - 1
    )
    qrs = record.to_millivolts(record.signal_adu[at][..., [column]], (column,))[..., 0]
    return _trimmed(np.ptp(qrs, axis=1))


def noise_power(noise_mv: Floats, fs_hz: float) -> float:
    """Mean square of a channel around the mean of each second, extremes left out, in mV².

    Of the first five minutes, as the program measures it.
    """
    second = round(fs_hz)
    noise_mv = noise_mv[: round(LEARNING_S * fs_hz)]
    whole = noise_mv[: len(noise_mv) // second * second].reshape(-1, second)
    return _trimmed(whole.std(axis=1)) ** 2


def stressed(record: Record, noise_mv: Floats, snr_db: float) -> Record:
    """``record`` with noise in the noisy minutes, each lead at ``snr_db`` by itself.

    Args:
        record: with reference annotations.
        noise_mv: (channels, n_samples); leads take them in turn.
        snr_db: decibels.

    Raises:
        DataError: no normal beats, or a record that is over before the noise begins.
    """
    where = noisy(record.n_samples, record.fs_hz)
    if not where.any():
        length = record.n_samples / record.fs_hz
        what = f"the record has {length:.0f} s; noise begins after {LEARNING_S:.0f}"
        raise DataError(what, where=f"record {record.name}")
    adu = record.signal_adu.astype(np.int64)
    limits = np.iinfo(record.signal_adu.dtype)
    for column in range(adu.shape[1]):
        noise = noise_mv[column % len(noise_mv)]
        power = qrs_height_mv(record, column) ** 2 / 8
        scale = np.sqrt(power / noise_power(noise, record.fs_hz) / 10 ** (snr_db / 10))
        steps = np.diff(noise, prepend=noise[0]) * np.append(False, where[:-1])
        added = np.round(scale * np.cumsum(steps) * record.adu_per_mv(column))
        adu[:, column] += added.astype(np.int64)
    # the lowest value stands for a missing sample
    loud = np.clip(adu, limits.min + 1, limits.max).astype(record.signal_adu.dtype)
    missing = record.signal_adu == limits.min
    return replace(record, signal_adu=np.where(missing, limits.min, loud).astype(loud.dtype))


def _trimmed(values: NDArray[np.floating]) -> float:
    order = np.sort(values)
    cut = int(_TRIM * len(order))
    return float(order[cut : len(order) - cut].mean())
