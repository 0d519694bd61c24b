"""Annotation files compared through the command: real records, folders, and what is refused."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from commands import answer, call, refused
from ec57_cases import annotations

from toolkit.ecg.annotations import Annotations, encode_annotations, read_annotations
from toolkit.ecg.beats import aami_classes
from toolkit.ecg.ec57.models import evaluate_beats
from toolkit.ecg.records import read_record

pytestmark = pytest.mark.filterwarnings("ignore:The inplace keyword")  # wfdb under pandas 3

BEATS = [(400 * k, "NNVN"[k % 4]) for k in range(1, 50)]
START = 5 * 60 * 360


def evaluate(*arguments: object) -> dict[str, Any]:
    return answer("ecg", "evaluate", "--annotations", *arguments)


def write(path: Path, found: Annotations) -> Path:
    path.write_bytes(encode_annotations(found))
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Record r of 20,000 samples at 360 Hz, header and reference, and a test of it, r.ann."""
    line = "r.dat 16 200 11 1024 0 0 0 MLII"
    (tmp_path / "r.hea").write_text(f"r 1 360 20000\n{line}\n")
    for suffix in ("atr", "ann"):
        write(tmp_path / f"r.{suffix}", annotations(BEATS))
    return tmp_path


def test_a_real_reference_equals_itself(real_data: Path) -> None:
    path = real_data / "mitdb" / "100.atr"
    record = evaluate(path, path, "--from", "5:00")["records"]["100"]
    reference = read_annotations(path)
    label = aami_classes(reference.symbol[reference.sample >= START])
    for k, row in enumerate("NSVFQ"):
        counts = record["matrix"][row]
        assert counts.pop(row.lower()) == (label == k).sum()
        assert set(counts.values()) == {0}
    assert record["qrs"]["se"] == record["qrs"]["ppv"] == 1
    assert record["qrs"]["tp"] == 1902
    assert record["rr_rms_ms"] == 0


def test_shifted_dropped_and_relabelled_beats_are_counted(real_data: Path, tmp_path: Path) -> None:
    """What was done to a copy of 100.atr is what is found: beats are 200 samples apart or more,
    so that shifts of up to 20 change no pair."""
    folder = real_data / "mitdb"
    found = read_annotations(folder / "100.atr")
    rng = np.random.default_rng(0)
    counted = (aami_classes(found.symbol) >= 0) & (found.sample >= START + 20)
    beats = rng.permutation(np.flatnonzero(counted))
    dropped, called = beats[:30], beats[30:70]
    shift = np.zeros(len(found), np.int64)
    shift[beats] = rng.integers(-20, 21, len(beats))
    symbol = found.symbol.copy()
    symbol[called] = "V"
    keep = np.setdiff1d(np.arange(len(found)), dropped)
    fields = (found.sample + shift, symbol, found.subtype, found.chan, found.num)
    aux = tuple(found.aux[row] for row in keep)
    test = write(tmp_path / "100.ann", Annotations(*(field[keep] for field in fields), aux))
    record = evaluate(folder / "100.atr", test)["records"]["100"]
    truth = aami_classes(found.symbol)
    matrix = record["matrix"]
    for k, row in enumerate("NS"):
        assert matrix[row]["o"] == (truth[dropped] == k).sum()
        assert matrix[row]["v"] == (truth[called] == k).sum()
    assert (record["qrs"]["fn"], record["qrs"]["fp"]) == (30, 0)
    assert record["veb"]["fp"] == (truth[called] < 2).sum()
    # The difference of two uniform shifts of ±20 samples has an RMS of 16.7 samples, or 46.5 ms.
    assert record["rr_rms_ms"] == pytest.approx(46.5, rel=0.05)


def test_files_of_wfdb_are_read_alike(real_data: Path, tmp_path: Path, wfdb: ModuleType) -> None:
    """wfdb-python reads 207, with its flutter, and writes it; nothing changes but for the file."""
    folder = real_data / "mitdb"
    theirs = wfdb.rdann(str(folder / "207"), "atr")
    wfdb.wrann(
        "207", "ann", theirs.sample, theirs.symbol, subtype=theirs.subtype, write_dir=str(tmp_path)
    )
    found = evaluate(folder / "207.atr", tmp_path / "207.ann", "--from", 0)
    itself = evaluate(folder / "207.atr", folder / "207.atr", "--from", 0)
    assert found == itself
    beats = [s for s in theirs.symbol if s in "NLRejAaJSVEF/fQ"]
    assert itself["gross"]["qrs"]["tp"] == len(beats)  # 472 flutter waves are not among them


