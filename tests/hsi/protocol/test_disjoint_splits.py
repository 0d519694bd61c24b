"""Disjoint splits: blocks, the guard, and the proof of no leak."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from split_cases import INDIAN_PINES, counts, generator, maps, patchy, steady

from toolkit.core.errors import ConfigError, DataError
from toolkit.hsi.protocol.leak import prove
from toolkit.hsi.protocol.splits import (
    disjoint_split,
    given_split,
    random_split,
)


def windows_meet(split, reach):
    """Test pixels within ``reach`` of a training pixel along both axes, one by one."""
    train = np.argwhere(split.train > 0)
    test = np.argwhere(split.test > 0)
    return sum(int(np.abs(train - pixel).max(axis=1).min() <= reach) for pixel in test)


@steady
@given(
    labels=maps,
    patch=st.sampled_from([1, 3, 5]),
    per_class=st.integers(1, 20),
    seed=st.integers(0, 99),
)
def test_no_window_of_a_disjoint_split_meets_one_of_the_other_part(labels, patch, per_class, seed):
    try:
        split = disjoint_split(labels, per_class, patch, generator(seed))
    except ConfigError:
        assert max(labels.shape) < 6 * patch
        return
    except DataError as error:
        assert "no class has pixels both" in error.what
        return
    assert windows_meet(split, patch - 1) == 0
    assert not split.train_area[split.test > 0].any()
    assert split.train_area[split.train > 0].all()
    total, train, test = (
        np.array(counts(part, len(split.classes))) for part in (labels, split.train, split.test)
    )
    assert (train <= np.minimum(per_class, total // 2)).all()
    assert ((train > 0) == (test > 0)).all()
    assert len(split.notes) == (train < per_class).sum()
    for part in (split.train, split.test):
        assert (part[part > 0] == labels[part > 0]).all()


@steady
@given(labels=maps, patch=st.sampled_from([1, 3, 5, 9]), seed=st.integers(0, 99))
def test_the_proof_counts_as_comparing_every_pair_of_pixels_does(labels, patch, seed):
    split = random_split(labels, 2, generator(seed))
    assert prove(split, patch) == {
        "train_test_pixels": 0,
        "test_pixels_in_train_patches": windows_meet(split, patch // 2),
        "test_patches_sharing_pixels": windows_meet(split, patch - 1),
    }


@pytest.mark.parametrize("patch", [1, 3, 5, 7])
def test_a_block_is_three_patches_wide_and_the_guard_half_a_patch(patch):
    labels = np.ones((70, 1), np.int32)
    split = disjoint_split(labels, 1, patch, generator(3))
    usable = np.where(split.train_area[:, 0], 1, np.where(split.test[:, 0] > 0, 2, 0))
    edges = np.flatnonzero(np.diff(usable)) + 1
    runs = np.split(usable, edges)
    assert {len(run) for run in runs if run[0] == 0} <= {2 * (patch // 2)}
    assert min(len(run) for run in runs if run[0]) >= 3 * patch - 2 * (patch // 2)
    assert {1, 2} <= set(usable.tolist())


def test_a_map_of_an_image_with_one_field_of_a_class_is_cut_through_the_field():
    labels = np.full((60, 60), 2, np.int32)
    labels[20:40, 20:40] = 1
    for seed in range(5):
        split = disjoint_split(labels, 5, 5, generator(seed))
        assert counts(split.train, 2) == [5, 5]
        assert min(counts(split.test, 2)) > 0


@pytest.mark.parametrize(("shape", "patch"), [((95, 95), 13), ((100, 100), 13), ((30, 6), 5)])
def test_small_scenes_can_be_split(shape, patch):
    labels = generator().integers(1, 4, shape).astype(np.int32)
    split = disjoint_split(labels, 5, patch, generator())
    assert counts(split.train, 3) == [5, 5, 5]
    assert min(counts(split.test, 3)) > 5
    assert prove(split, patch)["test_patches_sharing_pixels"] == 0


def test_a_scene_without_room_for_two_blocks_is_named():
    with pytest.raises(ConfigError, match=r"blocks of side 51 for patches of side 17.*95 x 95"):
        disjoint_split(np.ones((95, 95), np.int32), 5, 17, generator())


def test_a_wide_block_is_taken_and_a_narrow_one_refused():
    labels = generator().integers(1, 4, (60, 60)).astype(np.int32)
    split = disjoint_split(labels, 5, 3, generator(), block=30)
    assert split.train_area[:29, :29].all() or not split.train_area[:29, :29].any()
    with pytest.raises(ConfigError, match="side 8 is below three sides of a patch of 3"):
        disjoint_split(labels, 5, 3, generator(), block=8)


def test_blocks_do_not_depend_on_the_number_of_pixels_drawn_and_fewer_are_among_more():
    labels = patchy(1, 60, 60)
    few, many = (disjoint_split(labels, n, 5, generator(2)) for n in (3, 15))
    assert (few.train_area == many.train_area).all()
    assert (many.train[few.train > 0] > 0).all()
    few, many = (random_split(labels, n, generator(2)) for n in (3, 15))
    assert (many.train[few.train > 0] > 0).all()


def test_a_class_in_one_kind_of_block_is_left_out_and_named():
    labels = generator().integers(1, 3, (60, 60)).astype(np.int32)
    labels[:2, :2] = 3
    split = disjoint_split(labels, 5, 5, generator(), classes=("a", "b", "corner"))
    assert counts(split.train, 3) == [5, 5, 0]
    assert counts(split.test, 3)[2] == 0
    assert re.match(r"corner is left out: 4 labelled pixels, \d lie in training", split.notes[0])


def test_a_class_with_few_pixels_in_training_blocks_says_how_many():
    labels = np.zeros((6, 100), np.int32)
    labels[:, ::2] = 1
    labels[0, 1] = labels[0, 89:100:2] = 2  # one at the left end, six at the right
    notes = {}
    for seed in range(10):
        split = disjoint_split(labels, 3, 1, generator(seed), block=40, classes=("a", "b"))
        notes[tuple(counts(split.train, 2))] = split.notes
    assert notes == {
        (3, 3): (),
        (3, 1): (
            "b has 1 training pixels instead of 3: "
            "1 of its 7 labelled pixels lie in training blocks",
        ),
    }


def test_a_disjoint_split_is_refused_for_a_larger_patch_than_it_was_made_for():
    labels = generator().integers(1, 4, (40, 40)).astype(np.int32)
    split = disjoint_split(labels, 300, 3, generator())
    with pytest.raises(DataError, match=r"training patches of side 11; .* of side 3"):
        prove(split, 11)


@pytest.mark.parametrize("patch", [1, 5, 13])
def test_indian_pines_can_be_split_in_blocks(indian_pines, patch):
    split = disjoint_split(indian_pines, 15, patch, generator())
    assert prove(split, patch)["test_patches_sharing_pixels"] == 0
    train = np.array(counts(split.train, 16))
    large = np.array(INDIAN_PINES) > 700  # fields that no layout of blocks can miss
    assert (train[large] == 15).all()
    assert np.count_nonzero(train) >= {1: 16, 5: 14, 13: 11}[patch]


def test_the_published_split_of_pavia_university_is_proved_and_shares_patches(real_maps):
    train, test = real_maps("TRpavia_fixed.mat"), real_maps("TSpavia_fixed.mat")
    leak = prove(given_split(train, test, 5), 5)
    assert leak["train_test_pixels"] == 0
    assert leak["test_pixels_in_train_patches"] <= leak["test_patches_sharing_pixels"]
    assert leak["test_patches_sharing_pixels"] > 0
