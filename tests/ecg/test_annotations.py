"""Annotation files: agreement with WFDB, round trips, and no damage that passes for data."""

from __future__ import annotations

import hashlib
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.core.errors import DataError
from toolkit.ecg.annotations import (
    SYMBOLS,
    Annotations,
    encode_annotations,
    parse_annotations,
    read_annotations,
)

# wfdb-python, the oracle here, calls what pandas 3 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:The inplace keyword")

N_SAMPLES = 650_000
SKIP, NUM, SUB, CHN, AUX = 59, 60, 61, 62, 63


def words(*pairs: tuple[int, int] | int) -> bytes:
    """Bytes of (code, value) words; a bare number is a payload word."""
    packed = [pair if isinstance(pair, int) else pair[0] << 10 | pair[1] for pair in pairs]
    return np.array(packed, "<u2").tobytes()


def annotations(sample: list[int], symbol: str, aux: tuple[str, ...] = ()) -> Annotations:
    zeros = np.zeros(len(sample), np.int64)
    texts = aux or ("",) * len(sample)
    return Annotations(
        np.array(sample, np.int64), np.array(list(symbol)), zeros, zeros, zeros, texts
    )


def assert_equal(ours: Annotations, other: Annotations) -> None:
    for field in ("sample", "symbol", "subtype", "chan", "num"):
        np.testing.assert_array_equal(getattr(ours, field), getattr(other, field))
    assert ours.aux == other.aux


def test_agrees_with_wfdb_on_all_records(
    mitdb: Path, hashes: dict[str, str], wfdb: ModuleType
) -> None:
    paths = sorted(mitdb.glob("*.atr"))
    assert len(paths) == 48
    for path in paths:
        expected = hashes[path.name]
        ours = read_annotations(path, n_samples=N_SAMPLES, fs_hz=360, expected_sha256=expected)
        theirs = wfdb.rdann(str(path.with_suffix("")), "atr")
        assert ours.symbol.tolist() == theirs.symbol
        for field in ("sample", "subtype", "chan", "num"):
            np.testing.assert_array_equal(getattr(ours, field), getattr(theirs, field))
        assert list(ours.aux) == [text.rstrip("\0") for text in theirs.aux_note]


def test_real_files_survive_a_round_trip(mitdb: Path) -> None:
    for name in ("100", "104", "207"):  # SKIP, paced with subtypes, flutter with much text
        found = read_annotations(mitdb / f"{name}.atr")
        assert_equal(parse_annotations(encode_annotations(found)), found)


ROW = st.tuples(
    st.integers(0, 5000),
    st.sampled_from(sorted(SYMBOLS.values())),
    st.integers(-128, 127),
    st.integers(0, 255),
    st.integers(-128, 127),
    st.text(st.characters(min_codepoint=1, max_codepoint=255), max_size=30),
)


@given(st.lists(ROW, max_size=30), st.sampled_from([0, 1 << 20, 1 << 30]))
def test_what_is_written_is_read_back(
    rows: list[tuple[int, str, int, int, int, str]], late: int
) -> None:
    steps, symbol, subtype, chan, num, aux = zip(*rows) if rows else ((),) * 6
    sample = np.cumsum(np.array(steps, np.int64)) + late
    texts = tuple("" if text.startswith("## ") else text for text in aux)
    made = Annotations(
        sample,
        np.array(symbol, "<U1"),
        *(np.array(f, np.int64) for f in (subtype, chan, num)),
        texts,
    )
    assert_equal(parse_annotations(encode_annotations(made)), made)


def test_wfdb_reads_what_is_written(tmp_path: Path, wfdb: ModuleType) -> None:
    made = annotations([5, 700, 700, 90_000], "N+AV", ("", "(AFIB", "", "odd"))
    (tmp_path / "r.atr").write_bytes(encode_annotations(made))
    theirs = wfdb.rdann(str(tmp_path / "r"), "atr")
    assert theirs.sample.tolist() == made.sample.tolist()
    assert theirs.symbol == made.symbol.tolist()
    assert theirs.aux_note == list(made.aux)


def test_definitions_that_wfdb_writes_are_left_out(tmp_path: Path, wfdb: ModuleType) -> None:
    sample, symbol = np.array([10, 20]), ["N", "V"]
    wfdb.wrann("r", "atr", sample, symbol=symbol, fs=360, write_dir=str(tmp_path))
    found = read_annotations(tmp_path / "r.atr", fs_hz=360)
    assert_equal(found, annotations([10, 20], "NV"))
    with pytest.raises(DataError, match="360 Hz, the record has 250 Hz"):
        read_annotations(tmp_path / "r.atr", fs_hz=250)


