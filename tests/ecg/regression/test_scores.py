"""What the figures of a regression are summed up in."""

from __future__ import annotations

from toolkit.ecg.regression.scores import headline, remarks


def near_r(**rmse_mv):
    whole = {"rmse_mv": 0.1, "correlation": 0.9}
    return {name: {"whole": whole, "near_r": {"rmse_mv": value}} for name, value in rmse_mv.items()}


def test_a_network_that_is_beaten_says_by_whom():
    summary = headline(near_r(network=0.3, hold=0.7, spline=0.2, previous=None))
    assert (summary["best_other"], summary["best_other_near_r_mv"]) == ("spline", 0.2)
    (remark,) = remarks(summary)
    assert "spline is better than the network (0.200 mV against 0.300)" in remark


def test_one_that_is_not_says_nothing():
    assert remarks(headline(near_r(network=0.3, hold=0.7))) == []
    assert remarks(headline(near_r(network=None, hold=0.7))) == []
    assert headline(near_r(network=0.3))["best_other"] is None
