"""ENVI rasters: a text header ``.hdr`` beside a flat file of numbers, memory-mapped.

The keys are those of NV5's "ENVI Header Files" page; ``spectral`` parses the text. Any interleave,
byte order, real data type and header offset is read. Reference pixels of ``map info`` count from 1
at the upper left corner, so (1, 1) is that corner and (1.5, 1.5) the first pixel's centre; the
sense of ``rotation`` is GDAL's.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from toolkit.core.errors import ConfigError, DataError
from toolkit.hsi.formats.raster import Raster, check_length, nanometres
from toolkit.hsi.scene import Georeference

SUFFIXES = ("", ".img", ".dat", ".raw", ".bin", ".bsq", ".bil", ".bip")
_LONGEST_HEADER = 1 << 24  # bytes
# To read (rows, columns, bands): the order of axes in the file, and how to turn them.
_ORDER = {"bsq": (2, 0, 1), "bil": (0, 2, 1), "bip": (0, 1, 2)}
_REQUIRED = ("samples", "lines", "bands", "data type", "interleave", "byte order")
_UNREAD = ("file compression", "major frame offsets", "minor frame offsets")


class Datum(NamedTuple):
    """A datum by ENVI's name, and EPSG codes: geographic, of UTM zone 0 north and south."""

    name: str
    geographic: int
    north: int
    south: int | None
    zones: int

    def utm(self, zone: int, half: str) -> int | None:
        """The code of a UTM zone; None where there is none."""
        base = self.south if half == "south" else self.north
        return base + zone if base is not None and 1 <= zone <= self.zones else None


DATUMS = (
    Datum("WGS-84", 4326, 32600, 32700, 60),
    Datum("North America 1983", 4269, 26900, None, 23),
    Datum("North America 1927", 4267, 26700, None, 22),
)

Header = dict[str, Any]  # spectral's: lower-case key -> text, or list of texts for {a, b}


def header_beside(path: Path) -> Path | None:
    """The header of a data file, ``x.img.hdr`` or ``x.hdr``, or None."""
    names = [path.with_name(path.name + ".hdr"), path.with_suffix(".hdr")]
    names += [name.with_suffix(".HDR") for name in names]
    return next((name for name in names if name.is_file()), None)


def read(path: Path) -> Raster:
    """Read a header and map its data file; either of the two may be named.

    Returns:
        A raster of (rows, columns, bands) over a read-only memory map.

    Raises:
        DataError: one of the two files is missing, a key is missing or wrong, the data file is
            shorter than the header says, or holds complex numbers.
        ConfigError: several files could be the header's data.
    """
    header_path, data_path = _pair(path)
    header = _parse(header_path)
    cube = _map(header, header_path, data_path)
    notes: list[str] = []
    numbers = _BandNumbers(header, cube.shape[2], notes)
    return Raster(
        array=cube,
        files=(header_path, data_path),
        wavelengths_nm=_wavelengths(header, numbers),
        bad_bands=tuple(band for band, good in enumerate(numbers("bbl")) if good == 0),
        no_data=_first_number(header.get("data ignore value")),
        class_names={i: name for i, name in enumerate(_texts(header, "class names")) if name},
        colours=_colours(header),
        georeference=_georeference(header, notes),
        notes=tuple(notes),
    )


def _pair(path: Path) -> tuple[Path, Path]:
    if path.suffix.lower() != ".hdr":
        header = header_beside(path)
        if header is None:
            what = f"{path.name} has no ENVI header beside it"
            raise DataError(what, where=f"{path}.hdr", hint="put the .hdr file beside it")
        return header, path
    stem = path.with_suffix("")
    names = [stem.with_name(stem.name + suffix) for suffix in SUFFIXES]
    found = [name for name in names if name.is_file()]
    if not found:
        what = f"{path.name} has no data file beside it"
        hint = "put it there as " + ", ".join(name.name for name in names[:4]) + ", …"
        raise DataError(what, where=str(path.parent), hint=hint)
    if len(found) > 1:
        what = f"{path.name} could describe " + " or ".join(name.name for name in found)
        raise ConfigError(what, where=str(path), hint=f"name the data file: {found[0]}")
    return path, found[0]


def _parse(path: Path) -> Header:
    from spectral.io.envi import EnviException, read_envi_header

    try:
        if path.stat().st_size > _LONGEST_HEADER:
            raise ValueError("too long for a header")
        path.read_text(encoding="utf-8")  # spectral leaves the file open where this fails
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of keys that are not in lower case
            header: Header = read_envi_header(str(path))
    except (OSError, ValueError, EnviException) as error:
        raise _wrong(path, f"{path.name} is no ENVI header: {error or 'it breaks off'}") from error
    missing = [key for key in _REQUIRED if key not in header]
    if missing:
        raise _wrong(path, f"{path.name} lacks {', '.join(map(repr, missing))}")
    for key in _UNREAD:
        if any(_first_number(text) != 0 for text in _texts(header, key)):
            raise _wrong(path, f"{path.name} has {key!r} = {header[key]}, which is not read")
    return header


