from __future__ import annotations

import numpy as np
import pytest

from toolkit.hsi.augmentation import augment, turned
from toolkit.hsi.config import AugmentationConfig
from toolkit.hsi.standardisation import Statistics

BANDS = 12
STATISTICS = Statistics(
    np.arange(BANDS, dtype=np.float32), np.linspace(1, 3, BANDS, dtype=np.float32)
)


def windows(n=200):
    return np.full((n, 3, 3, BANDS), 100.0, np.float32)


def augmented(**settings):
    config = AugmentationConfig(**settings)
    return augment(windows(), STATISTICS, config, np.random.default_rng(0))


def test_no_setting_changes_nothing():
    assert np.array_equal(augmented(), windows())


def test_noise_is_in_each_bands_own_deviations():
    noise = (augmented(noise=0.5) - windows()).std((0, 1, 2))
    assert noise == pytest.approx(0.5 * STATISTICS.deviation, rel=0.1)


def test_gain_is_one_factor_for_a_window():
    changed = augmented(gain=0.2)
    factors = changed / windows()
    assert np.ptp(factors, axis=(1, 2, 3)).max() == pytest.approx(0, abs=1e-6)
    assert 0.8 <= factors.min() < 0.85 and 1.15 < factors.max() <= 1.2


def test_dropped_bands_are_neighbours_at_their_mean_and_no_more_than_asked():
    changed = augmented(band_dropout=0.5)
    hidden_BC = (changed == STATISTICS.mean).all((1, 2))
    assert np.array_equal(changed[~hidden_BC.any(1)], windows()[~hidden_BC.any(1)])
    assert hidden_BC.sum(1).max() == 6
    steps = np.abs(np.diff(np.pad(hidden_BC, [(0, 0), (1, 1)]).astype(int), axis=1)).sum(1)
    assert set(steps) <= {0, 2}


def test_one_setting_does_not_change_the_draws_of_another():
    both = augmented(gain=0.2, band_dropout=0.5)
    gained = augmented(gain=0.2)
    untouched = both != STATISTICS.mean
    assert np.array_equal(both[untouched], gained[untouched])


def test_turning_gives_all_eight_orientations_of_a_window():
    window = np.arange(9, dtype=np.float32).reshape(1, 3, 3, 1)
    many = turned(np.repeat(window, 200, axis=0), np.random.default_rng(0))
    seen = {tuple(one.ravel()) for one in many}
    expected = set()
    for quarter in range(4):
        spun = np.rot90(window[0, :, :, 0], quarter)
        expected |= {tuple(spun.ravel()), tuple(spun[:, ::-1].ravel())}
    assert seen == expected
