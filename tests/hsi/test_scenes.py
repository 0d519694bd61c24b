"""Scenes from names and files: the known ones as published, the user's own with every trap."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest
import scipy.io

from toolkit.core.errors import ConfigError, DataError
from toolkit.data import store
from toolkit.hsi import known_scenes, scenes
from toolkit.hsi.config import HsiTrainConfig
from toolkit.hsi.formats import envi_writing
from toolkit.hsi.scene import Georeference, Scene

CUBE = np.random.default_rng(0).integers(1, 999, (6, 5, 4)).astype(np.uint16)
LABELS = np.tile(np.array([0, 3, 7], np.uint8), 10).reshape(6, 5)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A cube and its labels, ids 3 and 7, as .npy."""
    np.save(tmp_path / "cube.npy", CUBE)
    np.save(tmp_path / "gt.npy", LABELS)
    return tmp_path


@pytest.fixture(scope="module")
def indian_pines() -> Scene:
    return scenes.load("indian_pines")


def test_a_file_is_known_by_its_whole_path_and_a_scene_by_its_name(files, monkeypatch) -> None:
    monkeypatch.chdir(files)
    (files / "salinas").touch()
    assert HsiTrainConfig(scene="cube.npy").scene == str(files / "cube.npy")
    for name in ("salinas", "nowhere"):
        assert HsiTrainConfig(scene=name).scene == name


def test_indian_pines_is_at_hand_and_as_published(indian_pines: Scene) -> None:
    assert indian_pines.cube.shape == (145, 145, 200)
    assert indian_pines.cube.dtype == np.uint16 and indian_pines.cube.flags.c_contiguous
    assert indian_pines.counts().tolist() == [
        46, 1428, 830, 237, 483, 730, 28, 478, 20, 972, 2455, 593, 205, 1265, 386, 93,
    ]  # fmt: skip
    assert indian_pines.counts().sum() == 10249
    assert (indian_pines.classes[0], indian_pines.classes[15]) == ("Alfalfa", "Stone-Steel-Towers")
    assert indian_pines.class_ids == tuple(range(1, 17))
    assert indian_pines.wavelengths_nm is not None and len(indian_pines.wavelengths_nm) == 200
    assert indian_pines.facts == scenes.load("indian_pines").facts


def test_its_integers_are_the_packages_floats(indian_pines: Scene) -> None:
    from tensorly.datasets import load_indian_pines

    np.testing.assert_array_equal(load_indian_pines()["tensor"], indian_pines.cube)


def test_its_truth_is_the_published_one(indian_pines: Scene, hsi_data: Path) -> None:
    path = hsi_data / "hsi" / "Indian_pines_gt.mat"
    truth = scipy.io.loadmat(path)["indian_pines_gt"]
    np.testing.assert_array_equal(indian_pines.labels, truth)
    given = scenes.load("indian_pines", labels=path)
    np.testing.assert_array_equal(given.labels, truth)
    assert given.classes == indian_pines.classes
    assert given.facts["Indian_pines_gt.mat"] == store.sha256_of(path)


def test_labels_whose_ids_mean_other_classes_get_no_names(hsi_data: Path) -> None:
    given = scenes.load("indian_pines", labels=hsi_data / "hsi" / "indianpines_disjoint_dset.mat")
    assert given.classes[0] == "class 1"
    assert "ids may mean other classes" in given.warnings[0]


def test_named_labels_of_a_known_scene_keep_its_ids(tmp_path: Path) -> None:
    (tmp_path / "few.csv").write_text("row,column,class\n0,0,Woods\n3,4,Corn\n")
    given = scenes.load("indian_pines", labels=tmp_path / "few.csv")
    assert (given.class_ids, given.classes) == ((4, 14), ("Corn", "Woods"))


def test_houston_is_read_with_its_derived_truth(hsi_data: Path) -> None:
    scene = scenes.load("houston2018_cut", data_dir=hsi_data)
    truth = scipy.io.loadmat(hsi_data / "hsi" / "houston2018_roi_gt128.mat")["houston_gt"]
    np.testing.assert_array_equal(scene.labels, truth)
    assert scene.cube.shape == (128, 128, 48) and scene.counts().sum() == 5143
    assert scene.classes[4] == "Non-residential buildings"
    (few,) = scene.warnings
    assert "4 (Trees): " in few and "8 (Crosswalks): " in few and few.count(": ") == 3
    path = hsi_data / "hsi" / "houston2018_roi.mat"
    assert scene.facts == {path.name: hashlib.sha256(path.read_bytes()).hexdigest()}


