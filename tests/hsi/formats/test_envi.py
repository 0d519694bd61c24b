"""ENVI files: every layout reads bit-equal, places agree with GDAL's, damage is named."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.core.errors import ConfigError, DataError
from toolkit.hsi.formats import envi, envi_writing
from toolkit.hsi.scene import Georeference

DTYPES = {
    "1": "u1", "2": "i2", "3": "i4", "4": "f4", "5": "f8",
    "12": "u2", "13": "u4", "14": "i8", "15": "u8",
}  # fmt: skip
AXES = {"bsq": (2, 0, 1), "bil": (0, 2, 1), "bip": (0, 1, 2)}  # as ENVI defines them
UTM = Georeference((2.0, 0.0, 500000.0, 0.0, -2.0, 4000000.0), "EPSG:32616")


def write(
    folder: Path, cube: np.ndarray, order: str = "bsq", offset: int = 0, **extra: object
) -> Path:
    """Write a cube as ENVI does, without the code under test."""
    code = next(c for c, name in DTYPES.items() if np.dtype(name) == cube.dtype.newbyteorder("="))
    big = cube.dtype.byteorder == ">"
    keys = {
        "samples": cube.shape[1], "lines": cube.shape[0], "bands": cube.shape[2],
        "header offset": offset, "data type": code, "interleave": order,
        "byte order": int(big),
    }  # fmt: skip
    keys |= {key.replace("_", " "): value for key, value in extra.items()}
    lines = [f"{key} = {value}" for key, value in keys.items() if value is not None]
    header = folder / "scene.hdr"
    header.write_text("ENVI\n" + "\n".join(lines) + "\n")
    turned = np.ascontiguousarray(cube.transpose(AXES[order]))
    (folder / "scene.img").write_bytes(b"\xaa" * offset + turned.tobytes())
    return header


def small(dtype: str = "<f4") -> np.ndarray:
    return np.arange(2 * 3 * 4).reshape(2, 3, 4).astype(dtype)


@settings(max_examples=150)
@given(
    shape=st.tuples(*[st.integers(1, 5)] * 3),
    interleave=st.sampled_from(sorted(AXES)),
    order=st.sampled_from("<>"),
    dtype=st.sampled_from(sorted(DTYPES.values())),
    offset=st.integers(0, 40),
    seed=st.integers(0, 99),
)
def test_every_layout_reads_bit_equal(
    tmp_path_factory: pytest.TempPathFactory,
    shape: tuple[int, int, int],
    interleave: str,
    order: str,
    dtype: str,
    offset: int,
    seed: int,
) -> None:
    values = np.random.default_rng(seed).integers(0, 120, shape)
    cube = values.astype(np.dtype(dtype).newbyteorder(order))
    header = write(tmp_path_factory.mktemp("envi"), cube, interleave, offset)
    read = envi.read(header).array
    assert isinstance(read, np.memmap)
    assert read.dtype.itemsize == cube.dtype.itemsize and read.dtype.kind == cube.dtype.kind
    np.testing.assert_array_equal(read, values)
    assert not read.flags.writeable


@pytest.mark.parametrize("interleave", sorted(AXES))
@pytest.mark.parametrize("order", [0, 1])
def test_files_that_spectral_writes_read_bit_equal(
    tmp_path: Path, interleave: str, order: int
) -> None:
    from spectral.io import envi as theirs

    cube = np.random.default_rng(1).normal(size=(7, 5, 4)).astype(np.float32)
    path = str(tmp_path / "x.hdr")
    theirs.save_image(path, cube, interleave=interleave, byteorder=order, dtype=np.float32)
    np.testing.assert_array_equal(envi.read(tmp_path / "x.hdr").array, cube)


def test_the_data_file_may_be_named_instead(tmp_path: Path) -> None:
    write(tmp_path, small())
    np.testing.assert_array_equal(envi.read(tmp_path / "scene.img").array, small())
    (tmp_path / "scene.hdr").rename(tmp_path / "scene.img.hdr")
    np.testing.assert_array_equal(envi.read(tmp_path / "scene.img").array, small())
    read = envi.read(tmp_path / "scene.img.hdr")
    assert [path.name for path in read.files] == ["scene.img.hdr", "scene.img"]


def test_bands_are_described(tmp_path: Path) -> None:
    read = envi.read(
        write(
            tmp_path,
            small(),
            wavelength="{0.45, 0.55, 0.65, 2.5}",
            wavelength_units="Micrometers",
            bbl="{1, 0, 1, 0}",
            data_ignore_value="-9999",
        )
    )
    assert read.wavelengths_nm == (450.0, 550.0, 650.0, 2500.0)
    assert (read.bad_bands, read.no_data, read.notes) == ((1, 3), -9999.0, ())


@pytest.mark.parametrize(
    ("unit", "values", "expected"),
    [
        ("Nanometers", "{400, 500, 600, 700}", (400.0, 500.0, 600.0, 700.0)),
        (None, "{0.4, 0.5, 0.6, 0.7}", (400.0, 500.0, 600.0, 700.0)),
        ("Unknown", "{400, 500, 600, 700}", (400.0, 500.0, 600.0, 700.0)),
        ("Wavenumber", "{400, 500, 600, 700}", None),
        ("Nanometers", "{400, 500}", None),
        ("Nanometers", "{400, 500, 600, green}", None),
    ],
)
def test_wavelengths_come_in_nanometres_or_with_a_note(
    tmp_path: Path, unit: str | None, values: str, expected: tuple[float, ...] | None
) -> None:
    read = envi.read(write(tmp_path, small(), wavelength=values, wavelength_units=unit))
    assert read.wavelengths_nm == expected
    assert (expected is None) == any("passed over" in note for note in read.notes)


@pytest.mark.parametrize(
    "info",
    [
        "{UTM, 1, 1, 500000, 4000000, 2, 3, 16, North, WGS-84, units=Meters}",
        "{UTM, 1.5, 1.5, 500001, 3999998.5, 2, 3, 16, South, WGS-84, units=Meters}",
        "{Geographic Lat/Lon, 1, 1, -86.9, 40.5, 0.001, 0.001, WGS-84, units=Degrees}",
        "{UTM, 1, 1, 500000, 4000000, 2, 2, 16, North, WGS-84, units=Meters, rotation=30}",
        "{UTM, 1, 1, 500000, 4000000, 2, 2, 16, North, North America 1983, units=Meters}",
        "{UTM, 1, 1, 500000, 4000000, 2, 2, 16, North, North America 1927, units=Meters}",
        "{Geographic Lat/Lon, 1, 1, -86.9, 40.5, 0.1, 0.1, North America 1983, units=Degrees}",
        "{Arbitrary, 1, 1, 10, 20, 2, 2}",
    ],
)
def test_places_are_those_of_gdal(tmp_path: Path, info: str) -> None:
    rasterio = pytest.importorskip("rasterio")
    header = write(tmp_path, small(), map_info=info)
    ours = envi.read(header).georeference
    with rasterio.open(tmp_path / "scene.img") as image:
        assert ours is not None
        np.testing.assert_allclose(ours.transform, image.transform[:6], rtol=1e-12, atol=1e-9)
        if ours.crs:
            assert rasterio.crs.CRS.from_string(ours.crs).to_epsg() == image.crs.to_epsg()


@pytest.mark.parametrize("epsg", [2263, 4267, 4269, 4326, 5070, 26916, 26716, 32756])
def test_systems_in_feet_degrees_and_metres_reach_gdal_unchanged(tmp_path: Path, epsg: int) -> None:
    rasterio = pytest.importorskip("rasterio")
    place = Georeference((5.0, 0.0, 980000.0, 0.0, -5.0, 200000.0), f"EPSG:{epsg}")
    envi_writing.write_cube(tmp_path / "a.hdr", small(), georeference=place)
    with rasterio.open(tmp_path / "a.img") as image:
        assert image.crs.to_epsg() == epsg
        assert image.transform[:6] == place.transform


def test_a_system_that_is_not_understood_is_told(tmp_path: Path) -> None:
    info = "{UTM, 1, 1, 500000, 4000000, 2, 2, 32, North, European 1950, units=Meters}"
    read = envi.read(write(tmp_path, small(), map_info=info))
    assert read.georeference is not None and read.georeference.crs == ""
    assert any("UTM, 32, North, European 1950" in note for note in read.notes)
    none = write(tmp_path, small(), map_info="{Arbitrary, 1, 1, 10, 20, 2, 2}")
    assert envi.read(none).notes == ()


def test_well_known_text_survives_the_comma_splitting(tmp_path: Path) -> None:
    wkt = 'LOCAL_CS["mine",UNIT["metre",1]]'
    info = "{mine, 1, 1, 10, 20, 2, 2, units=Meters}"
    header = write(tmp_path, small(), map_info=info, coordinate_system_string="{" + wkt + "}")
    assert envi.read(header).georeference == Georeference((2, -0.0, 10, -0.0, -2, 20), wkt)


def test_a_short_file_is_told_with_both_lengths(tmp_path: Path) -> None:
    header = write(tmp_path, small(), offset=7)
    data = tmp_path / "scene.img"
    data.write_bytes(data.read_bytes()[:-1])
    with pytest.raises(DataError, match="holds 102 bytes, its header asks for 103"):
        envi.read(header)


@pytest.mark.parametrize("key", ["samples", "lines", "bands", "data type", "interleave"])
def test_a_missing_key_is_named(tmp_path: Path, key: str) -> None:
    header = write(tmp_path, small(), **{key: None})
    with pytest.raises(DataError, match=f"lacks '{key}'"):
        envi.read(header)


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("lines", "-2", "'lines' is '-2'"),
        ("bands", "four", "'bands' is 'four'"),
        ("interleave", "bqs", "interleave is 'bqs'"),
        ("byte order", "2", "byte order is '2'"),
        ("data type", "7", "data type is '7'"),
        ("header offset", "x", "'header offset' is 'x'"),
        ("file compression", "1", "'file compression' = 1"),
        ("major frame offsets", "{8, 8}", "'major frame offsets'"),
        ("lines", "99999999999", "header asks for"),
    ],
)
def test_a_wrong_value_is_named(tmp_path: Path, key: str, value: str, says: str) -> None:
    with pytest.raises(DataError, match=says):
        envi.read(write(tmp_path, small(), **{key: value}))


@pytest.mark.parametrize(
    "content", [b"", b"ENVY\n", b"\xff\xfe\x00", b"ENVI\nsamples = {1, 2\n", b"ENVI\n\xe9 = 1\n"]
)
def test_what_is_no_header_is_refused(tmp_path: Path, content: bytes) -> None:
    header = write(tmp_path, small())
    header.write_bytes(content)
    with pytest.raises(DataError, match=r"scene\.hdr (is no ENVI header|lacks)"):
        envi.read(header)


@settings(max_examples=300)
@given(at=st.integers(0, 400), byte=st.integers(0, 255), cut=st.booleans())
def test_a_damaged_header_gives_an_image_within_the_file_or_an_error(
    tmp_path_factory: pytest.TempPathFactory, at: int, byte: int, cut: bool
) -> None:
    header = write(
        tmp_path_factory.mktemp("fuzz"), small(), wavelength="{1, 2, 3, 4}", bbl="{1, 1, 1, 0}",
        map_info="{UTM, 1, 1, 5, 4, 2, 3, 16, North, WGS-84, rotation=3}", class_names="{a, b}",
        class_lookup="{0, 0, 0, 9, 9, 9}", data_ignore_value="-1",
    )  # fmt: skip
    content = bytearray(header.read_bytes())
    content[at % len(content)] = byte
    header.write_bytes(content[: at % len(content)] if cut else content)
    with contextlib.suppress(DataError):
        read = envi.read(header).array
        assert read.nbytes <= header.with_suffix(".img").stat().st_size
        assert np.asarray(read).shape == read.shape


def test_half_a_pair_is_named(tmp_path: Path) -> None:
    header = write(tmp_path, small())
    data = (tmp_path / "scene.img").rename(tmp_path / "other.img")
    with pytest.raises(DataError, match=r"scene\.hdr has no data file beside it"):
        envi.read(header)
    with pytest.raises(DataError, match=r"other\.img has no ENVI header beside it"):
        envi.read(data)


def test_two_data_files_are_not_guessed_between(tmp_path: Path) -> None:
    header = write(tmp_path, small())
    (tmp_path / "scene.dat").write_bytes((tmp_path / "scene.img").read_bytes())
    with pytest.raises(ConfigError, match=r"scene\.img or scene\.dat"):
        envi.read(header)
    assert envi.read(tmp_path / "scene.img").array.shape == (2, 3, 4)


@pytest.mark.parametrize("dtype", ["<u2", ">f4", "<f8"])
def test_a_written_cube_reads_back_here_and_in_spectral(tmp_path: Path, dtype: str) -> None:
    from spectral.io import envi as theirs

    cube = np.asfortranarray(small(dtype))
    header = tmp_path / "made.hdr"
    waves = (400.0, 500.5, 600.0, 700.0)
    envi_writing.write_cube(header, cube, wavelengths_nm=waves, georeference=UTM, description="x")
    read = envi.read(header)
    np.testing.assert_array_equal(read.array, cube)
    assert (read.wavelengths_nm, read.georeference) == (waves, UTM)
    opened = theirs.open(str(header))
    np.testing.assert_array_equal(opened.open_memmap(), cube)
    assert opened.bands.centers == list(waves)


@pytest.mark.parametrize(
    "where",
    [
        UTM,
        Georeference((0.001, 0.0, -86.9, 0.0, -0.001, 40.5), "EPSG:4326"),
        Georeference((2.0, 0.0, 500000.0, 0.0, -2.0, 4000000.0), "EPSG:32755"),
        Georeference((2.0, 0.0, 700000.0, 0.0, -2.0, 6600000.0), "EPSG:2154"),
        Georeference((3**0.5, -1.0, 5e5, -1.0, -(3**0.5), 4e6), "EPSG:32616"),
    ],
)
def test_a_written_map_opens_in_gdal(tmp_path: Path, where: Georeference) -> None:
    rasterio = pytest.importorskip("rasterio")
    labels = np.array([[0, 1, 2], [2, 2, 0]], np.int32)
    data = envi_writing.write_classes(
        tmp_path / "map.hdr", labels, ("corn, young", "soy {b}"), ((255, 0, 0), (0, 9, 0)), where
    )
    read = envi.read(tmp_path / "map.hdr")
    np.testing.assert_array_equal(read.array[:, :, 0], labels)
    assert (read.class_names[1], read.class_names[2]) == ("corn- young", "soy (b)")
    assert read.colours == {0: (0, 0, 0), 1: (255, 0, 0), 2: (0, 9, 0)}
    with rasterio.open(data) as image:
        np.testing.assert_array_equal(image.read(1), labels)
        np.testing.assert_allclose(image.transform[:6], where.transform, rtol=1e-9)
        assert image.crs.to_string() == where.crs
        assert image.colormap(1)[1][:3] == (255, 0, 0)


@pytest.mark.parametrize("where", [(1.0, 0.0, 0.0, 0.0, 1.0, 0.0), (1.0, 1.0, 0.0, 0.0, -1.0, 0.0)])
def test_a_mirrored_or_sheared_place_is_refused(
    tmp_path: Path, where: tuple[float, float, float, float, float, float]
) -> None:
    with pytest.raises(DataError, match="mirrors or shears"):
        envi_writing.write_cube(tmp_path / "x.hdr", small(), georeference=Georeference(where))


def test_a_type_that_envi_lacks_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no float16 values"):
        envi_writing.write_cube(tmp_path / "x.hdr", small("f2"))
