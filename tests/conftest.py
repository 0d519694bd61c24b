"""Fixtures that every test may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from commands import call
from hypothesis import settings

settings.register_profile("steady", deadline=None)  # a busy machine is no failure
settings.load_profile("steady")
torch.set_num_threads(1)  # small tensors: more threads only wait for one another

REPOSITORY = Path(__file__).parents[1]


def _real_data() -> Path:
    given = os.environ.get("TOOLKIT_TEST_DATA")
    return Path(given) if given else REPOSITORY.parent / "shared" / "data"


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder that holds ``mitdb/``; a test that needs it is skipped where it is not."""
    folder = _real_data()
    if not (folder / "mitdb" / "100.dat").is_file():
        pytest.skip(f"no MIT-BIH records at {folder}; set TOOLKIT_TEST_DATA to run this test")
    return folder


@pytest.fixture(scope="session")
def hsi_data() -> Path:
    """Folder that holds ``hsi/``, the hyperspectral scenes; likewise."""
    folder = _real_data()
    if not (folder / "hsi" / "houston2018_roi.mat").is_file():
        where = f"{folder / 'hsi'}; set TOOLKIT_TEST_DATA to run this test"
        pytest.skip(f"no hyperspectral scenes at {where}")
    return folder


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the user's cache out of the tests: one for the whole session."""
    base = tmp_path_factory.getbasetemp() / "cache"
    monkeypatch.setenv("TOOLKIT_CACHE", str(base))


@pytest.fixture(scope="session")
def synthetic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four synthetic records of a minute, made by the command; not to be changed."""
    out = tmp_path_factory.mktemp("data") / "synthetic"
    call("data", "synthesize", "ecg", out, "--records", 4, "--minutes", 1, "--seed", 0)
    return out


@pytest.fixture
def quick_baseline(monkeypatch: pytest.MonkeyPatch) -> None:
    """A gradient-boosted baseline of a few trees, where its figures do not matter."""
    from toolkit.ecg import baseline

    whole = baseline.HistGradientBoostingClassifier
    monkeypatch.setattr(
        baseline,
        "HistGradientBoostingClassifier",
        lambda **given: whole(**{**given, "max_iter": 2}),
    )
