"""``toolkit hsi map``: what a run learnt decides its map, whatever the scene and labels given."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from commands import answer, call, refused
from hsi_commands import SMALL, truth

from toolkit.core.run import Run


def test_a_trunk_cannot_be_evaluated_or_mapped(trunk: Path, scene: Path, tmp_path: Path) -> None:
    refused(2, "hsi", "evaluate", trunk, says=("no classes", "toolkit hsi finetune"))
    refused(2, "hsi", "map", trunk, scene, "--out", tmp_path, says=("no classes",))


def test_a_map_is_what_the_run_was_judged_by(classifier: Path, scene: Path, tmp_path: Path) -> None:
    out = tmp_path / "maps"
    words = ("--format", "npy", "--format", "envi")
    result = answer("hsi", "map", classifier, scene, "--out", out, *words)
    assert sum(result["pixels"].values()) == 40 * 30
    assert all(Path(file).is_file() for file in result["files"])
    (classes,) = [np.load(f) for f in map(Path, result["files"]) if f.name == "classes.npy"]
    assert classes.shape == (40, 30)
    assert (out / "map.png").is_file()
    (header,) = [f for f in result["files"] if f.endswith("classes.hdr")]
    raw = np.fromfile(Path(header).with_suffix(".img"), np.uint8).reshape(40, 30)
    assert np.array_equal(raw, classes)
    assert all(name in Path(header).read_text() for name in result["pixels"])


def test_a_denoised_scene_is_mapped_denoised(scene: Path, tmp_path: Path) -> None:
    words = ("--scene", scene, "--labels", truth(scene), "--per-class", 5, *SMALL)
    few = ("--set", "steps=5", "--set", "denoise=[20,15,5]", "--runs-dir", tmp_path)
    result = answer("hsi", "train", *words, *few)
    assert any("20 x 15 x 5" in note for note in result["notes"])
    out = tmp_path / "maps"
    where = ("--labels", truth(scene), "--out", out, "--format", "npy")
    answer("hsi", "map", result["run"], scene, *where)
    classes = np.load(out / "classes.npy").astype("<i2") - 1
    assert hashlib.sha256(classes.tobytes()).hexdigest() == result["map_sha256"]


def test_a_classifier_of_some_classes_maps_those(scene: Path, tmp_path: Path) -> None:
    words = ("--scene", scene, "--labels", truth(scene), "--per-class", 5, *SMALL)
    few = ("--set", "steps=5", "--set", "classes=[1,3]", "--set", "regularise=3")
    found = answer("hsi", "train", *words, *few, "--runs-dir", tmp_path)
    assert len(found["classes"]) == 2 and any("2 of 4 classes" in note for note in found["notes"])
    where = ("--labels", truth(scene), "--out", tmp_path / "maps", "--format", "npy")
    mapped = answer("hsi", "map", found["run"], scene, *where)
    classes = np.load(tmp_path / "maps" / "classes.npy")
    assert set(np.unique(classes)) <= {1, 3} and len(mapped["pixels"]) == 2
    again = answer("hsi", "evaluate", found["run"])
    assert again["map_sha256"] == found["map_sha256"]
    refused(2, "hsi", "train", *words, "--set", "classes=[1,9]", says=("no class has id 9",))


@pytest.mark.parametrize("has_labels", [False, True])
def test_a_map_holds_what_its_run_learnt_from_whatever_labels_it_is_given(
    has_labels: bool, scene: Path, tmp_path: Path
) -> None:
    words = ("--scene", scene, "--labels", truth(scene), "--per-class", 5, *SMALL)
    few = ("--set", "steps=5", "--set", "regularise=3", "--runs-dir", tmp_path)
    run = answer("hsi", "train", *words, *few)
    np.save(tmp_path / "gt.npy", np.eye(40, 30, dtype=np.int32))
    labels = ("--labels", tmp_path / "gt.npy") if has_labels else ()
    out = ("--out", tmp_path / "maps", "--format", "npy")
    answer("hsi", "map", run["run"], scene, *labels, *out)
    classes = np.load(tmp_path / "maps" / "classes.npy").astype("<i2") - 1
    assert hashlib.sha256(classes.tobytes()).hexdigest() == run["map_sha256"]


def test_another_truth_of_a_namesake_never_reaches_the_map(scene: Path, tmp_path: Path) -> None:
    words = ("--scene", scene, "--labels", truth(scene), "--per-class", 5, *SMALL)
    few = ("--set", "steps=5", "--set", "regularise=3", "--runs-dir", tmp_path)
    run = answer("hsi", "train", *words, *few)
    from toolkit.hsi import scenes
    from toolkit.hsi.formats.envi_writing import write_cube

    other = scenes.load(str(scene), labels=truth(scene))
    assert other.labels is not None
    (tmp_path / "b").mkdir()
    namesake = tmp_path / "b" / scene.name
    write_cube(namesake, other.cube[::-1])
    np.save(tmp_path / "b" / "gt.npy", np.where(other.labels > 0, 5 - other.labels, 0))
    maps = []
    for labels in ((), ("--labels", tmp_path / "b" / "gt.npy")):
        out = ("--out", tmp_path / "maps", "--format", "npy")
        answer("hsi", "map", run["run"], namesake, *labels, *out)
        maps.append(np.load(tmp_path / "maps" / "classes.npy"))
    assert np.array_equal(*maps)


def test_a_map_is_of_the_bands_that_its_model_learnt_from(scene: Path, tmp_path: Path) -> None:
    from toolkit.hsi import scenes
    from toolkit.hsi.formats.envi_writing import write_cube

    read = scenes.load(str(scene))
    waves = 400.0 + 10.0 * np.arange(20)
    dead = np.array(read.cube)
    dead[:, :, 3] = 7
    write_cube(tmp_path / "a.hdr", dead, wavelengths_nm=waves.tolist())
    write_cube(tmp_path / "b.hdr", read.cube, wavelengths_nm=(waves + 10).tolist())
    words = ("--scene", tmp_path / "a.hdr", "--labels", truth(scene), *SMALL, "--set", "steps=5")
    run = answer("hsi", "train", *words, "--drop-bands", "bad", "--runs-dir", tmp_path)
    out = ("--out", tmp_path / "maps")
    (note,) = answer("hsi", "map", run["run"], tmp_path / "a.hdr", *out)["notes"]
    assert note == "1 of 20 bands dropped (from 0): 3"
    mapped = answer("hsi", "map", run["run"], tmp_path / "b.hdr", *out)
    assert mapped["notes"] == [note]
    assert any("up to 10 nm from those of a" in warning for warning in mapped["warnings"])
    refused(3, "hsi", "map", run["run"], tmp_path / "b.hdr", *out, "--drop-bands", "none")


def test_a_border_without_data_is_neither_learnt_from_nor_mapped(
    scene: Path, tmp_path: Path
) -> None:
    from toolkit.hsi import scenes
    from toolkit.hsi.formats.envi_writing import write_cube

    cube = np.array(scenes.load(str(scene)).cube, np.float32)
    border = np.arange(30) + np.arange(40)[:, None] < 15
    runs = []
    for name, value in (("nan", np.nan), ("zero", 0.0)):
        cube[border] = value
        write_cube(tmp_path / f"{name}.hdr", cube)
        words = ("--scene", tmp_path / f"{name}.hdr", "--no-data", "0", *SMALL)
        few = ("--set", "steps=5", "--set", "regularise=3", "--runs-dir", tmp_path)
        trunk = answer("hsi", "pretrain", *words, *few[:2], *few[-2:])["run"]
        found = answer("hsi", "finetune", trunk, "--labels", truth(scene), *few)
        assert any("pixels are without data" in note for note in found["notes"])
        runs.append(found)
    assert runs[0]["map_sha256"] == runs[1]["map_sha256"] and runs[0]["oa"] == runs[1]["oa"]
    out = ("--out", tmp_path / "maps", "--format", "npy")
    mapped = answer("hsi", "map", runs[1]["run"], tmp_path / "zero.hdr", *out)
    classes = np.load(tmp_path / "maps" / "classes.npy")
    assert np.array_equal(classes == 0, border)
    assert mapped["pixels_unclassified"] == border.sum()
    assert (
        hashlib.sha256((classes.astype("<i2") - 1).tobytes()).hexdigest() == (runs[1]["map_sha256"])
    )


def test_without_json_notes_and_files_are_shown_too(
    classifier: Path, scene: Path, tmp_path: Path
) -> None:
    shown = call("hsi", "evaluate", classifier).stdout.splitlines()
    notes = Run(classifier).result["notes"]  # type: ignore[index]
    assert notes and set(shown[shown.index("notes") + 1 :]) >= {f"  {note}" for note in notes}
    mapped = call("hsi", "map", classifier, scene, "--out", tmp_path).stdout.splitlines()
    assert f"  {tmp_path / 'map.png'}" in mapped[mapped.index("files") :]


def test_a_map_onto_a_file_is_refused(classifier: Path, scene: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    refused(4, "hsi", "map", classifier, scene, "--out", tmp_path / "file", says=("cannot write",))


def test_another_number_of_bands_is_refused_with_both(classifier: Path, tmp_path: Path) -> None:
    call("data", "synthesize", "hsi", tmp_path, "--rows", 20, "--columns", 20, "--bands", 7)
    (header,) = [path for path in tmp_path.glob("*.hdr") if not path.stem.endswith("_gt")]
    refused(3, "hsi", "map", classifier, header, "--out", tmp_path / "m", says=("7", "20"))


@pytest.mark.parametrize("name", ["houston2018_cut", "jasper_ridge", "samson", "simu_indian"])
def test_real_scenes_are_read_classified_and_mapped(
    name: str, hsi_data: Path, tmp_path: Path
) -> None:
    where = ("--data-dir", hsi_data)
    few = ("--network", "hu2015", "--per-class", 5, "--set", "learning_rate=0.01")
    result = answer("hsi", "train", "--scene", name, *few, *where, "--runs-dir", tmp_path)
    assert result["oa"] > 0.3  # far above chance; steps are few
    assert result["leak"]["train_test_pixels"] == 0
    maps = answer("hsi", "map", result["run"], name, *where, "--out", tmp_path / "maps")
    shape = (maps["rows"], maps["columns"])
    assert sum(maps["pixels"].values()) == shape[0] * shape[1]
