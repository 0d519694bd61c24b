"""What a run remembers of its episodes and evaluations, and their files."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from toolkit.core.files import write_atomic


class Episode(NamedTuple):
    """A finished episode of training; its return is that of noisy actions."""

    step: int  # of the run, at its end
    environment: int
    total: float
    length: int
    terminated: bool
    time_s: float  # trained


class Judged(NamedTuple):
    """An evaluation: returns (episodes,) and lengths of the modes' episodes."""

    step: int
    returns: list[float]
    lengths: list[int]


def write_returns(folder: Path, episodes: Sequence[Episode], judged: Sequence[Judged]) -> None:
    """``episodes.csv`` and ``evaluations.csv``: every return, one a row."""
    header = ["step", "environment", "return", "length", "terminated", "time_s"]
    assert len(header) == len(Episode._fields)
    _write(folder / "episodes.csv", header, episodes)
    rows = [
        (one.step, k, total, length)
        for one in judged
        for k, (total, length) in enumerate(zip(one.returns, one.lengths))
    ]
    _write(folder / "evaluations.csv", ["step", "episode", "return", "length"], rows)


def _write(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([int(v) if isinstance(v, bool) else v for v in row] for row in rows)
    write_atomic(path, text.getvalue())
