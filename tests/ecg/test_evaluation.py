"""Scores: EC57's rules on hand-made matrices, and everything that a result must have."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score

from toolkit.ecg.beats import CLASSES
from toolkit.ecg.evaluation import aami, beat_scores, classification, ec57

N, S, V, F, Q = range(5)
COUNTS = arrays(np.int64, (5, 5), elements=st.integers(0, 50))
# (true class, called class) pairs, as listed in EC57: reference in capitals, decision in small
RULES = {
    "V": ("Vv", "Vn Vs Vf Vq", "Nv Sv"),
    "S": ("Ss", "Sn Sv Sf Sq", "Ns Vs Fs"),
}


def total(counts: np.ndarray, pairs: str) -> int:
    return sum(
        int(counts[CLASSES.index(a), CLASSES.index(b.upper())])
        for a, b in map(tuple, pairs.split())
    )


@given(COUNTS, st.sampled_from("VS"))
def test_counts_follow_the_rules(counts: np.ndarray, name: str) -> None:
    tp, fn, fp = (total(counts, pairs) for pairs in RULES[name])
    found = ec57(counts, name)
    assert (found["tp"], found["fn"], found["fp"]) == (tp, fn, fp)
    assert found["se"] == (tp / (tp + fn) if tp + fn else None)
    assert found["ppv"] == (tp / (tp + fp) if tp + fp else None)


def test_fusion_or_unknown_called_v_is_no_false_positive() -> None:
    counts = np.zeros((5, 5), np.int64)
    counts[V, V], counts[F, V], counts[Q, V] = 10, 5, 3
    assert ec57(counts, "V") == {"se": 1, "ppv": 1, "f1": 1, "tp": 10, "fn": 0, "fp": 0}
    counts[N, V], counts[S, V] = 2, 1
    assert ec57(counts, "V")["fp"] == 3


def test_false_supraventricular_beats_come_from_n_v_and_f_alone() -> None:
    counts = np.zeros((5, 5), np.int64)
    counts[S, S], counts[Q, S] = 4, 9
    assert ec57(counts, "S")["fp"] == 0
    counts[N, S], counts[V, S], counts[F, S] = 1, 2, 4
    assert ec57(counts, "S")["fp"] == 7


def test_what_never_occurs_is_undefined_not_zero() -> None:
    found = ec57(np.zeros((5, 5), np.int64), "S")
    assert (found["se"], found["ppv"], found["f1"]) == (None, None, None)


def drawn(n: int = 600) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Truth, decisions and records, 202 and 232 among them."""
    rng = np.random.default_rng(0)
    truth = rng.choice(5, n, p=[0.6, 0.15, 0.15, 0.07, 0.03])
    decided = np.where(rng.random(n) < 0.8, truth, rng.integers(0, 4, n))
    return truth, decided, rng.choice(["100", "202", "232", "233"], n)


def test_aami_has_all_that_was_promised() -> None:
    truth, decided, record = drawn()
    scores = aami(truth, decided, record, seed=0)
    json.dumps(scores, allow_nan=False)
    assert scores.keys() >= {
        *("n", "accuracy", "balanced_accuracy", "macro_f1", "classes", "confusion", "interval"),
        *("macro_f1_nsv", "veb", "sveb", "per_record", "without_202", "without_232"),
    }
    assert list(scores["classes"]) == list(CLASSES)
    for name, row in scores["classes"].items():
        assert row.keys() >= {"n", "se", "ppv", "f1"}
        assert row["n"] == (truth == CLASSES.index(name)).sum()
    for group in (scores, scores["without_202"], scores["without_232"]):
        assert group["veb"].keys() >= {"se", "ppv", "f1"}
        assert group["sveb"].keys() >= {"se", "ppv", "f1"}
        assert 0 < group["macro_f1_nsv"] < 1
    assert scores["n"] == len(truth) == np.sum(scores["confusion"])


def test_scores_equal_those_of_scikit_learn() -> None:
    truth, decided, record = drawn()
    scores = aami(truth, decided, record, seed=0)
    assert scores["accuracy"] == pytest.approx(accuracy_score(truth, decided))
    assert scores["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(truth, decided))
    f1 = f1_score(truth, decided, labels=[N, S, V], average="macro")
    assert scores["macro_f1_nsv"] == pytest.approx(f1)


def test_without_a_record_is_the_score_of_the_others() -> None:
    truth, decided, record = drawn()
    scores = aami(truth, decided, record, seed=0)
    rest = record != "232"
    others = aami(truth[rest], decided[rest], record[rest], seed=0)
    assert scores["without_232"] == {key: others[key] for key in scores["without_232"]}
    assert "without_232" not in others


def test_records_sum_to_the_whole() -> None:
    truth, decided, record = drawn()
    scores = aami(truth, decided, record, seed=0)
    rows = scores["per_record"]
    assert [row["record"] for row in rows] == sorted(set(record.tolist()))
    for name in ("veb", "sveb"):
        for key in ("tp", "fn", "fp"):
            assert sum(row[f"{name}_{key}"] for row in rows) == scores[name][key]
    assert sum(row["n"] for row in rows) == scores["n"]


def test_intervals_hold_the_estimate_and_are_reproducible() -> None:
    truth, decided, record = drawn()
    a, b = (aami(truth, decided, record, seed=0)["interval"] for _ in range(2))
    assert a == b
    for name in ("accuracy", "balanced_accuracy", "macro_f1"):
        assert a[name]["low"] <= a[name]["estimate"] <= a[name]["high"]
        assert a[name]["n"] == 4  # records, not beats


@pytest.mark.parametrize("name", ["202", "100"])
def test_a_single_record_can_be_scored(name: str) -> None:
    truth, decided, _ = drawn(50)
    scores = aami(truth, decided, np.full(50, name), seed=0)
    json.dumps(scores, allow_nan=False)
    assert not any(key.startswith("without") for key in scores)


def test_fragments_are_scored_by_class() -> None:
    truth = np.array([0, 0, 1, 1, 2, 2])
    scores = classification(truth, np.array([0, 0, 1, 0, 2, 2]), ("a", "b", "c"), seed=0)
    assert scores["accuracy"] == pytest.approx(5 / 6)
    assert scores["classes"]["b"]["se"] == 0.5
    assert scores["interval"]["accuracy"]["n"] == 6


@given(arrays(np.int64, (3, 5, 5), elements=st.integers(0, 9)))
def test_any_matrices_can_be_scored(matrices: np.ndarray) -> None:
    if matrices.sum() > 0:
        scores = beat_scores(matrices)
        assert 0 <= scores["accuracy"] <= 1
