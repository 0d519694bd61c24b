"""Intervals and paired comparisons: no score without its n and its uncertainty.

Percentile and BCa bootstrap follow Efron & Tibshirani, An Introduction to the Bootstrap (1993),
chapters 13 and 14; the interquartile mean and the bootstrap over seeds within each environment
Agarwal et al. 2021 (arXiv 2108.13264). Samples of one record or patient are not independent:
give their ``groups`` and whole groups are resampled.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from toolkit.core.errors import DataError

Floats = NDArray[np.float64]
Method = Literal["percentile", "bca"]
RESAMPLES = 10_000


@dataclass(frozen=True)
class Interval:
    """An estimate and its confidence interval over ``n`` independent units.

    ``low`` and ``high`` are NaN where fewer than two units leave nothing to resample.
    """

    estimate: float
    low: float
    high: float
    confidence: float
    n: int

    def excludes(self, value: float) -> bool:
        """Whether ``value`` lies outside; False for an undefined interval."""
        return value < self.low or value > self.high

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dict; NaN becomes None."""
        return {k: None if np.isnan(v) else v for k, v in asdict(self).items()}

    def __str__(self) -> str:
        return f"{self.estimate:.4g} [{self.low:.4g}, {self.high:.4g}]"


def bootstrap_interval(
    statistic: Callable[[NDArray[Any]], float],
    data: NDArray[Any],
    *,
    groups: ArrayLike | None = None,
    n_resamples: int = RESAMPLES,
    confidence: float = 0.95,
    method: Method = "percentile",
    rng: np.random.Generator,
) -> Interval:
    """Interval of any statistic of per-sample data.

    Args:
        statistic: maps resampled rows (m, ...) to a number; NaN leaves that resample out.
        data: samples along the first axis; stack labels and predictions as columns.
        groups: (n,) record or patient of each row; whole groups are then drawn.
        method: ``"bca"`` corrects bias and skewness at the cost of one call per unit.

    Raises:
        DataError: for no data, or groups of another length.
    """
    rows = _rows_of_units(len(data), groups)
    n = len(rows)

    def score(units: NDArray[np.int64]) -> float:
        return float(statistic(data[np.concatenate([rows[u] for u in units])]))

    everything = np.arange(n)
    resampled = [score(rng.integers(n, size=n)) for _ in range(n_resamples if n > 1 else 0)]
    jackknife = None
    if method == "bca" and n > 1:
        jackknife = np.array([score(np.delete(everything, unit)) for unit in everything])
    return _interval(score(everything), np.array(resampled), confidence, n, jackknife)


def _rows_of_units(n: int, groups: ArrayLike | None) -> list[NDArray[np.int64]]:
    labels = np.arange(n) if groups is None else np.asarray(groups)
    if n == 0 or labels.shape != (n,):
        raise DataError(f"{n} samples with groups of shape {labels.shape}: nothing to resample")
    order = np.argsort(labels, kind="stable")
    _, first = np.unique(labels[order], return_index=True)
    return np.split(order, first[1:])


def counts_interval(
    statistic: Callable[[NDArray[np.int64]], Floats],
    counts: NDArray[np.int64],
    *,
    n_resamples: int = RESAMPLES,
    confidence: float = 0.95,
    rng: np.random.Generator,
) -> Interval:
    """Percentile interval of a score of confusion matrices, all resamples at once.

    Args:
        statistic: maps counts (..., K, K) to scores (...), as those of ``toolkit.core.metrics`` do.
        counts: (K, K), whose samples are then resampled (multinomial: the same distribution), or
            (R, K, K), one matrix per record, whose records are resampled and summed.
    """
    table = np.asarray(counts, np.int64)
    classes = table.shape[-1]
    if table.ndim == 2:
        n, total = int(table.sum()), table
        shares = (table / max(n, 1)).ravel()
        drawn = rng.multinomial(n, shares, size=n_resamples) if n > 1 else np.empty((0, classes**2))
    else:
        n, total = len(table), table.sum(0)
        times = rng.multinomial(n, np.full(n, 1 / n), size=n_resamples if n > 1 else 0)
        drawn = times @ table.reshape(n, -1)
    scores = statistic(drawn.reshape(-1, classes, classes).astype(np.int64))
    return _interval(float(statistic(total)), scores, confidence, n)


def iqm(scores: ArrayLike, axis: int = -1) -> Floats:
    """Interquartile mean: the mean of the middle half, robust to a lucky or a dead seed."""
    trimmed: Floats = stats.trim_mean(np.asarray(scores, np.float64), 0.25, axis=axis)
    return trimmed


