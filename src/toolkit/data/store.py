"""Where datasets lie on this machine, and whether they are intact."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit.core.errors import ConfigError, DataError, closest
from toolkit.data.datasets import Dataset, File, dataset, registry

__all__ = [
    "Damage",
    "Dataset",
    "File",
    "Verification",
    "data_hash",
    "dataset",
    "default_roots",
    "folder_hash",
    "locate",
    "recorded",
    "registry",
    "sha256_of",
    "verify",
]

RECORDED = "recorded.sha256"  # hashes taken at the first download, in sha256sum's format
HASHING_THREADS = 4  # hashing releases the interpreter's lock; beyond this the disk is the limit


@dataclass(frozen=True)
class Damage:
    """A file that is not what it should be: expected and found SHA-256, or why it has none."""

    file: str
    expected: str
    found: str


@dataclass(frozen=True)
class Verification:
    """What :func:`verify` found: ``files`` checked, ``missing``, ``damaged``, ``unverified``.

    ``unverified`` files are present, but nobody knows their hash yet.
    """

    dataset: str
    folder: Path
    files: int
    missing: tuple[str, ...] = ()
    damaged: tuple[Damage, ...] = ()
    unverified: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether every file is there and none differs."""
        return not self.missing and not self.damaged

    def to_json(self) -> dict[str, Any]:
        """A plain mapping with stable keys."""
        return {
            "ok": self.ok,
            "dataset": self.dataset,
            "folder": str(self.folder),
            "files": self.files,
            "missing": list(self.missing),
            "damaged": [vars(damage) for damage in self.damaged],
            "unverified": list(self.unverified),
        }


def locate(name: str, data_dir: Path | None = None) -> Path:
    """The folder that holds a dataset.

    Only ``data_dir`` is searched when given, so that another copy never stands in for it;
    otherwise ``$TOOLKIT_DATA``, then the user's cache. In each, the dataset's own subfolder comes
    first, then the folder itself.

    Raises:
        ConfigError: unknown name.
        DataError: found nowhere; the message says where it was looked for and what helps.
    """
    wanted = dataset(name)
    roots = [data_dir] if data_dir is not None else default_roots()
    for root in roots:
        for folder in (root / wanted.folder, root):
            if any(_is_file(folder / file) for file in wanted.files):
                return folder
    raise _not_found(wanted, roots)


def default_roots() -> list[Path]:
    """Data folders in the order of search: ``$TOOLKIT_DATA`` if set, the user's cache if any."""
    import pooch

    named = os.environ.get("TOOLKIT_DATA")
    try:
        cache = pooch.os_cache("toolkit")
    except RuntimeError:  # newer platformdirs without HOME and without a passwd entry
        cache = Path("~")
    # older ones leave "~" as it stands
    return ([Path(named)] if named else []) + ([cache] if cache.is_absolute() else [])


def verify(name: str, folder: Path, files: Iterable[str] | None = None) -> Verification:
    """Hash the files of a dataset and compare them with the registry.

    Args:
        name: the dataset.
        folder: where its files lie, as from :func:`locate`.
        files: names to check; all by default.

    Raises:
        ConfigError: unknown dataset, or a file that it does not have.
    """
    chosen = _choose(dataset(name), files)
    expected = _expected(dataset(name), folder)
    with ThreadPoolExecutor(HASHING_THREADS) as pool:
        found = dict(zip(chosen, pool.map(lambda file: _sha256_or_why(folder / file), chosen)))
    present = {file: digest for file, digest in found.items() if digest is not None}
    return Verification(
        dataset=name,
        folder=folder,
        files=len(chosen),
        missing=tuple(file for file in chosen if file not in present),
        damaged=tuple(
            Damage(file, expected.get(file, "a readable file"), digest)
            for file, digest in present.items()
            if digest != expected.get(file) and (file in expected or not _is_digest(digest))
        ),
        unverified=tuple(file for file in present if file not in expected),
    )


def data_hash(name: str, folder: Path | None = None) -> str:
    """One SHA-256 over the names and hashes that a dataset should have.

    ``folder`` adds the hashes recorded there at the first download of files that the registry
    knows no hash of. Equal to :func:`folder_hash` when the folder is intact.
    """
    wanted = dataset(name)
    known = _expected(wanted, folder)
    return _digest({file: known.get(file, "unknown") for file in wanted.files})


def folder_hash(folder: Path, files: Iterable[str]) -> str:
    """One SHA-256 over the names and contents of ``files``: for data outside the registry.

    Raises:
        DataError: a file is missing or unreadable.
    """
    return _digest({file: sha256_of(folder / file) for file in files})


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file's content, read in pieces.

    Raises:
        DataError: missing, unreadable or not a regular file.
    """
    digest = _sha256_or_why(path)
    if digest is None or not _is_digest(digest):
        raise DataError(f"{path.name} cannot be read: {digest or 'no such file'}", where=str(path))
    return digest


def recorded(folder: Path) -> dict[str, str]:
    """Hashes by file name that were recorded at the first download."""
    try:
        text = (folder / RECORDED).read_text(encoding="utf-8")
    except OSError:
        return {}
    pairs = re.findall(r"^([0-9a-f]{64})  (.+)$", text, flags=re.MULTILINE)
    return {file: digest for digest, file in pairs}


def _expected(wanted: Dataset, folder: Path | None) -> dict[str, str]:
    known = {file.name: file.sha256 for file in wanted.files.values() if file.sha256}
    return (recorded(folder) | known) if folder is not None else known


def _choose(wanted: Dataset, files: Iterable[str] | None) -> list[str]:
    chosen = list(wanted.files if files is None else files)
    for file in chosen:
        if file not in wanted.files:
            raise ConfigError(
                f"{wanted.name} has no file {file!r}; {closest(file, wanted.files)}",
                where=f"dataset {wanted.name}",
                hint=f"toolkit data info {wanted.name}",
            )
    return chosen


def _sha256_or_why(path: Path) -> str | None:
    """The hash, None when there is no such file, or in words why it has none."""
    try:
        if not path.exists():
            return None
        if not path.is_file():  # a fifo would block for ever
            return "not a regular file"
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        return f"unreadable: {error.strerror}"


def _is_digest(text: str) -> bool:
    return re.fullmatch("[0-9a-f]{64}", text) is not None


def _digest(hashes: Mapping[str, str]) -> str:
    lines = "".join(f"{hashes[file]}  {file}\n" for file in sorted(hashes))
    return hashlib.sha256(lines.encode()).hexdigest()


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a folder that we may not enter
        return False


def _not_found(wanted: Dataset, roots: list[Path]) -> DataError:
    looked = [str(path) for root in roots for path in (root / wanted.folder, root)]
    none = "no folder: TOOLKIT_DATA is not set and this user has no home folder"
    size = f"{wanted.size / 1e6:.0f} MB" if wanted.size else "size not known"
    hint = f"toolkit data fetch {wanted.name}  (downloads: {size}), "
    hint += "or --data-dir DIR if you have it"
    if wanted.application == "ecg":
        hint += (
            "\n         toolkit data synthesize ecg OUT, then --data-dir OUT  "
            "(no download: synthetic records)"
        )
    return DataError(
        f"dataset {wanted.name} ({wanted.title}) is not on this machine",
        where="looked in " + (", ".join(looked) or none),
        hint=hint,
    )
