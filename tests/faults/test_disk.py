"""Disks that are full, failing, read-only or not there: said, with nothing lost."""

import errno
import os
import resource
import signal

import pytest
import torch
from crashes import processes, state_of, whole

from toolkit.core import checkpoint, files, hashed_files
from toolkit.core.config import RunConfig
from toolkit.core.errors import RunError
from toolkit.core.files import write_atomic
from toolkit.core.run import Run
from toolkit.core.trainer import Trainer


class Growing:
    """A task whose checkpoints grow by 16 KiB a step."""

    def __init__(self):
        self.rows = torch.zeros(0, 1024)

    def step(self, i):
        self.rows = torch.cat([self.rows, torch.full((4, 1024), float(i))])
        return {}

    def evaluate(self, i):
        return {"rows": len(self.rows)}

    def done(self, i):
        return False

    def state_dict(self):
        return {"rows": self.rows}

    def load_state_dict(self, state):
        self.rows = state["rows"]

    def finish(self, run):
        return {"rows": len(self.rows)}


def grow(path):
    run = Run.open(path)
    return Trainer(run, run.config(RunConfig)).fit(Growing())


def new_run(folder, **settings):
    return Run.create(folder, "tiny", "grow", RunConfig(checkpoint_every_s=0, **settings))


def assert_says_where(error, path):
    assert error.exit_code == 4
    assert str(path) in error.where and "MiB free" in error.where
    assert error.hint


def grow_within(limit_bytes, path, pipe):
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes))
    try:
        grow(path)
    except RunError as error:
        pipe.send((error.exit_code, error.what, error.where))


def test_a_file_that_may_not_grow(tmp_path):
    run = new_run(tmp_path, steps=12)
    context = processes()
    ours, theirs = context.Pipe()
    child = context.Process(target=grow_within, args=(100_000, run.path, theirs))
    child.start()
    theirs.close()
    code, what, where = ours.recv()
    child.join()
    ours.close()
    assert code == 4 and "cannot write" in what
    assert str(run.checkpoints) in where and "MiB free" in where
    assert (run.status["state"], run.status["step"]) == ("failed", 7)
    assert run.status["saved_step"] == 6  # 7 was never said saved
    assert checkpoint.load_newest(run.checkpoints)[0] == 6
    assert not list(run.checkpoints.glob(".tmp-*"))
    assert grow(run.path)["rows"] == 48  # space again: it goes on


def failing_after(calls, error_number, real):
    left = iter(range(calls))

    def call(*args, **kwargs):
        if next(left, None) is None:
            raise OSError(error_number, os.strerror(error_number))
        return real(*args, **kwargs)

    return call


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EROFS])
@pytest.mark.parametrize("name", ["fsync", "write_synced"])
def test_failing_writes_keep_the_previous_checkpoint(name, number, tmp_path, monkeypatch):
    checkpoint.save(tmp_path, 10, state_of(10))
    owner = {"fsync": files.os, "write_synced": hashed_files}[name]
    for calls in range(4):
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, failing_after(calls, number, getattr(owner, name)))
            with pytest.raises(RunError, match="cannot write") as caught:
                checkpoint.save(tmp_path, 20, state_of(20))
        assert os.strerror(number) in caught.value.what
        assert_says_where(caught.value, tmp_path)
        step, state = checkpoint.load_newest(tmp_path)
        assert step == 10 and whole(step, state)
        assert [path.name for path in tmp_path.iterdir()] == [checkpoint.name_of(10)]


def test_failing_fsync_of_the_folder_is_not_reported_as_saved(tmp_path, monkeypatch):
    checkpoint.save(tmp_path, 10, state_of(10))

    def fail(folder):
        if folder == tmp_path:
            raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(checkpoint, "sync_folder", fail)
    with pytest.raises(RunError, match="Input/output error"):
        checkpoint.save(tmp_path, 20, state_of(20))
    assert whole(*checkpoint.load_newest(tmp_path))


def test_a_prune_that_fails_is_said_with_its_place(tmp_path, monkeypatch):
    checkpoint.save(tmp_path, 10, state_of(10))
    real = checkpoint.Path.rename
    monkeypatch.setattr(checkpoint.Path, "rename", failing_after(0, errno.EROFS, real))
    with pytest.raises(RunError, match="Read-only") as caught:
        checkpoint.prune(tmp_path, [])
    assert_says_where(caught.value, tmp_path)


def test_training_on_a_failing_disk_never_claims_a_save(tmp_path, monkeypatch):
    run = new_run(tmp_path, steps=5)
    real, saved = hashed_files.write_synced, []

    def write(path, content):
        if path.parent.name.startswith(".tmp-3-"):
            raise OSError(errno.ENOSPC, "No space left on device")
        saved.append(path)
        real(path, content)

    with monkeypatch.context() as patch:
        patch.setattr(hashed_files, "write_synced", write)
        with pytest.raises(RunError, match="No space left") as caught:
            grow(run.path)
    assert_says_where(caught.value, run.checkpoints)
    assert (run.status["state"], run.status["step"]) == ("failed", 3)
    assert run.status["saved_step"] == 2
    assert run.result is None
    assert grow(run.path)["rows"] == 20


def test_the_first_error_is_told_when_even_the_failure_cannot_be_recorded(tmp_path, monkeypatch):
    run = new_run(tmp_path, steps=5)

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(hashed_files, "write_synced", full)
    monkeypatch.setattr(
        Run, "set_status", lambda self, state, *_, **__: state == "failed" and fail()
    )

    def fail():
        raise RunError("second")

    with pytest.raises(RunError, match="No space left"):
        grow(run.path)


def test_a_folder_that_cannot_be(tmp_path):
    (tmp_path / "file").write_text("in the way")
    for act in (
        lambda path: checkpoint.save(path, 1, state_of(10)),
        lambda path: write_atomic(path / "x.json", "{}"),
        lambda path: Run.create(path, "ecg", "train", RunConfig()),
    ):
        with pytest.raises(RunError, match="cannot write") as caught:
            act(tmp_path / "file" / "deep")
        assert_says_where(caught.value, tmp_path / "file" / "deep")
    assert (tmp_path / "file").read_text() == "in the way"


def test_an_atomic_write_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "status.json"
    write_atomic(path, "old")
    for name in ("write_synced", "sync_folder"):
        with monkeypatch.context() as patch:
            patch.setattr(files, name, failing_after(0, errno.EIO, None))
            with pytest.raises(RunError, match="cannot write"):
                write_atomic(path, "new")
        assert path.read_text() in {"old", "new"}
        assert [one.name for one in tmp_path.iterdir()] == ["status.json"]
