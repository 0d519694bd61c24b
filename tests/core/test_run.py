"""Run directories: made whole, found by name, owned by one process, readable when damaged."""

import errno
import json
import math
import multiprocessing
import os
import signal

import pytest
from tiny_tasks import processes

from toolkit.core import run as runs
from toolkit.core.config import RunConfig
from toolkit.core.errors import ConfigError, RunError
from toolkit.core.finding import find_all
from toolkit.core.run import Run


def make(root, app="ecg", verb="train", **changes):
    return Run.create(root, app, verb, RunConfig(**changes), command=["toolkit", app, "a b"])


def test_a_new_run_says_what_it_will_be(tmp_path):
    run = make(tmp_path / "deep" / "runs", seed=5)
    opened = Run.open(run.path)
    assert (opened.app, opened.verb, opened.config(RunConfig).seed) == ("ecg", "train", 5)
    assert (run.path / "command.txt").read_text() == "toolkit ecg 'a b'\n"
    assert (opened.status["state"], opened.status["step"]) == ("created", 0)
    assert opened.status["pid"] == os.getpid()
    assert opened.environment["packages"]["torch"]
    assert (opened.metrics, opened.result) == ([], None)
    assert {path.name for path in run.path.parent.iterdir()} == {run.name}


def test_two_runs_in_the_same_instant(tmp_path, monkeypatch):
    class Stopped(runs.datetime):
        @classmethod
        def now(cls, tz=None):
            return cls(2026, 1, 2, 3, 4, 5, 6, tzinfo=tz)

    monkeypatch.setattr(runs, "datetime", Stopped)
    made = {make(tmp_path).path for _ in range(5)}
    assert len(made) == 5 and len(find_all(tmp_path)) == 5


def test_a_run_directory_is_never_taken_over(tmp_path):
    path = tmp_path / "mine"
    Run.create(tmp_path, "ecg", "train", RunConfig(seed=1), path=path)
    with pytest.raises(RunError, match="exists") as caught:
        Run.create(tmp_path, "ecg", "train", RunConfig(seed=2), path=path)
    assert f"toolkit runs resume {path}" in caught.value.hint
    assert Run.open(path).config(RunConfig).seed == 1


@pytest.mark.parametrize("name", ["command.txt", "config.toml", "status.json", "env.json"])
def test_a_run_killed_while_it_is_made_leaves_the_place_free(name, tmp_path, monkeypatch):
    real = runs.write_atomic

    def die(path, content):
        if path.name == name:
            raise KeyboardInterrupt
        real(path, content)

    path = tmp_path / "mine"
    with monkeypatch.context() as patch:
        patch.setattr(runs, "write_atomic", die)
        patch.setattr(runs, "write_json", lambda path, value: die(path, json.dumps(value)))
        patch.setattr(runs.shutil, "rmtree", lambda *_, **__: None)  # a kill cleans nothing
        with pytest.raises(KeyboardInterrupt):
            Run.create(tmp_path, "ecg", "train", RunConfig(), path=path)
    assert not path.exists() and find_all(tmp_path) == []
    assert Run.create(tmp_path, "ecg", "train", RunConfig(), path=path).path == path


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot write") as caught:
        make(tmp_path / "file")
    assert "MiB free" in caught.value.where and caught.value.exit_code == 4


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"state": "running"}', None])
def test_a_damaged_status_is_said(content, tmp_path):
    run = make(tmp_path)
    (run.path / "status.json").unlink()
    if content is not None:
        (run.path / "status.json").write_text(content)
    with pytest.raises(RunError, match=r"status\.json"):
        _ = run.status
    run.set_status("running", 3)
    assert run.status["step"] == 3


def test_no_run_directory(tmp_path):
    with pytest.raises(RunError, match="not a run directory"):
        Run.open(tmp_path)


