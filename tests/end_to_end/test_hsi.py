"""``toolkit hsi`` as an analyst types it, on small scenes and on Indian Pines."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import answer, call, refused, spawn

from toolkit.core.run import Run

SMALL = ("--set", "network.residual.stem_channels=16", "--set", "network.residual.channels=[16]")
CLOCKS = {"trained_s", "run"}


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A synthetic scene of 40 x 30 pixels as ENVI files; not to be changed."""
    out = tmp_path_factory.mktemp("scene")
    words = ("--rows", 40, "--columns", 30, "--bands", 20, "--classes", 4, "--seed", 1)
    call("data", "synthesize", "hsi", out, *words)
    (header,) = [path for path in out.glob("*.hdr") if not path.stem.endswith("_gt")]
    return header


def truth(scene: Path) -> Path:
    return scene.with_name(f"{scene.stem}_gt.hdr")


@pytest.fixture(scope="module")
def trunk(scene: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished pre-training; not to be changed."""
    folder = tmp_path_factory.mktemp("trunk")
    words = ("--scene", scene, *SMALL, "--set", "steps=30", "--block", "5")
    return Path(answer("hsi", "pretrain", *words, "--runs-dir", folder)["run"])


@pytest.fixture(scope="module")
def classifier(scene: Path, trunk: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished fine-tuning; not to be changed."""
    folder = tmp_path_factory.mktemp("classifier")
    words = ("--labels", truth(scene), "--per-class", 5, "--set", "steps=20")
    return Path(answer("hsi", "finetune", trunk, *words, "--runs-dir", folder)["run"])


def timeless(result: dict[str, Any]) -> dict[str, Any]:
    """``result`` without clocks and places."""
    return {key: value for key, value in result.items() if key not in CLOCKS}


def test_a_pretraining_learns_blocks_and_shows_them(trunk: Path) -> None:
    result = Run(trunk).result
    assert result is not None
    assert result["labellings"] == {"grid 5": 48}
    assert result["block_accuracy"] > 3 / 48  # by chance 1/48
    assert "without" in " ".join(result["notes"]) or "none with a label" in result["notes"][0]
    assert (trunk / "figures" / "blocks.png").is_file()
    assert json.loads((trunk / "data.json").read_text())


def test_a_finetuning_has_all_that_a_figure_needs(classifier: Path, scene: Path) -> None:
    result = Run(classifier).result
    assert result is not None
    assert result.keys() >= {
        *("scene", "split", "per_class", "n_train", "n_test", "oa", "aa", "kappa", "classes"),
        *("leak", "map_sha256", "split_sha256"),
    }
    assert (result["split"], result["per_class"], result["n_train"]) == ("random", 5, 20)
    assert result["n_train"] + result["n_test"] <= 40 * 30
    assert result["leak"]["train_test_pixels"] == 0
    assert result["leak"]["test_patches_sharing_pixels"] > 0
    assert any("neighbour" in note for note in result["notes"])
    assert result["oa"] > 0.5
    assert all(row["n_train"] == 5 for row in result["classes"].values())
    figures = {path.name for path in (classifier / "figures").glob("*.png")}
    assert figures >= {"map.png", "confusion.png"}
    assert "split" in json.loads((classifier / "data.json").read_text())


def test_a_finetuning_takes_over_scene_and_network(classifier: Path, trunk: Path) -> None:
    own, source = Run(classifier).settings, Run(trunk).settings
    assert own["network"] == source["network"] and own["scene"] == source["scene"]
    assert own["trunk"] == str(trunk.resolve())


def test_scratch_differs_from_the_trunk_only_in_how_it_begins(
    scene: Path, trunk: Path, classifier: Path, tmp_path: Path
) -> None:
    words = ("--scene", scene, "--labels", truth(scene), "--per-class", 5, *SMALL)
    result = answer("hsi", "train", *words, "--set", "steps=20", "--runs-dir", tmp_path)
    other = Run(classifier).result
    assert other is not None
    assert result["split_sha256"] == other["split_sha256"]
    assert result["parameters"] == other["parameters"]
    assert (result["arm"], other["arm"]) == ("scratch", "pre-trained")
    assert result["map_sha256"] != other["map_sha256"]


def test_the_same_seed_gives_the_same_figures_and_map(
    classifier: Path, trunk: Path, scene: Path, tmp_path: Path
) -> None:
    words = ("--labels", truth(scene), "--per-class", 5, "--set", "steps=20")
    again = answer("hsi", "finetune", trunk, *words, "--runs-dir", tmp_path)
    first = Run(classifier).result
    assert first is not None
    assert timeless(again) == timeless(first)
    other = answer("hsi", "finetune", trunk, *words, "--seed", 1, "--runs-dir", tmp_path)
    assert other["split_sha256"] != first["split_sha256"]


def test_evaluating_anew_gives_the_same_figures(classifier: Path) -> None:
    result = Run(classifier).result
    assert result is not None
    again = answer("hsi", "evaluate", classifier)
    same = ("oa", "aa", "kappa", "n_test", "map_sha256", "split_sha256", "leak", "classes")
    assert {key: again[key] for key in same} == {key: result[key] for key in same}


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


def test_an_exported_model_gives_what_the_run_gives(classifier: Path, tmp_path: Path) -> None:
    runtime = pytest.importorskip("onnxruntime", reason="extra onnx is not installed")
    pytest.importorskip("onnxscript", reason="extra onnx is not installed")
    result = answer("hsi", "export", classifier, "--out", tmp_path / "model.onnx")
    assert result["largest_difference"] < 1e-3
    assert (result["bands"], len(result["classes"])) == (20, 4)
    session = runtime.InferenceSession(result["file"])
    tile = np.zeros((1, 20, result["patch"] + 3, result["patch"]), np.float32)
    (logits,) = session.run(None, {"input": tile})
    assert logits.shape == (1, 4, 4, 1)


def test_exporting_without_the_extra_says_how_to_get_it(
    classifier: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    refused(5, "hsi", "export", classifier, "--out", tmp_path / "m.onnx", says=("[onnx]",))
    assert not (tmp_path / "m.onnx").exists()


def test_regularisation_is_an_option_that_says_so(
    classifier: Path, trunk: Path, scene: Path, tmp_path: Path
) -> None:
    words = ("--labels", truth(scene), "--per-class", 5, "--set", "steps=20")
    result = answer(
        "hsi", "finetune", trunk, *words, "--set", "regularise=5", "--runs-dir", tmp_path
    )
    plain = Run(classifier).result
    assert plain is not None
    assert result["unregularised"]["oa"] == plain["oa"]
    assert any("regularised" in note for note in result["notes"])
    assert "unregularised" not in plain


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


def test_a_map_without_labels_holds_what_its_run_learnt_from(scene: Path, tmp_path: Path) -> None:
    words = ("--scene", scene, "--labels", truth(scene), "--per-class", 5, *SMALL)
    few = ("--set", "steps=5", "--set", "regularise=3", "--runs-dir", tmp_path)
    run = answer("hsi", "train", *words, *few)
    out = ("--out", tmp_path / "maps", "--format", "npy")
    answer("hsi", "map", run["run"], scene, *out)
    classes = np.load(tmp_path / "maps" / "classes.npy").astype("<i2") - 1
    assert hashlib.sha256(classes.tobytes()).hexdigest() == run["map_sha256"]


def test_other_labels_leave_the_map_of_the_run_as_it_is(scene: Path, tmp_path: Path) -> None:
    words = ("--scene", scene, "--labels", truth(scene), "--per-class", 5, *SMALL)
    few = ("--set", "steps=5", "--set", "regularise=3", "--runs-dir", tmp_path)
    run = answer("hsi", "train", *words, *few)
    np.save(tmp_path / "gt.npy", np.eye(40, 30, dtype=np.int32))
    out = ("--labels", tmp_path / "gt.npy", "--out", tmp_path / "maps", "--format", "npy")
    answer("hsi", "map", run["run"], scene, *out)
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


def test_a_run_is_not_evaluated_on_labels_that_changed(scene: Path, tmp_path: Path) -> None:
    from toolkit.hsi import scenes, tasks

    known = scenes.load(str(scene), labels=truth(scene))
    assert known.labels is not None
    np.save(tmp_path / "gt.npy", known.labels)
    words = ("--scene", scene, "--labels", tmp_path / "gt.npy", "--per-class", 5, *SMALL)
    run = answer("hsi", "train", *words, "--set", "steps=5", "--runs-dir", tmp_path)
    known.labels[:3] = 0
    np.save(tmp_path / "gt.npy", known.labels)
    tasks._read.cache_clear()  # as in a process of its own
    refused(4, "hsi", "evaluate", run["run"], says=("data changed", "gt.npy", "split"))


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


def test_bands_may_be_left_out_by_number(scene: Path, trunk: Path, tmp_path: Path) -> None:
    shown = answer("hsi", "info", scene, "--drop-bands", "0,5-7")
    assert (shown["bands"], shown["notes"][0]) == (16, "4 of 20 bands dropped (from 0): 0, 5-7")
    words = ("--scene", scene, *SMALL, "--set", "steps=5", "--runs-dir", tmp_path)
    own = answer("hsi", "pretrain", *words, "--drop-bands", "0,5-7")["run"]
    few = ("--labels", truth(scene), "--set", "steps=5", "--runs-dir", tmp_path)
    found = answer("hsi", "finetune", own, *few)
    assert any("0, 5-7" in note for note in found["notes"])
    refused(2, "hsi", "info", scene, "--drop-bands", "some", says=("no list such as",))


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


def test_a_damaged_configuration_is_no_usage_error(classifier: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(classifier, tmp_path / classifier.name))
    for content in (b"", b"\xff", b"[split"):
        (copy / "config.toml").write_bytes(content)
        refused(4, "hsi", "evaluate", copy, says=("config.toml",))


def test_a_disjoint_split_shares_nothing(scene: Path, trunk: Path, tmp_path: Path) -> None:
    words = ("--labels", truth(scene), "--per-class", 3, "--split", "disjoint")
    result = answer("hsi", "finetune", trunk, *words, "--set", "steps=5", "--runs-dir", tmp_path)
    assert result["leak"].pop("test_pixels_seen_in_pretraining") == result["n_test"]
    assert set(result["leak"].values()) == {0}


def test_an_inductive_trunk_has_seen_no_test_pixel_of_its_own_split_alone(
    scene: Path, tmp_path: Path
) -> None:
    words = ("--labels", truth(scene), "--set", "steps=5", "--runs-dir", tmp_path)
    blocks = ("--set", "inductive.kind='disjoint'", "--set", "inductive.draw=3")
    own = answer("hsi", "pretrain", "--scene", scene, *SMALL, *words, *blocks)["run"]
    split = ("--split", "disjoint", "--per-class", 3)
    seen = {}
    for draw in (3, 4, 5, 6):
        found = answer("hsi", "finetune", own, *words, *split, "--draw", draw)
        seen[draw] = found["leak"]["test_pixels_seen_in_pretraining"]
        assert answer("hsi", "evaluate", found["run"])["leak"] == found["leak"]
    assert seen.pop(3) == 0 < max(seen.values())


def test_a_trunk_knows_its_scene_by_what_it_holds_not_by_its_file(
    trunk: Path, scene: Path, tmp_path: Path
) -> None:
    from scipy.io import savemat

    from toolkit.hsi import scenes

    cube = np.asarray(scenes.load(str(scene)).cube)
    np.save(tmp_path / "copy.npy", cube)
    few = ("--labels", truth(scene), "--set", "steps=5", "--runs-dir", tmp_path)
    found = answer("hsi", "finetune", trunk, "--scene", tmp_path / "copy.npy", *few)
    assert found["leak"]["test_pixels_seen_in_pretraining"] == found["n_test"]
    savemat(tmp_path / "two.mat", {"a": cube, "b": cube[5:, 3:] ** 2})
    np.save(tmp_path / "gt.npy", np.arange(35 * 27).reshape(35, 27) % 3)
    words = ("--scene", tmp_path / "two.mat", "--variable", "a", "--labels", truth(scene), *SMALL)
    blocks = ("--set", "inductive.kind='disjoint'", "--set", "steps=5", "--runs-dir", tmp_path)
    own = answer("hsi", "pretrain", *words, *blocks)["run"]
    other = ("--variable", "b", "--labels", tmp_path / "gt.npy", "--set", "regularise=2")
    run = answer("hsi", "finetune", own, *other, "--set", "steps=5", "--runs-dir", tmp_path)
    assert run["leak"]["test_pixels_seen_in_pretraining"] == 0
    out = ("--variable", "a", "--out", tmp_path / "maps")
    assert answer("hsi", "map", run["run"], tmp_path / "two.mat", *out)["rows"] == 40
    shutil.rmtree(own)
    assert "test_pixels_seen_in_pretraining" not in answer("hsi", "evaluate", run["run"])["leak"]


def test_a_trunk_of_another_scene_has_seen_nothing_and_brings_none_of_its_files(
    trunk: Path, scene: Path, tmp_path: Path
) -> None:
    words = ("--rows", 30, "--columns", 30, "--bands", 20, "--classes", 3, "--seed", 2)
    call("data", "synthesize", "hsi", tmp_path / "b", *words)
    other = tmp_path / "b" / scene.name
    few = ("--set", "steps=5", "--runs-dir", tmp_path)
    first = ("--scene", scene, "--labels", truth(scene), "--set", "classes=[1,2]", *SMALL)
    own = answer("hsi", "pretrain", *first, *few)["run"]
    for way in (("--scene", other), ("--set", f"scene='{other}'")):
        refused(3, "hsi", "finetune", own, *way, *few, says=("no labels",))
        found = answer("hsi", "finetune", own, *way, "--labels", truth(other), *few)
        assert len(found["classes"]) == 3
        assert found["leak"]["test_pixels_seen_in_pretraining"] == 0


def test_all_of_five_labelled_pixels_a_class_are_learnt_from(
    trunk: Path, scene: Path, tmp_path: Path
) -> None:
    from toolkit.hsi import scenes

    known = scenes.load(str(scene), labels=truth(scene))
    assert known.labels is not None
    five = [p for k in range(1, 5) for p in np.argwhere(known.labels == k)[:5]]
    rows = [f"{r},{c},{known.classes[known.labels[r, c] - 1]}" for r, c in five]
    table = tmp_path / "pixels.csv"
    table.write_text("\n".join(["row,column,class", *rows]) + "\n")
    words = ("hsi", "finetune", trunk, "--labels", table, "--runs-dir", tmp_path)
    halved = answer(*words, "--per-class", 5, "--set", "steps=5")
    assert halved["n_train"] == 8 and any("--split all" in note for note in halved["notes"])
    found = answer(*words, "--split", "all", "--set", "steps=60", "--set", "regularise=3")
    assert (found["n_train"], found["n_test"], found["oa"], found["judged_on"]) == (
        *(20, 0, None),
        None,
    )
    assert any("none is left" in note for note in found["notes"])
    assert not (Path(found["run"]) / "figures" / "confusion.png").exists()
    assert "oa" not in call("hsi", "evaluate", found["run"]).stdout.splitlines()[1]
    out = ("--out", tmp_path / "maps", "--format", "npy")
    answer("hsi", "map", found["run"], scene, *out)
    classes = np.load(tmp_path / "maps" / "classes.npy")
    assert all(classes[tuple(p)] == known.class_ids[known.labels[tuple(p)] - 1] for p in five)
    part = answer(*words, "--split", "all", "--set", "split.validation=0.4", "--set", "steps=5")
    assert (part["n_train"], part["n_test"], part["judged_on"]) == (12, 8, "validation")
    assert not any("none is left" in note for note in part["notes"])
    file = tmp_path / "all.toml"
    file.write_text('split.kind = "all"')
    refused(2, *words, "--config", file, "--per-class", 5, says=("--per-class decides nothing",))
    refused(2, *words, "--split", "all", "--per-class", 5, says=("--per-class decides nothing",))


def test_labels_from_a_list_of_pixels(scene: Path, trunk: Path, tmp_path: Path) -> None:
    from toolkit.hsi import scenes

    known = scenes.load(str(scene), labels=truth(scene))
    assert known.labels is not None
    places = np.argwhere(known.labels > 0)[::11]
    rows = [f"{r},{c},{known.classes[known.labels[r, c] - 1]}" for r, c in places]
    table = tmp_path / "pixels.csv"
    table.write_text("\n".join(["row,column,class", *rows]) + "\n")
    words = ("--labels", table, "--per-class", 3, "--set", "steps=5")
    result = answer("hsi", "finetune", trunk, *words, "--runs-dir", tmp_path)
    assert result["n_train"] + result["n_test"] == len(places)


def test_own_training_and_test_maps(scene: Path, trunk: Path, tmp_path: Path) -> None:
    from toolkit.hsi import scenes

    known = scenes.load(str(scene), labels=truth(scene))
    assert known.labels is not None
    left = np.where(np.arange(30) < 15, known.labels, 0)
    np.save(tmp_path / "train.npy", left)
    np.save(tmp_path / "test.npy", known.labels - left)
    maps = ("--train-map", tmp_path / "train.npy", "--test-map", tmp_path / "test.npy")
    words = ("--labels", truth(scene), *maps, "--set", "steps=5", "--runs-dir", tmp_path)
    result = answer("hsi", "finetune", trunk, *words)
    assert result["split"] == "given"
    assert result["n_train"] == int((left > 0).sum())
    alone = answer("hsi", "finetune", trunk, *maps, "--set", "steps=5", "--runs-dir", tmp_path)
    assert alone["split_sha256"] == result["split_sha256"]
    both = ("--train-map", tmp_path / "test.npy", "--test-map", tmp_path / "test.npy")
    refused(
        *(3, "hsi", "finetune", trunk, "--labels", truth(scene), *both),
        says=("train",),
    )


def test_a_killed_run_resumes_to_the_same_figures(trunk: Path, scene: Path, tmp_path: Path) -> None:
    words = ["hsi", "finetune", str(trunk), "--labels", str(truth(scene)), "--per-class", "5"]
    words += ["--set", "steps=400", "--set", "checkpoint_every_s=0"]
    whole = answer(*words, "--run-dir", tmp_path / "whole")
    process = spawn(*words, "--run-dir", tmp_path / "killed")
    deadline = time.monotonic() + 120
    while not list((tmp_path / "killed" / "checkpoints").glob("step-*")):
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.communicate()
    resumed = answer("runs", "resume", tmp_path / "killed")
    assert timeless(resumed) == timeless(whole)


def test_another_number_of_bands_is_refused_with_both(classifier: Path, tmp_path: Path) -> None:
    call("data", "synthesize", "hsi", tmp_path, "--rows", 20, "--columns", 20, "--bands", 7)
    (header,) = [path for path in tmp_path.glob("*.hdr") if not path.stem.endswith("_gt")]
    refused(3, "hsi", "map", classifier, header, "--out", tmp_path / "m", says=("7", "20"))


def test_a_scene_without_labels_says_how_to_give_them(scene: Path, tmp_path: Path) -> None:
    alone = tmp_path / "alone.hdr"
    shutil.copy(scene, alone)
    for data in scene.parent.glob(f"{scene.stem}.*"):
        if data.suffix != ".hdr":
            shutil.copy(data, tmp_path / f"alone{data.suffix}")
    words = ("hsi", "train", "--scene", alone, *SMALL, "--runs-dir", tmp_path)
    refused(3, *words, says=("no labels", "--labels"))


def test_a_patch_larger_than_the_scene_is_one_clear_error(tmp_path: Path) -> None:
    words = ("--rows", 6, "--columns", 6, "--bands", 8, "--classes", 2)
    call("data", "synthesize", "hsi", tmp_path, *words)
    (header,) = [path for path in tmp_path.glob("*.hdr") if not path.stem.endswith("_gt")]
    refused(
        *(3, "hsi", "pretrain", "--scene", header, "--block", 2, "--runs-dir", tmp_path),
        says=("9 x 9", "6 x 6"),
    )


def test_info_names_bands_and_classes() -> None:
    shown = answer("hsi", "info", "indian_pines")
    assert (shown["rows"], shown["columns"], shown["bands"]) == (145, 145, 200)
    assert len(shown["classes"]) == 16
    assert sum(row["pixels"] for row in shown["classes"]) == 10249


def test_info_draws_a_picture(scene: Path, tmp_path: Path) -> None:
    answer("hsi", "info", scene, "--out", tmp_path / "scene.png")
    assert (tmp_path / "scene.png").read_bytes().startswith(b"\x89PNG")


def test_a_comparison_pairs_its_arms_and_goes_on_where_it_was(scene: Path, tmp_path: Path) -> None:
    words: list[object] = ["hsi", "compare", scene, "--labels", truth(scene), "--draws", 2]
    words += ["--arms", "scratch,grid,svm", "--per-class", "3", "--set", "rates=[1e-3]"]
    words += ["--set", "networks=['hu2015']", "--set", "pretrain.steps=5", "--set", "train.steps=5"]
    words += ["--runs-dir", tmp_path]
    result = answer(*words)
    rows = {row["arm"]: row for row in result["rows"]}
    assert set(rows) == {"scratch", "grid", "svm"}
    assert rows["scratch"]["gain_mean"] is None
    gain = rows["grid"]["oa_mean"] - rows["scratch"]["oa_mean"]
    assert rows["grid"]["gain_mean"] == pytest.approx(gain)
    low, high = rows["grid"]["gain_ci95"]
    assert low <= gain <= high
    assert Path(result["figure"]).is_file()
    folder = Path(result["comparison"])
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("result.json")}
    assert answer(*words)["rows"] == result["rows"]
    (summary,) = [path for path in before if path.parent == folder]
    assert all(path.stat().st_mtime_ns == t for path, t in before.items() if path != summary)


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
