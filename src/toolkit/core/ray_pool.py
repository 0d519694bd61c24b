"""The jobs of a sweep on a Ray cluster: each in an actor, which gets a core wherever one is free.

All machines need this environment, and the folder of the runs, under the same paths: what a job
leaves is files.
"""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from toolkit.core.errors import ConfigError, RunError, UnavailableError
from toolkit.core.executor import ONE_THREAD, Job, launch, stop_signal

_POLL_S = 0.5  # how long a signal may wait
_REACH_S = 5.0
_LOST = -9  # exit code of a job whose machine or actor is gone


class Worker:
    """One process, where Ray put it; ``stop`` reaches it while ``wait`` waits."""

    def begin(self, job: Job, environment: Mapping[str, str], folder: Path) -> None:
        """Start it in ``folder``."""
        self._process: subprocess.Popen[bytes] = launch(job, environment, folder)

    def wait(self) -> int:
        """Its exit code, once it has ended."""
        return self._process.wait()

    def stop(self, at_once: bool) -> None:
        """Ask it to leave."""
        self._process.send_signal(stop_signal(at_once))


class RayPool:
    """Processes on the machines of a Ray cluster, as many at once as it has cores.

    Args:
        workers: cores of a new cluster on this machine, where ``address`` names none.
        address: of a running cluster, ``HOST:PORT`` of its head or ``auto``.

    Raises:
        UnavailableError: Ray is not installed.
        ConfigError: there is no cluster at ``address``.
    """

    def __init__(self, workers: int, address: str | None = None) -> None:
        self._ray = _ray()
        self._stops = self._stopped = 0
        self._at_once = False
        self._failure: RunError | None = None
        self._waiting: dict[Any, tuple[Job, Any, bool]] = {}  # by reference: whether it began
        where: dict[str, Any] = {"address": address}
        if address is None:
            where = {"address": "local", "num_cpus": workers, "include_dashboard": False}
        try:
            _reach(address)
            self._ray.init(**where, log_to_driver=False, logging_level="ERROR")
        except (OSError, ValueError, RuntimeError) as error:
            reason = str(error).strip().partition("\n")[0]
            what = f"no Ray cluster at {address}: {reason}"
            hint = "ray start --head makes one; RAY_AUTH_MODE=token where it asks for a token"
            raise ConfigError(what, where="--address", hint=hint) from error

    def run(
        self,
        jobs: Sequence[Job],
        started: Callable[[Job], None],
        ended: Callable[[Job, int], None],
    ) -> None:
        """See :class:`toolkit.core.executor.Executor`."""
        environment, folder = {**os.environ, **ONE_THREAD}, Path.cwd()
        made = self._ray.remote(num_cpus=1, max_concurrency=2)(Worker)
        try:
            for job in jobs:
                actor = made.remote()
                self._waiting[actor.begin.remote(job, environment, folder)] = (job, actor, False)
            while self._waiting:
                self._heed_stops()
                ready, _ = self._ray.wait([*self._waiting], timeout=_POLL_S)
                for reference in ready:
                    self._go_on(reference, started, ended)
        finally:
            self._ray.shutdown()
        if self._failure is not None:
            raise self._failure

    def stop(self, *, at_once: bool = False) -> None:
        """See :class:`toolkit.core.executor.Executor`."""
        self._at_once = at_once
        self._stops += 1  # heeded in the loop: a signal may come in the middle of a call of Ray's

    def _heed_stops(self) -> None:
        if self._stopped == self._stops:
            return
        self._stopped = self._stops
        for reference, (_, actor, began) in [*self._waiting.items()]:
            if began:
                actor.stop.remote(self._at_once)
            else:
                self._ray.kill(actor)
                del self._waiting[reference]

    def _go_on(
        self, reference: Any, started: Callable[[Job], None], ended: Callable[[Job, int], None]
    ) -> None:
        job, actor, began = self._waiting.pop(reference)
        try:
            code = self._ray.get(reference)
        except self._ray.exceptions.RayTaskError as error:
            what = f"{job.name} could not be started: {error.cause}"
            self._failure = self._failure or RunError(what, where=str(job.log))
            self.stop()  # those that run save first
            return
        except self._ray.exceptions.RayError:
            ended(job, _LOST)
            return
        if began:
            ended(job, code)
            self._ray.kill(actor)  # its core is for the next one
        else:
            started(job)
            self._waiting[actor.wait.remote()] = (job, actor, True)


def _reach(address: str | None) -> None:
    """Fail at once where nobody listens: Ray itself tries for minutes."""
    if address not in (None, "auto"):
        host, _, port = str(address).rpartition(":")
        socket.create_connection((host, int(port)), timeout=_REACH_S).close()


def _ray() -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent anywhere
    try:
        import ray
        import ray.exceptions
    except ImportError as error:
        hint = "pip install 'toolkit[ray]', or --executor local"
        raise UnavailableError("Ray is not installed", where="--executor ray", hint=hint) from error
    return ray
