"""One family of errors: what happened with the value, where, and what to try next."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import ClassVar


class ToolkitError(Exception):
    """Base of every error that the toolkit raises on purpose.

    Args:
        what: what happened, naming the offending value.
        where: the file, key, record or step at which it happened.
        hint: what to try next, ideally a command.
    """

    exit_code: ClassVar[int] = 70

    def __init__(self, what: str, *, where: str = "", hint: str = "") -> None:
        super().__init__(what)
        self.what, self.where, self.hint = what, where, hint

    def __str__(self) -> str:
        lines = [self.what]
        if self.where:
            lines.append(f"  where: {self.where}")
        if self.hint:
            lines.append(f"  try:   {self.hint}")
        return "\n".join(lines)


class CheckFailedError(ToolkitError):
    """A check that the user asked for did not hold."""

    exit_code = 1


class ConfigError(ToolkitError):
    """A wrong option, key, type or range."""

    exit_code = 2


class DataError(ToolkitError):
    """Data that is missing or damaged."""

    exit_code = 3


class RunError(ToolkitError):
    """A run directory or checkpoint that is damaged, locked or of another kind."""

    exit_code = 4


class UnavailableError(ToolkitError):
    """A device or an optional dependency that is not there."""

    exit_code = 5


class DivergedError(ToolkitError):
    """Training that produced NaN or infinity."""

    exit_code = 6


class InterruptedRunError(ToolkitError):
    """A run stopped by a signal after saving; resumable."""

    exit_code = 75


class CancelledRunError(InterruptedRunError):
    """A run stopped by Ctrl-C after saving; resumable."""

    exit_code = 130


def closest(word: str, known: Iterable[str]) -> str:
    """A ``did you mean`` clause for ``word``, or the list of what is known.

    Returns:
        ``"did you mean 'x'?"`` when something is close, else ``"known: a, b, c"``.
    """
    names = sorted(known)
    matches = difflib.get_close_matches(word, names, n=1, cutoff=0.5)
    return f"did you mean {matches[0]!r}?" if matches else "known: " + ", ".join(names)
