"""Where the jobs of a sweep run: each a command of its own, some at once, none stopping another."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Protocol

from toolkit.core.errors import CancelledRunError, InterruptedRunError
from toolkit.core.files import saving

ONE_THREAD = {  # side by side, jobs of several threads each would only wait for one another
    f"{library}_NUM_THREADS": "1" for library in ("OMP", "MKL", "OPENBLAS", "NUMBA", "NUMEXPR")
}


def stop_signal(at_once: bool) -> int:
    """What asks a job to leave: SIGTERM lets it save, however often; a SIGINT after it does not."""
    return signal.SIGINT if at_once else signal.SIGTERM


@dataclass(frozen=True)
class Job:
    """A command and the file that gets what it says on stderr."""

    name: str
    command: Sequence[str]
    log: Path


def launch(
    job: Job, environment: Mapping[str, str], folder: Path | None = None
) -> subprocess.Popen[bytes]:
    """Start ``job`` in ``folder``, by default the present one.

    In a process group of its own: Ctrl-C at the terminal reaches the sweep alone, which asks each
    job to save and leave.
    """
    path = (folder or Path()) / job.log
    with saving(path), path.open("ab") as log:
        return subprocess.Popen(
            job.command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,
            env=dict(environment),
            cwd=folder,
            process_group=0,
        )


class Executor(Protocol):
    """Runs jobs; another place than this machine is another implementation."""

    def run(
        self,
        jobs: Sequence[Job],
        started: Callable[[Job], None],
        ended: Callable[[Job, int], None],
    ) -> None:
        """Run all ``jobs``, telling of each start and each exit code, until done or stopped.

        ``ended`` is called in the caller's thread, ``started`` in any.
        """

    def stop(self, *, at_once: bool = False) -> None:
        """Start no more jobs and ask the running ones to leave, saving first unless ``at_once``.

        May be called again; ``at_once`` has a meaning only then.
        """


class LocalPool:
    """Processes on this machine, ``workers`` at once."""

    def __init__(self, workers: int, environment: Mapping[str, str] | None = None) -> None:
        self.workers = workers
        self._environment = {**os.environ, **(environment or ONE_THREAD)}
        self._running: set[subprocess.Popen[bytes]] = set()
        self._stopping = False
        self._lock = threading.RLock()  # re-entrant: a second signal may interrupt stop()

    def run(
        self,
        jobs: Sequence[Job],
        started: Callable[[Job], None],
        ended: Callable[[Job, int], None],
    ) -> None:
        """See :class:`Executor`; a job that a stop kept from starting has no end."""
        with ThreadPoolExecutor(self.workers) as pool:
            futures = {pool.submit(self._execute, job, started): job for job in jobs}
            for future in as_completed(futures):
                code = future.result()
                if code is not None:
                    ended(futures[future], code)

    def stop(self, *, at_once: bool = False) -> None:
        """See :class:`Executor`."""
        with self._lock:
            self._stopping = True
            for process in self._running:
                process.send_signal(stop_signal(at_once))

    def _execute(self, job: Job, started: Callable[[Job], None]) -> int | None:
        with self._lock:
            if self._stopping:
                return None
            process = launch(job, self._environment)
            self._running.add(process)
        started(job)
        try:
            return process.wait()
        finally:
            with self._lock:
                self._running.discard(process)


@contextmanager
def stopped_by_signals(executor: Executor, where: str, hint: str) -> Iterator[None]:
    """SIGINT or SIGTERM inside the block stop ``executor``; the block's end then raises.

    A SIGINT after the first signal does not wait until all have saved.

    Raises:
        CancelledRunError: SIGINT came.
        InterruptedRunError: SIGTERM came.
    """
    received: list[int] = []

    def stop(number: int, _frame: FrameType | None) -> None:
        executor.stop(at_once=bool(received) and number == signal.SIGINT)
        received.append(number)

    before = {n: signal.signal(n, stop) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if received:
        error = CancelledRunError if received[0] == signal.SIGINT else InterruptedRunError
        raise error("stopped by a signal; what ran has saved", where=where, hint=hint)