def test_folders_are_compared_record_by_record(real_data: Path, tmp_path: Path) -> None:
    names = ("100", "101", "207")
    for name in names:
        shutil.copy(real_data / "mitdb" / f"{name}.atr", tmp_path / f"{name}.ann")
    found = evaluate(real_data / "mitdb", tmp_path)
    assert tuple(found["records"]) == names
    assert "102" in found["warnings"][0]
    total = sum(record["qrs"]["tp"] for record in found["records"].values())
    assert found["gross"]["qrs"]["tp"] == total
    assert found["average"]["qrs"] == {"se": 1, "ppv": 1}


def test_a_model_that_knows_the_labels_is_perfect(real_data: Path) -> None:
    record = read_record(real_data / "mitdb" / "100")
    assert record.annotations is not None
    label = aami_classes(record.annotations.symbol)
    beats = (record.annotations.sample[label >= 0], label[label >= 0])
    found = evaluate_beats({"100": record}, {"100": beats})
    assert found["gross"]["qrs"]["tp"] == 1902
    assert found["gross"]["sveb"]["fn"] == found["gross"]["sveb"]["fp"] == 0
    assert evaluate_beats({"100": record}, {"100": beats}, start_s=1e6) == {}


@pytest.mark.parametrize(
    ("given", "seconds"), [("0:10", 10.0), ("10", 10.0), ("0:00:10.0", 10.0), ("0", 0.0)]
)
def test_times_are_clocks_or_seconds(folder: Path, given: str, seconds: float) -> None:
    found = evaluate(folder / "r.atr", folder / "r.ann", "--from", given)
    assert found["from_s"] == seconds
    inside = [sample for sample, _ in BEATS if sample >= 360 * seconds]
    assert found["gross"]["qrs"]["tp"] == len(inside)


def test_the_end_is_that_of_the_record_or_as_given(folder: Path) -> None:
    paths = (folder / "r.atr", folder / "r.ann", "--from", 0)
    assert evaluate(*paths)["gross"]["qrs"]["tp"] == len(BEATS)
    assert evaluate(*paths, "--to", "9:00")["gross"]["qrs"]["tp"] == len(BEATS)
    found = evaluate(*paths, "--to", "0:20")
    assert found["gross"]["qrs"]["tp"] == sum(sample < 7200 for sample, _ in BEATS)
    assert found["warnings"] == [
        "not EC57's test period, which is from 5:00 to the end of the record"
    ]


def test_a_record_that_is_over_too_soon_is_named_and_left_out(folder: Path) -> None:
    long = [(sample + START, symbol) for sample, symbol in BEATS]
    for suffix in ("atr", "ann"):
        write(folder / f"s.{suffix}", annotations(long))
    (folder / "s.hea").write_text("s 1 360 200000\ns.dat 16 200 11 1024 0 0 0 MLII\n")
    found = evaluate(folder, folder)
    assert list(found["records"]) == ["s"]
    assert found["warnings"] == ["over before 300 s, so not compared: r"]


def test_without_a_header_the_sampling_frequency_is_needed(folder: Path) -> None:
    (folder / "r.hea").unlink()
    paths = ("ecg", "evaluate", "--annotations", folder / "r.atr", folder / "r.ann", "--from", 0)
    refused(2, *paths, says=("--fs-hz", "r.hea"))
    found = answer(*paths, "--fs-hz", 360)
    assert found["gross"]["qrs"]["tp"] == len(BEATS)


def test_one_folder_holds_both_annotators(folder: Path) -> None:
    assert list(evaluate(folder, folder, "--from", 0)["records"]) == ["r"]
    write(folder / "r.qrs", annotations(BEATS))
    refused(2, "ecg", "evaluate", "--annotations", folder, folder, says=(".ann, .qrs",))


