"""``toolkit hsi`` as an analyst types it, on small scenes and on Indian Pines."""

from __future__ import annotations

import json
import shutil
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from commands import answer, call, refused, spawn
from hsi_commands import SMALL, timeless, truth

from toolkit.core.run import Run


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


def test_bands_may_be_left_out_by_number(scene: Path, trunk: Path, tmp_path: Path) -> None:
    shown = answer("hsi", "info", scene, "--drop-bands", "0,5-7")
    assert (shown["bands"], shown["notes"][0]) == (16, "4 of 20 bands dropped (from 0): 0, 5-7")
    words = ("--scene", scene, *SMALL, "--set", "steps=5", "--runs-dir", tmp_path)
    own = answer("hsi", "pretrain", *words, "--drop-bands", "0,5-7")["run"]
    few = ("--labels", truth(scene), "--set", "steps=5", "--runs-dir", tmp_path)
    found = answer("hsi", "finetune", own, *few)
    assert any("0, 5-7" in note for note in found["notes"])
    refused(2, "hsi", "info", scene, "--drop-bands", "some", says=("no list such as",))


def test_a_damaged_configuration_is_no_usage_error(classifier: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(classifier, tmp_path / classifier.name))
    for content in (b"", b"\xff", b"[split"):
        (copy / "config.toml").write_bytes(content)
        refused(4, "hsi", "evaluate", copy, says=("config.toml",))


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
