"""One door to all formats of pixels: ENVI, MATLAB, GeoTIFF, NumPy and PNG."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.core.errors import ConfigError, DataError
from toolkit.hsi.formats import envi, geotiff, mat
from toolkit.hsi.formats.raster import Raster, check_length

SUFFIXES = (".hdr", ".mat", ".tif", ".tiff", ".npy", ".png")
_KINDS = {2: "buif", 3: "uif"}  # NumPy's letters; a map may be of truth values


def read(
    path: Path, axes: int, variable: str | None = None, shape: tuple[int, int] | None = None
) -> Raster:
    """Read a cube (``axes`` 3) or a map (2) by the file's suffix.

    Args:
        path: .hdr or the data file beside it, .mat, .tif, .tiff, .npy, or .png for a map.
        axes: how many the array must have; one band of a cube makes a map.
        variable: of a .mat file.
        shape: rows and columns expected of a map, to choose among the variables of a .mat file.

    Raises:
        DataError: missing, damaged, of no known format, or not real numbers on such a grid.
        ConfigError: ``variable`` names none, or the file has no variables.
        UnavailableError: a GeoTIFF without rasterio.
    """
    if not path.is_file():
        raise DataError(f"{path} is not a file", where=str(path), hint="check the path")
    suffix = path.suffix.lower()
    if variable is not None and suffix != ".mat":
        what = f"{path.name} has no variables to choose {variable!r} from; .mat files have"
        raise ConfigError(what, where=mat.OPTIONS[axes], hint="leave the option away")
    if suffix == ".mat":
        return _checked(mat.read(path, axes, variable, shape), path, axes)
    return _checked(_read(path, suffix), path, axes)


def _read(path: Path, suffix: str) -> Raster:
    if suffix in (".tif", ".tiff"):
        return geotiff.read(path)
    if suffix == ".npy":
        return _read_npy(path)
    if suffix == ".png":
        return _read_png(path)
    if suffix == ".hdr" or envi.header_beside(path) is not None or suffix in envi.SUFFIXES:
        return envi.read(path)
    what = f"{path.name} is of no format that is read: {', '.join(SUFFIXES)}"
    hint = "convert it, or put the ENVI header beside it as " + path.name + ".hdr"
    raise DataError(what, where=str(path), hint=hint)


def _checked(raster: Raster, path: Path, axes: int) -> Raster:
    array = raster.array
    if axes == 2 and array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.dtype.kind not in _KINDS[axes]:
        what = f"{path.name} holds {array.dtype.name} values, not real numbers"
        raise DataError(what, where=str(path), hint="save its real part or magnitude as numbers")
    if array.ndim != axes or 0 in array.shape:
        wanted = "(rows, columns, bands)" if axes == 3 else "(rows, columns)"
        what = f"the array of {path.name} has shape {array.shape}, not {wanted}"
        raise DataError(what, where=str(path), hint="reshape it and save it again")
    return replace(raster, array=array)


def _read_npy(path: Path) -> Raster:
    try:
        _check_npy_length(path)
        array: Any = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        why = str(error).partition("\n")[0]
        what = f"{path.name} cannot be read as a .npy array of numbers: {why}"
        raise DataError(what, where=str(path), hint="save it again with numpy.save") from error
    return Raster(array, (path,))


def _check_npy_length(path: Path) -> None:
    form = np.lib.format
    with path.open("rb") as file:
        version = form.read_magic(file)
        read_header = form.read_array_header_1_0 if version[0] == 1 else form.read_array_header_2_0
        shape, _, dtype = read_header(file)
        if not dtype.hasobject:
            expected = file.tell() + math.prod(shape) * dtype.itemsize
            check_length(path, expected, path.stat().st_size)


def _read_png(path: Path) -> Raster:
    from PIL import Image

    try:
        with Image.open(path, formats=["PNG"]) as image:
            if image.mode not in ("1", "L", "P") and not image.mode.startswith("I"):
                raise ValueError(f"its pixels are colours ({image.mode}), not class ids")
            palette = (image.getpalette("RGB") or []) if image.mode == "P" else []
            array = np.asarray(image)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        hint = "save the ids as a grey or indexed picture, as .npy or as .csv"
        what = f"{path.name} cannot be read as a label map: {error}"
        raise DataError(what, where=str(path), hint=hint) from error
    colours = enumerate(zip(palette[0::3], palette[1::3], palette[2::3]))
    return Raster(array, (path,), colours=dict(colours))
