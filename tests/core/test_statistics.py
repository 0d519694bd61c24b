"""Intervals against scipy's bootstrap, and their coverage."""

import json

import numpy as np
import pytest
from scipy import stats

from toolkit.core import metrics
from toolkit.core.errors import DataError
from toolkit.core.statistics import (
    Interval,
    bootstrap_interval,
    counts_interval,
    iqm,
    mcnemar,
    paired_difference,
    seeds_interval,
)


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize("method", ["percentile", "bca"])
@pytest.mark.parametrize("statistic", [np.mean, np.std])
def test_against_scipy(method, statistic):
    data = rng(1).exponential(size=40)
    ours = bootstrap_interval(statistic, data, method=method, n_resamples=4000, rng=rng())
    theirs = stats.bootstrap(
        (data,), statistic, method=method, n_resamples=4000, rng=rng(2)
    ).confidence_interval
    width = theirs.high - theirs.low
    assert ours.low == pytest.approx(theirs.low, abs=0.08 * width)
    assert ours.high == pytest.approx(theirs.high, abs=0.08 * width)
    assert ours.estimate == statistic(data) and ours.n == 40


def test_bca_formula_equals_scipys_on_the_same_resamples():
    data = rng(3).exponential(size=25)
    reference = stats.bootstrap((data,), np.mean, method="BCa", n_resamples=2000, rng=rng(4))

    class Replay:
        """Draws the very indices that scipy drew, so only the formula is compared."""

        draws = iter(rng(4).integers(0, 25, (2000, 25)))

        def integers(self, n, size):
            return next(self.draws)

    ours = bootstrap_interval(np.mean, data, method="bca", n_resamples=2000, rng=Replay())
    low, high = reference.confidence_interval
    assert (ours.low, ours.high) == pytest.approx((low, high), rel=1e-9)


def test_groups_widen_the_interval_of_correlated_samples():
    record = np.repeat(np.arange(12), 20)
    data = rng(1).normal(size=12)[record] + 0.1 * rng(2).normal(size=240)
    alone = bootstrap_interval(np.mean, data, n_resamples=500, rng=rng())
    grouped = bootstrap_interval(np.mean, data, groups=record, n_resamples=500, rng=rng())
    assert grouped.n == 12
    assert grouped.high - grouped.low > 3 * (alone.high - alone.low)


def test_groups_of_one_are_no_groups():
    data = rng(1).normal(size=(30, 2))
    alone = bootstrap_interval(np.mean, data, n_resamples=50, rng=rng())
    assert alone == bootstrap_interval(
        np.mean, data, groups=np.arange(30), n_resamples=50, rng=rng()
    )


def test_counts_equal_the_general_path():
    truth = rng(1).integers(0, 3, 300)
    predicted = np.where(rng(2).random(300) < 0.8, truth, 0)
    counts = metrics.confusion_matrix(truth, predicted, 3)
    fast = counts_interval(metrics.macro_f1, counts, rng=rng())
    slow = bootstrap_interval(
        lambda d: float(metrics.macro_f1(metrics.confusion_matrix(d[:, 0], d[:, 1], 3))),
        np.stack([truth, predicted], 1),
        n_resamples=3000,
        rng=rng(),
    )
    assert fast.estimate == slow.estimate and fast.n == slow.n == 300
    assert (fast.low, fast.high) == pytest.approx((slow.low, slow.high), abs=0.006)


def test_counts_by_record_equal_the_general_path():
    record = np.sort(rng(1).integers(0, 15, 400))
    truth = rng(2).integers(0, 2, 400)
    predicted = np.where(rng(3).random(400) < rng(4).random(15)[record], truth, 1 - truth)
    tables = np.stack(
        [metrics.confusion_matrix(truth[record == r], predicted[record == r], 2) for r in range(15)]
    )
    fast = counts_interval(metrics.accuracy, tables, rng=rng())
    slow = bootstrap_interval(
        np.mean, truth == predicted, groups=record, n_resamples=3000, rng=rng()
    )
    assert fast.n == slow.n == 15 and fast.estimate == pytest.approx(slow.estimate)
    assert (fast.low, fast.high) == pytest.approx((slow.low, slow.high), abs=0.02)


def test_coverage_is_near_nominal():
    """Of 300 intervals for the mean of 50 normals, about 95 % hold the truth."""
    generator = rng(5)
    hits = sum(
        not paired_difference(
            generator.normal(1, 1, 50), np.zeros(50), n_resamples=600, rng=generator
        ).excludes(1.0)
        for _ in range(300)
    )
    assert 0.90 <= hits / 300 <= 0.98


def test_iqm_against_scipy():
    scores = rng().normal(size=(4, 10))
    np.testing.assert_allclose(iqm(scores, axis=1), stats.trim_mean(scores, 0.25, axis=1))
    assert iqm([0, 1, 2, 1000]) == 1.5


