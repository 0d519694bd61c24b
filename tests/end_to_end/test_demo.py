"""``toolkit demo``: every application, ending in one page."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import answer

from toolkit.core.run import Run

pytestmark = pytest.mark.usefixtures("quick_baseline")


@pytest.mark.usefixtures("quick_demo")
def test_demo_ends_in_one_page(tmp_path: Path) -> None:
    found = answer("demo", "--out", tmp_path / "demo")
    page = Path(found["page"])
    assert page == (tmp_path / "demo" / "demo.html").resolve()
    text = page.read_text()
    assert "Synthetic records" in text
    assert "data:image/png;base64" in text
    assert "LiH on 4 qubits" in text and "Pre-training on indian_pines" in text
    assert "acerax on Pendulum-v1" in text
    states = [Run.open(Path(run)).status["state"] for run in found["runs"]]
    assert states == [*["finished"] * 4, "paused"]  # the search stops at its time


@pytest.mark.slow
def test_the_whole_demo(tmp_path: Path) -> None:
    found = answer("demo", "--out", tmp_path / "demo")
    ecg, _, hsi, rl, vqe = (Run(Path(run)).result for run in found["runs"])
    assert ecg and hsi and rl and vqe
    assert rl["return_mean"] > -400  # a random pendulum gets -1200
    assert hsi["oa"] > 0.7  # of a map regularised in space
    assert ecg["macro_f1_nsv"] > 0.9  # synthetic beats are easy to tell apart
    assert vqe["best"]["error_ha"] < 1.6e-3
