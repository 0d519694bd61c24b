"""Synthetic ECG records for demonstrations and tests, clearly marked as such.

The model is that of McSharry, Clifford, Tarassenko and Smith (IEEE Trans. Biomed. Eng. 50,
2003): every wave of a beat is a Gaussian in the phase of the heart cycle, and RR intervals
vary with respiration (0.25 Hz) and Mayer waves (0.1 Hz). Phase runs at 2π per √RR, which is
their rate-dependent placement of P and T, and Bazett's law. Each beat is evaluated in closed
form instead of integrating their differential equation. Ectopic beats, bundle branch
block and atrial fibrillation are added as other waves and other intervals.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from toolkit.core.errors import ConfigError
from toolkit.core.files import saving
from toolkit.ecg.annotations import Annotations
from toolkit.ecg.records import Record
from toolkit.ecg.writing import write_record

Profile = Literal["sinus", "lbbb", "afib", "rbbb"]
PROFILES: tuple[Profile, ...] = get_args(Profile)

FS_HZ = 360.0
LEADS = ("MLII", "V1")
_GAIN, _ZERO, _BITS = 200, 1024, 11
_WINDOW_S = (-0.5, 0.8)  # around R: holds every wave down to 10 s between beats
_FORCED = {5: "A", 9: "V"}  # so that the shortest record has all three classes

# Rows are waves: phase in degrees, amplitude in MLII and in V1 in mV, width in radians.
_P = (-70, 0.13, 0.06, 0.25)
_T = (100, 0.30, 0.08, 0.40)
_NARROW = ((-15, -0.10, 0.18, 0.10), (0, 1.15, -0.75, 0.10), (15, -0.22, -0.20, 0.10))
_LEFT = ((-10, 0.45, -0.15, 0.15), (8, 0.80, -1.10, 0.20), (115, -0.25, 0.25, 0.40))
_RIGHT = ((-15, -0.08, 0.25, 0.09), (0, 0.95, -0.45, 0.10), (25, -0.35, 0.75, 0.17))
_WIDE = ((-18, 0.25, 0.30, 0.22), (2, 1.50, 0.90, 0.27), (36, -0.50, 0.30, 0.25))
_SHAPES = {
    "N": (_P, *_NARROW, _T),
    "A": ((-62, -0.09, 0.05, 0.20), *_NARROW, _T),
    "V": (*_WIDE, (125, -0.45, -0.30, 0.45)),
    "L": (_P, *_LEFT),
    "R": (_P, *_RIGHT, (100, 0.22, -0.15, 0.40)),
}


@dataclass(frozen=True)
class _Patient:
    """What sets one person's record apart; shapes are (waves, 4) arrays as in the table above."""

    shapes: dict[str, NDArray[np.float64]]
    rr_s: float
    ectopic: tuple[float, float]  # probability of A and of V at a normal beat
    mayer: float
    respiration: float


@dataclass(frozen=True)
class _Rhythm:
    """R peaks in seconds, symbol, previous interval, and whether the atria fibrillate."""

    peak_s: NDArray[np.float64]
    symbol: NDArray[np.str_]
    rr_s: NDArray[np.float64]
    fibrillates: NDArray[np.bool_]


def synthesize(
    seed: int | Sequence[int], minutes: float = 5.0, profile: Profile = "sinus", name: str = "syn"
) -> Record:
    """One synthetic patient: leads MLII and V1, 360 Hz, with beat and rhythm annotations.

    Args:
        seed: decides patient, rhythm and noise.
        minutes: length, 0.5 to 60.
        profile: "sinus"; or, in the second half, bundle branch block or atrial fibrillation.
            N, A and V beats occur in every profile.
        name: of the record.

    Raises:
        ConfigError: ``minutes`` is out of range.
    """
    if not 0.5 <= minutes <= 60:
        raise ConfigError(f"{minutes:g} minutes of synthetic ECG; 0.5 to 60 can be made")
    rng = np.random.default_rng(seed)
    n_samples = round(minutes * 60 * FS_HZ)
    patient = _draw_patient(rng)
    rhythm = _draw_rhythm(patient, profile, n_samples / FS_HZ, rng)
    mv = _waves(patient, rhythm, n_samples, rng) + _noise(n_samples, rng)
    mv += _fibrillation(rhythm, n_samples, rng)
    adu = np.clip(np.rint(mv * _GAIN) + _ZERO, 0, (1 << _BITS) - 1).astype(np.int16)
    return Record(
        name=name,
        fs_hz=FS_HZ,
        leads=LEADS,
        units=("mV", "mV"),
        gain=(float(_GAIN), float(_GAIN)),
        baseline=(_ZERO, _ZERO),
        signal_adu=adu,
        annotations=_annotate(rhythm),
        comments=(f"synthetic ECG (sum of Gaussians), not a patient: {profile}, seed {seed}",),
    )


