"""Resuming and extending runs through the command line's own path."""

import json
import sys
import types

import pytest
from click.testing import CliRunner

from toolkit.cli import execution
from toolkit.cli.runs import runs
from toolkit.core.config import RunConfig
from toolkit.core.errors import ConfigError, DivergedError, InterruptedRunError, RunError
from toolkit.core.run import Run


class Counting:
    """A task that counts its steps."""

    def __init__(self):
        self.total, self.steps_here = 0, []

    def step(self, i):
        self.total += 1
        self.steps_here.append(i)
        return {}

    def evaluate(self, i):
        return {"total": self.total}

    def done(self, i):
        return False

    def state_dict(self):
        return {"total": self.total}

    def load_state_dict(self, state):
        self.total = state["total"]

    def finish(self, run):
        return {"total": self.total}


@pytest.fixture
def built(monkeypatch):
    """The tasks that were built, newest last, for runs of an application ``counting``."""
    tasks = []

    def build(run, config, ranks):
        tasks.append(Counting())
        return tasks[-1]

    module = types.ModuleType("toolkit.counting.tasks")
    module.build = build
    monkeypatch.setitem(sys.modules, "toolkit.counting", types.ModuleType("toolkit.counting"))
    monkeypatch.setitem(sys.modules, "toolkit.counting.tasks", module)
    monkeypatch.setattr(execution, "_model_of", lambda run: RunConfig)
    return tasks


@pytest.fixture
def run(tmp_path, built, capsys):
    """A finished run of five steps."""
    made = Run.create(tmp_path, "counting", "up", RunConfig(steps=5, threads=1))
    resume(made)
    capsys.readouterr()
    return made


def resume(run, steps=None, max_time=None):
    execution.resume(run, steps=steps, max_time=max_time, devices=1, as_json=True)


def test_a_finished_run_is_printed_again_and_not_trained(run, built, capsys):
    resume(run)
    assert len(built) == 1
    assert json.loads(capsys.readouterr().out) == run.result
    resume(run, steps=5)  # its own end
    assert len(built) == 1


def test_steps_extend_a_finished_run(run, built, capsys):
    resume(run, steps=8)
    assert built[-1].steps_here == [5, 6, 7]
    assert json.loads(capsys.readouterr().out)["total"] == 8
    settings = run.config(RunConfig)
    assert (settings.steps, settings.schedule_steps) == (8, 5)
    assert run.status["state"] == "finished"


def test_an_extension_that_was_killed_at_once_is_not_forgotten(run, built, monkeypatch):
    def die(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(execution, "execute", die)
        resume(run, steps=8)
    resume(run)
    assert built[-1].steps_here == [5, 6, 7]


def test_fewer_steps_than_done_are_refused(run):
    with pytest.raises(ConfigError, match="--steps 3 is less than the 5 steps done"):
        resume(run, steps=3)
    assert run.config(RunConfig).steps == 5
    assert run.status["state"] == "finished"


def test_a_living_run_keeps_its_settings(run):
    with run.locked(), pytest.raises(RunError, match="in use by process"):
        resume(run, steps=8)
    assert run.config(RunConfig).steps == 5


@pytest.mark.parametrize("content", ["", "{}"])
def test_a_damaged_status_does_not_keep_a_run_from_going_on(content, run, built):
    (run.path / "status.json").write_text(content)
    resume(run)
    assert built[-1].steps_here == []  # its checkpoint knows better
    assert run.status["state"] == "finished"


@pytest.mark.parametrize(
    ("trouble", "reached"),
    [
        (DivergedError("NaN"), ["a", "b"]),
        (SystemError("a bug"), ["a", "b"]),
        (InterruptedRunError("stopped"), ["a"]),
    ],
)
def test_a_run_that_fails_keeps_no_other_from_running(tmp_path, monkeypatch, trouble, reached):
    asked = []

    def resumed(run, **_):
        asked.append(run.name)
        if run.name == "a":
            raise trouble

    monkeypatch.setattr(execution, "resume", resumed)
    paths = [Run.create(tmp_path, "x", "y", RunConfig(), path=tmp_path / n).path for n in "ab"]
    done = CliRunner().invoke(runs, ["resume", *map(str, paths)])
    assert (done.exception, asked) == (trouble, reached)
