"""Label files: maps and lists give the same labels; what cannot be right is told with its place."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import scipy.io
from PIL import Image

from toolkit.core.errors import DataError
from toolkit.hsi.formats import envi_writing, label_files
from toolkit.hsi.scene import Scene

MAP = np.array([[0, 1, 2], [9, 2, 0]], np.uint8)
SHAPE = (2, 3, 7)


def csv(folder: Path, text: str) -> Path:
    path = folder / "labels.csv"
    path.write_text(text)
    return path


def test_every_format_gives_the_same_ids(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", MAP.astype(np.float64))
    scipy.io.savemat(tmp_path / "a.mat", {"gt": MAP})
    Image.fromarray(MAP).save(tmp_path / "a.png")
    envi_writing.write_classes(tmp_path / "a.hdr", MAP, list("abcdefghi"))
    csv(tmp_path, "row,column,class\n0,1,1\n0,2,2\n1,0,9\n1,1,2\n")
    for name in ("a.npy", "a.mat", "a.png", "a.hdr", "labels.csv"):
        read = label_files.read(tmp_path / name, SHAPE)
        assert read.ids.dtype == np.int32
        np.testing.assert_array_equal(read.ids, MAP, err_msg=name)
        assert read.files


def test_a_tiff_map_gives_them_too(tmp_path: Path) -> None:
    rasterio = pytest.importorskip("rasterio")
    shape = {"height": 2, "width": 3, "count": 1, "dtype": "uint8"}
    place = rasterio.Affine(1, 0, 5, 0, -1, 5)
    with rasterio.open(tmp_path / "a.tif", "w", driver="GTiff", **shape, transform=place) as image:
        image.write(MAP, 1)
    np.testing.assert_array_equal(label_files.read(tmp_path / "a.tif", SHAPE).ids, MAP)


def test_labels_are_renumbered_and_gaps_named(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", MAP)
    read = label_files.read(tmp_path / "a.npy", SHAPE)
    labels, ids, names = label_files.renumber(read)
    np.testing.assert_array_equal(labels, [[0, 1, 2], [3, 2, 0]])
    assert (ids, names) == ((1, 2, 9), ("class 1", "class 2", "class 9"))
    assert label_files.gaps(read) == "class ids have gaps: no pixel has 3-8"


def test_huge_ids_cost_no_memory(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([[0, 2**31 - 1, 5]]))
    read = label_files.read(tmp_path / "a.npy", (1, 3, 7))
    labels, ids, _ = label_files.renumber(read)
    assert labels.tolist() == [[0, 2, 1]] and ids == (5, 2**31 - 1)
    assert label_files.gaps(read).endswith("1-4, 6-21, …")


def test_names_in_a_list_become_ids_in_alphabetical_order(tmp_path: Path) -> None:
    path = csv(tmp_path, "Col , class,note,ROW\n\n2,wheat,x,0\n0,corn,,1\n 1 ,wheat,,1\n")
    read = label_files.read(path, SHAPE)
    np.testing.assert_array_equal(read.ids, [[0, 0, 2], [1, 2, 0]])
    assert read.names == {1: "corn", 2: "wheat"}


def test_a_byte_order_mark_and_quotes_do_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(b'\xef\xbb\xbfrow,column,class\r\n0,0,"a, b"\r\n')
    assert label_files.read(path, SHAPE).names == {1: "a, b"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "line 1 of labels.csv: the header is ''"),
        ("x,y,class\n0,0,1\n", "line 1 .*'x,y,class', not 'row,column,class'"),
        ("row,column,col,class\n", "line 1"),
        ("row,column,class\n0,0,1\n\n0,1\n", "line 4 .*has 2 of 3 columns"),
        ("row,column,class\n0,0,1\n2,1,1\n", "line 3 .*row '2' is not one of 0 to 1"),
        ("row,column,class\n0,-1,1\n", "line 2 .*column '-1' is not one of 0 to 2"),
        ("row,column,class\n0,1.5,1\n", "line 2 .*column '1.5'"),
        ("row,column,class\n0,0,\n", "line 2 .*class ''"),
        ("row,column,class\n0,0,-3\n", "line 2 .*class '-3'"),
        ("row,column,class\n0,0,1\n0,1,corn\n", "line 3 .*'corn' is a name where others are ids"),
        ("row,column,class\n0,0,1\n0,0,1\n0,0,2\n", "line 4 .*row 0, column 0 has two classes"),
        ("row,column,class\n0,0,99999999999\n", "line 2 .*too large"),
        ('row,column,class\n0,0,"1\n', "line 1 .*unexpected end"),
        ("row,column,class\n", "labels.csv has no labelled pixel"),
        ("row,column,class\n0,0,0\n", "labels.csv has no labelled pixel"),
    ],
)
def test_a_malformed_list_is_told_with_its_line(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(DataError, match=says):
        label_files.read(csv(tmp_path, text), SHAPE)


def test_a_list_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_bytes(b"row,column,class\n0,0,\xff\xfe\n")
    with pytest.raises(DataError, match="cannot be read"):
        label_files.read(tmp_path / "labels.csv", SHAPE)


@pytest.mark.parametrize(
    ("labels", "cube", "says", "hint"),
    [
        ((5, 4), (7, 6, 9), "labels are 5 x 4 pixels, the cube is 7 x 6", "same image"),
        ((6, 7), (7, 6, 9), "transposed labels would fit", "transpose"),
        ((6, 9), (7, 6, 9), "cube is 7 x 6 x 9; its axes are swapped: 7 bands", "moveaxis"),
        ((9, 6), (7, 6, 9), "its axes are swapped: 7 bands come first", "moveaxis"),
    ],
)
def test_shapes_that_differ_are_both_told(
    tmp_path: Path, labels: tuple[int, int], cube: tuple[int, int, int], says: str, hint: str
) -> None:
    np.save(tmp_path / "gt.npy", np.ones(labels, np.uint8))
    with pytest.raises(DataError, match=says) as caught:
        label_files.read(tmp_path / "gt.npy", cube)
    assert hint in caught.value.hint


@pytest.mark.parametrize("value", [-1, 1.5, np.nan, np.inf, 3e9])
def test_values_that_are_no_ids_are_told_with_their_place(tmp_path: Path, value: float) -> None:
    labels = np.ones((2, 3))
    labels[1, 2] = value
    np.save(tmp_path / "gt.npy", labels)
    with pytest.raises(
        DataError, match=rf"label {re.escape(f'{value:.9g}')} at row 1, column 2 is no class id"
    ):
        label_files.read(tmp_path / "gt.npy", SHAPE)


def test_no_labelled_pixel_is_an_error(tmp_path: Path) -> None:
    np.save(tmp_path / "gt.npy", np.zeros((2, 3), np.uint8))
    with pytest.raises(DataError, match=r"gt\.npy has no labelled pixel"):
        label_files.read(tmp_path / "gt.npy", SHAPE)


def scene() -> Scene:
    return Scene("x", np.zeros(SHAPE), classes=("corn", "soy", "wheat"), class_ids=(2, 5, 9))


def test_another_file_is_read_in_the_classes_of_the_scene(tmp_path: Path) -> None:
    by_id = csv(tmp_path, "row,column,class\n0,0,9\n1,1,2\n")
    assert label_files.read_as(by_id, scene()).tolist() == [[3, 0, 0], [0, 1, 0]]
    by_name = csv(tmp_path, "row,column,class\n0,0,wheat\n1,1,soy\n")
    assert label_files.read_as(by_name, scene()).tolist() == [[3, 0, 0], [0, 2, 0]]


def test_a_class_that_the_scene_lacks_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"class ids 3 of labels\.csv are none of scene x"):
        label_files.read_as(csv(tmp_path, "row,column,class\n0,0,3\n0,1,2\n"), scene())


@pytest.mark.parametrize("value", [255, 9])
def test_pixels_that_a_map_calls_no_data_are_unlabelled(tmp_path: Path, value: int) -> None:
    path = tmp_path / "a.hdr"
    envi_writing.write_classes(path, np.where(MAP == 9, value, MAP), list("abcdefghi"))
    with path.open("a") as file:
        file.write(f"data ignore value = {value}\n")
    read = label_files.read(path, SHAPE)
    np.testing.assert_array_equal(read.ids, np.where(MAP == 9, 0, MAP))
    assert any(f"1 pixels of a.hdr hold its no-data value {value}" in note for note in read.notes)


def test_a_tiff_maps_no_data_is_unlabelled_too(tmp_path: Path) -> None:
    rasterio = pytest.importorskip("rasterio")
    ids = np.where(MAP == 9, np.int16(-9999), MAP)
    shape = {"height": 2, "width": 3, "count": 1, "dtype": "int16", "nodata": -9999}
    place = rasterio.Affine(1, 0, 5, 0, -1, 5)
    with rasterio.open(tmp_path / "a.tif", "w", driver="GTiff", **shape, transform=place) as image:
        image.write(ids, 1)
    read = label_files.read(tmp_path / "a.tif", SHAPE)
    np.testing.assert_array_equal(read.ids, np.where(MAP == 9, 0, MAP))


def test_class_0_of_a_list_is_unlabelled_and_told(tmp_path: Path) -> None:
    read = label_files.read(csv(tmp_path, "row,column,class\n0,1,0\n0,2,2\n"), SHAPE)
    assert read.ids.sum() == 2
    assert read.notes == ("1 pixels of labels.csv have class 0: unlabelled",)
