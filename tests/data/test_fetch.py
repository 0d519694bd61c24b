"""Nothing gets its final name unless its hash matches, whatever the server does."""

from __future__ import annotations

import hashlib
import io
import os
import resource
import threading
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pooch
import pytest

from toolkit.core.errors import ConfigError, DataError
from toolkit.data import store, transfer
from toolkit.data.datasets import File
from toolkit.data.fetch import fetch

if TYPE_CHECKING:
    from tests.data.conftest import Handler

CONTENT = bytes(range(256)) * 2000
CUT = 10 * transfer.CHUNK


@pytest.fixture
def one(register, server, tmp_path):
    """A data set of one file, on the server; the folder it will be fetched to."""
    server.contents["a.dat"] = CONTENT
    register({"a.dat": CONTENT}, server.url)
    return tmp_path / "toy"


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def refused(tmp_path, match: str, **arguments) -> DataError:
    with pytest.raises(DataError, match=match) as caught:
        fetch("toy", tmp_path, **arguments)
    assert not (tmp_path / "toy" / "a.dat").exists()
    assert caught.value.where and caught.value.hint
    return caught.value


def leave_part(folder, content: bytes) -> None:
    folder.mkdir()
    (folder / "a.dat.part").write_bytes(content)


# Behaviours of one answer


def truncated(handler: Handler, content: bytes) -> None:
    handler.answer(200, content[:CUT], {"Content-Length": str(len(content))})


def truncated_unannounced(handler: Handler, content: bytes) -> None:
    handler.answer(200, content[:CUT], {"Content-Length": None})


def reset_midway(handler: Handler, content: bytes) -> None:
    truncated(handler, content)
    handler.reset()


def unavailable(handler: Handler, _: bytes) -> None:
    handler.send_error(503)


def web_page(handler: Handler, _: bytes) -> None:
    handler.answer(200, b"<html>log in", {"Content-Type": "text/html; charset=utf-8"})


def wrong_bytes(handler: Handler, content: bytes) -> None:
    handler.answer(200, content[::-1])


def ignores_range(handler: Handler, content: bytes) -> None:
    handler.answer(200, content)


def wrong_range(handler: Handler, content: bytes) -> None:
    span = f"bytes 0-{len(content) - 1}/{len(content)}"
    handler.answer(206, content, {"Content-Range": span})


def no_such_range(handler: Handler, _: bytes) -> None:
    handler.send_error(416)


def announces_more(handler: Handler, content: bytes) -> None:
    handler.answer(200, content, {"Content-Length": str(len(content) + 7)})


def announces_less(handler: Handler, content: bytes) -> None:
    handler.answer(200, content, {"Content-Length": str(len(content) - 7)})


def endless(handler: Handler, content: bytes) -> None:
    handler.answer(200, content * 3, {"Content-Length": None})


def compressed(handler: Handler, content: bytes) -> None:
    handler.answer(200, content, {"Content-Encoding": "gzip"})


def test_fetch_verifies_and_reports_progress(one, server, tmp_path):
    seen = []
    assert fetch("toy", tmp_path, progress=lambda *args: seen.append(args)) == one
    assert (one / "a.dat").read_bytes() == CONTENT
    assert seen[-1] == ("a.dat", len(CONTENT), len(CONTENT))
    assert [file.name for file in one.iterdir()] == ["a.dat"]


def test_what_is_here_and_intact_is_not_asked_for_again(one, server, tmp_path):
    fetch("toy", tmp_path)
    fetch("toy", tmp_path)
    assert len(server.requests) == 1
    (one / "a.dat").write_bytes(b"damaged")
    fetch("toy", tmp_path)
    assert (one / "a.dat").read_bytes() == CONTENT


@pytest.mark.parametrize("fault", [truncated, truncated_unannounced, reset_midway, unavailable])
def test_a_fault_is_overcome_within_one_fetch(one, server, tmp_path, fault):
    server.script += [fault, fault]
    fetch("toy", tmp_path)
    assert (one / "a.dat").read_bytes() == CONTENT


def test_a_truncated_download_is_continued(one, server, tmp_path):
    server.script += [truncated]
    fetch("toy", tmp_path)
    assert [asked for _, asked in server.requests] == [None, f"bytes={CUT}-"]


