"""Progress on stderr: one bar on a terminal, a plain line every few seconds elsewhere."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Mapping

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

from toolkit.core.progress import Progress as ProgressProtocol

_LINE_S = 5.0


def for_stderr() -> ProgressProtocol:
    """The progress display that fits where stderr goes."""
    return Bar() if sys.stderr.isatty() else Lines()


def _text(metrics: Mapping[str, float]) -> str:
    return "  ".join(f"{key} {value:.4g}" for key, value in metrics.items())


class Bar:
    """A rich progress bar with the newest figures beside it."""

    def __init__(self) -> None:
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[figures]}"),
            console=Console(stderr=True),
        )
        self._figures: dict[str, float] = {}

    def start(self, step: int, total: int) -> None:
        """Show the bar."""
        self._bar.start()
        self._task = self._bar.add_task("training", total=total, completed=step, figures="")

    def update(self, step: int, metrics: Mapping[str, float]) -> None:
        """Move the bar."""
        self._figures.update(metrics)
        self._bar.update(self._task, completed=step, figures=_text(self._figures))

    def note(self, text: str) -> None:
        """Print a line above the bar."""
        self._bar.console.print(text, highlight=False)

    def stop(self) -> None:
        """Leave the bar as it stands."""
        self._bar.stop()


class Lines:
    """Plain lines without control characters, for logs."""

    def __init__(self) -> None:
        self._total, self._last = 0, 0.0
        self._figures: dict[str, float] = {}

    def start(self, step: int, total: int) -> None:
        """Say where the work begins."""
        self._total = total
        self.note(f"step {step} of {total}")

    def update(self, step: int, metrics: Mapping[str, float]) -> None:
        """Print a line when the last one is old enough, and at the end."""
        self._figures.update(metrics)
        now = time.monotonic()
        if now - self._last >= _LINE_S:
            self._last = now
            self.note(f"step {step} of {self._total}  {_text(self._figures)}")

    def note(self, text: str) -> None:
        """Print a line; a run does not end because nobody reads its log any more."""
        with contextlib.suppress(OSError):
            print(text, file=sys.stderr, flush=True)

    def stop(self) -> None:
        """Nothing to clear away."""
