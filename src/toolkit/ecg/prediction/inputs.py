"""A user's recording, whatever file it comes in, as a :class:`~toolkit.ecg.records.Record`.

WFDB records are read as they are. Numbers from tables and arrays become 16-bit samples with a
gain of their own, finer than any converter's: from there on all inputs are one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.core.errors import ConfigError, DataError
from toolkit.ecg.header import read_header
from toolkit.ecg.prediction import arrays, tables
from toolkit.ecg.records import Record, read_record

UNITS = {"mV": 1.0, "uV": 1e-3, "adu": 1.0}
TABLES = (".csv", ".tsv", ".txt")
_HALF_RANGE, _FINEST = 32_000, 10_000.0  # of the 16-bit samples; adu per mV
_MOST_MV = 60.0  # from the lowest to the highest of nearly all samples
_SLOWEST_HZ, _FASTEST_HZ = 60.0, 20_000.0
SHORTEST_S = 5.0


@dataclass(frozen=True)
class InputOptions:
    """What a file may not say itself; None where it was not given."""

    fs_hz: float | None = None
    unit: str | None = None
    gain: float | None = None
    variable: str | None = None


@dataclass(frozen=True, eq=False)
class Recording:
    """A recording with the file that it came from and what was noticed on the way.

    Attributes:
        record: all leads, without annotations; unnamed leads are called ``1``, ``2`` ….
        source: the file that was read; for WFDB the header.
        notes: how the file was read.
        data: the other files of a WFDB record.
    """

    record: Record
    source: Path
    notes: tuple[str, ...] = ()
    data: tuple[Path, ...] = ()

    @property
    def files(self) -> tuple[Path, ...]:
        """All files that were read."""
        return (self.source, *self.data)


def read_input(path: Path, options: InputOptions) -> Recording:
    """Read a recording: ``.csv``, ``.tsv``, ``.txt``, ``.npy``, ``.mat``, else a WFDB record.

    Raises:
        ConfigError: an option is missing, contradicts the file or does not apply to it.
        DataError: the file is missing, empty or damaged, or far too short.
    """
    suffix = path.suffix.lower()
    read = _read_numbers if suffix in (*TABLES, ".npy", ".mat") else _read_wfdb
    recording = read(path, options)
    record = recording.record
    if not _SLOWEST_HZ <= record.fs_hz <= _FASTEST_HZ:
        what = f"{record.fs_hz:g} Hz is no sampling frequency of an ECG ({_SLOWEST_HZ:g} or more)"
        raise ConfigError(what, where=str(path), hint="give --fs-hz in Hz")
    if record.n_samples < SHORTEST_S * record.fs_hz:
        what = f"the recording has {record.n_samples / record.fs_hz:.2f} s, too few to judge beats"
        raise DataError(what, where=str(path), hint=f"give {SHORTEST_S:g} s or more; check --fs-hz")
    return recording


def _read_wfdb(path: Path, options: InputOptions) -> Recording:
    base = path.with_suffix("") if path.suffix in (".hea", ".dat") else path
    header = base.with_name(base.name + ".hea")
    if not header.exists():
        what = f"{path} is no WFDB record: there is no {header.name}"
        kinds = "CSV (.csv), NPY (.npy) or MATLAB (.mat)"
        raise DataError(what, where=str(path), hint=f"name a record without suffix, or a {kinds}")
    for name in ("unit", "gain", "variable"):
        if getattr(options, name) is not None:
            what = f"--{name} does not apply to a WFDB record: its header says it"
            raise ConfigError(what, where=str(header), hint=f"leave --{name} out")
    record = read_record(base, annotator=None, allow_missing=True)
    if options.fs_hz is not None and abs(options.fs_hz / record.fs_hz - 1) > 1e-3:
        what = f"--fs-hz {options.fs_hz:g}, but the header says {record.fs_hz:g} Hz"
        raise ConfigError(what, where=str(header), hint="leave --fs-hz out")
    data = tuple(header.with_name(name) for name in read_header(header).files)
    return Recording(replace(record, leads=_distinct(record.leads)), header, data=data)


def folder_name(path: Path) -> str:
    """What a recording in ``path``, and the folder of its results, is called."""
    return re.sub(r"[^A-Za-z0-9_-]+", "_", path.stem) or "record"


def _read_numbers(path: Path, options: InputOptions) -> Recording:
    if not path.is_file() or not path.stat().st_size:
        problem = "is empty" if path.is_file() else "is not there"
        raise DataError(f"{path.name} {problem}", where=str(path), hint="check the file's name")
    if options.unit == "adu" and options.gain is None:
        hint = "add --gain ADU_PER_MV, such as --gain 200"
        raise ConfigError("--unit adu needs --gain", where="--gain", hint=hint)
    names: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    found_hz: float | None = None
    if path.suffix.lower() in TABLES:
        table = tables.read_table(path)
        values: NDArray[Any] = table.values
        names, found_hz, notes = table.names, table.fs_hz, table.notes
    elif path.suffix.lower() == ".npy":
        values = arrays.read_npy(path)
    else:
        values = arrays.read_mat(path, options.variable)
    fs_hz, notes = _rate(path, found_hz, options.fs_hz, notes)
    scale = UNITS[options.unit or "mV"] / (options.gain or 1.0)
    record = from_numbers(folder_name(path), values, fs_hz, names, scale)
    _check_amplitude(record, path, options)
    return Recording(record, path, notes)


def _rate(
    path: Path, found_hz: float | None, given_hz: float | None, notes: tuple[str, ...]
) -> tuple[float, tuple[str, ...]]:
    """The rate that was given, else that of the file's times; and how it was come by."""
    if given_hz is None and found_hz is None:
        what = f"{path.name} does not say its sampling frequency"
        raise ConfigError(what, where="--fs-hz", hint="add --fs-hz HZ, such as --fs-hz 250")
    if given_hz and found_hz and abs(given_hz / found_hz - 1) > 0.01:
        return given_hz, (f"--fs-hz {given_hz:g} is taken, although {notes[0]}",)
    return given_hz or found_hz or 0.0, notes


