"""A recording in a file to a folder of results."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from toolkit.ecg.prediction import output, page
from toolkit.ecg.prediction.analysis import analyse
from toolkit.ecg.prediction.classification import BeatModel
from toolkit.ecg.prediction.inputs import InputOptions, read_input


def predict(
    model: BeatModel,
    path: Path,
    out: Path,
    *,
    options: InputOptions | None = None,
    leads: Sequence[str] = (),
    abstain: float = 0.0,
) -> dict[str, Any]:
    """Read ``path``, find and classify its beats, write the folder ``out / NAME``.

    Args:
        model: the classifier.
        path: a WFDB record without suffix, or a CSV, NPY or MATLAB file.
        out: folder of the folders of results.
        options: what the file may not say itself.
        leads: by name or number, the main one first; empty for a choice.
        abstain: beats whose class is less probable than this stay Q.

    Returns:
        What ``result.json`` holds: counts, burden, episodes, warnings; and the files' names.

    Raises:
        ConfigError: an option is missing or wrong, or the folder holds something else or the input.
        DataError: the recording is missing, damaged or unreadable, or has no R peak.
        RunError: the folder cannot be written.
    """
    recording = read_input(path, options or InputOptions())
    folder = out / recording.record.name
    place = output.Place(folder, output.BEATS, recording.files)
    place.check()
    found = analyse(model, recording, leads, abstain)
    summary = {
        "record": recording.record.name,
        "input": str(path),
        "model": model.name,
        "abstain": abstain,
        **found.summary(),
        "episodes": [one.to_json() for one in found.episodes],
        "warnings": [page.NO_DEVICE, *found.warnings],
        "notes": list(recording.notes),
    }
    with place.filled() as scratch:
        names = output.write_files(scratch, found, summary)
        page.write_page(scratch / "report.html", model, found, summary)
    return {**summary, "files": [str(folder / name) for name in [*names, "report.html"]]}
