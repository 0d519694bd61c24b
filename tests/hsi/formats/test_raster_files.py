"""GeoTIFF, NumPy and PNG: bit-equal, described, and refused where they cannot be right."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from toolkit.core.errors import ConfigError, DataError, UnavailableError
from toolkit.hsi.formats import raster_files
from toolkit.hsi.scene import Georeference

CUBE = np.arange(3 * 4 * 5).reshape(3, 4, 5)
MAP = np.array([[0, 1, 2], [9, 2, 0]], np.uint8)


@pytest.mark.parametrize("dtype", ["u1", "i2", "<u2", ">u2", "i4", "<f4", ">f8"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_npy_is_mapped_and_bit_equal(tmp_path: Path, dtype: str, order: str) -> None:
    cube = np.asarray(CUBE.astype(dtype), order=order)
    np.save(tmp_path / "x.npy", cube)
    read = raster_files.read(tmp_path / "x.npy", 3).array
    assert isinstance(read, np.memmap) and read.dtype == cube.dtype
    np.testing.assert_array_equal(read, cube)


def test_a_short_npy_is_told_with_both_lengths(tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    np.save(path, CUBE.astype("f8"))
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(DataError, match=r"x\.npy holds 605 bytes, its header asks for 608"):
        raster_files.read(path, 3)


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY\x01\x00", b"not an array at all, but text"])
def test_what_is_no_npy_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.npy").write_bytes(content)
    with pytest.raises(DataError, match=r"cannot be read as a \.npy array"):
        raster_files.read(tmp_path / "x.npy", 3)


def test_an_array_of_objects_is_not_unpickled(tmp_path: Path) -> None:
    class Canary:
        def __reduce__(self) -> tuple[object, ...]:
            return Path.touch, (tmp_path / "canary",)

    np.save(tmp_path / "x.npy", np.array([[[Canary()]]], object), allow_pickle=True)
    with pytest.raises(DataError, match=r"cannot be read as a \.npy array of numbers"):
        raster_files.read(tmp_path / "x.npy", 3)
    assert not (tmp_path / "canary").exists()


@pytest.mark.parametrize(
    ("array", "says"),
    [
        (CUBE + 1j, "complex128 values, not real numbers"),
        (CUBE.astype("U3"), "str96 values"),
        (CUBE.astype("M8[s]"), "datetime64"),
        (CUBE > 3, "bool values"),
        (CUBE[0], r"shape \(4, 5\), not \(rows, columns, bands\)"),
        (CUBE[:, :0], r"shape \(3, 0, 5\)"),
    ],
)
def test_what_cannot_be_a_cube_is_refused(tmp_path: Path, array: np.ndarray, says: str) -> None:
    np.save(tmp_path / "x.npy", array)
    with pytest.raises(DataError, match=says):
        raster_files.read(tmp_path / "x.npy", 3)


def tiff(path: Path, cube: np.ndarray, **profile: object) -> Path:
    rasterio = pytest.importorskip("rasterio")
    rows, columns, bands = cube.shape
    shape = {"height": rows, "width": columns, "count": bands, "dtype": cube.dtype.name}
    profile = {"transform": rasterio.Affine(2, 0, 500000, 0, -2, 4000000), **profile}
    with rasterio.open(path, "w", driver="GTiff", **shape, **profile) as image:
        image.write(np.moveaxis(cube, -1, 0))
    return path


@pytest.mark.parametrize("dtype", ["u1", "i2", "u2", "i4", "f4", "f8"])
@pytest.mark.parametrize("interleave", ["pixel", "band"])
def test_geotiff_is_bit_equal_and_located(
    tmp_path: Path, dtype: str, interleave: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("toolkit.hsi.formats.geotiff._BLOCK", 1)  # a row at a time
    cube = CUBE.astype(dtype)
    path = tiff(tmp_path / "x.tif", cube, crs="EPSG:32616", interleave=interleave, nodata=7)
    read = raster_files.read(path, 3)
    assert read.array.dtype == cube.dtype
    np.testing.assert_array_equal(read.array, cube)
    assert read.georeference == Georeference((2, 0, 500000, 0, -2, 4000000), "EPSG:32616")
    assert read.no_data == 7


def test_a_tiff_without_a_place_has_none(tmp_path: Path) -> None:
    rasterio = pytest.importorskip("rasterio")
    with pytest.warns(rasterio.errors.NotGeoreferencedWarning):
        path = tiff(tmp_path / "x.tiff", CUBE.astype("u1"), transform=rasterio.Affine.identity())
    assert raster_files.read(path, 3).georeference is None


def test_wavelengths_of_a_tiff_are_those_of_its_bands(tmp_path: Path) -> None:
    rasterio = pytest.importorskip("rasterio")
    path = tiff(tmp_path / "x.tif", CUBE.astype("u1"))
    with rasterio.open(path, "r+") as image:
        for band in range(1, 6):
            image.update_tags(band, wavelength=str(band / 2), wavelength_units="Micrometers")
    assert raster_files.read(path, 3).wavelengths_nm == (500.0, 1000.0, 1500.0, 2000.0, 2500.0)


def test_a_tiff_map_brings_its_colours(tmp_path: Path) -> None:
    rasterio = pytest.importorskip("rasterio")
    path = tiff(tmp_path / "x.tif", MAP[:, :, None])
    with rasterio.open(path, "r+") as image:
        image.write_colormap(1, {1: (255, 0, 0, 255), 2: (0, 128, 0, 255)})
    read = raster_files.read(path, 2)
    np.testing.assert_array_equal(read.array, MAP)
    assert (read.colours[1], read.colours[2]) == ((255, 0, 0), (0, 128, 0))


@pytest.mark.parametrize("keep", [0, 10, 200, 800])
def test_a_cut_tiff_is_refused(tmp_path: Path, keep: int) -> None:
    path = tiff(tmp_path / "x.tif", np.ones((20, 20, 3), np.float32))
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DataError, match=r"x\.tif is no GeoTIFF, or a damaged one"):
        raster_files.read(path, 3)


def test_a_complex_tiff_is_refused(tmp_path: Path) -> None:
    path = tiff(tmp_path / "x.tif", CUBE.astype(np.complex64))
    with pytest.raises(DataError, match="complex64 values"):
        raster_files.read(path, 3)


def test_a_tiff_of_another_format_is_not_opened(tmp_path: Path) -> None:
    pytest.importorskip("rasterio")
    tiff(tmp_path / "real.tif", CUBE.astype("u1"))
    source = f"<SourceFilename>{tmp_path / 'real.tif'}</SourceFilename><SourceBand>1</SourceBand>"
    (tmp_path / "x.tif").write_text(
        '<VRTDataset rasterXSize="4" rasterYSize="3"><VRTRasterBand dataType="Byte" band="1">'
        f"<SimpleSource>{source}</SimpleSource></VRTRasterBand></VRTDataset>"
    )
    with pytest.raises(DataError, match="is no GeoTIFF"):
        raster_files.read(tmp_path / "x.tif", 3)


def test_without_rasterio_the_way_out_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "x.tif").write_bytes(b"II*\x00")
    monkeypatch.setitem(sys.modules, "rasterio", None)
    with pytest.raises(UnavailableError) as caught:
        raster_files.read(tmp_path / "x.tif", 3)
    assert "pip install 'toolkit[geo]'" in caught.value.hint


def test_grey_and_indexed_pictures_hold_ids(tmp_path: Path) -> None:
    Image.fromarray(MAP).save(tmp_path / "grey.png")
    indexed = Image.fromarray(MAP, "P")
    indexed.putpalette([0, 0, 0, 255, 0, 0, 0, 128, 0, *[9] * 30])
    indexed.save(tmp_path / "indexed.png")
    Image.fromarray(MAP.astype(np.uint16) * 1000).save(tmp_path / "deep.png")
    for name, factor in (("grey", 1), ("indexed", 1), ("deep", 1000)):
        read = raster_files.read(tmp_path / f"{name}.png", 2)
        np.testing.assert_array_equal(read.array, MAP.astype(int) * factor)
    colours = raster_files.read(tmp_path / "indexed.png", 2).colours
    assert (colours[1], colours[2]) == ((255, 0, 0), (0, 128, 0))


def test_a_coloured_or_cut_picture_holds_no_ids(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((3, 4, 3), np.uint8)).save(tmp_path / "x.png")
    with pytest.raises(DataError, match=r"colours \(RGB\), not class ids"):
        raster_files.read(tmp_path / "x.png", 2)
    Image.fromarray(np.random.default_rng(0).integers(0, 9, (50, 50), np.uint8)).save(
        tmp_path / "y.png"
    )
    whole = (tmp_path / "y.png").read_bytes()
    for keep in (0, 20, len(whole) // 2):
        (tmp_path / "y.png").write_bytes(whole[:keep])
        with pytest.raises(DataError, match=r"y\.png cannot be read as a label map"):
            raster_files.read(tmp_path / "y.png", 2)


def test_unknown_formats_and_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere\.mat is not a file"):
        raster_files.read(tmp_path / "nowhere.mat", 3)
    (tmp_path / "x.jpg").write_bytes(b"x")
    with pytest.raises(DataError, match=r"x\.jpg is of no format that is read: \.hdr, \.mat"):
        raster_files.read(tmp_path / "x.jpg", 3)
    np.save(tmp_path / "x.npy", CUBE)
    with pytest.raises(ConfigError, match="has no variables to choose 'a' from"):
        raster_files.read(tmp_path / "x.npy", 3, "a")
