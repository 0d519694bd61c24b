"""Writer of WFDB records and annotation files.

Signals are written in format 212 where the samples fit into 12 bits, else in format 16.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from toolkit.core.errors import DataError
from toolkit.core.files import write_atomic
from toolkit.ecg.annotations import Annotations, encode_annotations
from toolkit.ecg.formats import encode_212
from toolkit.ecg.records import Record


def write_record(
    folder: Path,
    record: Record,
    *,
    annotator: str = "atr",
    adc_resolution: int = 16,
    adc_zero: int = 0,
) -> Path:
    """Write a record that :func:`toolkit.ecg.records.read_record` gives back.

    Every file appears whole or not at all, the header last: without it there is no record.

    Args:
        folder: an existing folder.
        record: int16 samples; missing ones are written with the format's mark.
        annotator: suffix of the annotation file, written if the record has annotations.
        adc_resolution: bits of the converter, up to 12 for format 212, up to 16 else.
        adc_zero: adu in the middle of its range, which the samples must lie in.

    Returns:
        The path of the record, without suffix.

    Raises:
        DataError: a sample lies outside the range.
        RunError: the folder cannot be written.
    """
    path = folder / record.name
    stored, signal_format = _stored(record, adc_resolution, adc_zero)
    flat = stored.reshape(-1)
    data = encode_212(flat) if signal_format == 212 else flat.astype("<i2").tobytes()
    if record.annotations is not None:
        encoded = encode_annotations(record.annotations)
        write_atomic(path.with_name(f"{record.name}.{annotator}"), encoded)
    write_atomic(path.with_name(f"{record.name}.dat"), data)
    converter = f"{signal_format} {{}} {adc_resolution} {adc_zero}"
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


def _stored(record: Record, adc_resolution: int, adc_zero: int) -> tuple[NDArray[np.int16], int]:
    """The samples as their format holds them, and the format."""
    is_short = adc_resolution <= 12
    adu = np.asarray(record.signal_adu)
    missing = adu == np.iinfo(adu.dtype).min
    half = 1 << (adc_resolution - 1)
    outside = ~missing & ((adu < adc_zero - half) | (adu >= adc_zero + half))
    if outside.any():
        what = f"sample {int(adu[outside][0])} does not fit {adc_resolution} bits around {adc_zero}"
        raise DataError(what, where=f"record {record.name}")
    mark = -2048 if is_short else -32768
    return np.where(missing, mark, adu).astype(np.int16), 212 if is_short else 16


def _header(record: Record, stored: NDArray[np.int16], converter: str) -> str:
    checksums = stored.sum(axis=0, dtype=np.int64).astype(np.int16)
    lines = [f"{record.name} {len(record.leads)} {record.fs_hz:.17g} {record.n_samples}"]
    for column, lead in enumerate(record.leads):
        gain = f"{record.gain[column]:.17g}({record.baseline[column]})/{record.units[column]}"
        start, checksum = stored[0, column], checksums[column]
        lines.append(f"{record.name}.dat {converter.format(gain)} {start} {checksum} 0 {lead}")
    lines += [f"# {comment}" for comment in record.comments]
    return "\n".join(lines) + "\n"
