from __future__ import annotations

import numpy as np
import pytest

from toolkit.hsi import standardisation
from toolkit.hsi.standardisation import filled, statistics


@pytest.mark.parametrize("dtype", ["<u2", ">i2", "<f4", ">f8"])
def test_mean_and_deviation_are_numpys(dtype, monkeypatch):
    monkeypatch.setattr(standardisation, "_VALUES", 50)  # several groups of rows
    cube = np.random.default_rng(0).uniform(0, 9000, (13, 7, 5)).astype(dtype)
    found = statistics(cube)
    assert found.mean == pytest.approx(cube.astype(float).mean((0, 1)), rel=1e-6)
    assert found.deviation == pytest.approx(cube.astype(float).std((0, 1)), rel=1e-6)


def test_only_the_area_counts(monkeypatch):
    monkeypatch.setattr(standardisation, "_VALUES", 20)
    cube = np.random.default_rng(1).normal(size=(9, 4, 3))
    area = np.random.default_rng(2).random((9, 4)) < 0.3
    area[4] = False
    cube[~area] = np.nan
    found = statistics(cube, area)
    assert found.mean == pytest.approx(cube[area].mean(0), rel=1e-5)
    assert found.deviation == pytest.approx(cube[area].std(0), rel=1e-5)


def test_a_large_offset_does_not_drown_the_deviation():
    cube = 1e6 + np.random.default_rng(3).normal(size=(50, 20, 2))
    assert statistics(cube).deviation == pytest.approx([1.0, 1.0], rel=0.1)


@pytest.mark.parametrize("value", [0.0, 0.1, -7.0, 3000.0])
def test_a_dead_band_stays_nothing_whatever_becomes_of_its_offset(value):
    cube = np.full((37, 41, 2), value)
    cube[..., 1] = np.arange(37 * 41).reshape(37, 41)
    found = statistics(cube)
    for offset in (0.9 * value, value + 500):
        assert abs((np.float32(offset) - found.mean[0]) / found.deviation[0]) < 1e-3
    assert found.deviation[1] == pytest.approx(np.arange(37 * 41).std())


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_outside_of_an_area_there_is_its_mean_spectrum(dtype):
    cube = np.random.default_rng(0).integers(0, 999, (5, 6, 3)).astype(dtype)
    area = np.random.default_rng(1).random((5, 6)) < 0.5
    found = filled(cube, area)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found[area], cube[area])
    expected = np.broadcast_to(cube[area].mean(0), found[~area].shape)
    np.testing.assert_allclose(found[~area], expected, atol=0.5 if dtype == np.uint16 else 1e-3)
