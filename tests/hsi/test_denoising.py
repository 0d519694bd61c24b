from __future__ import annotations

import numpy as np
import pytest

from toolkit.core.errors import ConfigError
from toolkit.hsi import synthetic
from toolkit.hsi.denoising import denoised
from toolkit.hsi.standardisation import filled


def test_noise_goes_and_the_scene_stays():
    clean = synthetic.scene(24, 20, 30, 3, seed=0, noise=0.0).cube
    noisy = clean + np.random.default_rng(0).normal(0, 0.05, clean.shape)
    found = denoised(noisy, (12, 12, 6))
    assert found.shape == clean.shape and found.dtype == np.float32
    assert np.abs(found - clean).mean() < 0.7 * np.abs(noisy - clean).mean()


def test_all_components_change_nothing():
    cube = np.random.default_rng(1).uniform(0, 9000, (6, 5, 4)).astype(">u2")
    assert denoised(cube, (6, 5, 4)) == pytest.approx(cube.astype(float), rel=1e-3, abs=1)


@pytest.mark.parametrize("ranks", [(0, 1, 1), (7, 5, 4), (6, 5, 40)])
def test_a_rank_out_of_range_is_named(ranks):
    with pytest.raises(ConfigError, match="6 x 5 x 4"):
        denoised(np.ones((6, 5, 4)), ranks)


def test_pixels_without_data_count_for_nothing():
    cube = np.random.default_rng(0).normal(50, 3, (12, 10, 6)) * np.arange(1, 7)
    valid = np.ones((12, 10), bool)
    valid[:5] = False
    cube = filled(cube, valid)
    found = denoised(cube, (7, 10, 6), valid)  # as many components as the rows that hold data
    assert found[valid] == pytest.approx(cube[valid], rel=1e-4)
    assert found[~valid] == pytest.approx(cube[~valid], rel=1e-4)


@pytest.mark.parametrize("value", [0.0, 0.3, 3000.0])
def test_a_dead_band_stays_dead(value):
    cube = np.random.default_rng(0).normal(50, 3, (20, 20, 12)).astype(np.float32)
    cube[:, :, 7] = value
    found = denoised(cube, (5, 5, 4))
    assert (found[:, :, 7] == np.float32(value)).all()
