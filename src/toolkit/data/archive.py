"""Unpack zip and tar archives that nobody vouches for.

Everything is checked in the archive's listing first; then plain contents, and nothing else
(no links, owners, modes), are written to a folder beside the target, which gets its name last.
"""

from __future__ import annotations

import bz2
import contextlib
import errno
import functools
import gzip
import lzma
import shutil
import stat
import struct
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, cast

from toolkit.core.errors import DataError

MAX_BYTES = 16 << 30  # of all members together
MAX_RATIO = 200  # unpacked to packed; scientific arrays rarely exceed 20
ALWAYS_FINE = 1 << 20  # bytes below which the ratio says nothing
MAX_MEMBERS = 100_000
MAX_NAME = 240  # bytes of a path; file systems take 255 of each part
MAX_HEADER = 1 << 20  # bytes of one tar header; a hostile one would fill the memory

_DAMAGED = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    NotImplementedError,
    ValueError,
    struct.error,
)
_DECOMPRESSORS: dict[bytes, Callable[..., object]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ": lzma.open,
}


@dataclass(frozen=True)
class _Member:
    name: str
    size: int
    is_folder: bool
    is_plain: bool
    open: Callable[[], IO[bytes]]


def unpack(archive: Path, target: Path) -> list[Path]:
    """Unpack ``archive`` (zip, tar, tar.gz, tar.bz2, tar.xz) into the new folder ``target``.

    Returns:
        The files in ``target``, in the archive's order.

    Raises:
        DataError: a member leads outside, is a link or device or a duplicate; the archive is
            larger than its bounds, damaged or of no known kind; ``target`` is not empty. Nothing
            is written then.
        OSError: the disk is full or not writable; nothing is left in ``target`` then.
    """
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise _refuse(archive, f"the target {target} is not an empty folder")
    with _opened(archive) as members:
        checked = list(_checked(archive, members))
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".unpack-") as scratch:
            staging = Path(scratch) / "members"
            staging.mkdir()
            for member in checked:
                _write(member, staging / member.name)
            staging.replace(target)
    return [target / member.name for member in checked if not member.is_folder]


@contextlib.contextmanager
def _opened(archive: Path) -> Iterator[Iterator[_Member]]:
    try:
        with contextlib.ExitStack() as stack:
            if zipfile.is_zipfile(archive):
                yield _zip_members(stack.enter_context(zipfile.ZipFile(archive)))
            else:
                stream = stack.enter_context(_decompressed(archive))
                tar = stack.enter_context(
                    tarfile.open(fileobj=cast(IO[bytes], _Headers(stream)), mode="r:")
                )
                yield _tar_members(tar, archive)
    except _DAMAGED as error:
        raise _refuse(archive, f"damaged or neither zip nor tar ({error})") from error
    except OSError as error:
        # A decompressor's word has no number, a seek to a hostile offset EINVAL: else, the disk's.
        if error.errno not in (None, errno.EINVAL):
            raise
        raise _refuse(archive, f"damaged ({error})") from error


def _zip_members(archive: zipfile.ZipFile) -> Iterator[_Member]:
    for info in archive.infolist():
        kind = stat.S_IFMT(info.external_attr >> 16)  # 0 where no Unix wrote it
        plain = kind in (0, stat.S_IFREG, stat.S_IFDIR) and not info.flag_bits & 1  # 1: encrypted
        # orig_filename: zipfile cuts names at a NUL and rewrites separators
        name = info.orig_filename
        yield _Member(
            name, info.file_size, name.endswith("/"), plain, functools.partial(archive.open, info)
        )


def _tar_members(archive: tarfile.TarFile, path: Path) -> Iterator[_Member]:
    for info in archive:
        _data_filter(info, path)
        plain = (info.isreg() and not info.issparse()) or info.isdir()
        yield _Member(
            info.name,
            info.size,
            info.isdir(),
            plain,
            functools.partial(_content, archive, info),
        )


def _content(archive: tarfile.TarFile, info: tarfile.TarInfo) -> IO[bytes]:
    return cast(IO[bytes], archive.extractfile(info))


def _data_filter(info: tarfile.TarInfo, archive: Path) -> None:
    """The standard library's own opinion, where it has one (Python 3.11.4)."""
    judge = getattr(tarfile, "data_filter", None)
    try:
        if judge is not None:
            judge(info, str(archive.parent))
    except tarfile.TarError as error:
        raise _refuse(archive, str(error)) from error


def _checked(archive: Path, members: Iterable[_Member]) -> Iterator[_Member]:
    """Pass members on; refuse at the first that breaks a rule, before reading further."""
    limit = min(MAX_BYTES, max(ALWAYS_FINE, MAX_RATIO * archive.stat().st_size))
    names = _Names()
    total = 0
    for count, member in enumerate(members, start=1):
        total += member.size
        if total > limit or count > MAX_MEMBERS:
            raise _refuse(
                archive, f"it would unpack to more than {limit} bytes or {count - 1} files"
            )
        if reason := _fault(member) or names.clash(member):
            raise _refuse(archive, f"member {member.name!r} {reason}")
        yield member


def _fault(member: _Member) -> str:
    path = PurePosixPath(member.name)
    if not member.is_plain or member.size < 0:
        return "is a link, a device, encrypted or otherwise no plain file"
    if path.is_absolute() or member.name[1:2] == ":" or ".." in path.parts:
        return "leads out of the target"
    if "\\" in member.name or not member.name.isprintable():
        return "has a name that is not plain"
    if len(member.name.encode()) > MAX_NAME or not (path.name or member.is_folder):
        return "has no name or too long a one"
    return ""


class _Names:
    """Names seen so far, without case, as some file systems see them."""

    def __init__(self) -> None:
        self._listed: set[str] = set()
        self._files: set[str] = set()
        self._folders: set[str] = set()

    def clash(self, member: _Member) -> str:
        path = PurePosixPath(member.name.casefold())
        parents = {str(parent) for parent in path.parents}
        others = self._listed if member.is_folder else self._listed | self._folders
        if str(path) in others or parents & self._files:
            return "is there twice"
        self._listed.add(str(path))
        self._folders |= parents
        if not member.is_folder:
            self._files.add(str(path))
        return ""


def _write(member: _Member, path: Path) -> None:
    if member.is_folder:
        path.mkdir(parents=True, exist_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with member.open() as content, path.open("xb") as copy:
        shutil.copyfileobj(content, copy)
        if copy.tell() != member.size:
            raise EOFError(f"{member.name} is shorter than listed")


def _decompressed(archive: Path) -> IO[bytes]:
    with archive.open("rb") as stream:
        start = stream.read(6)
    for magic, opener in _DECOMPRESSORS.items():
        if start.startswith(magic):
            return cast(IO[bytes], opener(archive))
    return archive.open("rb")


class _Headers:
    """A stream that refuses to read at once what only a hostile tar header would ask for."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.seek, self.tell = stream.seek, stream.tell

    def read(self, size: int) -> bytes:
        if not 0 <= size <= MAX_HEADER:
            raise tarfile.ReadError(f"a header of {size} bytes")
        return self._stream.read(size)


def _refuse(archive: Path, why: str) -> DataError:
    return DataError(
        f"{archive.name} refused: {why}",
        where=str(archive),
        hint="nothing was unpacked; get the archive from another source",
    )
