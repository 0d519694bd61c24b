"""The files of one prediction: they appear together, in one rename, or not at all."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.core.errors import ConfigError
from toolkit.core.files import saving, sync_folder, write_atomic, write_json
from toolkit.ecg.annotations import Annotations
from toolkit.ecg.beats import CLASSES
from toolkit.ecg.prediction.analysis import Analysis
from toolkit.ecg.prediction.quality import Intervals, union
from toolkit.ecg.writing import write_annotations, write_record

ANNOTATOR = "ann"
RESULT = "result.json"
BEATS = "beats.csv"
_SHOWN = 4  # N, S, V, F: Q is never claimed by a model


@dataclass(frozen=True)
class Place:
    """A folder for the results of one input.

    Attributes:
        folder: where they come to lie.
        table: a file that every result of this task holds, and none of another.
        inputs: the files that are read.
    """

    folder: Path
    table: str
    inputs: tuple[Path, ...]

    def check(self) -> None:
        """Refuse to write over what is no earlier result of this task, or holds its input.

        Raises:
            ConfigError: the folder is a file, holds something else, or an input.
        """
        out = self.folder
        if not out.exists():
            return
        hint = "name another folder"
        is_ours = out.is_dir() and (not any(out.iterdir()) or self._is_earlier())
        if not is_ours:
            what = f"{out} is there already and is no earlier prediction of this task"
            raise ConfigError(what, where="--out", hint=hint)
        inside = [path for path in self.inputs if path.resolve().is_relative_to(out.resolve())]
        if inside:
            what = f"{inside[0]} lies in {out}, which the results would replace"
            raise ConfigError(what, where="--out", hint=hint)

    def _is_earlier(self) -> bool:
        return all((self.folder / name).is_file() for name in (RESULT, self.table))

    @contextmanager
    def filled(self) -> Iterator[Path]:
        """A scratch folder that takes the place of the folder if the block succeeds.

        An earlier result of this task is replaced; anything else there is left alone.

        Raises:
            ConfigError: as :meth:`check`.
            RunError: it cannot be written.
        """
        self.check()
        out = self.folder
        with saving(out):
            out.parent.mkdir(parents=True, exist_ok=True)
            scratch = Path(tempfile.mkdtemp(dir=out.parent, prefix=".tmp-"))
            try:
                fresh, old = scratch / "new", scratch / "old"
                fresh.mkdir()
                yield fresh
                if out.exists():
                    out.replace(old)
                fresh.replace(out)
                sync_folder(out.parent)
            finally:
                shutil.rmtree(scratch, ignore_errors=True)


def write_files(folder: Path, found: Analysis, summary: dict[str, Any]) -> list[str]:
    """Annotations, header (and signal, where the input was no WFDB record), tables, result.

    Returns:
        The names of the files.

    Raises:
        RunError: the folder cannot be written.
    """
    record = found.recording.record
    annotations = write_annotations(
        folder / f"{record.name}.{ANNOTATOR}", to_annotations(found), record.fs_hz
    )
    if found.recording.source.suffix == ".hea":
        write_atomic(folder / f"{record.name}.hea", found.recording.source.read_bytes())
    else:
        write_record(folder, record)
    write_atomic(folder / BEATS, beat_table(found))
    write_atomic(folder / "episodes.csv", episode_table(found))
    write_json(folder / RESULT, summary)
    return sorted(path.name for path in folder.iterdir() if path.is_file() and annotations)


def to_annotations(found: Analysis) -> Annotations:
    """Beats by their class, and ``~`` where reading stops (subtype −1) and resumes (0)."""
    signal = found.signal
    stretches = union(*(one.all for one in signal.unreadable), signal.gaps)
    marks, subtype, aux = _marks(stretches, signal.n_samples, found)
    sample = np.concatenate([found.sample, marks])
    order = np.argsort(sample, kind="stable")
    symbol = np.concatenate([np.array(CLASSES)[found.label], np.full(len(marks), "~")])
    texts = (*[""] * len(found.sample), *aux)
    zeros = np.zeros(len(sample), np.int64)
    subtypes = np.concatenate([np.zeros(len(found.sample), np.int64), subtype])
    return Annotations(
        sample[order],
        symbol[order],
        subtypes[order],
        zeros,
        zeros,
        tuple(texts[i] for i in order.tolist()),
    )


def _marks(
    stretches: Intervals, n_samples: int, found: Analysis
) -> tuple[Intervals, Intervals, tuple[str, ...]]:
    """Changes of signal quality: sample, subtype and text of each.

    A subtype other than −1 has bits 4 and on for leads that cannot be read (ecgcodes.h).
    """
    edges = np.unique(
        np.concatenate([stretches.ravel(), *(u.all.ravel() for u in found.signal.unreadable)])
    )
    edges = edges[edges < n_samples]
    lost = np.zeros(len(edges), np.int64)
    for lead, one in enumerate(found.signal.unreadable):
        index = np.searchsorted(one.all[:, 0], edges, side="right") - 1
        inside = (index >= 0) & (edges < np.append(one.all[:, 1], 0)[index])
        lost += inside.astype(np.int64) << (4 + min(lead, 1))
    every = sum(1 << (4 + lead) for lead in range(min(2, len(found.signal.columns))))
    subtype = np.where(lost == every, -1, lost)
    names = {0: "readable", -1: "unreadable"}
    return edges, subtype, tuple(names.get(int(s), "one lead unreadable") for s in subtype)


def beat_table(found: Analysis) -> str:
    """CSV of the beats: sample, time, class, probabilities, interval before, note."""
    head = ["sample", "time_s", "class", *(f"p_{name}" for name in CLASSES[:_SHOWN])]
    lines = [",".join([*head, "rr_ms", "note"])]
    names = [CLASSES[i] for i in found.label.tolist()]
    columns = (
        found.sample.tolist(),
        found.time_s.tolist(),
        names,
        found.probabilities[:, :_SHOWN].tolist(),
        (1000 * found.rr_s).tolist(),
        found.note.tolist(),
    )
    for sample, time_s, name, shares, rr_ms, note in zip(*columns):
        known = ",".join(f"{p:.3f}" if p == p else "" for p in shares)
        interval = f"{rr_ms:.0f}" if rr_ms == rr_ms else ""
        lines.append(f"{sample},{time_s:.3f},{name},{known},{interval},{note}")
    return "\n".join(lines) + "\n"


def episode_table(found: Analysis) -> str:
    """CSV of the episodes."""
    lines = ["kind,start_s,end_s,beats,rate_bpm,longest_rr_s,note"]
    for one in found.episodes:
        rate = "" if one.rate_bpm is None else f"{one.rate_bpm:.0f}"
        times = f"{one.start_s:.3f},{one.end_s:.3f}"
        lines.append(f"{one.kind},{times},{one.beats},{rate},{one.longest_rr_s:.3f},{one.note}")
    return "\n".join(lines) + "\n"
