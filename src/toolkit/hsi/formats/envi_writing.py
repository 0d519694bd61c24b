"""ENVI files as QGIS, GDAL and ENVI read them: little endian, by pixel (BIP), georeferenced."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.core.errors import DataError
from toolkit.core.files import saving
from toolkit.hsi.formats.envi import DATUMS
from toolkit.hsi.scene import Cube, Georeference
from toolkit.hsi.survey import row_blocks

_EXACT = 1e-6  # relative to a pixel
_UNCLASSIFIED = ("Unclassified", (0, 0, 0))  # ENVI's class 0


def write_cube(
    header: Path,
    cube: Cube,
    *,
    wavelengths_nm: Sequence[float] | None = None,
    georeference: Georeference | None = None,
    description: str = "",
) -> Path:
    """Write ``header`` (.hdr) and the data beside it (.img), a few rows at a time.

    Args:
        header: path of the header.
        cube: (rows, columns, bands), of a type that ENVI knows.
        wavelengths_nm: (bands,).
        georeference: where it lies.
        description: free text.

    Returns:
        The path of the data file.

    Raises:
        DataError: ENVI knows no such type, or no such transform.
        RunError: it cannot be written.
    """
    fields: dict[str, Any] = {"description": description} if description else {}
    if wavelengths_nm is not None:
        fields |= {"wavelength units": "Nanometers", "wavelength": list(wavelengths_nm)}
    return _write(header, cube, fields | _located(georeference))


def write_classes(
    header: Path,
    labels: NDArray[np.integer],
    classes: Sequence[str],
    colours: Sequence[tuple[int, int, int]] = (),
    georeference: Georeference | None = None,
) -> Path:
    """Write a class map (rows, columns), 0 = unclassified, as an ENVI Classification.

    ``classes`` and ``colours`` (RGB in 0 … 255) are those of 1 … K. Returns and raises as
    :func:`write_cube`.
    """
    name, black = _UNCLASSIFIED
    fields: dict[str, Any] = {
        "file type": "ENVI Classification",
        "classes": len(classes) + 1,
        "class names": [name, *(_plain(each) for each in classes)],
    }
    if colours:
        fields["class lookup"] = [value for colour in (black, *colours) for value in colour]
    dtype = np.uint8 if len(classes) < 256 else np.int32
    return _write(header, labels.astype(dtype)[:, :, None], fields | _located(georeference))


def _write(header: Path, cube: Cube, fields: dict[str, Any]) -> Path:
    from spectral.io.envi import envi_to_dtype, write_envi_header

    codes = {np.dtype(char).name: code for code, char in envi_to_dtype.items()}
    if cube.dtype.name not in codes:
        what = f"ENVI knows no {cube.dtype.name} values; it has {', '.join(codes)}"
        raise DataError(what, where=str(header), hint="convert the cube to float32")
    layout = {
        "samples": cube.shape[1],
        "lines": cube.shape[0],
        "bands": cube.shape[2],
        "header offset": 0,
        "data type": codes[cube.dtype.name],
        "interleave": "bip",
        "byte order": 0,
    }
    data = header.with_suffix(".img")
    with saving(header):
        with data.open("wb") as file:
            for block in row_blocks(cube):
                file.write(np.ascontiguousarray(block, cube.dtype.newbyteorder("<")).data)
        write_envi_header(str(header), layout | fields)
    return data


def _plain(name: str) -> str:
    """A name without the signs that structure a header."""
    return " ".join(name.translate(str.maketrans(",{}=", "-()-")).split())


def _located(georeference: Georeference | None) -> dict[str, Any]:
    """``map info`` and the coordinate system; ENVI turns an image, but does not shear it."""
    if georeference is None:
        return {}
    a, b, c, d, e, f = georeference.transform
    width, height, turn = math.hypot(a, b), math.hypot(d, e), math.atan2(b, a)
    turned = (math.sin(turn) * height, -math.cos(turn) * height)
    if math.dist(turned, (d, e)) > _EXACT * height:
        what = f"the transform {georeference.transform} mirrors or shears; ENVI cannot say that"
        raise DataError(what, where="georeference", hint="write a GeoTIFF instead")
    info = _projection(georeference.crs)
    info[1:1] = ["1", "1", *map(repr, (c, f, width, height))]
    if turn:
        info.append(f"rotation={math.degrees(turn)!r}")
    fields: dict[str, Any] = {"map info": info}
    if text := _well_known_text(georeference.crs, info[0]):
        fields["coordinate system string"] = "{" + text + "}"
    return fields


def _well_known_text(crs: str, projection: str) -> str:
    """Of an authority's code that ``map info`` cannot say, in ESRI's words, which ENVI takes.

    Codes come from GeoTIFF, so that whoever has one has rasterio too.
    """
    if "[" in crs:
        return crs
    if not crs or projection != "Arbitrary":
        return ""
    try:
        from rasterio.crs import CRS
        from rasterio.errors import CRSError
    except ImportError:
        return ""
    try:
        return str(CRS.from_user_input(crs).to_wkt(version="WKT1_ESRI"))
    except CRSError:
        return ""


def _projection(crs: str) -> list[str]:
    """The words of ``map info`` beside its numbers; "Arbitrary" where only WKT can say more.

    That comes without units: GDAL would convert a system in feet to the meters it reads of here.
    """
    code = crs.upper().removeprefix("EPSG:")
    number = int(code) if code.isdecimal() else 0
    for datum in DATUMS:
        if number == datum.geographic:
            return ["Geographic Lat/Lon", datum.name, "units=Degrees"]
        for base, half in ((datum.north, "North"), (datum.south, "South")):
            if base is not None and 1 <= number - base <= datum.zones:
                return ["UTM", str(number - base), half, datum.name, "units=Meters"]
    return ["Arbitrary"]
