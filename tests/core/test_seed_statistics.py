"""Comparisons over seeds: known cases, scipy's statistic, and what a profile must do."""

import numpy as np
import pytest
from scipy import stats

from toolkit.core.errors import DataError
from toolkit.core.seed_statistics import (
    performance_profile,
    probability_of_improvement,
    seeds_curve,
)
from toolkit.core.statistics import iqm, pooled, seeds_interval


def rng(seed=0):
    return np.random.default_rng(seed)


def test_a_method_that_is_always_better_improves_surely():
    found = probability_of_improvement([[3, 4], [30, 40]], [[1, 2], [10, 20]], rng=rng())
    assert (found.estimate, found.low, found.high, found.n) == (1, 1, 1, 8)
    turned = probability_of_improvement([[1, 2]], [[3, 4]], rng=rng())
    assert (turned.estimate, turned.low, turned.high) == (0, 0, 0)


def test_equal_scores_improve_by_half():
    found = probability_of_improvement([[5, 5, 5]], [[5, 5, 5]], rng=rng())
    assert (found.estimate, found.low, found.high) == (0.5, 0.5, 0.5)


def test_improvement_is_the_mann_whitney_statistic_averaged_over_environments():
    a, b = rng(1).normal(0.5, 1, (2, 7)), rng(2).normal(0, 1, (2, 5))
    expected = [stats.mannwhitneyu(x, y).statistic / 35 for x, y in zip(a, b)]
    found = probability_of_improvement(a, b, rng=rng())
    assert found.estimate == pytest.approx(np.mean(expected))
    assert found.low < found.estimate < found.high


def test_improvement_of_the_one_is_the_loss_of_the_other():
    a, b = [[1.0, 4.0, 2.0]], [[3.0, 2.0]]
    ab, ba = (probability_of_improvement(*pair, rng=rng()).estimate for pair in ((a, b), (b, a)))
    assert ab + ba == pytest.approx(1)


def test_one_seed_leaves_intervals_undefined():
    found = probability_of_improvement([[3, 4], [1]], [[1, 2], [3, 4]], rng=rng())
    assert found.estimate == 0.5 and np.isnan([found.low, found.high]).all()
    profile = performance_profile([[1.0]], [0, 2], rng=rng())
    assert profile.middle.tolist() == [1, 0] and np.isnan([profile.low, profile.high]).all()
    curve = seeds_curve([[1.0, 2.0]], rng=rng())
    assert curve.middle.tolist() == [1, 2] and np.isnan([curve.low, curve.high]).all()


def test_environments_count_alike_however_many_seeds_they_have():
    more_often, better = [[1.0] * 5, [0.1] * 2], [[1.001] * 2, [0.101] * 5]
    for aggregate in ("mean", "iqm"):
        a, b = (seeds_interval(one, aggregate, rng=rng()) for one in (more_often, better))
        assert a.estimate == pytest.approx(0.55) and b.estimate == pytest.approx(0.551)
        assert (a.n, a.low, a.high) == (7, pytest.approx(0.55), pytest.approx(0.55))
    profiles = [performance_profile(one, [0.5], rng=rng()) for one in (more_often, better)]
    assert [one.middle.item() for one in profiles] == [0.5, 0.5]
    noisy = [rng(1).normal(1, 1, 4), rng(2).normal(0, 1, 4)]
    assert pooled(noisy).tolist() == np.concatenate(noisy).tolist()  # nothing is repeated


def test_a_profile_falls_from_one_to_zero():
    strata = [rng(1).normal(1, 0.3, 5), rng(2).normal(0.5, 0.3, 3)]
    at = np.linspace(-2, 4, 50)
    profile = performance_profile(strata, at, rng=rng())
    for part in profile:
        assert (np.diff(part) <= 0).all() and part[0] == 1 and part[-1] == 0
    assert (profile.low <= profile.middle).all() and (profile.middle <= profile.high).all()
    index = 20
    assert profile.middle[index] == np.mean(pooled(strata) > at[index])


@pytest.mark.parametrize("aggregate", ["mean", "iqm"])
def test_each_point_of_a_curve_has_the_interval_of_its_seeds(aggregate):
    curves = rng(3).normal(size=(6, 4)) * [1, 1, 10, 10]
    found = seeds_curve(curves, aggregate, n_resamples=8000, rng=rng())
    for point, column in enumerate(curves.T):
        expected = seeds_interval([column], aggregate, rng=rng(7))
        width = expected.high - expected.low
        assert found.middle[point] == pytest.approx(expected.estimate)
        assert found.low[point] == pytest.approx(expected.low, abs=0.08 * width)
        assert found.high[point] == pytest.approx(expected.high, abs=0.08 * width)
    assert seeds_curve(curves, rng=rng()).middle == pytest.approx(iqm(curves, axis=0))


@pytest.mark.parametrize("strata", [[], [[1.0], []]])
def test_scores_without_a_seed_are_refused(strata):
    with pytest.raises(DataError, match="at least one seed"):
        performance_profile(strata, [0.5], rng=rng())
    with pytest.raises(DataError, match="at least one seed"):
        probability_of_improvement(strata, strata, rng=rng())
    with pytest.raises(DataError, match="nothing to aggregate"):
        seeds_curve(np.empty((0, 3)), rng=rng())


def test_methods_on_other_numbers_of_environments_are_refused():
    with pytest.raises(DataError, match="2 environments against those of 1"):
        probability_of_improvement([[1], [2]], [[1]], rng=rng())
