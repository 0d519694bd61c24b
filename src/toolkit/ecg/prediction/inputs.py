"""A user's recording, whatever file it comes in, as a :class:`~toolkit.ecg.records.Record`.

WFDB records are read as they are, numbers from tables and arrays become samples of a converter:
from there on all inputs are one.
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
from toolkit.ecg.prediction.leads import distinct
from toolkit.ecg.prediction.numbers import MOST_MV, from_numbers
from toolkit.ecg.records import Record, read_record

UNITS = {"mV": 1.0, "uV": 1e-3, "adu": 1.0}
TABLES = (".csv", ".tsv", ".txt")
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
        is_unit_known: False where numbers are only taken for millivolts.
    """

    record: Record
    source: Path
    notes: tuple[str, ...] = ()
    data: tuple[Path, ...] = ()
    is_unit_known: bool = True

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
    return Recording(replace(record, leads=distinct(record.leads)), header, data=data)


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
    record, remarks = from_numbers(folder_name(path), values, fs_hz, names, scale)
    is_unit_known = options.unit is not None or options.gain is not None
    return Recording(record, path, (*notes, *remarks), is_unit_known=is_unit_known)


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


def check_amplitude(recording: Recording, columns: Sequence[int]) -> None:
    """Refuse numbers that cannot be millivolts, unless the unit was given.

    Args:
        recording: from :func:`read_input`.
        columns: of the leads that are read.

    Raises:
        ConfigError: a lead spans more than an ECG does.
    """
    if recording.is_unit_known:
        return
    record = recording.record
    some = record.signal_adu[:: max(1, record.n_samples // 100_000), columns]
    known = [v[np.isfinite(v)] for v in record.to_millivolts(some, columns).T]
    spans = [float(np.ptp(np.quantile(v, (0.001, 0.999)))) if len(v) else 0.0 for v in known]
    widest = int(np.argmax(spans))
    if spans[widest] > MOST_MV:
        lead = record.leads[columns[widest]]
        what = f"lead {lead} spans {spans[widest]:.4g} mV, far more than an ECG"
        hint = "add --unit uV, or --unit adu --gain ADU_PER_MV; choose leads by --lead"
        raise ConfigError(what, where=str(recording.source), hint=hint)
