"""Checkpoints: a directory that is whole or absent, and that cannot execute code.

Atomic commit: everything is written into ``.tmp-<step>-<pid>``, each file fsynced, a manifest
with the SHA-256 of every file last, then one rename and an fsync of the parent. A reader trusts
only a directory whose manifest verifies, so a kill at any instant leaves those before it.

A state is a tree of dicts, lists, numbers, strings, tensors and arrays: numbers go to
``state.json``, tensors of each top-level key to ``<key>.safetensors``. ``Frozen`` leaves are rows
that never change again (a full segment of a replay memory): they are hard-linked from the
checkpoint before the last, so a million rows are not rewritten at each save. Each is written twice
in all, for neighbours share no file: where one is damaged, the other is whole.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import logging
import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch

from toolkit.core import hashed_files
from toolkit.core.errors import RunError
from toolkit.core.files import saving, sync_folder
from toolkit.core.hashed_files import UNREADABLE, DamagedError, FrozenFile, damaged, put
from toolkit.core.packing import Frozen, Packer, serialise, to_tensor, unpack

__all__ = ["Frozen", "clean", "load", "load_newest", "name_of", "prune", "save", "steps"]

FORMAT = 1
_MANIFEST = "manifest.json"
_log = logging.getLogger(__name__)


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
            _write(temporary, step, state, before=_before_newest(folder))
            if final.exists():  # only ever the same step, saved again
                _remove(replaced)
                final.rename(replaced)
            temporary.rename(final)
        finally:
            _remove(temporary)
            _remove(replaced)
        sync_folder(folder)
    return final


def _write(folder: Path, step: int, state: Mapping[str, Any], before: Path | None) -> None:
    packer = Packer()
    skeleton = {key: packer.pack(value, key) for key, value in state.items()}
    files = {f"{key}.safetensors": tensors for key, tensors in packer.tensors.items()}
    digests = {name: put(folder / name, serialise(tensors)) for name, tensors in files.items()}
    for key, arrays in packer.frozen.items():
        digests[f"{key}.frozen"] = _put_frozen(folder / f"{key}.frozen", arrays, before)
    digests["state.json"] = put(folder / "state.json", json.dumps(skeleton).encode())
    put(folder / _MANIFEST, _manifest(step, digests))
    sync_folder(folder)


def _put_frozen(
    path: Path, arrays: Mapping[str, np.ndarray[Any, Any]], before: Path | None
) -> dict[str, Any]:
    facts = _read_manifest(before)["files"].get(path.name) if before else None
    if before and facts and _linked(before / path.name, path, facts["size"]):
        return dict(facts)
    return put(path, serialise({key: to_tensor(a) for key, a in arrays.items()}))


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


def load(path: Path) -> tuple[int, dict[str, Any]]:
    """Read and verify one checkpoint directory; returns its step and state.

    Raises:
        RunError: any file is missing, truncated or differs from its SHA-256.
    """
    manifest = _read_manifest(path)
    files = dict(manifest["files"])
    try:
        skeleton = json.loads(hashed_files.read(path / "state.json", files.pop("state.json")))
        tensors = {name: _tensors(path / name, facts) for name, facts in files.items()}
        return int(manifest["step"]), {key: unpack(v, tensors) for key, v in skeleton.items()}
    except UNREADABLE as error:
        raise damaged(path, f"unreadable content: {error}") from error


def _tensors(path: Path, facts: Mapping[str, Any]) -> Mapping[str, Any]:
    if path.suffix == ".frozen":
        return FrozenFile(path, facts)
    return safetensors.torch.load(hashed_files.read(path, facts))


def _read_manifest(path: Path) -> dict[str, Any]:
    try:
        raw = (path / _MANIFEST).read_bytes()
        manifest = json.loads(raw)
        if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
            raise ValueError(f"format {FORMAT} expected")
        if raw != _manifest(manifest["step"], manifest["files"]):
            raise ValueError("its digest does not fit its content")
    except OSError as error:
        raise hashed_files.unread(path / _MANIFEST, error) from error
    except UNREADABLE as error:
        raise damaged(path, f"{_MANIFEST}: {error}") from error
    return manifest


def name_of(step: int) -> str:
    """Directory name of the checkpoint of ``step``."""
    return f"step-{step:010d}"


def steps(folder: Path) -> list[int]:
    """Steps of the checkpoints in ``folder``, whole or not, oldest first."""
    names = (path.name[5:] for path in folder.glob("step-*"))
    return sorted(int(name) for name in names if name.isdigit())


def _before_newest(folder: Path) -> Path | None:
    """The second newest directory whose manifest verifies; enough to link its frozen files from."""
    whole = (folder / name_of(step) for step in reversed(steps(folder)) if _is_whole(folder, step))
    return next(itertools.islice(whole, 1, None), None)


def _is_whole(folder: Path, step: int) -> bool:
    try:
        _read_manifest(folder / name_of(step))
    except RunError:
        return False
    return True


def load_newest(folder: Path) -> tuple[int, dict[str, Any]] | None:
    """Step and state of the newest whole checkpoint; damaged ones are named and skipped.

    Raises:
        RunError: there are checkpoints but none of them is whole, or one cannot be read just now.
    """
    found = steps(folder)
    for step in reversed(found):
        try:
            return load(folder / name_of(step))
        except DamagedError as error:
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
