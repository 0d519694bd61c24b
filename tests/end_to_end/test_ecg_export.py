"""ECG networks as ONNX give what the toolkit gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from commands import SMALL, answer

pytestmark = pytest.mark.usefixtures("quick_baseline")


@pytest.fixture(autouse=True)
def runtime():
    pytest.importorskip("onnxscript", reason="extra onnx is not installed")
    return pytest.importorskip("onnxruntime", reason="extra onnx is not installed")


@pytest.mark.parametrize(("name", "classes"), [("ec57", 5), ("fragments17", 17)])
def test_released_models_are_exported(name: str, classes: int, runtime, tmp_path: Path) -> None:
    found = answer("ecg", "export", name, "--out", tmp_path / "m.onnx")
    assert found["largest_difference"] < 1e-3 and len(found["classes"].split(", ")) == classes
    session = runtime.InferenceSession(found["file"])
    fed = {k: np.zeros((3, *size), np.float32) for k, size in found["inputs"].items()}
    (out,) = session.run(None, fed)
    assert out.shape == (3, classes)
    if name == "ec57":
        assert out.sum(axis=1) == pytest.approx([1, 1, 1], abs=1e-5)


def test_a_regression_is_exported(runtime, synthetic: Path, tmp_path: Path) -> None:
    line = ("--preset", "synthetic", "--data-dir", synthetic, *SMALL, "--set", "steps=2")
    answer("ecg", "pretrain", *line, "--run-dir", tmp_path / "run")
    found = answer("ecg", "export", tmp_path / "run", "--out", tmp_path / "m.onnx")
    (size,) = found["inputs"].values()
    session = runtime.InferenceSession(found["file"])
    (out,) = session.run(None, {"input": np.zeros((2, *size), np.float32)})
    assert out.shape == (2, 1, size[1]) and found["target"] == "gap"
