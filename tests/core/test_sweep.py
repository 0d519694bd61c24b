"""Sweeps: their cells, their processes, their sums. The cells here train nothing."""

from __future__ import annotations

import json
import os
import signal
import statistics
import sys
import threading
import time
from pathlib import Path

import pytest

from toolkit.core.errors import CancelledRunError, CheckFailedError, ConfigError, RunError
from toolkit.core.errors import InterruptedRunError as Interrupted
from toolkit.core.executor import Job, LocalPool, launch, stopped_by_signals
from toolkit.core.grid import Cell, expand, parse_grid
from toolkit.core.progress import Silent
from toolkit.core.run import Run
from toolkit.core.sweep import Sweep, aggregate, refuse_failures, scalars

SCRIPT = Path(__file__).with_name("fake_cell.py")


def sweep(folder, seeds=(1, 2, 3), grid=None, manners=None, workers=2, progress=None):
    def command(cell):
        manner = (manners or {}).get(cell.name, "well")
        lr = cell.settings.get("lr", 1.0)
        return [sys.executable, "-S", str(SCRIPT), str(cell.path), str(cell.seed), str(lr), manner]

    cells = expand(folder, seeds, grid or {})
    return Sweep(folder, cells, command).run(LocalPool(workers), progress or Silent())


def calls(folder: Path) -> dict[str, int]:
    return {path.stem: len(path.read_text().splitlines()) for path in folder.glob("*.calls")}


class Heard(Silent):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def note(self, text: str) -> None:
        self.lines.append(text)


def test_grid_values_read_as_in_set():
    grid = parse_grid(["lr=0.1,1e-1,3", "norm=batch,group", "channels=[8,16],[32]", "flag=true"])
    assert grid == {
        "lr": [0.1, 3],
        "norm": ["batch", "group"],
        "channels": [[8, 16], [32]],
        "flag": [True],
    }


@pytest.mark.parametrize("texts", [["lr"], ["lr="], ["lr=1", "lr=2"]])
def test_a_grid_that_cannot_be_read_is_refused(texts):
    with pytest.raises(ConfigError, match="lr"):
        parse_grid(texts)


def test_cells_are_named_by_their_settings(tmp_path):
    cells = expand(tmp_path, [3, 4, 3], {"lr": [0.1], "net.kind": ["a/b", "a_b"]})
    names = [cell.name for cell in cells]
    assert names[2:] == ["lr=0.1,net.kind=a_b,seed-3", "lr=0.1,net.kind=a_b,seed-4"]
    assert len(set(names)) == 4  # a/b is no folder and not a_b either
    assert all(cell.path.parent == tmp_path for cell in cells)
    assert cells[2].sets == ["lr=0.1", 'net.kind="a_b"']
    assert [cell.name for cell in expand(tmp_path, [0], {})] == ["seed-0"]


def test_the_sums_are_right(tmp_path):
    report = sweep(tmp_path, grid={"lr": [0.5, 2.0]})
    assert json.loads((tmp_path / "sweep.json").read_text()) == report
    assert list(report["summary"]) == ["lr=0.5", "lr=2.0"]
    for lr in (0.5, 2.0):
        summary = report["summary"][f"lr={lr}"]
        assert list(summary) == ["score", "veb.f1"]
        values = [lr * seed for seed in (1, 2, 3)]
        score = summary["score"]
        assert score["n"] == 3
        assert score["mean"] == pytest.approx(statistics.mean(values))
        assert score["sd"] == pytest.approx(statistics.stdev(values))
        assert min(values) <= score["low"] < score["mean"] < score["high"] <= max(values)
        assert summary["veb.f1"]["mean"] == pytest.approx(2 + lr)


def test_one_cell_has_no_spread(tmp_path):
    summary = sweep(tmp_path, seeds=[4])["summary"]["all"]["score"]
    assert summary == {"n": 1, "mean": 4.0, "sd": None, "low": None, "high": None}


def test_only_numbers_are_summed():
    result = {"a": 1, "b": {"c": 2.5, "d": "x"}, "e": True, "f": None, "g": [1], "seed": 3}
    assert scalars(result) == {"a": 1, "b.c": 2.5}
    assert aggregate([]) == {}


def test_finished_cells_stay_and_new_ones_are_added(tmp_path):
    sweep(tmp_path, seeds=[1, 2])
    report = sweep(tmp_path, seeds=[1, 2, 3])
    assert calls(tmp_path) == {"seed-1": 1, "seed-2": 1, "seed-3": 1}
    assert [row["exit_code"] for row in report["cells"]] == [None, None, 0]
    assert report["summary"]["all"]["score"]["n"] == 3


