"""Lists of labelled pixels: CSV with the header ``row,column,class``, counted from 0."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from toolkit.core.errors import DataError

_COLUMNS = ({"row"}, {"column", "col"}, {"class"})


def read(
    path: Path, shape: tuple[int, int]
) -> tuple[NDArray[np.int32], dict[int, str], tuple[str, ...]]:
    """Labels (rows, columns) with the ids of the file, names by id if it has names, and notes.

    Names get ids from 1 in alphabetical order. Other columns are passed over.

    Raises:
        DataError: unreadable; another header; a cell that is no place in a scene of ``shape`` or no
            class; ids and names mixed; two classes at one place. Each names the line.
    """
    entries = list(_entries(path, shape))
    classes = list(dict.fromkeys(name for _, _, _, name in entries))
    numbers = {name: int(name) for name in classes if name.isdecimal()}
    if numbers and len(numbers) < len(classes):
        word = next(name for name in classes if name not in numbers)
        line = next(line for line, _, _, name in entries if name == word)
        raise _malformed(path, line, f"class {word!r} is a name where others are ids")
    id_of = numbers or {name: number for number, name in enumerate(sorted(classes), start=1)}
    ids = np.zeros(shape, np.int32)
    for line, row, column, name in entries:
        if id_of[name] > np.iinfo(np.int32).max:
            raise _malformed(path, line, f"class id {name} is too large")
        if ids[row, column] not in (0, id_of[name]):
            raise _malformed(path, line, f"row {row}, column {column} has two classes")
        ids[row, column] = id_of[name]
    zeros = sum(id_of[name] == 0 for _, _, _, name in entries)
    notes = (f"{zeros} pixels of {path.name} have class 0: unlabelled",) if zeros else ()
    return ids, {} if numbers else {number: name for name, number in id_of.items()}, notes


def _entries(path: Path, shape: tuple[int, int]) -> Iterator[tuple[int, int, int, str]]:
    """Line, row, column and class of every entry."""
    line = 1
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            places = _places(next(reader, []), path)
            for cells in reader:
                line = reader.line_num
                if any(cell.strip() for cell in cells):
                    yield (line, *_entry(cells, places, shape, path, line))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise _malformed(path, line, f"cannot be read: {error}") from error


def _places(header: list[str], path: Path) -> list[int]:
    words = [word.strip().lower() for word in header]
    places = [[i for i, word in enumerate(words) if word in names] for names in _COLUMNS]
    if any(len(found) != 1 for found in places):
        raise _malformed(path, 1, f"the header is {','.join(header)!r}, not 'row,column,class'")
    return [found[0] for found in places]


def _entry(
    cells: list[str], places: list[int], shape: tuple[int, int], path: Path, line: int
) -> tuple[int, int, str]:
    if len(cells) <= max(places):
        raise _malformed(path, line, f"has {len(cells)} of {max(places) + 1} columns")
    row, column, name = (cells[place].strip() for place in places)
    for axis, text, size in (("row", row, shape[0]), ("column", column, shape[1])):
        if not text.isdecimal() or int(text) >= size:
            raise _malformed(path, line, f"{axis} {text!r} is not one of 0 to {size - 1}")
    if not name or name.startswith("-"):
        raise _malformed(path, line, f"class {name!r} is neither a name nor an id from 1")
    return int(row), int(column), name


def _malformed(path: Path, line: int, what: str) -> DataError:
    return DataError(
        f"line {line} of {path.name}: {what}",
        where=f"{path}, line {line}",
        hint="the header is row,column,class; rows and columns count from 0, ids from 1",
    )
