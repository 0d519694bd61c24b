"""What travels in the wheel: presets, tables, templates and the released models."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from toolkit.core import released

REPOSITORY = Path(__file__).parents[1]
NEEDED = {
    "toolkit/core/report.html.j2",
    "toolkit/data/registry.toml",
    "toolkit/data/mitdb.files.toml",
    "toolkit/ecg/fragments17.csv",
    "toolkit/ecg/presets/ec57.toml",
    "toolkit/vqe/presets/lih4.toml",
    "toolkit/rl/presets/acerax.toml",
    "toolkit/rl/protocol/reference_scores.toml",
    "toolkit/vqe/peers/published.toml",
    "toolkit/models/vqe/lih4-2.2/best.json",
    "toolkit/ecg/presets/pretrain/ec57.toml",
    "toolkit/hsi/recipes.toml",
    "toolkit/models/ecg/encoder-ec57/model.safetensors",
    "toolkit/models/ecg/gaps-ec57/model.safetensors",
    "toolkit/models/ecg/ec57/model.safetensors",
    "toolkit/models/ecg/ec57/config.toml",
    "toolkit/models/rl/halfcheetah-sacx/model.json",
    "toolkit/models/rl/halfcheetah-sacx/model.safetensors",
    "toolkit/models/ecg/fragments17/model.safetensors",
}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    out = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(out)]
    subprocess.run(build, cwd=REPOSITORY, check=True, capture_output=True)
    return zipfile.ZipFile(next(out.glob("*.whl")))


def test_the_wheel_holds_what_the_code_reads(wheel: zipfile.ZipFile) -> None:
    assert set(wheel.namelist()) >= NEEDED


def test_the_wheel_holds_no_records(wheel: zipfile.ZipFile) -> None:
    assert not [n for n in wheel.namelist() if n.endswith((".dat", ".atr", ".npy", ".mat"))]


def test_an_installed_wheel_finds_the_models(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    wheel.extractall(tmp_path)
    code = "from toolkit.core import released; print(*released.names('ecg'))"
    found = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(tmp_path), "PATH": ""},
        check=True,
        capture_output=True,
        text=True,
    )
    assert found.stdout.split() == released.names("ecg")