def test_two_tests_of_one_record_are_kept_apart(folder: Path) -> None:
    other = write(folder / "r.qrs", annotations(BEATS[1:]))
    reference = folder / "r.atr"
    found = evaluate(reference, folder / "r.ann", reference, other, "--from", 0)
    assert list(found["records"]) == ["r", f"r ({other})"]
    assert found["gross"]["qrs"]["fn"] == 1


def test_the_table_has_the_layout_of_bxb(folder: Path) -> None:
    write(folder / "r.ann", annotations(BEATS[:-1]))
    result = call(
        "ecg", "evaluate", "--annotations", folder / "r.atr", folder / "r.ann", "--from", 0
    )
    lines = [line.split() for line in result.stdout.splitlines()]
    assert list("nsvfqox") in lines
    assert [line[0] for line in lines if line[1:2] == ["|"]] == list("NSVFQOX")
    assert ["V", "|", "0", "0", "12", "0", "0", "0", "0"] in lines
    assert "QRS sensitivity:  97.96% (48/49)" in result.stdout
    assert "VEB positive predictivity: 100.00% (12/12)" in result.stdout
    assert "SVEB sensitivity:      - (0/0)" in result.stdout
    assert "Warning: not EC57's test period" in result.stderr


def test_a_table_of_several_records_ends_in_gross_and_average(folder: Path) -> None:
    paths = (folder / "r.atr", folder / "r.ann") * 2
    table = call("ecg", "evaluate", "--annotations", *paths, "--from", 0).stdout
    assert "2 records, gross" in table
    assert [line.split()[0] for line in table.splitlines()[-2:]] == ["gross", "average"]


def test_unknown_annotations_are_counted_and_named(folder: Path) -> None:
    words = [1 << 10 | 400, 42 << 10 | 100, 42 << 10 | 1, 15 << 10 | 1, 0]  # (code, interval)
    (folder / "r.ann").write_bytes(np.array(words, "<u2").tobytes())
    found = evaluate(folder / "r.atr", folder / "r.ann", "--from", 0)
    assert "r.ann: unknown annotations ignored: code [15] × 1, code [42] × 2" in found["warnings"]
    assert found["gross"]["qrs"]["tp"] == 1


def test_few_matches_raise_doubt(folder: Path) -> None:
    shifted = [(sample + 200, symbol) for sample, symbol in BEATS]
    write(folder / "r.ann", annotations(shifted))
    found = evaluate(folder / "r.atr", folder / "r.ann", "--from", 0)
    assert "of another record?" in found["warnings"][0]


def test_annotations_of_another_record_are_refused(folder: Path) -> None:
    words = ("ecg", "evaluate", "--annotations", folder / "r.atr")
    late = write(folder / "late.ann", annotations([*BEATS, (20_000, "N")]))
    refused(3, *words, late, says=("20000", "late.ann"))
    shutil.copy(folder / "r.hea", folder / "s.hea")
    other = write(folder / "s.ann", annotations(BEATS))
    refused(3, *words, other, says=("record s", "r.atr"))


def test_empty_annotations_are_refused(folder: Path) -> None:
    empty = write(folder / "r.ann", annotations([(5, "+")]))
    refused(3, "ecg", "evaluate", "--annotations", folder / "r.atr", empty, says=("no beat",))


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["r.atr"], 2, "no pairs"),
        (["r.atr", "."], 2, "both be folders"),
        (["r.atr", "absent.ann"], 3, "absent.ann"),
        ([".", "empty"], 3, "no record"),
        (["r.atr", "r.ann"], 2, "--from 0:00"),  # 56 s: all of it in the learning period
        (["r.atr", "r.ann", "--from", "5m"], 2, "5:00"),
        (["r.atr", "r.ann", "--from", "0:20", "--to", "0:10"], 2, "nothing lies between"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    folder: Path, words: list[str], code: int, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    (folder / "empty").mkdir()
    refused(code, "ecg", "evaluate", "--annotations", *words, says=(says,))


def test_options_of_annotations_need_annotations() -> None:
    refused(2, "ecg", "evaluate", "@last:ecg", "--from", "5:00", says=("--from", "--annotations"))
    refused(2, "ecg", "evaluate", "a", "b", says=("2 runs", "--annotations"))
