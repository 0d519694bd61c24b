"""MATLAB files of all versions: bit-equal, chosen among several, damage and trickery refused."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.core.errors import ConfigError, DataError
from toolkit.hsi.formats import mat, raster_files

CUBE = np.arange(3 * 4 * 5, dtype=np.uint16).reshape(3, 4, 5)
MAP = np.arange(12, dtype=np.uint8).reshape(3, 4)


def save73(path: Path, **arrays: np.ndarray) -> Path:
    """A v7.3 file as MATLAB writes it: a user block, axes reversed, the class as attribute."""
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, array in arrays.items():
            data = file.create_dataset(name, data=array.T, compression="gzip")
            kind = {"float64": "double", "float32": "single"}.get(array.dtype.name)
            data.attrs["MATLAB_class"] = np.bytes_(kind or array.dtype.name)
    with path.open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM")
    return path


def save5(path: Path, **arrays: object) -> Path:
    scipy.io.savemat(path, arrays, do_compression=True)
    return path


@pytest.mark.parametrize("save", [save5, save73])
@pytest.mark.parametrize("dtype", ["u1", "i2", "u2", "i4", "f4", "f8"])
def test_both_versions_read_bit_equal(tmp_path: Path, save: object, dtype: str) -> None:
    cube = CUBE.astype(dtype)
    path = save(tmp_path / "x.mat", cube=cube)  # type: ignore[operator]
    read = mat.read(path, 3).array
    assert read.dtype == cube.dtype
    np.testing.assert_array_equal(read, cube)
    assert mat.variables(path)["cube"].shape == (3, 4, 5)


def test_version_4_reads_too(tmp_path: Path) -> None:
    scipy.io.savemat(tmp_path / "x.mat", {"gt": MAP}, format="4")
    np.testing.assert_array_equal(mat.read(tmp_path / "x.mat", 2).array, MAP)


@pytest.mark.parametrize("save", [save5, save73])
def test_the_cube_and_the_map_of_one_file_are_told_apart(tmp_path: Path, save: object) -> None:
    path = save(tmp_path / "x.mat", cube=CUBE, gt=MAP)  # type: ignore[operator]
    assert mat.read(path, 3).array.shape == (3, 4, 5)
    read = mat.read(path, 2)
    np.testing.assert_array_equal(read.array, MAP)
    assert read.notes == ("variable gt of cube (3, 4, 5) uint16, gt (3, 4) uint8",)


@pytest.mark.parametrize("save", [save5, save73])
def test_several_cubes_are_listed_and_one_is_chosen(tmp_path: Path, save: object) -> None:
    path = save(tmp_path / "x.mat", cube=CUBE, photo=CUBE[:, :, :3])  # type: ignore[operator]
    with pytest.raises(DataError) as caught:
        mat.read(path, 3)
    assert "cube (3, 4, 5) uint16, photo (3, 4, 3) uint16" in caught.value.what
    assert "--variable" in caught.value.hint
    np.testing.assert_array_equal(mat.read(path, 3, "photo").array, CUBE[:, :, :3])
    with pytest.raises(ConfigError, match="did you mean 'photo'"):
        mat.read(path, 3, "foto")


def test_among_several_maps_the_one_of_the_cubes_shape_is_taken(tmp_path: Path) -> None:
    path = save5(tmp_path / "x.mat", gt=MAP, finer=np.ones((6, 8)))
    np.testing.assert_array_equal(mat.read(path, 2, shape=(3, 4)).array, MAP)
    with pytest.raises(DataError, match="several variables could be the label map") as caught:
        mat.read(path, 2)
    assert "--labels-variable" in caught.value.hint


def test_small_abundances_beside_a_matrix_of_spectra_are_not_taken_for_the_image(
    tmp_path: Path,
) -> None:
    path = save5(tmp_path / "x.mat", Y=np.ones((50, 12)), S_GT=np.ones((3, 4, 2)))
    with pytest.raises(DataError, match=r"Y \(50, 12\) double"):
        mat.read(path, 3)


def test_a_file_without_a_cube_names_what_it_has(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no variable with 3 axes.*gt \(3, 4\) uint8"):
        mat.read(save5(tmp_path / "x.mat", gt=MAP), 3)


def test_cells_and_structs_are_no_numbers(tmp_path: Path) -> None:
    cell = np.empty((2, 2), object)
    cell[:] = [[np.ones(2), "a"], ["b", 3.0]]
    path = save5(tmp_path / "x.mat", cell=cell, struct={"a": MAP}, text="hello", gt=MAP)
    np.testing.assert_array_equal(mat.read(path, 2).array, MAP)
    with pytest.raises(DataError, match=r"variable cell is .* cell, not an array of real numbers"):
        mat.read(path, 2, "cell")


@pytest.mark.parametrize("version", ["5", "7.3"])
def test_complex_numbers_are_refused(tmp_path: Path, version: str) -> None:
    path = tmp_path / "x.mat"
    if version == "5":
        save5(path, cube=CUBE + 1j)
    else:
        with h5py.File(path, "w") as file:
            file["cube"] = (CUBE + 1j).T
    with pytest.raises(DataError, match="complex"):
        raster_files.read(path, 3, "cube")


def test_links_to_other_files_are_not_followed(tmp_path: Path) -> None:
    save73(tmp_path / "secret.mat", cube=CUBE)
    with h5py.File(tmp_path / "x.mat", "w") as file:
        file["cube"] = h5py.ExternalLink("secret.mat", "/cube")
        file["soft"] = h5py.SoftLink("/cube")
        file.create_dataset("raw", (3, 4, 5), "u1", external=[("secret.mat", 0, 60)])
        layout = h5py.VirtualLayout((3, 4, 5), "u2")
        layout[:] = h5py.VirtualSource("secret.mat", "cube", (3, 4, 5))
        file.create_virtual_dataset("virtual", layout)
    with pytest.raises(DataError, match="cube: none at all"):
        mat.read(tmp_path / "x.mat", 3)


def test_a_file_cannot_ask_for_memory_that_it_does_not_hold(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x.mat", "w") as file:
        file.create_dataset("cube", (4096, 4096, 4096), "f8", chunks=True)
    with pytest.raises(DataError, match="claims 549755813888 bytes"):
        mat.read(tmp_path / "x.mat", 3)


@pytest.mark.parametrize("save", [save5, save73])
@settings(max_examples=60)
@given(data=st.data())
def test_a_cut_file_is_refused(
    tmp_path_factory: pytest.TempPathFactory, save: object, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("cut") / "x.mat"
    rng = np.random.default_rng(0)
    save(path, cube=rng.integers(0, 9999, (6, 7, 8)))  # type: ignore[operator]
    whole = path.read_bytes()
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
    with pytest.raises(DataError):
        mat.read(path, 3)
