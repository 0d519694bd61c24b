"""A recording in a file to a folder with its gaps filled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from scipy import signal as signals

from toolkit.core.files import write_atomic, write_json
from toolkit.ecg.filling import figures
from toolkit.ecg.filling.fill import BRIDGED, FILLED, Gap, fill
from toolkit.ecg.filling.model import GapModel
from toolkit.ecg.prediction import output, page
from toolkit.ecg.prediction.analysis import find_beats
from toolkit.ecg.prediction.inputs import InputOptions, read_input
from toolkit.ecg.records import Record
from toolkit.ecg.writing import write_record

LONGEST_S = 0.5
_GAPS = "gaps.csv"


def fill_gaps(
    model: GapModel,
    path: Path,
    out: Path,
    *,
    options: InputOptions | None = None,
    leads: Sequence[str] = (),
    longest_s: float = LONGEST_S,
    to_hz: float | None = None,
) -> dict[str, Any]:
    """Read ``path``, fill what it lacks, write it as a WFDB record in the folder ``out / NAME``.

    Args:
        model: predicts gaps of beats.
        path: a WFDB record without suffix, or a CSV, NPY or MATLAB file.
        out: folder of the folders of results.
        options: what the file may not say itself.
        leads: by name or number, the main one first; empty for a choice. Others stay as they are.
        longest_s: a longer gap stays.
        to_hz: sampling frequency to write; the recording's own if unset.

    Returns:
        What ``result.json`` holds: gaps by what became of them, warnings; and the files' names.

    Raises:
        ConfigError: an option is missing or wrong, or the folder holds something else or the input.
        DataError: the recording is missing, damaged or unreadable, or has no R peak.
        RunError: the folder cannot be written.
    """
    recording = read_input(path, options or InputOptions())
    name = recording.record.name
    place = output.Place(out / name, _GAPS, recording.files)
    place.check()
    signal, at, warnings = find_beats(recording, leads, len(model.config.leads))
    filled, gaps = fill(model, signal, longest_s)
    samples = sum(gap.stop - gap.start for gap in gaps if gap.outcome in (FILLED, BRIDGED))
    written = filled if to_hz is None else _resampled(filled, to_hz)
    summary = {
        "record": name,
        "input": str(path),
        "model": model.name,
        "leads": [filled.leads[i] for i in signal.columns],
        "fs_hz": written.fs_hz,
        "beats": len(at),
        "gaps": dict(Counter(gap.outcome for gap in gaps)),
        "filled_s": round(samples / filled.fs_hz, 3),
        "warnings": [page.NO_DEVICE, "Filled samples are guesses; gaps.csv lists them.", *warnings],
        "notes": list(recording.notes),
    }
    with place.filled() as scratch:
        write_record(scratch, written)
        write_atomic(scratch / _GAPS, _table(filled, gaps))
        figures.draw(scratch / "gaps.png", filled, gaps)
        write_json(scratch / output.RESULT, summary)
        files = sorted(one.name for one in scratch.iterdir())
    return {**summary, "files": [str(out / name / one) for one in files]}


def _table(record: Record, gaps: Sequence[Gap]) -> str:
    """CSV: lead, first sample of the input, the one after the last, seconds, what became of it."""
    lines = ["lead,start,stop,start_s,stop_s,outcome"]
    for column, start, stop, outcome in gaps:
        times = f"{start / record.fs_hz:.3f},{stop / record.fs_hz:.3f}"
        lines.append(f"{record.leads[column]},{start},{stop},{times},{outcome}")
    return "\n".join(lines) + "\n"


def _resampled(record: Record, to_hz: float) -> Record:
    """``record`` at another rate; what is missing stays missing."""
    ratio = Fraction(to_hz / record.fs_hz).limit_denominator(1000)
    mark = np.iinfo(record.signal_adu.dtype).min
    missing = record.signal_adu == mark
    columns = []
    for adu, gap in zip(record.signal_adu.T, missing.T):
        where, known = np.arange(len(adu)), np.flatnonzero(~gap)
        whole = np.interp(where, known, adu[known]) if len(known) else np.zeros(len(adu))
        x = signals.resample_poly(whole, ratio.numerator, ratio.denominator, padtype="line")
        nearest = np.round(np.arange(len(x)) / float(ratio)).astype(np.int64)
        lost = gap[np.minimum(nearest, len(adu) - 1)]
        columns.append(np.where(lost, mark, np.clip(np.rint(x), mark + 1, -(mark + 1))))
    adu = np.stack(columns, axis=1).astype(record.signal_adu.dtype)
    return replace(record, fs_hz=float(record.fs_hz * ratio), signal_adu=adu)
