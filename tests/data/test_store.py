from __future__ import annotations

import os
import re
from pathlib import Path, PurePosixPath

import pooch
import pytest

from toolkit.core.errors import ConfigError, DataError
from toolkit.data import store

CONTENTS = {"a.dat": b"first", "b.dat": b"second"}


@pytest.fixture
def toy(register, tmp_path):
    """The data set, and a data folder that holds it intact."""
    register(CONTENTS)
    (tmp_path / "toy").mkdir()
    for name, content in CONTENTS.items():
        (tmp_path / "toy" / name).write_bytes(content)
    return tmp_path


def test_registry_is_well_formed():
    for name, dataset in store.registry().items():
        assert dataset.name == name
        assert dataset.licence and dataset.citation and dataset.page.startswith("https://")
        for file in dataset.files.values():
            assert file.url.startswith(("https://", "http://"))
            assert ".." not in PurePosixPath(file.name).parts and not file.name.startswith("/")
            assert file.sha256 is None or re.fullmatch("[0-9a-f]{64}", file.sha256)


def test_mitdb_has_all_its_files():
    mitdb = store.dataset("mitdb")
    records = {name.split(".")[0] for name in mitdb.files if "." in name}
    assert len(records) == 48
    assert set(mitdb.files) == {"RECORDS", "ANNOTATORS"} | {
        f"{record}.{kind}" for record in records for kind in ("atr", "dat", "hea")
    }
    assert mitdb.size == 93857317


def test_unknown_name_names_the_closest():
    with pytest.raises(ConfigError, match="did you mean 'mitdb'"):
        store.dataset("mitbd")


def test_locate_takes_subfolder_or_the_folder_itself(toy):
    assert store.locate("toy", toy) == toy / "toy"
    assert store.locate("toy", toy / "toy") == toy / "toy"


def test_locate_searches_environment_then_cache(toy, monkeypatch, tmp_path):
    monkeypatch.setenv("TOOLKIT_DATA", str(tmp_path / "empty"))
    monkeypatch.setattr(pooch, "os_cache", lambda _: toy)
    assert store.locate("toy") == toy / "toy"
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "a.dat").touch()
    assert store.locate("toy") == tmp_path / "empty"


def test_an_explicit_folder_is_never_replaced_by_another(toy, monkeypatch, tmp_path):
    monkeypatch.setenv("TOOLKIT_DATA", str(toy))
    with pytest.raises(DataError) as caught:
        store.locate("toy", tmp_path / "elsewhere")
    assert str(tmp_path / "elsewhere" / "toy") in caught.value.where
    assert "toolkit data fetch toy" in caught.value.hint
    assert "toolkit data synthesize ecg OUT" in caught.value.hint


def no_home_older(_: str) -> Path:
    return Path("~/.cache/toolkit")


def no_home_newer(_: str) -> Path:
    raise RuntimeError("could not determine the home directory")


@pytest.mark.parametrize("os_cache", [no_home_older, no_home_newer])
def test_without_home_the_error_says_so(register, monkeypatch, os_cache):
    register(CONTENTS)
    monkeypatch.delenv("TOOLKIT_DATA", raising=False)
    monkeypatch.setattr(pooch, "os_cache", os_cache)
    with pytest.raises(DataError, match="no home folder"):
        store.locate("toy")


def test_verify_intact(toy):
    result = store.verify("toy", toy / "toy")
    assert result.ok and result.files == 2
    assert result.to_json()["ok"] is True
    assert store.folder_hash(toy / "toy", CONTENTS) == store.data_hash("toy")


def test_verify_names_damaged_and_missing(toy):
    (toy / "toy" / "a.dat").write_bytes(b"firsT")
    (toy / "toy" / "b.dat").unlink()
    result = store.verify("toy", toy / "toy")
    assert not result.ok and result.missing == ("b.dat",)
    (damage,) = result.damaged
    assert damage.file == "a.dat" and damage.expected != damage.found
    assert store.folder_hash(toy / "toy", ["a.dat"]) != store.data_hash("toy")


def test_verify_chosen_files_only(toy):
    (toy / "toy" / "b.dat").unlink()
    assert store.verify("toy", toy / "toy", ["a.dat"]).ok
    with pytest.raises(ConfigError, match=r"did you mean 'a\.dat'"):
        store.verify("toy", toy / "toy", ["a.dta"])


def test_verify_does_not_open_what_is_no_file(toy):
    (toy / "toy" / "a.dat").unlink()
    os.mkfifo(toy / "toy" / "a.dat")
    (toy / "toy" / "b.dat").unlink()
    (toy / "toy" / "b.dat").mkdir()
    result = store.verify("toy", toy / "toy")
    assert [damage.found for damage in result.damaged] == ["not a regular file"] * 2


def test_unknown_hashes_are_said_to_be_unverified(toy, register):
    register(CONTENTS, known=False)
    result = store.verify("toy", toy / "toy")
    assert result.ok and result.unverified == ("a.dat", "b.dat")


def test_folder_hash_of_a_missing_file(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        store.folder_hash(tmp_path, ["nothing"])


@pytest.mark.real_data
def test_real_mitdb_is_intact(real_data):
    folder = store.locate("mitdb", real_data)
    assert store.verify("mitdb", folder).to_json() | {"folder": ""} == {
        "ok": True, "dataset": "mitdb", "folder": "", "files": 146,
        "missing": [], "damaged": [], "unverified": [],
    }  # fmt: skip
