"""EC57's matrix, worked out by hand: labels, shutdown, flutter, the period, RR errors, scores."""

from __future__ import annotations

import json

import numpy as np
import pytest
from ec57_cases import FS_HZ, Given, annotations, cells, compared
from hypothesis import given
from hypothesis import strategies as st

from toolkit.core.errors import ConfigError
from toolkit.ecg.beats import CLASSES
from toolkit.ecg.ec57.counting import COLUMNS, ROWS, average, compare, gross, summary
from toolkit.ecg.ec57.labels import of_annotations, of_beats

CLASS_OF = {
    "N": "NLRejBn",
    "S": "AaJS",
    "V": "VEr!",
    "F": "F",
    "Q": "/fQ?",
}


@pytest.mark.parametrize("name", CLASS_OF)
def test_every_beat_symbol_has_its_class(name: str) -> None:
    found = of_annotations(annotations([(k, s) for k, s in enumerate(CLASS_OF[name])]), FS_HZ)
    assert found.label.tolist() == [CLASSES.index(name)] * len(CLASS_OF[name])


def test_other_annotations_are_no_beats() -> None:
    others = [(k, symbol) for k, symbol in enumerate('+"s|x(p)tuT*D=^@~')]
    assert len(of_annotations(annotations([*others, (50, "[42]")]), FS_HZ).sample) == 0


def test_labels_are_counted_where_rows_and_columns_cross() -> None:
    # In order: V as v, V as f, F as v, Q as v, N as s, S missed, a v out of nothing.
    reference: Given = [(1000 * k, s) for k, s in enumerate("VVFQNA", 1)]
    test: Given = [(1000 * k, s) for k, s in enumerate("VFVVA", 1)]
    found = compared(reference, [*test, (9000, "V")])
    assert cells(found) == dict.fromkeys(("Vv", "Vf", "Fv", "Qv", "Ns", "So", "Ov"), 1)
    scores = found.to_json()
    # QRS: five beats found, one missed, one false.
    assert scores["qrs"] == {"se": 5 / 6, "ppv": 5 / 6, "tp": 5, "fn": 1, "fp": 1}
    # VEB: Vv; missed Vf; false Ov alone, as F or Q called V is no false positive.
    assert scores["veb"] == {"se": 0.5, "ppv": 0.5, "tp": 1, "fn": 1, "fp": 1}
    # SVEB: none right; missed So; false Ns.
    assert scores["sveb"] == {"se": 0, "ppv": 0, "tp": 0, "fn": 1, "fp": 1}


def test_f_called_s_is_a_false_sveb_and_q_called_s_is_none() -> None:
    found = compared([(1000, "F"), (2000, "Q")], [(1000, "A"), (2000, "A")])
    assert found.to_json()["sveb"] == {"se": None, "ppv": 0, "tp": 0, "fn": 0, "fp": 1}


def test_a_double_detection_costs_one_false_beat() -> None:
    # Reference N at 1000; tests v at 990 and n at 1008: n is nearer, v is left over.
    assert cells(compared([(1000, "N")], [(990, "V"), (1008, "N")])) == {"Nn": 1, "Ov": 1}


def test_at_the_edge_of_the_window() -> None:
    # 54 samples: found. 55 samples: missed, and false.
    assert cells(compared([(1000, "V")], [(1054, "V")])) == {"Vv": 1}
    assert cells(compared([(1000, "V")], [(1055, "V")])) == {"Vo": 1, "Ov": 1}


def test_the_period_holds_its_start_but_not_its_end() -> None:
    # From 10 s (3600) to 20 s (7200): beats at 3599 and 7200 are outside, at 3600 and 7199 in.
    beats: Given = [(3599 - 400, "N"), (3600, "N"), (7199, "N"), (7200 + 400, "N")]
    assert cells(compared(beats, beats, 10, 20)) == {"Nn": 2}
    beats = [(3599, "N"), (7200, "N")]
    assert cells(compared(beats, beats, 10, 20)) == {}


