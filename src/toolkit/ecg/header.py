"""Strict reader of WFDB headers (``.hea``): what a record claims, refused where it cannot be.

The format is that of header(5) in the WFDB Applications Guide. Every field is required here:
a default that is guessed (250 Hz, 200 units per mV, no lead name) would be a silent error.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

from toolkit.core.errors import DataError
from toolkit.ecg.formats import BITS_PER_SAMPLE, stored_bytes

_MAX_HEADER_BYTES = 1 << 16
_MAX_RECORD_BYTES = 8 << 30  # a day of twelve leads at 1 kHz is 2 GiB
_MAX_LEADS = 256

_Number = TypeVar("_Number", int, float)

_REAL = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_INTEGER = re.compile(r"[+-]?\d{1,18}", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9_-]+")
_FILE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+)*")  # no folders, no ``..``
_FS = re.compile(rf"({_REAL})(?:/{_REAL}(?:\({_REAL}\))?)?", re.ASCII)
_FORMAT = re.compile(
    r"(?P<format>\d{1,4})(?:x(?P<frame>\d{1,9}))?(?::(?P<skew>\d{1,9}))?(?:\+(?P<offset>\d{1,12}))?",
    re.ASCII,
)
_GAIN = re.compile(
    rf"(?P<gain>{_REAL})(?:\((?P<baseline>[+-]?\d{{1,10}})\))?(?:/(?P<units>\S{{1,32}}))?", re.ASCII
)


@dataclass(frozen=True)
class SignalSpec:
    """One signal line: where a lead is stored and how its integers become physical units."""

    file: str
    format: int
    byte_offset: int
    gain: float  # analogue-to-digital units (adu) per physical unit
    baseline: int  # adu at 0 physical units
    units: str
    adc_resolution: int  # bits
    adc_zero: int  # adu in the middle of the converter's range
    initial_value: int  # adu of the first sample
    checksum: int  # sum of all samples modulo 65536
    lead: str


@dataclass(frozen=True)
class Header:
    """A validated header: ``n_samples`` per lead at ``fs_hz``, leads in file order."""

    name: str
    fs_hz: float
    n_samples: int
    signals: tuple[SignalSpec, ...]
    comments: tuple[str, ...]

    @property
    def files(self) -> tuple[str, ...]:
        """Signal files in order of first mention."""
        return tuple(dict.fromkeys(signal.file for signal in self.signals))


def damaged(what: str, where: object, hint: str = "") -> DataError:
    """A :class:`DataError` with the usual advice for a damaged file."""
    return DataError(what, where=str(where), hint=hint or "restore or fetch the original file")


def read_verified(path: Path, expected_sha256: str | None, max_bytes: int) -> bytes:
    """All bytes of ``path``.

    Raises:
        DataError: the file is missing, unreadable, larger than ``max_bytes``, or its SHA-256
            is not the expected one (when one is given).
    """
    if path.exists() and not path.is_file():
        raise damaged(f"cannot read {path.name}: not a regular file", path)  # a pipe would block
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            data = file.read(min(size, max_bytes) + 1)
    except OSError as error:
        raise damaged(f"cannot read {path.name}: {error.strerror}", path) from error
    if len(data) > max_bytes:
        raise damaged(f"{path.name} is larger than the {max_bytes} bytes it may hold", path)
    if len(data) != size:
        raise damaged(f"{path.name} changed while it was read", path)
    if expected_sha256 is not None:
        found = hashlib.sha256(data).hexdigest()
        if found != expected_sha256.lower():
            raise damaged(f"SHA-256 of {path.name} is {found}, expected {expected_sha256}", path)
    return data


def read_header(path: Path, expected_sha256: str | None = None) -> Header:
    """Read and check ``path`` (a ``.hea`` file).

    Raises:
        DataError: as :func:`read_verified` and :func:`parse_header`.
    """
    text = read_verified(path, expected_sha256, _MAX_HEADER_BYTES).decode("utf-8", "replace")
    header = parse_header(text, str(path))
    if header.name != path.stem:
        raise damaged(f"header of record {header.name!r} in a file named {path.name}", path)
    return header


def parse_header(text: str, source: str = "header") -> Header:
    """Parse the text of a header; ``source`` names it in errors.

    Raises:
        DataError: a field is missing, malformed or implausible, the record has several
            segments, or it uses a storage feature that is not supported.
    """
    lines = [(f"{source}, line {n}", line.strip()) for n, line in enumerate(text.split("\n"), 1)]
    comments = tuple(line.lstrip("#").strip() for _, line in lines if line.startswith("#"))
    content = [(at, line) for at, line in lines if line and not line.startswith("#")]
    if not content:
        raise damaged("header without a record line", source)
    name, n_leads, fs_hz, n_samples = _record_line(*content[0])
    if len(content) - 1 != n_leads:
        raise damaged(f"{len(content) - 1} signal lines for {n_leads} signals", source)
    signals = tuple(_signal_line(at, line, n) for n, (at, line) in enumerate(content[1:]))
    header = Header(name, fs_hz, n_samples, signals, comments)
    _check_layout(header, source)
    return header


def _record_line(at: str, line: str) -> tuple[str, int, float, int]:
    fields = line.split()
    if len(fields) < 4:
        raise damaged("record line needs name, signals, sampling frequency and samples", at)
    name, _, segments = fields[0].partition("/")
    if segments:
        raise damaged(f"{segments}-segment record is not supported", at, "join it into one segment")
    if not _NAME.fullmatch(name):
        raise damaged(f"record name {name!r} is not letters, digits, '_' or '-'", at)
    n_leads = _integer(fields[1], "number of signals", 1, _MAX_LEADS, at)
    fs = _match(_FS, fields[2], "sampling frequency", at)
    fs_hz = _bounded(fs[1], float, "sampling frequency in Hz", 0.1, 20_000, at)
    return name, n_leads, fs_hz, _integer(fields[3], "samples per signal", 1, 1 << 32, at)


def _signal_line(at: str, line: str, number: int) -> SignalSpec:
    fields = line.split(None, 8)
    if len(fields) < 8:
        raise damaged(f"signal line has {len(fields)} of 9 fields", at, "name all but the last")
    lead = fields[8] if len(fields) > 8 else f"signal {number}"  # as WFDB calls one without name
    storage, calibration = _storage(fields[1], at), _match(_GAIN, fields[2], "gain", at)
    bits = BITS_PER_SAMPLE[int(storage["format"])]
    adc_zero = _integer(fields[4], "ADC zero", -(1 << 31), 1 << 31, at)
    baseline = calibration["baseline"] or str(adc_zero)
    return SignalSpec(
        file=_match(_FILE, fields[0], "signal file name", at)[0],
        format=int(storage["format"]),
        byte_offset=int(storage["offset"] or 0),
        gain=_bounded(calibration["gain"], float, "gain in adu per unit", 1e-3, 1e9, at),
        baseline=_integer(baseline, "baseline", -(1 << 31), 1 << 31, at),
        units=calibration["units"] or "mV",
        adc_resolution=_integer(fields[3], "ADC resolution", 0, bits, at) or bits,
        adc_zero=adc_zero,
        initial_value=_integer(fields[5], "initial value", -(1 << 31), 1 << 31, at),
        checksum=_integer(fields[6], "checksum", -(1 << 15), (1 << 16) - 1, at) % 65536,
        lead=lead,
    )


def _storage(text: str, at: str) -> re.Match[str]:
    storage = _match(_FORMAT, text, "signal format", at)
    if int(storage["format"]) not in BITS_PER_SAMPLE:
        known = ", ".join(map(str, BITS_PER_SAMPLE))
        raise damaged(f"signal format {text} is not supported", at, f"convert to one of {known}")
    if int(storage["frame"] or 1) != 1 or int(storage["skew"] or 0) != 0:
        raise damaged(f"{text}: several samples per frame and skew are not supported", at)
    return storage


def _check_layout(header: Header, source: str) -> None:
    """Signals of one file are neighbours of one format, and the whole stays within bounds."""
    signals = header.signals
    changes = sum(a.file != b.file for a, b in pairwise(signals))
    if changes != len(header.files) - 1:
        raise damaged("signals of one file are not on neighbouring lines", source)
    if len({(s.file, s.format, s.byte_offset) for s in signals}) != len(header.files):
        raise damaged("one signal file in two formats", source)
    needed = sum(stored_bytes(header.n_samples, s.format)[0] for s in signals)
    if needed > _MAX_RECORD_BYTES:
        raise damaged(f"header asks for {needed / 2**30:.0f} GiB of samples", source)


def _match(pattern: re.Pattern[str], text: str, field: str, at: str) -> re.Match[str]:
    found = pattern.fullmatch(text)
    if found is None:
        raise damaged(f"{field} is {text[:60]!r}", at)
    return found


def _integer(text: str, field: str, low: int, high: int, at: str) -> int:
    _match(_INTEGER, text, field, at)
    return _bounded(text, int, field, low, high, at)


def _bounded(
    text: str, kind: Callable[[str], _Number], field: str, low: float, high: float, at: str
) -> _Number:
    value = kind(text)
    if not low <= value <= high:  # also refuses NaN
        raise damaged(f"{field} is {text}, outside {low:g} to {high:g}", at)
    return value
