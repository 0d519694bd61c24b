"""Class probabilities made smooth within regions of like spectra; an option, to be disclosed.

Neighbouring pixels of like spectra should agree. Of each class, probabilities p0 become the p that
minimises ``|p - p0|^2 + strength * sum w_ij (p_i - p_j)^2`` over pairs of the 8 neighbours: the
solution of ``(I + strength L) p = p0`` with the graph's Laplacian L. Weights fall with the
spectral distance d, ``w = exp(-d^2 / 2 sigma^2)``, so that edges of the scene stay edges.

The idea is that of random walks from seeds (Grady, IEEE TPAMI 28(11) 1768, 2006) and of
edge-preserving filters of probabilities (Kang, Li, Benediktsson, IEEE TGRS 52(5) 2666, 2014).
Figures of such a map are those of the network and of this step together, and transductive: the
spectra of test pixels take part.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.core.errors import ConfigError, DataError
from toolkit.hsi.scene import Cube, Labels

Floats = NDArray[np.float32]

_STEPS = ((0, 1), (1, -1), (1, 0), (1, 1))  # to half of the 8 neighbours: each pair once
_SAMPLE = 20_000  # pixels that the principal components are of
_VALUES = 2**22  # of the cube at once
_TOLERANCE = 1e-5  # of conjugate gradients, relative


def regularised(
    probabilities: Floats,
    cube: Cube,
    strength: float,
    *,
    seeds: Labels | None = None,
    components: int = 3,
) -> Floats:
    """Probabilities regularised over the scene, by conjugate gradients one class at a time.

    Beside cube and result this takes about 170 bytes a pixel, whatever bands and classes.

    Args:
        probabilities: (rows, columns, K), of a pixel summing to 1; a pixel of zeros is passed
            over, as is one whose spectrum is not finite.
        cube: (rows, columns, bands).
        strength: of neighbours against the pixel's own p0; 0 changes nothing.
        seeds: (rows, columns) 1 … K where the class is known and held fixed, 0 elsewhere.
        components: principal components of the standardised cube that distances are between.

    Returns:
        (rows, columns, K), of a pixel summing to 1, or 0 where it was passed over.

    Raises:
        ConfigError: ``strength`` is negative or not finite.
        DataError: shapes differ, a seed is beyond K, or no spectrum is finite.
    """
    known = np.zeros(cube.shape[:2], np.int32) if seeds is None else seeds
    _check(probabilities, cube, strength, known)
    scores = principal_components(cube, components)
    scores[~probabilities.any(axis=2)] = np.nan  # cut off from its neighbours
    system = _system(scores, strength)
    result = np.empty_like(probabilities)
    for i in range(probabilities.shape[2]):
        p0 = probabilities[..., i].ravel()
        solved = _solve(system, p0, known.ravel() > 0, known.ravel() == i + 1)
        result[..., i] = solved.reshape(known.shape)
    np.clip(result, 0, None, out=result)
    total = result.sum(axis=-1, keepdims=True)
    np.divide(result, total, out=result, where=total > 0)
    return result


def principal_components(cube: Cube, components: int) -> Floats:
    """Scores (rows, columns, components) of spectra standardised by band.

    Statistics and components are those of a regular sample of some 20,000 pixels.

    Raises:
        DataError: no spectrum of the sample is finite.
    """
    rows, columns, bands = cube.shape
    step = max(1, math.isqrt(rows * columns // _SAMPLE))
    sample = np.asarray(cube[::step, ::step], np.float64).reshape(-1, bands)
    sample = sample[np.isfinite(sample).all(axis=1)]
    if not len(sample):
        raise DataError("no spectrum of the scene is finite", hint="toolkit hsi info SCENE")
    mean, deviation = sample.mean(axis=0), sample.std(axis=0)
    deviation[deviation == 0] = 1
    standard = (sample - mean) / deviation
    vectors = np.linalg.eigh(standard.T @ standard)[1][:, : -components - 1 : -1]
    axes = (vectors / deviation[:, None]).astype(np.float32)
    scores = np.empty((rows, columns, axes.shape[1]), np.float32)
    at_once = max(1, _VALUES // (columns * bands))
    for top in range(0, rows, at_once):
        part = slice(top, top + at_once)
        scores[part] = (np.asarray(cube[part], np.float32) - mean.astype(np.float32)) @ axes
    return scores


def _system(scores: Floats, strength: float) -> Any:
    """``I + strength L`` of all pixels, a sparse matrix of nine diagonals."""
    from scipy.sparse import dia_array, diags_array

    rows, columns, _ = scores.shape
    shape = (rows * columns,) * 2
    half = dia_array(shape, dtype=np.float32)
    for weight, (down, right) in zip(_weights(scores), _STEPS):
        if weight.size:  # not of a step across a scene of one row or column
            padded = np.zeros((rows, columns), np.float32)
            padded[_pair((down, right))[0]] = strength * weight
            offset = down * columns + right
            half += diags_array(padded.flat[: padded.size - offset], offsets=offset)
    pairs = half + half.T
    return (diags_array(1 + pairs.sum(axis=1), dtype=np.float32) - pairs).todia()


def _weights(scores: Floats) -> list[Floats]:
    """Of each step's pairs, in 0 … 1; sigma^2 is the median squared distance of all pairs."""
    squares = []
    for step in _STEPS:
        here, there = _pair(step)
        squares.append(((scores[here] - scores[there]) ** 2).sum(axis=-1))
    everything = np.concatenate([s.ravel() for s in squares])
    finite = everything[np.isfinite(everything)]
    sigma_2 = float(np.median(finite)) if finite.size else 0.0
    return [np.nan_to_num(np.exp(s / (-2 * (sigma_2 or 1.0)))) for s in squares]


def _pair(step: tuple[int, int]) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Views of a plane in which a pixel meets its neighbour at ``step``."""
    down, right = step
    ahead, behind = slice(abs(right), None), slice(None, -abs(right) or None)
    here = (slice(None, -down or None), behind if right >= 0 else ahead)
    there = (slice(down, None), ahead if right >= 0 else behind)
    return here, there


def _solve(system: Any, p0: Floats, fixed: NDArray[np.bool_], known: NDArray[np.bool_]) -> Floats:
    """One class (n,); where ``fixed`` it is 1 for ``known`` pixels and 0 for others."""
    from scipy.sparse.linalg import LinearOperator, cg

    start = np.where(fixed, known, p0).astype(np.float32)

    def free_part(change: Floats) -> Floats:
        return np.where(fixed, np.float32(0), system @ change)

    # solved for the change from the start, which never leaves 0 where it is fixed
    residual = np.where(fixed, np.float32(0), p0 - system @ start)
    operator = LinearOperator(system.shape, free_part, dtype=np.float32)
    change, _ = cg(operator, residual, rtol=_TOLERANCE, atol=0.0)
    return np.asarray(start + change, np.float32)


def _check(probabilities: Floats, cube: Cube, strength: float, known: Labels) -> None:
    if not 0 <= strength < math.inf:
        raise ConfigError(f"a regularisation of strength {strength:g}", hint="0 or more, say 10")
    shapes = {"probabilities": probabilities.shape[:2], "seeds": known.shape}
    for name, shape in shapes.items():
        if shape != cube.shape[:2]:
            raise DataError(f"{name} of {shape} pixels for a scene of {cube.shape[:2]}")
    if int(known.max(initial=0)) > probabilities.shape[2]:
        raise DataError(f"a seed of class {known.max()} of {probabilities.shape[2]}")
