"""Pairs of beats: ties, doubles and misses, each derived by hand from the rule."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.ecg.ec57.labels import match_window
from toolkit.ecg.ec57.matching import match

BEATS = st.lists(st.integers(0, 2000), max_size=30).map(sorted)


def pairs(reference: list[int], test: list[int], window: int = 54) -> list[tuple[int, int]]:
    found = match(np.array(reference, np.int64), np.array(test, np.int64), window)
    return [(int(i), int(j)) for i, j in found]


@pytest.mark.parametrize(
    ("reference", "test", "expected"),
    [
        ([], [], []),
        ([100], [], [(0, -1)]),
        ([], [100], [(-1, 0)]),
        # The window is closed: 54 samples apart is a pair, 55 is a false beat and a missed one.
        ([100], [154], [(0, 0)]),
        ([154], [100], [(0, 0)]),
        ([100], [155], [(0, -1), (-1, 0)]),
        ([155], [100], [(-1, 0), (0, -1)]),
        # Two detections of one beat: 10 before against 8 after. The later is nearer and takes it.
        ([100], [90, 108], [(-1, 0), (0, 1)]),
        # 8 before against 10 after: the earlier is nearer; the other is left over.
        ([100], [92, 110], [(0, 0), (-1, 1)]),
        # 10 before against 10 after: not nearer than its rival, so the earlier one is let go.
        ([100], [90, 110], [(-1, 0), (0, 1)]),
        # The same three with the annotators exchanged.
        ([90, 108], [100], [(0, -1), (1, 0)]),
        ([92, 110], [100], [(0, 0), (1, -1)]),
        ([90, 110], [100], [(0, -1), (1, 0)]),
        # Test 90 ties with 110 for reference 100 (and 110 is as near as 90), but 110 lies on the
        # next reference beat, 112, by 2 < 10: it is not really a rival, and both pairs are kept.
        ([100, 112], [90, 110], [(0, 0), (1, 1)]),
        # Reference 100 is 20 from test 120, which is nearer to reference 130 (10), and the next
        # test beat, 300, is no better for 130: 100 is missed, 130 has the beat.
        ([100, 130], [120, 300], [(0, -1), (1, 0), (-1, 1)]),
        # As before, but the next test beat, 135, is nearer to 130 (5) than 120 is (10).
        ([100, 130], [120, 135], [(0, 0), (1, 1)]),
        # A test beat on the reference beat is a pair whatever follows.
        ([100, 101], [100], [(0, 0), (1, -1)]),
        # Two reference beats at one sample: the first has no advantage over the second (0 < 0 is
        # false), and is let go.
        ([100, 100], [100], [(0, -1), (1, 0)]),
    ],
)
def test_pairs_follow_the_rule(
    reference: list[int], test: list[int], expected: list[tuple[int, int]]
) -> None:
    assert pairs(reference, test) == expected


def test_the_window_is_150_ms_to_the_nearest_sample() -> None:
    # 54 exactly; 37.5, to 38; 19.2, to 19; 75 exactly
    assert [match_window(fs_hz) for fs_hz in (360, 250, 128, 500)] == [54, 38, 19, 75]


@given(BEATS, BEATS, st.integers(0, 100))
def test_every_beat_is_used_once_and_in_order(
    reference: list[int], test: list[int], window: int
) -> None:
    found = match(np.array(reference, np.int64), np.array(test, np.int64), window)
    i, j = found.T
    assert i[i >= 0].tolist() == list(range(len(reference)))
    assert j[j >= 0].tolist() == list(range(len(test)))
    both = found[(found >= 0).all(axis=1)]
    assert all(abs(reference[a] - test[b]) <= window for a, b in both)


@given(BEATS.map(lambda found: sorted(set(found))))
def test_beats_match_themselves(beats: list[int]) -> None:
    assert pairs(beats, beats) == [(k, k) for k in range(len(beats))]


@given(
    st.lists(st.integers(120, 400), min_size=1, max_size=30),
    st.lists(st.integers(-50, 50), min_size=30, max_size=30),
)
def test_small_shifts_of_well_separated_beats_lose_none(gaps: list[int], jitter: list[int]) -> None:
    """Beats at least 120 apart and shifted by at most 50 keep their order; none is lost unless a
    neighbour's counterpart is nearer, which 120 − 50 > 50 rules out."""
    reference = (1000 + np.cumsum(gaps)).astype(np.int64)
    test = reference + np.array(jitter[: len(gaps)], np.int64)
    assert (match(reference, test, 54) >= 0).all()


@given(BEATS, BEATS)
def test_exchanging_the_annotators_exchanges_misses_and_false_beats(
    reference: list[int], test: list[int]
) -> None:
    """The rule treats both alike but for coincident beats, which it takes to be the reference's."""
    reference = sorted(set(reference) - set(test))
    test = sorted(set(test))
    there = pairs(reference, test)
    assert [(i, j) for j, i in pairs(test, reference)] == there
