"""Hostile archives are refused before anything is written."""

from __future__ import annotations

import io
import random
import stat
import struct
import tarfile
import zipfile
import zlib

import pytest

from toolkit.core.errors import DataError
from toolkit.data import archive as archives
from toolkit.data.fetch import unpack

MEMBERS = {"scene/cube.mat": b"cube" * 1000, "readme.txt": b"read me"}


def tar_file(path, *members, mode="w:gz"):
    """A tar of ``(name, content)`` pairs and ready-made TarInfos."""
    with tarfile.open(path, mode) as tar:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                tar.addfile(member)
            else:
                info = tarfile.TarInfo(member[0])
                info.size = len(member[1])
                tar.addfile(info, io.BytesIO(member[1]))
    return path


def zip_file(path, *members):
    """A zip of ``(name, content, unix mode)`` triples; the mode may be left out."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content, *mode in members:
            info = zipfile.ZipInfo(name)
            info.external_attr = (mode[0] if mode else 0) << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, content)
    return path


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def refused(path, match: str) -> None:
    before = sorted(path.parent.rglob("*"))
    with pytest.raises(DataError, match=match):
        unpack(path, path.parent / "target")
    assert sorted(path.parent.rglob("*")) == before


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_tar(tmp_path, mode):
    path = tar_file(tmp_path / "a.tar", *MEMBERS.items(), mode=mode)
    files = unpack(path, tmp_path / "target")
    assert {f.relative_to(tmp_path / "target").as_posix(): f.read_bytes() for f in files} == MEMBERS


def test_zip_into_an_empty_folder(tmp_path):
    path = zip_file(tmp_path / "a.zip", ("scene/", b"", stat.S_IFDIR | 0o755), *MEMBERS.items())
    (tmp_path / "target").mkdir()
    files = unpack(path, tmp_path / "target")
    assert {f.relative_to(tmp_path / "target").as_posix(): f.read_bytes() for f in files} == MEMBERS
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.zip", "target"]


def test_folders_as_tar_lists_them(tmp_path):
    (tmp_path / "tree" / "scene").mkdir(parents=True)
    (tmp_path / "tree" / "scene" / "cube.mat").write_bytes(b"cube")
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as tar:
        tar.add(tmp_path / "tree", ".")
    assert unpack(tmp_path / "a.tar.gz", tmp_path / "target") == [
        tmp_path / "target" / "scene" / "cube.mat"
    ]


def test_a_target_with_files_is_left_alone(tmp_path):
    (tmp_path / "target").mkdir()
    (tmp_path / "target" / "mine").touch()
    refused(tar_file(tmp_path / "a.tar", ("x", b"")), "not an empty folder")


OUTSIDE = [
    "../evil",
    "/evil",
    "a/../../evil",
    "C:evil",
    "a\\..\\evil",
    "new\nline",
    "",
]


@pytest.mark.parametrize("name", OUTSIDE)
def test_names_that_lead_outside_tar(tmp_path, name):
    refused(tar_file(tmp_path / "a.tar.gz", ("fine", b"1"), (name, b"2")), "refused")


@pytest.mark.parametrize("name", OUTSIDE)
def test_names_that_lead_outside_zip(tmp_path, name):
    refused(zip_file(tmp_path / "a.zip", ("fine", b"1"), (name, b"2")), "refused")


def test_a_name_with_a_nul(tmp_path):
    path = zip_file(tmp_path / "a.zip", ("name", b"1"))
    path.write_bytes(path.read_bytes().replace(b"name", b"na\0e"))
    refused(path, "not plain")


@pytest.mark.parametrize(
    "member",
    [
        link("link", "/etc/passwd"),
        link("link", "fine"),
        link("link", "fine", tarfile.LNKTYPE),
        link("device", "", tarfile.CHRTYPE),
        link("device", "", tarfile.BLKTYPE),
        link("pipe", "", tarfile.FIFOTYPE),
    ],
)
def test_links_and_devices_tar(tmp_path, member):
    refused(tar_file(tmp_path / "a.tar", ("fine", b"1"), member), "refused")


def test_a_file_behind_a_link(tmp_path):
    path = tar_file(tmp_path / "a.tar", link("dir", str(tmp_path)), ("dir/evil", b"2"))
    refused(path, "refused")


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFSOCK])
def test_links_and_devices_zip(tmp_path, kind):
    refused(zip_file(tmp_path / "a.zip", ("link", b"/etc/passwd", kind | 0o777)), "plain file")


@pytest.mark.parametrize(
    "names", [("a", "a"), ("a", "A"), ("a/b", "./a/b"), ("a", "a/b"), ("a/b", "a"), ("a/", "a")]
)
def test_duplicates(tmp_path, names):
    refused(tar_file(tmp_path / "a.tar", *[(name, b"") for name in names]), "twice|refused")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_duplicates_zip(tmp_path):
    refused(zip_file(tmp_path / "a.zip", ("a", b"1"), ("a", b"2")), "twice")


def test_bombs(tmp_path):
    zeros = bytes(archives.ALWAYS_FINE)
    refused(zip_file(tmp_path / "a.zip", ("a", zeros), ("b", zeros)), "would unpack to more")
    (tmp_path / "a.zip").unlink()
    refused(tar_file(tmp_path / "a.tar.gz", ("a", zeros), ("b", zeros)), "would unpack to more")


def test_too_many_members(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "MAX_MEMBERS", 3)
    refused(tar_file(tmp_path / "a.tar", *[(str(i), b"") for i in range(4)]), "or 3 files")


def test_a_huge_tar_header_is_not_read_into_memory(tmp_path):
    header = tarfile.TarInfo("pax")
    header.type, header.size = tarfile.XHDTYPE, 1 << 40
    (tmp_path / "a.tar").write_bytes(header.tobuf(tarfile.GNU_FORMAT) + bytes(1024))
    refused(tmp_path / "a.tar", "header of")


def test_an_understated_size_does_not_unpack(tmp_path):
    path = zip_file(tmp_path / "a.zip", ("a", b"x" * 5000))
    data = path.read_bytes().replace(struct.pack("<I", 5000), struct.pack("<I", 50))
    path.write_bytes(data)
    refused(path, "damaged")


def test_encrypted_members(tmp_path):
    path = zip_file(tmp_path / "a.zip", ("a", b"x"))
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\1\2") + 8] |= 1
    path.write_bytes(data)
    refused(path, "encrypted")


@pytest.mark.parametrize("content", [b"", b"<html>", b"\x1f\x8b", b"BZh9garbage", b"\xfd7zXZ\0"])
def test_what_is_no_archive(tmp_path, content):
    (tmp_path / "a.zip").write_bytes(content)
    refused(tmp_path / "a.zip", "refused")


@pytest.mark.parametrize("mode", ["w:gz", "w:bz2", "w:xz"])
def test_truncated(tmp_path, mode):
    path = tar_file(tmp_path / "a", ("x", random.Random(0).randbytes(50000)), mode=mode)
    path.write_bytes(path.read_bytes()[:-30000])
    refused(path, "damaged")


@pytest.mark.parametrize("make", [zip_file, tar_file])
def test_random_damage_never_escapes(tmp_path, make):
    """A flipped byte gives either files below the target or a DataError, nothing else."""
    whole = make(tmp_path / "whole", *MEMBERS.items()).read_bytes()
    if make is tar_file:
        whole = zlib.decompress(whole, wbits=31)  # flips in gzip would only break its checksum
    dice = random.Random(0)
    for trial in range(60):
        data = bytearray(whole)
        data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
        (tmp_path / "damaged").write_bytes(data)
        try:
            files = unpack(tmp_path / "damaged", tmp_path / "out" / str(trial))
        except DataError:
            continue
        assert all(file.is_relative_to(tmp_path / "out" / str(trial)) for file in files)
    assert {path.name for path in tmp_path.iterdir()} <= {"whole", "damaged", "out"}