def test_a_beat_outside_the_period_is_nobodys_counterpart() -> None:
    # The test's 3595 is in the learning period and ignored, so the reference's 3605 is missed;
    # at the end the test's 7195 has lost its reference beat, 7205, and is false.
    found = compared([(3605, "N"), (7205, "N")], [(3595, "N"), (7195, "N")], 10, 20)
    assert cells(found) == {"No": 1, "On": 1}


@pytest.mark.parametrize(("start_s", "stop_s"), [(20, 20), (20, 10), (-1, 10)])
def test_an_empty_period_is_refused(start_s: float, stop_s: float) -> None:
    with pytest.raises(ConfigError, match="nothing lies between"):
        compared([(1, "N")], [(1, "N")], start_s, stop_s)


N3: Given = [(1000, "N"), (2000, "V"), (3000, "N")]


def test_beats_missed_in_shutdown_are_x_and_others_o() -> None:
    # Shut down from 1500 to 2500: V at 2000 is missed there, N at 3000 is missed while awake.
    found = compared(N3, [(1000, "N"), (1500, "~", -1), (2500, "~", 0)])
    assert cells(found) == {"Nn": 1, "Vx": 1, "No": 1}
    scores = found.to_json()
    assert scores["shutdown"] == {
        "reference_s": 0,
        "test_s": 1000 / FS_HZ,
        "missed": 1,
        "extra": 0,
    }
    # Beats missed in shutdown are missed: QRS 1 of 3, VEB 0 of 1.
    assert (scores["qrs"]["tp"], scores["qrs"]["fn"]) == (1, 2)
    assert scores["veb"]["fn"] == 1


def test_shutdown_begins_with_its_mark_and_ends_before_the_resumption() -> None:
    marks: Given = [(2000, "~", -1), (3000, "~", 0)]
    assert cells(compared(N3, [(1000, "N"), *marks])) == {"Nn": 1, "Vx": 1, "No": 1}


def test_false_beats_in_the_references_shutdown_are_of_row_x() -> None:
    # Test beats at 2000 (unreadable in the reference) and 5000 (readable) have no counterpart.
    reference: Given = [(1000, "N"), (1500, "~", -1), (2500, "~", 0)]
    found = compared(reference, [(1000, "N"), (2000, "V"), (5000, "A")])
    assert cells(found) == {"Nn": 1, "Xv": 1, "Os": 1}
    scores = found.to_json()
    assert (scores["veb"]["fp"], scores["sveb"]["fp"], scores["qrs"]["fp"]) == (1, 1, 2)
    assert scores["shutdown"]["extra"] == 1


def test_beats_that_match_within_shutdown_are_matches() -> None:
    marks: Given = [(500, "~", -1), (5000, "~", 0)]
    assert cells(compared(N3, sorted([*N3, *marks]))) == {"Nn": 2, "Vv": 1}


@pytest.mark.parametrize(
    ("subtype", "expected"),
    [(-1, "Vx"), (0x30, "Vx"), (0x33, "Vx"), (0x10, "Vo"), (0x20, "Vo"), (3, "Vo"), (0, "Vo")],
)
def test_shutdown_is_bits_16_and_32_of_the_subtype(subtype: int, expected: str) -> None:
    test: Given = [(1000, "N"), (1500, "~", subtype), (2500, "~", 1), (3000, "N")]
    assert cells(compared(N3, test)) == {"Nn": 2, expected: 1}


def test_a_lone_mark_reaches_to_150_ms_from_its_neighbours() -> None:
    # Beats at 1000 and 3000 about the mark: shut down from 1054 to 2946.
    test: Given = [(1000, "N"), (2100, "~", -1), (3000, "N")]
    assert cells(compared(N3, test)) == {"Nn": 2, "Vx": 1}
    assert compared(N3, test).test_shutdown_s == (2946 - 1054) / FS_HZ


