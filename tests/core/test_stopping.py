"""Signals to a training: it saves, leaves soon, and goes on as if nothing had been."""

from __future__ import annotations

import contextlib
import os
import signal
import time

import pytest
from tiny_tasks import equal, fit, new_run, outcome

from toolkit.core import checkpoint, files, stopping
from toolkit.core.errors import CancelledRunError, InterruptedRunError
from toolkit.core.run import Run

pytestmark = pytest.mark.usefixtures("one_thread")


def signalling(*numbers, event="step", at=10):
    def watch(happened, number):
        if (happened, number) == (event, at):
            for one in numbers:
                os.kill(os.getpid(), one)

    return watch


@pytest.mark.parametrize(
    ("number", "kind", "code"),
    [(signal.SIGTERM, InterruptedRunError, 75), (signal.SIGINT, CancelledRunError, 130)],
)
def test_a_signal_saves_and_leaves(number, kind, code, uninterrupted, tmp_path):
    path, handler = new_run(tmp_path, "corridor"), signal.getsignal(number)
    with pytest.raises(kind) as caught:
        fit(path, "corridor", signalling(number))
    run = Run.open(path)
    assert type(caught.value) is kind and caught.value.exit_code == code
    assert str(path) in caught.value.hint
    assert (run.status["state"], run.status["step"]) == ("interrupted", 11)
    assert checkpoint.steps(run.checkpoints)[-1] == 11
    assert signal.getsignal(number) is handler
    fit(path, "corridor")
    assert equal(outcome(path), uninterrupted("corridor"))


@pytest.mark.parametrize(
    ("first", "kind"), [(signal.SIGTERM, InterruptedRunError), (signal.SIGINT, CancelledRunError)]
)
def test_a_second_termination_does_not_keep_it_from_saving(first, kind, tmp_path, monkeypatch):
    """A service manager's and a sweep's come together, the later one perhaps in the save."""
    path, synced = new_run(tmp_path, "corridor"), os.fsync

    def terminate(descriptor):
        os.kill(os.getpid(), signal.SIGTERM)
        synced(descriptor)

    def watch(event, number):
        if (event, number) == ("step", 10):
            os.kill(os.getpid(), first)
            os.kill(os.getpid(), signal.SIGTERM)
            monkeypatch.setattr(files.os, "fsync", terminate)

    with pytest.raises(kind) as caught:
        fit(path, "corridor", watch)
    assert type(caught.value) is kind
    assert checkpoint.load_newest(path / "checkpoints")[0] == 11


@pytest.fixture
def at_a_keyboard():
    """Interrupts are heard, which what a shell started in the background ignores."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("at_a_keyboard")
def test_a_second_interrupt_leaves_at_once(uninterrupted, tmp_path):
    path = new_run(tmp_path, "corridor")
    with pytest.raises(KeyboardInterrupt):
        fit(path, "corridor", signalling(signal.SIGINT, signal.SIGINT))
    assert checkpoint.steps(path / "checkpoints") == [7]
    fit(path, "corridor")
    assert equal(outcome(path), uninterrupted("corridor"))


@pytest.mark.usefixtures("at_a_keyboard")
def test_a_second_interrupt_while_saving_does_no_damage(uninterrupted, tmp_path, monkeypatch):
    path, synced = new_run(tmp_path, "corridor"), os.fsync

    def interrupt(descriptor):
        os.kill(os.getpid(), signal.SIGINT)
        synced(descriptor)

    def watch(event, number):
        if (event, number) == ("step", 10):
            os.kill(os.getpid(), signal.SIGINT)
            monkeypatch.setattr(files.os, "fsync", interrupt)

    with pytest.raises(KeyboardInterrupt):
        fit(path, "corridor", watch)
    monkeypatch.setattr(files.os, "fsync", synced)
    assert checkpoint.load_newest(path / "checkpoints")[0] == 7
    fit(path, "corridor")
    assert equal(outcome(path), uninterrupted("corridor"))


def test_a_signal_in_the_ending_does_not_wait_for_it(uninterrupted, tmp_path):
    path = new_run(tmp_path, "corridor")
    with pytest.raises(InterruptedRunError):
        fit(path, "corridor", signalling(signal.SIGTERM, event="finish", at=0))
    assert Run.open(path).result is None
    assert Run.open(path).status["state"] == "interrupted"
    fit(path, "corridor")
    assert equal(outcome(path), uninterrupted("corridor"))


def test_a_step_that_does_not_end_is_left(uninterrupted, tmp_path, monkeypatch):
    monkeypatch.setattr(stopping, "PATIENCE_S", 0.1)
    path = new_run(tmp_path, "corridor")

    def stay(event, number):
        if (event, number) == ("step", 10):
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(60)

    with pytest.raises(InterruptedRunError, match="after step 7"):
        fit(path, "corridor", stay)
    run = Run.open(path)
    assert (run.status["state"], run.status["step"]) == ("interrupted", 7)
    fit(path, "corridor")
    assert equal(outcome(path), uninterrupted("corridor"))


@pytest.mark.parametrize("event", [("step", 10), ("finish", 0)])
def test_what_fails_as_it_was_broken_off_is_a_stop(event, uninterrupted, tmp_path, monkeypatch):
    """What is raised below a call from C is lost there, as in numba's compiler."""
    monkeypatch.setattr(stopping, "PATIENCE_S", 0.1)
    path = new_run(tmp_path, "corridor")

    def compile_kernel(*now):
        if now == event:
            with contextlib.suppress(InterruptedRunError):
                os.kill(os.getpid(), signal.SIGTERM)
                time.sleep(60)
            raise RuntimeError("no compiled object yet")

    with pytest.raises(InterruptedRunError, match="stopped by a signal"):
        fit(path, "corridor", compile_kernel)
    assert Run.open(path).status["state"] == "interrupted"
    fit(path, "corridor")
    assert equal(outcome(path), uninterrupted("corridor"))
