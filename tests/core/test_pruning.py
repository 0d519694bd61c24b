"""Checkpoints removed on request: what is needed stays."""

import errno
import shutil
from pathlib import Path

import pytest
from tiny_tasks import fit, new_run

from toolkit.core import checkpoint
from toolkit.core.errors import ConfigError, RunError
from toolkit.core.pruning import prune
from toolkit.core.run import Run


@pytest.fixture
def run(tmp_path):
    made = Run.open(new_run(tmp_path, "corridor", steps=24))
    fit(made.path, "corridor")
    checkpoint.prune(made.checkpoints, [])
    for step in (8, 16, 24):
        checkpoint.save(made.checkpoints, step, {"trainer": {"best_step": 8}})
    return made


def test_the_newest_and_the_best_stay_of_an_unfinished_run_too(run):
    run.set_status("interrupted", 24)
    (run.path / "result.json").unlink()
    said = prune(run, 1, only_say=True)
    assert checkpoint.steps(run.checkpoints) == [8, 16, 24]
    assert prune(run, 1) == said
    assert (said["kept"], said["removed"]) == ([8, 24], [16])
    assert checkpoint.steps(run.checkpoints) == [8, 24]
    assert said["freed_bytes"] > 0


def test_a_damaged_newest_checkpoint_is_not_what_is_kept(run):
    (run.checkpoints / checkpoint.name_of(24) / "state.json").write_text("{}")
    assert prune(run, 1)["kept"] == [8, 16]
    for step in checkpoint.steps(run.checkpoints):
        (run.checkpoints / checkpoint.name_of(step) / "state.json").write_text("{}")
    with pytest.raises(RunError, match="no checkpoint is whole"):
        prune(run, 1)
    assert checkpoint.steps(run.checkpoints)


def test_nothing_is_removed_while_a_checkpoint_cannot_be_read(run, monkeypatch):
    before, newest = checkpoint.steps(run.checkpoints), checkpoint.steps(run.checkpoints)[-1]
    read = Path.read_bytes

    def fail(self):
        if self.parent.name == checkpoint.name_of(newest):
            raise OSError(errno.EIO, "Input/output error")
        return read(self)

    monkeypatch.setattr(Path, "read_bytes", fail)
    with pytest.raises(RunError, match="cannot read"):
        prune(run, 1)
    assert checkpoint.steps(run.checkpoints) == before


def test_only_a_finished_run_may_lose_all(run):
    run.set_status("paused", 24)
    with pytest.raises(ConfigError, match="could not go on"):
        prune(run, 0)
    run.set_status("finished", 24)
    assert prune(run, 0)["removed"] == [8, 16, 24]


def test_what_checkpoints_share_is_not_counted_as_freed(run):
    for step in (16, 24):
        target = run.checkpoints / checkpoint.name_of(step) / "shared"
        if step == 16:
            target.write_bytes(b"x" * 10**6)
        else:
            target.hardlink_to(run.checkpoints / checkpoint.name_of(16) / "shared")
    assert prune(run, 1, only_say=True)["freed_bytes"] < 10**6


def test_a_run_in_use_is_left_alone(run):
    with run.locked(), pytest.raises(RunError, match="in use"):
        prune(run, 1)


def test_one_run_in_training_does_not_keep_the_others(run, tmp_path):
    from commands import call

    locked, other = run.path, tmp_path / "other"
    shutil.copytree(run.path, other)
    with Run(locked).locked():
        found = call("runs", "prune", locked, other, "--keep", 1, "--runs-dir", tmp_path)
    assert found.exit_code == 4 and str(locked) in found.stderr
    assert "other" in found.stdout and "freed" in found.stdout
    assert checkpoint.steps(Run(locked).checkpoints) == [8, 16, 24]
    assert checkpoint.steps(Run(other).checkpoints) == [8, 24]
