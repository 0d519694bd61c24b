"""A metrics line reaches TensorBoard, or the missing package is named."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from toolkit.core.errors import UnavailableError
from toolkit.core.tensorboard import TensorBoard

INSTALLED = importlib.util.find_spec("tensorboard") is not None


@pytest.mark.skipif(INSTALLED, reason="tensorboard is installed")
def test_a_missing_package_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="tensorboard") as error:
        TensorBoard(tmp_path)
    assert error.value.exit_code == 5
    assert "toolkit[tensorboard]" in str(error.value)


@pytest.mark.skipif(not INSTALLED, reason="tensorboard is not installed")
def test_a_line_is_written(tmp_path: Path) -> None:
    TensorBoard(tmp_path).log({"step": 3, "train/loss": 0.5})
    assert list(tmp_path.glob("events.*"))
