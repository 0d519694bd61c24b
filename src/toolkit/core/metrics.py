"""Scores of classifiers, computed from confusion matrices, and of signal regression.

Counts are (..., K, K): true classes in rows, predicted ones in columns. Every score of counts
broadcasts over the leading axes, so that one call scores ten thousand bootstrap resamples.

Undefined scores are NaN (``null`` in JSON), never a silent 0: the sensitivity of a class without
true samples, the precision of a class never predicted, F1 where neither occurs. Averages leave
them out. A class that is predicted or present but never hit has F1 = 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from toolkit.core.errors import DataError

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


def confusion_matrix(truth: ArrayLike, predicted: ArrayLike, classes: int) -> Counts:
    """Counts (K, K) of integer labels (n,) and predictions (n,).

    Raises:
        DataError: for unequal lengths, labels that are no integers or lie outside 0 … classes - 1.
    """
    rows, columns = np.asarray(truth), np.asarray(predicted)
    if rows.shape != columns.shape or rows.ndim != 1:
        raise DataError(f"labels {rows.shape} and predictions {columns.shape} must be equally long")
    for labels in (rows, columns):
        if labels.dtype.kind not in "biu":
            raise DataError(f"labels must be integers, not {labels.dtype}")
        if labels.size and (labels.min() < 0 or labels.max() >= classes):
            raise DataError(f"labels {labels.min()} … {labels.max()} outside 0 … {classes - 1}")
    cells = rows.astype(np.int64) * classes + columns.astype(np.int64)
    return np.bincount(cells, minlength=classes**2).reshape(classes, classes).astype(np.int64)


def _ratio(numerator: ArrayLike, denominator: ArrayLike) -> Floats:
    top, bottom = np.broadcast_arrays(
        np.asarray(numerator, np.float64), np.asarray(denominator, np.float64)
    )
    ratio: Floats = np.divide(top, bottom, out=np.full(top.shape, np.nan), where=bottom != 0)
    return ratio


def _mean_of_defined(scores: Floats) -> Floats:
    defined = ~np.isnan(scores)
    return _ratio(np.where(defined, scores, 0).sum(-1), defined.sum(-1))


def _hits(counts: ArrayLike) -> Floats:
    return np.diagonal(np.asarray(counts, np.float64), axis1=-2, axis2=-1)


def support(counts: ArrayLike) -> Floats:
    """True samples of each class, (..., K)."""
    samples: Floats = np.asarray(counts, np.float64).sum(-1)
    return samples


def sensitivity(counts: ArrayLike) -> Floats:
    """Share of each class's true samples that was found (recall), (..., K)."""
    return _ratio(_hits(counts), support(counts))


def ppv(counts: ArrayLike) -> Floats:
    """Share of each class's predictions that is right (precision, +P), (..., K)."""
    return _ratio(_hits(counts), np.asarray(counts, np.float64).sum(-2))


def f1(counts: ArrayLike) -> Floats:
    """2 TP / (2 TP + FP + FN) of each class, (..., K)."""
    predicted = np.asarray(counts, np.float64).sum(-2)
    return _ratio(2 * _hits(counts), support(counts) + predicted)


def accuracy(counts: ArrayLike) -> Floats:
    """Share of right predictions, (...)."""
    return _ratio(_hits(counts).sum(-1), support(counts).sum(-1))


def balanced_accuracy(counts: ArrayLike) -> Floats:
    """Mean sensitivity over the classes that have true samples, (...)."""
    return _mean_of_defined(sensitivity(counts))


def macro_f1(counts: ArrayLike, classes: Sequence[int] | None = None) -> Floats:
    """Mean F1 over ``classes``, by default those with true samples, (...)."""
    scores = f1(counts)
    if classes is not None:
        return _mean_of_defined(scores[..., list(classes)])
    return _mean_of_defined(np.where(support(counts) > 0, scores, np.nan))


def kappa(counts: ArrayLike) -> Floats:
    """Agreement beyond chance, (...) (Cohen 1960, doi 10.1177/001316446002000104)."""
    n = support(counts).sum(-1)
    predicted = np.asarray(counts, np.float64).sum(-2)
    chance = _ratio((support(counts) * predicted).sum(-1), n**2)
    return _ratio(accuracy(counts) - chance, 1 - chance)


