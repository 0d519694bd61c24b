"""Protocols: disjoint parts, statistics from training alone, draws by the stated shares."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from toolkit.core.config import load
from toolkit.core.errors import ConfigError, DataError
from toolkit.ecg import database, fragments
from toolkit.ecg.beat_study import beat_study
from toolkit.ecg.beats import CLASSES, DS1, DS2, PACED, aami_classes
from toolkit.ecg.config import PRESETS, EcgTrainConfig
from toolkit.ecg.database import Database
from toolkit.ecg.fragment_study import fragment_study
from toolkit.ecg.records import Record
from toolkit.ecg.study import Study
from toolkit.ecg.synthetic import synthesize

BEATS = ("fold", "folds", "pseudo_share", "class_shares")


def settings(preset: str, **flags: Any) -> EcgTrainConfig:
    beats = {key: flags.pop(key) for key in BEATS if key in flags}
    by = {"fragments": {"split_by": flags.pop("split_by")}} if "split_by" in flags else {}
    given = {**flags, **by, **({"beats": beats} if beats else {})}
    return load(EcgTrainConfig, preset=PRESETS / f"{preset}.toml", flags=given)


@pytest.fixture(scope="module")
def mitdb_like() -> Database:
    """Six synthetic patients under the names of MIT-BIH's 48 records, all a little different."""
    six = [synthesize(seed, minutes=0.5) for seed in range(6)]
    names = sorted({*DS1, *DS2, *PACED})
    records = {}
    for i, name in enumerate(names):
        marks = replace(six[i % 6].annotations, sample=six[i % 6].annotations.sample + i // 6)
        records[name] = replace(six[i % 6], name=name, annotations=marks)
    return Database(records, {"mitdb": "-"}, synthetic=False)


@pytest.fixture(scope="module")
def ec57(mitdb_like: Database) -> Study:
    return beat_study(mitdb_like, settings("ec57"))


def records_of(study: Study, part: str) -> set[str]:
    return set(study.parts[part].record.tolist())


def beats_of(records: Any, names: Any) -> int:
    return sum(int((aami_classes(records[n].annotations.symbol) >= 0).sum()) for n in names)


def test_ec57_learns_on_ds1_and_tests_on_ds2(ec57: Study, mitdb_like: Database) -> None:
    assert records_of(ec57, "train") == set(DS1)
    assert records_of(ec57, "test") == set(DS2)
    assert "validation" not in ec57.parts
    assert len(ec57.parts["train"].truth) == beats_of(mitdb_like.records, DS1)
    assert len(ec57.parts["test"].truth) == beats_of(mitdb_like.records, DS2)
    assert ec57.warnings == ()


def test_decisions_are_scored_by_ec57_from_five_minutes_on() -> None:
    made = [synthesize(seed, minutes=5.5) for seed in range(2)]
    names = ("a", "b")
    records = {name: replace(one, name=name) for name, one in zip(names, made)}
    study = beat_study(Database(records, {}, synthetic=True), settings("synthetic"))
    truth = study.parts["test"].truth
    assert study.standard is not None
    found = study.standard("test", truth)
    late = records["b"].annotations.sample >= 300 * records["b"].fs_hz
    counted = int((aami_classes(records["b"].annotations.symbol)[late] >= 0).sum())
    assert set(found["records"]) == {"b"}
    assert sum(sum(row.values()) for row in found["gross"]["matrix"].values()) == counted > 0
    assert found["gross"]["veb"]["fn"] == found["gross"]["veb"]["fp"] == 0
    wrong = study.standard("test", np.full_like(truth, CLASSES.index("V")))
    n = found["gross"]["matrix"]["N"]["n"] + found["gross"]["matrix"]["S"]["s"]
    assert wrong["gross"]["veb"]["fp"] == n


def test_beats_of_a_part_of_a_record_are_not_scored_by_ec57(mitdb_like: Database) -> None:
    assert beat_study(mitdb_like, settings("intra")).standard is None


def test_folds_partition_ds1_and_leave_ds2_alone(mitdb_like: Database) -> None:
    held = []
    for fold in range(5):
        study = beat_study(mitdb_like, settings("ec57", fold=fold, folds=5))
        assert {"train", "validation"} <= set(study.parts)
        assert "test" not in study.parts
        for part in study.parts.keys() - {"train"}:
            assert records_of(study, part) <= records_of(study, "validation")
        assert records_of(study, "train") | records_of(study, "validation") == set(DS1)
        assert not records_of(study, "train") & records_of(study, "validation")
        held += sorted(records_of(study, "validation"))
    assert sorted(held) == sorted(DS1)


def test_folds_do_not_depend_on_the_seed(mitdb_like: Database) -> None:
    a, b = (beat_study(mitdb_like, settings("ec57", fold=1, seed=seed)) for seed in (0, 7))
    assert records_of(a, "validation") == records_of(b, "validation")


def test_nothing_of_the_test_records_reaches_what_is_learnt(
    ec57: Study, mitdb_like: Database
) -> None:
    """Loud test records leave statistics, weights and training inputs as they were."""

    def loud(record: Record) -> Record:
        return replace(record, signal_adu=(record.signal_adu // 2).astype(np.int16))

    records = {n: loud(r) if n in DS2 else r for n, r in mitdb_like.records.items()}
    other = beat_study(replace(mitdb_like, records=records), settings("ec57"))
    for a, b in zip(ec57.network().buffers(), other.network().buffers()):
        assert torch.equal(a, b)
    np.testing.assert_array_equal(ec57.weights, other.weights)
    rows = np.arange(0, len(ec57.learnt), 7)
    inputs, y = ec57.learnt.batch(rows, None)
    inputs2, y2 = other.learnt.batch(rows, None)
    assert all(map(torch.equal, inputs, inputs2))
    assert torch.equal(y, y2)


def test_side_statistics_are_those_of_the_training_part(ec57: Study) -> None:
    part = ec57.parts["train"].examples
    _, side, _ = part.batch(np.arange(len(part)), None)[0]
    mean, deviation = dict(ec57.network().named_buffers())["mean_S"], side.std(dim=0)
    torch.testing.assert_close(mean, side.mean(dim=0))
    assert torch.isfinite(deviation).all()


def drawn_labels(study: Study) -> np.ndarray:
    return study.learnt.batch(np.arange(len(study.learnt)), None)[1].numpy()


def test_draws_have_the_shares_of_the_settings(ec57: Study, mitdb_like: Database) -> None:
    config = settings("ec57")
    assert ec57.weights.sum() == pytest.approx(1)
    assert (ec57.weights >= 0).all()
    plain = beat_study(mitdb_like, settings("ec57", pseudo_share=0.0))
    assert len(plain.weights) == len(plain.learnt) == len(plain.parts["train"].truth)
    label = drawn_labels(plain)
    found = np.array([plain.weights[label == k].sum() for k in range(len(CLASSES))])
    occurs = np.array([(label == k).any() for k in range(4)])
    wanted = np.array(config.beats.class_shares) * occurs
    np.testing.assert_allclose(found[:4], wanted / wanted.sum())
    assert found[CLASSES.index("Q")] == 0


def test_pseudo_records_take_their_share_of_the_draws(ec57: Study) -> None:
    own = len(ec57.parts["train"].truth)
    assert len(ec57.learnt) > own
    share = settings("ec57").beats.pseudo_share
    assert ec57.weights[own:].sum() == pytest.approx(share)


def test_no_record_dominates(mitdb_like: Database) -> None:
    """Of one class, a record's share grows with the root of its beats, not with their number."""
    study = beat_study(mitdb_like, settings("ec57", pseudo_share=0.0))
    record, label = study.parts["train"].record, drawn_labels(study)
    normal = [study.weights[(record == n) & (label == 0)].sum() for n in DS1]
    n_beats = np.array([((record == n) & (label == 0)).sum() for n in DS1])
    np.testing.assert_allclose(normal / np.sqrt(n_beats), normal[0] / np.sqrt(n_beats[0]))


def test_the_split_digest_tells_splits_apart(ec57: Study, mitdb_like: Database) -> None:
    again = beat_study(mitdb_like, settings("ec57", seed=3))
    folded = beat_study(mitdb_like, settings("ec57", fold=0))
    assert ec57.facts["split"] == again.facts["split"] != folded.facts["split"]
    assert ec57.facts["mitdb"] == "-"


def test_intra_shares_patients_but_no_beats(mitdb_like: Database) -> None:
    study = beat_study(mitdb_like, settings("intra"))
    everyone = set(mitdb_like.records) - set(PACED)
    assert records_of(study, "train") == records_of(study, "test") == everyone
    sizes = [len(study.parts[name].truth) for name in ("train", "test")]
    assert sum(sizes) == beats_of(mitdb_like.records, everyone)
    assert 0.25 < sizes[1] / sum(sizes) < 0.35
    assert "Not patient-independent" in study.warnings[0]
    other = beat_study(mitdb_like, settings("intra", seed=1))
    assert other.facts["split"] != study.facts["split"]


def test_synthetic_records_say_so(synthetic: Path) -> None:
    config = settings("synthetic", data_dir=synthetic)
    study = beat_study(database.load(config), config)
    assert "synthetic" in study.title
    assert any("Synthetic" in warning for warning in study.warnings)
    assert not records_of(study, "train") & records_of(study, "test")
    assert set(study.facts) >= {"synthetic", "split"}


def test_strips_show_the_chosen_lead(mitdb_like: Database) -> None:
    swapped = {
        name: replace(record, leads=("V1", "MLII")) for name, record in mitdb_like.records.items()
    }
    study = beat_study(replace(mitdb_like, records=swapped), settings("ec57"))
    (strip,) = study.strips("test", np.array([20]))
    name = str(study.parts["test"].record[20])
    lead = swapped[name].millivolts(("MLII",))[0]
    assert np.isin(strip["millivolts"], lead).all()
    assert name in strip["title"]


def test_missing_records_are_named(mitdb_like: Database) -> None:
    fewer = {n: r for n, r in mitdb_like.records.items() if n != "233"}
    with pytest.raises(DataError, match="233"):
        beat_study(replace(mitdb_like, records=fewer), settings("ec57"))


def test_what_cannot_be_split_is_refused(synthetic: Path) -> None:
    config = settings("synthetic", data_dir=synthetic)
    four = database.load(config)
    with pytest.raises(ConfigError, match="2 training records"):
        beat_study(four, settings("synthetic", data_dir=synthetic, fold=3, folds=4))
    with pytest.raises(ConfigError, match="draws none of the beats"):
        shares = [0.0, 0.0, 0.0, 1.0]  # of F, which no synthetic record has
        beat_study(four, settings("synthetic", data_dir=synthetic, class_shares=shares))
    one = replace(four, records=dict([next(iter(four.records.items()))]))
    with pytest.raises(DataError, match="1 records cannot be split"):
        beat_study(one, config)


@pytest.mark.parametrize(
    ("preset", "flags"),
    [
        ("fragments17", {"source": "synthetic"}),
        ("fragments17", {"network": {"in_channels": 2}}),
        ("ec57", {"network": {"ndim": 2}}),
        ("ec57", {"fold": 5, "folds": 5}),
        ("intra", {"fold": 0}),
        ("ec57", {"leads": []}),
    ],
)
def test_settings_that_cannot_be_are_refused(preset: str, flags: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        settings(preset, **flags)


@pytest.fixture(scope="module")
def noise_records() -> Database:
    """48 records of one noise: enough to cut fragments from."""
    adu = np.random.default_rng(0).integers(900, 1100, (650_000, 2)).astype(np.int16)
    two = {"units": ("mV", "mV"), "gain": (200.0, 200.0), "baseline": (1024, 1024)}
    index = fragments.load_index()
    records = {}
    for name in np.unique(index.record).tolist():
        records[name] = Record(name, 360.0, ("MLII", "V1"), signal_adu=adu, **two)
    return Database(records, {}, synthetic=False)


def fragment_keys(study: Study, part: str) -> set[tuple[bytes, str]]:
    inputs = study.parts[part].examples
    (x,), _ = inputs.batch(np.arange(len(inputs)), None)
    return {(row.numpy().tobytes(), str(r)) for row, r in zip(x, study.parts[part].record)}


@pytest.mark.parametrize("seed", [0, 4])
def test_fragments_are_split_by_the_runs_seed_without_overlap(
    noise_records: Database, seed: int
) -> None:
    study = fragment_study(noise_records, settings("fragments17", seed=seed))
    assert set(study.parts) == {"train", "validation", "test"}
    assert sum(len(part.truth) for part in study.parts.values()) == 1000
    keys = [fragment_keys(study, part) for part in study.parts]
    assert not (keys[0] & keys[1] or keys[0] & keys[2] or keys[1] & keys[2])
    other = fragment_study(noise_records, settings("fragments17", seed=seed + 1))
    assert study.facts["split"] != other.facts["split"]
    assert "leak" not in study.title
    assert len(study.warnings) == 1


def test_fragments_by_record_have_no_patient_on_two_sides(noise_records: Database) -> None:
    study = fragment_study(noise_records, settings("fragments17", split_by="record"))
    sides = [records_of(study, part) for part in study.parts]
    assert not (sides[0] & sides[1] or sides[0] & sides[2] or sides[1] & sides[2])
    assert study.warnings == ()
    truth = np.concatenate([part.truth for part in study.parts.values()])
    assert len(study.classes) == 13
    assert sorted(set(truth.tolist())) == list(range(13))


def test_fragments_are_centred_and_augmented_by_the_generator(noise_records: Database) -> None:
    study = fragment_study(noise_records, settings("fragments17"))
    rows = np.array([3, 9])
    (plain,), label = study.learnt.batch(rows, None)
    assert plain.shape == (2, 1, fragments.WIDTH)
    assert plain.median(dim=2).values.abs().max() < 0.01
    assert label.tolist() == study.parts["train"].truth[rows].tolist()
    a, b, c = (study.learnt.batch(rows, np.random.default_rng(s))[0][0] for s in (0, 0, 1))
    assert torch.equal(a, b)
    assert not torch.equal(a, c)


def test_rare_fragments_are_drawn_more_often(noise_records: Database) -> None:
    study = fragment_study(noise_records, settings("fragments17"))
    truth = study.parts["train"].truth
    counts = np.bincount(truth)
    each = np.array([study.weights[truth == k][0] for k in range(17)])
    assert each[counts.argmin()] > each[counts.argmax()]
    assert (np.diff((each * counts)[np.argsort(counts)]) >= -1e-9).all()  # yet never overtake
