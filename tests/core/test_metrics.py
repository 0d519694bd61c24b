"""Scores against scikit-learn's."""

import json
import subprocess
import sys

import numpy as np
import pytest
from sklearn import metrics as sk

from toolkit.core import metrics
from toolkit.core.errors import DataError
from toolkit.core.metrics import ClassificationScores

NAMES = ("N", "S", "V", "F")


@pytest.fixture
def labels():
    rng = np.random.default_rng(0)
    truth = rng.choice(4, 500, p=[0.7, 0.15, 0.1, 0.05])
    predicted = np.where(rng.random(500) < 0.7, truth, rng.integers(0, 4, 500))
    return truth, predicted


def test_against_sklearn(labels):
    truth, predicted = labels
    counts = metrics.confusion_matrix(truth, predicted, 4)
    np.testing.assert_array_equal(counts, sk.confusion_matrix(truth, predicted))
    p, r, f, n = sk.precision_recall_fscore_support(truth, predicted)
    np.testing.assert_allclose(metrics.ppv(counts), p)
    np.testing.assert_allclose(metrics.sensitivity(counts), r)
    np.testing.assert_allclose(metrics.f1(counts), f)
    np.testing.assert_allclose(metrics.support(counts), n)
    assert metrics.accuracy(counts) == pytest.approx(sk.accuracy_score(truth, predicted))
    assert metrics.kappa(counts) == pytest.approx(sk.cohen_kappa_score(truth, predicted))
    expected = sk.balanced_accuracy_score(truth, predicted)
    assert metrics.balanced_accuracy(counts) == pytest.approx(expected)
    expected = sk.f1_score(truth, predicted, average="macro")
    assert metrics.macro_f1(counts) == pytest.approx(expected)
    expected = sk.f1_score(truth, predicted, labels=[0, 1, 2], average="macro")
    assert metrics.macro_f1(counts, [0, 1, 2]) == pytest.approx(expected)


def test_scores_broadcast(labels):
    truth, predicted = labels
    tables = np.stack([metrics.confusion_matrix(truth[i::3], predicted[i::3], 4) for i in range(3)])
    for score in (metrics.accuracy, metrics.macro_f1, metrics.kappa, metrics.balanced_accuracy):
        np.testing.assert_allclose(score(tables), [score(t) for t in tables])
    assert metrics.f1(tables).shape == (3, 4)


def test_undefined_is_none_not_zero():
    #        F: no true sample, never predicted; S: predicted but absent; V: present, never hit
    counts = [[8, 1, 0, 0], [0, 0, 0, 0], [2, 0, 0, 0], [0, 0, 0, 0]]
    scores = ClassificationScores.from_counts(counts, NAMES).to_json()
    assert scores["classes"]["F"] == {"n": 0, "se": None, "ppv": None, "f1": None}
    assert scores["classes"]["S"] == {"n": 0, "se": None, "ppv": 0.0, "f1": 0.0}
    assert scores["classes"]["V"] == {"n": 2, "se": 0.0, "ppv": None, "f1": 0.0}
    assert scores["balanced_accuracy"] == pytest.approx((8 / 9 + 0) / 2)
    assert scores["macro_f1"] == pytest.approx(16 / 19 / 2)


def test_json_has_the_stable_keys(labels):
    scores = ClassificationScores.from_labels(*labels, NAMES, macro_over=("N", "S", "V")).to_json()
    assert list(scores) == [
        "n", "accuracy", "balanced_accuracy", "macro_f1", "kappa", "classes", "confusion",
    ]  # fmt: skip
    assert json.loads(json.dumps(scores, allow_nan=False)) == scores
    assert scores["n"] == 500 == np.sum(scores["confusion"])
    f1 = [scores["classes"][k]["f1"] for k in ("N", "S", "V")]
    assert scores["macro_f1"] == pytest.approx(np.mean(f1))


def test_empty_counts_are_undefined():
    scores = ClassificationScores.from_labels(np.zeros(0, int), np.zeros(0, int), NAMES).to_json()
    assert scores["n"] == 0
    assert scores["accuracy"] is scores["kappa"] is scores["macro_f1"] is None


@pytest.mark.parametrize(
    "truth, predicted", [([0, 1], [0]), ([0, 4], [0, 1]), ([0, 1], [-1, 1]), ([0.5, 1], [0, 1])]
)
def test_bad_labels(truth, predicted):
    with pytest.raises(DataError):
        metrics.confusion_matrix(truth, predicted, 4)


def test_bad_names():
    with pytest.raises(DataError, match="2 class names"):
        ClassificationScores.from_counts(np.eye(3), ("a", "b"))
    with pytest.raises(DataError, match="unknown classes"):
        ClassificationScores.from_counts(np.eye(2), ("a", "b"), macro_over=("c",))


def test_regression_against_references():
    rng = np.random.default_rng(1)
    x, e = rng.normal(0.3, 1, (5, 200)), rng.normal(0, 0.2, (5, 200))
    y = x + e
    assert metrics.rmse(x, y) == pytest.approx(sk.root_mean_squared_error(x.ravel(), y.ravel()))
    expected = [np.corrcoef(a, b)[0, 1] for a, b in zip(x, y)]
    np.testing.assert_allclose(metrics.correlation(x, y, axis=1), expected)
    np.testing.assert_allclose(metrics.rmse(x, y, axis=1), np.sqrt((e**2).mean(1)))
    # PRD² / 10⁴ is one minus the coefficient of determination.
    expected = 100 * np.sqrt(1 - sk.r2_score(x[0], y[0]))
    assert metrics.prd(x[0], y[0]) == pytest.approx(expected)


def test_flat_reference_is_undefined():
    assert np.isnan(metrics.prd(np.ones(4), np.arange(4)))
    assert np.isnan(metrics.correlation(np.ones(4), np.arange(4)))


def test_light_imports():
    """Reading a finished run loads no torch, and no figure a global pyplot state."""
    code = (
        "import sys\n"
        "from toolkit.core import metrics, plots, report, statistics\n"
        "sys.exit(', '.join({'torch', 'matplotlib.pyplot'} & set(sys.modules)) or None)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
