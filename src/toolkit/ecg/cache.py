"""A verified, memory-mapped cache of decoded records.

Beside each decoded signal (``NAME.npy``) lies an index (``NAME.json``) with the identity of the
files it came from and its own SHA-256. A cached signal is used only when the header is
unchanged, every source file has the size and modification time of back then, and the cached
bytes have the stated hash; otherwise the sources are decoded and verified again. The
cache is never needed: where it cannot be written, records are decoded each time. A source that
changes while keeping both size and modification time goes unseen until the cache is removed.
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from toolkit.core.errors import DataError, RunError
from toolkit.core.files import write_atomic
from toolkit.ecg.formats import Signal
from toolkit.ecg.header import Header, damaged, read_header
from toolkit.ecg.records import Record, build_record, read_signal

_VERSION = 1
_MAX_WORKERS = 4
_OUTDATED = "is older than its source"  # nothing to worry about: a file was copied anew
# numpy parses the heads of its files by ast, at which CPython 3.11 may fail in two threads at once
# ("AST constructor recursion depth mismatch")
_PARSING = Lock()
_log = logging.getLogger(__name__)


def default_cache_dir() -> Path:
    """``$TOOLKIT_CACHE``, or ``decoded`` in the user's cache folder of this toolkit."""
    if chosen := os.environ.get("TOOLKIT_CACHE"):
        return Path(chosen)
    import pooch  # imports its downloaders, which loading from a given folder does not need

    return Path(pooch.os_cache("toolkit")) / "decoded"


def list_records(folder: Path) -> tuple[str, ...]:
    """Names in the folder's ``RECORDS`` file, or of its ``.hea`` files when there is none.

    Raises:
        DataError: the folder holds no records.
    """
    listing = folder / "RECORDS"
    if listing.is_file():
        names = tuple(listing.read_text("utf-8", "replace").split())
    else:
        names = tuple(sorted(path.stem for path in folder.glob("*.hea")))
    if not names:
        hint = "toolkit data fetch mitdb, or toolkit data synthesize ecg"
        raise DataError(f"no ECG records in {folder}", where=str(folder), hint=hint)
    return names


def load_database(
    folder: Path,
    names: Sequence[str] | None = None,
    *,
    expected: Mapping[str, str] | None = None,
    cache_dir: Path | None = None,
    use_cache: bool = True,
    annotator: str | None = "atr",
) -> dict[str, Record]:
    """Load records by name, from the cache where it is valid, else from their files.

    Args:
        folder: holds the ``.hea``, ``.dat`` and annotation files; it is only read.
        names: which records, in this order; None for all that :func:`list_records` finds.
        expected: file name → SHA-256, where known.
        cache_dir: where decoded signals are kept; None for :func:`default_cache_dir`.
        use_cache: False decodes everything and writes nothing.
        annotator: suffix of the annotation files, or None for none.

    Returns:
        Name → record; cached signals are memory-mapped, read-only.

    Raises:
        DataError: a record is missing or damaged.
    """
    known = expected or {}
    chosen = tuple(names) if names is not None else list_records(folder)
    store = _store_of(folder, cache_dir or default_cache_dir()) if use_cache else None

    def load(name: str) -> Record:
        if Path(name).name != name:
            raise damaged(f"record name {name!r} leads out of the folder", folder)
        header = read_header(folder / f"{name}.hea", known.get(f"{name}.hea"))
        signal = _signal(folder, header, known, store)
        return build_record(folder, header, signal, known, annotator)

    with ThreadPoolExecutor(min(_MAX_WORKERS, os.cpu_count() or 1)) as pool:
        return dict(zip(chosen, pool.map(load, chosen)))


def _store_of(folder: Path, cache_dir: Path) -> Path | None:
    """The cache folder of a database, or None where it cannot be made."""
    path = folder.resolve()
    store = cache_dir / f"{path.name}-{hashlib.sha256(str(path).encode()).hexdigest()[:12]}"
    try:
        store.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        _log.info("no cache at %s (%s); decoding each time", store, error.strerror)
        return None
    return store


def _signal(
    folder: Path, header: Header, expected: Mapping[str, str], store: Path | None
) -> Signal:
    if store is None:
        return read_signal(folder, header, expected)
    cached = _read(store, folder, header, expected)
    if cached is not None:
        return cached
    stamps = _stamps(folder, header)  # before reading: a file that changes meanwhile is seen
    signal = read_signal(folder, header, expected)
    try:
        _write(store, folder, header, signal, stamps)
    except (OSError, RunError) as error:
        _log.info("record %s is not cached: %s", header.name, error)
    return signal


def _read(store: Path, folder: Path, header: Header, expected: Mapping[str, str]) -> Signal | None:
    """The cached signal, or None when there is none that is valid."""
    path = store / f"{header.name}.npy"
    try:
        index = json.loads(path.with_suffix(".json").read_bytes())
        stale = _reason_to_rebuild(index, path, _stamps(folder, header), header, expected)
        if not stale:
            with _PARSING:
                signal: Signal = np.load(path, mmap_mode="r", allow_pickle=False)
            if signal.dtype.kind == "i" and signal.shape == (header.n_samples, len(header.signals)):
                return signal
            stale = "has another shape or type"
    except FileNotFoundError:
        return None
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        stale = f"is damaged ({type(error).__name__})"
    level = logging.INFO if stale == _OUTDATED else logging.WARNING
    _log.log(level, "cached record %s %s; rebuilding it", path, stale)
    return None


def _reason_to_rebuild(
    index: Any,  # whatever the JSON held
    array: Path,
    stamps: dict[str, list[int]],
    header: Header,
    expected: Mapping[str, str],
) -> str:
    if index["version"] != _VERSION or index["header"] != repr(header):
        return "was made from another header or version"
    if index["stamps"] != stamps:
        return _OUTDATED
    if any(index["sha256"][file] != expected.get(file, index["sha256"][file]) for file in stamps):
        return "was made from files with another hash"
    return "" if index["array_sha256"] == _sha256(array) else "is damaged (SHA-256 differs)"


def _stamps(folder: Path, header: Header) -> dict[str, list[int]]:
    """Size and modification time of each signal file, an empty list for a missing one."""
    stamps: dict[str, list[int]] = {}
    for file in header.files:
        path = folder / file
        found = path.stat() if path.is_file() else None
        stamps[file] = [found.st_size, found.st_mtime_ns] if found else []
    return stamps


def _write(
    store: Path, folder: Path, header: Header, signal: Signal, stamps: dict[str, list[int]]
) -> None:
    """Write array, then index: until the new index is there, the hash of the old one fails."""
    buffer = io.BytesIO()
    np.save(buffer, signal, allow_pickle=False)
    index = {
        "version": _VERSION,
        "header": repr(header),
        "stamps": stamps,
        "sha256": {file: _sha256(folder / file) for file in stamps},
        "array_sha256": hashlib.sha256(buffer.getbuffer()).hexdigest(),
    }
    write_atomic(store / f"{header.name}.npy", buffer.getvalue())
    write_atomic(store / f"{header.name}.json", json.dumps(index, indent=1))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
