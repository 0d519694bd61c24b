"""A word while kernels are compiled, none while they are loaded."""

from __future__ import annotations

import logging
import threading

import pytest

from toolkit.vqe import compiling


@pytest.fixture
def said(monkeypatch):
    """Set once something was said."""
    event = threading.Event()
    monkeypatch.setattr(compiling._log, "info", lambda text: event.set())
    return event


def test_what_takes_long_is_said_while_it_lasts(said):
    with compiling.compiling(patience_s=0.0):
        assert said.wait(30)


def test_what_is_quick_is_not_said(said):
    before = threading.active_count()
    with compiling.compiling(patience_s=3600.0):
        assert threading.active_count() == before + 1
    for thread in threading.enumerate():
        if isinstance(thread, threading.Timer):
            thread.join(30)
    assert not said.is_set() and threading.active_count() == before


def test_it_is_said_to_who_listens_to_the_package(caplog):
    seen = threading.Event()
    caplog.handler.addFilter(lambda record: seen.set() or True)
    with caplog.at_level(logging.INFO, "toolkit.vqe"), compiling.compiling(patience_s=0.0):
        assert seen.wait(30)
    assert "compiling kernels" in caplog.messages[0]