def test_modifiers_carry_over_as_the_format_says() -> None:
    data = words((1, 5), (CHN, 3), (NUM, 0x3FE), (SUB, 0x3FF), (1, 5), (CHN, 1), (5, 5), 0)
    found = parse_annotations(data)
    assert found.chan.tolist() == [3, 1, 1]
    assert found.num.tolist() == [-2, -2, -2]
    assert found.subtype.tolist() == [-1, 0, 0]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "end-of-file"),
        (b"\1", "odd length"),
        (words((1, 5)), "end-of-file"),
        (words((1, 5), 0, 0), "2 bytes after"),
        (words((1, 5), 0, (1, 5), 0), "4 bytes after"),
        (words((15, 5), 0), "unknown annotation code 15"),
        (words((50, 5), 0), "unknown annotation code 50"),
        (words((1, 5), (0, 7), 0), "empty annotation"),
        (words((SUB, 1), (1, 5), 0), "before the first"),
        (words((AUX, 1), 65, (1, 5), 0), "before the first"),
        (words((1, 5), (AUX, 9), 65, 0), "end-of-file"),
        (words((1, 5), (AUX, 0x300 | 2), 65, 0), "bits set"),
        (words((1, 5), (CHN, 0x3FF), 0), "bits set"),
        (words((SKIP, 1), 0, 9, (1, 5), 0), "bits set"),
        (words((1, 5), (SUB, 1), (SUB, 2), 0), "twice"),
        (words((1, 5), (SKIP, 0), 0, 9, 0), "time skip"),
        (words((1, 5), (SKIP, 0), 0, 9, (SUB, 1), 0), "time skip"),
        (words((1, 5), (SKIP, 0), 0xFFFF, 0xFFFE, (1, 1), 0), "backwards"),
        (words((SKIP, 0), 0xFFFF, 0xFFF0, (1, 1), 0), "first annotation at sample -15"),
        (words((1, 99), (1, 1), 0), "annotation at sample 100 of a 100-sample record"),
    ],
)
def test_damage_is_named(data: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        parse_annotations(data, n_samples=100)


def test_an_annotation_on_the_last_sample_is_valid() -> None:
    assert len(parse_annotations(words((1, 99), 0), n_samples=100)) == 1
    assert len(parse_annotations(words(0))) == 0


def test_every_truncation_is_refused(pristine: Path) -> None:
    data = (pristine / "syn002.atr").read_bytes()
    for length in range(len(data)):
        with pytest.raises(DataError):
            parse_annotations(data[:length])


def test_every_truncation_of_a_real_file_is_refused(mitdb: Path) -> None:
    data = (mitdb / "207.atr").read_bytes()
    for length in range(0, len(data), 7):
        with pytest.raises(DataError):
            parse_annotations(data[:length])


def test_300_single_bit_flips(mitdb: Path, hashes: dict[str, str], tmp_path: Path) -> None:
    """With the hash every flip is caught; without it, what passes is a valid file."""
    data, path = (mitdb / "100.atr").read_bytes(), tmp_path / "100.atr"
    for bit in np.random.default_rng(0).choice(8 * len(data), 300, replace=False).tolist():
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        path.write_bytes(flipped)
        with pytest.raises(DataError, match="SHA-256"):
            read_annotations(path, expected_sha256=hashes["100.atr"])
        check(bytes(flipped))


def check(data: bytes) -> None:
    """Either a DataError, or annotations that lie in order inside the record."""
    try:
        found = parse_annotations(data, n_samples=N_SAMPLES)
    except DataError:
        return
    assert (np.diff(found.sample) >= 0).all()
    assert not len(found) or 0 <= found.sample[0] <= found.sample[-1] < N_SAMPLES
    assert set(found.symbol.tolist()) <= set(SYMBOLS.values())
    assert len(found.aux) == len(found)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    check(data)
    check(data + b"\0\0")


def test_the_hash_is_compared_without_regard_to_case(tmp_path: Path) -> None:
    path = tmp_path / "r.atr"
    path.write_bytes(words((1, 5), 0))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert len(read_annotations(path, expected_sha256=digest.upper())) == 1


def test_text_that_does_not_fit_is_refused() -> None:
    with pytest.raises(DataError, match="at most 255"):
        encode_annotations(annotations([1], "N", ("x" * 256,)))


def test_unknown_codes_are_kept_by_number_if_asked_for() -> None:
    data = words((1, 5), (15, 5), (49, 5), 0)
    found = parse_annotations(data, keep_unknown=True)
    assert found.symbol.tolist() == ["N", "[15]", "[49]"]
    with pytest.raises(DataError, match="unknown annotation code 50"):
        parse_annotations(words((1, 5), (50, 5), 0), keep_unknown=True)
