"""ECG records: WFDB signals decoded with NumPy and checked against everything the header says.

Formats 212, 16, 61, 80, 160, 24 and 32 of signal(5) in the WFDB Applications Guide are read.
A record that fails a check is refused; nothing is repaired or guessed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from toolkit.core.errors import DataError
from toolkit.ecg.annotations import Annotations, read_annotations
from toolkit.ecg.formats import BITS_PER_SAMPLE, Signal, decode, stored_bytes
from toolkit.ecg.header import (
    Header,
    SignalSpec,
    damaged,
    read_header,
    read_verified,
)

ANY_OTHER = "*"
"""In a list of leads: the first lead of the record that the list does not name."""

_MILLIVOLTS = {"mV": 1.0, "mv": 1.0, "uV": 1e-3, "µV": 1e-3, "μV": 1e-3, "V": 1e3}


@dataclass(frozen=True, eq=False)
class Record:
    """One ECG recording.

    Attributes:
        name: name of the record.
        fs_hz: sampling frequency.
        leads: names of the leads, in file order; choose by name, as the order varies.
        units, gain, baseline: per lead; physical value = (adu - baseline) / gain, in units.
        signal_adu: (n_samples, n_leads) integers, read-only; int16, or int32 for formats 24
            and 32. The smallest value of the type marks a missing sample.
        annotations: of the annotator that was asked for, or None.
        comments: free text of the header.
    """

    name: str
    fs_hz: float
    leads: tuple[str, ...]
    units: tuple[str, ...]
    gain: tuple[float, ...]
    baseline: tuple[int, ...]
    signal_adu: Signal
    annotations: Annotations | None = None
    comments: tuple[str, ...] = ()

    @property
    def n_samples(self) -> int:
        """Samples per lead."""
        return len(self.signal_adu)

    def columns(self, leads: Sequence[str]) -> tuple[int, ...]:
        """Columns of ``signal_adu`` that hold ``leads`` (names, or :data:`ANY_OTHER`).

        Raises:
            DataError: a lead is missing or its name is ambiguous.
        """
        others = [column for column, lead in enumerate(self.leads) if lead not in leads]
        return tuple(self._column(lead, others) for lead in leads)

    def _column(self, lead: str, others: list[int]) -> int:
        found = [column for column, name in enumerate(self.leads) if name == lead]
        if lead == ANY_OTHER:
            found = others[:1]
        if len(found) != 1:
            problem = "has several leads" if found else "has no lead"
            what = f"record {self.name} {problem} {lead!r}; its leads are {', '.join(self.leads)}"
            raise DataError(what, where=self.name, hint="choose one of its leads by name")
        return found[0]

    def adu_per_mv(self, column: int) -> float:
        """Steps of the converter in a millivolt, negative where the lead is upside down.

        Raises:
            DataError: the lead is not a voltage.
        """
        ends = np.array([[0], [1000]], np.int32)
        low, high = self.to_millivolts(ends, [column]).ravel().tolist()
        return 1000 / (high - low)

    def to_millivolts(
        self, adu: NDArray[np.integer], columns: Sequence[int]
    ) -> NDArray[np.float32]:
        """Convert ``adu`` (..., n_columns), taken from ``columns``, to mV; missing → NaN.

        Raises:
            DataError: a lead is not a voltage.
        """
        alien = {self.units[c] for c in columns} - set(_MILLIVOLTS)
        if alien:
            raise DataError(f"record {self.name} has a lead in {min(alien)}, not in mV")
        scale = [_MILLIVOLTS[self.units[c]] / self.gain[c] for c in columns]
        offset = np.array([self.baseline[c] for c in columns], np.float32)
        values: NDArray[np.float32] = adu.astype(np.float32)
        values -= offset
        values *= np.array(scale, np.float32)
        missing = adu == np.iinfo(adu.dtype).min
        if missing.any():
            values[missing] = np.nan
        return values

    def millivolts(
        self, leads: Sequence[str], start: int = 0, stop: int | None = None
    ) -> NDArray[np.float32]:
        """Samples ``start`` to ``stop`` of ``leads`` in mV: (n_leads, n_samples), channel first.

        Raises:
            DataError: a lead is missing, ambiguous or not a voltage.
        """
        columns = self.columns(leads)
        adu = self.signal_adu[start:stop, columns]
        return np.ascontiguousarray(self.to_millivolts(adu, columns).T)

    def lead(self, name: str) -> NDArray[np.float32]:
        """The whole of one lead in mV: (n_samples,). Raises as :meth:`millivolts`."""
        samples: NDArray[np.float32] = self.millivolts((name,))[0]
        return samples


def read_record(
    path: Path,
    *,
    expected_sha256: Mapping[str, str] | None = None,
    annotator: str | None = "atr",
    allow_missing: bool = False,
) -> Record:
    """Read and check one record.

    Args:
        path: the record's path without suffix, such as ``mitdb/100``.
        expected_sha256: file name → hash that the file must have, where known.
        annotator: suffix of the annotation file, or None for none.
        allow_missing: accept samples that the file marks as missing; they become NaN in mV.

    Raises:
        DataError: a file is missing or damaged, or contradicts the header.
    """
    expected = expected_sha256 or {}
    header = read_header(path.with_name(path.name + ".hea"), expected.get(f"{path.name}.hea"))
    signal = read_signal(path.parent, header, expected, allow_missing=allow_missing)
    return build_record(path.parent, header, signal, expected, annotator)


def build_record(
    folder: Path, header: Header, signal: Signal, expected: Mapping[str, str], annotator: str | None
) -> Record:
    """Join header and decoded signal with the annotations, which are read here."""
    annotations = None
    if annotator is not None:
        file = f"{header.name}.{annotator}"
        annotations = read_annotations(
            folder / file,
            n_samples=header.n_samples,
            fs_hz=header.fs_hz,
            expected_sha256=expected.get(file),
        )
    return Record(
        name=header.name,
        fs_hz=header.fs_hz,
        leads=tuple(spec.lead for spec in header.signals),
        units=tuple(spec.units for spec in header.signals),
        gain=tuple(spec.gain for spec in header.signals),
        baseline=tuple(spec.baseline for spec in header.signals),
        signal_adu=signal,
        annotations=annotations,
        comments=header.comments,
    )


def read_signal(
    folder: Path, header: Header, expected: Mapping[str, str], *, allow_missing: bool = False
) -> Signal:
    """Decode and check all signal files of a header: (n_samples, n_leads), read-only.

    Raises:
        DataError: a file is missing, has another hash or length than it must, or its samples
            differ from the header's checksum, initial value or range, or are marked missing.
    """
    specs = {file: [one for one in header.signals if one.file == file] for file in header.files}
    parts = [
        _read_file(folder / file, own, header.n_samples, expected.get(file))
        for file, own in specs.items()
    ]
    widest = np.result_type(*parts)  # a missing sample has the mark of this type in every file
    parts = [part.astype(widest, copy=False) for part in parts]
    for part, (file, own) in zip(parts, specs.items()):
        for column, spec in enumerate(own):
            _check_lead(part[:, column], spec, folder / file, allow_missing)
    signal: Signal = np.concatenate(parts, axis=1) if len(parts) > 1 else parts[0]
    signal.flags.writeable = False
    return signal


def _read_file(path: Path, specs: list[SignalSpec], n_samples: int, expected: str | None) -> Signal:
    layout, count = specs[0], n_samples * len(specs)
    size, padded = (layout.byte_offset + n for n in stored_bytes(count, layout.format))
    # The real size is compared before anything is read: a header cannot ask for memory.
    found = path.stat().st_size if path.is_file() else size
    if not size <= found <= padded:
        raise damaged(f"{path.name} holds {found} bytes, its header asks for {size}", path)
    data = read_verified(path, expected, padded)
    raw = np.frombuffer(data, np.uint8, offset=layout.byte_offset)
    return decode(raw, layout.format, count).reshape(n_samples, len(specs))


def _check_lead(
    adu: NDArray[np.integer], spec: SignalSpec, path: Path, allow_missing: bool
) -> None:
    """Compare one lead with its header; in place, give missing samples one common mark."""
    samples = np.ascontiguousarray(adu)  # several times faster to scan than one column of many
    if int(samples[0]) != spec.initial_value:
        raise damaged(f"lead {spec.lead} starts at {samples[0]}, not {spec.initial_value}", path)
    checksum = int(samples.astype(np.uint16).sum(dtype=np.uint16))
    if checksum != spec.checksum:
        raise damaged(f"checksum of lead {spec.lead} is {checksum}, not {spec.checksum}", path)
    missing = -(1 << (BITS_PER_SAMPLE[spec.format] - 1))
    low = spec.adc_zero - (1 << (spec.adc_resolution - 1))
    high = spec.adc_zero + (1 << (spec.adc_resolution - 1)) - 1
    if samples.min() >= max(low, missing + 1) and samples.max() <= high:
        return
    gaps = adu == missing
    if gaps.any() and not allow_missing:
        what = f"{gaps.sum()} of {len(adu)} samples of lead {spec.lead} are marked missing"
        raise damaged(what, path, "cut the record around them, or fill the gaps first")
    outside = ((adu < low) | (adu > high)) & ~gaps
    if outside.any():
        at = int(outside.argmax())
        what = f"lead {spec.lead} is {adu[at]} at sample {at}, outside {low} to {high}"
        raise damaged(what, path)
    adu[gaps] = np.iinfo(adu.dtype).min
