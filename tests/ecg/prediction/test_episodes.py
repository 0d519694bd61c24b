"""Episodes by hand."""

from __future__ import annotations

import numpy as np
import pytest

from toolkit.ecg.beats import CLASSES
from toolkit.ecg.prediction.episodes import find


def episodes(classes, rr_s=0.8, unknown=()):
    """Of a string of classes with one interval, or one for each beat."""
    rr = np.broadcast_to(np.asarray(rr_s, float), (len(classes),)).copy()
    time_s = np.cumsum(rr)
    rr[[0, *unknown]] = np.nan
    return find(time_s, np.array([CLASSES.index(c) for c in classes]), rr)


def kinds(found):
    return [(e.kind, e.first, e.last, e.beats) for e in found]


def test_a_normal_rhythm_has_none():
    assert episodes("N" * 50) == []


def test_runs_and_couplets():
    found = episodes("NNNVVNNNVVVNNNNSSSSNN")
    assert kinds(found) == [
        ("ventricular couplet", 3, 4, 2),
        ("ventricular run", 8, 10, 3),
        ("supraventricular run", 15, 18, 4),
    ]
    assert found[1].rate_bpm == pytest.approx(75)
    assert found[1].note == "idioventricular rhythm"


def test_a_fast_ventricular_run_is_tachycardia_and_may_be_sustained():
    rr = np.where(np.array(list("NNNN" + "V" * 6 + "NNNN")) == "V", 0.4, 1.0)
    (run,) = (e for e in episodes("NNNN" + "V" * 6 + "NNNN", rr) if e.kind == "ventricular run")
    assert run.rate_bpm == pytest.approx(150)
    assert run.note == "ventricular tachycardia"
    (long,) = (e for e in episodes("NN" + "V" * 90 + "NN", 0.4) if e.kind == "ventricular run")
    assert long.note == "ventricular tachycardia, sustained"


def test_bigeminy_and_trigeminy_need_three_cycles():
    assert kinds(episodes("NNNVNVNNN")) == []
    assert kinds(episodes("NNNVNVNVNNN")) == [("ventricular bigeminy", 2, 7, 3)]
    assert kinds(episodes("NNNVNNVNNVNNN")) == [("ventricular trigeminy", 1, 9, 3)]


def test_a_pause_has_its_length_and_no_rate():
    rr = np.full(12, 0.8)
    rr[6] = 2.5
    (pause,) = episodes("N" * 12, rr)
    assert (pause.kind, pause.first, pause.last) == ("pause", 5, 6)
    assert pause.rate_bpm is None
    assert pause.longest_rr_s == pytest.approx(2.5)


def test_slow_and_fast_rhythm():
    rr = np.concatenate([np.full(20, 0.8), np.full(20, 1.5), np.full(20, 0.8), np.full(20, 0.5)])
    slow, fast = episodes("N" * 80, rr)
    assert slow.kind == "bradycardia" and fast.kind == "tachycardia"
    assert slow.first <= 20 and slow.last >= 38
    assert fast.last == 79
    assert "lowest 40 bpm" in slow.note and "highest 120 bpm" in fast.note


def test_no_episode_reaches_over_an_unknown_interval():
    assert kinds(episodes("NNNVVNNN", unknown=[4])) == []
    assert kinds(episodes("NNNVNVNVNNN", unknown=[5])) == []
    rr = np.full(12, 0.8)
    rr[6] = 2.5
    assert episodes("N" * 12, rr, unknown=[6]) == []


def test_the_worst_is_the_fastest_and_longest():
    found = episodes("NNVVVNNVVVVVNN")
    assert max(found, key=lambda e: e.severity).beats == 5


def test_fast_stretches_that_share_beats_are_one_episode():
    def fast(slower_beats, rr_s):
        rr = np.concatenate([np.full(20, 0.59), np.full(slower_beats, rr_s), np.full(20, 0.59)])
        return [e.beats for e in episodes("N" * len(rr), rr) if e.kind == "tachycardia"]

    assert fast(3, 0.62) == [43]
    assert len(fast(1, 1.5)) == 2  # the beats on either side of a long interval are no one's