def test_a_killed_cell_goes_on(tmp_path):
    killed = {"seed-2": "die"}
    report = sweep(tmp_path, manners=killed)
    assert [row["state"] for row in report["cells"]] == ["finished", "unfinished", "finished"]
    with pytest.raises(CheckFailedError, match=r"seed-2 \(killed by signal 9\)"):
        refuse_failures(report)
    (tmp_path / "seed-2" / "kept").touch()
    refuse_failures(sweep(tmp_path, manners=killed))
    assert calls(tmp_path) == {"seed-1": 1, "seed-2": 2, "seed-3": 1}
    assert (tmp_path / "seed-2" / "kept").exists()


def test_a_cell_killed_in_the_making_starts_over(tmp_path):
    (tmp_path / "seed-1").mkdir()
    (tmp_path / "seed-1" / "left").touch()
    assert sweep(tmp_path, seeds=[1])["cells"][0]["state"] == "finished"
    assert not (tmp_path / "seed-1" / "left").exists()


def test_a_cell_that_has_saved_is_never_removed(tmp_path):
    kept = tmp_path / "seed-1" / "checkpoints" / "step-0000000009"
    kept.mkdir(parents=True)
    sweep(tmp_path, seeds=[1])
    assert kept.exists()


def test_a_failing_cell_does_not_stop_the_rest(tmp_path):
    heard = Heard()
    report = sweep(tmp_path, manners={"seed-1": "fail"}, workers=1, progress=heard)
    assert [row["state"] for row in report["cells"]] == ["unfinished", "finished", "finished"]
    assert report["summary"]["all"]["score"]["n"] == 2
    with pytest.raises(CheckFailedError) as caught:
        refuse_failures(report)
    log = tmp_path / "seed-1.log"
    assert "seed-1 (exit code 6)" in caught.value.what
    assert caught.value.where == str(log)
    assert log.read_text() == "the reason\n"
    assert any("seed-3  finished  score 3" in line for line in heard.lines)


@pytest.mark.parametrize(
    ("number", "error"), [(signal.SIGTERM, Interrupted), (signal.SIGINT, CancelledRunError)]
)
def test_a_signal_lets_running_cells_save_and_starts_no_more(tmp_path, number, error):
    def send() -> None:
        while not (tmp_path / "seed-1" / "ready").exists():
            time.sleep(0.01)
        os.kill(os.getpid(), number)

    sender = threading.Thread(target=send)
    sender.start()
    heard, before = Heard(), signal.getsignal(number)
    with pytest.raises(error):
        sweep(tmp_path, manners={"seed-1": "wait"}, workers=1, progress=heard)
    sender.join()
    assert signal.getsignal(number) is before
    assert any("seed-1  exit code 75" in line for line in heard.lines)
    assert calls(tmp_path) == {"seed-1": 1}
    sweep(tmp_path, manners={"seed-1": "wait"})
    assert calls(tmp_path) == {"seed-1": 2, "seed-2": 1, "seed-3": 1}


@pytest.mark.parametrize("first", [signal.SIGTERM, signal.SIGINT])
def test_only_an_interrupt_after_a_signal_does_not_wait_for_what_saves(first):
    asked = []

    class Asked:
        def stop(self, *, at_once=False):
            asked.append(at_once)

    with pytest.raises(Interrupted), stopped_by_signals(Asked(), "here", "again"):
        for number in (first, signal.SIGTERM, signal.SIGINT):
            os.kill(os.getpid(), number)
    assert asked == [False, False, True]


def test_a_log_lies_where_the_job_runs(tmp_path, monkeypatch):
    (tmp_path / "there" / "runs").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    job = Job("a", [sys.executable, "-S", "-c", "import os; os.write(2, b'x')"], Path("runs/a.log"))
    assert launch(job, os.environ, tmp_path / "there").wait() == 0
    assert (tmp_path / "there" / "runs" / "a.log").read_text() == "x"


def test_two_sweeps_do_not_share_a_folder(tmp_path):
    with Run(tmp_path).locked(), pytest.raises(RunError, match="in use"):
        sweep(tmp_path)
    assert calls(tmp_path) == {}


def test_a_damaged_cell_is_not_finished(tmp_path):
    sweep(tmp_path, seeds=[1])
    (tmp_path / "seed-1" / "status.json").write_text("{")
    assert Cell(tmp_path, 1, {}).result is None
