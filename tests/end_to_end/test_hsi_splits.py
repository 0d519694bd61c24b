"""Which pixels a run of ``toolkit hsi`` learns from, is judged on and has seen before."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
from commands import answer, call, refused
from hsi_commands import SMALL, truth


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
