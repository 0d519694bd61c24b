from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from toolkit.hsi.reading import tile, windows

CUBE = np.arange(7 * 5 * 3, dtype=np.uint16).reshape(7, 5, 3)


def padded(cube: NDArray, margin: int) -> NDArray:
    return np.pad(cube, [(margin, margin), (margin, margin), (0, 0)], "reflect")


def every_pixel(cube: NDArray) -> tuple[NDArray, NDArray]:
    rows, columns = np.indices(cube.shape[:2])
    return rows.ravel(), columns.ravel()


@pytest.mark.parametrize("shape", [(7, 5, 3), (2, 3, 4), (1, 4, 2), (1, 1, 1)])
@pytest.mark.parametrize("side", [1, 3, 9])
def test_windows_are_those_of_a_scene_padded_by_reflection(
    shape: tuple[int, int, int], side: int
) -> None:
    cube = np.random.default_rng(0).integers(-99, 99, shape)
    rows, columns = every_pixel(cube)
    whole = padded(cube, side // 2)
    expected = [whole[r : r + side, c : c + side] for r, c in zip(rows, columns)]
    found = windows(cube, rows, columns, side)
    assert found.dtype == np.float32
    assert found.flags.c_contiguous
    np.testing.assert_array_equal(found, np.stack(expected))


def test_a_tile_is_a_cut_of_the_padded_scene() -> None:
    whole = padded(CUBE, 4).astype(np.float32)
    for top, left, height, width in [(0, 0, 7, 5), (2, 1, 3, 2), (6, 4, 1, 1), (0, 3, 2, 2)]:
        found = tile(CUBE, top, left, height, width, 4)
        np.testing.assert_array_equal(found, whole[top : top + height + 8, left : left + width + 8])


def test_tiles_and_windows_agree_bit_for_bit() -> None:
    cube = np.random.default_rng(1).normal(size=(6, 8, 2))
    rows, columns = every_pixel(cube)
    tiles = [tile(cube, r, c, 1, 1, 3) for r, c in zip(rows, columns)]
    np.testing.assert_array_equal(windows(cube, rows, columns, 7), np.stack(tiles))


def test_centres_outside_the_scene_are_mirrored() -> None:
    outside = windows(CUBE, [-2, 8], [-1, 6], 1)
    np.testing.assert_array_equal(outside[:, 0, 0], CUBE[[2, 4], [1, 2]])


@pytest.mark.parametrize("dtype", [">i2", "<u2", ">f4", "<f8", "u1"])
def test_any_byte_order_type_and_interleave_gives_the_same_floats(
    dtype: str, tmp_path: Path
) -> None:
    path = tmp_path / "cube.bsq"
    path.write_bytes(CUBE.transpose(2, 0, 1).astype(dtype).tobytes())
    mapped = np.memmap(path, dtype, "r", shape=(3, 7, 5)).transpose(1, 2, 0)
    rows, columns = every_pixel(CUBE)
    np.testing.assert_array_equal(
        windows(mapped, rows, columns, 5), windows(CUBE, rows, columns, 5)
    )
    np.testing.assert_array_equal(tile(mapped, 2, 1, 4, 3, 2), tile(CUBE, 2, 1, 4, 3, 2))
    assert tile(mapped, 2, 2, 1, 1, 0).flags.c_contiguous


def test_no_pixel_gives_no_window() -> None:
    assert windows(CUBE, np.empty(0, int), np.empty(0, int), 3).shape == (0, 3, 3, 3)
