"""Beats: the published counts, RR intervals, and windows equal to plain slices."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from toolkit.core.errors import DataError
from toolkit.ecg.annotations import Annotations
from toolkit.ecg.beats import CLASSES, DS1, DS2, PACED, aami_classes, beat_table, windows
from toolkit.ecg.records import ANY_OTHER, Record

COUNTS = {
    DS1: {"N": 45866, "S": 944, "V": 3788, "F": 415, "Q": 8},
    DS2: {"N": 44259, "S": 1837, "V": 3221, "F": 388, "Q": 7},
}


def record(name: str, sample: list[int], symbol: str, leads: tuple[str, str]) -> Record:
    zeros = np.zeros(len(sample), np.int64)
    marks = Annotations(
        np.array(sample, np.int64), np.array(list(symbol)), zeros, zeros, zeros, ("",) * len(sample)
    )
    adu = np.stack((np.arange(100), 1000 + np.arange(100)), axis=1).astype(np.int16)
    return Record(name, 10.0, leads, ("mV", "mV"), (1.0, 2.0), (0, 1000), adu, marks)


RECORDS = {
    "a": record("a", [5, 10, 30, 90], "N+VA", ("MLII", "V1")),
    "b": record("b", [50], "f", ("V5", "MLII")),
}


def test_splits_are_disjoint_and_hold_44_records() -> None:
    assert len(DS1) == len(DS2) == 22
    assert not set(DS1) & set(DS2)
    assert not set(PACED) & {*DS1, *DS2}


@pytest.mark.parametrize("names", [DS1, DS2])
def test_counts_are_those_of_the_literature(
    real_records: dict[str, Record], names: tuple[str, ...]
) -> None:
    table = beat_table(real_records, names)
    assert table.counts() == COUNTS[names]
    assert len(table) == sum(COUNTS[names].values())


def test_all_48_records_have_109494_beats(real_records: dict[str, Record]) -> None:
    assert len(beat_table(real_records)) == 109_494


def test_symbols_map_to_classes() -> None:
    symbols = np.array(list('NLRejAaJSVEF/fQ+~|!x[]"'))
    names = ["".join(CLASSES[label]) if label >= 0 else "" for label in aami_classes(symbols)]
    assert "".join(names) == "NNNNNSSSSVVFQQQ"
    assert aami_classes(np.array(["é", "N"])).tolist() == [-1, 0]
    assert aami_classes(np.array([], "<U1")).tolist() == []


def test_a_table_holds_beats_only_record_by_record() -> None:
    table = beat_table(RECORDS)
    assert table.names == ("a", "b")
    assert table.record.tolist() == [0, 0, 0, 1]
    assert table.sample.tolist() == [5, 30, 90, 50]
    assert "".join(table.symbol) == "NVAf"
    assert [CLASSES[label] for label in table.label] == ["N", "V", "S", "Q"]
    assert table.counts() == {"N": 1, "S": 1, "V": 1, "F": 0, "Q": 1}
    assert table.rows_of(["b"]).tolist() == [3]
    assert beat_table(RECORDS, ["b", "a"]).names == ("b", "a")


def test_rr_intervals_stay_inside_their_record() -> None:
    table = beat_table(RECORDS)
    np.testing.assert_allclose(table.rr_previous_s, [2.5, 2.5, 6.0, np.nan])
    np.testing.assert_allclose(table.rr_next_s, [2.5, 6.0, 6.0, np.nan])


def test_windows_equal_slices_and_repeat_the_ends() -> None:
    table = beat_table(RECORDS)
    rows = np.array([3, 0, 2, 1, 0])
    found = windows(RECORDS, table, rows, leads=("MLII", ANY_OTHER), before=12, after=15)
    assert found.shape == (5, 2, 27)
    assert found.dtype == np.float32
    for window, row in zip(found, rows):
        name = table.names[table.record[row]]
        at = table.sample[row] + np.arange(-12, 15)
        for values, lead in zip(window, ("MLII", "V1" if name == "a" else "V5")):
            np.testing.assert_array_equal(values, RECORDS[name].lead(lead)[np.clip(at, 0, 99)])


def test_real_windows_agree_with_slices(real_records: dict[str, Record]) -> None:
    table = beat_table(real_records, ["114", "200"])
    rows = np.random.default_rng(0).permutation(np.arange(5, len(table) - 5))[:50]
    found = windows(real_records, table, rows, before=100, after=150)
    for window, row in zip(found, rows):
        at, name = int(table.sample[row]), table.names[table.record[row]]
        np.testing.assert_array_equal(
            window[0], real_records[name].lead("MLII")[at - 100 : at + 150]
        )


def test_no_rows_give_no_windows() -> None:
    found = windows(RECORDS, beat_table(RECORDS), np.array([], int), before=1, after=2)
    assert found.shape == (0, 1, 3)


def test_absent_records_annotations_and_leads_are_named() -> None:
    with pytest.raises(DataError, match="record c is not loaded"):
        beat_table(RECORDS, ["c"])
    with pytest.raises(DataError, match="record a was read without annotations"):
        beat_table({"a": replace(RECORDS["a"], annotations=None)})
    with pytest.raises(DataError, match="no records"):
        beat_table({})
    with pytest.raises(DataError, match="record b has no lead 'V1'"):
        windows(RECORDS, beat_table(RECORDS), np.arange(4), leads=("V1",), before=1, after=1)