def write_records(out: Path, records: int = 8, minutes: float = 5.0, seed: int = 0) -> list[Path]:
    """Write a folder of synthetic WFDB records: format 212, ``.atr`` annotations, ``RECORDS``.

    The folder appears whole, in one rename. The same arguments give the same bytes.

    Returns:
        The paths of the records, without suffix.

    Raises:
        ConfigError: ``out`` holds something already, or a number is out of range.
        RunError: ``out`` cannot be written.
    """
    if not 1 <= records <= 1000:
        raise ConfigError(f"{records} synthetic records; 1 to 1000 can be made")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigError(f"{out} is not empty", hint="name a folder that does not exist yet")
    names = [f"syn{number:03d}" for number in range(records)]
    with saving(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(dir=out.parent, prefix=".tmp-"))
        try:
            for number, name in enumerate(names):
                profile = PROFILES[number % len(PROFILES)]
                record = synthesize((seed, number), minutes, profile, name)
                write_record(scratch, record, adc_resolution=_BITS, adc_zero=_ZERO)
            (scratch / "RECORDS").write_text("\n".join(names) + "\n")
            scratch.chmod(0o755)
            scratch.replace(out)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    return [out / name for name in names]


def _draw_patient(rng: Generator) -> _Patient:
    axis = np.radians(rng.uniform(-20, 20))
    turn = np.array([[np.cos(axis), -np.sin(axis)], [np.sin(axis), np.cos(axis)]])
    shapes = {}
    for symbol, waves in _SHAPES.items():
        shape = np.array(waves, float)
        shape[:, 0] = np.radians(shape[:, 0] + rng.normal(0, 2, len(shape)))
        shape[:, 1:3] = shape[:, 1:3] @ turn * rng.lognormal(0, 0.12, (len(shape), 1))
        shape[:, 3] *= rng.lognormal(0, 0.06, len(shape))
        shapes[symbol] = shape
    shapes["A"][1:] = shapes["N"][1:]  # conducted as ever, from another place in the atria
    shapes["V"][:, 1:3] *= rng.choice([-1, 1], (1, 2))  # the focus decides the polarity
    return _Patient(
        shapes,
        rr_s=60 / rng.uniform(55, 95),
        ectopic=(rng.uniform(0.03, 0.09), rng.uniform(0.04, 0.12)),
        mayer=rng.uniform(0.01, 0.03),
        respiration=rng.uniform(0.01, 0.04),
    )


def _draw_rhythm(patient: _Patient, profile: Profile, duration_s: float, rng: Generator) -> _Rhythm:
    conducted = {"lbbb": "L", "rbbb": "R"}.get(profile, "N")
    rows: list[tuple[float, str, float, bool]] = []
    at, pause, since = rng.uniform(-0.3, 0.2), 1.0, 0
    while at < duration_s - 0.3:
        is_late = at > duration_s / 2
        fibrillates = is_late and profile == "afib"
        usual = patient.rr_s * (1 + _variation(patient, at, rng))
        symbol = _next_symbol(len(rows), since, patient, rng) if not fibrillates else "N"
        if fibrillates:
            rr = patient.rr_s * 0.85 * np.clip(rng.lognormal(0, 0.24), 0.5, 2.0)
        elif symbol == "N":
            rr, pause = usual * pause, 1.0
        else:
            early = rng.uniform(0.58, 0.76)
            # A ventricular beat leaves the sinus node alone, an atrial one resets it.
            rr, pause = usual * early, 2 - early if symbol == "V" else rng.uniform(1.0, 1.1)
        since = since + 1 if symbol == "N" else 0
        at += rr
        if at < duration_s - 0.3:
            shown = conducted if is_late and symbol == "N" else symbol
            rows.append((at, shown, rr, fibrillates))
    peak_s, symbols, rr_s, fibrillating = zip(*rows)
    return _Rhythm(np.array(peak_s), np.array(symbols), np.array(rr_s), np.array(fibrillating))


