"""Checkpoints: a directory that is whole or absent, and that cannot execute code.

Atomic commit: everything is written into ``.tmp-<step>-<pid>``, each file fsynced, a manifest
with the SHA-256 of every file last, then one rename and an fsync of the parent. A reader trusts
only a directory whose manifest verifies, so a kill at any instant leaves those before it.

A state is a tree of dicts, lists, numbers, strings, tensors and arrays: numbers go to
``state.json``, tensors of each top-level key to ``<key>.safetensors``. ``Frozen`` leaves are rows
that never change again (a full segment of a replay memory): they are written once and hard-linked
into every later checkpoint, so a million rows are not rewritten at each save.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from safetensors import SafetensorError

from toolkit.core.errors import RunError
from toolkit.core.files import saving, sync_folder, write_synced

FORMAT = 1
_MANIFEST = "manifest.json"
_UNREADABLE = (
    *(KeyError, ValueError, TypeError, AttributeError, OverflowError, RecursionError),
    SafetensorError,
)
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Frozen:
    """Arrays that never change once saved under ``key`` (letters, digits, ``-``)."""

    key: str
    arrays: Mapping[str, np.ndarray[Any, Any]]


def save(folder: Path, step: int, state: Mapping[str, Any]) -> Path:
    """Write the checkpoint of ``step`` into ``folder`` and return its directory.

    Raises:
        RunError: the disk is full or not writable; what was saved before stays.
    """
    final = folder / name_of(step)
    temporary = folder / f".tmp-{step}-{os.getpid()}"
    replaced = folder / f".tmp-replaced-{step}"
    with saving(final):
        if not folder.exists():
            folder.mkdir(parents=True)
            sync_folder(folder.parent)
        _remove(temporary)
        temporary.mkdir()
        try:
            _write(temporary, step, state, previous=_newest_path(folder))
            if final.exists():  # only ever the same step, saved again
                _remove(replaced)
                final.rename(replaced)
            temporary.rename(final)
        finally:
            _remove(temporary)
            _remove(replaced)
        sync_folder(folder)
    return final


def _write(folder: Path, step: int, state: Mapping[str, Any], previous: Path | None) -> None:
    packer = _Packer()
    skeleton = {key: packer.pack(value, key) for key, value in state.items()}
    files = {f"{key}.safetensors": tensors for key, tensors in packer.tensors.items()}
    digests = {name: _put(folder / name, _serialise(tensors)) for name, tensors in files.items()}
    for key, arrays in packer.frozen.items():
        digests[f"{key}.frozen"] = _put_frozen(folder / f"{key}.frozen", arrays, previous)
    digests["state.json"] = _put(folder / "state.json", json.dumps(skeleton).encode())
    write_synced(folder / _MANIFEST, _manifest(step, digests))
    sync_folder(folder)


def _put(path: Path, content: bytes) -> dict[str, Any]:
    write_synced(path, content)
    return {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}


def _put_frozen(
    path: Path, arrays: Mapping[str, np.ndarray[Any, Any]], previous: Path | None
) -> dict[str, Any]:
    before = _read_manifest(previous)["files"].get(path.name) if previous else None
    if previous and before and _linked(previous / path.name, path, before["size"]):
        return dict(before)
    return _put(path, _serialise({key: _to_tensor(a) for key, a in arrays.items()}))


def _linked(source: Path, path: Path, size: int) -> bool:
    """Link ``source`` as ``path``; not when it was cut, nor where there are no hard links."""
    try:
        if source.stat().st_size != size:
            return False
        path.hardlink_to(source)
    except OSError:
        return False
    return True


def _manifest(step: int, files: Mapping[str, Any]) -> bytes:
    body = {"format": FORMAT, "step": step, "files": dict(sorted(files.items()))}
    digest = hashlib.sha256(json.dumps(body).encode()).hexdigest()
    return json.dumps({**body, "digest": digest}).encode()


def _serialise(tensors: Mapping[str, torch.Tensor]) -> bytes:
    # clone: safetensors refuses tensors that share memory, and optimisers may keep views
    whole = {k: t.detach().cpu().contiguous().clone() for k, t in tensors.items()}
    return bytes(safetensors.torch.save(whole))


def _to_tensor(array: np.ndarray[Any, Any]) -> torch.Tensor:
    return torch.from_numpy(np.array(array, order="C", copy=True))


class _Packer:
    """Splits a state into a JSON skeleton and its tensors, grouped by top-level key."""

    def __init__(self) -> None:
        self.tensors: dict[str, dict[str, torch.Tensor]] = {}
        self.frozen: dict[str, Mapping[str, np.ndarray[Any, Any]]] = {}

    def pack(self, value: Any, path: str) -> Any:
        if isinstance(value, torch.Tensor):
            return {"$tensor": self._keep(path, value)}
        if isinstance(value, np.ndarray):
            return {"$array": self._keep(path, _to_tensor(value))}
        if isinstance(value, Frozen):
            self.frozen[value.key] = value.arrays
            return {"$frozen": value.key}
        if isinstance(value, Mapping):
            return self._pack_mapping(value, path)
        if isinstance(value, list | tuple):
            return [self.pack(item, f"{path}.{i}") for i, item in enumerate(value)]
        if isinstance(value, np.generic):
            return value.item()
        if value is None or isinstance(value, bool | int | float | str):
            return value
        raise TypeError(f"a checkpoint cannot hold {type(value).__name__} at {path}")

    def _pack_mapping(self, value: Mapping[Any, Any], path: str) -> Any:
        packed = {key: self.pack(item, f"{path}.{key}") for key, item in value.items()}
        if all(isinstance(key, str) and not key.startswith("$") for key in packed):
            return packed
        return {"$items": [[key, item] for key, item in packed.items()]}  # optimisers use ints

    def _keep(self, path: str, tensor: torch.Tensor) -> str:
        top, _, rest = path.partition(".")
        group, name = self.tensors.setdefault(top, {}), rest or top
        while name in group:  # {"a.b": x, "a": {"b": y}}
            name += "'"
        group[name] = tensor
        return f"{top}/{name}"


def load(path: Path) -> tuple[int, dict[str, Any]]:
    """Read and verify one checkpoint directory; returns its step and state.

    Raises:
        RunError: any file is missing, truncated or differs from its SHA-256.
    """
    manifest = _read_manifest(path)
    files = dict(manifest["files"])
    try:
        skeleton = json.loads(_read_verified(path / "state.json", files.pop("state.json")))
        tensors = {
            name: safetensors.torch.load(_read_verified(path / name, facts))
            for name, facts in files.items()
        }
        return int(manifest["step"]), {k: _unpack(v, tensors) for k, v in skeleton.items()}
    except _UNREADABLE as error:
        raise _damaged(path, f"unreadable content: {error}") from error


def _unpack(value: Any, tensors: Mapping[str, Mapping[str, torch.Tensor]]) -> Any:
    if isinstance(value, list):
        return [_unpack(item, tensors) for item in value]
    if not isinstance(value, dict):
        return value
    if "$tensor" in value or "$array" in value:
        top, _, name = str(value.get("$tensor") or value["$array"]).partition("/")
        tensor = tensors[f"{top}.safetensors"][name]
        return tensor if "$tensor" in value else tensor.numpy()
    if "$frozen" in value:
        arrays = tensors[f"{value['$frozen']}.frozen"]
        return Frozen(value["$frozen"], {key: tensor.numpy() for key, tensor in arrays.items()})
    if "$items" in value:
        return {key: _unpack(item, tensors) for key, item in value["$items"]}
    return {key: _unpack(item, tensors) for key, item in value.items()}


def _read_manifest(path: Path) -> dict[str, Any]:
    try:
        raw = (path / _MANIFEST).read_bytes()
        manifest = json.loads(raw)
        if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
            raise ValueError(f"format {FORMAT} expected")
        if raw != _manifest(manifest["step"], manifest["files"]):
            raise ValueError("its digest does not fit its content")
    except (OSError, *_UNREADABLE) as error:
        raise _damaged(path, f"{_MANIFEST}: {error}") from error
    return manifest


def _read_verified(path: Path, facts: Mapping[str, Any]) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise _damaged(path.parent, f"{path.name}: {error.strerror}") from error
    if len(content) != facts["size"]:
        raise _damaged(path.parent, f"{path.name} has {len(content)} bytes, not {facts['size']}")
    if hashlib.sha256(content).hexdigest() != facts["sha256"]:
        raise _damaged(path.parent, f"{path.name} differs from its SHA-256")
    return content


def _damaged(path: Path, reason: str) -> RunError:
    return RunError(
        f"checkpoint {path.name} is damaged: {reason}",
        where=str(path),
        hint="toolkit runs verify RUN lists what is whole; resuming uses the checkpoint before it",
    )


def name_of(step: int) -> str:
    """Directory name of the checkpoint of ``step``."""
    return f"step-{step:010d}"


def steps(folder: Path) -> list[int]:
    """Steps of the checkpoints in ``folder``, whole or not, oldest first."""
    names = (path.name[5:] for path in folder.glob("step-*"))
    return sorted(int(name) for name in names if name.isdigit())


def _newest_path(folder: Path) -> Path | None:
    """Newest directory whose manifest verifies; enough to link its frozen files from."""
    for step in reversed(steps(folder)):
        try:
            _read_manifest(folder / name_of(step))
        except RunError:
            continue
        return folder / name_of(step)
    return None


def load_newest(folder: Path) -> tuple[int, dict[str, Any]] | None:
    """Step and state of the newest whole checkpoint; damaged ones are named and skipped.

    Raises:
        RunError: there are checkpoints but none of them is whole.
    """
    found = steps(folder)
    for step in reversed(found):
        try:
            return load(folder / name_of(step))
        except RunError as error:
            _log.warning("%s; using the one before", error.what)
    if found:
        raise RunError(
            f"all {len(found)} checkpoints are damaged", where=str(folder), hint="start a new run"
        )
    return None


def prune(folder: Path, keep: Iterable[int]) -> None:
    """Remove every checkpoint whose step is not in ``keep``, and leftovers of killed saves."""
    wanted = set(keep)
    with saving(folder):
        for step in steps(folder):
            if step not in wanted:
                doomed = folder / f".tmp-prune-{step}"
                _remove(doomed)
                (folder / name_of(step)).rename(doomed)  # a half-removed one must not look whole
                _remove(doomed)
    clean(folder)


def clean(folder: Path) -> None:
    """Remove leftovers of killed saves."""
    for leftover in folder.glob(".tmp-*"):
        _remove(leftover)


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