def test_seeds_are_resampled_within_strata():
    """Between-environment spread must not enter the interval; unequal seed counts may."""
    strata = [np.full(5, 1.0), np.full(7, 100.0)]
    interval = seeds_interval(strata, "mean", rng=rng())
    assert interval.low == interval.high == pytest.approx(interval.estimate)
    noisy = [rng(i).normal(i, 1, 10) for i in range(4)]
    mean = seeds_interval(noisy, "mean", rng=rng())
    assert mean.n == 40 and mean.estimate == pytest.approx(np.mean(noisy))
    expected = 2 * 1.96 * np.mean([np.var(s) for s in noisy]) ** 0.5 / np.sqrt(40)
    assert mean.high - mean.low == pytest.approx(expected, rel=0.1)
    middle = seeds_interval(noisy, "iqm", rng=rng())
    assert middle.low < iqm(np.concatenate(noisy)) < middle.high


def test_paired_difference_against_scipy():
    a, b = rng(1).normal(0.3, 1, 30), rng(2).normal(0, 1, 30)
    ours = paired_difference(a, b, rng=rng())
    theirs = stats.bootstrap((a - b,), np.mean, method="BCa", rng=rng(7)).confidence_interval
    assert ours.estimate == pytest.approx(np.mean(a - b)) and ours.n == 30
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.03)


def test_paired_difference_of_many_equal_pairs_and_of_groups():
    a, b = rng(1).random(50_000) < 0.95, rng(2).random(50_000) < 0.94
    ours = paired_difference(a, b, n_resamples=2000, rng=rng())
    error = np.std(a * 1.0 - b) / np.sqrt(50_000)
    assert ours.n == 50_000 and ours.excludes(0)
    assert ours.high - ours.low == pytest.approx(2 * 1.96 * error, rel=0.1)
    one_each = paired_difference(a[:40], b[:40], groups=np.arange(40), rng=rng())
    assert one_each.estimate == pytest.approx(np.mean(a[:40] * 1.0 - b[:40]))
    grouped = paired_difference(a, b, groups=np.arange(50_000) % 20, n_resamples=500, rng=rng())
    assert grouped.n == 20 and grouped.estimate == pytest.approx(ours.estimate)


def test_mcnemar_exact_and_chi2():
    def votes(both, only_a, only_b):
        a = np.repeat([True, True, False], [both, only_a, only_b])
        return a, np.repeat([True, False, True], [both, only_a, only_b])

    small = mcnemar(*votes(100, 8, 2))
    assert (small.only_a, small.only_b, small.method) == (8, 2, "exact")
    assert small.p_value == pytest.approx(0.109375)  # 2 (1 + 10 + 45) / 2¹⁰
    large = mcnemar(*votes(100, 121, 59))
    assert large.method == "chi2" and large.p_value == pytest.approx(stats.chi2.sf(61**2 / 180, 1))
    assert mcnemar([True], [True]).p_value == 1.0


def test_too_few_units_give_no_interval():
    for interval in (
        bootstrap_interval(np.mean, np.array([2.0]), rng=rng()),
        seeds_interval([[2.0]], "mean", rng=rng()),
        seeds_interval([[2.0], [1.0, 3.0]], "mean", rng=rng()),
        paired_difference([3.0], [1.0], rng=rng()),
        counts_interval(metrics.accuracy, np.array([[[2, 0], [0, 3]]]), rng=rng()),
    ):
        assert np.isfinite(interval.estimate) and interval.to_json()["low"] is None
        assert not interval.excludes(0)


def test_undefined_resamples_are_left_out():
    counts = np.array([[50, 0], [1, 1]])
    interval = counts_interval(lambda c: metrics.sensitivity(c)[..., 1], counts, rng=rng())
    assert (interval.low, interval.high) == (0, 1)


def test_constant_data_do_not_warn():
    interval = bootstrap_interval(np.mean, np.ones(9), method="bca", n_resamples=20, rng=rng())
    assert interval.low == interval.high == 1


def test_same_generator_same_interval():
    data = rng(1).normal(size=20)
    first, second = (bootstrap_interval(np.mean, data, n_resamples=99, rng=rng()) for _ in "ab")
    assert first == second


def test_bad_input():
    with pytest.raises(DataError):
        bootstrap_interval(np.mean, np.empty(0), rng=rng())
    with pytest.raises(DataError):
        bootstrap_interval(np.mean, np.ones(3), groups=[1, 2], rng=rng())
    with pytest.raises(DataError):
        paired_difference([1.0, 2.0], [1.0], rng=rng())
    with pytest.raises(DataError):
        mcnemar([True], [True, False])
    with pytest.raises(DataError):
        seeds_interval([], rng=rng())


def test_interval_reads_and_serialises():
    interval = Interval(0.5, 0.25, 0.75, 0.95, 8)
    assert str(interval) == "0.5 [0.25, 0.75]"
    assert json.loads(json.dumps(interval.to_json()))["high"] == 0.75
    assert interval.excludes(0.8) and not interval.excludes(0.5)
