"""Stretches that cannot be read, and the sums of intervals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.ecg.prediction import quality

FS = 100.0
sets = st.lists(st.tuples(st.integers(0, 60), st.integers(1, 9)), max_size=6)


def intervals(pairs):
    found = np.array([(a, a + n) for a, n in pairs], np.int64).reshape(-1, 2)
    return quality.union(found)


def covered(spans):
    return {i for a, b in spans.tolist() for i in range(a, b)}


@given(sets, sets)
def test_union_and_common_are_those_of_sets(a, b):
    a, b = intervals(a), intervals(b)
    assert covered(quality.union(a, b)) == covered(a) | covered(b)
    assert covered(quality.common(a, b)) == covered(a) & covered(b)
    assert quality.length(quality.union(a, b)) == len(covered(a) | covered(b))


@given(sets, sets)
def test_touched_says_which_spans_share_a_sample(a, b):
    spans, others = intervals(a), intervals(b)
    expected = [bool(covered(span[None]) & covered(others)) for span in spans]
    assert quality.touched(spans, others).tolist() == expected


@pytest.fixture
def signal():
    return np.random.default_rng(0).integers(-300, 300, 3000).astype(np.int16)


def test_a_clean_signal_is_readable(signal):
    assert not len(quality.unreadable(signal, FS, 100.0).all)


def test_each_cause_is_told_apart(signal):
    signal[500:700] = -32768
    signal[1000:1150] = 17
    signal[2000:2050] = 2000  # beyond all else, for half a second
    found = quality.unreadable(signal, FS, 100.0)
    assert found.missing.tolist() == [[500, 700]]
    assert found.flat.tolist() == [[1000, 1150]]
    assert found.saturated.tolist() == [[2000, 2050]]
    assert quality.length(found.all) == 400


def test_a_clipped_peak_and_a_quiet_half_second_are_no_faults(signal):
    signal[500:505] = 2000
    signal[1000:1050] = 3
    assert not len(quality.unreadable(signal, FS, 100.0).all)


def test_a_missing_sample_or_two_are_bridged(signal):
    signal[500:502] = -32768
    assert not len(quality.unreadable(signal, FS, 100.0).all)


def test_runs_across_blocks_are_whole(signal, monkeypatch):
    signal[900:1400] = 5
    signal[2000:2200] = -32768
    monkeypatch.setattr(quality, "_BLOCK", 256)
    found = quality.unreadable(signal, FS, 100.0)
    assert found.flat.tolist() == [[900, 1400]]
    assert found.missing.tolist() == [[2000, 2200]]
