"""Signals in text tables: CSV and the like, with or without a header and a column of times."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, dropwhile, islice, repeat
from pathlib import Path
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

from toolkit.core.errors import DataError
from toolkit.ecg.prediction.clock import Clock

_ROWS = 1 << 18  # read at once
_TIME = re.compile(
    r"(elapsed[ _]?)?(time([ _]?stamps?)?|ts?|(milli|micro|nano)?seconds?|[mun]?secs?|[mun]s)"
    r"(?![a-z0-9]).*",
    re.IGNORECASE,
)
_NUMBER_OF_SAMPLE = re.compile(
    r"(samples?|index|rows?|n)([ _]?(#|number|no\.?))?|#|number|no\.?|unnamed: 0",
    re.IGNORECASE,
)


@dataclass(frozen=True, eq=False)
class Table:
    """The leads of a table.

    Attributes:
        names: of the leads; ``""`` where the file names none.
        values: (n, leads) float32 in the file's own unit, NaN where a cell is empty.
        fs_hz: from the column of times, None without one.
        notes: how the columns were read.
    """

    names: tuple[str, ...]
    values: NDArray[np.float32]
    fs_hz: float | None
    notes: tuple[str, ...] = ()


def read_table(path: Path) -> Table:
    """Read a table of samples; cells are separated by a comma, semicolon, tab or blanks.

    Raises:
        DataError: the file is missing, empty, ragged, holds words, or its times are uneven.
    """
    try:
        with path.open(encoding="utf-8-sig") as file:
            head = [line.strip() for line in islice(file, 20)]
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(path, f"cannot be read: {error}") from error
    lines = [line for line in head if line and not line.startswith("#")]
    if not lines:
        raise _unreadable(path, "is empty")
    delimiter = next((mark for mark in ",;\t" if mark in lines[-1]), None)
    titles = [_cells(line, delimiter) for line in lines if not _is_numeric(line, delimiter)][:2]
    first = next((_cells(line, delimiter) for line in lines if _is_numeric(line, delimiter)), None)
    if first is None:
        raise _unreadable(path, "has no row of numbers")
    names = titles[0] if titles and len(titles[0]) == len(first) else [""] * len(first)
    units = titles[1] if len(titles) > 1 and len(titles[1]) == len(first) else [""] * len(first)
    try:
        return _read(path, delimiter, len(titles), names, units, None)
    except ValueError:  # cells that are empty or quoted; several times slower to read
        return _read(path, delimiter, len(titles), names, units, _number)


def _cells(line: str, delimiter: str | None) -> list[str]:
    return [cell.strip(" \"'") for cell in line.split(delimiter)]


def _is_numeric(line: str, delimiter: str | None) -> bool:
    return any(map(_is_number, _cells(line, delimiter))) and all(
        _is_number(cell) or not cell for cell in _cells(line, delimiter)
    )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _number(cell: str) -> float:
    return float(cell.strip(" \"'") or "nan")


def _read(
    path: Path,
    delimiter: str | None,
    skipped: int,
    names: Sequence[str],
    units: Sequence[str],
    converter: Callable[[str], float] | None,
) -> Table:
    parts: list[NDArray[np.float32]] = []
    leads: list[int] = []
    timing, clock = None, Clock(path)
    for block in _blocks(path, delimiter, skipped, len(names), converter):
        if not parts:
            leads, timing = _columns(names, block)
        if not leads:
            raise _unreadable(path, "has a column of times and no lead")
        parts.append(block[:, leads].astype(np.float32))
        if timing is not None:
            clock.take(block[:, timing])
    if not parts:
        raise _unreadable(path, "has no row of numbers")
    fs_hz: float | None = None
    notes: tuple[str, ...] = ()
    if timing is not None:
        fs_hz, note = clock.rate(f"{names[timing]} {units[timing]}")
        notes = (note,)
    return Table(tuple(names[i] for i in leads), np.concatenate(parts), fs_hz, notes)


def _columns(names: Sequence[str], rows: NDArray[np.float64]) -> tuple[list[int], int | None]:
    """Columns that are leads, and that of times.

    A first column that rises evenly is no lead, whatever it is called; nor is one without a name
    where others have one: the index that pandas writes.
    """
    times = [i for i, name in enumerate(names) if _TIME.fullmatch(name)]
    others = {i for i, name in enumerate(names) if _NUMBER_OF_SAMPLE.fullmatch(name)} | {*times}
    if len(names) > 1 and 0 not in others:
        if _is_even(rows[:, 0]):
            times = times or [0]
            others.add(0)
        elif any(names) and not names[0]:
            others.add(0)
    leads = [i for i in range(len(names)) if i not in others]
    return leads, times[0] if times else None


def _blocks(
    path: Path,
    delimiter: str | None,
    skipped: int,
    width: int,
    converter: Callable[[str], float] | None,
) -> Iterator[NDArray[np.float64]]:
    """Rows of the table, some at a time.

    Raises:
        ValueError: a cell is no number to NumPy; without a converter, so are empty cells.
        DataError: the same with the converter, or rows differ in length.
    """
    with path.open(encoding="utf-8-sig") as file:
        _skip(file, skipped)
        lines = _kept(file) if width == 1 else file
        while True:
            try:
                with warnings.catch_warnings():  # that there is no more to read
                    warnings.simplefilter("ignore", UserWarning)
                    block = np.loadtxt(
                        lines,
                        delimiter=delimiter,
                        converters=converter,
                        max_rows=_ROWS,
                        ndmin=2,
                    )
            except ValueError as error:
                if converter is None:
                    raise
                raise _unreadable(path, f"has a row that is not numbers: {error}") from error
            if not block.size:
                return
            if block.shape[1] != width:
                raise _unreadable(path, f"has rows of {block.shape[1]} and of {width} cells")
            yield block


def _kept(file: TextIO) -> Iterator[str]:
    """Lines of a table of one column, in which an empty one between others is a missing sample.

    Unless every second one is empty, as line ends that were written twice look.
    """
    lines = dropwhile(lambda line: not line.strip(), file)
    head = list(islice(lines, 20))
    is_twice = len(head) > 2 and not any(line.strip() for line in head[1::2])
    empty = 0
    for line in chain(head, lines):
        if line.strip():
            yield from repeat("nan\n", empty)
            yield line
            empty = 0
        else:
            empty += not is_twice


def _skip(file: TextIO, titles: int) -> None:
    while titles and (line := file.readline()):
        titles -= bool(line.strip()) and not line.startswith("#")


def _is_even(values: NDArray[np.float64]) -> bool:
    """Whether a column can be times or sample numbers: evenly rising."""
    steps = np.diff(values)
    return len(steps) > 10 and bool(steps.min() > 0 and np.ptp(steps) < 0.5 * np.median(steps))


def _unreadable(path: Path, why: str, hint: str = "") -> DataError:
    hint = hint or "give rows of numbers, one column a lead"
    return DataError(f"{path.name} {why}", where=str(path), hint=hint)
