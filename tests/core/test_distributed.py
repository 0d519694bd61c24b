"""Two gloo processes, started by the real torchrun, do what one process does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from two_processes import compare, settings, train

from toolkit.core.distributed import take_device
from toolkit.core.run import Run

SCRIPT = Path(__file__).with_name("two_processes.py")
A_MINUTE = 60


def python(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=A_MINUTE,
    )


def torchrun(*arguments: object) -> subprocess.CompletedProcess[str]:
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    return python(*launch, SCRIPT, *arguments)


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("compared")
    compare(folder / "1.json")
    ended = torchrun("compare", folder / "2.json")
    assert ended.returncode == 0, ended.stderr
    return {n: json.loads((folder / f"{n}.json").read_text()) for n in (1, 2)}


@pytest.mark.parametrize("kind", ["mlp", "group", "batch"])
def test_same_global_batch_gives_the_same_loss_curve(compared, kind):
    one, two = compared[1][kind], compared[2][kind]
    assert one["loss"][-1] < one["loss"][0]
    np.testing.assert_allclose(two["loss"], one["loss"], rtol=0, atol=1e-5)
    assert two["accuracy"] == one["accuracy"]


def test_running_statistics_are_those_of_the_global_batch(compared):
    one, two = compared[1]["batch"]["buffers"], compared[2]["batch"]["buffers"]
    assert one.keys() == two.keys()
    np.testing.assert_allclose(list(two.values()), list(one.values()), rtol=1e-5)


@pytest.mark.parametrize("n", [1, 10, 13])
def test_predict_counts_every_sample_once(compared, n):
    one, two = (compared[processes][f"predict-{n}"] for processes in (1, 2))
    assert two["asked"] == [1.0] * n
    np.testing.assert_allclose(two["outputs"], one["outputs"], atol=1e-6)


def test_a_batch_that_cannot_be_shared_is_refused(compared):
    assert compared[1]["odd"] == "accepted"
    assert "batch_size = 15 cannot be shared by 2 processes" in compared[2]["odd"]


def test_a_killed_process_ends_all_and_the_run_resumes(tmp_path):
    whole, killed = (
        Run.create(tmp_path, "test", "train", settings(), path=tmp_path / name)
        for name in ("whole", "killed")
    )
    ended = torchrun("train", killed.path, "--die", 12)  # raises unless all end in a minute
    assert ended.returncode != 0
    assert killed.result is None
    assert killed.status["state"] in ("failed", "interrupted"), ended.stderr
    train(killed.path)
    train(whole.path)
    assert killed.status["state"] == "finished"
    assert len(killed.metrics) == len(whole.metrics) == 3
    np.testing.assert_allclose(killed.result["outputs"], whole.result["outputs"], atol=1e-4)


def test_an_ending_may_take_longer_than_processes_wait_for_one_another(tmp_path):
    run = Run.create(tmp_path, "test", "train", settings())
    ended = torchrun("train", run.path, "--patience", 8, "--ending", 10)
    assert ended.returncode == 0, ended.stderr
    assert run.status["state"] == "finished"


def test_devices_runs_the_command_on_two_processes(tmp_path):
    data, run = tmp_path / "data", tmp_path / "run"
    made = python("-m", "toolkit", "data", "synthesize", "ecg", data, "--records=4", "--minutes=1")
    assert made.returncode == 0, made.stderr
    short = ("--set=steps=4", "--set=batch_size=16", "--set=evaluate_every=2")
    given = ("--preset=synthetic", f"--data-dir={data}", *short, f"--run-dir={run}", "--json")
    ended = python("-m", "toolkit", "ecg", "train", *given, "--devices=2")
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout) == Run(run).result
    assert Run(run).status["step"] == 4


@pytest.mark.parametrize(("name", "taken"), [("cuda:1", [1]), ("cuda", []), ("cpu", [])])
def test_a_numbered_device_becomes_the_current_one(name, taken, monkeypatch):
    """Which torch_scope seeds."""
    seen = []
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", lambda device: seen.append(device.index))
    assert str(take_device(name)) == name
    assert seen == taken
