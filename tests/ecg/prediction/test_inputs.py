"""One recording in every kind of file is the same recording; what is missing is asked for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import scipy.io

from toolkit.core.errors import ConfigError, DataError
from toolkit.ecg.prediction import leads
from toolkit.ecg.prediction.analysis import find_beats
from toolkit.ecg.prediction.inputs import InputOptions, check_amplitude, read_input
from toolkit.ecg.prediction.numbers import from_numbers
from toolkit.ecg.synthetic import synthesize
from toolkit.ecg.writing import write_record

HZ = InputOptions(fs_hz=250.0)


@pytest.fixture(scope="module")
def numbers():
    """(n, 2) mV at 250 Hz, 10 s."""
    rng = np.random.default_rng(0)
    return rng.normal(0, 0.5, (2500, 2)).astype(np.float32)


def millivolts(recording):
    record = recording.record
    return record.to_millivolts(record.signal_adu, range(len(record.leads)))


def write_csv(path, numbers, head=None, time=None, fmt="%.6f", delimiter=","):
    columns = numbers if time is None else np.column_stack([time, numbers])
    np.savetxt(path, columns, fmt=fmt, delimiter=delimiter, header=head or "", comments="")
    if head is None:
        path.write_text(path.read_text().lstrip("\n"))
    return path


@pytest.mark.parametrize("delimiter", [",", ";", "\t", " "])
def test_a_table_with_names_and_times(tmp_path, numbers, delimiter):
    time = np.arange(2500) / 250
    head = delimiter.join(["time", "II", "V1"])
    path = write_csv(tmp_path / "a.csv", numbers, head, time, delimiter=delimiter)
    read = read_input(path, InputOptions())
    assert read.record.fs_hz == 250
    assert read.record.leads == ("II", "V1")
    assert np.abs(millivolts(read) - numbers).max() < 2e-4


def test_times_in_milliseconds_and_numbers_of_samples(tmp_path, numbers):
    in_ms = write_csv(tmp_path / "a.csv", numbers, "time_ms,a,b", np.arange(2500) * 4.0)
    assert read_input(in_ms, InputOptions()).record.fs_hz == 250
    untitled = write_csv(tmp_path / "b.csv", numbers, None, np.arange(2500) * 0.004)
    read = read_input(untitled, InputOptions())
    assert read.record.fs_hz == 250
    assert read.record.leads == ("1", "2")
    numbered = write_csv(tmp_path / "c.csv", numbers, "sample,a,b", np.arange(2500.0))
    assert read_input(numbered, HZ).record.leads == ("a", "b")
    counted = write_csv(tmp_path / "d.csv", numbers, None, np.arange(2500.0))
    assert read_input(counted, HZ).record.leads == ("1", "2")


@pytest.mark.parametrize(
    ("head", "first", "fs_hz"),
    [
        (",MLII,V5", np.arange(2500), None),
        (",MLII,V5", np.arange(2500) ** 2, None),  # rows were dropped
        (",MLII,V5", np.arange(2500) / 250, 250),
        ("'sample #','MLII','V5'", np.arange(2500), None),
        ("Unnamed: 0,MLII,V5", np.arange(2500), None),
        ("Abtastung,MLII,V5", np.arange(2500), None),
        ("time,MLII,V5", np.arange(2500), None),
        ("timestamp,MLII,V5", np.arange(2500) / 250, 250),
        ("Timestamp (us),MLII,V5", np.arange(2500) * 4000, 250),
        ("time_ns,MLII,V5", 1.7e18 + np.arange(2500) * 4e6, 250),
        ("t,MLII,V5", np.arange(2500) * 4000, 250),
        ("t,MLII,V5", np.arange(2500) * 4e6, 250),
        ("time_ms,MLII,V5", np.arange(2500) * 2, 500),
    ],
)
def test_numbers_and_times_of_samples_are_no_lead(tmp_path, numbers, head, first, fs_hz):
    path = write_csv(tmp_path / "a.csv", numbers, head, first)
    given = read_input(path, InputOptions(fs_hz=360.0)).record
    assert (given.leads, given.fs_hz) == (("MLII", "V5"), 360)
    if fs_hz is None:
        with pytest.raises(ConfigError, match="does not say its sampling frequency"):
            read_input(path, InputOptions())
    else:
        assert read_input(path, InputOptions()).record.fs_hz == fs_hz


def test_an_index_beside_times_is_no_lead(tmp_path, numbers):
    columns = np.column_stack([np.arange(2500) / 250, numbers])
    path = write_csv(tmp_path / "a.csv", columns, ",time,II,V1", np.arange(2500))
    record = read_input(path, InputOptions()).record
    assert (record.leads, record.fs_hz) == (("II", "V1"), 250)


def test_the_tables_of_physionet_have_quotes_and_units(tmp_path, numbers):
    path = write_csv(tmp_path / "a.csv", numbers, "'time','MLII'\n'seconds','mV'", np.arange(2500))
    path.write_text(
        "'Elapsed time','MLII'\n'seconds','mV'\n"
        + "".join(f"{i / 250:.3f},{v:.5f}\n" for i, v in enumerate(numbers[:, 0]))
    )
    read = read_input(path, InputOptions())
    assert (read.record.fs_hz, read.record.leads) == (250, ("MLII",))


def test_empty_cells_are_missing(tmp_path, numbers):
    lines = [f"{v:.5f}" for v in numbers[:, 0]]
    lines[100:120] = ["nan"] * 20
    two = [f"{text},{'' if i in (7, 8) else '0.5'}" for i, text in enumerate(lines)]
    path = tmp_path / "a.csv"
    path.write_text("a,b\n" + "\n".join(two) + "\n")
    found = np.isnan(millivolts(read_input(path, HZ)))
    assert np.flatnonzero(found[:, 0]).tolist() == list(range(100, 120))
    assert np.flatnonzero(found[:, 1]).tolist() == [7, 8]


@pytest.mark.parametrize("empty", ["", '""', "  "])
def test_empty_lines_of_one_column_are_missing(tmp_path, numbers, empty):
    lines = [f"{v:.5f}" for v in numbers[:, 0]]
    lines[100] = lines[101] = empty
    path = tmp_path / "a.csv"
    path.write_text("ECG\n\n" + "\n".join(lines) + "\n\n")
    found = millivolts(read_input(path, HZ))[:, 0]
    assert np.flatnonzero(np.isnan(found)).tolist() == [100, 101]
    assert len(found) == 2500


def test_line_ends_that_were_written_twice_are_no_samples(tmp_path, numbers):
    path = tmp_path / "a.csv"
    path.write_text("ECG\n\n" + "".join(f"{v:.5f}\n\n" for v in numbers[:, 0]))
    found = millivolts(read_input(path, HZ))[:, 0]
    assert np.abs(found - numbers[:, 0]).max() < 2e-4


@pytest.mark.parametrize("shape", ["(n, leads)", "(leads, n)", "(n,)"])
def test_arrays_of_any_orientation(tmp_path, numbers, shape):
    array = {"(n, leads)": numbers, "(leads, n)": numbers.T, "(n,)": numbers[:, 0]}[shape]
    np.save(tmp_path / "a.npy", array)
    scipy.io.savemat(tmp_path / "b.mat", {"fs": 250.0, "ecg": array, "name": "x"})
    expected = numbers[:, :1] if shape == "(n,)" else numbers
    for name in ("a.npy", "b.mat"):
        assert np.abs(millivolts(read_input(tmp_path / name, HZ)) - expected).max() < 2e-4


def test_a_matlab_file_of_version_7_3(tmp_path, numbers):
    import h5py

    with h5py.File(tmp_path / "a.mat", "w") as file:
        file["small"], file["ecg"] = np.zeros((3, 3)), numbers.T
    assert np.abs(millivolts(read_input(tmp_path / "a.mat", HZ)) - numbers).max() < 2e-4
    with pytest.raises(ConfigError, match="no array of numbers 'egc'; did you mean 'ecg'"):
        read_input(tmp_path / "a.mat", InputOptions(fs_hz=250.0, variable="egc"))


def test_units(tmp_path, numbers):
    np.save(tmp_path / "uv.npy", numbers * 1000)
    np.save(tmp_path / "adu.npy", np.rint(numbers * 200).astype(np.int32))
    uv = read_input(tmp_path / "uv.npy", InputOptions(fs_hz=250.0, unit="uV"))
    adu = read_input(tmp_path / "adu.npy", InputOptions(fs_hz=250.0, unit="adu", gain=200.0))
    assert np.abs(millivolts(uv) - numbers).max() < 2e-4
    assert np.abs(millivolts(adu) - numbers).max() < 5e-3
    with pytest.raises(ConfigError, match=r"lead 2 spans .* far more"):
        check_amplitude(read_input(tmp_path / "uv.npy", HZ), [1])
    check_amplitude(uv, [1])
    with pytest.raises(ConfigError, match="--unit adu needs --gain"):
        read_input(tmp_path / "adu.npy", InputOptions(fs_hz=250.0, unit="adu"))


def test_only_the_leads_that_are_read_must_be_millivolts(tmp_path):
    whole = synthesize(5, 0.5)
    x = whole.millivolts(whole.leads)[0]
    pressure = 90 + 40 * np.sin(np.arange(len(x)) / 50)
    path = write_csv(tmp_path / "a.csv", np.stack([x, pressure], axis=1), "II,pressure")
    recording = read_input(path, InputOptions(fs_hz=360.0))
    assert len(find_beats(recording, ("II",), 2)[1]) > 20
    with pytest.raises(ConfigError, match="lead pressure spans"):
        find_beats(recording, (), 2)


def test_a_rate_that_no_file_says_must_be_given(tmp_path, numbers):
    path = write_csv(tmp_path / "a.csv", numbers, "a,b")
    with pytest.raises(ConfigError, match="--fs-hz"):
        read_input(path, InputOptions())
    timed = write_csv(tmp_path / "b.csv", numbers, "t,a,b", np.arange(2500) / 250)
    overridden = read_input(timed, InputOptions(fs_hz=360.0))
    assert overridden.record.fs_hz == 360
    assert overridden.notes == ("--fs-hz 360 is taken, although times in seconds give 250 Hz",)
    with pytest.raises(ConfigError, match="no sampling frequency"):
        read_input(path, InputOptions(fs_hz=10.0))


def bad_files(tmp_path):
    texts = {
        "empty.csv": "",
        "words.csv": "a,b\nx,y\n",
        "ragged.csv": "a,b\n1,2\n1,2,3\n",
        "head.csv": "a,b\n",
        "late.csv": "a,b\n1,2\nx,2\n",
        "back.csv": "t,a\n" + "".join(f"{-i},1\n" for i in range(50)),
        "gap.csv": "t,a\n" + "".join(f"{i + 90 * (i > 20)},1\n" for i in range(50)),
        "times.csv": "t\n" + "".join(f"{i}\n" for i in range(50)),
        "no.npy": "x" * 300,
        "no.mat": "x" * 300,
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    np.save(tmp_path / "object.npy", np.array([{}, []], object), allow_pickle=True)
    np.save(tmp_path / "cube.npy", np.zeros((9, 9, 9)))
    np.save(tmp_path / "square.npy", np.zeros((500, 500)))
    np.save(tmp_path / "short.npy", np.zeros(100))
    return [*texts, *(f"{k}.npy" for k in ("object", "cube", "square", "short")), "none.csv"]


def test_bad_files_are_refused(tmp_path):
    for name in [*bad_files(tmp_path), "record"]:
        with pytest.raises(DataError) as caught:
            read_input(tmp_path / name, HZ)
        assert caught.value.hint, name


def test_numbers_keep_their_gaps_and_offset():
    values = np.array([[1e3], [np.nan], [1e3 + 1], [np.inf]])
    record, _ = from_numbers("a", values, 250.0, ())
    found = record.to_millivolts(record.signal_adu, [0])[:, 0]
    assert np.isnan(found).tolist() == [False, True, False, True]
    assert found[2] - found[0] == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("mark", [9999, -32768, 1e6, 1e300])
def test_marks_of_missing_samples_cost_the_others_nothing(tmp_path, numbers, mark):
    values = numbers.astype(np.float64)
    values[[0, 77], 1] = mark
    np.save(tmp_path / "a.npy", values)
    recording = read_input(tmp_path / "a.npy", HZ)
    found = millivolts(recording)
    assert np.argwhere(np.isnan(found)).tolist() == [[0, 1], [77, 1]]
    assert np.nanmax(np.abs(found - values)[np.isfinite(found)]) < 2e-4
    assert len(recording.notes) == (mark < 1e38)
    assert all("2 samples of lead 2" in note for note in recording.notes)


def test_drifts_of_a_direct_current_are_kept(numbers):
    values = numbers[:, :1] + np.linspace(0, 400, len(numbers))[:, None]
    record, notes = from_numbers("a", values, 250.0, ())
    assert not notes
    assert not np.isnan(record.to_millivolts(record.signal_adu, [0])).any()


def record_with(*names):
    values = np.random.default_rng(0).normal(size=(99, len(names)))
    return from_numbers("r", values, 250.0, names)[0]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("V1", "MLII"), (1, 0)),
        (("V1", "II", "V5"), (1, 0)),
        (("ECG1", "ECG2"), (0, 1)),
        (("ECG", "ECG"), (0, 1)),
        (("", ""), (0, 1)),
        (("aVR", "x"), (1, 0)),
        (("V5",), (0,)),
    ],
)
def test_the_lead_most_like_ii_is_the_main_one(names, expected):
    columns, warnings = leads.choose(record_with(*names), (), 2)
    assert columns == expected
    assert bool(warnings) == (names[expected[0]] != "MLII" or len(names) < 2)


def test_leads_by_name_and_number():
    record = record_with("I", "II", "V1")
    assert leads.choose(record, ("v1",), 2)[0] == (2,)
    assert leads.choose(record, ("2", "I"), 2)[0] == (1, 0)
    for wanted, says in (
        (("V9",), "no lead 'V9'"),
        (("1", "I"), "twice"),
        (("1", "2", "3"), "takes 2"),
    ):
        with pytest.raises(ConfigError, match=says):
            leads.choose(record, wanted, 2)


def test_a_wfdb_record_with_or_without_suffix(database):
    path = sorted(database.glob("*.hea"))[0]
    for given in (path, path.with_suffix(""), path.with_suffix(".dat")):
        read = read_input(given, InputOptions())
        assert read.record.leads == ("MLII", "V1")
    with pytest.raises(ConfigError, match="--unit does not apply"):
        read_input(path, InputOptions(unit="mV"))
    with pytest.raises(ConfigError, match="the header says 360"):
        read_input(path, InputOptions(fs_hz=250.0))


def test_numbers_of_a_record_are_that_record():
    record = synthesize(0, 0.5)
    x = record.millivolts(record.leads).T
    again, _ = from_numbers("again", x, record.fs_hz, record.leads)
    assert np.abs(again.millivolts(again.leads).T - x).max() < 2e-4


def test_a_lead_without_a_sample_is_not_chosen(tmp_path):
    whole = synthesize(5, 0.5, name="half")
    adu = np.array(whole.signal_adu)
    adu[:, 0] = np.iinfo(adu.dtype).min
    path = write_record(tmp_path, replace(whole, signal_adu=adu, annotations=None))
    recording = read_input(path, InputOptions())
    assert leads.choose(recording.record, (), 2)[0] == (1,)
    assert len(find_beats(recording, ("V1",), 2)[1]) > 20
    with pytest.raises(DataError, match="nothing in half can be read: missing"):
        find_beats(recording, ("MLII",), 2)
