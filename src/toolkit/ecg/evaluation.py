"""Scores of beat and fragment classifiers.

EC57 (ANSI/AAMI EC57:2012) scores ventricular (VEB) and supraventricular (SVEB) detection apart:
a fusion or unclassifiable beat that is called V is no false positive of VEB. Here they are counted
on reference beats over whole records, as the literature on DS2 does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.core import metrics, rng, statistics
from toolkit.core.metrics import ClassificationScores
from toolkit.ecg.beats import CLASSES
from toolkit.ecg.study import Labels

BEAT_SCORES = ("accuracy", "macro_f1_nsv", "veb", "sveb")  # what beat_scores gives
# EC57's false positives of a class come from these true classes only
_FALSE_POSITIVES = {"V": "NS", "S": "NVF"}


def classification(
    truth: Labels, decided: Labels, classes: Sequence[str], seed: int
) -> dict[str, Any]:
    """Accuracies, per-class scores, confusion matrix, 95 % intervals over examples."""
    scores = ClassificationScores.from_labels(truth, decided, classes)
    headline = ["accuracy", "balanced_accuracy", "macro_f1"]
    return {"headline": headline, **scores.to_json(), "interval": intervals(scores.counts, seed)}


def intervals(counts: NDArray[np.int64], seed: int) -> dict[str, Any]:
    """Bootstrap intervals of the main scores from one matrix, or from one matrix a record."""
    of: dict[str, Callable[[NDArray[np.int64]], NDArray[np.float64]]] = {
        "accuracy": metrics.accuracy,
        "balanced_accuracy": metrics.balanced_accuracy,
        "macro_f1": metrics.macro_f1,
    }
    generator = rng.generator(seed, "bootstrap")
    made = {k: statistics.counts_interval(f, counts, rng=generator) for k, f in of.items()}
    return {name: interval.to_json() for name, interval in made.items()}


def aami(truth: Labels, decided: Labels, record: NDArray[np.str_], seed: int) -> dict[str, Any]:
    """The scores of the AAMI protocols: overall, VEB and SVEB, per record, without 202 and 232.

    Intervals resample whole records, as the beats of one patient are not independent.
    """
    names = np.unique(record)
    matrices = {
        str(name): metrics.confusion_matrix(
            truth[record == name], decided[record == name], len(CLASSES)
        )
        for name in names
    }
    stacked = np.stack(list(matrices.values()))
    without = {
        f"without_{name}": beat_scores(stacked[names != name])
        for name in ("202", "232")
        if name in matrices and len(matrices) > 1
    }
    return {
        "headline": ["accuracy", "macro_f1_nsv", "veb.se", "veb.ppv", "sveb.se", "sveb.ppv"],
        **ClassificationScores.from_counts(stacked.sum(0), CLASSES).to_json(),
        **beat_scores(stacked),
        "interval": intervals(stacked, seed),
        **without,
        "per_record": [{"record": k, **_record_row(m)} for k, m in matrices.items()],
    }


def beat_scores(matrices: NDArray[np.int64]) -> dict[str, Any]:
    """Accuracy, macro-F1 over N, S, V, and EC57's VEB and SVEB, of matrices (records, 5, 5)."""
    total = matrices.sum(0)
    return {
        "accuracy": float(metrics.accuracy(total)),
        "macro_f1_nsv": float(metrics.macro_f1(total, [0, 1, 2])),
        "veb": ec57(total, "V"),
        "sveb": ec57(total, "S"),
    }


def ec57(counts: NDArray[np.int64], name: str) -> dict[str, Any]:
    """Sensitivity, positive predictivity and F1 of one class by EC57's rules; None if undefined."""
    own = CLASSES.index(name)
    tp = int(counts[own, own])
    fn = int(counts[own].sum()) - tp
    fp = int(sum(counts[CLASSES.index(other), own] for other in _FALSE_POSITIVES[name]))
    return {
        "se": tp / (tp + fn) if tp + fn else None,
        "ppv": tp / (tp + fp) if tp + fp else None,
        "f1": 2 * tp / (2 * tp + fp + fn) if tp + fp + fn else None,
        "tp": tp,
        "fn": fn,
        "fp": fp,
    }


def _record_row(counts: NDArray[np.int64]) -> Mapping[str, Any]:
    row: dict[str, Any] = {"n": int(counts.sum()), "accuracy": float(metrics.accuracy(counts))}
    for label, name in (("V", "veb"), ("S", "sveb")):
        scores = ec57(counts, label)
        row |= {f"{name}_{key}": scores[key] for key in ("tp", "fn", "fp", "f1")}
    return row
