"""A run's report: one HTML file that holds its figures, needs no network and no script.

The same page reads in light and dark, on a telephone and on paper; all text is escaped.
"""

from __future__ import annotations

import base64
import math
import mimetypes
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from numbers import Real
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup, escape

import toolkit
from toolkit.core.errors import DataError
from toolkit.core.files import write_atomic

FIGURE_SCALE = 0.6  # figures are drawn at 160 dots an inch, a page has 96


@dataclass(frozen=True)
class Table:
    """Rows of cells under ``header``; None shows as a dash.

    Numbers are aligned right and given equal decimals within a column, four significant digits in
    the largest; pass text where more digits matter, an energy for example.
    """

    header: Sequence[str]
    rows: Sequence[Sequence[Any]]
    caption: str = ""

    def cells(self) -> list[list[tuple[str, bool]]]:
        """Text of every cell, and whether it is aligned as a number."""
        columns = [[row[i] for row in self.rows] for i in range(len(self.header))]
        decimals = [_decimals(column) for column in columns]
        return [[(_cell(v, d), _like_number(v)) for v, d in zip(r, decimals)] for r in self.rows]


@dataclass(frozen=True)
class Section:
    """One part of a report; every field but the title may stay empty.

    Attributes:
        text: paragraphs separated by blank lines.
        headline: few numbers to show large, by name; an ``Interval`` shows with its bounds.
        warnings: what a reader must know before quoting a number, for example "synthetic data".
        notes: remarks, sources, conditions.
        figures: pairs of image file and caption.
        settings: nested configuration, shown flattened as ``a.b = value``.
        command: the command line that reproduces the section.
    """

    title: str
    text: str = ""
    headline: Mapping[str, Any] = field(default_factory=dict)
    table: Table | None = None
    figures: Sequence[tuple[Path, str]] = ()
    notes: Sequence[str] = ()
    warnings: Sequence[str] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    command: str = ""


@dataclass(frozen=True)
class Report:
    """A page of sections, or of ``chapters`` that are reports themselves."""

    title: str
    subtitle: str = ""
    sections: Sequence[Section] = ()
    chapters: Sequence[Report] = ()


def combine(reports: Sequence[Report], title: str, subtitle: str = "") -> Report:
    """Several reports as the chapters of one page with a table of contents."""
    return Report(title, subtitle, chapters=tuple(reports))


def render(report: Report) -> str:
    """The page as HTML.

    Raises:
        DataError: for a figure that cannot be read.
    """
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "show": show,
        "image": _image,
        "flatten": flatten,
        "breakable": _breakable,
    }
    source = resources.files("toolkit.core").joinpath("report.html.j2").read_text("utf-8")
    return environment.from_string(source).render(report=report, version=toolkit.__version__)


def write(report: Report, path: Path) -> Path:
    """Writes the page in one step; returns ``path``."""
    page = render(report)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, page)
    return path


def show(value: Any) -> str:
    """A value for people: four significant digits, 12,345, yes or no, a dash where missing."""
    if value is None or value != value:  # NaN alone differs from itself
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{k}: {show(v)}" for k, v in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(map(show, value))
    if not _is_number(value):
        return str(value)
    whole = float(value).is_integer() and abs(value) < 1e15
    return f"{int(value):,}" if whole and abs(value) >= 10_000 else _short(value)


def _short(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{float(value):.4g}"


def _decimals(column: Sequence[Any]) -> int | None:
    """Decimals that suit a whole column; None where its range asks for scientific notation."""
    sizes = [abs(float(v)) for v in column if _is_number(v) and math.isfinite(v)]
    if all(size.is_integer() for size in sizes):
        return 0
    largest = max(sizes)
    return max(3 - max(math.floor(math.log10(largest)), 0), 1) if 0.01 <= largest < 1e6 else None


def _cell(value: Any, decimals: int | None) -> str:
    if decimals is None or not _is_number(value) or not math.isfinite(value):
        return show(value)
    return f"{value:,.{decimals}f}"


def _like_number(value: Any) -> bool:
    if not isinstance(value, str):
        return value is None or _is_number(value)
    try:
        float(value.strip(" %").replace(",", "").replace("−", "-"))
    except ValueError:
        return False
    return True


def flatten(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Leaves of a nested mapping with dotted keys."""
    for key, value in settings.items():
        if isinstance(value, Mapping) and value:
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _breakable(name: str) -> Markup:
    """A column's name that may go on in the next line after a dot or an underscore."""
    return Markup(re.sub(r"(?<=[._])(?=.)", "<wbr>", escape(name)))


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _image(path: Path) -> dict[str, Any]:
    """The file as a data address, with the width in CSS pixels where it is a PNG."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"cannot read a figure: {error.strerror}", where=str(path)) from error
    kind = mimetypes.guess_type(path.name)[0] or "image/png"
    address = f"data:{kind};base64,{base64.b64encode(content).decode()}"
    png = kind == "image/png"
    width = round(int.from_bytes(content[16:20], "big") * FIGURE_SCALE) if png else None
    return {"address": address, "width": width}
