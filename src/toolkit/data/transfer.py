"""One file from a server or a folder into a ``.part`` file, bounded and resumable.

:class:`Download` and :class:`Copy` are *downloaders* in pooch's sense: pooch calls them with an
address and the name of an empty temporary file, compares the SHA-256 of what they leave there,
and only then gives it its final name.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import requests  # comes with pooch

from toolkit.core.errors import DataError
from toolkit.data.datasets import File

Progress = Callable[[str, int, int | None], None]
"""Called with a file's name, the bytes of it that are here, and its size if known."""

ATTEMPTS = 5
BACKOFF_S = 0.5  # doubled after each failed attempt
TIMEOUT_S = (10.0, 30.0)  # to connect; between two pieces
CHUNK = 1 << 14  # bytes; what a broken connection loses at most
MAX_BYTES = 8 << 30  # of a file whose size the registry does not know
TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})


class _TransientError(Exception):
    """Worth another attempt: the connection or the server faltered."""


@dataclass
class Download:
    """Download over HTTP; what an interrupted attempt left in ``part`` is continued.

    Nothing is continued when the file's hash is unknown: pieces of two versions could not be told
    from one. ``resumed`` says afterwards whether old bytes were used.
    """

    file: File
    part: Path
    session: requests.Session
    progress: Progress
    resumed: bool = False

    def __call__(self, url: str, output: str, _pooch: object = None) -> None:
        """Bring ``url`` into ``output``.

        Raises:
            DataError: refused by the server, not what was expected, or out of attempts.
        """
        self._persist(url)
        self.part.replace(output)

    def _persist(self, url: str) -> None:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return self._attempt(url)
            except _TransientError as error:
                if attempt == ATTEMPTS:
                    raise DataError(
                        f"{self.file.name} could not be downloaded in {ATTEMPTS} attempts: {error}",
                        where=url,
                        hint="the same command again continues where this stopped, "
                        "or --from DIR|URL takes a mirror",
                    ) from error
                time.sleep(BACKOFF_S * 2 ** (attempt - 1))
        raise AssertionError("unreachable")

    def _attempt(self, url: str) -> None:
        with open_part(self.part) as part:
            here = part.seek(0, os.SEEK_END)
            if self.file.sha256 is None or here > self._limit:
                here = _empty(part)
            self.resumed = here > 0
            if here != self.file.size:
                self._receive(url, part, here)
            if self.file.size is not None and part.tell() < self.file.size:
                raise _TransientError(f"cut after {part.tell()} of {self.file.size} bytes")
            os.fsync(part.fileno())

    @property
    def _limit(self) -> int:
        return MAX_BYTES if self.file.size is None else self.file.size

    def _receive(self, url: str, part: BinaryIO, here: int) -> None:
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={here}-"} if here else {})
        try:
            with self.session.get(url, headers=headers, stream=True, timeout=TIMEOUT_S) as answer:
                if self._check(answer, here) == 0:
                    self.resumed = _empty(part) > 0
                self._save(answer, url, part)
        except (requests.ConnectionError, requests.Timeout) as error:
            raise _TransientError(_reason(error)) from error
        except requests.exceptions.ChunkedEncodingError as error:
            raise _TransientError("the connection broke") from error
        except requests.RequestException as error:
            raise DataError(
                f"{self.file.name} cannot be downloaded: {error}",
                where=url,
                hint="--from takes a folder or an http(s) address that holds the files",
            ) from error

    def _check(self, answer: requests.Response, here: int) -> int:
        """Refuse what cannot be the file; return the offset at which the answer starts."""
        if answer.status_code in TRANSIENT:
            raise _TransientError(f"the server answered {answer.status_code} {answer.reason}")
        if answer.status_code in (206, 416) and not self._continues(answer, here):
            self.part.unlink(missing_ok=True)  # the next attempt asks for the whole file
            raise _TransientError("the server answered with another range than the one asked for")
        if answer.status_code not in (200, 206):
            raise self._refuse(answer, f"the server answered {answer.status_code} {answer.reason}")
        if answer.headers.get("Content-Type", "").startswith("text/html"):
            raise self._refuse(answer, "the server answered with a web page")
        if answer.headers.get("Content-Encoding", "identity") != "identity":
            raise self._refuse(answer, "the server answered with recoded bytes")
        start = here if answer.status_code == 206 else 0
        self._check_length(answer, start)
        return start

    def _continues(self, answer: requests.Response, here: int) -> bool:
        span, _, total = answer.headers.get("Content-Range", "").partition("/")
        right_total = self.file.size is None or total in ("*", str(self.file.size))
        return here > 0 and span.startswith(f"bytes {here}-") and right_total

    def _check_length(self, answer: requests.Response, start: int) -> None:
        announced = answer.headers.get("Content-Length", "")
        if not announced.isdecimal():
            return
        total = start + int(announced)
        if total > self._limit or (self.file.size is not None and total != self.file.size):
            raise self._refuse(answer, f"announced as {total} bytes, expected {self._limit}")

    def _save(self, answer: requests.Response, url: str, part: BinaryIO) -> None:
        for piece in answer.iter_content(CHUNK):
            if part.tell() + len(piece) > self._limit:
                _empty(part)
                raise self._refuse(answer, f"more than the expected {self._limit} bytes came")
            part.write(piece)
            self.progress(self.file.name, part.tell(), self.file.size)

    def _refuse(self, answer: requests.Response, why: str) -> DataError:
        return DataError(
            f"{self.file.name} refused: {why}",
            where=answer.url,
            hint="try again later, or --from DIR|URL takes a mirror",
        )


