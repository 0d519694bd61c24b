"""Resuming and extending runs through the command line's own path."""

import json
import sys
import types
from pathlib import Path

import pytest
from click.exceptions import Exit
from click.testing import CliRunner

from toolkit.cli import execution
from toolkit.cli.main import cli
from toolkit.core import checkpoint, distributed
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
def run(tmp_path, built):
    """A finished run of five steps."""
    made = Run.create(tmp_path, "counting", "up", RunConfig(steps=5, threads=1))
    resume(made)
    return made


def resume(run, steps=None, max_time=None):
    return execution.resume(run, steps=steps, max_time=max_time, devices=1)


def test_a_finished_run_is_printed_again_and_not_trained(run, built):
    assert resume(run) == run.result
    assert len(built) == 1
    resume(run, steps=5)  # its own end
    assert len(built) == 1


def test_steps_extend_a_finished_run(run, built):
    assert resume(run, steps=8)["total"] == 8
    assert built[-1].steps_here == [5, 6, 7]
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


def test_an_extension_that_cannot_be_leaves_the_run_finished(run, built):
    checkpoint.prune(run.checkpoints, [])
    with pytest.raises(RunError, match="are gone"):
        resume(run, steps=8)
    assert (run.config(RunConfig).steps, run.status["state"]) == (5, "finished")
    assert resume(run) == run.result


def test_nothing_is_built_for_a_run_that_another_process_trains(tmp_path, built):
    begun = Run.create(tmp_path, "counting", "up", RunConfig(steps=5, threads=1))
    with begun.locked(), pytest.raises(RunError, match="in use by process"):
        resume(begun)
    assert built == []
    resume(begun)
    assert begun.status["state"] == "finished"


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
        (Exit(DivergedError.exit_code), ["a", "b"]),
        (Exit(InterruptedRunError.exit_code), ["a"]),
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
    code = getattr(trouble, "exit_code", 70)
    with pytest.raises(SystemExit) as left:
        cli.main(["runs", "resume", *map(str, paths)])
    assert (left.value.code, asked) == (code, reached)


def test_several_runs_go_on_one_after_another_in_processes_of_their_own(tmp_path, monkeypatch):
    """And what they give is one JSON object."""
    made = [Run.create(tmp_path, "x", "y", RunConfig(), path=tmp_path / n) for n in "abc"]
    asked = []

    def relaunched(devices, arguments):
        run = Run(Path(arguments[2]))
        asked.append(run.name)
        if run.name != "b":
            run.write_result({"name": run.name})
        return 6 if run.name == "b" else 0

    monkeypatch.setattr(distributed, "relaunch", relaunched)
    monkeypatch.setattr(execution, "_model_of", lambda run: RunConfig)
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    paths = [str(run.path) for run in made]
    done = CliRunner().invoke(cli, ["runs", "resume", *paths, "--devices=2", "--json"])
    assert (asked, done.exit_code) == (["a", "b", "c"], 6)
    assert json.loads(done.stdout) == {"runs": [{"name": "a"}, {"name": "c"}]}
    assert "b failed: exit code 6" in done.stderr