def test_a_lone_mark_without_neighbours_reaches_to_the_ends_of_the_period() -> None:
    found = compared(N3, [(2100, "~", -1)])
    assert cells(found) == {"Nx": 2, "Vx": 1}
    assert found.test_shutdown_s == 60


def test_marks_with_no_beat_between_are_one_shutdown() -> None:
    # Lone marks at 1500 and 1600, then a pair 1700–2500: 1054 to 2946, counted once.
    marks: Given = [(at, "~", -1) for at in (1500, 1600, 1700)]
    test: Given = [(1000, "N"), *marks, (2500, "~", 0), (3000, "N")]
    assert compared(N3, test).test_shutdown_s == (2946 - 1054) / FS_HZ


def test_shutdown_counts_within_the_period_only() -> None:
    # 1000 to 7000, of which 10 s (3600) to 15 s (5400) are looked at.
    marks: Given = [(1000, "~", -1), (7000, "~", 0)]
    assert compared(N3, marks, 10, 15).test_shutdown_s == 5


FLUTTER: Given = [(1000, "N"), (1500, "["), (1600, "!"), (1800, "!"), (2000, "]"), (3000, "V")]


def test_flutter_is_left_out_of_either_annotator_by_itself() -> None:
    both: Given = [(1000, "N"), (3000, "V")]
    # The reference's waves are no beats, and the test has none there.
    assert cells(compared(FLUTTER, both)) == {"Nn": 1, "Vv": 1}
    # A device that beats on in the reference's flutter: its two beats are false.
    on = sorted([*both, (1600, "V"), (1800, "N")])
    assert cells(compared(FLUTTER, on)) == {"Nn": 1, "Vv": 1, "Ov": 1, "On": 1}
    # A device that calls flutter over two beats of the reference misses them.
    assert cells(compared(on, FLUTTER)) == {"Nn": 1, "Vv": 1, "Vo": 1, "No": 1}
    # Both call it: nothing in it is compared.
    assert cells(compared(FLUTTER, FLUTTER)) == {"Nn": 1, "Vv": 1}


def test_flutter_without_an_end_lasts_and_an_end_without_flutter_is_nothing() -> None:
    unended: Given = [(1000, "N"), (1500, "["), (2000, "V"), (3000, "N")]
    assert cells(compared(N3, unended)) == {"Nn": 1, "Vo": 1, "No": 1}
    assert cells(compared(N3, sorted([*N3, (1500, "]")]))) == {"Nn": 2, "Vv": 1}


def test_flutter_that_began_before_the_period_lasts_into_it() -> None:
    # Flutter from 1000 to 4000, period from 3600: the beat at 3800 lies in flutter.
    reference: Given = [(1000, "["), (3800, "N"), (4000, "]"), (4200, "N")]
    assert cells(compared(reference, [(4200, "N")], 10, 20)) == {"Nn": 1}


def test_rr_errors_are_of_intervals_between_neighbouring_pairs() -> None:
    # Reference intervals 360, 360, 400; test 369, 342, 400 samples: off by −9, 18, 0 samples,
    # which are −25, 50, 0 ms: RMS √(3125 / 3).
    reference: Given = [(k, "N") for k in (1000, 1360, 1720, 2120)]
    test: Given = [(k, "N") for k in (1000, 1369, 1711, 2111)]
    found = compared(reference, test)
    assert found.rr_intervals == 3
    assert found.to_json()["rr_rms_ms"] == pytest.approx((3125 / 3) ** 0.5)


def test_rr_intervals_about_a_missed_or_a_false_beat_do_not_count() -> None:
    reference: Given = [(k, "N") for k in (1000, 1360, 1720, 2080)]
    missed: Given = [(k, "N") for k in (1000, 1720, 2080)]
    assert compared(reference, missed).rr_intervals == 1
    assert compared(missed, reference).rr_intervals == 1
    assert compared(reference, [(1000, "N")]).to_json()["rr_rms_ms"] is None