def test_an_interrupted_fetch_is_continued_by_the_next(one, server, tmp_path):
    server.script += [truncated] + [unavailable] * (transfer.ATTEMPTS - 1)
    error = refused(tmp_path, "503")
    assert "same command again" in error.hint
    assert (one / "a.dat.part").read_bytes() == CONTENT[:CUT]
    fetch("toy", tmp_path)
    assert server.requests[-1][1] == f"bytes={CUT}-"
    assert (one / "a.dat").read_bytes() == CONTENT


def test_a_complete_part_needs_no_server(one, server, tmp_path):
    leave_part(one, CONTENT)
    fetch("toy", tmp_path)
    assert not server.requests and (one / "a.dat").read_bytes() == CONTENT


@pytest.mark.parametrize("fault", [ignores_range, wrong_range, no_such_range])
def test_a_server_without_ranges(one, server, tmp_path, fault):
    leave_part(one, CONTENT[:5000])
    server.script += [fault]
    fetch("toy", tmp_path)
    assert (one / "a.dat").read_bytes() == CONTENT


@pytest.mark.parametrize("part", [b"?" * 5000, b"?" * len(CONTENT), CONTENT + b"?"])
def test_a_spoilt_part_is_dropped(one, server, tmp_path, part):
    leave_part(one, part)
    fetch("toy", tmp_path)
    assert (one / "a.dat").read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (web_page, "web page"),
        (wrong_bytes, "content is not the expected one"),
        (announces_more, "announced as"),
        (announces_less, "announced as"),
        (endless, "more than the expected"),
        (compressed, "recoded"),
        (lambda handler, _: handler.send_error(404), "404"),
        (truncated, "in 5 attempts"),
        (reset_midway, "in 5 attempts"),
        (unavailable, "503"),
        (wrong_range, "another range"),
    ],
)
def test_a_lying_server_gets_nothing_in(one, server, tmp_path, fault, says):
    server.script += [fault] * 20
    refused(tmp_path, says)


