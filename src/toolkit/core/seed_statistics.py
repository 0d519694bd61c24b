"""Comparisons of methods over seeds and environments, after Agarwal et al. 2021 (arXiv 2108.13264).

A method's scores are strata: one array of seeds for each environment. Seeds are resampled within
each stratum; intervals are percentiles, and undefined (NaN) where a stratum has fewer than two
seeds, since nothing tells then how seeds differ.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from toolkit.core.errors import DataError
from toolkit.core.statistics import RESAMPLES, Floats, Interval, iqm, pooled

_BAND_RESAMPLES = 2_000  # of a whole curve; a picture shows no more


class Curve(NamedTuple):
    """Estimates (T,) with the ends of their pointwise intervals (T,), NaN where undefined."""

    middle: Floats
    low: Floats
    high: Floats


def probability_of_improvement(
    a: Sequence[ArrayLike],
    b: Sequence[ArrayLike],
    *,
    n_resamples: int = RESAMPLES,
    confidence: float = 0.95,
    rng: np.random.Generator,
) -> Interval:
    """P(a run of ``a`` scores above one of ``b``), ties counting half, averaged over strata.

    The Mann-Whitney statistic of each environment (Agarwal et al. 2021, section 4.3).

    Args:
        a, b: scores of the two methods, one array of seeds for each environment, in one order.

    Raises:
        DataError: for different or no environments, or one without a seed.
    """
    pairs = list(zip(_arrays(a), _arrays(b)))
    if len(a) != len(b):
        raise DataError(f"scores of {len(a)} environments against those of {len(b)}")

    def mean(draw: Callable[[Floats], Floats]) -> Floats:
        shares: Floats = np.mean([_above(draw(x), draw(y)) for x, y in pairs], axis=0)
        return shares

    flat = [x for pair in pairs for x in pair]
    estimate = mean(lambda x: x)
    low, high = _ends(mean, flat, n_resamples, confidence, rng, np.shape(estimate))
    return Interval(float(estimate), float(low), float(high), confidence, sum(map(len, flat)))


def _above(x: Floats, y: Floats) -> Floats:
    """Share of pairs (…, n, m) whose first is larger, of x (…, n) and y (…, m)."""
    difference = x[..., :, None] - y[..., None, :]
    share: Floats = np.mean((np.sign(difference) + 1) / 2, axis=(-2, -1))
    return share


def performance_profile(
    strata: Sequence[ArrayLike],
    thresholds: ArrayLike,
    *,
    n_resamples: int = _BAND_RESAMPLES,
    confidence: float = 0.95,
    rng: np.random.Generator,
) -> Curve:
    """Share of runs with a score above each threshold (T,), environments counting alike.

    Agarwal et al. 2021, section 4.2.

    Raises:
        DataError: for no environment, or one without a seed.
    """
    arrays, at = _arrays(strata), np.asarray(thresholds, np.float64)

    def shares(draw: Callable[[Floats], Floats]) -> Floats:
        scores = pooled([draw(x) for x in arrays])
        return np.stack([np.mean(scores > t, axis=-1) for t in at], axis=-1)

    ends = _ends(shares, arrays, n_resamples, confidence, rng, at.shape)
    return Curve(shares(lambda x: x), *ends)


def seeds_curve(
    curves: ArrayLike,
    aggregate: Literal["mean", "iqm"] = "iqm",
    *,
    n_resamples: int = _BAND_RESAMPLES,
    confidence: float = 0.95,
    rng: np.random.Generator,
) -> Curve:
    """Mean or IQM over seeds at each point, whole curves (n, T) being resampled.

    Raises:
        DataError: for no curve.
    """
    table = np.asarray(curves, np.float64)
    if table.ndim != 2 or not len(table):
        raise DataError(f"curves of shape {table.shape}: nothing to aggregate")
    reduce: Callable[..., Floats] = iqm if aggregate == "iqm" else np.mean
    middle = reduce(table, axis=0)
    if len(table) < 2:
        return Curve(middle, np.full_like(middle, np.nan), np.full_like(middle, np.nan))
    drawn = rng.integers(len(table), size=(len(table), n_resamples))
    resampled = np.stack([reduce(column[drawn], axis=0) for column in table.T], axis=-1)
    return Curve(middle, *_quantiles(resampled, confidence))


def _arrays(strata: Sequence[ArrayLike]) -> list[Floats]:
    arrays = [np.asarray(stratum, np.float64).ravel() for stratum in strata]
    if not arrays or not all(array.size for array in arrays):
        raise DataError("every environment needs the score of at least one seed")
    return arrays


def _ends(
    statistic: Callable[[Callable[[Floats], Floats]], Floats],
    arrays: Sequence[Floats],
    n_resamples: int,
    confidence: float,
    rng: np.random.Generator,
    shape: tuple[int, ...],
) -> NDArray[np.float64]:
    """Ends (2, …) of the interval of a ``statistic`` that is told how to draw each stratum."""
    if min(array.size for array in arrays) < 2:
        return np.full((2, *shape), np.nan)

    def draw(scores: Floats) -> Floats:
        return scores[rng.integers(scores.size, size=(n_resamples, scores.size))]

    return _quantiles(statistic(draw), confidence)


def _quantiles(resampled: Floats, confidence: float) -> Floats:
    ends: Floats = np.quantile(resampled, [(1 - confidence) / 2, (1 + confidence) / 2], axis=0)
    return ends