def test_rr_intervals_across_flutter_do_not_count() -> None:
    assert compared(FLUTTER, FLUTTER).rr_intervals == 0
    assert compared(FLUTTER, [(1000, "N"), (3000, "V")]).rr_intervals == 0
    assert compared([(1000, "N"), (3000, "V")], FLUTTER).rr_intervals == 0


def test_gross_counts_beats_and_average_counts_records() -> None:
    # VEB: record a finds 1 of 1, b finds 1 of 3, c has none and does not enter the average.
    a = compared([(1000, "V")], [(1000, "V")])
    b = compared([(k, "V") for k in (1000, 2000, 3000)], [(1010, "V")])
    c = compared([(1000, "N")], [(1000, "N")])
    assert gross([a, b, c]).to_json()["veb"]["se"] == 2 / 4
    assert average([a, b, c])["veb"]["se"] == pytest.approx((1 + 1 / 3) / 2)
    assert average([a, b, c])["qrs"]["se"] == pytest.approx((1 + 1 / 3 + 1) / 3)
    assert average([c])["veb"] == {"se": None, "ppv": None}


LABELLED = st.lists(
    st.tuples(st.integers(0, 21_599), st.sampled_from("NLAVEF/Q[]~+!")), max_size=40
).map(lambda rows: sorted(dict(rows).items()))


@given(LABELLED)
def test_perfect_annotations_are_perfect(rows: Given) -> None:
    found = compared(rows, rows)
    np.testing.assert_array_equal(found.counts, np.diag(np.diag(found.counts)))
    assert found.rr_squares_ms2 == 0
    scores = found.to_json()
    assert {scores[key][name] for key in ("qrs", "veb", "sveb") for name in ("se", "ppv")} <= {
        1.0,
        None,
    }


@given(LABELLED, LABELLED)
def test_rows_sum_to_reference_beats_and_columns_to_test_beats(ours: Given, theirs: Given) -> None:
    found = compared(ours, theirs)
    for given_, axis in ((ours, 1), (theirs, 0)):
        label = of_annotations(annotations(given_), FS_HZ).label
        sums = found.counts.sum(axis=axis)[: len(CLASSES)]
        np.testing.assert_array_equal(sums, np.bincount(label, minlength=len(CLASSES)))
    nothing = len(CLASSES)
    assert found.counts[nothing:, nothing:].sum() == 0
    qrs = found.to_json()["qrs"]
    assert qrs["tp"] + qrs["fn"] == found.counts[:nothing].sum()
    assert qrs["tp"] + qrs["fp"] == found.counts[:, :nothing].sum()


@given(LABELLED, LABELLED)
def test_exchanging_annotators_transposes_the_matrix(ours: Given, theirs: Given) -> None:
    shared = {sample for sample, _ in ours}  # coincident beats are taken for the reference's
    theirs = [row for row in theirs if row[0] not in shared]
    there, back = compared(ours, theirs), compared(theirs, ours)
    np.testing.assert_array_equal(there.counts, back.counts.T)
    assert there.rr_squares_ms2 == pytest.approx(back.rr_squares_ms2)


def test_summary_is_json_with_every_name() -> None:
    found = summary({"a": compared(N3, N3)})
    json.dumps(found, allow_nan=False)
    assert found.keys() == {"records", "gross", "average"}
    record = found["records"]["a"]
    assert tuple(record["matrix"]) == ROWS
    assert all(tuple(row) == COLUMNS for row in record["matrix"].values())


def test_a_models_beats_are_sorted_and_compared() -> None:
    reference = of_annotations(annotations(N3), FS_HZ)
    model = of_beats(np.array([3000, 1000, 2000]), np.array([0, 0, 2]))
    assert cells(compare(reference, model, FS_HZ, start_s=0, stop_s=60)) == {"Nn": 2, "Vv": 1}
