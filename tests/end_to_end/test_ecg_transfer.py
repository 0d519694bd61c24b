"""Self-supervised regression, what is built on it, and both against each other."""

from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path

import pytest
import torch
from commands import SMALL, answer, refused, same, spawn
from PIL import Image

from toolkit.core import weights
from toolkit.core.files import read_json
from toolkit.core.run import Run

pytestmark = pytest.mark.usefixtures("quick_baseline")


def words(verb: str, data: Path, *more: object) -> list[object]:
    return ["ecg", verb, *more, "--preset", "synthetic", "--data-dir", data, *SMALL]


@pytest.fixture(scope="module")
def encoder(synthetic: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("encoder") / "run"
    answer(*words("pretrain", synthetic), "--set", "steps=60", "--run-dir", folder)
    return folder


def test_a_regression_beats_what_needs_no_learning_near_r(encoder: Path) -> None:
    found = Run(encoder).result
    assert found["rmse_near_r_mv"] < found["predictors"]["spline"]["near_r"]["rmse_mv"]
    assert found["rmse_near_r_mv"] < found["predictors"]["linear"]["near_r"]["rmse_mv"]
    assert "synthetic" in found["title"].lower() and "Synthetic" in found["warnings"][0]
    with Image.open(encoder / "figures" / "predictions.png") as image:
        assert image.width > 600
    pool = json.loads((encoder / "data.json").read_text())["pool"]
    assert not set(pool["learnt_records"]) & set(pool["judged_records"])


@pytest.mark.parametrize("target", ["forecast", "upsampling"])
def test_every_target_can_be_learnt(target: str, synthetic: Path, tmp_path: Path) -> None:
    few = ("--set", "steps=3", "--runs-dir", tmp_path)
    found = answer(*words("pretrain", synthetic), "--target", target, *few)
    assert found["target"] == target and found["rmse_mv"] > 0


def test_a_classifier_takes_the_encoder_over(encoder: Path, synthetic: Path, tmp_path: Path):
    few = ("--set", "steps=1", "--set", "encoder_rate=0", "--set", "weight_decay=0")
    few = (*few, "--set", "average=0", "--label-fraction", 0.5)
    found = answer(*words("finetune", synthetic, encoder), *few, "--run-dir", tmp_path / "run")
    assert (found["arm"], found["label_fraction"]) == ("transfer", 0.5)
    ours, theirs = weights.read(encoder), weights.read(tmp_path / "run")
    shared = [key for key in ours if key.startswith("encoder.")]
    assert shared and all(torch.equal(ours[key], theirs[key]) for key in shared)
    again = answer("ecg", "evaluate", tmp_path / "run")
    assert again["accuracy"] == found["accuracy"]
    known, pool = (read_json(run / "data.json") for run in (tmp_path / "run", encoder))
    digest = hashlib.sha256((encoder / "model.safetensors").read_bytes()).hexdigest()
    assert known["encoder"] == {"sha256": digest, "pool": pool["pool"]}


@pytest.mark.parametrize("verb", ["pretrain", "finetune"])
def test_a_killed_run_resumes_to_the_same_weights(
    verb: str, encoder: Path, synthetic: Path, tmp_path: Path
) -> None:
    source = (encoder,) if verb == "finetune" else ()
    often = ("--set", "steps=80", "--set", "checkpoint_every_s=0", "--set", "evaluate_every=20")
    line = [str(word) for word in (*words(verb, synthetic, *source), *often)]
    answer(*line, "--run-dir", tmp_path / "whole")
    process = spawn(*line, "--run-dir", tmp_path / "cut")
    deadline = time.monotonic() + 120
    while not list((tmp_path / "cut" / "checkpoints").glob("step-*")):
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.communicate()
    answer("runs", "resume", tmp_path / "cut")
    assert same(tmp_path / "whole", tmp_path / "cut")


def test_arms_are_compared_and_a_second_call_finds_them(synthetic: Path, tmp_path: Path) -> None:
    line = ["ecg", "compare", "--preset", "synthetic", "--data-dir", synthetic, "--seeds", "0-1"]
    line += ["--label-fractions", "1,0.2", "--runs-dir", tmp_path]
    line += ["--set", "pretrain.steps=2", "--set", "train.steps=2", "--set", "train.batch_size=8"]
    found = answer(*line)
    told = [(row["label_fraction"], row["arm"], row["n_seeds"]) for row in found["rows"]]
    assert told == [(f, arm, 2) for f in (1.0, 0.2) for arm in ("scratch", "transfer")]
    for scratch, transfer in zip(found["rows"][::2], found["rows"][1::2]):
        gain = sum(transfer["seeds"]) / 2 - sum(scratch["seeds"]) / 2
        assert transfer["gain_mean"] == pytest.approx(gain) and "gain_mean" not in scratch
    assert Path(found["figure"]).is_file()
    assert answer(*line)["rows"] == found["rows"]


def test_what_an_encoder_cannot_be_used_for_is_refused(
    encoder: Path, synthetic: Path, tmp_path: Path
) -> None:
    here = ("--runs-dir", tmp_path)
    wider = words("finetune", synthetic, encoder)
    refused(4, *wider, "--set", "network.channels=[8,8,8]", *here, says=("encoder.",))
    leads = ("--set", 'leads=["MLII","*"]')
    refused(2, *wider, *leads, *here, says=("leads",))
    refused(2, *wider, "--set", "protocol=intra", *here, says=("protocol ec57, not intra",))
    refused(2, *wider, "--label-fraction", 0, *here, says=())


def test_an_encoder_has_no_classes_and_a_classifier_is_no_encoder(
    encoder: Path, synthetic: Path, tmp_path: Path
) -> None:
    refused(2, "ecg", "evaluate", encoder, says=("no classes", "finetune"))
    train = answer(*words("train", synthetic), "--set", "steps=2", "--run-dir", tmp_path / "c")
    refused(2, *words("finetune", synthetic, train["run"]), says=("no self-supervised",))


@pytest.mark.parametrize(("option", "value"), [("--label-fractions", "1,2"), ("--set", "steps=2")])
def test_a_comparison_that_cannot_be_is_refused(option, value, synthetic: Path, tmp_path: Path):
    line = ["ecg", "compare", "--preset", "synthetic", "--data-dir", synthetic]
    refused(2, *line, option, value, "--runs-dir", tmp_path)