@pytest.mark.parametrize(
    ("name", "shape", "counts"),
    [
        ("jasper_ridge", (100, 100, 198), [3493, 3326, 2428, 753]),
        ("samson", (95, 95, 156), [3015, 3666, 2344]),
    ],
)
def test_unmixing_scenes_are_turned_into_images(
    hsi_data: Path, name: str, shape: tuple[int, int, int], counts: list[int]
) -> None:
    scene = scenes.load(name, data_dir=hsi_data)
    assert scene.cube.shape == shape and scene.counts().tolist() == counts
    raw = scipy.io.loadmat(hsi_data / "hsi" / f"{name}.mat")
    row, column = 7, 30  # MATLAB numbers pixels down the columns
    np.testing.assert_array_equal(scene.cube[row, column], raw["Y"][:, column * shape[0] + row])
    np.testing.assert_array_equal(scene.labels, raw["S_GT"].argmax(2) + 1)
    assert scene.cube.flags.c_contiguous
    assert any("unmixing" in note for note in scene.notes)


def test_the_simulated_scene_says_so(hsi_data: Path) -> None:
    scene = scenes.load("simu_indian", data_dir=hsi_data)
    assert scene.cube.shape == (145, 145, 224) and "simulated" in scene.warnings[0]
    assert scene.labels is not None and scene.cube[scene.labels == 5].std(0).max() == 0


def test_a_truth_without_its_cube_is_told(hsi_data: Path) -> None:
    with pytest.raises(DataError, match=r"PaviaU\.mat is missing") as caught:
        scenes.load("pavia_university", data_dir=hsi_data)
    assert "toolkit data fetch pavia_university" in caught.value.hint


def test_a_fetched_pair_is_read_and_checked_against_its_recorded_hashes(tmp_path: Path) -> None:
    folder = tmp_path / "hsi"
    folder.mkdir()
    rng = np.random.default_rng(0)
    cube, truth = rng.integers(0, 8000, (9, 8, 103)), rng.integers(0, 10, (9, 8))
    scipy.io.savemat(folder / "PaviaU.mat", {"paviaU": cube})
    scipy.io.savemat(folder / "PaviaU_gt.mat", {"paviaU_gt": truth})
    scene = scenes.load("pavia_university", data_dir=tmp_path)
    np.testing.assert_array_equal(scene.cube, cube)
    np.testing.assert_array_equal(scene.labels, truth)
    assert scene.classes[4] == "Painted metal sheets"
    assert set(scene.facts) == {"PaviaU.mat", "PaviaU_gt.mat"}
    (folder / store.RECORDED).write_text(f"{'0' * 64}  PaviaU.mat\n")
    with pytest.raises(DataError, match=r"PaviaU\.mat is not the file that it was"):
        scenes.load("pavia_university", data_dir=tmp_path)


def test_a_changed_file_of_the_registry_is_refused(hsi_data: Path, tmp_path: Path) -> None:
    shutil.copy(hsi_data / "hsi" / "samson.mat", tmp_path / "samson.mat")
    (tmp_path / "samson.mat").chmod(0o644)
    with (tmp_path / "samson.mat").open("r+b") as file:
        file.seek(1000)
        file.write(b"\x00\x01\x02")
    with pytest.raises(DataError, match=r"samson\.mat is not the file"):
        scenes.load("samson", data_dir=tmp_path)


def test_every_name_but_the_embedded_one_is_in_the_registry() -> None:
    known = {name for name, each in store.registry().items() if each.application == "hsi"}
    assert known == set(known_scenes.NAMES) - {"indian_pines"}


def test_majorities_need_enough_agreement() -> None:
    fine = np.array([[1, 1, 2, 0], [1, 2, 2, 0], [0, 0, 3, 3], [0, 0, 3, 3]])
    assert known_scenes.majority(fine, 2, 3).tolist() == [[1, 0], [0, 3]]


def test_an_unknown_name_names_the_closest() -> None:
    with pytest.raises(ConfigError, match="did you mean 'indian_pines'"):
        scenes.load("indian_pine")
    with pytest.raises(DataError, match=r"nowhere\.hdr is not a file"):
        scenes.load("nowhere.hdr")


def test_a_known_scene_has_no_variable_to_choose() -> None:
    with pytest.raises(ConfigError, match="not to be chosen"):
        scenes.load("indian_pines", variable="x")


def test_the_users_files_make_a_scene(files: Path) -> None:
    scene = scenes.load(str(files / "cube.npy"), labels=files / "gt.npy")
    np.testing.assert_array_equal(scene.cube, CUBE)
    assert isinstance(scene.cube, np.memmap)
    np.testing.assert_array_equal(scene.labels, np.searchsorted([0, 3, 7], LABELS))
    assert (scene.name, scene.class_ids, scene.classes) == ("cube", (3, 7), ("class 3", "class 7"))
    assert scene.facts == {name: store.sha256_of(files / name) for name in ("cube.npy", "gt.npy")}
    assert scene.notes == ("class ids have gaps: no pixel has 1-2, 4-6",)
    assert scene.warnings == ()
    assert scenes.load(str(files / "cube.npy")).labels is None