def _variation(patient: _Patient, at_s: float, rng: Generator) -> float:
    mayer = patient.mayer * np.sin(2 * np.pi * 0.1 * at_s)
    respiration = patient.respiration * np.sin(2 * np.pi * 0.25 * at_s)
    return float(mayer + respiration + rng.normal(0, 0.008))


def _next_symbol(number: int, since: int, patient: _Patient, rng: Generator) -> str:
    draw = rng.random()
    if number in _FORCED:
        return _FORCED[number]
    if since < 2 or number < max(_FORCED):
        return "N"
    atrial, ventricular = patient.ectopic
    return "A" if draw < atrial else "V" if draw < atrial + ventricular else "N"


def _waves(
    patient: _Patient, rhythm: _Rhythm, n_samples: int, rng: Generator
) -> NDArray[np.float64]:
    """The clean signal in mV, (n_samples, 2)."""
    signal = np.zeros((n_samples, 2))
    span = np.arange(round(_WINDOW_S[0] * FS_HZ), round(_WINDOW_S[1] * FS_HZ))
    strength = rng.normal(1, 0.03, len(rhythm.peak_s))
    for symbol in np.unique(rhythm.symbol).tolist():
        for is_af in (False, True):
            rows = np.flatnonzero((rhythm.symbol == symbol) & (rhythm.fibrillates == is_af))
            peak, period = rhythm.peak_s[rows, None], np.sqrt(rhythm.rr_s[rows, None])
            at = np.rint(peak * FS_HZ).astype(int) + span
            phase = 2 * np.pi * (at / FS_HZ - peak) / period
            angle, *_, width = (shape := patient.shapes[symbol][int(is_af) :]).T  # no P in AF
            bells = np.exp(-0.5 * ((phase[..., None] - angle) / width) ** 2)
            value = bells @ shape[:, 1:3] * strength[rows, None, None]
            inside = (at >= 0) & (at < n_samples)
            np.add.at(signal, at[inside], value[inside])
    return signal


def _noise(n_samples: int, rng: Generator) -> NDArray[np.float64]:
    """Baseline wander, mains hum and white noise in mV, (n_samples, 2)."""
    time = np.arange(n_samples)[:, None] / FS_HZ
    shift = rng.uniform(0, 2 * np.pi, (3, 2))
    breath = rng.uniform(0.02, 0.06, 2) * np.sin(2 * np.pi * 0.25 * time + shift[0])
    drift = rng.uniform(0.02, 0.10, 2) * np.sin(2 * np.pi * 0.03 * time + shift[1])
    hum = 0.004 * np.sin(2 * np.pi * 60 * time + shift[2])
    noise: NDArray[np.float64] = breath + drift + hum
    return noise + rng.normal(0, rng.uniform(0.008, 0.02), (n_samples, 2))


def _fibrillation(rhythm: _Rhythm, n_samples: int, rng: Generator) -> NDArray[np.float64]:
    """Fibrillatory waves of about 6 Hz from the first beat of the episode on, (n_samples, 2)."""
    waves = np.zeros((n_samples, 2))
    if rhythm.fibrillates.any():
        start = int(rhythm.peak_s[rhythm.fibrillates.argmax()] * FS_HZ)
        pace_hz = 6 + np.cumsum(rng.normal(0, 0.02, n_samples - start))
        phase = 2 * np.pi * np.cumsum(pace_hz) / FS_HZ
        waves[start:] = np.sin(phase)[:, None] * [0.04, 0.08]
    return waves


def _annotate(rhythm: _Rhythm) -> Annotations:
    """Beats, and a rhythm change (``+``) 0.1 s before each stretch of another rhythm."""
    changes = np.flatnonzero(np.diff(rhythm.fibrillates.astype(int), prepend=-1))
    names = [f"({'AFIB' if rhythm.fibrillates[row] else 'N'}" for row in changes.tolist()]
    sample = np.rint(rhythm.peak_s * FS_HZ).astype(np.int64)
    sample = np.insert(sample, changes, sample[changes] - 36)
    symbol = np.insert(rhythm.symbol, changes, "+")
    texts = iter(names)
    aux = tuple(next(texts) if mark == "+" else "" for mark in symbol.tolist())
    zeros = np.zeros(len(sample), np.int64)
    return Annotations(sample, symbol, zeros, zeros, zeros, aux)
