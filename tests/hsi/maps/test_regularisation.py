from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.sparse.linalg import spsolve
from sklearn.decomposition import PCA

from toolkit.core.errors import ConfigError, DataError
from toolkit.hsi.maps.regularisation import principal_components, regularised

GENERATOR = np.random.default_rng(0)
ROWS, COLUMNS = 9, 7
CUBE = GENERATOR.normal(size=(ROWS, COLUMNS, 5)) * [1, 9, 100, 3, 1] + 50
P0 = GENERATOR.dirichlet(np.ones(3), (ROWS, COLUMNS)).astype(np.float32)


def reference(p0: NDArray, cube: NDArray, strength: float, seeds: NDArray | None = None) -> NDArray:
    """The same written out: all pairs, a sparse matrix, and a direct solution."""
    spectra = cube.reshape(-1, cube.shape[2])
    scores = PCA(3).fit_transform((spectra - spectra.mean(0)) / spectra.std(0))
    places = np.argwhere(np.ones(cube.shape[:2]))
    i, j = np.nonzero(np.abs(places[:, None] - places).max(-1) == 1)
    squares = ((scores[i] - scores[j]) ** 2).sum(axis=1)
    values = np.exp(-squares / (2 * np.median(squares)))
    graph = sp.csr_array((values, (i, j)), shape=(len(places),) * 2)
    matrix = sp.eye_array(len(places)) + strength * sp.csgraph.laplacian(graph)
    fixed = np.zeros(len(places), int) if seeds is None else seeds.ravel()
    free, b = fixed == 0, p0.reshape(len(places), -1).astype(float)
    p = np.eye(b.shape[1] + 1)[fixed][:, 1:]
    matrix = matrix.tocsr()
    right = b[free] - matrix[free][:, ~free] @ p[~free]
    p[free] = spsolve(matrix[free][:, free].tocsc(), right)
    return p.reshape(p0.shape)


@pytest.mark.parametrize("strength", [0.3, 20])
def test_the_solution_is_that_of_the_equation_written_out(strength: float) -> None:
    found = regularised(P0, CUBE, strength)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, reference(P0, CUBE, strength), atol=5e-5)
    np.testing.assert_allclose(found.sum(-1), 1, atol=1e-6)


def test_seeds_stay_what_they_are_and_count_for_their_neighbours() -> None:
    seeds = np.zeros((ROWS, COLUMNS), np.int32)
    seeds[[1, 4, 8], [2, 6, 0]] = [1, 3, 2]
    found = regularised(P0, CUBE, 20, seeds=seeds)
    np.testing.assert_allclose(found, reference(P0, CUBE, 20, seeds), atol=5e-5)
    np.testing.assert_array_equal(found[seeds > 0], np.eye(3)[[0, 2, 1]])


def test_no_strength_changes_nothing() -> None:
    np.testing.assert_allclose(regularised(P0, CUBE, 0), P0, atol=1e-6)


def test_noise_goes_and_the_edge_between_two_materials_stays() -> None:
    truth = np.repeat([0, 1], 15)[None].repeat(30, 0)
    cube = 100.0 * truth[..., None] + GENERATOR.normal(size=(30, 30, 8))
    sure = np.where(GENERATOR.random(truth.shape) < 0.25, 0.3, 0.7)
    p_true = np.stack([np.where(truth == k, sure, 1 - sure) for k in (0, 1)], -1)
    assert (p_true.argmax(-1) == truth).mean() < 0.8
    found = regularised(p_true.astype(np.float32), cube, 10)
    assert (found.argmax(-1) == truth).mean() > 0.99


def test_a_scene_of_one_spectrum_is_smoothed_evenly() -> None:
    found = regularised(P0, np.ones_like(CUBE), 1e4)
    np.testing.assert_allclose(found, np.broadcast_to(P0.mean((0, 1)), P0.shape), atol=1e-2)


def test_pixels_that_are_undecided_or_not_finite_stay_apart() -> None:
    p0, cube = P0.copy(), CUBE.copy()
    p0[2, 3], cube[5, 5, 1] = 0, np.nan
    found = regularised(p0, cube, 20)
    assert not found[2, 3].any()
    np.testing.assert_allclose(found[5, 5], P0[5, 5], atol=1e-6)
    np.testing.assert_allclose(np.delete(found.sum(-1).ravel(), 2 * COLUMNS + 3), 1, atol=1e-6)


def test_components_of_a_large_scene_are_those_of_a_sample() -> None:
    mixing = GENERATOR.normal(size=(4, 30))
    cube = GENERATOR.normal(size=(700, 400, 4)) * [4, 3, 2, 1] @ mixing
    few = principal_components(cube[:140, :140], 4)
    assert few.shape == (140, 140, 4)
    scores = principal_components(cube.astype(">f4"), 4).reshape(-1, 4)
    np.testing.assert_allclose(np.corrcoef(scores.T), np.eye(4), atol=0.03)
    assert (np.diff(scores.var(0)) < 0).all()


@pytest.mark.parametrize(("rows", "columns"), [(1, 7), (9, 1), (9, 2), (2, 7), (2, 2)])
def test_narrow_scenes_are_scenes(rows: int, columns: int) -> None:
    p0, cube = P0[:rows, :columns], CUBE[:rows, :columns]
    np.testing.assert_allclose(regularised(p0, cube, 5), reference(p0, cube, 5), atol=5e-5)


def test_a_single_pixel_stays_what_it_is() -> None:
    np.testing.assert_allclose(regularised(P0[:1, :1], CUBE[:1, :1], 5), P0[:1, :1], atol=1e-6)


@pytest.mark.parametrize("strength", [-1, np.nan, np.inf])
def test_a_strength_out_of_range_is_refused(strength: float) -> None:
    with pytest.raises(ConfigError, match="strength"):
        regularised(P0, CUBE, strength)


def test_what_does_not_fit_together_is_refused() -> None:
    with pytest.raises(DataError, match=r"probabilities of \(8, 7\)"):
        regularised(P0[1:], CUBE, 1)
    with pytest.raises(DataError, match=r"seeds of \(9, 6\)"):
        regularised(P0, CUBE, 1, seeds=np.zeros((9, 6), np.int32))
    with pytest.raises(DataError, match="class 4 of 3"):
        regularised(P0, CUBE, 1, seeds=np.full((ROWS, COLUMNS), 4, np.int32))
    with pytest.raises(DataError, match="finite"):
        regularised(P0, np.full_like(CUBE, np.nan), 1)
