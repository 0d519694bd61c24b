"""Noise in mV: of the MIT-BIH Noise Stress Test Database's kind, from files or made here.

``bw`` is baseline wander, ``em`` electrode motion, ``ma`` muscle artefact.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy import signal

from toolkit.core.errors import DataError
from toolkit.ecg.records import read_record

Floats = NDArray[np.float64]
KINDS = ("bw", "em", "ma")
_CHANNELS = 2


def synthetic(kind: str, n: int, fs_hz: float, generator: Generator) -> Floats:
    """Two channels of noise of a kind, (2, n), of unit power; made by rules, not recorded.

    bw: below 0.6 Hz. ma: 15 to 100 Hz (or what the sampling rate allows) under a slow envelope.
    em: jumps of the electrode at random instants that die away, below 15 Hz.
    """
    white = generator.standard_normal((_CHANNELS, n))
    if kind == "bw":
        made = _band(white, (0.05, 0.6), fs_hz)
    elif kind == "ma":
        slow = np.abs(_band(generator.standard_normal((_CHANNELS, n)), (0.02, 0.3), fs_hz))
        made = _band(white, (15.0, min(100.0, 0.45 * fs_hz)), fs_hz) * (slow / slow.mean() + 0.2)
    else:
        jumps = generator.standard_normal((_CHANNELS, n)) * (generator.random(n) < 1.2 / fs_hz)
        decay = np.exp(-np.arange(round(2 * fs_hz)) / (0.35 * fs_hz))
        fallen = signal.fftconvolve(jumps, decay[None], axes=1)[:, :n]
        made = _band(fallen + 0.05 * white, (0.3, 15.0), fs_hz)
    scaled: Floats = made / np.sqrt(np.square(made).mean(axis=1, keepdims=True))
    return scaled


class Recorded(NamedTuple):
    """A noise record of two channels in mV, (2, n) at ``fs_hz``."""

    x: Floats
    fs_hz: float

    def fitted(self, n: int, fs_hz: float) -> Floats:
        """(2, n) at ``fs_hz``, from its start again where it ends."""
        ratio, x = Fraction(fs_hz / self.fs_hz).limit_denominator(1000), self.x
        if ratio != 1:
            x = signal.resample_poly(x, ratio.numerator, ratio.denominator, axis=1)
        wrapped: Floats = np.tile(x, -(-n // x.shape[1]))[:, :n]
        return wrapped


def recorded(folder: Path, kind: str) -> Recorded:
    """The noise record ``folder/kind``; one channel counts for two.

    Raises:
        DataError: there is no such WFDB record, or samples are missing.
    """
    if not (folder / f"{kind}.hea").is_file():
        what = f"no noise record {kind}.hea in {folder}"
        raise DataError(what, where="--noise", hint="--noise synthetic, or the folder of nstdb")
    record = read_record(folder / kind, annotator=None)
    x_LT = record.millivolts(record.leads).astype(np.float64)
    if not np.isfinite(x_LT).all():
        raise DataError("the noise has missing samples", where=str(folder / kind))
    if len(x_LT) < _CHANNELS:
        x_LT = np.resize(x_LT, (_CHANNELS, x_LT.shape[1]))
    return Recorded(x_LT[:_CHANNELS], record.fs_hz)


def _band(x: Floats, band_hz: tuple[float, float], fs_hz: float) -> Floats:
    sections = signal.butter(2, band_hz, "bandpass", fs=fs_hz, output="sos")
    passed: Floats = signal.sosfiltfilt(sections, x, axis=1)
    return passed
