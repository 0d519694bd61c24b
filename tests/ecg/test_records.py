"""Records: agreement with WFDB, and every kind of damage refused in one DataError."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from toolkit.core.errors import DataError
from toolkit.ecg.formats import BITS_PER_SAMPLE, decode, encode_212
from toolkit.ecg.records import ANY_OTHER, Record, read_record
from toolkit.ecg.writing import write_record

# wfdb-python, the oracle here, calls what pandas 3 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:The inplace keyword")

ADU = np.array([[0, 5], [-2047, 2047], [17, -3], [2047, -2047], [1, 1]], np.int16)


def record(adu: NDArray[np.integer] = ADU, **changes: object) -> Record:
    plain = Record("r", 360.0, ("MLII", "V1"), ("mV", "mV"), (200.0, 100.0), (0, 10), adu)
    return replace(plain, **changes)  # type: ignore[arg-type]


def write_raw(folder: Path, code: int, data: bytes, first: list[int], sums: list[int]) -> Path:
    """A record in a format that :func:`write_record` does not write."""
    bits = BITS_PER_SAMPLE[code]
    lines = [f"r {len(first)} 360 {len(ADU)}"]
    for lead, (start, checksum) in enumerate(zip(first, sums)):
        lines.append(f"r.dat {code} 200 {bits} 0 {start} {checksum % 65536} 0 lead{lead}")
    (folder / "r.hea").write_text("\n".join(lines))
    (folder / "r.dat").write_bytes(data)
    return folder / "r"


def test_agrees_with_wfdb_on_real_records(
    mitdb: Path, hashes: dict[str, str], wfdb: ModuleType
) -> None:
    for name in ("100", "114", "232"):
        ours = read_record(mitdb / name, expected_sha256=hashes)
        theirs = wfdb.rdrecord(str(mitdb / name), physical=False)
        np.testing.assert_array_equal(ours.signal_adu, theirs.d_signal)
        assert (ours.leads, ours.fs_hz) == (tuple(theirs.sig_name), theirs.fs)
        physical = wfdb.rdrecord(str(mitdb / name)).p_signal
        np.testing.assert_allclose(ours.millivolts(ours.leads), physical.T, atol=1e-5)


def test_leads_are_chosen_by_name(mitdb: Path) -> None:
    second = read_record(mitdb / "114", annotator=None)
    assert second.leads == ("V5", "MLII")
    expected = (second.signal_adu[:, 1].astype(np.float32) - 1024) / 200
    np.testing.assert_allclose(second.lead("MLII"), expected, rtol=1e-6)
    without = read_record(mitdb / "102", annotator=None)
    with pytest.raises(DataError, match=r"record 102 has no lead 'MLII'; its leads are V5, V2"):
        without.lead("MLII")


@pytest.mark.parametrize("resolution", [12, 16])
@pytest.mark.parametrize("length", [1, 2, 5])
@pytest.mark.parametrize("n_leads", [1, 2])
def test_what_is_written_is_read_back(
    tmp_path: Path, resolution: int, length: int, n_leads: int, wfdb: ModuleType
) -> None:
    made = record(ADU[:length, :n_leads], leads=("MLII", "V1")[:n_leads])
    path = write_record(tmp_path, made, adc_resolution=resolution)
    found = read_record(path, annotator=None)
    np.testing.assert_array_equal(found.signal_adu, made.signal_adu)
    assert (found.fs_hz, found.leads) == (made.fs_hz, made.leads)
    assert (found.gain, found.baseline) == (made.gain[:n_leads], made.baseline[:n_leads])
    np.testing.assert_array_equal(
        wfdb.rdrecord(str(path), physical=False).d_signal, made.signal_adu
    )


@given(st.lists(st.integers(-2048, 2047), min_size=1, max_size=50))
def test_format_212_round_trip(values: list[int]) -> None:
    samples = np.array(values, np.int16)
    raw = np.frombuffer(encode_212(samples), np.uint8)
    np.testing.assert_array_equal(decode(raw, 212, len(samples)), samples)


def test_samples_of_a_24_bit_converter_are_kept(tmp_path: Path, wfdb: ModuleType) -> None:
    adu = ADU.astype(np.int32) * 4001
    adu[2, 1] = np.iinfo(np.int32).min  # missing
    made = record(adu)
    path = write_record(tmp_path, made)
    found = read_record(path, annotator=None, allow_missing=True)
    np.testing.assert_array_equal(found.signal_adu, adu)
    theirs = wfdb.rdrecord(str(path), physical=False).d_signal
    np.testing.assert_array_equal(theirs, adu)


def bytes_24(values: NDArray[np.int64]) -> bytes:
    return values.astype("<i4").view(np.uint8).reshape(-1, 4)[:, :3].tobytes()


def bytes_10_bits(values: NDArray[np.int64], code: int) -> bytes:
    """Groups of three samples in four bytes, the last one padded."""
    a, b, c = np.pad(values, (0, -len(values) % 3)).reshape(-1, 3).T & 0x3FF
    if code == 311:
        return (a | b << 10 | c << 20).astype("<u4").tobytes()
    low, high = a << 1 | (c & 0x1F) << 11, b << 1 | c >> 5 << 11
    return (low | high << 16).astype("<u4").tobytes()


@pytest.mark.parametrize(
    ("code", "scale", "pack"),
    [
        (310, 1 / 4, partial(bytes_10_bits, code=310)),
        (311, 1 / 4, partial(bytes_10_bits, code=311)),
        (16, 1, lambda v: v.astype("<i2").tobytes()),
        (61, 1, lambda v: v.astype(">i2").tobytes()),
        (160, 1, lambda v: (v + 32768).astype("<u2").tobytes()),
        (80, 1 / 17, lambda v: (v + 128).astype("u1").tobytes()),
        (24, 4000, bytes_24),
        (32, 1e6, lambda v: v.astype("<i4").tobytes()),
    ],
)
def test_other_formats_agree_with_wfdb(
    tmp_path: Path,
    code: int,
    scale: float,
    pack: Callable[[NDArray[np.int64]], bytes],
    wfdb: ModuleType,
) -> None:
    values = (ADU * scale).astype(np.int64)
    path = write_raw(
        tmp_path, code, pack(values.ravel()), values[0].tolist(), values.sum(axis=0).tolist()
    )
    found = read_record(path, annotator=None)
    np.testing.assert_array_equal(found.signal_adu, values)
    np.testing.assert_array_equal(wfdb.rdrecord(str(path), physical=False).d_signal, values)


def test_leads_in_two_files_and_bytes_before_the_samples(tmp_path: Path) -> None:
    (tmp_path / "a.dat").write_bytes(b"prolog__" + ADU[:, 0].astype("<i2").tobytes())
    (tmp_path / "b.dat").write_bytes(encode_212(ADU[:, 1]))
    sums = ADU.sum(axis=0, dtype=np.int64) % 65536
    lines = [
        "r 2 360 5",
        f"a.dat 16+8 200 16 0 {ADU[0, 0]} {sums[0]} 0 MLII",
        f"b.dat 212 200 12 0 {ADU[0, 1]} {sums[1]} 0 V1",
    ]
    (tmp_path / "r.hea").write_text("\n".join(lines))
    found = read_record(tmp_path / "r", annotator=None)
    np.testing.assert_array_equal(found.signal_adu, ADU)


@pytest.mark.parametrize("keep", [0, 1, 2, 3, 100, 0.5, -3, -2, -1])
def test_every_class_of_truncation_is_refused(database: Path, keep: float) -> None:
    path = database / "syn000.dat"
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep) if keep == 0.5 else int(keep)])
    with pytest.raises(DataError, match="its header asks for") as error:
        read_record(database / "syn000")
    assert error.value.where == str(path)


def test_extra_bytes_and_missing_files_are_refused(database: Path) -> None:
    path = database / "syn000.dat"
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(DataError, match="its header asks for"):
        read_record(database / "syn000")
    path.unlink()
    with pytest.raises(DataError, match=r"cannot read syn000\.dat"):
        read_record(database / "syn000")
    path.mkdir()
    with pytest.raises(DataError, match=r"cannot read syn000\.dat"):
        read_record(database / "syn000")
    with pytest.raises(DataError, match=r"cannot read nothing\.hea"):
        read_record(database / "nothing")


def test_single_bit_flips_of_a_signal_are_refused(database: Path) -> None:
    """The checksum catches them all, even where the hash is not known."""
    path = database / "syn000.dat"
    data = path.read_bytes()
    for bit in np.random.default_rng(0).choice(8 * len(data), 100, replace=False).tolist():
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        path.write_bytes(flipped)
        with pytest.raises(DataError):
            read_record(database / "syn000")


@pytest.mark.parametrize("file", ["syn000.hea", "syn000.dat", "syn000.atr"])
def test_a_wrong_hash_is_refused(database: Path, file: str) -> None:
    with pytest.raises(DataError, match=f"SHA-256 of {file}"):
        read_record(database / "syn000", expected_sha256={file: "0" * 64})


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (" 360 ", " -1 ", "sampling frequency"),
        (" 360 ", " 100000 ", "sampling frequency"),
        (" 11 1024 ", " 8 1024 ", "outside 896 to 1151"),
        (" 0 MLII", "1 0 MLII", "checksum"),
        ("syn000.dat", "other.dat", "cannot read other.dat"),
        (" 10800\n", " 2800000000\n", "its header asks for"),
        (" 10800\n", " 10799\n", "its header asks for"),
    ],
)
def test_a_header_that_contradicts_the_signal_is_refused(
    database: Path, old: str, new: str, message: str
) -> None:
    path = database / "syn000.hea"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(DataError, match=message):
        read_record(database / "syn000")


def test_a_wrong_initial_value_is_refused(tmp_path: Path) -> None:
    data = ADU.astype("<i2").tobytes()
    path = write_raw(tmp_path, 16, data, [1, 5], ADU.sum(axis=0, dtype=int).tolist())
    with pytest.raises(DataError, match="starts at 0, not 1"):
        read_record(path, annotator=None)


def test_a_lying_header_cannot_ask_for_memory(database: Path) -> None:
    path = database / "syn000.hea"
    path.write_text(path.read_text().replace(" 10800\n", " 2800000000\n"))  # 7.8 GiB
    tracemalloc.start()
    with pytest.raises(DataError):
        read_record(database / "syn000")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20


def test_annotations_beyond_the_end_are_refused(database: Path) -> None:
    longer = database / "syn001.atr"
    (database / "syn000.atr").write_bytes(longer.read_bytes())
    write_record(database, replace(read_record(database / "syn000"), signal_adu=ADU))
    with pytest.raises(DataError, match="5-sample record"):
        read_record(database / "syn000")


@pytest.mark.parametrize("resolution", [12, 16])
def test_missing_samples_are_refused_or_become_nan(tmp_path: Path, resolution: int) -> None:
    adu = ADU.copy()
    adu[1, 0] = np.iinfo(np.int16).min
    path = write_record(tmp_path, record(adu), adc_resolution=resolution)
    with pytest.raises(DataError, match="1 of 5 samples of lead MLII are marked missing"):
        read_record(path, annotator=None)
    found = read_record(path, annotator=None, allow_missing=True)
    np.testing.assert_array_equal(found.signal_adu, adu)
    assert np.isnan(found.lead("MLII")).tolist() == [False, True, False, False, False]
    assert np.isfinite(found.lead("V1")).all()


def test_a_lead_without_any_sample_may_be_missing_too(tmp_path: Path) -> None:
    adu = ADU.copy()
    adu[:, 1] = np.iinfo(np.int16).min
    path = write_record(tmp_path, record(adu))
    with pytest.raises(DataError, match="5 of 5 samples of lead V1"):
        read_record(path, annotator=None)
    found = read_record(path, annotator=None, allow_missing=True)
    assert np.isnan(found.lead("V1")).all() and np.isfinite(found.lead("MLII")).all()


def test_files_of_different_widths_have_one_mark_of_missing_samples(tmp_path: Path) -> None:
    adu = ADU.astype(np.int32)
    (tmp_path / "a.dat").write_bytes(
        np.append(ADU[:4, 0], np.iinfo(np.int16).min).astype("<i2").tobytes()
    )
    (tmp_path / "b.dat").write_bytes(
        np.append(adu[:4, 1], np.iinfo(np.int32).min).astype("<i4").tobytes()
    )
    sums = adu[:4].sum(axis=0) + np.array([1 << 15, 0])
    lines = ["r 2 360 5"]
    for file, code, column in (("a", 16, 0), ("b", 32, 1)):
        checks = f"{adu[0, column]} {sums[column] % 65536}"
        lines.append(f"{file}.dat {code} 200 {code} 0 {checks} 0 lead{column}")
    (tmp_path / "r.hea").write_text("\n".join(lines))
    found = read_record(tmp_path / "r", annotator=None, allow_missing=True)
    millivolts = found.millivolts(found.leads)
    np.testing.assert_allclose(millivolts[:, :4], ADU[:4].T / 200, rtol=1e-6)
    assert np.isnan(millivolts[:, 4]).all()


def test_units_become_millivolts_or_are_refused() -> None:
    made = record(units=("uV", "mmHg"), gain=(0.5, 100.0))
    np.testing.assert_allclose(made.lead("MLII"), ADU[:, 0] * 2e-3, rtol=1e-6)
    with pytest.raises(DataError, match="a lead in mmHg"):
        made.lead("V1")


def test_any_other_lead_and_ambiguous_names() -> None:
    made = record()
    assert made.columns(("V1", ANY_OTHER)) == (1, 0)
    with pytest.raises(DataError, match="several leads 'ECG'"):
        record(leads=("ECG", "ECG")).lead("ECG")
    with pytest.raises(DataError, match="no lead"):
        made.columns(("MLII", "V1", ANY_OTHER))


def test_signals_are_read_only(database: Path) -> None:
    found = read_record(database / "syn000")
    with pytest.raises(ValueError, match="read-only"):
        found.signal_adu[0, 0] = 1


def test_a_sample_out_of_the_stated_range_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not fit 11 bits around 0"):
        write_record(tmp_path, record(), adc_resolution=11)
    assert list(tmp_path.iterdir()) == []