def from_numbers(
    name: str, values: NDArray[Any], fs_hz: float, leads: Sequence[str], scale: float = 1.0
) -> Record:
    """A record of 16-bit samples from numbers.

    Args:
        name: of the record.
        values: (n, leads); NaN and infinity are missing samples.
        fs_hz: sampling frequency.
        leads: names, ``""`` for unnamed; may be empty.
        scale: mV for each unit of ``values``.
    """
    adu = np.empty(values.shape, np.int16)
    gains, baselines = [], []
    for column in range(values.shape[1]):
        millivolts = np.asarray(values[:, column], np.float32) * np.float32(scale)
        known = np.isfinite(millivolts)
        low, high = _range(millivolts[known])
        gain = min(_FINEST, _HALF_RANGE / max((high - low) / 2, 1e-6))
        baseline = -round((low + high) / 2 * gain)
        with np.errstate(invalid="ignore"):
            stored = np.rint(millivolts * np.float32(gain) + np.float32(baseline))
        stored[~known] = np.iinfo(np.int16).min
        adu[:, column] = stored
        gains.append(gain)
        baselines.append(baseline)
    n = values.shape[1]
    return Record(
        name=name,
        fs_hz=fs_hz,
        leads=_distinct(leads or [""] * n),
        units=("mV",) * n,
        gain=tuple(gains),
        baseline=tuple(baselines),
        signal_adu=adu,
    )


def _range(values: NDArray[np.float32]) -> tuple[float, float]:
    return (float(values.min()), float(values.max())) if len(values) else (0.0, 0.0)


def _check_amplitude(record: Record, path: Path, options: InputOptions) -> None:
    """Refuse numbers that cannot be millivolts, unless the unit was given."""
    some = record.signal_adu[:: max(1, record.n_samples // 100_000)]
    millivolts = record.to_millivolts(some, range(len(record.leads)))
    flat = [v[np.isfinite(v)] for v in millivolts.T]
    spans = [float(np.ptp(np.quantile(v, (0.001, 0.999)))) for v in flat if len(v)]
    if not spans:
        raise DataError("every sample is missing", where=str(path), hint="check the file")
    if options.unit is None and options.gain is None and max(spans) > _MOST_MV:
        what = f"{path.name} spans {max(spans):.4g} mV, far more than an ECG"
        hint = "add --unit uV, or --unit adu --gain ADU_PER_MV; choose leads by --lead"
        raise ConfigError(what, where="--unit", hint=hint)


def _distinct(leads: Sequence[str]) -> tuple[str, ...]:
    """Names that differ: ``ECG``, ``ECG (2)``; a lead without a name is called by its number."""
    names: list[str] = []
    for number, lead in enumerate(leads, 1):
        name = base = lead or f"{number}"
        again = 1
        while name in names:
            name = f"{base} ({(again := again + 1)})"
        names.append(name)
    return tuple(names)
