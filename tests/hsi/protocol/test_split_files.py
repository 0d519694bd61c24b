"""A split's file, digest and summary."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from split_cases import generator, patchy

from toolkit.core.errors import DataError, RunError
from toolkit.hsi.protocol.splits import (
    Split,
    disjoint_split,
    given_split,
    random_split,
)


def test_a_split_survives_its_file(tmp_path):
    labels = patchy(1, 40, 40)
    for split in (
        random_split(labels, 5, generator(), seed=4),
        disjoint_split(labels, 5, 3, generator(), classes=("ä", "b", "c", "d"), seed=5),
        given_split(np.eye(4, dtype=np.int32), np.eye(4, k=1, dtype=np.int32), 1),
    ):
        split.save(tmp_path / "split.npz")
        loaded = Split.load(tmp_path / "split.npz")
        assert loaded.summary() == split.summary()
        assert loaded.digest() == split.digest()
        assert (loaded.train_area is None) == (split.train_area is None)
        if split.train_area is not None:
            assert (loaded.train_area == split.train_area).all()
        assert loaded.train.dtype == np.int32


def test_the_same_split_gives_the_same_file(tmp_path):
    for name in ("a.npz", "b.npz"):
        random_split(patchy(1, 40, 40), 5, generator()).save(tmp_path / name)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_the_digest_sees_one_pixel_and_the_shape():
    split = random_split(patchy(1, 20, 30), 5, generator())
    test = split.test.copy()
    test.ravel()[np.flatnonzero(test)[0]] = 0
    transposed = {part: getattr(split, part).reshape(30, 20) for part in ("train", "test")}
    digests = {one.digest() for one in (split, replace(split, test=test))}
    assert len(digests | {replace(split, **transposed).digest()}) == 3


def test_a_damaged_file_is_one_clear_error(tmp_path):
    path = tmp_path / "split.npz"
    random_split(patchy(1, 20, 20), 5, generator()).save(path)
    whole = path.read_bytes()
    for size in range(0, len(whole), 37):
        path.write_bytes(whole[:size])
        with pytest.raises(DataError, match="this is no split"):
            Split.load(path)
    for content in (b"PK\x03\x04" + b"\0" * 100, b"not a zip"):
        path.write_bytes(content)
        with pytest.raises(DataError, match="this is no split"):
            Split.load(path)


def test_a_flipped_bit_is_found_or_harmless(tmp_path):
    path = tmp_path / "split.npz"
    split = random_split(patchy(1, 20, 20), 5, generator())
    split.save(path)
    whole = path.read_bytes()
    found = 0
    for at in range(0, len(whole), 11):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ (1 << at % 8)]) + whole[at + 1 :])
        try:
            assert Split.load(path).summary() == split.summary()
        except DataError:
            found += 1
    assert found > len(whole) // 22  # the rest are times and attributes of the zip's entries


def test_a_file_of_objects_or_of_something_else_is_refused(tmp_path):
    path = tmp_path / "split.npz"
    np.savez(path, train=np.array([print], object), test=np.ones(1), made=np.ones(1, np.uint8))
    with pytest.raises(DataError, match="this is no split"):
        Split.load(path)
    np.savez(path, x=np.ones(3))
    with pytest.raises(DataError, match="this is no split"):
        Split.load(path)
    with pytest.raises(DataError, match="this is no split"):
        Split.load(tmp_path / "nowhere.npz")


def test_a_split_that_cannot_be_written_says_so(tmp_path):
    with pytest.raises(RunError, match="cannot write"):
        random_split(patchy(1, 20, 20), 5, generator()).save(tmp_path / "no" / "split.npz")


def test_a_summary_counts_each_class_and_is_json():
    split = random_split(patchy(1, 40, 40), 5, generator(), seed=9)
    summary = json.loads(json.dumps(split.summary()))
    assert summary["n_train"] == sum(row["train"] for row in summary["counts"]) == 20
    assert summary["n_test"] == (split.test > 0).sum()
    assert [row["class"] for row in summary["counts"]] == [f"class {k}" for k in range(1, 5)]
    assert (summary["seed"], summary["name"], summary["per_class"]) == (9, "random", 5)
