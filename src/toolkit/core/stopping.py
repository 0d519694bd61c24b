"""Signals to a training: it saves and leaves, soon, however often it is asked."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Literal

from toolkit.core.errors import InterruptedRunError

PATIENCE_S = 8.0  # from a signal until a step that does not end is left


class Stopping:
    """The first SIGTERM or SIGINT that came, and what it must wait for.

    Args:
        interruption: the error that leaves with what is saved.
        is_alone: whether no other process trains with this one.

    Attributes:
        number: of the signal; None as long as none came.
        phase: a step is finished if it ends soon, a save always; a finish has nothing to wait for.
        is_left: whether something was broken off; it may fail in a way of its own then, for what is
            raised below a call from C, as in numba's compiler, is lost there.
    """

    def __init__(self, interruption: Callable[[], InterruptedRunError], is_alone: bool) -> None:
        self.number: int | None = None
        self.phase: Literal["step", "save", "finish"] = "step"
        self.is_left = False
        self._interruption, self._is_alone = interruption, is_alone

    @contextmanager
    def heeded(self) -> Iterator[None]:
        """First SIGTERM or SIGINT: finish the step, save, leave. A SIGINT after it: leave at once.

        A SIGTERM after it is the same stop from another side: from a service manager and from the
        sweep that it stops as well. A step or evaluation that takes long is not waited for: what
        was saved before it stands.
        """
        watched = {
            signal.SIGTERM: self._remember,
            signal.SIGINT: self._remember,
            signal.SIGALRM: self._leave,
        }
        self._before = {number: signal.signal(number, how) for number, how in watched.items()}
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            for number, handler in self._before.items():
                signal.signal(number, handler)

    def _remember(self, number: int, _frame: FrameType | None) -> None:
        if self.number is not None:
            return
        self.number = number
        # several processes get SIGINT twice too: from the terminal and from their launcher
        if self._is_alone:
            signal.signal(signal.SIGINT, self._before[signal.SIGINT])
            signal.setitimer(signal.ITIMER_REAL, PATIENCE_S)
        if self.phase == "finish":
            self._break_off()

    def _leave(self, _number: int, _frame: FrameType | None) -> None:
        if self.phase != "save":
            self._break_off()

    def _break_off(self) -> None:
        self.is_left = True
        raise self._interruption()
