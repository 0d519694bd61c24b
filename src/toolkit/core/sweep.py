"""One command over seeds and settings, each cell an ordinary run directory.

A sweep's folder holds its cells (``seed-3``, ``lr=0.1,seed-3``), what each said (``seed-3.log``)
and ``sweep.json``. The same sweep again leaves finished cells alone and goes on with the others;
more seeds or values add cells.
"""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.core import rng, statistics
from toolkit.core.errors import CheckFailedError
from toolkit.core.executor import Executor, Job, stopped_by_signals
from toolkit.core.files import saving, write_json
from toolkit.core.grid import Cell
from toolkit.core.progress import Progress
from toolkit.core.run import Run

_HEADLINE = 4  # figures told when a cell ends


@dataclass(frozen=True)
class Sweep:
    """Cells and how they are run.

    Args:
        folder: where the cells lie.
        cells: as from :func:`toolkit.core.grid.expand`.
        command: what trains a cell, from nothing or from wherever it is.
        facts: what ``sweep.json`` shall say besides.
    """

    folder: Path
    cells: Sequence[Cell]
    command: Callable[[Cell], Sequence[str]]
    facts: Mapping[str, Any] = field(default_factory=dict)

    def run(self, executor: Executor, progress: Progress) -> dict[str, Any]:
        """Run all unfinished cells, failing ones not stopping others; returns ``sweep.json``.

        Raises:
            InterruptedRunError: a signal came; the cells that ran have saved.
            RunError: another process runs this sweep, or its folder cannot be written.
        """
        with saving(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        with Run(self.folder).locked():
            codes = self._work(executor, progress)
            rows = [_row(cell, codes.get(cell.name)) for cell in self.cells]
            report = {**self.facts, "cells": rows, "summary": aggregate(self.cells)}
            write_json(self.folder / "sweep.json", report)
        return report

    def _work(self, executor: Executor, progress: Progress) -> dict[str, int]:
        todo = {cell.name: cell for cell in self.cells if cell.result is None}
        skipped = len(self.cells) - len(todo)
        progress.note(f"sweep {self.folder}  {len(self.cells)} cells, {skipped} finished before")
        codes: dict[str, int] = {}

        def started(job: Job) -> None:
            progress.note(f"{job.name}  started")

        def ended(job: Job, code: int) -> None:
            codes[job.name] = code
            told = fate(code) if code else _headline(todo[job.name])
            progress.note(f"{job.name}  {told}  ({skipped + len(codes)} of {len(self.cells)})")

        jobs = [self._job(cell) for cell in todo.values()]
        with stopped_by_signals(executor, str(self.folder), "the same command goes on"):
            executor.run(jobs, started, ended)
        return codes

    def _job(self, cell: Cell) -> Job:
        has_saved = Run(cell.path).checkpoints.exists()  # then the cell itself says what it lacks
        if cell.path.is_dir() and not cell.exists and not has_saved:
            shutil.rmtree(cell.path)  # killed before it was made: nothing is lost
        return Job(cell.name, self.command(cell), cell.log)


def _row(cell: Cell, code: int | None) -> dict[str, Any]:
    result = cell.result
    return {
        "name": cell.name,
        "seed": cell.seed,
        "settings": dict(cell.settings),
        "run": str(cell.path),
        "log": str(cell.log),
        "state": "unfinished" if result is None else "finished",
        "exit_code": code,  # None: it was finished before
        "scalars": scalars(result or {}),
    }


def _headline(cell: Cell) -> str:
    result = cell.result
    if result is None:
        return "stopped before its end"
    named = result.get("headline")
    known = {k: v for k, v in scalars(result).items() if k != "trained_s"}
    figures = {k: v for k, v in known.items() if (k in named if named else isinstance(v, float))}
    chosen = itertools.islice(figures.items(), _HEADLINE)
    return "  ".join(["finished", *(f"{key} {value:.4g}" for key, value in chosen)])


def fate(code: int) -> str:
    """What an exit code other than 0 means."""
    return f"killed by signal {-code}" if code < 0 else f"exit code {code}"


def scalars(result: Mapping[str, Any]) -> dict[str, float]:
    """The measured numbers of a result; those one level down are called ``group.name``."""
    flat: dict[str, Any] = {}
    for key, value in result.items():
        if key == "seed":
            continue
        inner = value.items() if isinstance(value, Mapping) else ()
        flat |= {key: value, **{f"{key}.{name}": item for name, item in inner}}
    numbers = (int, float)
    return {k: v for k, v in flat.items() if isinstance(v, numbers) and not isinstance(v, bool)}


def aggregate(cells: Iterable[Cell]) -> dict[str, dict[str, dict[str, Any]]]:
    """For each grid point and scalar: n, mean, sd, 95 % bootstrap interval of the mean."""
    values: dict[str, dict[str, list[float]]] = {}
    for cell in cells:
        point = values.setdefault(cell.point, {})
        for name, value in scalars(cell.result or {}).items():
            point.setdefault(name, []).append(value)
    return {
        point: {name: spread(numbers) for name, numbers in metrics.items()}
        for point, metrics in values.items()
    }


def spread(values: Sequence[float]) -> dict[str, Any]:
    """Number, mean, sample deviation and 95 % bootstrap interval of the mean of seeds' values."""
    interval = statistics.seeds_interval([values], "mean", rng=rng.generator(0, "sweep")).to_json()
    sd = float(np.std(values, ddof=1)) if len(values) > 1 else None
    low, high = interval["low"], interval["high"]
    return {"n": len(values), "mean": interval["estimate"], "sd": sd, "low": low, "high": high}


def refuse_failures(report: Mapping[str, Any]) -> None:
    """Say which cells failed, if any did.

    Raises:
        CheckFailedError: names them, their exit codes and their logs.
    """
    failed = [row for row in report["cells"] if row["exit_code"]]
    if failed:
        names = ", ".join(f"{row['name']} ({fate(row['exit_code'])})" for row in failed)
        raise CheckFailedError(
            f"{len(failed)} of {len(report['cells'])} cells failed: {names}",
            where=", ".join(row["log"] for row in failed),
            hint="the same command goes on with what is not finished",
        )
