"""Copies, for a test to damage, of the runs that its module's fixture ``made`` holds."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest


@pytest.fixture
def finished(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made / "finished", tmp_path / "runs" / "finished"))


@pytest.fixture
def paused(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made / "paused", tmp_path / "runs" / "paused"))