def test_a_server_that_lies_and_cuts_ends_too(one, server, tmp_path):
    def lies_and_cuts(handler: Handler, content: bytes) -> None:
        start = int((handler.headers.get("Range") or "bytes=0-")[6:-1])
        span = f"bytes {start}-{len(content) - 1}/{len(content)}"
        length = {"Content-Length": str(len(content) - start), "Content-Range": span}
        half = content[start : start + len(content) // 2][::-1]
        handler.answer(206 if start else 200, half, length)

    server.script += [lies_and_cuts] * 20
    refused(tmp_path, "content is not the expected one")


def test_no_server(one, tmp_path):
    refused(tmp_path, "no connection", source="http://127.0.0.1:9/")


def test_a_slow_server_times_out(one, server, tmp_path, monkeypatch):
    release = threading.Event()
    monkeypatch.setattr(transfer, "TIMEOUT_S", (1.0, 0.05))
    monkeypatch.setattr(transfer, "ATTEMPTS", 2)
    server.script += [lambda *_: release.wait()] * 2
    refused(tmp_path, "in time")
    release.set()


def test_a_mirror_address(one, server, tmp_path):
    fetch("toy", tmp_path, source=server.url + "mirror/")
    assert server.requests == [("/mirror/a.dat", None)]


@pytest.mark.parametrize("below", ["", "toy"])
def test_a_mirror_folder(one, tmp_path, below):
    mirror = tmp_path / "mirror"
    (mirror / below).mkdir(parents=True)
    (mirror / below / "a.dat").write_bytes(CONTENT)
    fetch("toy", tmp_path, source=mirror)
    assert (one / "a.dat").read_bytes() == CONTENT
    assert (one / "a.dat").stat().st_mode & 0o044  # as readable as the umask lets it be


@pytest.mark.parametrize(
    ("content", "says"), [(b"short", "5 bytes, expected"), (CONTENT[::-1], "content is not")]
)
def test_a_wrong_mirror_folder(one, tmp_path, content, says):
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror" / "a.dat").write_bytes(content)
    refused(tmp_path, says, source=tmp_path / "mirror")


def test_links_and_pipes_in_a_mirror_are_not_followed(one, tmp_path):
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    (tmp_path / "secret").write_bytes(CONTENT)
    (mirror / "a.dat").symlink_to(tmp_path / "secret")
    refused(tmp_path, "not a regular file", source=mirror)
    (mirror / "a.dat").unlink()
    os.mkfifo(mirror / "a.dat")
    refused(tmp_path, "not a regular file", source=mirror)
    (mirror / "a.dat").unlink()
    refused(tmp_path, "cannot be read", source=mirror)


def test_a_planted_part_link_is_not_written_through(one, tmp_path):
    one.mkdir()
    (tmp_path / "victim").write_bytes(b"precious")
    (one / "a.dat.part").symlink_to(tmp_path / "victim")
    refused(tmp_path, "cannot write")
    assert (tmp_path / "victim").read_bytes() == b"precious"


@pytest.mark.parametrize("source", ["ftp://example.org/", "no/such/folder"])
def test_a_source_of_no_known_kind(one, tmp_path, source):
    with pytest.raises(ConfigError, match="neither a folder nor"):
        fetch("toy", tmp_path, source=source)


def test_unknown_hashes_are_recorded_and_held_to(register, server, tmp_path):
    server.contents["a.dat"] = CONTENT
    register({"a.dat": CONTENT}, server.url, known=False)
    fetch("toy", tmp_path)
    assert store.recorded(tmp_path / "toy") == {"a.dat": digest(CONTENT)}
    assert store.data_hash("toy", tmp_path / "toy") == store.folder_hash(
        tmp_path / "toy", ["a.dat"]
    )
    (tmp_path / "toy" / "a.dat").unlink()
    server.contents["a.dat"] = b"another version"
    refused(tmp_path, "content is not the expected one")


def test_without_a_known_hash_nothing_is_continued(register, server, tmp_path):
    register({"a.dat": CONTENT}, server.url, known=False)
    server.contents["a.dat"] = CONTENT
    leave_part(tmp_path / "toy", b"of another version")
    fetch("toy", tmp_path)
    assert (tmp_path / "toy" / "a.dat").read_bytes() == CONTENT


def test_an_archive_is_unpacked_and_its_members_verified(register, server, tmp_path):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a.dat", CONTENT)
        archive.writestr("unlisted.exe", b"stays out")
    server.contents["all.zip"] = packed.getvalue()
    entry = File("all.zip", server.url + "all.zip", digest(packed.getvalue()))
    register({"a.dat": CONTENT}, server.url, archive=entry)
    fetch("toy", tmp_path)
    assert [file.name for file in (tmp_path / "toy").iterdir()] == ["a.dat"]
    assert store.verify("toy", tmp_path / "toy").ok
    register({"a.dat": CONTENT[::-1]}, server.url, archive=entry)
    (tmp_path / "toy" / "a.dat").unlink()
    refused(tmp_path, "content is not the expected one")


def test_a_full_disk_names_path_and_free_space(register, server, tmp_path):
    content = bytes(3 << 20)
    server.contents["a.dat"] = content
    register({"a.dat": content}, server.url)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, hard))
    try:
        error = refused(tmp_path, "cannot write")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert str(tmp_path) in error.where and "MB free" in error.where


def test_too_little_space_is_said_before_any_download(one, server, tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda _: Usage)
    refused(tmp_path, "not enough space")
    assert not server.requests


class Usage:
    free = 10


def test_a_target_that_cannot_be_written(one, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="cannot write") as caught:
        fetch("toy", tmp_path / "file")
    assert "MB free" in caught.value.where and "TOOLKIT_DATA" in caught.value.hint


def test_no_home_and_no_target(one, monkeypatch):
    monkeypatch.delenv("TOOLKIT_DATA", raising=False)
    monkeypatch.setattr(pooch, "os_cache", lambda _: Path("~/.cache/toolkit"))
    with pytest.raises(DataError, match="no place for data"):
        fetch("toy")


def test_a_second_fetch_is_kept_out(one, server, tmp_path):
    def meanwhile(handler: Handler, content: bytes) -> None:
        with pytest.raises(DataError, match="another fetch"):
            fetch("toy", tmp_path)
        handler.honest(content)

    server.script += [meanwhile]
    fetch("toy", tmp_path)
    assert (one / "a.dat").read_bytes() == CONTENT
