"""Cells of comparisons: what was run before is not run again, here or in a comparison beside it."""

import errno
import os
import time
from importlib.metadata import version
from pathlib import Path

import pytest

from toolkit.core import cells
from toolkit.core.cells import Cell, Workshop
from toolkit.core.config import RunConfig
from toolkit.core.errors import RunError
from toolkit.core.files import write_json
from toolkit.core.finding import resolve_all
from toolkit.core.progress import Silent
from toolkit.core.run import Run


class OnTrunk(RunConfig):
    trunk: str = ""


def finish(path, score):
    write_json(path / "result.json", {"score": score})
    Run(path).set_status("finished", 10)


class Scorer:
    """Runs nothing: gives every cell of its jobs the same score."""

    def __init__(self, score):
        self.score, self.ran = score, []

    def run(self, jobs, started, ended):
        for job in jobs:
            for path in map(Path, job.command[job.command.index("resume") + 1 :]):
                self.ran.append(path.name)
                finish(path, self.score)
            ended(job, 0)

    def stop(self): ...


class Notes(Silent):
    def __init__(self):
        self.said = []

    def note(self, text):
        self.said.append(text)


def comparison(folder, score, steps=10, trunk_steps=5, names=("a",)):
    """Run a comparison of cells on one trunk: what was run, what all gave, what was said."""
    trunk = Cell(folder / "pretrain/trunk", "pretrain", RunConfig(steps=trunk_steps))
    on_it = OnTrunk(steps=steps, trunk=str(trunk.path.resolve()))
    arms = [Cell(folder / "arms" / name, "train", on_it) for name in names]
    scorer, notes = Scorer(score), Notes()
    folder.mkdir(parents=True, exist_ok=True)
    for stage, some in (("pre-training", [trunk]), ("arms", arms)):
        Workshop(folder, "fake", notes).work(scorer, stage, some)
    return scorer.ran, [arm.result["score"] for arm in arms], notes.said


def test_finished_cells_are_left_alone(tmp_path):
    assert comparison(tmp_path / "one", 1)[0] == ["trunk", "a"]
    assert comparison(tmp_path / "one", 2, names=("a", "b"))[:2] == (["b"], [1, 2])


def test_runs_of_the_same_settings_are_taken_over_from_a_comparison_beside(tmp_path):
    comparison(tmp_path / "one", 1)
    ran, scores, said = comparison(tmp_path / "two", 2, names=("a", "b"))
    assert (ran, scores) == (["b"], [1, 2])
    assert "pre-training: 1 runs, 0 finished before, 1 taken over" in said
    own = (tmp_path / "two/arms/a/config.toml").read_text()
    assert str(tmp_path / "two/pretrain/trunk") in own, "a copy must build on what is copied"
    assert Run.open(tmp_path / "two/arms/a").result == {"score": 1}


@pytest.mark.parametrize("other", [{"steps": 11}, {"trunk_steps": 6}])
def test_runs_of_other_settings_or_on_another_trunk_are_not(tmp_path, other):
    comparison(tmp_path / "one", 1)
    assert "a" in comparison(tmp_path / "two", 2, **other)[0]


def test_runs_of_another_version_are_not(tmp_path):
    comparison(tmp_path / "one", 1)
    env = tmp_path / "one/arms/a/env.json"
    env.write_text(env.read_text().replace(version("toolkit"), "0.0.1"))
    assert comparison(tmp_path / "two", 2)[0] == ["a"]


@pytest.mark.parametrize("name", ["config.toml", "env.json", "result.json"])
@pytest.mark.parametrize("damaged", [b"\xff{", None])
def test_damaged_runs_beside_it_are_not_and_stop_nothing(tmp_path, name, damaged):
    comparison(tmp_path / "one", 1)
    file = tmp_path / "one/arms/a" / name
    file.unlink() if damaged is None else file.write_bytes(damaged)
    assert comparison(tmp_path / "two", 2)[:2] == (["a"], [2])