@dataclass
class Copy:
    """Copy from a folder; only regular files, so that a planted link cannot lead elsewhere."""

    file: File
    progress: Progress
    resumed: bool = False

    def __call__(self, source: str, output: str, _pooch: object = None) -> None:
        """Copy ``source`` into ``output``.

        Raises:
            DataError: missing, a link or another special file, or of another size.
        """
        Path(output).unlink()  # pooch made it readable by its owner only
        with _open_regular(Path(source)) as origin, Path(output).open("xb") as copy:
            size = os.fstat(origin.fileno()).st_size
            if self.file.size not in (None, size):
                raise DataError(
                    f"{self.file.name} refused: {size} bytes, expected {self.file.size}",
                    where=source,
                    hint="a mirror must hold the same version; leave --from away to download",
                )
            for piece in _pieces(origin):
                copy.write(piece)
                self.progress(self.file.name, copy.tell(), size)
            copy.flush()
            os.fsync(copy.fileno())


def open_part(path: Path) -> BinaryIO:
    """Open a ``.part`` file for reading and writing; never through a link.

    Raises:
        OSError: also when ``path`` is a symbolic link.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666), "r+b")


def _open_regular(path: Path) -> BinaryIO:
    refusal = DataError(
        f"{path.name} refused: not a regular file",
        where=str(path),
        hint="links are not followed; give --from the folder that holds the files themselves",
    )
    if path.is_symlink():
        raise refusal
    try:
        stream = os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb")
    except OSError as error:
        raise DataError(
            f"{path.name} cannot be read: {error.strerror}",
            where=str(path),
            hint="give --from a folder that holds all files; leave it away to download",
        ) from error
    if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
        stream.close()
        raise refusal
    return stream


def _empty(stream: BinaryIO) -> int:
    stream.seek(0)
    return stream.truncate()


def _pieces(stream: BinaryIO) -> Iterable[bytes]:
    return iter(lambda: stream.read(CHUNK), b"")


def _reason(error: requests.RequestException) -> str:
    return (
        "the server did not answer in time"
        if isinstance(error, requests.Timeout)
        else (f"no connection ({type(error).__name__})")
    )
