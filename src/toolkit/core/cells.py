"""The cells of a comparison: ordinary runs below one folder, made, run in batches and read again.

A stopped comparison goes on where it was, and every figure of its table can be traced to a run.
What another comparison beside it has finished with the same settings is taken over, so that arms,
networks or draws can be added without paying for the old ones again.
"""

from __future__ import annotations

import re
import secrets
import shutil
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from threading import Event, Thread
from typing import Any

from toolkit.core.config import RunConfig
from toolkit.core.errors import CheckFailedError, RunError
from toolkit.core.executor import Executor, Job, stopped_by_signals
from toolkit.core.files import is_file, saving, write_atomic
from toolkit.core.progress import Progress
from toolkit.core.run import Run

_TELL_S = 30.0  # between two lines on how far it is
_BATCH = 10  # runs of one process at most: starting one costs as much as a small run


@dataclass(frozen=True)
class Cell:
    """One run of a comparison."""

    path: Path
    verb: str
    config: RunConfig

    @property
    def is_finished(self) -> bool:
        """Whether there is a result, and not that of a run that was only paused."""
        return _is_finished(Run(self.path))

    @property
    def result(self) -> Mapping[str, Any] | None:
        """What it gave, if it is finished."""
        return Run(self.path).result if self.is_finished else None


@dataclass(frozen=True)
class Workshop:
    """Where the cells of ``app`` lie, how many batches run at once, and hashes of their data."""

    folder: Path
    app: str
    progress: Progress
    workers: int = 1
    data: Mapping[str, Any] = field(default_factory=dict)

    def work(self, executor: Executor, stage: str, cells: Sequence[Cell]) -> None:
        """Run those of ``cells`` that are not finished.

        Raises:
            CheckFailedError: a cell failed; names its log.
            InterruptedRunError: a signal came; the same command goes on.
            RunError: a cell holds a run of other settings.
        """
        for cell in cells:
            if cell.path.exists():
                check_settings(cell.path, cell.config)
        lacking = [cell for cell in cells if not cell.is_finished]
        todo = [cell for cell in lacking if not self._taken_over(cell)]
        taken = f", {len(lacking) - len(todo)} taken over" if len(todo) < len(lacking) else ""
        before = len(cells) - len(lacking)
        self.progress.note(f"{stage}: {len(cells)} runs, {before} finished before{taken}")
        for cell in todo:
            if not cell.path.exists():
                Run.create(self.folder, self.app, cell.verb, cell.config, path=cell.path)
        size = min(_BATCH, -(-len(todo) // self.workers))  # all workers shall have some
        jobs = [self._job(stage, todo[i : i + size]) for i in range(0, len(todo), size or 1)]
        codes: dict[str, int] = {}

        def ended(job: Job, code: int) -> None:
            codes[job.name] = code

        with (
            self._told(stage, cells) if jobs else nullcontext(),
            stopped_by_signals(executor, str(self.folder), "the same command goes on"),
        ):
            executor.run(jobs, lambda job: None, ended)
        if any(codes.values()):
            failed = next(job for job in jobs if codes.get(job.name))
            what = f"{stage}: a batch of runs failed with exit code {codes[failed.name]}"
            raise CheckFailedError(what, where=str(failed.log), hint="the same command goes on")

    @contextmanager
    def _told(self, stage: str, cells: Sequence[Cell]) -> Iterator[None]:
        """Say now and then how many of ``cells`` are finished and how long the others may take."""
        begun, before, over = time.monotonic(), _finished(cells), Event()

        def tell() -> None:
            told = before
            while not over.wait(_TELL_S):
                done = _finished(cells)
                if told < done < len(cells):  # of all of them the end speaks
                    left_s = (time.monotonic() - begun) / (done - before) * (len(cells) - done)
                    of_all = f"{stage}: {done} of {len(cells)} runs"
                    self.progress.note(f"{of_all}, about {max(1, round(left_s / 60))} min left")
                told = done

        thread = Thread(target=tell, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
            self.progress.note(f"{stage}: {_finished(cells)} of {len(cells)} runs")

    def _taken_over(self, cell: Cell) -> bool:
        """Copy ``cell`` from a comparison beside this one, if its run there is the same.

        The same settings, also of what it builds on, the same data and version of the toolkit.
        """
        if cell.path.exists():  # begun here, it goes on here
            return False
        place = cell.path.relative_to(self.folder)
        asked = _settings(self.folder, cell.config.to_toml())
        for there in _folders(self.folder.parent):
            if _finished_with(there, place, self.data) == asked:
                self._copy(there / place, cell)
                return True
        return False

    def _copy(self, source: Path, cell: Cell) -> None:
        draft = cell.path.with_name(f".tmp-{cell.path.name}-{secrets.token_hex(4)}")
        with saving(cell.path):
            try:
                shutil.copytree(source, draft)
                write_atomic(draft / "config.toml", cell.config.to_toml())  # builds on what is here
                draft.rename(cell.path)
            finally:
                shutil.rmtree(draft, ignore_errors=True)

    def _job(self, stage: str, cells: Sequence[Cell]) -> Job:
        runs = [str(cell.path) for cell in cells]
        name = cells[0].path.name
        log = self.folder / f"{stage.replace(' ', '-')}-{name}.log"
        return Job(name, [sys.executable, "-m", "toolkit", "runs", "resume", *runs], log)


def check_settings(path: Path, config: RunConfig) -> None:
    """Refuse a run at ``path`` that is not the one of ``config``.

    Raises:
        RunError: says how it came to be another one.
    """
    found = Run(path).config(type(config))
    if found == config:
        return
    what = "this cell was run with other settings: a file or preset has changed since"
    if found == config.extended(found.steps):
        what = f"a resume has taken this cell from {config.steps} to {found.steps} steps"
    raise RunError(what, where=str(path), hint="choose another --runs-dir")


def _is_finished(run: Run) -> bool:
    try:
        return run.status["state"] == "finished" and is_file(run.path / "result.json")
    except RunError:  # none there, damaged, or not ours to read
        return False


def _folders(parent: Path) -> list[Path]:
    try:
        return sorted(parent.iterdir())
    except OSError:  # one that may be entered, not listed
        return []


def _finished(cells: Sequence[Cell]) -> int:
    return sum(cell.is_finished for cell in cells)


def _finished_with(folder: Path, place: Path, data: Mapping[str, Any]) -> list[str] | None:
    """Settings of the run ``place`` of another comparison; None if it is of no use here.

    It is not where there is none, unfinished, of other data or another version, or damaged.
    """
    run = Run(folder / place)
    if not _is_finished(run):
        return None
    try:
        is_whole = run.result is not None and not run.changed_data(data)
        is_same = is_whole and run.environment["toolkit"] == version("toolkit")
        return _settings(folder, (run.path / "config.toml").read_text()) if is_same else None
    except (RunError, OSError, KeyError, UnicodeDecodeError):
        return None


def _settings(folder: Path, text: str) -> list[str]:
    """The settings ``text`` of a run below ``folder``, and those of the runs there it builds on."""
    own = str(folder.resolve())
    built_on = [Path(path) for path in re.findall(f'"({re.escape(own)}/[^"]+)"', text)]
    files = [path / "config.toml" for path in built_on if (path / "config.toml").is_file()]
    inner = [part for file in files for part in _settings(folder, file.read_text())]
    return [text.replace(own, "."), *inner]
