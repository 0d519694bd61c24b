"""Finished runs for commands to work on, and a demo that takes seconds."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from commands import answer, call, training
from hsi_commands import SMALL, truth

from toolkit.cli import demo
from toolkit.ecg import config as ecg_config
from toolkit.ecg import synthetic as ecg_synthetic


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, synthetic: Path) -> Path:
    """A folder with one finished run; tests may add to it."""
    folder = tmp_path_factory.mktemp("work") / "runs"
    answer(*training(synthetic, 4), "--runs-dir", folder)
    return folder


@pytest.fixture
def finished(runs: Path, tmp_path: Path) -> Path:
    """A copy of the finished run that a test may change."""
    (source,) = (path.parent for path in runs.glob("*/env.json"))
    return Path(shutil.copytree(source, tmp_path / "runs" / source.name))


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A synthetic scene of 40 x 30 pixels as ENVI files; not to be changed."""
    out = tmp_path_factory.mktemp("scene")
    words = ("--rows", 40, "--columns", 30, "--bands", 20, "--classes", 4, "--seed", 1)
    call("data", "synthesize", "hsi", out, *words)
    (header,) = [path for path in out.glob("*.hdr") if not path.stem.endswith("_gt")]
    return header


@pytest.fixture(scope="module")
def trunk(scene: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished pre-training on the scene; not to be changed."""
    folder = tmp_path_factory.mktemp("trunk")
    words = ("--scene", scene, *SMALL, "--set", "steps=30", "--block", "5")
    return Path(answer("hsi", "pretrain", *words, "--runs-dir", folder)["run"])


@pytest.fixture(scope="module")
def classifier(scene: Path, trunk: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished fine-tuning of the trunk; not to be changed."""
    folder = tmp_path_factory.mktemp("classifier")
    words = ("--labels", truth(scene), "--per-class", 5, "--set", "steps=20")
    return Path(answer("hsi", "finetune", trunk, *words, "--runs-dir", folder)["run"])


@pytest.fixture
def quick_demo(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Fewer records and steps; everything else as it is."""
    write, presets = (
        ecg_synthetic.write_records,
        shutil.copytree(ecg_config.PRESETS, tmp_path / "presets"),
    )
    monkeypatch.setattr(
        ecg_synthetic, "write_records", lambda out, records, minutes, seed: write(out, 2, 0.5, seed)
    )
    path = presets / "synthetic.toml"
    text = path.read_text().replace("batch_size = 256", "batch_size = 32\nthreads = 1")
    lines = ["steps = 2" if line.startswith("steps") else line for line in text.splitlines()]
    path.write_text("\n".join(lines))
    monkeypatch.setattr(ecg_config, "PRESETS", presets)
    monkeypatch.setattr(demo, "VQE_S", 1.0)
    few = (
        "env=Pendulum-v1",
        "steps=250",
        "evaluate_every=250",
        "learning_starts=50",
        "final_episodes=1",
    )
    monkeypatch.setattr(demo, "RL", (*few, "episodes=1", "updates_per_step=0.1"))
    tiny = ("network.residual.stem_channels=8", "network.residual.channels=[8]", "steps=2")
    monkeypatch.setattr(demo, "HSI_PRETRAIN", tiny)
    monkeypatch.setattr(demo, "HSI_FINETUNE", ("steps=2",))
