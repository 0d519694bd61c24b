"""R peaks: against reference beats, whatever the polarity, the rate, the block or the gaps."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import signal

from toolkit.ecg.beats import PACED, aami_classes
from toolkit.ecg.prediction.detection import detect
from toolkit.ecg.prediction.thresholds import accepted
from toolkit.ecg.synthetic import synthesize

WINDOW_S = 0.15


def reader(x_LT):
    return lambda start, stop: x_LT[:, start:stop].astype(np.float32)


def hits(reference, found, reach):
    """Beats of ``reference`` with one of ``found`` within reach, each used once."""
    pairs, used = 0, -1
    for at in reference.tolist():
        near = np.flatnonzero(np.abs(found - at) <= reach)
        near = near[near > used]
        if len(near):
            used, pairs = int(near[0]), pairs + 1
    return pairs


@pytest.fixture(scope="module")
def record():
    return synthesize(3, 3.0)


@pytest.fixture(scope="module")
def beats(record):
    return record.annotations.sample[aami_classes(record.annotations.symbol) >= 0]


@pytest.fixture(scope="module")
def x_LT(record):  # noqa: N802
    return record.millivolts(record.leads)


def check(found, reference, fs_hz):
    count = hits(reference, found, WINDOW_S * fs_hz)
    assert count >= 0.99 * len(reference)
    assert count >= 0.99 * len(found)


@pytest.mark.parametrize("change", [1.0, -1.0, 0.1, 10.0])
def test_polarity_and_amplitude_do_not_matter(x_LT, beats, change):
    check(detect(reader(x_LT * change), x_LT.shape[1], 360.0), beats, 360)


@pytest.mark.parametrize("fs_hz", [128, 200, 250, 257, 500, 1000])
def test_any_sampling_rate_will_do(x_LT, beats, fs_hz):
    resampled = signal.resample_poly(x_LT, fs_hz, 360, axis=1, padtype="line")
    check(detect(reader(resampled), resampled.shape[1], fs_hz), beats * fs_hz / 360, fs_hz)


@pytest.mark.parametrize("leads", [[0], [1], [1, 0]])
def test_one_lead_is_enough(x_LT, beats, leads):
    check(detect(reader(x_LT[leads]), x_LT.shape[1], 360.0), beats, 360)


@pytest.mark.parametrize("fs_hz", [360.0, 250.0, 333.3])
def test_the_block_size_does_not_matter(x_LT, fs_hz):
    x_LT = x_LT.copy()
    x_LT[:, 20_000:23_000] = np.nan
    whole = detect(reader(x_LT), x_LT.shape[1], fs_hz, block_s=1e6)
    assert len(whole) > 100
    for block_s in (1.0, 7.0, 31.3, 100.0):
        assert np.array_equal(detect(reader(x_LT), x_LT.shape[1], fs_hz, block_s=block_s), whole)


def test_a_lead_of_noise_hides_no_beats(x_LT, beats):
    noise = np.random.default_rng(0).normal(0, 0.3, x_LT.shape[1])
    check(detect(reader(np.stack([x_LT[0], noise])), x_LT.shape[1], 360.0), beats, 360)


def test_nothing_is_found_where_nothing_can_be_read(x_LT, beats):
    start, stop = 20_000, 30_000
    gap = x_LT.copy()
    gap[:, start:stop] = np.nan
    found = detect(reader(gap), gap.shape[1], 360.0)
    assert not ((found >= start - 20) & (found < stop + 20)).any()
    outside = beats[(beats < start - 360) | (beats > stop + 360)]
    assert hits(outside, found, WINDOW_S * 360) >= 0.99 * len(outside)


def test_the_other_lead_places_the_peaks_where_the_main_one_is_away(x_LT, beats):
    start, stop = 20_000, 30_000
    away = x_LT.copy()
    away[0, start:stop] = np.nan
    found, other = (detect(reader(x), x.shape[1], 360.0) for x in (away, x_LT[1:]))
    inside = other[(other > start + 100) & (other < stop - 100)]
    assert len(inside) > 20
    assert np.isin(inside, found).all()
    outside = found[(found < start - 100) | (found > stop + 100)]
    assert np.isin(outside, detect(reader(x_LT), x_LT.shape[1], 360.0)).all()


def test_a_peak_at_the_edge_of_a_gap_stays_where_it_was_detected(x_LT, beats):
    away = x_LT[:1].copy()
    for at in (beats[40], beats[80]):
        away[0, at + 15 : at + 400] = np.nan
    found = detect(reader(away), away.shape[1], 360.0)
    for at in (beats[40], beats[80]):
        near = found[np.abs(found - at) <= 54]
        assert all(np.abs(near - at) <= 20)


@pytest.mark.parametrize("value", [0.0, 5.0, np.nan])
def test_a_constant_signal_has_no_beats(value):
    assert not len(detect(reader(np.full((2, 36_000), value)), 36_000, 360.0))


def test_no_two_beats_are_nearer_than_the_refractory_period():
    noise = np.random.default_rng(1).normal(0, 1, (1, 100_000))
    found = detect(reader(noise), noise.shape[1], 360.0)
    assert len(found) > 100
    assert np.diff(found).min() >= 0.2 * 360


def test_a_low_beat_that_is_overdue_is_searched_for():
    time_s = np.arange(20) * 0.8
    height = np.ones(20)
    height[10] = 0.25  # below the threshold, above half of it
    assert accepted(time_s, height).tolist() == list(range(20))


def test_a_low_peak_soon_after_a_beat_is_its_t_wave():
    time_s = np.sort(np.concatenate([np.arange(10) * 0.8, np.arange(10) * 0.8 + 0.3]))
    height = np.tile([1.0, 0.45], 10)
    assert accepted(time_s, height).tolist() == list(range(0, 20, 2))


def test_beats_of_all_real_records_are_found(real_records):
    totals = np.zeros(3, int)  # found, reference, detections
    for name, record in real_records.items():
        if name in PACED:
            continue
        leads = ("MLII", "*")
        columns = record.columns(leads)
        read = lambda a, b, r=record, c=columns: r.to_millivolts(r.signal_adu[a:b, c], c).T  # noqa: E731
        found = detect(read, record.n_samples, record.fs_hz)
        notes = record.annotations
        reference = notes.sample[aami_classes(notes.symbol) >= 0]
        flutter = zip(notes.sample[notes.symbol == "["], notes.sample[notes.symbol == "]"])
        for start, stop in flutter:
            reference = reference[(reference < start) | (reference > stop)]
            found = found[(found < start - 54) | (found > stop + 54)]
        n = hits(reference, found, WINDOW_S * record.fs_hz)
        assert n > 0.95 * max(len(reference), len(found)), name
        totals += (n, len(reference), len(found))
    sensitivity, predictivity = totals[0] / totals[1], totals[0] / totals[2]
    assert sensitivity > 0.997
    assert predictivity > 0.995
