"""Bytes of a fetch on stderr: one bar on a terminal, a plain line every few seconds elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from toolkit.data.store import Dataset

_LINE_S = 5.0


@contextmanager
def fetch_progress(dataset: Dataset) -> Iterator[Callable[[str, int, int | None], None]]:
    """A callback that shows the bytes of a fetch on stderr: a bar, or a line now and then."""
    done: dict[str, int] = {}
    show = _bar(dataset) if sys.stderr.isatty() else _lines(dataset)
    with show as update:

        def progress(file: str, so_far: int, _total: int | None) -> None:
            done[file] = so_far
            update(sum(done.values()), file)

        yield progress


@contextmanager
def _bar(dataset: Dataset) -> Iterator[Callable[[int, str], None]]:
    words, console = TextColumn("{task.description}"), Console(stderr=True)
    with Progress(
        words, BarColumn(), DownloadColumn(), TimeRemainingColumn(), console=console
    ) as bar:
        task = bar.add_task(dataset.name, total=dataset.size or None)
        yield lambda done, file: bar.update(
            task, completed=done, description=f"{dataset.name} {file}"
        )


@contextmanager
def _lines(dataset: Dataset) -> Iterator[Callable[[int, str], None]]:
    last = time.monotonic()

    def update(done: int, file: str) -> None:
        nonlocal last
        if time.monotonic() - last >= _LINE_S:
            last = time.monotonic()
            text = f"{dataset.name}: {done / 1e6:.1f} of {dataset.size / 1e6:.1f} MB ({file})"
            click.echo(text, err=True)

    yield update
