from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import spectral

from toolkit.core.errors import DataError, UnavailableError
from toolkit.hsi.formats import label_files
from toolkit.hsi.maps.legend import Legend
from toolkit.hsi.maps.map_files import write
from toolkit.hsi.maps.mapping import ClassMap
from toolkit.hsi.scene import Georeference

GENERATOR = np.random.default_rng(0)
CLASSES = GENERATOR.integers(-1, 3, (11, 7)).astype(np.int16)
CONFIDENCE = np.where(CLASSES < 0, 0, GENERATOR.random((11, 7))).astype(np.float32)
FOUND = ClassMap(CLASSES, CONFIDENCE)
LEGEND = Legend.of(("Corn-notill", "Grass, mown", "Häuser"), (2, 3, 6))
VALUES = np.array([2, 3, 6, 0])[CLASSES]
UTM = Georeference((20.0, 0.0, 500_000.0, 0.0, -20.0, 4_480_000.0), "EPSG:32616")


def test_envi_reads_back_bit_by_bit_with_names_and_colours(tmp_path: Path) -> None:
    write(tmp_path, FOUND, LEGEND, ["envi"], UTM)
    read = spectral.open_image(str(tmp_path / "classes.hdr"))
    np.testing.assert_array_equal(read.open_memmap()[..., 0], VALUES)
    assert read.metadata["file type"] == "ENVI Classification"
    assert read.metadata["map info"][:5] == ["UTM", "1", "1", "500000.0", "4480000.0"]
    names = read.metadata["class names"]
    assert [names[i] for i in (0, 2, 3, 6)] == [
        "Unclassified",
        "Corn-notill",
        "Grass- mown",
        "Häuser",
    ]
    lookup = np.reshape([int(v) for v in read.metadata["class lookup"]], (-1, 3))
    np.testing.assert_array_equal(lookup[[0, 2, 3, 6]], [(0, 0, 0), *LEGEND.colours])
    confidence = spectral.open_image(str(tmp_path / "confidence.hdr")).open_memmap()
    assert confidence.dtype == np.float32
    np.testing.assert_array_equal(confidence[..., 0], CONFIDENCE)


def test_npy_reads_back_bit_by_bit(tmp_path: Path) -> None:
    files = write(tmp_path, FOUND, LEGEND, ["npy"])
    assert [f.name for f in files] == ["classes.json", "classes.npy", "confidence.npy"]
    np.testing.assert_array_equal(np.load(files[1], allow_pickle=False), VALUES)
    np.testing.assert_array_equal(np.load(files[2], allow_pickle=False), CONFIDENCE)


def test_the_legend_says_what_values_mean(tmp_path: Path) -> None:
    write(tmp_path / "new", FOUND, LEGEND, ["npy"])
    classes = json.loads((tmp_path / "new" / "classes.json").read_text())["classes"]
    assert classes[0] == {"value": 0, "name": "unclassified", "colour": [0, 0, 0]}
    assert [(c["value"], c["name"]) for c in classes[1:]] == [*zip(LEGEND.values, LEGEND.names)]


def test_geotiff_reads_back_bit_by_bit_with_its_place_names_and_colours(tmp_path: Path) -> None:
    rasterio = pytest.importorskip("rasterio", reason="needs the extra geo")
    write(tmp_path, FOUND, LEGEND, ["geotiff"], UTM)
    with rasterio.open(tmp_path / "classes.tif") as image:
        np.testing.assert_array_equal(image.read(1), VALUES)
        assert image.crs.to_string() == "EPSG:32616"
        assert image.transform[:6] == UTM.transform
        assert image.nodata == 0
        assert image.tags(1)["class_3"] == "Grass, mown"
        assert [image.colormap(1)[v][:3] for v in LEGEND.values] == [*LEGEND.colours]
    with rasterio.open(tmp_path / "confidence.tif") as image:
        np.testing.assert_array_equal(image.read(1), CONFIDENCE)
        assert image.crs.to_string() == "EPSG:32616"


def test_gdal_finds_the_names_of_a_geotiffs_values(tmp_path: Path) -> None:
    pytest.importorskip("rasterio", reason="needs the extra geo")
    from rasterio.shutil import copy

    write(tmp_path, FOUND, LEGEND, ["geotiff"], UTM)
    copy(tmp_path / "classes.tif", tmp_path / "copy.img", driver="ENVI")  # it takes them along
    header = (tmp_path / "copy.hdr").read_text()
    assert "unclassified" in header
    assert "Corn-notill" in header


@pytest.mark.parametrize("file", ["classes.hdr", "classes.tif"])
def test_a_map_can_be_read_as_labels_again(tmp_path: Path, file: str) -> None:
    if file.endswith(".tif"):
        pytest.importorskip("rasterio", reason="needs the extra geo")
    write(tmp_path, FOUND, LEGEND, ["geotiff" if file.endswith(".tif") else "envi"])
    read = label_files.read(tmp_path / file, (11, 7, 5))
    np.testing.assert_array_equal(read.ids, VALUES)


def test_a_scene_without_a_place_gives_files_without_one(tmp_path: Path) -> None:
    rasterio = pytest.importorskip("rasterio", reason="needs the extra geo")
    write(tmp_path, FOUND, LEGEND, ["geotiff", "envi"])
    with pytest.warns(rasterio.errors.NotGeoreferencedWarning):
        assert rasterio.open(tmp_path / "classes.tif").crs is None
    assert "map info" not in (tmp_path / "classes.hdr").read_text()


def test_geotiff_without_rasterio_is_told_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "rasterio", None)
    with pytest.raises(UnavailableError, match="rasterio") as error:
        write(tmp_path / "maps", FOUND, LEGEND, ["npy", "geotiff"])
    assert "pip install" in error.value.hint
    assert not (tmp_path / "maps").exists()


def test_a_coordinate_system_that_is_none_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("rasterio", reason="needs the extra geo")
    wrong = Georeference(UTM.transform, "EPSG:999999999")
    with pytest.raises(DataError, match="coordinate system"):
        write(tmp_path, FOUND, LEGEND, ["geotiff"], wrong)


def test_files_are_replaced(tmp_path: Path) -> None:
    write(tmp_path, FOUND, LEGEND, ["npy", "envi"])
    nothing = ClassMap(np.full_like(CLASSES, -1), np.zeros_like(CONFIDENCE))
    write(tmp_path, nothing, LEGEND, ["npy", "envi"])
    assert not np.load(tmp_path / "classes.npy").any()
    assert not spectral.open_image(str(tmp_path / "classes.hdr")).open_memmap().any()
