"""Run directories: everything that one run was, is and gave, as files that are the tracker.

``config.toml`` (resolved settings), ``command.txt``, ``env.json`` (versions), ``data.json`` (hashes
of data and split), ``status.json`` (state, step, heartbeat), ``metrics.jsonl``, ``checkpoints/``,
``result.json``, ``figures/``, ``report.html``, ``lock``.
"""

from __future__ import annotations

import fcntl
import importlib.metadata
import json
import logging
import os
import platform
import secrets
import shlex
import shutil
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from toolkit.core import config as configs
from toolkit.core.config import Config
from toolkit.core.errors import ConfigError, RunError
from toolkit.core.files import (
    is_file,
    json_text,
    read_json,
    saving,
    sync_folder,
    write_atomic,
    write_json,
)

C = TypeVar("C", bound=Config)
# created → running → finished | paused (--max-time) | interrupted (signal) | failed
UNFINISHED = ("created", "running", "paused", "interrupted", "failed")
_PACKAGES = (
    "torch",
    "numpy",
    "scipy",
    "scikit-learn",
    "pydantic",
    "safetensors",
    "tensorly",
    "spectral",
    "pennylane",
    "numba",
    "gymnasium",
    "mujoco",
)

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Run:
    """One run directory; cheap to make, reads its files when asked."""

    path: Path

    @classmethod
    def create(
        cls,
        root: Path,
        app: str,
        verb: str,
        config: Config,
        *,
        path: Path | None = None,
        command: Sequence[str] = (),
    ) -> Run:
        """Make a new run directory below ``root`` (or at ``path``) and write what it will be.

        Raises:
            RunError: ``path`` exists already, or cannot be written.
        """
        now = datetime.now(UTC)
        stamp = now.strftime("%Y%m%d-%H%M%S-") + f"{now.microsecond:06d}"
        final = path or root / f"{app}-{verb}-{stamp}-{secrets.token_hex(2)}"
        if final.exists():
            hint = f"toolkit runs resume {final}"
            raise RunError("the run directory exists", where=str(final), hint=hint)
        # Made under another name: a kill must not leave a half-made run where one is asked for.
        draft = cls(final.with_name(f".tmp-{final.name}-{secrets.token_hex(4)}"))
        with saving(final):
            draft.path.mkdir(parents=True)
            try:
                write_atomic(draft.path / "command.txt", shlex.join(command or sys.argv) + "\n")
                write_atomic(draft.path / "config.toml", config.to_toml())
                draft.set_status("created", 0)
                write_json(draft.path / "env.json", _environment(app, verb, now))
                draft.path.rename(final)
            finally:
                shutil.rmtree(draft.path, ignore_errors=True)
            sync_folder(final.parent)
        return cls(final)

    @classmethod
    def open(cls, path: Path) -> Run:
        """The run at ``path``.

        Raises:
            RunError: no run directory is there, or it was left half-made or damaged.
        """
        run = cls(path)
        if not is_file(path / "env.json"):
            hint = "toolkit runs list shows the runs there are"
            raise RunError("not a run directory: no env.json", where=str(path), hint=hint)
        _ = run.environment  # raises where it is damaged
        return run

    @cached_property
    def environment(self) -> dict[str, Any]:
        """Application, verb, creation time, machine and package versions."""
        path = self.path / "env.json"
        environment = read_json(path)
        if not {"app", "verb", "created"} <= environment.keys():
            raise RunError("env.json does not say which command made it", where=str(path))
        return environment

    @property
    def name(self) -> str:
        """What ``RUN`` on the command line may be: the directory's name."""
        return self.path.name

    @property
    def app(self) -> str:
        """The application that made the run."""
        return str(self.environment["app"])

    @property
    def verb(self) -> str:
        """The application's verb that made the run."""
        return str(self.environment["verb"])

    def config(self, model: type[C]) -> C:
        """The run's resolved settings as ``model``.

        Raises:
            RunError: the file no longer fits the model.
        """
        path = self.path / "config.toml"
        lacking = {"seed", "steps"} & model.model_fields.keys() - self.settings.keys()
        if lacking:  # defaults must not stand in for what a damaged file has lost
            what = f"config.toml is incomplete: it has no {min(lacking)}"
            raise RunError(what, where=str(path))
        try:
            return configs.load(model, file=path)
        except ConfigError as error:
            raise RunError(error.what, where=error.where, hint=error.hint) from error

    @property
    def settings(self) -> dict[str, Any]:
        """The resolved settings as they stand in the file.

        Raises:
            RunError: the file is missing or damaged.
        """
        path = self.path / "config.toml"
        try:
            return configs.read_toml(path)
        except ConfigError as error:
            raise RunError(error.what, where=str(path)) from error

    def rewrite_config(self, config: Config) -> None:
        """Replace the resolved settings (only ever to move a run's end)."""
        write_atomic(self.path / "config.toml", config.to_toml())

    @property
    def status(self) -> dict[str, Any]:
        """State, step, pid and heartbeat as last written, and ``saved_step`` once there is one.

        Raises:
            RunError: the file is missing or damaged; the run itself may still be whole.
        """
        path = self.path / "status.json"
        status = read_json(path)
        kinds = {"state": str, "step": int, "pid": int, "heartbeat_s": float}
        if not all(isinstance(status.get(key), kind) for key, kind in kinds.items()):
            raise RunError("status.json is incomplete", where=str(path))
        return status

    def set_status(self, state: str, step: int, **more: Any) -> None:
        """Replace ``status.json`` atomically, with a fresh heartbeat."""
        beat = {"state": state, "step": step, "pid": os.getpid(), "heartbeat_s": time.time()}
        write_json(self.path / "status.json", {**beat, **more})

    def record_data(self, facts: Mapping[str, Any]) -> None:
        """Write the hashes of data and split, or check them against those of the first start.

        Raises:
            RunError: the data differ from what this run began with.
        """
        path = self.path / "data.json"
        if not path.exists():
            write_json(path, facts)
        elif differing := self.changed_data(facts):
            raise RunError(
                f"the data changed since this run began: {', '.join(differing)}",
                where=str(path),
                hint="restore the data, or start a new run",
            )

    def changed_data(self, facts: Mapping[str, Any]) -> list[str]:
        """Those of ``facts`` that are not what this run began with; all if it recorded none."""
        path = self.path / "data.json"
        before = read_json(path) if path.exists() else {}
        return [k for k in facts if before.get(k) != json.loads(json.dumps(facts[k]))]

    @property
    def checkpoints(self) -> Path:
        """Folder of the checkpoints."""
        return self.path / "checkpoints"

    @property
    def figures(self) -> Path:
        """Folder of the figures, made at first use."""
        folder = self.path / "figures"
        folder.mkdir(exist_ok=True)
        return folder

    @property
    def result(self) -> dict[str, Any] | None:
        """What the run gave, if it came to its end."""
        path = self.path / "result.json"
        return read_json(path) if path.exists() else None

    @property
    def measured(self) -> dict[str, Any] | None:
        """The result without those tables of its settings that it repeats."""
        tables = {key: value for key, value in self.settings.items() if isinstance(value, Mapping)}
        result = self.result
        return result and {k: v for k, v in result.items() if tables.get(k, ...) != v}

    def write_result(self, result: Mapping[str, Any]) -> None:
        """Write ``result.json``."""
        write_json(self.path / "result.json", result)

    @property
    def metrics(self) -> list[dict[str, Any]]:
        """Every line of ``metrics.jsonl``; a last line cut by a kill is left out."""
        path = self.path / "metrics.jsonl"
        lines = path.read_text(errors="replace").splitlines() if path.exists() else []
        return [line for line in map(_parse_line, lines) if line is not None]

    def log_metrics(self, line: Mapping[str, Any]) -> None:
        """Append one line to ``metrics.jsonl``; what is not finite stands there as null."""
        path = self.path / "metrics.jsonl"
        with saving(path), path.open("a") as file:
            file.write(json_text(line) + "\n")
            file.flush()
            os.fsync(file.fileno())  # before the checkpoint that continues after this line

    def truncate_metrics(self, step: int) -> None:
        """Drop lines after ``step``: the resumed run writes them again."""
        kept = [line for line in self.metrics if line["step"] <= step]
        text = "".join(json_text(line) + "\n" for line in kept)
        write_atomic(self.path / "metrics.jsonl", text)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the run's lock; the kernel frees it when its owner dies, however it dies.

        Where the file system has no locks a warning must do.

        Raises:
            RunError: another living process writes to this run.
        """
        with saving(self.path / "lock"):
            file = (self.path / "lock").open("a+")
        with file:  # outside of saving: what goes wrong while it is held is not the lock's
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                file.seek(0)
                raise RunError(
                    f"the run is in use by process {file.read().strip() or 'unknown'}",
                    where=str(self.path),
                    hint="wait for it, or stop that process (it saves and exits)",
                ) from error
            except OSError as error:  # some network file systems have no locks
                reason = error.strerror or error
                _log.warning("no lock (%s): start nothing else on %s", reason, self.path)
            with saving(self.path / "lock"):
                file.truncate(0)
                file.write(str(os.getpid()))
                file.flush()
            yield


def _parse_line(text: str) -> dict[str, Any] | None:
    try:
        line = json.loads(text)
    except ValueError:
        return None
    return line if isinstance(line, dict) and isinstance(line.get("step"), int) else None


def _environment(app: str, verb: str, now: datetime) -> dict[str, Any]:
    return {
        "app": app,
        "verb": verb,
        "created": now.isoformat(),
        "toolkit": importlib.metadata.version("toolkit"),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cores": len(os.sched_getaffinity(0)),
        "packages": {name: importlib.metadata.version(name) for name in _PACKAGES},
    }
