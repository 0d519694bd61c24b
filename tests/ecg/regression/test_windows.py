from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from toolkit.core.config import load
from toolkit.core.errors import ConfigError, DataError
from toolkit.ecg import morphology
from toolkit.ecg.beat_examples import BeatExamples, series
from toolkit.ecg.config import PRESETS, AugmentationConfig, EcgPretrainConfig, HidingConfig
from toolkit.ecg.regression import scores, sources
from toolkit.ecg.regression.beat_windows import BeatWindows
from toolkit.ecg.regression.predictors import linear
from toolkit.ecg.regression.pretraining import hidden_loss
from toolkit.ecg.regression.record_windows import RecordWindows
from toolkit.ecg.regression.windows import HiddenExamples
from toolkit.ecg.synthetic import synthesize

RECORD = synthesize(0, minutes=0.5)
PARTS = [series(RECORD, ("MLII",)), series(replace(RECORD, name="b"), ("MLII",))]
PLAIN = AugmentationConfig()
ALIKE = HidingConfig(start="alike")


def examples(**hiding: object) -> HiddenExamples:
    return HiddenExamples(BeatWindows(PARTS), HidingConfig(**hiding), PLAIN)


def test_nothing_of_what_is_hidden_is_seen() -> None:
    for i in range(3, 12):  # of the first record
        made = HiddenExamples(BeatWindows(PARTS, loose_s=0.05), ALIKE, PLAIN)
        (seen,), target = made.batch(np.array([i]), None)
        hidden = target[0, -1].numpy() > 0
        changed = BeatWindows(PARTS, loose_s=0.05)
        changed._beats[i, :, hidden] = 7.0
        changed._records = [np.array(one) for one in changed._records]
        changed._records[0][:, changed._first[i] + np.flatnonzero(hidden)] = 7.0
        (again,), _ = HiddenExamples(changed, made.hiding, PLAIN).batch(np.array([i]), None)
        torch.testing.assert_close(seen, again)


def test_a_gap_is_bridged_by_what_stands_elsewhere_in_the_record() -> None:
    made = examples(start="alike")
    at = np.arange(3, len(PARTS[0]) - 3)
    (seen,), target = made.batch(at, None)
    hidden = (target[:, -1:] > 0).expand(-1, 1, -1)
    errors = (seen[:, :1] - target[:, :1])[hidden]
    ordinary = torch.from_numpy(made.windows.ordinary(at))
    assert errors.square().mean() < (ordinary - target[:, :1])[hidden].square().mean()
    assert set(made._guides) == set(at.tolist())  # found once, kept for the next epoch
    (again,), _ = made.batch(at, None)
    torch.testing.assert_close(seen, again, rtol=0, atol=0)


def test_loose_windows_lie_beside_their_r_peaks() -> None:
    tight, loose = BeatWindows(PARTS), BeatWindows(PARTS, loose_s=0.05)
    at = np.arange(4, 12)
    off = loose._off[at]
    assert len(set(off.tolist())) > 3 and np.abs(off).max() <= 6
    for i, shift in zip(at, off):
        a, b = (one.signals(np.array([i]))[0, 0, 40:80] for one in (tight, loose))
        whole = tight.signals(np.array([i]))[0, 0, 40 + shift : 80 + shift]
        torch.testing.assert_close(b - b.mean(), whole - whole.mean())
        assert shift == 0 or not torch.equal(a, b)
        for other in ("ordinary", "previous"):  # predictors are told where the peak is
            a, b = (getattr(one, other)(np.array([i]))[0, 0] for one in (tight, loose))
            np.testing.assert_array_equal(b[40:80], a[40 + shift : 80 + shift])
    where = [np.flatnonzero(one.near(at)[0]).min() for one in (tight, loose)]
    assert where[0] - where[1] == off[0]


def test_the_beat_before_does_not_show_what_is_hidden() -> None:
    fast = synthesize(5, minutes=0.5)
    squeezed = replace(fast, fs_hz=2 * fast.fs_hz)  # beats half a second apart and less
    part = series(squeezed, ("MLII",))
    windows = BeatWindows([part])
    made = HiddenExamples(windows, HidingConfig(), PLAIN)
    at = np.arange(len(part))
    at_120 = np.round(part.sample * (morphology.FS_HZ / squeezed.fs_hz)).astype(np.int64)
    hidden = made.hidden(at, morphology.WIDTH, None)
    (seen,), _ = made.batch(at, None)
    covered = 0
    for i in range(1, len(part)):
        time = at_120[i] + np.flatnonzero(hidden[i]) - morphology.BEFORE  # in the record
        inside = time - at_120[i - 1] + morphology.BEFORE
        inside = inside[inside < morphology.WIDTH]
        covered += len(inside)
        assert not seen[i, 2, inside].any()  # only the template is there
    assert covered > 100


def test_before_the_first_beat_comes_an_ordinary_one() -> None:
    first = BeatWindows(PARTS).previous(np.array([0, len(PARTS[0])]))
    np.testing.assert_array_equal(first, np.stack([one.template_LT for one in PARTS]))


def test_a_beat_that_is_seen_whole_has_the_classifiers_channels() -> None:
    windows, at = BeatWindows(PARTS), np.arange(1, len(PARTS[0]))
    (signal, _, _), _ = BeatExamples(PARTS).batch(at, None)
    nothing = np.zeros((len(at), morphology.WIDTH), bool)
    torch.testing.assert_close(windows.inputs(windows.signals(at), at, nothing), signal)


