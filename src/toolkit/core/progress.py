"""What long work tells whoever watches; the command line decides how that looks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class Progress(Protocol):
    """Receives the progress of a run."""

    def start(self, step: int, total: int) -> None:
        """The work begins (or goes on) at ``step`` of ``total``."""

    def update(self, step: int, metrics: Mapping[str, float]) -> None:
        """``step`` units are done; ``metrics`` are the newest figures."""

    def note(self, text: str) -> None:
        """A decision or event worth one line."""

    def stop(self) -> None:
        """The work ended, well or not."""


class Silent:
    """A Progress that says nothing."""

    def start(self, step: int, total: int) -> None: ...

    def update(self, step: int, metrics: Mapping[str, float]) -> None: ...

    def note(self, text: str) -> None: ...

    def stop(self) -> None: ...
