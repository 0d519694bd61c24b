"""A class map as files for a GIS and for NumPy: ENVI, GeoTIFF and .npy.

Values are those of the legend, 0 is unclassified; ``classes.json`` says what they mean, and ENVI
and GeoTIFF carry names and colours themselves.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from toolkit.core.errors import DataError, UnavailableError
from toolkit.core.files import saving, write_atomic, write_json
from toolkit.hsi.formats import envi_writing
from toolkit.hsi.maps.legend import BLACK, UNCLASSIFIED, Colour, Legend
from toolkit.hsi.maps.mapping import ClassMap
from toolkit.hsi.scene import Georeference

Format = Literal["envi", "geotiff", "npy"]

CLASSES, CONFIDENCE, LEGEND = "classes", "confidence", "classes.json"


def write(
    folder: Path,
    found: ClassMap,
    legend: Legend,
    formats: Sequence[Format],
    georeference: Georeference | None = None,
) -> list[Path]:
    """Write class map and confidence in each of ``formats``, and the legend as JSON.

    Args:
        folder: made if it is not there; files in it are replaced.
        found: the map.
        legend: names, values and colours of its classes.
        formats: "envi" (``.hdr`` and ``.img``), "geotiff", "npy".
        georeference: of the scene.

    Returns:
        The files that a reader opens.

    Raises:
        UnavailableError: GeoTIFF without rasterio; nothing is written then.
        DataError: a coordinate system that is not understood, or a transform beyond ENVI.
        RunError: a file cannot be written.
    """
    if "geotiff" in formats:
        _rasterio()
    with saving(folder):
        folder.mkdir(parents=True, exist_ok=True)
    writers: Mapping[Format, Callable[..., list[Path]]] = {
        "envi": _write_envi,
        "geotiff": _write_geotiff,
        "npy": _write_npy,
    }
    values = legend.coded(found.classes)
    files = [_write_legend(folder, legend)]
    for each in dict.fromkeys(formats):
        files += writers[each](folder, values, found.confidence, legend, georeference)
    return files


def _write_legend(folder: Path, legend: Legend) -> Path:
    rows = zip(legend.values, legend.names, legend.colours)
    classes = [{"value": v, "name": name, "colour": list(colour)} for v, name, colour in rows]
    none = {"value": 0, "name": UNCLASSIFIED, "colour": list(BLACK)}
    write_json(folder / LEGEND, {"classes": [none, *classes]})
    return folder / LEGEND


def _write_npy(
    folder: Path,
    values: NDArray[np.integer],
    confidence: NDArray[np.float32],
    legend: Legend,
    georeference: Georeference | None,
) -> list[Path]:
    paths = [folder / f"{CLASSES}.npy", folder / f"{CONFIDENCE}.npy"]
    for path, array in zip(paths, (values, confidence)):
        content = io.BytesIO()
        np.save(content, array, allow_pickle=False)
        write_atomic(path, content.getvalue())
    return paths


def _write_envi(
    folder: Path,
    values: NDArray[np.integer],
    confidence: NDArray[np.float32],
    legend: Legend,
    georeference: Georeference | None,
) -> list[Path]:
    paths = [folder / f"{CLASSES}.hdr", folder / f"{CONFIDENCE}.hdr"]
    names, colours = zip(*_by_value(legend)[1:])
    envi_writing.write_classes(paths[0], values, names, colours, georeference)
    envi_writing.write_cube(
        paths[1],
        confidence[..., None],
        georeference=georeference,
        description="largest class probability; 0 = unclassified",
    )
    return paths


def _write_geotiff(
    folder: Path,
    values: NDArray[np.integer],
    confidence: NDArray[np.float32],
    legend: Legend,
    georeference: Georeference | None,
) -> list[Path]:
    paths = [folder / f"{CLASSES}.tif", folder / f"{CONFIDENCE}.tif"]
    tags = {f"class_{value}": name for value, name in zip(legend.values, legend.names)}
    table = {value: colour for value, (_, colour) in enumerate(_by_value(legend))}
    _write_tiff(paths[0], values, "class", georeference, tags, table)
    _write_tiff(paths[1], confidence, "largest class probability", georeference)
    names = [name for name, _ in _by_value(legend)]
    write_atomic(folder / f"{CLASSES}.tif.aux.xml", _categories(names))
    return paths


def _write_tiff(
    path: Path,
    array: NDArray[Any],
    description: str,
    georeference: Georeference | None,
    tags: Mapping[str, str] | None = None,
    table: Mapping[int, Colour] | None = None,
) -> None:
    rasterio = _rasterio()
    rows, columns = array.shape
    profile = {"driver": "GTiff", "height": rows, "width": columns, "count": 1, "nodata": 0}
    profile |= {"dtype": array.dtype.name, "compress": "deflate"} | _located(path, georeference)
    with warnings.catch_warnings(), rasterio.MemoryFile() as memory:
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        with memory.open(**profile) as image:
            image.write(array, 1)
            image.set_band_description(1, description)
            image.update_tags(1, **(tags or {}))
            if table is not None and array.dtype == np.uint8:
                image.write_colormap(1, table)
        write_atomic(path, memory.read())


def _located(path: Path, georeference: Georeference | None) -> dict[str, Any]:
    rasterio = _rasterio()
    if georeference is None:
        return {}
    transform = rasterio.Affine(*georeference.transform)
    if not georeference.crs:
        return {"transform": transform}
    try:
        crs = rasterio.crs.CRS.from_user_input(georeference.crs)
    except rasterio.errors.CRSError as error:
        what = f"the scene's coordinate system is not understood: {error}"
        raise DataError(what, where=str(path), hint="--format envi keeps it as it is") from error
    return {"transform": transform, "crs": crs}


def _by_value(legend: Legend) -> list[tuple[str, Colour]]:
    """Name and colour of each value from 0, those between the classes' own too."""
    known = dict(zip(legend.values, zip(legend.names, legend.colours)))
    known[0] = (UNCLASSIFIED, BLACK)
    return [known.get(value, (f"unused {value}", BLACK)) for value in range(max(known) + 1)]


def _categories(names: Sequence[str]) -> bytes:
    """GDAL's side file; of GeoTIFF, only there a GIS finds the names of its values."""
    root = ElementTree.Element("PAMDataset")
    band = ElementTree.SubElement(root, "PAMRasterBand", band="1")
    parent = ElementTree.SubElement(band, "CategoryNames")
    for name in names:
        ElementTree.SubElement(parent, "Category").text = name
    return ElementTree.tostring(root)


def _rasterio() -> Any:
    try:
        import rasterio
        import rasterio.crs
        import rasterio.errors
        import rasterio.io
    except ImportError as error:
        raise UnavailableError(
            "rasterio, which writes GeoTIFF, is not installed",
            where="format geotiff",
            hint="pip install 'toolkit[geo]', or --format envi",
        ) from error
    return rasterio