def test_settings_that_no_longer_fit(tmp_path):
    run = make(tmp_path)
    settings = run.path / "config.toml"
    settings.write_text("sede = 1\n" + settings.read_text())
    with pytest.raises(RunError, match="sede") as caught:
        run.config(RunConfig)
    assert caught.value.exit_code == RunError.exit_code != ConfigError.exit_code


def test_changed_data_are_refused(tmp_path):
    run = make(tmp_path)
    run.record_data({"hash": "a", "sizes": (1, 2)})
    run.record_data({"hash": "a", "sizes": (1, 2)})
    with pytest.raises(RunError, match=r"data changed.*: hash\n"):
        run.record_data({"hash": "b", "sizes": (1, 2)})


def test_metrics_survive_a_cut_last_line(tmp_path):
    run = make(tmp_path)
    for step in (1, 2, 3):
        run.log_metrics({"step": step, "loss": 1 / 3})
    path = run.path / "metrics.jsonl"
    whole = path.read_bytes()
    for cut in (1, 5, len(whole) // 3 - 1):
        path.write_bytes(whole[:-cut])
        expected = [1, 2, 3] if cut == 1 else [1, 2]  # only the newline is missing
        assert [line["step"] for line in run.metrics] == expected
    path.write_bytes(whole[:-5] + b"\xff\x00\n[1]\n" + b'{"step": "x"}\n')
    assert [line["step"] for line in run.metrics] == [1, 2]
    run.truncate_metrics(1)
    run.log_metrics({"step": 2, "loss": 0.5})
    assert run.metrics == [{"step": 1, "loss": 1 / 3}, {"step": 2, "loss": 0.5}]


def test_what_is_not_finite_is_null_in_every_file(tmp_path):
    def strict(text):
        return json.loads(text, parse_constant=pytest.fail)

    run, nan = make(tmp_path), math.nan
    run.log_metrics({"step": 1, "score": nan, "loss": 0.5})
    run.truncate_metrics(1)
    line = {"step": 1, "score": None, "loss": 0.5}
    assert strict((run.path / "metrics.jsonl").read_text()) == line
    run.write_result({"rows": [{"low": -math.inf}, (1, nan)], "n": 3})
    kept = {"rows": [{"low": None}, [1, None]], "n": 3}
    assert strict((run.path / "result.json").read_text()) == kept


def hold(path, pipe):
    with Run(path).locked():
        pipe.send("held")
        pipe.recv()  # until killed


def test_a_lock_is_refused_while_its_owner_lives_and_taken_over_after(tmp_path):
    run = make(tmp_path)
    ours, theirs = multiprocessing.Pipe()
    owner = processes().Process(target=hold, args=(run.path, theirs))
    owner.start()
    assert ours.recv() == "held"
    with pytest.raises(RunError, match=f"in use by process {owner.pid}"), run.locked():
        pass
    os.kill(owner.pid, signal.SIGKILL)
    owner.join()
    owner.close()
    with run.locked():
        assert (run.path / "lock").read_text() == str(os.getpid())
    with run.locked():  # released, and taken again
        pass
    ours.close()
    theirs.close()


def test_what_goes_wrong_under_the_lock_is_not_blamed_on_it(tmp_path):
    run = make(tmp_path)
    with pytest.raises(FileNotFoundError, match="a record"), run.locked():
        raise FileNotFoundError("a record")


def test_a_lock_that_cannot_be_made(tmp_path):
    run = make(tmp_path)
    (run.path / "lock").mkdir()
    with pytest.raises(RunError, match="cannot write"), run.locked():
        pass


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_only_warns(number, tmp_path, monkeypatch, caplog):
    def lacking(*_):
        raise OSError(number, os.strerror(number))

    run = make(tmp_path)
    monkeypatch.setattr(runs.fcntl, "flock", lacking)
    with run.locked():
        assert (run.path / "lock").read_text() == str(os.getpid())
    assert f"start nothing else on {run.path}" in caplog.text