def test_the_same_parts_are_hidden_whatever_they_are_asked_with() -> None:
    made = examples()
    whole = made.batch(np.arange(8), None)[1]
    assert torch.equal(made.batch(np.array([5, 2]), None)[1], whole[[5, 2]])


def test_training_hides_other_samples_each_time_unless_like_ones_are_sought() -> None:
    at, random = np.arange(6), np.random.default_rng(0)
    for start, same in (("alike", True), ("ordinary", False)):
        made = examples(start=start)
        hidden = [made.batch(at, g)[1][:, -1] for g in (random, None)]
        assert torch.equal(*hidden) == same


def test_training_asks_for_the_undisturbed_signal() -> None:
    noisy = AugmentationConfig(gain=0.3, noise=0.5)
    made = HiddenExamples(BeatWindows(PARTS), HidingConfig(), noisy)
    at = np.arange(6)
    (seen,), target = made.batch(at, np.random.default_rng(0))
    true = made.windows.signals(at)
    factor = (target[:, :1] * true).sum(-1) / true.square().sum(-1)
    torch.testing.assert_close(target[:, :1], true * factor[..., None])
    assert not torch.allclose(seen[:, :1][target[:, -1:] == 0], target[:, :1][target[:, -1:] == 0])


def test_peaks_are_near_where_they_were_annotated() -> None:
    near = BeatWindows(PARTS[:1]).near(np.arange(3, 6))
    middle = slice(morphology.BEFORE - 7, morphology.BEFORE + 8)
    assert near[:, middle].all() and near.mean() < 0.4


def test_the_loss_is_of_hidden_samples_alone() -> None:
    true, hidden = torch.zeros(2, 1, 4), torch.tensor([[[0.0, 1, 1, 0]], [[0.0, 0, 0, 1]]])
    guess = torch.tensor([[[9.0, 1, 2, 9]], [[9.0, 9, 9, 3]]])
    assert hidden_loss(guess, torch.cat([true, hidden], 1)).item() == pytest.approx(14 / 3)


def test_scores_are_in_millivolts_and_a_perfect_guess_has_no_error() -> None:
    made, at = examples(), np.arange(10)
    true = made.windows.signals(at).numpy()
    found = scores.score(made, at, true)
    assert found["network"]["whole"]["rmse_mv"] == 0
    assert found["network"]["near_r"]["correlation"] == pytest.approx(1)
    off = scores.score(made, at, true + 1)["network"]["whole"]["rmse_mv"]
    assert off == pytest.approx(float(PARTS[0].height_mv_L[0]), rel=1e-4)
    ordinary = {"ordinary beat", "ordinary beat, joined"}
    without = {"hold", "linear", "spline", "previous beat", "like surroundings, joined"}
    assert set(found) == {"network", *without, *ordinary}
    sparse = scores.score(examples(target="upsampling"), at, true)
    assert set(sparse) == set(found) - {"previous beat", "like surroundings, joined"}


def test_windows_of_records_are_cut_where_they_lie() -> None:
    signal = np.sin(np.arange(1000) / 20).astype(np.float32)
    peaks = np.arange(31, 1000, 125)
    windows = RecordWindows([signal], [peaks], np.zeros(3, int), np.array([0, 200, 700]), 300, 360)
    x = windows.signals(np.array([1]))[0, 0].numpy()
    np.testing.assert_allclose(x - x[0], signal[200:500] - signal[200], atol=1e-6)
    previous = windows.previous(np.array([1]))[0, 0]
    np.testing.assert_allclose(previous - previous[0], signal[75:375] - signal[75], atol=1e-6)
    assert np.flatnonzero(windows.near(np.array([1]))[0])[0] == 281 - 200 - 22


def test_gaps_of_a_record_are_bridged_from_elsewhere_in_it() -> None:
    record = synthesize(4, minutes=1)
    signal = record.millivolts(("MLII",))[0]
    peaks = sources._peaks(record)
    start, width = np.array([3600, 9000]), 3600
    windows = RecordWindows([signal], [peaks], np.zeros(2, int), start, width, record.fs_hz)
    made, at = HiddenExamples(windows, ALIKE, PLAIN), np.arange(2)
    (seen,), target = made.batch(at, None)
    hidden = target[:, 1] > 0
    assert 0.05 < hidden.float().mean() < 0.2
    torch.testing.assert_close(seen[:, 0][~hidden], target[:, 0][~hidden])
    lines = torch.from_numpy(linear(target[:, :1].numpy(), hidden.numpy()))
    errors = [(one[:, 0] - target[:, 0])[hidden].square().mean() for one in (seen, lines)]
    assert errors[0] < 0.5 * errors[1]


def test_a_window_near_a_test_fragment_is_refused() -> None:
    sources.prove("x", [0, 20_000], np.array([10_800]))
    with pytest.raises(DataError, match=r"lies 9\.0 s from a test fragment"):
        sources.prove("x", [10_800 + 3600 + 3240], np.array([10_800]))


def test_like_surroundings_are_not_sought_in_records_that_hold_test_fragments() -> None:
    preset = PRESETS / "pretrain" / "fragments17.toml"
    for target in ("gap", "forecast", "upsampling"):
        config = load(EcgPretrainConfig, preset=preset, sets=[f"hiding.target={target}"])
        assert not config.hiding.is_alike
    with pytest.raises(ConfigError, match="test fragments too"):
        load(EcgPretrainConfig, preset=preset, sets=["hiding.start=alike"])
    assert HidingConfig(target="forecast").is_alike
