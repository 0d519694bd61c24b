"""Writer of WFDB records and annotation files.

Signals are written in format 212 where the converter has 12 bits, in format 16 where it has 16, and
in format 32 where samples are int32, as those of 24-bit converters are.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from toolkit.core.errors import DataError
from toolkit.core.files import write_atomic
from toolkit.ecg.annotations import Annotations, encode_annotations
from toolkit.ecg.formats import BITS_PER_SAMPLE, encode_212
from toolkit.ecg.records import Record


def write_record(
    folder: Path,
    record: Record,
    *,
    annotator: str = "atr",
    adc_resolution: int | None = None,
    adc_zero: int = 0,
) -> Path:
    """Write a record that :func:`toolkit.ecg.records.read_record` gives back.

    Every file appears whole or not at all, the header last: without it there is no record.

    Args:
        folder: an existing folder.
        record: int16 or int32 samples; missing ones are written with the format's mark.
        annotator: suffix of the annotation file, written if the record has annotations.
        adc_resolution: bits of the converter; those of the samples' type if unset.
        adc_zero: adu in the middle of its range, which the samples must lie in.

    Returns:
        The path of the record, without suffix.

    Raises:
        DataError: a sample lies outside the range.
        RunError: the folder cannot be written.
    """
    path, bits = folder / record.name, adc_resolution or 8 * record.signal_adu.dtype.itemsize
    signal_format = 212 if bits <= 12 else 16 if bits <= 16 else 32
    stored = _stored(record, bits, adc_zero, signal_format)
    flat = stored.reshape(-1)
    data = encode_212(flat) if signal_format == 212 else flat.data.cast("B")  # a day is large
    if record.annotations is not None:
        encoded = encode_annotations(record.annotations)
        write_atomic(path.with_name(f"{record.name}.{annotator}"), encoded)
    write_atomic(path.with_name(f"{record.name}.dat"), data)
    converter = f"{signal_format} {{}} {bits} {adc_zero}"
    write_atomic(path.with_name(f"{record.name}.hea"), _header(record, stored, converter))
    return path


def write_annotations(path: Path, annotations: Annotations, fs_hz: float) -> Path:
    """Write an annotation file that states its time resolution; returns ``path``.

    The statement is the note before the first annotation that the WFDB library's ``setafreq``
    leaves: readers then know the sampling frequency without the record's header.

    Raises:
        DataError: the annotations are not in order of time or a text is too long.
        RunError: the file cannot be written.
    """
    zero = np.zeros(1, np.int64)
    stated = Annotations(
        sample=np.concatenate([zero, annotations.sample]),
        symbol=np.concatenate([['"'], annotations.symbol]),
        subtype=np.concatenate([zero, annotations.subtype]),
        chan=np.concatenate([zero, annotations.chan]),
        num=np.concatenate([zero, annotations.num]),
        aux=(f"## time resolution: {fs_hz:.12g}", *annotations.aux),
    )
    write_atomic(path, encode_annotations(stated))
    return path


def _stored(
    record: Record, bits: int, adc_zero: int, signal_format: int
) -> NDArray[np.signedinteger]:
    """The samples as their format holds them."""
    adu = np.asarray(record.signal_adu)
    known = adu != np.iinfo(adu.dtype).min
    half = 1 << (bits - 1)
    for extreme in (f(where=known, initial=adc_zero) for f in (adu.min, adu.max)):
        if not adc_zero - half <= extreme < adc_zero + half:
            what = f"sample {int(extreme)} does not fit {bits} bits around {adc_zero}"
            raise DataError(what, where=f"record {record.name}")
    mark = -1 << (BITS_PER_SAMPLE[signal_format] - 1)
    stored = "<i4" if signal_format == 32 else "<i2"
    return np.where(known, adu, mark).astype(stored, copy=False)


def _header(record: Record, stored: NDArray[np.signedinteger], converter: str) -> str:
    checksums = stored.sum(axis=0, dtype=np.int64).astype(np.int16)
    lines = [f"{record.name} {len(record.leads)} {record.fs_hz:.17g} {record.n_samples}"]
    for column, lead in enumerate(record.leads):
        gain = f"{record.gain[column]:.17g}({record.baseline[column]})/{record.units[column]}"
        start, checksum = stored[0, column], checksums[column]
        lines.append(f"{record.name}.dat {converter.format(gain)} {start} {checksum} 0 {lead}")
    lines += [f"# {comment}" for comment in record.comments]
    return "\n".join(lines) + "\n"