def pooled(strata: Sequence[Floats]) -> Floats:
    """Scores (…, n) of each stratum side by side, repeated so that every stratum counts the same.

    Five seeds of one environment and three of another become fifteen of each: else methods with
    seeds in unlike numbers were ranked by where they ran more often (Agarwal et al. 2021 take as
    many runs of each).
    """
    sizes = [scores.shape[-1] for scores in strata]
    times = [math.lcm(*sizes) // size for size in sizes]
    return np.concatenate([np.repeat(a, k, axis=-1) for a, k in zip(strata, times)], axis=-1)


def seeds_interval(
    strata: Sequence[ArrayLike],
    aggregate: Literal["mean", "iqm"] = "iqm",
    *,
    n_resamples: int = RESAMPLES,
    confidence: float = 0.95,
    rng: np.random.Generator,
) -> Interval:
    """Mean or IQM over all runs, strata counting alike, seeds being resampled within each.

    Args:
        strata: the final scores of every environment (or data set), one array of seeds each, on a
            common scale; a single experiment is ``[scores]``. With a stratum of one seed there is
            no interval: what it varies by is not known.
    """
    arrays = [np.asarray(s, np.float64).ravel() for s in strata]
    if not arrays or not all(a.size for a in arrays):
        raise DataError("every stratum needs the score of at least one seed")
    reduce: Callable[..., Floats] = iqm if aggregate == "iqm" else np.mean
    n = sum(a.size for a in arrays)
    repeats = n_resamples if all(a.size > 1 for a in arrays) else 0
    drawn = [a[rng.integers(a.size, size=(repeats, a.size))] for a in arrays]
    estimate = float(reduce(pooled(arrays), axis=-1))
    return _interval(estimate, reduce(pooled(drawn), axis=-1), confidence, n)


def paired_difference(
    a: ArrayLike,
    b: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    n_resamples: int = RESAMPLES,
    confidence: float = 0.95,
    rng: np.random.Generator,
) -> Interval:
    """BCa interval of mean(a - b) over pairs: one seed, split or test sample under two methods.

    Equal differences are drawn together, so that 50,000 right-or-wrong pairs cost as much as three.

    Raises:
        DataError: for unequal lengths or no pairs.
    """
    x, y = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if x.shape != y.shape or x.ndim != 1 or not x.size:
        raise DataError(f"pairs need two equally long sequences, not {x.shape} and {y.shape}")
    # A unit is a value with its multiplicity, or a group with its sum and size.
    if groups is None:
        values, copies = np.unique(x - y, return_counts=True)
        sums, sizes = values, np.ones(len(values))
    else:
        rows = _rows_of_units(len(x), groups)
        sums, sizes = (np.array([v[r].sum() for r in rows]) for v in (x - y, np.ones(len(x))))
        copies = np.ones(len(rows), np.int64)
    n = int(copies.sum())
    drawn = rng.multinomial(n, copies / n, size=n_resamples if n > 1 else 0)
    total, size = copies @ sums, copies @ sizes
    jackknife = (total - sums) / (size - sizes) if n > 1 else None
    resampled = (drawn @ sums) / (drawn @ sizes)
    return _interval(float(total / size), resampled, confidence, n, jackknife, copies)


def _interval(
    estimate: float,
    resampled: Floats,
    confidence: float,
    n: int,
    jackknife: Floats | None = None,
    copies: NDArray[np.int64] | None = None,
) -> Interval:
    defined = resampled[np.isfinite(resampled)]
    if not defined.size:
        return Interval(float(estimate), float("nan"), float("nan"), confidence, n)
    tails = np.array([(1 - confidence) / 2, (1 + confidence) / 2])
    if jackknife is not None:
        tails = _bca_tails(tails, estimate, defined, jackknife, copies)
    low, high = np.quantile(defined, tails)
    return Interval(float(estimate), float(low), float(high), confidence, n)


def _bca_tails(
    tails: Floats,
    estimate: float,
    resampled: Floats,
    jackknife: Floats,
    copies: NDArray[np.int64] | None,
) -> Floats:
    """Efron & Tibshirani 1993, eqs. 14.10, 14.14 (ties count half) and 14.15."""
    below = (np.mean(resampled < estimate) + np.mean(resampled <= estimate)) / 2
    weights = np.ones(len(jackknife)) if copies is None else copies
    deviation = np.average(jackknife, weights=weights) - jackknife
    spread = np.sum(weights * deviation**2)
    if not 0 < below < 1 or not spread > 0:  # degenerate: leave the percentiles as they are
        return tails
    bias = stats.norm.ppf(below)
    acceleration = np.sum(weights * deviation**3) / (6 * spread**1.5)
    z = bias + stats.norm.ppf(tails)
    corrected: Floats = stats.norm.cdf(bias + z / (1 - acceleration * z))
    return corrected


@dataclass(frozen=True)
class McNemar:
    """Two classifiers on the same samples: those that only one of them got right, and p."""

    only_a: int
    only_b: int
    p_value: float
    method: Literal["exact", "chi2"]


def mcnemar(correct_a: ArrayLike, correct_b: ArrayLike) -> McNemar:
    """McNemar's test (1947) on two boolean vectors (n,): exact below 25 discordant samples.

    It takes samples to be independent; within records ``paired_difference(groups=...)`` is honest.
    """
    a, b = np.asarray(correct_a, bool), np.asarray(correct_b, bool)
    if a.shape != b.shape:
        raise DataError(f"two classifiers on different samples: {a.shape} and {b.shape}")
    only_a, only_b = int(np.sum(a & ~b)), int(np.sum(b & ~a))
    n = only_a + only_b
    if n < 25:
        p = stats.binomtest(only_a, n).pvalue if n else 1.0
        return McNemar(only_a, only_b, float(p), "exact")
    statistic = max(abs(only_a - only_b) - 1, 0) ** 2 / n  # with Edwards's continuity correction
    return McNemar(only_a, only_b, float(stats.chi2.sf(statistic, 1)), "chi2")
