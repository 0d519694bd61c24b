"""Gaps that were made are filled with something like what had been there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from toolkit.core.errors import ConfigError
from toolkit.ecg.filling.fill import ALONE, BRIDGED, EDGE, FILLED, LONG, Gap, fill
from toolkit.ecg.filling.model import GapModel, load_gap_model
from toolkit.ecg.filling.outcome import _resampled
from toolkit.ecg.prediction.readable import Readable
from toolkit.ecg.records import Record
from toolkit.ecg.synthetic import synthesize

WHOLE = synthesize(0, minutes=1.5)
MARK = np.iinfo(WHOLE.signal_adu.dtype).min


@pytest.fixture(scope="module")
def model() -> GapModel:
    return load_gap_model("gaps-ec57", Path("runs"))


def lacking(*gaps_s: tuple[float, float], leads: slice = slice(None)) -> Record:
    adu = np.array(WHOLE.signal_adu)
    for start_s, stop_s in gaps_s:
        adu[round(start_s * WHOLE.fs_hz) : round(stop_s * WHOLE.fs_hz), leads] = MARK
    return replace(WHOLE, signal_adu=adu)


def filled(model: GapModel, record: Record, longest_s: float = 0.5):
    signal = Readable.of(record, tuple(range(len(record.leads))))
    return fill(model, signal, longest_s)


def test_hidden_complexes_come_back_nearer_than_a_straight_line(model) -> None:
    beats = WHOLE.annotations
    assert beats is not None
    peaks = beats.sample[beats.symbol == "N"][4:-4:4] / WHOLE.fs_hz
    record = lacking(*[(peak - 0.1, peak + 0.1) for peak in peaks])
    found, gaps = filled(model, record)
    assert {gap.outcome for gap in gaps} == {FILLED}
    assert len(gaps) == len(peaks) * len(WHOLE.leads) > 20
    hidden = record.signal_adu[:, 0] == MARK
    np.testing.assert_array_equal(found.signal_adu[~hidden], WHOLE.signal_adu[~hidden])
    true, guess = WHOLE.signal_adu[hidden, 0], found.signal_adu[hidden, 0]
    line = np.interp(np.flatnonzero(hidden), np.flatnonzero(~hidden), WHOLE.signal_adu[~hidden, 0])
    assert np.square(guess - true, dtype=float).mean() < 0.5 * np.square(line - true).mean()


def test_what_cannot_be_filled_stays_missing_and_says_why(model) -> None:
    record = lacking((0, 0.2), (30, 30.9))
    found, gaps = filled(model, record)
    assert [gap.outcome for gap in gaps if gap.column == 0] == [EDGE, LONG]
    np.testing.assert_array_equal(found.signal_adu, record.signal_adu)
    alone = filled(model, lacking((0.5, 89.5), (20.0, 20.3)))[1]
    assert {gap.outcome for gap in alone} <= {ALONE, LONG}


def errors(found: Record, start_s: float, stop_s: float) -> tuple[float, float]:
    """Root mean squares, in adu of the main lead: of what was filled, of a straight line."""
    lost = slice(round(start_s * WHOLE.fs_hz), round(stop_s * WHOLE.fs_hz))
    true = WHOLE.signal_adu[lost, 0].astype(float)
    line = np.linspace(*WHOLE.signal_adu[[lost.start - 1, lost.stop], 0], len(true) + 2)[1:-1]
    rms = [np.sqrt(np.square(x - true).mean()) for x in (found.signal_adu[lost, 0], line)]
    return float(rms[0]), float(rms[1])


@pytest.mark.parametrize("away_s", [(0, 90), (25, 50)])
def test_a_lead_that_is_away_for_long_hides_nothing_of_the_other(model, away_s) -> None:
    record = lacking((30, 30.2), leads=slice(1))
    begin, end = (round(s * WHOLE.fs_hz) for s in away_s)
    record.signal_adu[begin:end, 1] = MARK
    found, gaps = filled(model, record)
    assert {(gap.column, gap.outcome) for gap in gaps} == {(0, FILLED), (1, LONG)}
    error, of_line = errors(found, 30, 30.2)
    assert error < 0.5 * of_line


def test_a_long_gap_of_the_main_lead_gets_no_beats(model) -> None:
    found, gaps = filled(model, lacking((30, 50), (70, 70.2)))
    assert [gap.outcome for gap in gaps if gap.column == 0] == [LONG, FILLED]
    error, of_line = errors(found, 70, 70.2)
    assert error < 0.5 * of_line


def test_single_missing_samples_are_bridged(model) -> None:
    record = lacking((30, 30.01))
    found, gaps = filled(model, record)
    first, stop = round(30 * WHOLE.fs_hz), round(30.01 * WHOLE.fs_hz)
    assert gaps == [Gap(column, first, stop, BRIDGED) for column in range(len(WHOLE.leads))]
    assert (found.signal_adu != MARK).all()
    lost = record.signal_adu[:, 0] == MARK
    assert np.abs(found.signal_adu[lost, 0] - WHOLE.signal_adu[lost, 0]).max() < 60


def test_only_the_lead_that_lacks_something_is_changed(model) -> None:
    record = lacking((30, 30.2), leads=slice(1, 2))
    found, gaps = filled(model, record)
    assert [(gap.column, gap.outcome) for gap in gaps] == [(1, FILLED)]
    np.testing.assert_array_equal(found.signal_adu[:, 0], WHOLE.signal_adu[:, 0])
    assert (found.signal_adu != MARK).all()


def test_another_rate_keeps_the_signal_and_what_is_missing() -> None:
    record = lacking((30, 31))
    found = _resampled(record, 250.0)
    assert found.fs_hz == pytest.approx(250) and found.n_samples == 90 * 250
    lost = found.signal_adu[:, 0] == MARK
    assert lost.sum() == pytest.approx(250, abs=2) and lost[30 * 250 + 5 : 31 * 250 - 5].all()
    back = _resampled(found, WHOLE.fs_hz).signal_adu[: WHOLE.n_samples, 0].astype(float)
    seen = slice(round(40 * WHOLE.fs_hz), round(80 * WHOLE.fs_hz))
    error = np.sqrt(np.square(back - WHOLE.signal_adu[:, 0])[seen].mean())
    assert error < 0.05 * np.ptp(WHOLE.signal_adu[seen, 0].astype(float))


def test_a_classifier_and_a_regression_of_something_else_are_refused(tmp_path) -> None:
    with pytest.raises(ConfigError, match="a classifier predicts no signal"):
        load_gap_model("ec57", tmp_path)
    with pytest.raises(
        ConfigError, match="start = 'ordinary'; gaps are filled with start"
    ) as error:
        load_gap_model("encoder-ec57", tmp_path)
    assert "gaps-ec57" in str(error.value)
