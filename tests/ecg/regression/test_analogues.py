"""Stretches in like surroundings stand in for what is hidden."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from toolkit.ecg.regression.analogues import _shares, analogue, fill_window

FS_HZ = 120.0
GAP = slice(1956, 1980)  # around the large wave


def hearts(size: float | NDArray = 1.0, fs_hz: float = FS_HZ) -> NDArray:
    """(1, samples) a minute of narrow waves in every 0.8 s, after small ones that announce them."""
    t = np.arange(round(60 * fs_hz)) / fs_hz % 0.8
    waves = 0.2 * np.exp(-(((t - 0.2) / 0.03) ** 2)) + size * np.exp(-(((t - 0.4) / 0.02) ** 2))
    return waves.astype(np.float32)[None]


def hide(x_LT: NDArray, gap: slice = GAP, leads: slice = slice(None)) -> NDArray:
    hidden = np.zeros(x_LT.shape, bool)
    hidden[leads, gap] = True
    return hidden


@pytest.mark.parametrize(("fs_hz", "start"), [(120.0, 1956), (360.0, 5869), (250.0, 4075)])
def test_what_repeats_itself_comes_back_at_any_rate(fs_hz: float, start: int) -> None:
    x, gap = hearts(fs_hz=fs_hz), slice(start, start + round(0.25 * fs_hz))
    assert np.ptp(x[0, gap]) > 0.1
    lost = np.where(hide(x, gap), 9.0, x).astype(np.float32)
    found = analogue(lost, gap.start, gap.stop, hide(x, gap), fs_hz)
    assert found is not None
    np.testing.assert_allclose(found, x[:, gap.start - 1 : gap.stop + 1], atol=0.05)


def test_nothing_that_is_hidden_is_looked_at() -> None:
    x = hearts() + np.random.default_rng(0).normal(0, 0.02, (1, 7200)).astype(np.float32)
    hidden = hide(x) | hide(x, slice(1990, 2010)) | hide(x, slice(4000, 4020))
    changed = np.where(hidden, 7.0, x).astype(np.float32)
    found, again = (analogue(one, GAP.start, GAP.stop, hidden, FS_HZ) for one in (x, changed))
    assert found is not None
    np.testing.assert_array_equal(found, again)


def test_what_another_lead_shows_of_the_gap_counts() -> None:
    beat_T = np.arange(7200) // 96
    large = (np.random.default_rng(1).random(75) < 0.5)[beat_T]  # beats of two sizes, by chance
    both = np.concatenate([hearts(np.where(large, 2, 1)), hearts(np.where(large, -1, 1))])
    errors = []
    for leads in (slice(0, 1), slice(None)):
        part = both[leads]
        for beat in range(20, 40):
            gap = slice(96 * beat + 36, 96 * beat + 60)
            found = analogue(part, gap.start, gap.stop, hide(part, gap, slice(0, 1)), FS_HZ)
            assert found is not None
            errors.append(np.abs(found[0, 1:-1] - part[0, gap]).max())
    assert np.mean(errors[20:]) < 0.1 < np.mean(errors[:20])


def test_there_is_none_at_an_end_or_where_all_else_is_hidden() -> None:
    x = hearts()
    assert analogue(x, 0, 24, hide(x, slice(0, 24)), FS_HZ) is None
    assert analogue(x, 7190, 7200, hide(x, slice(7190, 7200)), FS_HZ) is None
    assert analogue(x, -30, -6, hide(x), FS_HZ) is None
    assert analogue(x, 2000, 2024, np.ones(x.shape, bool), FS_HZ) is None
    short = x[:, :90]
    assert analogue(short, 40, 64, hide(short, slice(40, 64)), FS_HZ) is None


def test_shares_are_one_in_all_and_fit_the_surroundings_better_than_likeness_alone() -> None:
    random = np.random.default_rng(0)
    near, own = random.normal(size=(30, 10)), random.normal(size=30)
    costs = np.square(near - own[:, None]).sum(axis=0)
    order = np.argsort(costs)
    shares = _shares(costs[order], near[:, order], own)
    assert shares.sum() == pytest.approx(1)
    alone = np.exp((costs.min() - costs[order]) / (0.5 * costs.min()))
    alone /= alone.sum()
    errors = [np.square(near[:, order] @ one - own).sum() for one in (shares, alone)]
    assert errors[0] < errors[1]


def test_stretches_that_are_all_the_same_are_no_trouble() -> None:
    shares = _shares(np.zeros(4, np.float32), np.ones((6, 4)), np.ones(6))
    np.testing.assert_allclose(shares, 0.25)


def test_a_window_keeps_what_has_no_analogue() -> None:
    x = hearts()
    guide = np.full((1, 60), 5.0, np.float32)
    hidden = np.zeros(60, bool)
    hidden[2:6] = True  # before the recording begins
    hidden[30:54] = True
    fill_window(guide, x, -10, hidden, FS_HZ)
    assert (guide[0, :29] == 5).all() and (guide[0, 55:] == 5).all()
    np.testing.assert_allclose(guide[0, 29:55], x[0, 19:45], atol=0.05)


def test_a_forecast_repeats_what_went_before_and_never_looks_ahead() -> None:
    x = hearts() + np.random.default_rng(0).normal(0, 0.01, (1, 7200)).astype(np.float32)
    width, first = 168, 31 * 96  # a large wave is to come
    hidden, ahead = np.arange(width) >= width - 48, np.arange(7200) - first - width
    other = np.where((ahead >= -48) & (ahead < 96), 5.0, x).astype(np.float32)
    guides = []
    for signal in (x, other):
        guide = np.zeros((1, width), np.float32)
        fill_window(guide, signal, first, hidden, FS_HZ)
        guides.append(guide)
    np.testing.assert_array_equal(*guides)
    true = x[:, first : first + width]
    assert np.ptp(true[0, hidden]) > 0.9
    np.testing.assert_allclose(guides[0][:, hidden], true[:, hidden], atol=0.1)
