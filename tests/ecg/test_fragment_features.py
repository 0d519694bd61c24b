"""Beats and rhythm of fragments in numbers, and what boosting makes of them."""

from __future__ import annotations

import numpy as np

from toolkit.ecg.baseline import fragment_boosting
from toolkit.ecg.fragment_features import fragment_features

FS_HZ, WIDTH = 360.0, 3600


def fragment(rr_s: float, width_s: float = 0.02) -> np.ndarray:
    """Ten seconds of one wave in every ``rr_s``, a little noise on it."""
    t = np.arange(WIDTH) / FS_HZ % rr_s - 0.3
    noise = np.random.default_rng(int(1000 * rr_s)).normal(0, 0.01, WIDTH)
    return (np.exp(-((t / width_s) ** 2)) + noise).astype(np.float32)


def test_rhythm_and_shape_are_those_of_the_fragment() -> None:
    slow, fast, wide = fragment_features(
        np.stack([fragment(1.0), fragment(0.5), fragment(1.0, 0.05)]), FS_HZ
    )
    assert [round(float(one[0]), 2) for one in (slow, fast, wide)] == [1.0, 2.0, 1.0]
    np.testing.assert_allclose(slow[3:10], 1.0, atol=0.01)  # quantiles of RR
    assert slow[1] < 0.01  # and how they spread
    half = -9 - 2 * 7 + 3  # median of the widths: quantiles of likeness and the spectrum follow
    assert wide[half] > 1.5 * slow[half]


def test_a_flat_fragment_has_no_beats_and_still_features() -> None:
    flat, beating = fragment_features(np.stack([np.zeros(WIDTH, np.float32), fragment(0.8)]), FS_HZ)
    assert np.isnan(flat[0]) and np.isfinite(flat[-9:]).all()
    assert np.isfinite(beating).all()


def test_boosting_tells_rates_apart() -> None:
    rates = np.linspace(0.5, 1.2, 60)
    signals, label = np.stack([fragment(rr) for rr in rates]), (rates > 0.85).astype(np.int64)
    test = slice(1, None, 2), slice(0, None, 2)
    parts = [(signals[at], label[at]) for at in test]
    scores = fragment_boosting(parts[0], np.ones(len(parts[0][1])), parts[1], FS_HZ, seed=0)
    assert scores.keys() == {"accuracy", "balanced_accuracy", "macro_f1"}
    assert scores["accuracy"] > 0.9
