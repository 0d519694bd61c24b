"""Killed while saving, at every point and at random instants: what was acknowledged is there."""

import os
import signal
import time
from collections import Counter

import numpy as np
import pytest
from crashes import crash_everywhere, processes, save_forever, whole

from toolkit.core import checkpoint


@pytest.mark.parametrize("again", [False, True], ids=["a new step", "a step saved again"])
def test_death_at_every_point_of_a_save(again, tmp_path):
    context = processes()
    ours, theirs = context.Pipe()
    child = context.Process(target=crash_everywhere, args=(tmp_path, again, theirs))
    child.start()
    theirs.close()
    problems, points = ours.recv()
    child.join()
    ours.close()
    assert problems == []
    counted = Counter(points)
    assert counted["mid-file"] >= 3  # weights, state, manifest
    assert counted["before fsync"] == counted["after fsync"] >= 5
    assert counted["before rename"] == counted["after rename"] == 2  # commit; prune or replace
    assert counted["before hardlink_to"] >= 1 and counted["before unlink"] >= 1


def kill_at_random(folder, times):
    context, draw = processes(), np.random.default_rng(7)
    acknowledged = 0
    for _ in range(times):
        ours, theirs = context.Pipe(duplex=False)
        child = context.Process(target=save_forever, args=(folder, theirs))
        child.start()
        theirs.close()
        acknowledged = ours.recv()
        time.sleep(draw.uniform(0, 0.1))
        os.kill(child.pid, signal.SIGKILL)
        child.join()
        child.close()
        while True:  # what it said before it died
            try:
                acknowledged = ours.recv()
            except EOFError:
                break
        ours.close()
        step, state = checkpoint.load_newest(folder)
        assert step >= acknowledged and whole(step, state)
    assert acknowledged >= 10 * times


def test_kills_at_random_instants(tmp_path):
    kill_at_random(tmp_path, 10)


@pytest.mark.slow
def test_two_hundred_kills_at_random_instants(tmp_path):
    kill_at_random(tmp_path, 200)
