"""GeoTIFF rasters through rasterio, an optional dependency."""

from __future__ import annotations

import math
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.core.errors import DataError, UnavailableError
from toolkit.hsi.formats.raster import Raster, check_claim, nanometres
from toolkit.hsi.scene import Georeference

_BLOCK = 1 << 24  # bytes read at once


def read(path: Path) -> Raster:
    """Read all bands, block by block: a raster of (rows, columns, bands).

    Raises:
        UnavailableError: rasterio is not installed.
        DataError: no GeoTIFF, a damaged one, or one of complex numbers.
    """
    try:
        import rasterio
        from rasterio.errors import NotGeoreferencedWarning, RasterioError
    except ImportError as error:
        raise UnavailableError(
            "rasterio, which reads GeoTIFF, is not installed",
            where=str(path),
            hint="pip install 'toolkit[geo]', or convert the image to ENVI",
        ) from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            # one driver: GDAL's others could read what a file of this name points to
            with rasterio.open(path, driver="GTiff") as image:
                return _read(image, path)
    except (RasterioError, OSError, ValueError) as error:
        what = f"{path.name} is no GeoTIFF, or a damaged one: {error}"
        raise DataError(what, where=str(path), hint="copy or export the file again") from error


def _read(image: Any, path: Path) -> Raster:
    array = _pixels(image, path)
    colours: dict[int, tuple[int, int, int]] = {}
    with suppress(ValueError):  # no colour map
        colours = {index: rgba[:3] for index, rgba in image.colormap(1).items()}
    return Raster(
        array,
        (path,),
        wavelengths_nm=_wavelengths(image),
        no_data=image.nodata,
        colours=colours,
        georeference=_georeference(image),
    )


def _pixels(image: Any, path: Path) -> NDArray[Any]:
    from rasterio.windows import Window

    dtype = np.dtype(image.dtypes[0])
    shape = (image.height, image.width, image.count)
    check_claim(path, math.prod(shape) * dtype.itemsize, path.stat().st_size)
    array = np.empty(shape, dtype)
    rows = max(1, _BLOCK // max(1, math.prod(shape[1:]) * dtype.itemsize))
    for start in range(0, image.height, rows):
        window = Window(0, start, image.width, min(rows, image.height - start))
        array[start : start + rows] = np.moveaxis(image.read(window=window), 0, -1)
    return array


def _wavelengths(image: Any) -> tuple[float, ...] | None:
    """Of the bands' tags: GDAL keeps those of an ENVI file, and has a domain of its own in µm."""
    values, unit = [], ""
    for band in range(1, image.count + 1):
        tags = {key.lower(): text for key, text in image.tags(band).items()}
        micrometres = image.tags(band, ns="IMAGERY").get("CENTRAL_WAVELENGTH_UM")
        unit = "um" if micrometres else tags.get("wavelength_units", "")
        try:
            values.append(float(micrometres or tags["wavelength"]))
        except (KeyError, ValueError):
            return None
    return nanometres(values, unit)


def _georeference(image: Any) -> Georeference | None:
    if image.transform.is_identity and image.crs is None:
        return None
    a, b, c, d, e, f = image.transform[:6]
    return Georeference((a, b, c, d, e, f), image.crs.to_string() if image.crs else "")
