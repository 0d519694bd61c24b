"""Synthetic records: real WFDB files, reproducible, whole or absent, and fit to learn from."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from toolkit.core.errors import ConfigError, RunError
from toolkit.ecg.beats import aami_classes, beat_table, windows
from toolkit.ecg.cache import load_database
from toolkit.ecg.records import read_record
from toolkit.ecg.synthetic import PROFILES, synthesize, write_records

# wfdb-python, the oracle here, calls what pandas 3 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:The inplace keyword")


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_same_seed_gives_the_same_bytes(pristine: Path, tmp_path: Path) -> None:
    write_records(tmp_path / "again", records=4, minutes=0.5, seed=1)
    write_records(tmp_path / "other", records=4, minutes=0.5, seed=2)
    assert contents(tmp_path / "again") == contents(pristine)
    assert contents(tmp_path / "other") != contents(pristine)


def test_wfdb_reads_the_same(pristine: Path, wfdb: ModuleType) -> None:
    for name in (pristine / "RECORDS").read_text().split():
        ours = read_record(pristine / name)
        theirs = wfdb.rdrecord(str(pristine / name), physical=False)
        np.testing.assert_array_equal(theirs.d_signal, ours.signal_adu)
        assert (theirs.fs, theirs.sig_name, theirs.fmt) == (360, ["MLII", "V1"], ["212", "212"])
        assert (theirs.adc_gain, theirs.adc_res) == ([200, 200], [11, 11])
        assert "synthetic" in theirs.comments[0]
        marks = wfdb.rdann(str(pristine / name), "atr")
        assert ours.annotations is not None
        np.testing.assert_array_equal(marks.sample, ours.annotations.sample)
        assert marks.symbol == ours.annotations.symbol.tolist()


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("seed", range(5))
def test_every_record_has_n_s_and_v_beats(profile: str, seed: int) -> None:
    record = synthesize(seed, 0.5, profile)  # type: ignore[arg-type]
    assert record.annotations is not None
    labels = aami_classes(record.annotations.symbol)
    assert {0, 1, 2} <= set(labels.tolist())
    assert (np.diff(record.annotations.sample) >= 0).all()
    assert record.annotations.sample[0] >= 0


def test_rhythm_and_morphology_follow_the_class() -> None:
    records = {"syn": synthesize(3, 5)}
    table = beat_table(records)
    for label, low, high in ((1, 0.5, 0.85), (2, 0.5, 0.85)):
        ratio = table.rr_previous_s[table.label == label] / np.median(table.rr_previous_s)
        assert (low < ratio).all() and (ratio < high).all()
    beats = windows(records, table, np.arange(1, len(table) - 1), before=60, after=60)[:, 0]
    labels = table.label[1:-1]
    width = [(np.abs(beats[labels == k]).mean(axis=0) > 0.4).sum() for k in (0, 2)]
    assert width[1] > 2 * width[0]


def test_atrial_fibrillation_is_irregular_and_marked() -> None:
    record = synthesize(0, 4, "afib")
    marks = record.annotations
    assert marks is not None
    assert [text for text in marks.aux if text] == ["(N", "(AFIB"]
    start = marks.sample[marks.aux.index("(AFIB")]
    beats = marks.sample[marks.symbol == "N"]
    assert np.diff(beats[beats > start]).std() > 0.12 * np.diff(beats[beats > start]).mean()


def test_patients_differ() -> None:
    first, second = (synthesize((0, number), 0.5) for number in range(2))
    assert abs(np.corrcoef(first.lead("MLII"), second.lead("MLII"))[0, 1]) < 0.5
    assert np.isfinite(first.millivolts(first.leads)).all()


def test_what_is_there_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ConfigError, match="not empty"):
        write_records(tmp_path, records=1, minutes=0.5)
    assert contents(tmp_path) == {"notes.txt": b"mine"}
    empty = tmp_path / "empty"
    empty.mkdir()
    (path,) = write_records(empty, records=1, minutes=0.5)
    assert path == empty / "syn000"
    assert list(load_database(empty, use_cache=False)) == ["syn000"]


def test_a_failure_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def failing(path: Path, _: bytes) -> None:
        calls.append(path)
        if len(calls) == 5:
            raise OSError(28, "No space left on device")
        path.write_bytes(b"")

    monkeypatch.setattr("toolkit.core.files.write_synced", failing)
    with pytest.raises(RunError, match="No space left"):
        write_records(tmp_path / "out", records=3, minutes=0.5)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("changes", [{"records": 0}, {"minutes": 0.1}, {"minutes": float("nan")}])
def test_numbers_out_of_range_are_refused(tmp_path: Path, changes: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        write_records(tmp_path / "out", **{"records": 1, "minutes": 1.0} | changes)  # type: ignore
    assert list(tmp_path.iterdir()) == []