def test_one_mat_file_may_hold_both(tmp_path: Path) -> None:
    path = tmp_path / "both.mat"
    scipy.io.savemat(path, {"img": CUBE, "gt": LABELS})
    scene = scenes.load(str(path), labels_variable="gt")
    np.testing.assert_array_equal(scene.labels, np.searchsorted([0, 3, 7], LABELS))
    assert scene.cube.flags.c_contiguous
    with pytest.raises(ConfigError, match="did you mean 'gt'"):
        scenes.load(str(path), labels_variable="gtt")


def test_namesakes_in_two_folders_are_both_hashed(files: Path) -> None:
    (files / "truth").mkdir()
    np.save(files / "truth" / "cube.npy", LABELS)
    scene = scenes.load(str(files / "cube.npy"), labels=files / "truth" / "cube.npy")
    assert set(scene.facts) == {"cube.npy", str(files / "truth" / "cube.npy")}


def test_classes_of_few_pixels_are_warned_of(files: Path) -> None:
    labels = np.ones((6, 5), np.uint8)
    labels[0, 0] = 2
    np.save(files / "gt.npy", labels)
    scene = scenes.load(str(files / "cube.npy"), labels=files / "gt.npy")
    assert scene.warnings == (
        "classes of fewer than 10 labelled pixels, few to divide: 2 (class 2): 1",
    )


def test_envi_scenes_bring_all_that_a_map_needs(tmp_path: Path) -> None:
    where = Georeference((2.0, 0.0, 500000.0, 0.0, -2.0, 4000000.0), "EPSG:32616")
    waves = (400.0, 500.0, 600.0, 700.0)
    header = tmp_path / "cube.hdr"
    envi_writing.write_cube(header, CUBE, wavelengths_nm=waves, georeference=where)
    colours = tuple((index, index, index) for index in range(1, 8))
    envi_writing.write_classes(tmp_path / "gt.hdr", LABELS, list("abcdefg"), colours)
    scene = scenes.load(str(header), labels=tmp_path / "gt.img")
    np.testing.assert_array_equal(scene.cube, CUBE)
    assert isinstance(scene.cube, np.memmap)
    assert (scene.classes, scene.class_ids) == (("c", "g"), (3, 7))
    assert (scene.colours, scene.georeference) == (((3, 3, 3), (7, 7, 7)), where)
    assert scene.wavelengths_nm == waves
    assert set(scene.facts) == {"cube.hdr", "cube.img", "gt.hdr", "gt.img"}


def with_faults(folder: Path) -> str:
    cube = CUBE.astype(np.float32)
    cube[1, 2, 3], cube[0, 0, 3] = np.nan, np.inf
    cube[:, :, 0] = 5
    envi_writing.write_cube(folder / "x.hdr", cube, wavelengths_nm=(400, 500, 600, 700))
    return str(folder / "x.hdr")


def test_nan_is_refused_and_its_bands_named(tmp_path: Path) -> None:
    path = with_faults(tmp_path)
    with pytest.raises(
        DataError, match=r"2 values are NaN or infinite, in bands \(from 0\) 3"
    ) as e:
        scenes.load(path)
    assert "--drop-bands bad" in e.value.hint


def test_bad_bands_are_dropped_when_asked(tmp_path: Path) -> None:
    scene = scenes.load(with_faults(tmp_path), drop_bands="bad")
    np.testing.assert_array_equal(scene.cube, CUBE[:, :, 1:3])
    assert scene.wavelengths_nm == (500.0, 600.0)
    assert scene.notes == ("2 of 4 bands dropped (from 0): 0, 3",)


def test_dead_bands_alone_are_a_note(files: Path) -> None:
    cube = CUBE.copy()
    cube[:, :, 2] = 0
    np.save(files / "cube.npy", cube)
    scene = scenes.load(str(files / "cube.npy"))
    assert scene.bands == 4
    assert scene.notes == ("constant bands (from 0): 2; --drop-bands bad drops them",)


def test_bands_that_the_header_calls_bad_count_as_bad(tmp_path: Path) -> None:
    envi_writing.write_cube(tmp_path / "x.hdr", CUBE)
    with (tmp_path / "x.hdr").open("a") as file:
        file.write("bbl = {1, 1, 0, 1}\n")
    kept = scenes.load(str(tmp_path / "x.hdr"))
    assert kept.bands == 4 and "calls bad (from 0): 2" in kept.notes[0]
    dropped = scenes.load(str(tmp_path / "x.hdr"), drop_bands="bad")
    np.testing.assert_array_equal(dropped.cube, CUBE[:, :, [0, 1, 3]])


