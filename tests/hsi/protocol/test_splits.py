"""Random, given and whole splits: counts, refusals and what is named."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from split_cases import INDIAN_PINES, counts, generator, maps, patchy, steady

from toolkit.core.errors import ConfigError, DataError
from toolkit.hsi import synthetic
from toolkit.hsi.config import SplitConfig
from toolkit.hsi.formats.label_files import read_as
from toolkit.hsi.network_config import NetworkConfig
from toolkit.hsi.protocol.leak import prove
from toolkit.hsi.protocol.partition import split_of
from toolkit.hsi.protocol.splits import (
    HALVED,
    Split,
    disjoint_split,
    given_split,
    random_split,
    validation_part,
    whole_split,
)


@steady
@given(labels=maps, per_class=st.integers(1, 30), seed=st.integers(0, 99))
def test_a_random_split_gives_what_was_asked_or_half_and_tests_the_rest(labels, per_class, seed):
    split = random_split(labels, per_class, generator(seed))
    total = np.array(counts(labels, len(split.classes)))
    train, test = (np.array(counts(part, len(total))) for part in (split.train, split.test))
    assert (train == np.where(total >= 2 * per_class, per_class, total // 2)).all()
    assert (test == np.where(total >= 2, total - train, 0)).all()
    assert not ((split.train > 0) & (split.test > 0)).any()
    for part in (split.train, split.test):
        assert (part[part > 0] == labels[part > 0]).all()
    halved = (total < 2 * per_class).sum()
    assert len(split.notes) == 1 + halved + (halved > 0)
    assert (split.notes[-1] == HALVED) == (halved > 0)


@pytest.mark.parametrize(
    "how", [random_split, lambda *given: disjoint_split(given[0], 5, 3, given[2])]
)
def test_the_seed_decides_the_split(how):
    labels = patchy(1, 40, 40)
    first, same, other = (how(labels, 5, generator(seed)).digest() for seed in (7, 7, 8))
    assert first == same != other


def test_classes_of_one_and_two_pixels_and_gaps_are_named():
    labels = np.zeros((10, 10), np.int32)
    labels[:5] = 1
    labels[6, 0] = 2
    labels[7, :2] = 3
    labels[8] = 5
    split = random_split(labels, 5, generator(), classes=["soil", "oak", "elm", "none", "road"])
    assert counts(split.train, 5) == [5, 0, 1, 0, 5]
    assert counts(split.test, 5) == [45, 0, 1, 0, 5]
    assert split.notes[1:] == (
        "oak is left out: 1 labelled pixels, to learn and to test takes two",
        "elm has 1 training pixels instead of 5: half of its 2 labelled pixels",
        "none is left out: 0 labelled pixels, to learn and to test takes two",
        HALVED,
    )


@pytest.mark.parametrize("labels", [np.zeros((9, 9), np.int32), np.zeros((0, 0), np.int32)])
def test_no_labelled_pixel_is_one_clear_error(labels):
    for call in (
        lambda: random_split(labels, 5, generator()),
        lambda: disjoint_split(labels, 5, 1, generator()),
        lambda: given_split(labels, labels, 1),
    ):
        with pytest.raises(DataError, match="no pixel is labelled"):
            call()


def test_single_pixels_cannot_be_split_at_all():
    labels = np.zeros((9, 9), np.int32)
    labels[0, :3] = [1, 2, 3]
    with pytest.raises(DataError, match="no class has pixels both to learn from and to test"):
        random_split(labels, 5, generator())


@pytest.mark.parametrize("label", [-1, 3])
def test_labels_beyond_the_classes_are_refused(label):
    labels = np.array([[1, 2, label]], np.int32)
    with pytest.raises(DataError, match="for 2 classes"):
        random_split(labels, 1, generator(), classes=("a", "b"))


def test_numbers_out_of_range_are_refused():
    labels = patchy(0, 30, 30)
    with pytest.raises(ConfigError, match="0 training pixels per class"):
        random_split(labels, 0, generator())
    for patch in (0, -3, 4):
        with pytest.raises(ConfigError, match=f"patch of side {patch} has no centre"):
            disjoint_split(labels, 5, patch, generator())
    for share in (0.0, 1.0):
        with pytest.raises(ConfigError, match="validation share"):
            validation_part(random_split(labels, 5, generator()), share, generator())


def test_given_maps_that_share_pixels_are_refused_with_the_first_of_them():
    train, test = np.zeros((2, 8, 8), np.int32)
    train[2:4, 5] = 1
    test[3:, 5] = 1
    with pytest.raises(DataError, match="1 pixels are in the training and") as caught:
        given_split(train, test, 3)
    assert "(3, 5)" in caught.value.where


def test_given_maps_are_taken_as_they_are_and_their_gaps_named():
    train, test = np.zeros((2, 8, 8), np.int32)
    train[0, :2] = [1, 3]
    test[7] = [1, 1, 2, 2, 0, 0, 0, 0]
    split = given_split(train, test, 3, classes=("a", "b", "c"))
    assert (split.train == train).all()
    assert (split.test == test).all()
    assert split.notes == (
        "tested but never trained, so always wrong: b",
        "trained but not tested: c",
    )
    assert prove(split, 15)["test_patches_sharing_pixels"] == 4


def test_a_whole_split_learns_from_all_and_tests_none(tmp_path):
    labels = patchy(3, 12, 9, side=2)
    split = whole_split(labels, classes=("a", "b", "c", "d"))
    assert (split.train == labels).all() and not split.test.any()
    assert set(prove(split, 5).values()) == {0}
    split.save(tmp_path / "split.npz")
    assert Split.load(tmp_path / "split.npz").digest() == split.digest()
    with pytest.raises(DataError, match="no pixel is labelled"):
        whole_split(np.zeros((3, 3), np.int32))


def test_given_maps_of_different_shapes_are_refused_with_both():
    train, test = np.ones((4, 6), np.int32), np.ones((6, 4), np.int32)
    with pytest.raises(DataError, match=r"\(4, 6\) and a test map of \(6, 4\)"):
        given_split(train, test, 3)


@steady
@given(labels=maps, per_class=st.integers(1, 20), share=st.floats(0.01, 0.99))
def test_validation_takes_training_pixels_alone_and_leaves_each_class_one(labels, per_class, share):
    split = random_split(labels, per_class, generator())
    train, validation = validation_part(split, share, generator(1))
    assert (train + validation == split.train).all()
    assert not ((train > 0) & (validation > 0)).any()
    n = len(split.classes)
    for had, kept, judged in zip(counts(split.train, n), counts(train, n), counts(validation, n)):
        assert (kept, judged) == (had, 0) if had < 2 else min(kept, judged) >= 1
        assert abs(judged - share * had) <= 1


@pytest.mark.parametrize(
    ("per_class", "fewer"),
    [
        (5, {}),
        (15, {7: 14, 9: 10}),
        (50, {1: 23, 7: 14, 9: 10, 16: 46}),
    ],
)
def test_indian_pines_random_counts(indian_pines, per_class, fewer):
    split = random_split(indian_pines, per_class, generator())
    wanted = [fewer.get(k, per_class) for k in range(1, 17)]
    assert counts(split.train, 16) == wanted
    assert counts(split.test, 16) == [a - b for a, b in zip(INDIAN_PINES, wanted)]
    leak = prove(split, 5)
    assert leak["train_test_pixels"] == 0 < leak["test_pixels_in_train_patches"]


def test_pavia_university_is_split_both_ways(real_maps):
    labels = real_maps("PaviaU_gt.mat")
    assert counts(random_split(labels, 50, generator()).train, 9) == [50] * 9
    split = disjoint_split(labels, 50, 9, generator())
    assert counts(split.train, 9) == [50] * 9
    assert min(counts(split.test, 9)) > 100


def test_the_cut_of_houston_leaves_only_tiny_classes_short(real_maps):
    labels = real_maps("houston2018_roi_gt128.mat")
    split = disjoint_split(labels, 15, 5, generator())
    total = np.array(counts(labels, 12))
    train = np.array(counts(split.train, 12))
    assert (train[total >= 30] == 15).all()
    assert prove(split, 5)["test_patches_sharing_pixels"] == 0


def test_given_pixels_without_data_are_neither_learnt_from_nor_judged(tmp_path, caplog):
    scene = synthetic.scene(8, 8, 5, 2, seed=0)
    valid = np.ones((8, 8), bool)
    valid[0] = False
    maps = {"train": np.zeros((8, 8), np.uint8), "test": np.zeros((8, 8), np.uint8)}
    maps["train"][:2, :2], maps["train"][:2, 2:4] = 1, 2
    maps["test"][0, 6], maps["test"][5, 4:6], maps["test"][5, 6:] = 1, 1, 2
    for name, found in maps.items():
        np.save(tmp_path / f"{name}.npy", found)
    paths = {f"{name}_map": tmp_path / f"{name}.npy" for name in maps}
    chosen = SplitConfig(kind="given", **paths)
    with caplog.at_level("WARNING"):
        split = split_of(replace(scene, valid=valid), chosen, NetworkConfig(name="hu2015"), 0)
    assert (np.count_nonzero(split.train), np.count_nonzero(split.test)) == (4, 4)
    assert not split.train[0].any() and not split.test[0].any()
    assert "4 pixels of the given maps are without data" in caplog.text


def test_lists_of_names_are_read_by_their_names_or_not_at_all(tmp_path):
    scene = replace(synthetic.scene(8, 8, 5, 3, seed=0), classes=("corn", "grass", "water"))
    path = tmp_path / "test.csv"
    path.write_text("row,column,class\n0,0,water\n1,1,corn\n")
    found = read_as(path, scene)
    assert (found[0, 0], found[1, 1]) == (3, 1)
    path.write_text("row,column,class\n0,0,water\n1,1,Corn\n")
    with pytest.raises(DataError, match="class 'Corn' of") as caught:
        read_as(path, scene)
    assert "corn" in caught.value.hint
