"""Files whose size and SHA-256 are known: what differs from them is damaged, not read."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
from safetensors import SafetensorError

from toolkit.core.errors import RunError
from toolkit.core.files import write_synced

UNREADABLE = (
    *(KeyError, ValueError, TypeError, AttributeError, OverflowError, RecursionError),
    SafetensorError,
)


def put(path: Path, content: bytes) -> dict[str, Any]:
    """Write a file and return what is then known of it: ``sha256`` and ``size``."""
    write_synced(path, content)
    return {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}


def read(path: Path, facts: Mapping[str, Any]) -> bytes:
    """The content of a file of which ``facts`` are known.

    Raises:
        RunError: it is missing or another one.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise unread(path, error) from error
    _compare(path, len(content), hashlib.sha256(content).hexdigest(), facts)
    return content


def _verify(path: Path, facts: Mapping[str, Any]) -> None:
    """Check a file against its size and hash, a little of it in memory at a time."""
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            size = file.tell()
    except OSError as error:
        raise unread(path, error) from error
    _compare(path, size, digest, facts)


def _compare(path: Path, size: int, digest: str, facts: Mapping[str, Any]) -> None:
    if size != facts["size"]:
        raise damaged(path.parent, f"{path.name} has {size} bytes, not {facts['size']}")
    if digest != facts["sha256"]:
        raise damaged(path.parent, f"{path.name} differs from its SHA-256")


class FrozenFile(Mapping[str, "np.ndarray[Any, Any]"]):
    """The arrays of a safetensors file, verified now and read when asked for.

    Raises:
        RunError: the file is missing, damaged or another one.
    """

    def __init__(self, path: Path, facts: Mapping[str, Any]) -> None:
        self._path = path
        _verify(path, facts)
        with safetensors.safe_open(path, "numpy") as file:
            self._names = sorted(file.keys())

    def __getitem__(self, name: str) -> np.ndarray[Any, Any]:
        if name not in self._names:
            raise KeyError(name)
        try:
            with safetensors.safe_open(self._path, "numpy") as file:
                return file.get_tensor(name)  # type: ignore[no-any-return]
        except OSError as error:
            raise unread(self._path, error) from error
        except UNREADABLE as error:
            raise damaged(self._path.parent, f"{self._path.name}: {error}") from error

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


class DamagedError(RunError):
    """A file of a checkpoint is missing or another one: no retry will read it."""


def unread(path: Path, error: OSError) -> RunError:
    """The error of a file that is not there, or of one that the disk does not give just now."""
    if isinstance(error, FileNotFoundError | NotADirectoryError | IsADirectoryError):
        return damaged(path.parent, f"{path.name}: {error.strerror}")
    return RunError(
        f"cannot read {path.name}: {error.strerror}",
        where=str(path),
        hint="nothing was changed: try again once the disk can be read",
    )


def damaged(path: Path, reason: str) -> DamagedError:
    """The error of checkpoint ``path``."""
    return DamagedError(
        f"checkpoint {path.name} is damaged: {reason}",
        where=str(path),
        hint="toolkit runs verify RUN lists what is whole; resuming uses the checkpoint before it",
    )
