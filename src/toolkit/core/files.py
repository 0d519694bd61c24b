"""Files that are whole or absent: write to a temporary name, fsync, rename, fsync the folder."""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from toolkit.core.errors import RunError


@contextmanager
def saving(path: Path) -> Iterator[None]:
    """Turn an OSError while writing ``path`` into a RunError that names path and free space."""
    try:
        yield
    except OSError as error:
        free = f"{_free_bytes(path) / 2**20:.0f} MiB free"
        raise RunError(
            f"cannot write: {error.strerror or error}",
            where=f"{path} ({free})",
            hint="free some space or choose another folder with --runs-dir; nothing saved was lost",
        ) from error


def _free_bytes(path: Path) -> int:
    try:
        while not path.exists() and path != path.parent:
            path = path.parent
        return shutil.disk_usage(path).free
    except OSError:
        return 0


def is_file(path: Path) -> bool:
    """Whether ``path`` is a file that this user may look at."""
    try:
        return path.is_file()
    except OSError:  # in a folder that we may not enter
        return False


def is_folder(path: Path) -> bool:
    """Likewise a folder."""
    try:
        return path.is_dir()
    except OSError:
        return False


def write_synced(path: Path, content: bytes | memoryview) -> None:
    """Write ``content`` to ``path`` and fsync the file (not its folder)."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Make the entries of ``folder`` (creations, renames) durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_atomic(path: Path, content: bytes | memoryview | str) -> None:
    """Replace ``path`` by ``content`` in one step; a reader sees the old or the new file."""
    data = content.encode() if isinstance(content, str) else content
    temporary = path.with_name(f".tmp-{path.name}-{os.getpid()}")
    with saving(path):
        try:
            write_synced(temporary, data)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        sync_folder(path.parent)


def json_text(value: Any, indent: int | None = None) -> str:
    """``value`` as JSON; NaN and infinities, which JSON does not have, are null."""
    try:
        return json.dumps(value, indent=indent, allow_nan=False)
    except ValueError:
        return json.dumps(_finite(value), indent=indent, allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write ``value`` atomically as indented JSON (see :func:`json_text`)."""
    write_atomic(path, json_text(value, indent=2) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        RunError: the file is missing, unreadable or not an object.
    """
    try:
        value = json.loads(path.read_text())
    except (OSError, ValueError, RecursionError) as error:
        raise RunError(f"cannot read {path.name}: {error}", where=str(path)) from error
    if not isinstance(value, dict):
        raise RunError(f"{path.name} holds no JSON object", where=str(path))
    return value
