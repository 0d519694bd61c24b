"""What trainings of the tiny tasks are compared with."""

from __future__ import annotations

import pytest
import torch
from tiny_tasks import new_run, outcome, run_in_child


@pytest.fixture(scope="module")
def one_thread():
    """As in the child processes: sums depend on how they are split."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """What each task gives when nothing disturbs it."""
    known = {}

    def of(name):
        if name not in known:
            path = new_run(tmp_path_factory.mktemp(name), name)
            assert run_in_child(path, name) == 0
            known[name] = outcome(path)
        return known[name]

    return of
