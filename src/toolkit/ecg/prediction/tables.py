"""Signals in text tables: CSV and the like, with or without a header and a column of times."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

from toolkit.core.errors import DataError

_ROWS = 1 << 18  # read at once
_TIME = re.compile(
    r"(elapsed[ _]?)?(time|t|seconds?|secs?|milliseconds?)(?![a-z0-9]).*", re.IGNORECASE
)
_NUMBER_OF_SAMPLE = re.compile(r"(sample|index|row|n|#|)(s|[ _#]?(number|no\.?))?", re.IGNORECASE)
_MILLISECONDS = re.compile(r"\b(ms|msecs?|milliseconds?)\b|_ms$", re.IGNORECASE)
_LEAST_HZ = 20  # slower "seconds" are taken for milliseconds


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
    numbering = [i for i, name in enumerate(names) if name and _NUMBER_OF_SAMPLE.fullmatch(name)]
    timing = [i for i, name in enumerate(names) if _TIME.fullmatch(name)][:1]
    parts: list[NDArray[np.float32]] = []
    clock, guessed = _Clock(path), False
    for block in _blocks(path, delimiter, skipped, len(names), converter):
        if not parts and not any(names) and not timing:
            timing = [0] if len(names) > 1 and _is_even(block[:, 0]) else []
            guessed = bool(timing)
        leads = [i for i in range(len(names)) if i not in {*numbering, *timing}]
        if not leads:
            raise _unreadable(path, "has a column of times and no lead")
        parts.append(block[:, leads].astype(np.float32))
        if timing:
            clock.take(block[:, timing[0]])
    if not parts:
        raise _unreadable(path, "has no row of numbers")
    fs_hz: float | None = None
    notes: list[str] = []
    if timing:
        column = timing[0]
        fs_hz, note = clock.rate(f"{names[column]} {units[column]}", guessed)
        notes = [note] if note else []
    return Table(tuple(names[i] for i in leads), np.concatenate(parts), fs_hz, tuple(notes))


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
        while True:
            try:
                with warnings.catch_warnings():  # that there is no more to read
                    warnings.simplefilter("ignore", UserWarning)
                    block = np.loadtxt(
                        file,
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


def _skip(file: TextIO, titles: int) -> None:
    while titles and (line := file.readline()):
        titles -= bool(line.strip()) and not line.startswith("#")


def _is_even(values: NDArray[np.float64]) -> bool:
    """Whether a column without a name can be times or sample numbers: evenly rising."""
    steps = np.diff(values)
    return len(steps) > 10 and bool(steps.min() > 0 and np.ptp(steps) < 0.5 * np.median(steps))


class _Clock:
    """Follows a column of times and finds its rate."""

    def __init__(self, path: Path) -> None:
        self._path, self._n, self._first, self._last = path, 0, 0.0, 0.0
        self._shortest, self._longest = np.inf, -np.inf

    def take(self, times: NDArray[np.float64]) -> None:
        """The next times of the column."""
        steps = np.diff(times, prepend=self._last) if self._n else np.diff(times)
        self._first = self._first if self._n else float(times[0])
        self._last, self._n = float(times[-1]), self._n + len(times)
        if len(steps):
            self._shortest = min(self._shortest, float(np.nan_to_num(steps, nan=-1).min()))
            self._longest = max(self._longest, float(steps.max()))

    def rate(self, title: str, guessed: bool) -> tuple[float | None, str]:
        """Samples a second, None where the column only numbers the samples; and a remark."""
        if self._n < 2 or self._shortest <= 0:
            raise _unreadable(self._path, "has times that do not rise")
        step = (self._last - self._first) / (self._n - 1)
        if self._longest > 2.5 * step:
            gap = f"has a step of {self._longest:g} in its times, usually {step:g}"
            raise _unreadable(self._path, gap, "fill the gap with empty cells")
        if guessed and step == 1:
            return None, "the first column numbers the samples"
        is_ms = bool(_MILLISECONDS.search(title)) or step > 1 / _LEAST_HZ
        fs_hz = (1000 if is_ms else 1) / step
        whole = round(fs_hz)
        fs_hz = float(whole) if whole and abs(fs_hz / whole - 1) < 1e-3 else fs_hz
        unit = "milliseconds" if is_ms else "seconds"
        return fs_hz, f"times in {unit} give {fs_hz:g} Hz"


def _unreadable(path: Path, why: str, hint: str = "") -> DataError:
    hint = hint or "give rows of numbers, one column a lead"
    return DataError(f"{path.name} {why}", where=str(path), hint=hint)