def _map(header: Header, header_path: Path, data_path: Path) -> NDArray[Any]:
    sizes = [_integer(header, key, header_path, 1) for key in ("lines", "samples", "bands")]
    offset = _integer({"header offset": "0"} | header, "header offset", header_path, 0)
    interleave = str(header["interleave"]).lower()
    if interleave not in _ORDER:
        raise _wrong(header_path, f"interleave is {interleave!r}, not bsq, bil or bip")
    dtype, order = _dtype(header, header_path), _ORDER[interleave]
    expected = offset + math.prod(sizes) * dtype.itemsize
    check_length(data_path, expected, data_path.stat().st_size)
    shape = tuple(sizes[axis] for axis in order)
    mapped = np.memmap(data_path, dtype, "r", offset, shape)
    return mapped.transpose(np.argsort(order))


def _dtype(header: Header, path: Path) -> np.dtype[Any]:
    from spectral.io.envi import envi_to_dtype

    code = str(header["data type"])
    if code not in envi_to_dtype:
        raise _wrong(path, f"data type is {code!r}; ENVI has {', '.join(envi_to_dtype)}")
    byte_order = str(header["byte order"])
    if byte_order not in ("0", "1"):
        raise _wrong(path, f"byte order is {byte_order!r}, not 0 (little) or 1 (big endian)")
    dtype: np.dtype[Any] = np.dtype(envi_to_dtype[code])
    return dtype.newbyteorder(">" if byte_order == "1" else "<")


def _integer(header: Header, key: str, path: Path, least: int) -> int:
    text = str(header[key])
    if not text.isdecimal() or int(text) < least:
        raise _wrong(path, f"{key!r} is {text!r}, not a number from {least}")
    return int(text)


def _wrong(path: Path, what: str) -> DataError:
    return DataError(what, where=str(path), hint="correct the header, or export the image again")


def _texts(header: Header, key: str) -> list[str]:
    value = header.get(key, [])
    return [value] if isinstance(value, str) else list(value)


def _first_number(text: Any) -> float | None:
    try:
        return float(text)
    except (TypeError, ValueError):
        return None


class _BandNumbers:
    """One number a band of a header's key; none, with a note, where they are not that."""

    def __init__(self, header: Header, bands: int, notes: list[str]) -> None:
        self.header, self.bands, self.notes = header, bands, notes

    def __call__(self, key: str) -> tuple[float, ...]:
        numbers = [_first_number(text) for text in _texts(self.header, key)]
        found = tuple(number for number in numbers if number is not None)
        if len(found) == len(numbers) == self.bands:
            return found
        if numbers:
            self.notes.append(f"{key!r} of the header is not one number a band: passed over")
        return ()


def _wavelengths(header: Header, numbers: _BandNumbers) -> tuple[float, ...] | None:
    values, unit = numbers("wavelength"), str(header.get("wavelength units", ""))
    found = nanometres(values, unit) if values else None
    if values and found is None:
        numbers.notes.append(f"wavelengths in {unit!r} are not lengths: passed over")
    return found


def _colours(header: Header) -> dict[int, tuple[int, int, int]]:
    numbers = [_first_number(text) for text in _texts(header, "class lookup")]
    values = [0 if number is None else min(max(int(number), 0), 255) for number in numbers]
    triples = zip(values[0::3], values[1::3], values[2::3])
    return dict(enumerate(triples))


def _georeference(header: Header, notes: list[str]) -> Georeference | None:
    info = _texts(header, "map info")
    numbers = [_first_number(text) for text in info[1:7]]
    if len(numbers) < 6 or None in numbers:
        return None
    column, row, east, north, width, height = (number or 0.0 for number in numbers)
    turn = math.radians(_option(info, "rotation") or 0.0)
    a, b = math.cos(turn) * width, math.sin(turn) * width
    d, e = math.sin(turn) * height, -math.cos(turn) * height
    corner = (east - (column - 1) * width, north + (row - 1) * height)
    crs = ",".join(_texts(header, "coordinate system string")) or _code(info)
    if not crs and info[0].strip().lower() != "arbitrary":
        words = ", ".join([info[0].strip(), *(word.strip() for word in info[7:])])
        notes.append(f"the coordinate system is not understood ({words}): it is left away")
    return Georeference((a, b, corner[0], d, e, corner[1]), crs)


def _option(info: Sequence[str], key: str) -> float | None:
    for text in info[7:]:
        name, _, value = text.partition("=")
        if name.strip().lower() == key:
            return _first_number(value)
    return None


def _code(info: Sequence[str]) -> str:
    """EPSG code of the systems that a header without WKT names beyond doubt."""
    words = [word.strip().lower() for word in info]
    datum = next((each for each in DATUMS if each.name.lower() in words), None)
    code = None
    if datum is not None and words[0] == "geographic lat/lon":
        code = datum.geographic
    elif datum is not None and words[0] == "utm" and len(words) > 8 and words[7].isdecimal():
        code = datum.utm(int(words[7]), words[8])
    return "" if code is None else f"EPSG:{code}"
