"""Bring a dataset onto this machine: verified, resumable, all names earned.

A file gets its final name only when its SHA-256 is the expected one. Until then it is a ``.part``
file, which the next :func:`fetch` continues. pooch does the verifying and renaming.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote

import pooch
import requests

from toolkit.core.errors import ConfigError, DataError
from toolkit.data.archive import unpack
from toolkit.data.datasets import Dataset, File, dataset
from toolkit.data.store import RECORDED, default_roots, recorded, sha256_of, verify
from toolkit.data.transfer import Copy, Download, Progress

__all__ = ["Progress", "fetch", "unpack"]


def fetch(
    name: str,
    target: Path | None = None,
    source: str | Path | None = None,
    progress: Progress | None = None,
) -> Path:
    """Bring a dataset into its subfolder of ``target`` and return that folder.

    Files that are there and intact stay; damaged ones are replaced.

    Args:
        name: the dataset.
        target: the data folder; by default ``$TOOLKIT_DATA``, else the user's cache.
        source: a mirror: an http(s) address, or a folder that holds the files or the dataset's
            subfolder; by default the dataset's own address.
        progress: called with a file's name, its bytes so far and its size.

    Raises:
        ConfigError: unknown name, or a source that is neither folder nor http(s) address.
        DataError: not to be had, not what it should be, or no room to write it.
    """
    wanted = dataset(name)
    folder, origin = _root(target) / wanted.folder, _origin(wanted, source)
    with _disk_errors(folder), _locked(folder), requests.Session() as session:
        job = _Job(folder, origin, session, progress or _silent)
        lacking = _lacking(wanted, job)
        _check_space(folder, lacking)
        if lacking and wanted.archive and not _lies_unpacked(wanted, job.origin):
            _obtain_archive(wanted.archive, lacking, job)
        else:
            _obtain_all(lacking, job)
        _record(wanted, folder)
    return folder


@dataclass(frozen=True)
class _Job:
    folder: Path
    origin: str | Path | None
    session: requests.Session
    progress: Progress


def _silent(_file: str, _done: int, _total: int | None) -> None:
    pass


def _root(target: Path | None) -> Path:
    roots = [target] if target is not None else default_roots()
    if not roots:
        raise DataError(
            "no place for data: TOOLKIT_DATA is not set and this user has no home folder",
            where="environment",
            hint="--to DIR, or set TOOLKIT_DATA",
        )
    return roots[0]


def _origin(wanted: Dataset, source: str | Path | None) -> str | Path | None:
    if source is None or str(source).startswith(("http://", "https://")):
        return None if source is None else str(source).rstrip("/")
    folder = Path(source)
    if not folder.is_dir():
        raise ConfigError(
            f"--from {source} is neither a folder nor an http(s) address",
            where="--from",
            hint=f"toolkit data fetch {wanted.name}",
        )
    return folder / wanted.folder if (folder / wanted.folder).is_dir() else folder


def _lacking(wanted: Dataset, job: _Job) -> list[File]:
    """Files to bring, with the hash that they must have as far as anybody knows it."""
    found = verify(wanted.name, job.folder)
    names = {*found.missing, *(damage.file for damage in found.damaged)}
    known = recorded(job.folder)
    files = [replace(f, sha256=f.sha256 or known.get(f.name)) for f in wanted.files.values()]
    for file in files:
        if file.name not in names:
            job.progress(file.name, file.size or 0, file.size)
    return [file for file in files if file.name in names]


def _lies_unpacked(wanted: Dataset, origin: str | Path | None) -> bool:
    """Whether a mirror folder has the members themselves instead of the archive."""
    archive = wanted.archive
    return isinstance(origin, Path) and archive is not None and not (origin / archive.name).exists()


def _obtain_archive(archive: File, files: Sequence[File], job: _Job) -> None:
    with tempfile.TemporaryDirectory(dir=job.folder, prefix=".unpacked-") as scratch:
        _obtain(archive, job)
        unpack(job.folder / archive.name, Path(scratch) / "members")
        _obtain_all(files, replace(job, origin=Path(scratch) / "members"))
    (job.folder / archive.name).unlink()


def _obtain_all(files: Sequence[File], job: _Job) -> None:
    for file in files:
        _obtain(file, job)


def _obtain(file: File, job: _Job) -> None:
    pooch.get_logger().setLevel("WARNING")  # progress is ours to tell
    for last in (False, True):
        address, downloader = _downloader(file, job)
        try:
            pooch.retrieve(address, file.sha256, file.name, job.folder, downloader=downloader)
            return
        except ValueError as error:  # pooch's word for another hash
            # An old part may be to blame; it is gone now: once more from the start.
            if last or not downloader.resumed:
                raise _wrong_content(file, address) from error


def _downloader(file: File, job: _Job) -> tuple[str, Download | Copy]:
    if isinstance(job.origin, Path):
        return str(job.origin / file.name), Copy(file, job.progress)
    part = job.folder / f"{file.name}.part"
    address = file.url if job.origin is None else f"{job.origin}/{quote(file.name)}"
    return address, Download(file, part, job.session, job.progress)


def _wrong_content(file: File, address: str) -> DataError:
    return DataError(
        f"{file.name} refused: its content is not the expected one (SHA-256 {file.sha256})",
        where=address,
        hint="try again later, or --from DIR|URL takes a mirror",
    )


def _record(wanted: Dataset, folder: Path) -> None:
    """Write down the hashes that the registry does not know, at the first download."""
    known = recorded(folder)
    new = {
        file.name: sha256_of(folder / file.name)
        for file in wanted.files.values()
        if file.sha256 is None and file.name not in known
    }
    if new:
        lines = [f"{digest}  {name}\n" for name, digest in sorted((known | new).items())]
        scratch = folder / f"{RECORDED}.part"
        scratch.write_text("".join(lines), encoding="utf-8")
        scratch.replace(folder / RECORDED)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Keep a second fetch out: two writers of one ``.part`` could spoil a verified file."""
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # some network file systems have no locks
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise DataError(
                    "another fetch is writing here", where=str(folder), hint="wait for it to end"
                ) from error
        yield
    finally:
        os.close(handle)


def _check_space(folder: Path, lacking: Sequence[File]) -> None:
    needed, free = sum(file.size or 0 for file in lacking), _free(folder)
    if needed > free:
        raise DataError(
            f"not enough space: {needed / 1e6:.0f} MB are needed, {free / 1e6:.0f} MB are free",
            where=str(folder),
            hint="--to DIR names another folder",
        )


def _free(folder: Path) -> int:
    """Free bytes where ``folder`` is or would be."""
    for path in (folder, *folder.parents):
        with contextlib.suppress(OSError):
            return shutil.disk_usage(path).free
    return 0


@contextlib.contextmanager
def _disk_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DataError(
            f"cannot write {error.filename or folder}: {error.strerror or error}",
            where=f"{folder} ({_free(folder) / 1e6:.0f} MB free)",
            hint="--to DIR or TOOLKIT_DATA=DIR names another folder",
        ) from error
