"""``toolkit ecg predict`` as a user calls it: files, figures, refusals."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from commands import answer, call, refused, strict_json
from scipy import signal

from toolkit.ecg.beats import aami_classes
from toolkit.ecg.prediction import analysis, classification, pieces
from toolkit.ecg.prediction.readable import Readable
from toolkit.ecg.records import Record, read_record
from toolkit.ecg.synthetic import synthesize
from toolkit.ecg.writing import write_record


def predict(*words: object) -> dict[str, Any]:
    return answer("ecg", "predict", "ec57", *words)


def table(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text().splitlines()))


def write_wfdb(folder: Path, record: Record) -> Path:
    folder.mkdir(exist_ok=True)
    return write_record(folder, record)


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One synthetic minute and a half as WFDB."""
    return write_wfdb(tmp_path_factory.mktemp("record"), synthesize(5, 1.5, name="made"))


@pytest.fixture(scope="module")
def wfdb() -> ModuleType:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import wfdb
    return wfdb


def test_a_record_becomes_a_folder_of_results(record: Path, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "OUT"
    (found,) = predict(record, "--out", out)["records"]
    names = {path.name for path in (out / "made").iterdir()}
    tables = {"beats.csv", "episodes.csv", "result.json", "report.html", "figures"}
    assert names == {"made.ann", "made.hea", *tables}
    assert [path.name for path in out.iterdir()] == ["made"]
    assert all(Path(file).is_file() for file in found["files"])
    rows = table(out / "made" / "beats.csv")
    assert len(rows) == found["beats"] == sum(found["counts"].values())
    stored = json.loads((out / "made" / "result.json").read_text())
    assert stored.items() <= found.items()
    page = (out / "made" / "report.html").read_text()
    assert "Not a medical device" in page and "Short recording" in page


def test_detected_beats_are_those_of_the_record(record: Path, tmp_path: Path) -> None:
    predict(record, "--out", tmp_path)
    rows = table(tmp_path / "made" / "beats.csv")
    found = np.array([int(row["sample"]) for row in rows])
    notes = read_record(record).annotations
    assert notes is not None
    reference = notes.sample[aami_classes(notes.symbol) >= 0]
    assert abs(len(found) - len(reference)) <= 2
    assert np.median(np.abs(found[:, None] - reference).min(axis=1)) <= 4
    shares = np.array([[float(row[f"p_{k}"]) for k in "NSVF"] for row in rows])
    assert np.allclose(shares.sum(axis=1), 1, atol=0.003)
    intervals = np.array([float(row["rr_ms"]) for row in rows[1:]])
    assert np.allclose(intervals, np.diff(found) / 0.36, atol=0.51)


def test_wfdb_reads_the_annotations(record: Path, tmp_path: Path, wfdb: ModuleType) -> None:
    (found,) = predict(record, "--out", tmp_path)["records"]
    notes = wfdb.rdann(str(tmp_path / "made" / "made"), "ann")
    assert notes.fs == 360
    rows = table(tmp_path / "made" / "beats.csv")
    assert notes.sample.tolist() == [int(row["sample"]) for row in rows]
    assert notes.symbol == [row["class"] for row in rows]
    assert len(rows) == found["beats"]


def test_a_table_at_another_rate_gives_the_same_beats(
    record: Path, tmp_path: Path, wfdb: ModuleType
) -> None:
    whole = read_record(record)
    x = signal.resample_poly(whole.millivolts(whole.leads), 25, 36, axis=1, padtype="line").T
    path = tmp_path / "my table.csv"
    np.savetxt(path, x, fmt="%.4f", delimiter=",", header="II,V1", comments="")
    refused(2, "ecg", "predict", "ec57", path, "--out", tmp_path, says=("--fs-hz",))
    both = predict(record, "--out", tmp_path)["records"]
    both += predict(path, "--fs-hz", 250, "--out", tmp_path)["records"]
    assert abs(both[0]["beats"] - both[1]["beats"]) <= 1
    assert abs(both[0]["counts"]["V"] - both[1]["counts"]["V"]) <= 2
    assert any("Lead II" in text for text in both[1]["warnings"])
    made = tmp_path / "my_table" / "my_table"
    assert len(wfdb.rdann(str(made), "ann").sample) == both[1]["beats"]
    again = wfdb.rdrecord(str(made)).p_signal
    assert np.abs(again - x).max() < 3e-4


def test_one_lead_will_do(record: Path, tmp_path: Path) -> None:
    (both,) = predict(record, "--out", tmp_path)["records"]
    (one,) = predict(record, "--lead", "MLII", "--out", tmp_path)["records"]
    assert one["leads"] == ["MLII"]
    assert abs(one["beats"] - both["beats"]) <= 2
    assert any("One lead" in text for text in one["warnings"])


def test_what_cannot_be_read_is_marked_and_not_guessed(tmp_path: Path, wfdb: ModuleType) -> None:
    whole = synthesize(5, 1.5, name="gap")
    x = whole.millivolts(whole.leads).T.copy()
    x[7200:10800] = np.nan  # 10 s of both
    x[18_000:18_720, 0] = x[18_000, 0]  # 2 s of one
    np.save(tmp_path / "gap.npy", x)
    (found,) = predict(tmp_path / "gap.npy", "--fs-hz", 360, "--out", tmp_path)["records"]
    assert found["unreadable_percent"] == pytest.approx(100 * 3600 / len(x), abs=0.1)
    assert any(
        "missing for 10.0 s" in text and "flat for 2.0 s" in text for text in found["warnings"]
    )
    assert not any(one["kind"] == "pause" for one in found["episodes"])
    rows = table(tmp_path / "gap" / "beats.csv")
    samples = np.array([int(row["sample"]) for row in rows])
    assert not ((samples > 7200) & (samples < 10_800)).any()
    flat = (samples > 18_000) & (samples < 18_720)
    assert flat.any()
    assert {rows[i]["class"] for i in np.flatnonzero(flat)} == {"Q"}
    assert {rows[i]["note"] for i in np.flatnonzero(flat)} == {analysis.NOT_JUDGED}
    notes = wfdb.rdann(str(tmp_path / "gap" / "gap"), "ann")
    changes = {s: t for s, c, t in zip(notes.sample, notes.symbol, notes.subtype) if c == "~"}
    assert changes == {7200: -1, 10_800: 0, 18_000: 16, 18_720: 0}


def test_how_a_table_was_read_is_told(record: Path, tmp_path: Path) -> None:
    whole = read_record(record)
    x = whole.millivolts(whole.leads).T
    path = tmp_path / "timed.csv"
    columns = np.column_stack([np.arange(len(x)) / 250, x])
    np.savetxt(path, columns, fmt="%.4f", delimiter=",", header="time,II,V1", comments="")
    words = ("ecg", "predict", "ec57", path, "--out", tmp_path, "--fs-hz", 360)
    assert "--fs-hz 360 is taken" in " ".join(call(*words).stdout.split())
    assert "--fs-hz 360 is taken" in (tmp_path / "timed" / "report.html").read_text()


def test_beats_below_a_confidence_are_left_alone(record: Path, tmp_path: Path) -> None:
    (sure,) = predict(record, "--out", tmp_path)["records"]
    (unsure,) = predict(record, "--out", tmp_path, "--abstain", 0.95)["records"]
    rows = table(tmp_path / "made" / "beats.csv")
    assert unsure["counts"]["Q"] > sure["counts"]["Q"] == 0
    for row in rows:
        likely = max(float(row[f"p_{k}"]) for k in "NSV")
        assert (row["class"] == "Q") == (likely < 0.95 - 5e-4) or abs(likely - 0.95) < 1e-3


def test_ten_seconds_are_enough(tmp_path: Path) -> None:
    whole = synthesize(5, 1.0)
    np.save(tmp_path / "ten.npy", whole.millivolts(whole.leads)[:, :3600])
    (found,) = predict(tmp_path / "ten.npy", "--fs-hz", 360, "--out", tmp_path)["records"]
    assert found["beats"] >= 8


def test_a_failure_among_several_is_told_at_the_end(record: Path, tmp_path: Path) -> None:
    flat = tmp_path / "flat.npy"
    np.save(flat, np.zeros(20_000))
    words = ("ecg", "predict", "ec57", flat, record, "--fs-hz", 360, "--out", tmp_path / "OUT")
    result = call(*words, "--json")
    assert result.exit_code == 3
    found = strict_json(result.stdout)
    assert [one["record"] for one in found["records"]] == ["made"]
    assert "flat for" in found["failed"][str(flat)]
    assert "1 of 2 inputs failed" in result.stderr
    assert [path.name for path in (tmp_path / "OUT").iterdir()] == ["made"]


def bad_signals() -> dict[str, tuple[Any, str]]:
    rng = np.random.default_rng(0)
    clipped = np.where(np.arange(20_000) < 10_000, 5.0, -5.0)
    return {
        "flat": (np.full(20_000, 0.3), "nothing in flat can be read: flat"),
        "saturated": (clipped, "nothing in saturated can be read"),
        "nan": (np.full(20_000, np.nan), "nothing in nan can be read: missing"),
        "quiet": (rng.normal(0, 0.001, 20_000), "no R peak found in quiet"),
    }


@pytest.mark.parametrize("name", bad_signals())
def test_a_signal_without_beats_is_refused(name: str, tmp_path: Path) -> None:
    values, says = bad_signals()[name]
    path, out = tmp_path / f"{name}.npy", tmp_path / "OUT"
    np.save(path, values)
    words = ("ecg", "predict", "ec57", path, "--fs-hz", 360, "--out", out)
    refused(3, *words, says=(says,))
    assert not out.exists()


def test_another_protocols_model_is_refused(record: Path, tmp_path: Path) -> None:
    out = tmp_path / "OUT"
    says = ("ten-second fragments", "use ec57")
    refused(4, "ecg", "predict", "fragments17", record, "--out", out, says=says)
    refused(4, "ecg", "predict", "none", record, "--out", out, says=("none",))
    refused(3, "ecg", "predict", "ec57", tmp_path / "x", "--out", out, says=("no WFDB record",))
    refused(2, "ecg", "predict", "ec57", record, record, "--out", out, says=("two inputs",))
    refused(2, "ecg", "predict", "ec57", record, "--lead", "V9", "--out", out, says=("V9",))
    assert not out.exists()


def test_nothing_that_is_no_prediction_is_replaced(record: Path, tmp_path: Path) -> None:
    mine = tmp_path / "made" / "thesis.txt"
    mine.parent.mkdir()
    mine.write_text("years")
    refused(2, "ecg", "predict", "ec57", record, "--out", tmp_path, says=("no earlier prediction",))
    assert mine.read_text() == "years"
    shutil.rmtree(mine.parent)
    predict(record, "--out", tmp_path)
    predict(record, "--out", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["made"]


def test_nothing_that_is_read_is_replaced(record: Path, tmp_path: Path) -> None:
    """Neither by its own results nor by those of the other task."""
    regression = ("--task", "regression", "--out", tmp_path)
    answer("ecg", "predict", "gaps-ec57", record, *regression)
    files = {path: path.read_bytes() for path in (tmp_path / "made").iterdir()}
    filled = tmp_path / "made" / "made"
    refused(2, "ecg", "predict", "gaps-ec57", filled, *regression, says=("lies in",))
    words = ("ecg", "predict", "ec57", "--out", tmp_path)
    refused(2, *words, filled, says=("no earlier prediction of this task",))
    refused(2, *words, record, says=("no earlier prediction of this task",))
    assert {path: path.read_bytes() for path in (tmp_path / "made").iterdir()} == files
    answer("ecg", "predict", "gaps-ec57", record, *regression)
    refused(2, *words, tmp_path / "a b.csv", tmp_path / "a_b.npy", says=("two inputs",))


def test_a_linked_signal_is_read_too(record: Path, tmp_path: Path) -> None:
    predict(record, "--out", tmp_path)
    inside = tmp_path / "made" / "made.dat"
    shutil.copy(record.with_suffix(".dat"), inside)
    other = tmp_path / "in"
    other.mkdir()
    shutil.copy(record.with_suffix(".hea"), other)
    (other / "made.dat").symlink_to(inside)
    refused(2, "ecg", "predict", "ec57", other / "made", "--out", tmp_path, says=("lies in",))
    assert inside.is_file()


def test_a_crash_leaves_nothing_behind(
    record: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from toolkit.core.errors import RunError
    from toolkit.ecg.prediction import page

    def full(*_: object) -> None:
        raise RunError("no space left", where="disk")

    monkeypatch.setattr(page, "write_page", full)
    refused(4, "ecg", "predict", "ec57", record, "--out", tmp_path / "OUT", says=("no space",))
    assert not list((tmp_path / "OUT").iterdir())


def test_a_run_of_ones_own_predicts_too(runs: Path, record: Path, tmp_path: Path) -> None:
    words = ("@last:ecg", record, "--runs-dir", runs, "--out", tmp_path)
    (found,) = answer("ecg", "predict", *words)["records"]
    assert any("synthetic" in text for text in found["warnings"])


def test_stretches_of_a_long_record_join(record: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut in three, a minute and a half gives every beat probabilities, mostly the same class."""
    model = classification.load_model("ec57", Path("runs"))
    whole = read_record(record)
    notes = whole.annotations
    assert notes is not None
    at = notes.sample[aami_classes(notes.symbol) >= 0]
    readable = Readable.of(whole, (0, 1))
    once = classification.classify(model, readable, at)
    monkeypatch.setattr(pieces, "_PIECE_S", 30.0)
    monkeypatch.setattr(pieces, "MARGIN_S", 15.0)
    cut = classification.classify(model, readable, at)
    assert np.isfinite(once).all() and np.isfinite(cut).all()
    assert (once.argmax(axis=1) == cut.argmax(axis=1)).mean() > 0.9


def test_reference_beats_are_classified_as_in_the_evaluation(record: Path) -> None:
    """One code makes the inputs: the same R peaks give the same probabilities, to the bit."""
    from toolkit.core.supervised import predict as outputs_of
    from toolkit.ecg.beat_examples import BeatExamples, series
    from toolkit.ecg.beat_network import beat_probabilities

    model = classification.load_model("ec57", Path("runs"))
    whole = read_record(record)
    notes = whole.annotations
    assert notes is not None
    at = notes.sample[aami_classes(notes.symbol) >= 0]
    found = classification.classify(model, Readable.of(whole, (0, 1)), at)
    examples = BeatExamples([series(whole, model.config.leads)])
    expected = beat_probabilities(outputs_of(model.network, examples))
    assert np.allclose(found, expected, atol=1e-6)


def test_gaps_are_filled_and_written_as_a_record(record: Path, tmp_path: Path) -> None:
    whole = read_record(record)
    adu = np.array(whole.signal_adu)
    adu[round(20 * whole.fs_hz) : round(20.2 * whole.fs_hz)] = np.iinfo(adu.dtype).min
    adu[round(40 * whole.fs_hz) : round(42 * whole.fs_hz)] = np.iinfo(adu.dtype).min
    lacking = write_wfdb(tmp_path / "in", replace(whole, signal_adu=adu, annotations=None))
    words = ("gaps-ec57", lacking, "--task", "regression", "--to-hz", 250, "--out", tmp_path)
    (found,) = answer("ecg", "predict", *words)["records"]
    assert found["gaps"] == {"filled": len(whole.leads), "too long": len(whole.leads)}
    back = read_record(tmp_path / "made" / "made", annotator=None, allow_missing=True)
    missing = back.signal_adu == np.iinfo(back.signal_adu.dtype).min
    assert back.fs_hz == 250 and missing.sum(axis=0) == pytest.approx(500, abs=2)
    rows = table(tmp_path / "made" / "gaps.csv")
    assert [row["outcome"] for row in rows] == 2 * ["filled"] + 2 * ["too long"]
    assert (tmp_path / "made" / "gaps.png").is_file()


@pytest.mark.parametrize(
    ("model", "option", "says"),
    [
        ("ec57", ("--to-hz", 250), "--to-hz"),
        ("ec57", ("--task", "regression"), "gaps-ec57"),
        ("gaps-ec57", ("--task", "regression", "--abstain", 0.5), "--abstain"),
    ],
)
def test_options_of_the_other_task_are_refused(
    model: str, option: tuple[Any, ...], says: str, record: Path, tmp_path: Path
) -> None:
    refused(2, "ecg", "predict", model, record, "--out", tmp_path, *option, says=(says,))
