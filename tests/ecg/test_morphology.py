"""Beat windows and shape features: blind to amplification, baseline and sampling frequency."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import signal

from toolkit.core.errors import DataError
from toolkit.ecg.beats import aami_classes
from toolkit.ecg.morphology import (
    BEFORE,
    FEATURES_PER_LEAD,
    FS_HZ,
    WIDTH,
    beat_windows,
    filtered,
    p_coherence,
    shape_features,
    template,
)
from toolkit.ecg.records import Record
from toolkit.ecg.synthetic import synthesize

LEADS = ("MLII", "V1")


@pytest.fixture(scope="module")
def record() -> Record:
    return synthesize(0, minutes=1)


def peaks(record: Record) -> np.ndarray:
    marks = record.annotations
    sample = marks.sample[aami_classes(marks.symbol) >= 0]
    return np.round(sample * FS_HZ / record.fs_hz).astype(np.int64)


def windows(record: Record) -> np.ndarray:
    return beat_windows(filtered(record, LEADS), peaks(record))


def test_windows_are_centred_on_the_r_peak(record: Record) -> None:
    beats = windows(record)
    assert beats.shape == (len(peaks(record)), 2, WIDTH)
    assert beats.dtype == np.float32
    typical = np.median(beats[:, 0], axis=0)
    assert abs(int(typical.argmax()) - BEFORE) <= 1


@pytest.mark.parametrize("factor", [0.25, 4.0])
def test_amplification_changes_next_to_nothing(record: Record, factor: float) -> None:
    x = filtered(record, LEADS)
    at = peaks(record)
    np.testing.assert_allclose(beat_windows(factor * x, at), beat_windows(x, at), atol=0.02)


def test_a_constant_offset_changes_nothing(record: Record) -> None:
    shifted = replace(record, baseline=tuple(b - 100 for b in record.baseline))
    np.testing.assert_allclose(windows(shifted), windows(record), atol=2e-3)


def test_half_the_sampling_frequency_gives_the_same_beats(record: Record) -> None:
    coarse = replace(record, fs_hz=record.fs_hz / 2, signal_adu=record.signal_adu[::2])
    beats = beat_windows(filtered(coarse, LEADS), peaks(record))
    inner = slice(2, -2)
    correlation = np.corrcoef(beats[inner].ravel(), windows(record)[inner].ravel())[0, 1]
    assert correlation > 0.98


def test_beats_at_the_ends_are_whole_and_finite(record: Record) -> None:
    x = filtered(record, LEADS)
    beats = beat_windows(x, np.array([0, 1, 500, x.shape[1] - 1]))
    assert beats.shape == (4, 2, WIDTH)
    assert np.isfinite(beats).all()


def test_a_flat_lead_gives_finite_features() -> None:
    beats = beat_windows(np.zeros((1, 5000), np.float32), np.arange(100, 4900, 100))
    features = shape_features(beats, template(beats, np.ones(len(beats))))
    assert np.isfinite(features).all()


def test_shape_features_tell_odd_beats_from_ordinary_ones(record: Record) -> None:
    beats, labels = windows(record), aami_classes(record.annotations.symbol)
    labels = labels[labels >= 0]
    features = shape_features(beats, template(beats, np.ones(len(beats))))
    assert features.shape == (len(beats), 2 * FEATURES_PER_LEAD)
    assert features.dtype == np.float32
    ordinary = np.median(features[labels == 0], axis=0)
    distance = np.abs(features - ordinary).mean(axis=1)
    assert np.median(distance[labels == 2]) > 2 * np.median(distance[labels == 0])


def test_p_waves_are_alike_in_sinus_rhythm_and_not_in_fibrillation() -> None:
    record = synthesize(0, minutes=4, profile="afib")  # in its second half
    coherence = p_coherence(windows(record)).max(axis=1)
    rhythm = record.annotations.symbol == "+"
    (_, onset) = record.annotations.sample[rhythm]
    beat = aami_classes(record.annotations.symbol) >= 0
    late_s = (record.annotations.sample[beat] - onset) / record.fs_hz
    assert np.median(coherence[late_s < -20]) > 0.4
    assert (coherence[late_s > 20] < 0.1).mean() > 0.9


def test_p_coherence_is_the_mean_correlation_of_pairs(record: Record) -> None:
    beats = windows(record)[:12]
    p = signal.detrend(beats[:, 0, BEFORE - 31 : BEFORE - 10].astype(float), axis=1)
    p /= np.sqrt((p**2).sum(axis=1, keepdims=True))
    expected = (p @ p.T)[~np.eye(12, dtype=bool)].mean()
    np.testing.assert_allclose(p_coherence(beats)[:, 0], expected, atol=0.02)
    assert np.isfinite(p_coherence(beats[:1])).all()
    np.testing.assert_array_equal(p_coherence(np.zeros((5, 2, WIDTH), np.float32)), 0)


def test_the_template_is_made_of_late_beats() -> None:
    beats = np.zeros((20, 1, WIDTH), np.float32)
    beats[:12] = 1  # most beats are early ones
    rr_s = np.where(np.arange(20) < 12, 0.5, 1.0)
    np.testing.assert_array_equal(template(beats, rr_s), 0)


def test_missing_samples_are_refused(record: Record) -> None:
    adu = record.signal_adu.copy()
    adu[100, 0] = np.iinfo(adu.dtype).min
    with pytest.raises(DataError, match="missing samples"):
        filtered(replace(record, signal_adu=adu), LEADS)


def test_a_missing_lead_is_named(record: Record) -> None:
    with pytest.raises(DataError, match="V5"):
        filtered(record, ("V5",))


@pytest.mark.parametrize("n_samples", [1, 10, 400])
def test_a_record_shorter_than_a_window_is_refused(record: Record, n_samples: int) -> None:
    with pytest.raises(DataError, match="window"):
        filtered(replace(record, signal_adu=record.signal_adu[:n_samples]), LEADS)
