from __future__ import annotations

import numpy as np
import pytest

from toolkit.ecg.config import HidingConfig
from toolkit.ecg.regression.hiding import hide
from toolkit.ecg.regression.predictors import hold, joined, linear, spline


def hidden(target: str, n: int = 200, width: int = 168, fs_hz: float = 120.0, **how: object):
    settings = HidingConfig(target=target, **{k: v for k, v in how.items() if k != "span"})
    return hide(n, width, fs_hz, settings, np.random.default_rng(0), how.get("span"))


def test_a_gap_is_one_piece_of_its_length_with_something_seen_on_either_side() -> None:
    found = hidden("gap", gap_s=0.2)
    assert (found.sum(1) == 24).all()
    assert not found[:, 0].any() and not found[:, -1].any()
    assert (np.abs(np.diff(found.astype(int), axis=1)).sum(1) == 2).all()
    assert len(np.unique(found.argmax(1))) > 50


def test_longer_windows_have_a_gap_in_every_two_seconds() -> None:
    found = hidden("gap", width=3600, fs_hz=360.0)
    assert (found.sum(1) == 5 * 72).all()
    assert (found.reshape(200, 5, 720).sum(2) == 72).all()


def test_gaps_stay_within_a_span() -> None:
    found = hidden("gap", span=(40, 120))
    assert found[:, 40:120].sum() == found.sum()


def test_the_end_is_what_is_forecast() -> None:
    found = hidden("forecast", forecast_s=0.4)
    assert not found[:, :-48].any() and found[:, -48:].all()


def test_upsampling_sees_every_sixth_sample_from_a_random_first_on() -> None:
    found = hidden("upsampling", low_fs_hz=20)
    assert ((~found).sum(1) == 28).all()
    firsts = (~found).argmax(1)
    assert set(firsts) == set(range(6))
    assert all((np.diff(np.flatnonzero(~row)) == 6).all() for row in found)


T = np.arange(60)
HIDDEN = (T >= 20) & (T < 30)


@pytest.mark.parametrize(
    ("predict", "signal", "worst"),
    [
        (hold, np.where(T < 40, 3.0, 5.0), 0.0),
        (linear, 0.5 * T, 1e-5),
        (spline, np.sin(T / 9), 5e-3),
    ],
)
def test_each_predictor_is_exact_for_the_signal_that_it_assumes(predict, signal, worst) -> None:
    x = np.stack([signal, -signal])[None].astype(np.float32)
    seen = np.where(HIDDEN, 99.0, x).astype(np.float32)  # what is hidden must not be looked at
    found = predict(seen, HIDDEN[None])
    np.testing.assert_allclose(found, x, atol=worst)


@pytest.mark.parametrize("predict", [hold, linear, spline])
def test_predictors_reach_over_ends(predict) -> None:
    x = np.tile(np.arange(12, dtype=np.float32), (2, 1, 1))
    ends = np.zeros((2, 12), bool)
    ends[0, :3], ends[1, 9:] = True, True
    found = predict(x, ends)
    assert found[0, 0, :3].tolist() == [3, 3, 3] and found[1, 0, 9:].tolist() == [8, 8, 8]


def test_a_dense_series_is_interpolated_between_single_samples() -> None:
    t = np.arange(60)
    x = np.sin(t / 8)[None, None].astype(np.float32)
    thin = (t % 6 != 0)[None]
    inside = slice(6, 55)
    error = {p: np.abs(p(x, thin) - x)[0, 0, inside].max() for p in (hold, linear, spline)}
    assert error[spline] < error[linear] < error[hold]


def test_a_guide_is_shifted_to_meet_both_ends() -> None:
    guide = np.sin(T / 3)[None, None].astype(np.float32)
    x = guide + (0.2 * T + 1).astype(np.float32)
    found = joined(np.where(HIDDEN, 99.0, x).astype(np.float32), HIDDEN[None], guide)
    np.testing.assert_allclose(found, x, atol=1e-5)
    np.testing.assert_array_equal(joined(x, HIDDEN[None], None), linear(x, HIDDEN[None]))
