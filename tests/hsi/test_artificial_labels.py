"""Artificial labels: grids, k-means, and the permuted control."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.core.errors import ConfigError, DataError
from toolkit.hsi.artificial_labels import grid, kmeans, make, permuted, picture

ROWS, COLUMNS = 13, 17


def generator(seed=0):
    return np.random.default_rng(seed)


def striped_cube(rows=30, columns=20, bands=6):
    """Three materials in stripes of ten rows, far apart in every band, with a little noise."""
    material = np.repeat(np.arange(3), rows // 3)[:, None, None]
    noise = generator().normal(0, 0.01, (rows, columns, bands))
    return material * np.arange(1, bands + 1) + noise


@given(
    rows=st.integers(4, 40),
    columns=st.integers(4, 40),
    block=st.integers(1, 4),
    by=st.tuples(st.integers(0, 3), st.integers(0, 3)),
)
def test_a_grid_gives_every_block_its_own_class_in_reading_order(rows, columns, block, by):
    by = by[0] % block, by[1] % block
    labels = grid((rows, columns), block, by)
    corners = {}
    for row in range(rows):
        for column in range(columns):
            corner = (row + by[0]) // block, (column + by[1]) // block
            corners.setdefault(corner, set()).add(int(labels[row, column]))
    assert [corners[corner] for corner in sorted(corners)] == [{k} for k in range(len(corners))]
    assert labels.dtype == np.int32


def test_indian_pines_in_blocks_of_five_has_the_841_classes_of_the_paper_setting():
    labels = grid((145, 145), 5)
    assert labels.max() + 1 == 29 * 29
    assert (np.bincount(labels.ravel()) == 25).all()


def test_cut_blocks_at_the_edges_count():
    assert np.bincount(grid((5, 7), 3).ravel()).tolist() == [9, 9, 3, 6, 6, 2]
    assert np.bincount(grid((4, 4), 3, (1, 2)).ravel()).tolist() == [2, 6, 2, 6]


@pytest.mark.parametrize("block", [0, -1, 14])
def test_a_block_that_does_not_fit_is_named_with_the_scene(block):
    with pytest.raises(ConfigError, match=rf"side {block} on a scene of 13 x 17"):
        grid((ROWS, COLUMNS), block)


@pytest.mark.parametrize("by", [(3, 0), (0, -1)])
def test_a_shift_stays_below_the_block(by):
    with pytest.raises(ConfigError, match="shift"):
        grid((ROWS, COLUMNS), 3, by)


def test_permuted_labels_keep_class_sizes_and_lose_their_places():
    labels = grid((40, 40), 5)
    labels[:5] = -1
    mixed = permuted(labels, generator())
    assert (np.bincount(mixed[5:].ravel()) == np.bincount(labels[5:].ravel())).all()
    assert (mixed[:5] == -1).all()
    assert np.mean(mixed == labels) < 0.2  # the rows without a class, and chance
    neighbours = np.mean(mixed[5:, 1:] == mixed[5:, :-1])
    assert neighbours < 0.1 < np.mean(labels[5:, 1:] == labels[5:, :-1])


def test_kmeans_finds_materials_wherever_they_lie():
    labels = kmeans(striped_cube(), 3, generator())
    stripes = [set(np.unique(labels[first : first + 10]).tolist()) for first in (0, 10, 20)]
    assert sorted(map(tuple, stripes)) == [(0,), (1,), (2,)]


def test_kmeans_looks_at_every_band_alike():
    cube = striped_cube()
    scaled = cube * np.array([1e6, 1, 1, 1, 1, 1e-6])
    assert (kmeans(cube, 3, generator()) == kmeans(scaled, 3, generator())).all()


def test_kmeans_by_blocks_of_rows_equals_the_whole(monkeypatch):
    cube = striped_cube()
    whole = kmeans(cube, 5, generator())
    monkeypatch.setattr("toolkit.hsi.artificial_labels._CHUNK_VALUES", 1)
    assert (kmeans(cube, 5, generator()) == whole).all()


def test_kmeans_drops_empty_clusters_and_survives_dead_bands():
    cube = np.ones((6, 6, 3))
    cube[:3, :, 0] = 2
    labels = kmeans(cube, 4, generator())
    assert set(np.unique(labels).tolist()) == set(range(int(labels.max()) + 1))
    assert not set(labels[:3].ravel().tolist()) & set(labels[3:].ravel().tolist())


def test_kmeans_refuses_more_clusters_than_pixels_and_values_that_are_not_finite():
    with pytest.raises(ConfigError, match="601 clusters of 600 pixels"):
        kmeans(striped_cube(), 601, generator())
    cube = striped_cube()
    cube[29, 3, 2] = np.nan
    with pytest.raises(DataError, match="not finite"):
        kmeans(cube, 3, generator(), sample=100)


def test_several_grids_with_shifts_have_their_own_class_counts():
    made = make("grid", (3, 5), 2, striped_cube(), generator())
    assert made.names == ("grid 3", "grid 3 shifted 1", "grid 5", "grid 5 shifted 2")
    assert made.planes.shape == (4, 30, 20)
    assert made.class_counts == (70, 77, 24, 35)
    assert (made.planes[3] == grid((30, 20), 5, (2, 2))).all()


def test_a_block_has_no_more_shifts_than_its_diagonal():
    made = make("grid", (2,), 7, striped_cube(), generator())
    assert made.names == ("grid 2", "grid 2 shifted 1")


@pytest.mark.parametrize("kind", ["grid", "permuted", "kmeans"])
def test_labels_within_an_area_know_nothing_of_the_rest(kind):
    area = np.zeros((30, 20), bool)
    area[4:26, 3:11] = True
    made = make(kind, (5,), 2, striped_cube(), generator(), area=area)
    spoilt = np.where(area[..., None], striped_cube(), np.nan)
    again = make(kind, (5,), 2, spoilt, generator(), area=area)
    assert (made.planes == again.planes).all()
    for plane, count in zip(made.planes, made.class_counts):
        assert (plane[~area] == -1).all()
        assert set(np.unique(plane[area]).tolist()) == set(range(count))


@pytest.mark.parametrize("kind", ["grid", "permuted", "kmeans"])
def test_the_generator_decides_all(kind):
    first, same, other = (
        make(kind, (4,), 1, striped_cube(), generator(seed)).planes for seed in (3, 3, 4)
    )
    assert (first == same).all()
    assert (first == other).all() == (kind == "grid")


def test_kmeans_makes_as_many_clusters_as_the_grid_has_blocks(monkeypatch):
    cube = generator().normal(size=(30, 20, 4))
    assert make("kmeans", (5,), 1, cube, generator()).class_counts == (24,)
    monkeypatch.setattr("toolkit.hsi.artificial_labels.MOST_CLUSTERS", 7)
    assert make("kmeans", (5,), 1, cube, generator()).class_counts == (7,)


@pytest.mark.parametrize(("blocks", "shifts"), [((), 1), ((5,), 0)])
def test_no_labelling_at_all_is_refused(blocks, shifts):
    with pytest.raises(ConfigError, match="block sides"):
        make("grid", blocks, shifts, striped_cube(), generator())


def test_a_single_class_is_refused():
    with pytest.raises(ConfigError, match="grid 4 gives a single class"):
        make("grid", (2, 4), 1, np.zeros((4, 4, 2)), generator())


@pytest.mark.parametrize("shape", [(145, 145), (610, 340), (128, 128), (170, 267)])
@pytest.mark.parametrize("block", [3, 5, 9, 16])
def test_neighbouring_blocks_are_told_apart_by_colour(shape, block):
    labels = grid(shape, block)
    colours = picture(labels).astype(int)
    for axis in (0, 1):
        border = np.diff(labels, axis=axis) != 0
        step = np.abs(np.diff(colours, axis=axis)).max(axis=-1)
        assert step[border].min() >= 16
        assert (step[~border] == 0).all()


def test_a_picture_is_of_bytes_and_black_where_there_is_no_class():
    labels = grid((6, 6), 2)
    labels[0] = -1
    colours = picture(labels)
    assert colours.shape == (6, 6, 3)
    assert colours.dtype == np.uint8
    assert (colours[0] == 0).all()
    assert (colours[1:] >= 40).all()
