"""Beats as network inputs: blind to labels, closed within a record, reproducible."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from toolkit.core.errors import DataError
from toolkit.ecg import morphology, rhythm
from toolkit.ecg.beat_examples import BeatExamples, BeatSeries, pseudo_record, series
from toolkit.ecg.beats import CLASSES, aami_classes
from toolkit.ecg.config import AugmentationConfig, BeatsConfig
from toolkit.ecg.morphology import WIDTH
from toolkit.ecg.records import Record
from toolkit.ecg.synthetic import synthesize

LEADS = ("MLII", "V1")
N, S, V = range(3)
AUGMENTED = AugmentationConfig(gain=0.2, noise=0.05, wander=0.1, shift_s=0.02)


@pytest.fixture(scope="module")
def record() -> Record:
    return synthesize(1, minutes=1)


@pytest.fixture(scope="module")
def parts(record: Record) -> list[BeatSeries]:
    return [series(r, LEADS) for r in (record, synthesize(2, minutes=0.5), synthesize(3, 0.5))]


def with_symbols(record: Record, symbol: np.ndarray) -> Record:
    return replace(record, annotations=replace(record.annotations, symbol=symbol))


def numbered(label: list[int]) -> BeatSeries:
    """A series whose beats can be told apart: beat i is i everywhere."""
    n = len(label)
    beats = np.broadcast_to(np.arange(n, dtype=np.float32)[:, None, None], (n, 1, WIDTH)).copy()
    rr_s = np.random.default_rng(0).uniform(0.6, 1.0, n)
    side, template = np.zeros((n, 5), np.float32), np.zeros((1, WIDTH), np.float32)
    at = np.arange(n)
    ones = np.ones((n, 1), np.float32)
    signal = np.zeros((1, 100 * n), np.float32)
    labels = np.array(label, np.int64)
    return BeatSeries(
        "r", labels, rr_s, beats, at, template, side, ones, at, ones[0], signal, 100 * at
    )


def test_labels_change_no_feature(record: Record) -> None:
    symbol = record.annotations.symbol.copy()
    is_beat = aami_classes(symbol) >= 0
    symbol[is_beat] = np.random.default_rng(0).permutation(symbol[is_beat])
    a, b = series(record, LEADS), series(with_symbols(record, symbol), LEADS)
    assert (a.label != b.label).any()
    for name in ("rr_s", "beats_BLT", "template_LT", "side_BS", "p_coherence_BL", "sample"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))


def test_annotations_that_are_no_beats_are_left_out(record: Record) -> None:
    assert (record.annotations.symbol == "+").any()
    one = series(record, LEADS)
    assert len(one) == (aami_classes(record.annotations.symbol) >= 0).sum()
    assert one.beats_BLT.shape == (len(one), 2, WIDTH)
    assert np.isfinite(one.side_BS).all()


def test_records_that_cannot_be_used_are_refused(record: Record) -> None:
    with pytest.raises(DataError, match="no annotations"):
        series(replace(record, annotations=None), LEADS)
    nothing = np.full(len(record.annotations.symbol), "+")
    with pytest.raises(DataError, match="0 beats"):
        series(with_symbols(record, nothing), LEADS)
    with pytest.raises(DataError, match="V5"):
        series(record, ("V5",))


@given(st.lists(st.sampled_from([N, S, V]), min_size=1, max_size=60), st.integers(1, 5))
def test_pseudo_records_keep_the_beats_near_s_and_no_others(label: list[int], most: int) -> None:
    source = numbered(label)
    made = pseudo_record(source, most, np.random.default_rng(0))
    at_s = np.flatnonzero(source.label == S)
    certain = {i for s in at_s for i in range(s - 1, s + 2) if 0 <= i < len(label)}
    possible = {i for s in at_s for i in range(s - most, s + most + 1) if 0 <= i < len(label)}
    if made is None:
        assert len(certain) < 8
        return
    kept = made.sample.tolist()
    assert kept == sorted(set(kept))
    assert certain <= set(kept) <= possible
    np.testing.assert_array_equal(made.label, source.label[kept])
    np.testing.assert_array_equal(made.rr_s, source.rr_s[kept])
    np.testing.assert_array_equal(made.beats_BLT[:, 0, 0], kept)


def test_the_reach_of_one_keeps_exactly_the_neighbours() -> None:
    label = [N, N, S, N, N, N, N, S, S, N, N, N, S, N, N]
    made = pseudo_record(numbered(label), 1, np.random.default_rng(5))
    assert made is not None
    assert made.sample.tolist() == [1, 2, 3, 6, 7, 8, 9, 11, 12, 13]


def test_pseudo_records_have_features_of_their_own(parts: list[BeatSeries]) -> None:
    source = replace(parts[0], label=np.where(np.arange(len(parts[0])) % 9 == 0, S, N))
    made = pseudo_record(source, 2, np.random.default_rng(0))
    assert made is not None
    rows = np.isin(source.sample, made.sample)
    assert made.side_BS.shape == (rows.sum(), source.side_BS.shape[1])
    assert not np.array_equal(made.side_BS, source.side_BS[rows])


def test_inputs_are_beat_residual_and_residual_of_the_beat_before(parts: list[BeatSeries]) -> None:
    examples = BeatExamples(parts)
    assert len(examples) == sum(map(len, parts))
    (signal, side, _), label = examples.batch(np.arange(len(examples)), None)
    assert signal.shape == (len(examples), 6, WIDTH)
    start = 0
    for part in parts:
        rows = slice(start, start + len(part))
        beats, ordinary = torch.from_numpy(part.beats_BLT), torch.from_numpy(part.template_LT)
        before = torch.cat([beats[:1], beats[:-1]])  # the first beat is its own predecessor
        wanted = torch.cat([beats, beats - ordinary, before - ordinary], dim=1)
        assert torch.equal(signal[rows], wanted)
        assert torch.equal(side[rows], torch.from_numpy(part.side_BS))
        assert torch.equal(label[rows], torch.from_numpy(part.label))
        start += len(part)


def test_a_chosen_beat_keeps_the_beat_that_came_before_it() -> None:
    chosen = numbered([N] * 9).rows(np.array([2, 5, 8]))
    (signal, _, _), label = BeatExamples([numbered([N] * 4), chosen]).batch(np.arange(4, 7), None)
    assert len(label) == 3
    assert signal[:, 0, 0].tolist() == [2, 5, 8]  # the beat itself
    assert signal[:, 2, 0].tolist() == [1, 4, 7]  # the one before; the template is 0


def test_the_beat_before_is_never_another_records(parts: list[BeatSeries]) -> None:
    """Changing the last beats of one record leaves the inputs of the next alone."""
    changed = replace(parts[0], beats_BLT=parts[0].beats_BLT + 1)
    first = np.array([len(parts[0]), len(parts[0]) + len(parts[1])])
    before = BeatExamples(parts).batch(first, None)
    after = BeatExamples([changed, *parts[1:]]).batch(first, None)
    assert torch.equal(before[0][0], after[0][0])


def test_a_batch_is_a_function_of_its_generator(parts: list[BeatSeries]) -> None:
    examples = BeatExamples(parts, AUGMENTED, BeatsConfig(side_noise=0.1))
    rows = np.array([5, 3, 5, 40])
    a, b, c = (examples.batch(rows, np.random.default_rng(seed))[0] for seed in (1, 1, 2))
    plain = examples.batch(rows, None)[0]
    for i in (0, 1):
        assert torch.equal(a[i], b[i])
        assert not torch.equal(a[i], c[i])
        assert not torch.equal(a[i], plain[i])
        assert torch.equal(plain[i], examples.batch(rows, None)[0][i])  # nothing was changed
    assert not torch.equal(a[0][0], a[0][2])  # the same beat twice, disturbed anew


def test_hidden_leads_leave_no_trace_but_the_first_is_always_there(
    parts: list[BeatSeries],
) -> None:
    often = BeatsConfig(lead_dropout=0.5, side_noise=0.0)
    examples = BeatExamples(parts, settings=often)
    rows = np.arange(len(examples))
    (signal, side, coherence), _ = examples.batch(rows, np.random.default_rng(0))
    (plain, plain_side, best), _ = examples.batch(rows, None)
    first = [0, 2, 4]  # of each pair of channels
    assert torch.equal(signal[:, first], plain[:, first])
    hidden = (signal[:, [1, 3, 5]] == 0).all(dim=(1, 2))
    assert 0.3 < hidden.float().mean() < 0.7
    assert torch.equal(signal[~hidden], plain[~hidden])
    assert torch.equal(side[~hidden], plain_side[~hidden])
    own = rhythm.FEATURES + morphology.FEATURES_PER_LEAD
    assert torch.equal(side[:, :own], plain_side[:, :own])
    assert (side[hidden, own:] == side[hidden, own:][:1]).all()
    of_leads = torch.from_numpy(np.concatenate([part.p_coherence_BL for part in parts]))
    assert torch.equal(best, of_leads.amax(dim=1))
    assert torch.equal(coherence, torch.where(hidden, of_leads[:, 0], best))


def test_rows_keep_the_features_they_had(parts: list[BeatSeries]) -> None:
    some = parts[0].rows(np.array([2, 7]))
    assert len(some) == 2
    np.testing.assert_array_equal(some.side_BS, parts[0].side_BS[[2, 7]])
    assert some.template_LT is parts[0].template_LT


def test_classes_are_known() -> None:
    assert (CLASSES[N], CLASSES[S], CLASSES[V]) == ("N", "S", "V")
