"""Label files: a map in any format of pixels, or a CSV list of pixels; checked against the cube."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.core.errors import DataError, closest
from toolkit.hsi.formats import label_lists, raster_files
from toolkit.hsi.formats.raster import Raster, listed
from toolkit.hsi.scene import Labels, Scene

_MOST_LISTED = 20  # ids that a note spells out


@dataclass(frozen=True)
class LabelMap:
    """A ground truth in its file's own ids.

    Attributes:
        ids: (rows, columns) int32; 0 = unlabelled.
        names: of classes by id, where known; ``colours`` likewise, RGB in 0 … 255.
        files: what was read.
        notes: what was chosen among several.
    """

    ids: NDArray[np.int32]
    names: Mapping[int, str] = field(default_factory=dict)
    colours: Mapping[int, tuple[int, int, int]] = field(default_factory=dict)
    files: tuple[Path, ...] = ()
    notes: tuple[str, ...] = ()

    def present(self) -> NDArray[np.int32]:
        """Ids that some pixel has, ascending, without 0."""
        found = np.unique(self.ids)
        return found[found > 0]


def read(path: Path, cube_shape: Sequence[int], variable: str | None = None) -> LabelMap:
    """Read a label file that belongs to a cube of shape (rows, columns, bands).

    Args:
        path: a .csv with the header ``row,column,class``, rows and columns counted from 0, the
            class a name or an id; or a map: .mat, .hdr or its data, .tif, .npy, .png.
        cube_shape: of the cube.
        variable: of a .mat file.

    A map's pixels of the value that its file calls "no data" are unlabelled.

    Raises:
        DataError: missing or damaged; not whole numbers from 0; of another shape than the cube;
            or without any labelled pixel.
    """
    rows, columns = cube_shape[0], cube_shape[1]
    if path.suffix.lower() == ".csv" and path.is_file():
        ids, names, notes = label_lists.read(path, (rows, columns))
        labels = LabelMap(ids, names, files=(path,), notes=notes)
    else:
        raster = raster_files.read(path, 2, variable, (rows, columns))
        _check_shape(raster.array.shape, cube_shape, path)
        ids, notes = _ids(raster, path)
        labels = LabelMap(ids, raster.class_names, raster.colours, raster.files, notes)
    if not labels.ids.any():
        hint = "label some pixels, with classes from 1; 0 means unlabelled"
        raise DataError(f"{path.name} has no labelled pixel", where=str(path), hint=hint)
    return labels


def read_as(path: Path, scene: Scene, variable: str | None = None) -> Labels:
    """Read a label file in the classes of ``scene``: (rows, columns), 0 = unlabelled, 1 … K.

    Classes are told by name where the file names all of them as the scene does, else by id; in a
    list of names by name alone, for its ids are of the alphabet.

    Raises:
        DataError: as :func:`read`; or a class that the scene does not have.
    """
    named = dict(zip(scene.class_ids, scene.classes))
    found = read(path, scene.cube.shape, variable)
    if path.suffix.lower() == ".csv":
        _check_names(found.names.values(), scene, path)
    labels = matched(found, named)
    unknown = sorted(set(labels.present().tolist()) - set(named))
    if unknown:
        known = ", ".join(f"{number} {name}" for number, name in named.items())
        what = f"class ids {listed(unknown)} of {path.name} are none of scene {scene.name}"
        raise DataError(what, where=str(path), hint=f"its classes are {known}")
    return _translated(labels.ids, {number: k for k, number in enumerate(scene.class_ids, 1)})


def _check_names(names: Iterable[str], scene: Scene, path: Path) -> None:
    for name in names:
        if name not in scene.classes:
            what = f"class {name!r} of {path.name} is none of scene {scene.name}"
            raise DataError(what, where=str(path), hint=closest(name, scene.classes))


def matched(labels: LabelMap, named: Mapping[int, str]) -> LabelMap:
    """The same labels under the ids of ``named``, if it has all their names; else unchanged."""
    id_of = {name: number for number, name in named.items()}
    names = {number: labels.names.get(number) for number in labels.present().tolist()}
    places = {number: id_of[name] for number, name in names.items() if name in id_of}
    if len(places) < len(names):
        return labels
    colours = {places[number]: c for number, c in labels.colours.items() if number in places}
    return replace(labels, ids=_translated(labels.ids, places), names=named, colours=colours)


def renumber(labels: LabelMap) -> tuple[Labels, tuple[int, ...], tuple[str, ...]]:
    """Labels 1 … K without gaps, the ids that they stand for, and their names."""
    ids = tuple(labels.present().tolist())
    numbered = _translated(labels.ids, {number: k for k, number in enumerate(ids, start=1)})
    return numbered, ids, tuple(labels.names.get(number, f"class {number}") for number in ids)


def gaps(labels: LabelMap) -> str:
    """A note on ids that no pixel has; empty when they run from 1 without a gap."""
    ids = labels.present()
    if len(ids) == ids[-1]:
        return ""
    edges = np.concatenate(([0], ids))
    lacking = [i for low, high in zip(edges, ids) for i in range(low + 1, min(high, low + 50))]
    more = ", …" if len(lacking) > _MOST_LISTED else ""
    return f"class ids have gaps: no pixel has {listed(lacking[:_MOST_LISTED])}{more}"


def _translated(ids: NDArray[np.int32], places: Mapping[int, int]) -> NDArray[np.int32]:
    """``ids`` with every key of ``places``, which has them all but 0, replaced by its value."""
    old = np.array([0, *sorted(places)], np.int32)
    new = np.array([0, *(places[number] for number in sorted(places))], np.int32)
    translated: NDArray[np.int32] = new[np.searchsorted(old, ids)]
    return translated


def _check_shape(found: Sequence[int], cube: Sequence[int], path: Path) -> None:
    if tuple(found) == tuple(cube[:2]):
        return
    what = f"labels are {found[0]} x {found[1]} pixels, the cube is {cube[0]} x {cube[1]}"
    what += f" (and has {cube[2]} bands)"
    hint = "give labels and cube of the same image"
    if tuple(found) == tuple(cube[1::-1]):
        what += "; the transposed labels would fit"
        hint = "transpose the labels and save them again"
    elif tuple(found) in (tuple(cube[1:]), tuple(cube[:0:-1])):
        what = f"labels are {found[0]} x {found[1]} pixels, the cube is " + " x ".join(
            map(str, cube)
        )
        what += f"; its axes are swapped: {cube[0]} bands come first"
        hint = "save the cube as (rows, columns, bands): numpy.moveaxis(cube, 0, -1)"
    raise DataError(what, where=str(path), hint=hint)


def _ids(raster: Raster, path: Path) -> tuple[NDArray[np.int32], tuple[str, ...]]:
    """Ids of a map, 0 where its file says that there is no data, and notes on the reading."""
    value, notes = raster.no_data, raster.notes
    if value is None or value == 0:
        return _whole(raster.array, path), notes
    empty = np.isnan(raster.array) if math.isnan(value) else raster.array == value
    if empty.any():
        count = np.count_nonzero(empty)
        notes += (f"{count} pixels of {path.name} hold its no-data value {value:g}: unlabelled",)
    return _whole(np.where(empty, 0, raster.array), path), notes


def _whole(values: NDArray[Any], path: Path) -> NDArray[np.int32]:
    """Ids as int32, or an error that names the first value that is none."""
    ids: NDArray[np.int32]
    with np.errstate(invalid="ignore"):  # NaN and what is out of range is told from the result
        ids = np.asarray(values).astype(np.int32)
    wrong = np.asarray((ids != values) | (ids < 0))
    if wrong.any():
        row, column = np.unravel_index(int(wrong.argmax()), wrong.shape)
        what = (
            f"label {float(values[row, column]):.9g} at row {row}, column {column} is no class id"
        )
        hint = "ids are whole numbers from 1, and 0 for unlabelled pixels"
        raise DataError(what, where=str(path), hint=hint)
    return ids