@dataclass(frozen=True)
class ClassificationScores:
    """All scores of one confusion matrix; build it with :meth:`from_labels` or :meth:`from_counts`.

    ``macro_over`` names the classes of the macro-F1 (by default those with true samples).
    """

    names: tuple[str, ...]
    counts: Counts
    macro_over: tuple[str, ...] | None = None

    @classmethod
    def from_counts(
        cls, counts: ArrayLike, names: Sequence[str], macro_over: Sequence[str] | None = None
    ) -> ClassificationScores:
        """Scores of counts (K, K).

        Raises:
            DataError: when names and counts disagree or ``macro_over`` has an unknown name.
        """
        table = np.asarray(counts, np.int64)
        if table.shape != (len(names), len(names)):
            raise DataError(f"{len(names)} class names for counts of shape {table.shape}")
        unknown = set(macro_over or ()) - set(names)
        if unknown:
            raise DataError(f"unknown classes {sorted(unknown)}", hint=f"known: {list(names)}")
        return cls(tuple(names), table, None if macro_over is None else tuple(macro_over))

    @classmethod
    def from_labels(
        cls,
        truth: ArrayLike,
        predicted: ArrayLike,
        names: Sequence[str],
        macro_over: Sequence[str] | None = None,
    ) -> ClassificationScores:
        """Scores of integer labels (n,) and predictions (n,) that index ``names``."""
        return cls.from_counts(confusion_matrix(truth, predicted, len(names)), names, macro_over)

    @property
    def n(self) -> int:
        return int(self.counts.sum())

    @property
    def accuracy(self) -> float:
        return float(accuracy(self.counts))

    @property
    def balanced_accuracy(self) -> float:
        return float(balanced_accuracy(self.counts))

    @property
    def macro_f1(self) -> float:
        chosen = None if self.macro_over is None else [*map(self.names.index, self.macro_over)]
        return float(macro_f1(self.counts, chosen))

    @property
    def kappa(self) -> float:
        return float(kappa(self.counts))

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dict; undefined scores are None."""
        per_class = zip(sensitivity(self.counts), ppv(self.counts), f1(self.counts))
        return {
            "n": self.n,
            "accuracy": _number(self.accuracy),
            "balanced_accuracy": _number(self.balanced_accuracy),
            "macro_f1": _number(self.macro_f1),
            "kappa": _number(self.kappa),
            "classes": {
                name: {"n": int(n), "se": _number(se), "ppv": _number(p), "f1": _number(f)}
                for name, n, (se, p, f) in zip(self.names, support(self.counts), per_class)
            },
            "confusion": self.counts.tolist(),
        }


def _number(score: float) -> float | None:
    return None if np.isnan(score) else float(score)


def rmse(reference: ArrayLike, estimate: ArrayLike, axis: int | None = None) -> Floats:
    """Root mean square error over ``axis`` (all by default), in the inputs' unit."""
    error = np.asarray(estimate, np.float64) - np.asarray(reference, np.float64)
    root: Floats = np.sqrt(np.mean(error**2, axis=axis))
    return root


def prd(reference: ArrayLike, estimate: ArrayLike, axis: int | None = None) -> Floats:
    """Percentage RMS difference, 100 ‖x - y‖ / ‖x - mean(x)‖, in %.

    The mean is removed (PRDN): without that the figure depends on the record's offset
    (Blanco-Velasco et al. 2005, doi 10.1016/j.medengphy.2004.07.010). NaN for a flat reference.
    """
    x, y = np.asarray(reference, np.float64), np.asarray(estimate, np.float64)
    power = np.sum((x - x.mean(axis=axis, keepdims=True)) ** 2, axis=axis)
    return 100 * np.sqrt(_ratio(np.sum((x - y) ** 2, axis=axis), power))


def correlation(reference: ArrayLike, estimate: ArrayLike, axis: int | None = None) -> Floats:
    """Pearson's correlation over ``axis`` (all by default); NaN where a signal is flat."""
    x, y = np.asarray(reference, np.float64), np.asarray(estimate, np.float64)
    x, y = (v - v.mean(axis=axis, keepdims=True) for v in (x, y))
    norm = np.sqrt(np.sum(x**2, axis=axis) * np.sum(y**2, axis=axis))
    return _ratio(np.sum(x * y, axis=axis), norm)
