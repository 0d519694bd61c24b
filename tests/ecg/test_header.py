"""Headers: what is valid is read as WFDB reads it, everything else is refused."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.core.errors import DataError
from toolkit.ecg.formats import BITS_PER_SAMPLE
from toolkit.ecg.header import Header, parse_header, read_header

# wfdb-python, the oracle here, calls what pandas 3 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:The inplace keyword")

RECORD_LINE = "100 2 360 650000"
SIGNALS = (
    "100.dat 212 200 11 1024 995 -22131 0 MLII",
    "100.dat 212 200(1024)/mV 11 1024 1011 20052 0 V5",
)
TEXT = "\n".join((RECORD_LINE, *SIGNALS, "# 69 M 1085 1629 x1", "# Aldomet, Inderal", ""))


def with_signal(line: str) -> str:
    return "\n".join(("100 1 360 650000", line))


def test_every_field_is_read() -> None:
    header = parse_header(TEXT)
    assert (header.name, header.fs_hz, header.n_samples) == ("100", 360.0, 650_000)
    assert [signal.lead for signal in header.signals] == ["MLII", "V5"]
    assert header.comments == ("69 M 1085 1629 x1", "Aldomet, Inderal")
    first, second = header.signals
    assert (first.gain, first.baseline, first.units, first.checksum) == (200, 1024, "mV", 43405)
    assert (second.adc_resolution, second.adc_zero, second.initial_value) == (11, 1024, 1011)


def test_optional_parts_of_fields_are_read() -> None:
    line = "100.mat 16x1:0+24 1e3(-5)/uV 16 0 -7 65535 0 aVR lead"
    text = f"# first\n100 1 500/500(0) 10 12:00:00 1/2/1990\r\n{line}\r\n"
    (signal,) = parse_header(text).signals
    assert (signal.format, signal.byte_offset, signal.gain) == (16, 24, 1000.0)
    assert (signal.baseline, signal.units, signal.lead) == (-5, "uV", "aVR lead")


def test_leads_without_a_name_are_called_by_their_number() -> None:
    lines = [line.rsplit(" ", 1)[0] for line in SIGNALS]
    header = parse_header("\n".join((RECORD_LINE, *lines)))
    assert [signal.lead for signal in header.signals] == ["signal 0", "signal 1"]


@pytest.mark.parametrize(
    "line",
    [
        "",
        "100 2 360",
        "100 2",
        "100 2 -1 650000",
        "100 2 0 650000",
        "100 2 nan 650000",
        "100 2 inf 650000",
        "100 2 1e999 650000",
        "100 2 25000 650000",
        "100 2 360Hz 650000",
        "100 0 360 650000",
        "100 3 360 650000",
        "100 999999999 360 650000",
        "100 2 360 0",
        "100 2 360 -5",
        "100 2 360 6.5e5",
        "100 2 360 65_000",
        "100 2 360 ٣٦٠",
        "100/2 2 360 650000",
        "../100 2 360 650000",
        "100 2 360 48900000000",  # 182 GiB
        "100 2 360 4294967296",
        "100 2 360 99999999999999999999999999999999",
    ],
)
def test_bad_record_lines_are_refused(line: str) -> None:
    with pytest.raises(DataError):
        parse_header("\n".join((line, *SIGNALS)))


def test_a_header_that_asks_for_182_gib_says_so() -> None:
    lines = [f"x{n}.dat 32 200 16 0 0 0 0 lead{n}" for n in range(12)]
    with pytest.raises(DataError, match="182 GiB"):
        parse_header("\n".join(("100 12 360 4071267000", *lines)))


@pytest.mark.parametrize(
    "line",
    [
        "100.dat 212 200 11 1024 995 -22131",
        "100.dat 212",
        "../100.dat 212 200 11 1024 995 -22131 0 MLII",
        "/etc/passwd 212 200 11 1024 995 -22131 0 MLII",
        "a/b.dat 212 200 11 1024 995 -22131 0 MLII",
        "a\\b.dat 212 200 11 1024 995 -22131 0 MLII",
        ".. 212 200 11 1024 995 -22131 0 MLII",
        ".hidden 212 200 11 1024 995 -22131 0 MLII",
        "- 212 200 11 1024 995 -22131 0 MLII",
        "~ 212 200 11 1024 995 -22131 0 MLII",
        "100.dat 8 200 11 1024 995 -22131 0 MLII",
        "100.dat 516 200 11 1024 995 -22131 0 MLII",
        "100.dat 212x4 200 11 1024 995 -22131 0 MLII",
        "100.dat 212:3 200 11 1024 995 -22131 0 MLII",
        "100.dat 212 0 11 1024 995 -22131 0 MLII",
        "100.dat 212 -200 11 1024 995 -22131 0 MLII",
        "100.dat 212 1e-9 11 1024 995 -22131 0 MLII",
        "100.dat 212 1e30 11 1024 995 -22131 0 MLII",
        "100.dat 212 nan 11 1024 995 -22131 0 MLII",
        "100.dat 212 200(x)/mV 11 1024 995 -22131 0 MLII",
        "100.dat 212 200 16 1024 995 -22131 0 MLII",
        "100.dat 212 200 -1 1024 995 -22131 0 MLII",
        "100.dat 212 200 11 1024 995 70000 0 MLII",
        "100.dat 212 200 11 1024 nine 0 0 MLII",
    ],
)
def test_bad_signal_lines_are_refused_with_their_line(line: str) -> None:
    with pytest.raises(DataError) as error:
        parse_header(with_signal(line), "100.hea")
    assert error.value.where == "100.hea, line 2"


@pytest.mark.parametrize(
    "files",
    [("a.dat 212", "b.dat 212", "a.dat 212"), ("a.dat 212", "a.dat 16", "b.dat 16")],
)
def test_interleaved_files_and_mixed_formats_are_refused(files: tuple[str, ...]) -> None:
    lines = [f"{file} 200 11 0 0 0 0 lead{n}" for n, file in enumerate(files)]
    with pytest.raises(DataError):
        parse_header("\n".join(("r 3 360 100", *lines)))


def test_a_header_under_another_name_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "101.hea"
    path.write_text(TEXT)
    with pytest.raises(DataError, match=r"'100' in a file named 101\.hea"):
        read_header(path)


def test_missing_huge_and_wrong_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "100.hea"
    with pytest.raises(DataError, match="cannot read"):
        read_header(path)
    path.write_text(TEXT)
    with pytest.raises(DataError, match="SHA-256"):
        read_header(path, "0" * 64)
    path.write_bytes(b"#" * 100_000)
    with pytest.raises(DataError, match="larger than"):
        read_header(path)


@pytest.mark.parametrize("target", ["/dev/zero", "/"])
def test_what_is_no_file_is_refused(tmp_path: Path, target: str) -> None:
    path = tmp_path / "100.hea"
    path.symlink_to(target)
    with pytest.raises(DataError, match="not a regular file"):
        read_header(path)


def check(text: str) -> None:
    """Either a DataError, or a header within its bounds."""
    try:
        header = parse_header(text)
    except DataError:
        return
    assert isinstance(header, Header)
    assert 0.1 <= header.fs_hz <= 20_000
    bits = sum(BITS_PER_SAMPLE[signal.format] for signal in header.signals)
    assert 0 < header.n_samples * bits // 8 <= 8 << 30
    assert all("/" not in file and not file.startswith(".") for file in header.files)
    assert all(1e-3 <= signal.gain <= 1e9 for signal in header.signals)


FIELD = st.one_of(
    st.text(max_size=12),
    st.integers().map(str),
    st.floats().map(str),
    st.sampled_from(["", "-1", "0", "nan", "inf", "1e400", "../x", "212x9", "9" * 5000]),
)


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    check(text)


@given(st.integers(0, 2), st.integers(0, 8), FIELD)
def test_a_header_with_any_field_replaced_is_read_or_refused(
    line: int, field: int, value: str
) -> None:
    lines = [text.split(" ") for text in (RECORD_LINE, *SIGNALS)]
    lines[line][min(field, len(lines[line]) - 1)] = value
    check("\n".join(" ".join(fields) for fields in lines))


@given(st.lists(st.tuples(st.integers(0, len(TEXT) - 1), st.integers(0, 255)), max_size=8))
def test_a_header_with_any_bytes_replaced_is_read_or_refused(
    changes: list[tuple[int, int]],
) -> None:
    data = bytearray(TEXT.encode())
    for at, value in changes:
        data[at] = value
    check(data.decode("utf-8", "replace"))


def test_headers_agree_with_wfdb(mitdb: Path, wfdb: ModuleType) -> None:
    for path in sorted(mitdb.glob("*.hea")):
        ours, theirs = read_header(path), wfdb.rdheader(str(path.with_suffix("")))
        assert (ours.fs_hz, ours.n_samples) == (theirs.fs, theirs.sig_len)
        assert [signal.lead for signal in ours.signals] == theirs.sig_name
        assert [signal.gain for signal in ours.signals] == theirs.adc_gain
        assert [signal.baseline for signal in ours.signals] == theirs.baseline
        assert [signal.checksum for signal in ours.signals] == [
            value % 65536 for value in theirs.checksum
        ]
