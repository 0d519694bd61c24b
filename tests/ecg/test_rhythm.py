"""Rhythm features: the same for a slow and a fast heart, and blind to labels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.ecg.rhythm import FEATURES, intervals, rhythm_features

SEEDS = st.integers(0, 2**32)


def draw(seed: int, n: int = 150) -> np.ndarray:
    """Intervals around 0.8 s with early beats and pauses."""
    rng = np.random.default_rng(seed)
    rr_s = 0.8 * rng.lognormal(0, 0.05, n)
    early = rng.choice(n - 1, n // 10, replace=False)
    rr_s[early] *= 0.7
    rr_s[early + 1] *= 1.2
    return rr_s


@given(SEEDS, st.floats(0.6, 2.0))
def test_a_constant_factor_changes_nothing(seed: int, factor: float) -> None:
    rr_s = draw(seed)
    before, after = rhythm_features(rr_s), rhythm_features(rr_s * factor)
    np.testing.assert_allclose(after, before, atol=1e-4)


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=200))
def test_any_intervals_give_finite_features(rr_s: list[float]) -> None:
    features = rhythm_features(np.array(rr_s))
    assert features.shape == (len(rr_s), FEATURES)
    assert features.dtype == np.float32
    assert np.isfinite(features).all()


def test_a_steady_rhythm_has_no_outstanding_beat() -> None:
    features = rhythm_features(np.full(200, 0.8))
    np.testing.assert_allclose(features, np.broadcast_to(features[:1], features.shape), atol=1e-5)


def test_an_early_beat_stands_out() -> None:
    rr_s = np.full(100, 0.8)
    rr_s[50] = 0.5
    features = rhythm_features(rr_s)
    distance = np.abs(features - np.median(features, axis=0)).sum(axis=1)
    assert distance.argmax() == 50


def test_nothing_beyond_the_record_is_needed() -> None:
    """A record's features come from its own intervals alone, wherever it begins."""
    times = np.cumsum(draw(3))
    np.testing.assert_allclose(
        rhythm_features(intervals(times)), rhythm_features(intervals(times + 1000)), atol=1e-4
    )


def test_the_first_interval_is_its_successors() -> None:
    np.testing.assert_allclose(intervals(np.array([3.0, 4.0, 6.0])), [1, 1, 2])
    assert intervals(np.array([])).shape == (0,)
    assert intervals(np.array([5.0])).shape == (1,)


@pytest.mark.parametrize("n", [1, 2, 3, 120, 121, 122])
def test_short_records(n: int) -> None:
    assert np.isfinite(rhythm_features(draw(0, 150)[:n])).all()