def test_a_copy_that_fails_leaves_nothing_behind(tmp_path, monkeypatch):
    def full(source, target):
        target.mkdir(parents=True)
        raise OSError(errno.ENOSPC, "no space left on device")

    comparison(tmp_path / "one", 1)
    monkeypatch.setattr(cells.shutil, "copytree", full)
    with pytest.raises(RunError, match="space"):
        comparison(tmp_path / "two", 2)
    assert not [*(tmp_path / "two").rglob("*tmp*")]


def test_a_run_that_was_begun_here_goes_on_here(tmp_path):
    comparison(tmp_path / "one", 1)
    begun = tmp_path / "two/pretrain/trunk"
    Run.create(tmp_path, "fake", "pretrain", RunConfig(steps=5), path=begun)
    assert comparison(tmp_path / "two", 2)[0] == ["trunk"]


def test_a_run_that_was_only_paused_goes_on(tmp_path):
    comparison(tmp_path / "one", 1)
    Run(tmp_path / "one/arms/a").set_status("paused", 5)
    assert comparison(tmp_path / "one", 2)[:2] == (["a"], [2])
    Run(tmp_path / "one/arms/a").set_status("paused", 5)
    assert comparison(tmp_path / "two", 3)[0] == ["a"], "nor is it taken over"


def test_runs_of_other_settings_are_not_counted_among_those_of_the_comparison(tmp_path):
    comparison(tmp_path / "one", 1)
    run = Run(tmp_path / "one/arms/a")
    before = run.config(OnTrunk)
    run.rewrite_config(before.extended(20))
    with pytest.raises(RunError, match="from 10 to 20 steps"):
        comparison(tmp_path / "one", 2)
    run.rewrite_config(before.model_copy(update={"patience": None, "evaluate_every": 3}))
    with pytest.raises(RunError, match="other settings"):
        comparison(tmp_path / "one", 2)


def test_folders_of_others_are_passed_over(tmp_path, monkeypatch):
    closed, stat = tmp_path / "closed", os.stat
    comparison(closed, 1)

    def refusing(path, *more, **how):
        if str(path).startswith(f"{closed}/"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return stat(path, *more, **how)

    monkeypatch.setattr(os, "stat", refusing)
    assert comparison(tmp_path / "two", 2)[:2] == (["trunk", "a"], [2])
    with pytest.raises(RunError, match="no run"):
        resolve_all([str(closed / "arms/a")], tmp_path)


def test_long_work_says_how_far_it_is(tmp_path, monkeypatch):
    monkeypatch.setattr(cells, "_TELL_S", 0.01)

    class Slow(Scorer):
        def run(self, jobs, started, ended):
            first = Path(jobs[0].command[-2])  # of two in one batch
            finish(first, 1)
            deadline = time.monotonic() + 30
            while not any("left" in text for text in notes.said) and time.monotonic() < deadline:
                time.sleep(0.01)
            super().run(jobs, started, ended)

    notes = Notes()
    (tmp_path / "one").mkdir()
    both = [Cell(tmp_path / "one/arms" / name, "train", RunConfig()) for name in "ab"]
    Workshop(tmp_path / "one", "fake", notes).work(Slow(1), "arms", both)
    assert [text.partition(",")[0] for text in notes.said] == [
        *("arms: 2 runs", "arms: 1 of 2 runs", "arms: 2 of 2 runs"),
    ]
    assert "1 min left" in notes.said[1]


def test_runs_on_other_data_are_not_taken_over(tmp_path):
    for folder, digest, expected in (("one", "a", ["x"]), ("two", "b", ["x"]), ("three", "b", [])):
        cell, scorer = Cell(tmp_path / folder / "x", "train", RunConfig()), Scorer(1)
        (tmp_path / folder).mkdir()
        data = {"truth.mat": digest}
        Workshop(tmp_path / folder, "fake", Silent(), data=data).work(scorer, "arms", [cell])
        assert scorer.ran == expected
        Run(cell.path).record_data({**data, "split": "s"})