def test_bands_are_dropped_by_number(tmp_path: Path) -> None:
    path = with_faults(tmp_path)
    whole = scenes.load(path, drop_bands="bad")
    scene = scenes.load(path, drop_bands=(3, 0, 1, 3))
    assert scene.dropped == (0, 1, 3) and whole.dropped == (0, 3)
    np.testing.assert_array_equal(scene.cube, whole.cube[:, :, 1:])
    assert scene.notes == ("3 of 4 bands dropped (from 0): 0-1, 3",)
    with pytest.raises(DataError, match=r"in bands \(from 0\) 3"):
        scenes.load(path, drop_bands=(0, 1))
    with pytest.raises(DataError, match="the cube has 4 bands, so that band 4 cannot"):
        scenes.load(path, drop_bands=(4,))


@pytest.mark.parametrize("drop", ["none", "bad"])
def test_nan_in_every_band_has_another_way_out(files: Path, drop: scenes.DropBands) -> None:
    cube = CUBE.astype(np.float64)
    cube[np.arange(4), 0, np.arange(4)] = np.nan
    np.save(files / "cube.npy", cube)
    with pytest.raises(DataError, match=r"each of the 4 bands|no band is left") as caught:
        scenes.load(str(files / "cube.npy"), drop_bands=drop)
    assert caught.value.hint == "cut or fill the pixels without data"


@pytest.mark.parametrize("value", [-9999, np.nan])
def test_pixels_without_data_are_set_apart(tmp_path: Path, value: float) -> None:
    cube = CUBE.astype(np.float32)
    cube[2, 2] = cube[5, 4] = value
    np.save(tmp_path / "x.npy", cube)
    scene = scenes.load(str(tmp_path / "x.npy"), no_data=-9999)
    empty = np.zeros(CUBE.shape[:2], bool)
    empty[2, 2] = empty[5, 4] = True
    np.testing.assert_array_equal(scene.valid, ~empty)
    np.testing.assert_array_equal(scene.cube[~empty], CUBE[~empty])
    np.testing.assert_allclose(scene.cube[empty], [CUBE[~empty].mean(0)] * 2, rtol=1e-6)
    pixels = empty.size
    whole = f"2 of {pixels} pixels are without data (-9999 or NaN in every band)"
    assert scene.notes == (f"{whole}: neither learnt from nor classified",)


def test_the_file_says_what_no_data_is(tmp_path: Path) -> None:
    cube = CUBE.astype(np.int16)
    cube[2, 2] = cube[5, 4] = -9999
    envi_writing.write_cube(tmp_path / "x.hdr", cube)
    with (tmp_path / "x.hdr").open("a") as file:
        file.write("data ignore value = -9999\n")
    scene = scenes.load(str(tmp_path / "x.hdr"))
    assert scene.valid is not None and (~scene.valid).sum() == 2
    assert scene.cube.dtype == np.int16 and scene.cube.min() >= CUBE.min()
    assert scenes.load(str(tmp_path / "x.hdr"), no_data=-1).valid is None


def test_labels_without_data_are_no_labels(files: Path) -> None:
    cube = CUBE.astype(np.float32)
    labels = np.zeros(CUBE.shape[:2], np.int32)
    labels[0, :3] = 1
    cube[0, 0] = np.nan
    np.save(files / "cube.npy", cube)
    np.save(files / "gt.npy", labels)
    scene = scenes.load(str(files / "cube.npy"), labels=files / "gt.npy")
    assert scene.counts().tolist() == [2]
    assert scene.warnings[0] == "1 of 3 labelled pixels are without data: unlabelled"
    cube[0, :3] = np.nan
    np.save(files / "cube.npy", cube)
    with pytest.raises(DataError, match="all 3 labelled pixels are without data"):
        scenes.load(str(files / "cube.npy"), labels=files / "gt.npy")
    cube[:] = np.nan
    np.save(files / "cube.npy", cube)
    with pytest.raises(DataError, match="no pixel of the cube holds data"):
        scenes.load(str(files / "cube.npy"), labels=files / "gt.npy")


def test_a_cube_with_bands_first_is_told_by_its_labels(files: Path) -> None:
    np.save(files / "cube.npy", np.moveaxis(CUBE, -1, 0))
    with pytest.raises(DataError, match="axes are swapped: 4 bands come first"):
        scenes.load(str(files / "cube.npy"), labels=files / "gt.npy")
