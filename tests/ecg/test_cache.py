"""The cache: faster, never wrong, never needed."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from threading import Lock

import numpy as np
import pytest

from toolkit.core.errors import DataError
from toolkit.ecg.cache import default_cache_dir, list_records, load_database
from toolkit.ecg.records import Record, read_record

NAMES = ("syn000", "syn001", "syn002", "syn003")


def array_path(cache: Path, name: str = "syn000") -> Path:
    (path,) = cache.glob(f"*/{name}.npy")
    return path


def assert_same(found: dict[str, Record], folder: Path) -> None:
    for name, record in found.items():
        plain = read_record(folder / name)
        np.testing.assert_array_equal(record.signal_adu, plain.signal_adu)
        assert (record.leads, record.gain, record.comments) == (
            plain.leads,
            plain.gain,
            plain.comments,
        )
        assert record.annotations is not None and plain.annotations is not None
        np.testing.assert_array_equal(record.annotations.sample, plain.annotations.sample)


def test_the_first_load_fills_and_the_second_maps(database: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    first = load_database(database, cache_dir=cache)
    second = load_database(database, cache_dir=cache)
    assert tuple(first) == tuple(second) == NAMES
    assert all(isinstance(record.signal_adu, np.memmap) for record in second.values())
    assert not any(record.signal_adu.flags.writeable for record in second.values())
    assert_same(first, database)
    assert_same(second, database)


def test_the_data_folder_is_only_read(database: Path, tmp_path: Path) -> None:
    before = {path.name: path.stat().st_mtime_ns for path in [database, *database.iterdir()]}
    load_database(database, cache_dir=tmp_path / "cache")
    load_database(database, use_cache=False)
    after = {path.name: path.stat().st_mtime_ns for path in [database, *database.iterdir()]}
    assert before == after


class Canary:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[[str], object], tuple[str]]:
        return Path.touch, (self.path,)  # type: ignore[return-value]


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-100] ^= 4
    path.write_bytes(data)


def edit(path: Path, **changes: object) -> None:
    index = path.with_suffix(".json")
    index.write_text(json.dumps(json.loads(index.read_text()) | changes))


def admit(path: Path) -> None:
    edit(path, array_sha256=hashlib.sha256(path.read_bytes()).hexdigest())


def plant(path: Path) -> None:
    path.write_bytes(pickle.dumps(Canary(path.with_name("canary"))))
    admit(path)


def plant_objects(path: Path) -> None:
    objects = np.array([Canary(path.with_name("canary"))], object)
    with path.open("wb") as file:
        np.save(file, objects, allow_pickle=True)
    admit(path)


def reshape(path: Path) -> None:
    np.save(path, np.zeros((3, 2), np.int16))
    admit(path)


DAMAGE: dict[str, Callable[[Path], object]] = {
    "bit": flip,
    "short": lambda path: path.write_bytes(path.read_bytes()[:-7]),
    "empty": lambda path: path.write_bytes(b""),
    "pickle": plant,
    "objects": plant_objects,
    "shape": reshape,
    "index": lambda path: path.with_suffix(".json").write_text("{"),
    "index type": lambda path: path.with_suffix(".json").write_text("[1]"),
    "index deep": lambda path: path.with_suffix(".json").write_text("[" * 100_000),
    "index fields": lambda path: path.with_suffix(".json").write_text("{}"),
    "index bytes": lambda path: path.with_suffix(".json").write_bytes(b"\xff\xfe"),
    "version": lambda path: edit(path, version=99),
    "hashes": lambda path: edit(path, sha256=3),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_cache_is_rebuilt_and_said_so(
    database: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: str
) -> None:
    cache = tmp_path / "cache"
    load_database(database, NAMES[:1], cache_dir=cache)
    path = array_path(cache)
    DAMAGE[damage](path)
    assert_same(load_database(database, NAMES[:1], cache_dir=cache), database)
    assert "rebuilding it" in caplog.text
    assert not path.with_name("canary").exists()
    caplog.clear()
    assert_same(load_database(database, NAMES[:1], cache_dir=cache), database)
    assert caplog.text == ""


def test_heads_of_arrays_are_read_one_at_a_time(
    database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_database(database, cache_dir=tmp_path / "cache")
    load, busy = np.load, Lock()

    def slowly(*what: object, **how: object) -> object:
        assert busy.acquire(blocking=False), "two at once: CPython 3.11 may fail on that"
        try:
            time.sleep(0.02)
            return load(*what, **how)  # type: ignore[arg-type]
        finally:
            busy.release()

    monkeypatch.setattr(np, "load", slowly)
    assert len(load_database(database, cache_dir=tmp_path / "cache")) > 1


@pytest.mark.parametrize("suffix", [".npy", ".json"])
def test_a_half_written_entry_is_completed(database: Path, tmp_path: Path, suffix: str) -> None:
    cache = tmp_path / "cache"
    load_database(database, NAMES[:1], cache_dir=cache)
    array_path(cache).with_suffix(suffix).unlink()
    assert_same(load_database(database, NAMES[:1], cache_dir=cache), database)
    found = load_database(database, NAMES[:1], cache_dir=cache)
    assert isinstance(found["syn000"].signal_adu, np.memmap)


def test_a_changed_source_is_read_again(database: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    load_database(database, cache_dir=cache)
    for suffix in ("dat", "atr"):
        shutil.copy(database / f"syn001.{suffix}", database / f"syn000.{suffix}")
    header = (database / "syn001.hea").read_text().replace("syn001", "syn000")
    (database / "syn000.hea").write_text(header)
    found = load_database(database, cache_dir=cache)
    assert_same(found, database)
    np.testing.assert_array_equal(found["syn000"].signal_adu, found["syn001"].signal_adu)


def test_a_source_damaged_after_caching_is_refused(database: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    load_database(database, cache_dir=cache)
    path = database / "syn000.dat"
    flip(path)
    os.utime(path, ns=(0, 0))
    with pytest.raises(DataError, match="checksum"):
        load_database(database, cache_dir=cache)
    path.unlink()
    with pytest.raises(DataError, match="cannot read"):
        load_database(database, cache_dir=cache)


def test_expected_hashes_hold_for_cached_records_too(database: Path, tmp_path: Path) -> None:
    cache, good = tmp_path / "cache", {}
    for path in database.iterdir():
        good[path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
    load_database(database, cache_dir=cache)
    assert_same(load_database(database, expected=good, cache_dir=cache), database)
    for file in ("syn002.dat", "syn002.hea", "syn002.atr"):
        with pytest.raises(DataError, match=f"SHA-256 of {file}"):
            load_database(database, expected=good | {file: "0" * 64}, cache_dir=cache)


def test_an_unwritable_cache_is_not_needed(database: Path, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    assert_same(load_database(database, cache_dir=blocked / "cache"), database)
    assert blocked.read_text() == "in the way"


def test_a_cache_that_stops_being_writable_is_not_needed(
    database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("toolkit.core.files.write_synced", full)
    cache = tmp_path / "cache"
    assert_same(load_database(database, cache_dir=cache), database)
    assert [path for path in cache.rglob("*") if path.is_file()] == []


def test_two_folders_of_one_name_do_not_share(database: Path, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere" / database.name
    shutil.copytree(database, other)
    cache = tmp_path / "cache"
    load_database(database, cache_dir=cache)
    load_database(other, cache_dir=cache)
    assert len(list(cache.iterdir())) == 2


def test_records_are_found_listed_or_not(database: Path, tmp_path: Path) -> None:
    assert list_records(database) == NAMES
    (database / "RECORDS").unlink()
    assert list_records(database) == NAMES
    with pytest.raises(DataError, match="no ECG records"):
        list_records(tmp_path)
    with pytest.raises(DataError, match="leads out of the folder"):
        load_database(database, ["../syn000"], use_cache=False)


def test_the_default_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TOOLKIT_CACHE", str(tmp_path))
    assert default_cache_dir() == tmp_path
    monkeypatch.delenv("TOOLKIT_CACHE")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_cache_dir().name == "decoded"


def test_the_real_database(mitdb: Path, hashes: dict[str, str], tmp_path: Path) -> None:
    names = ("100", "114")
    for _ in range(2):
        found = load_database(mitdb, names, expected=hashes, cache_dir=tmp_path)
        assert_same(found, mitdb)
    assert len(list_records(mitdb)) == 48
