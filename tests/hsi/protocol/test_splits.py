"""Splits: counts, disjointness, the guard, the file, and the proof of no leak."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.io import loadmat

from toolkit.core.errors import ConfigError, DataError, RunError
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

INDIAN_PINES = [46, 1428, 830, 237, 483, 730, 28, 478, 20, 972, 2455, 593, 205, 1265, 386, 93]


def generator(seed=0):
    return np.random.default_rng(seed)


@pytest.fixture(scope="session")
def indian_pines():
    from tensorly.datasets import load_indian_pines

    return np.asarray(load_indian_pines().ticks[0]).astype(np.int32)


@pytest.fixture(scope="session")
def real_maps(hsi_data):
    """Reads a label map of the folder of real scenes by file name."""

    def read(name):
        content = loadmat(hsi_data / "hsi" / name)
        arrays = [value for key, value in content.items() if key[0] != "_"]
        return next(one for one in arrays if one.ndim == 2).astype(np.int32)

    return read


def patchy(seed, rows, columns, classes=4, side=6, labelled=0.8):
    """A map of square fields of random classes, some pixels unlabelled."""
    fields = generator(seed).integers(0, classes + 1, (rows // side + 1, columns // side + 1))
    labels = fields.repeat(side, 0).repeat(side, 1)[:rows, :columns]
    labels = np.where(generator(seed).random((rows, columns)) < labelled, labels, 0)
    labels[0, :2] = 1
    return labels.astype(np.int32)


def counts(labels, n):
    return np.bincount(labels.ravel(), minlength=n + 1)[1:].tolist()


def windows_meet(split, reach):
    """Test pixels within ``reach`` of a training pixel along both axes, one by one."""
    train = np.argwhere(split.train > 0)
    test = np.argwhere(split.test > 0)
    return sum(int(np.abs(train - pixel).max(axis=1).min() <= reach) for pixel in test)


maps = st.builds(
    patchy, st.integers(0, 999), st.integers(8, 40), st.integers(8, 40), side=st.integers(1, 9)
)
steady = settings(max_examples=60)


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


@pytest.mark.parametrize(
    "how", [random_split, lambda *given: disjoint_split(given[0], 5, 3, given[2])]
)
def test_the_seed_decides_the_split(how):
    labels = patchy(1, 40, 40)
    first, same, other = (how(labels, 5, generator(seed)).digest() for seed in (7, 7, 8))
    assert first == same != other


def test_blocks_do_not_depend_on_the_number_of_pixels_drawn_and_fewer_are_among_more():
    labels = patchy(1, 60, 60)
    few, many = (disjoint_split(labels, n, 5, generator(2)) for n in (3, 15))
    assert (few.train_area == many.train_area).all()
    assert (many.train[few.train > 0] > 0).all()
    few, many = (random_split(labels, n, generator(2)) for n in (3, 15))
    assert (many.train[few.train > 0] > 0).all()


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


def test_a_disjoint_split_is_refused_for_a_larger_patch_than_it_was_made_for():
    labels = generator().integers(1, 4, (40, 40)).astype(np.int32)
    split = disjoint_split(labels, 300, 3, generator())
    with pytest.raises(DataError, match=r"training patches of side 11; .* of side 3"):
        prove(split, 11)


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


@pytest.mark.parametrize("patch", [1, 5, 13])
def test_indian_pines_can_be_split_in_blocks(indian_pines, patch):
    split = disjoint_split(indian_pines, 15, patch, generator())
    assert prove(split, patch)["test_patches_sharing_pixels"] == 0
    train = np.array(counts(split.train, 16))
    large = np.array(INDIAN_PINES) > 700  # fields that no layout of blocks can miss
    assert (train[large] == 15).all()
    assert np.count_nonzero(train) >= {1: 16, 5: 14, 13: 11}[patch]


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


def test_the_published_split_of_pavia_university_is_proved_and_shares_patches(real_maps):
    train, test = real_maps("TRpavia_fixed.mat"), real_maps("TSpavia_fixed.mat")
    leak = prove(given_split(train, test, 5), 5)
    assert leak["train_test_pixels"] == 0
    assert leak["test_pixels_in_train_patches"] <= leak["test_patches_sharing_pixels"]
    assert leak["test_patches_sharing_pixels"] > 0


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
