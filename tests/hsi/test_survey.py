"""One pass over a cube finds what plain NumPy finds in the whole."""

from __future__ import annotations

import json

import numpy as np
import pytest

from toolkit.hsi.scene import Georeference, Scene
from toolkit.hsi.survey import (
    bad_bands,
    colour_composite,
    composite_bands,
    info,
    row_blocks,
    survey,
)


@pytest.fixture(autouse=True)
def few_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("toolkit.hsi.survey._BLOCK", 1000)


def spoiled() -> np.ndarray:
    cube = np.random.default_rng(0).normal(size=(13, 7, 6)).astype(np.float32)
    cube[2, 3, 1] = np.nan
    cube[11, 0, 2] = -np.inf
    cube[:, :, 4] = 3.5
    return cube


def test_blocks_are_the_cube() -> None:
    blocks = list(row_blocks(spoiled()))
    assert len(blocks) > 1
    np.testing.assert_array_equal(np.concatenate(blocks), spoiled())


def test_extremes_and_faults_are_those_of_numpy() -> None:
    cube = spoiled()
    found = survey(cube)
    finite = np.where(np.isfinite(cube), cube, np.nan)
    np.testing.assert_array_equal(found.minimum, np.nanmin(finite, (0, 1)))
    np.testing.assert_array_equal(found.maximum, np.nanmax(finite, (0, 1)))
    np.testing.assert_array_equal(found.non_finite, [0, 1, 1, 0, 0, 0])
    assert (found.broken, found.constant, bad_bands(cube)) == ((1, 2), (4,), (1, 2, 4))


def test_a_band_of_nan_alone_is_broken_and_constant() -> None:
    cube = spoiled()
    cube[:, :, 0] = np.nan
    assert 0 in survey(cube).broken and 0 in survey(cube).constant


def test_pixels_without_data_count_for_nothing_else() -> None:
    cube = spoiled()
    plain = survey(cube)
    cube[4, 4], cube[12, 6] = np.nan, -9999
    found = survey(cube, -9999.0)
    assert np.argwhere(found.empty).tolist() == [[4, 4], [12, 6]]
    assert not plain.empty.any()
    np.testing.assert_array_equal(found.non_finite, plain.non_finite)
    assert found.minimum[0] > -9


@pytest.mark.parametrize("dtype", ["u1", "i2", ">u2", "f8"])
def test_every_type_is_surveyed(dtype: str) -> None:
    cube = np.random.default_rng(1).integers(0, 200, (5, 6, 3)).astype(dtype)
    found = survey(cube)
    np.testing.assert_array_equal(found.maximum, cube.max((0, 1)))
    assert found.bad == ()


def test_pixels_without_data_are_counted() -> None:
    cube = np.arange(4 * 5 * 3).reshape(4, 5, 3)
    cube[3, 4] = cube[0, 1] = -99
    cube[2, 2, 1] = -99  # one band alone is a value
    assert np.argwhere(survey(cube, -99).empty).tolist() == [[0, 1], [3, 4]]


def scene(waves: tuple[float, ...] | None) -> Scene:
    cube = np.random.default_rng(2).normal(size=(20, 30, 6)).astype(np.float32)
    return Scene("x", cube, wavelengths_nm=waves)


def test_the_composite_shows_red_green_and_blue_where_it_knows_them() -> None:
    waves = (440.0, 465.0, 545.0, 600.0, 645.0, 900.0)
    assert composite_bands(scene(waves)) == (4, 2, 1)
    assert composite_bands(scene(None)) == (5, 3, 1)
    infrared = (1000.0, 1100.0, 1200.0, 1300.0, 1400.0, 1500.0)
    assert composite_bands(scene(infrared)) == (5, 3, 1)


def test_the_composite_is_stretched_from_the_2nd_to_the_98th_percentile() -> None:
    made = scene(None)
    picture = colour_composite(made)
    assert picture.shape == (20, 30, 3) and picture.dtype == np.uint8
    for channel, band in enumerate((5, 3, 1)):
        low, high = np.percentile(made.cube[:, :, band], (2, 98))
        np.testing.assert_array_equal(picture[:, :, channel] == 0, _below(made, band, low, high))
        assert (picture[:, :, channel][made.cube[:, :, band] >= high] == 255).all()


def _below(made: Scene, band: int, low: float, high: float) -> np.ndarray:
    return (made.cube[:, :, band] - low) * 255 / (high - low) <= 0.5


def test_a_constant_scene_has_a_picture_too() -> None:
    made = Scene("x", np.full((3, 4, 1), 7, np.uint16))
    assert colour_composite(made).max() == 0


def test_info_is_json_with_all_that_matters() -> None:
    labels = np.zeros((13, 7), np.int32)
    labels[0, :3], labels[1, 0] = 1, 2
    where = Georeference((1, 0, 0, 0, -1, 0), "EPSG:32616")
    made = Scene(
        "x", spoiled(), labels, ("a", "b"), (3, 9), (450.0, 440.0, 460.0, 470.0, 480.0, 490.0),
        georeference=where, warnings=("w",), notes=("n",),
    )  # fmt: skip
    shown = json.loads(json.dumps(info(made), allow_nan=False))
    assert (shown["rows"], shown["columns"], shown["bands"]) == (13, 7, 6)
    assert (shown["dtype"], shown["wavelengths_nm"]) == ("float32", [440.0, 490.0])
    assert (shown["labelled_pixels"], shown["bad_bands"]) == (4, [1, 2, 4])
    assert shown["classes"] == [
        {"id": 3, "name": "a", "pixels": 3},
        {"id": 9, "name": "b", "pixels": 1},
    ]
    assert (shown["crs"], shown["notes"], shown["warnings"]) == ("EPSG:32616", ["n"], ["w"])
    assert shown["maximum"] == pytest.approx(np.nanmax(spoiled()))


def test_info_of_a_cube_without_any_value_is_json() -> None:
    shown = info(Scene("x", np.full((2, 2, 2), np.nan)))
    assert (shown["minimum"], shown["maximum"], shown["classes"]) == (None, None, [])
