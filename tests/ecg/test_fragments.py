"""Fragments: equal to the published ones, and splits that do not leak."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.io import loadmat

from toolkit.core.errors import DataError
from toolkit.ecg.fragments import (
    CLASSES,
    WIDTH,
    FragmentIndex,
    Split,
    cut,
    load_index,
    overlap_groups,
    split_by_fragment,
    split_by_record,
)
from toolkit.ecg.records import Record, read_record

INDEX = load_index()
COUNTS = [283, 66, 20, 135, 13, 21, 133, 55, 13, 10, 10, 10, 11, 103, 62, 10, 45]
SINGLE = {"WPW", "IVR", "VFL", "SDHB"}  # classes that one patient alone has
SEEDS = st.integers(0, 2**32)


def parts(split: Split) -> list[np.ndarray]:
    return [split.train, split.validation, split.test]


def test_the_index_has_the_published_counts() -> None:
    assert len(INDEX) == 1000
    assert np.bincount(INDEX.label).tolist() == COUNTS
    assert (INDEX.lead == "V1").sum() == 3
    assert len(np.unique(overlap_groups(INDEX))) == 989  # eleven pairs


def test_fragments_equal_the_published_files(mitdb: Path, real_records: dict[str, Record]) -> None:
    fragments = cut(real_records, INDEX)
    assert fragments.shape == (1000, WIDTH)
    assert fragments.dtype == np.float32
    with (mitdb / "fragments17" / "index.csv").open() as file:
        rows = list(csv.DictReader(file))
    for fragment, row in zip(fragments, rows):
        published = loadmat(mitdb / "fragments17" / row["class"] / row["file"])["val"][0]
        np.testing.assert_array_equal(np.rint(fragment * 200 + 1024), published)


@settings(max_examples=25)
@given(SEEDS)
def test_fragment_splits_keep_overlaps_together_and_classes_everywhere(seed: int) -> None:
    split = split_by_fragment(INDEX, seed)
    rows = np.concatenate(parts(split))
    assert sorted(rows.tolist()) == list(range(1000))
    groups = overlap_groups(INDEX)
    sides = [set(groups[part].tolist()) for part in parts(split)]
    assert not sides[0] & sides[1] and not sides[0] & sides[2] and not sides[1] & sides[2]
    for part, fraction in zip(parts(split), (0.7, 0.15, 0.15)):
        shares = np.bincount(INDEX.label[part], minlength=17)
        assert (shares > 0).all()
        assert (np.abs(shares - np.array(COUNTS) * fraction) <= 2).all()


@settings(max_examples=25)
@given(SEEDS)
def test_record_splits_keep_patients_apart_and_classes_in_train_and_test(seed: int) -> None:
    split = split_by_record(INDEX, seed)
    patients = np.where(INDEX.record == "202", "201", INDEX.record)
    sides = [set(patients[part].tolist()) for part in parts(split)]
    assert not sides[0] & sides[1] and not sides[0] & sides[2] and not sides[1] & sides[2]
    expected = set(CLASSES) - SINGLE
    for part in (split.train, split.test):
        assert {CLASSES[label] for label in INDEX.label[part]} == expected
    assert all((np.diff(part) > 0).all() for part in parts(split))
    assert sum(map(len, parts(split))) == 1000 - 21 - 10 - 10 - 10
    assert len(split.train) > 500


@pytest.mark.parametrize("divide", [split_by_fragment, split_by_record])
def test_splits_depend_on_the_seed_alone(divide) -> None:
    digests = [divide(INDEX, seed).digest() for seed in (0, 0, 1)]
    assert digests[0] == digests[1] != digests[2]
    assert len(digests[0]) == 64


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 20_000)), max_size=20))
def test_groups_are_chains_of_overlaps(places: list[tuple[str, int]]) -> None:
    n = len(places)
    record, start = zip(*places) if places else ((), ())
    index = FragmentIndex(
        np.zeros(n, int), np.array(record, "<U1"), np.array(start, np.int64), np.array(["x"] * n)
    )
    groups = overlap_groups(index)
    for i in range(n):
        for j in range(n):
            if record[i] == record[j] and abs(start[i] - start[j]) < WIDTH:
                assert groups[i] == groups[j]
    assert all(len(set(np.array(record)[groups == group])) == 1 for group in groups)


def test_a_class_of_one_person_is_left_out() -> None:
    pair = FragmentIndex(
        np.array([0, 0]), np.array(["201", "202"]), np.array([0, 0]), np.array(["MLII", "MLII"])
    )
    split = split_by_record(pair, 0)
    assert [len(part) for part in parts(split)] == [0, 0, 0]


def test_classes_that_cannot_all_be_divided_are_refused() -> None:
    """Three patients, each pair with a class of its own: one class lacks training or test."""
    index = FragmentIndex(
        np.array([0, 0, 1, 1, 2, 2]),
        np.array(["a", "b", "b", "c", "a", "c"]),
        np.zeros(6, np.int64),
        np.array(["MLII"] * 6),
    )
    with pytest.raises(DataError, match="no assignment"):
        split_by_record(index, 0)


def test_absent_short_and_slow_records_are_refused(pristine: Path) -> None:
    short = read_record(pristine / "syn000")
    one = FragmentIndex(np.array([0]), np.array(["100"]), np.array([9000]), np.array(["MLII"]))
    with pytest.raises(DataError, match="needs record 100"):
        cut({}, one)
    with pytest.raises(DataError, match="has 10800 samples at 360 Hz"):
        cut({"100": short}, one)
