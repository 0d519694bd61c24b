"""Options and output that the commands share."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import isfinite
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
data_dir_option = click.option(
    "--data-dir",
    type=click.Path(path_type=Path, resolve_path=True),  # a run outlives the folder it began in
    help="Folder that holds the data sets [default: $TOOLKIT_DATA, then the user's cache].",
)
runs_dir_option = click.option(
    "--runs-dir",
    type=click.Path(path_type=Path),
    default=Path("runs"),
    show_default=True,
    help="Folder of the run directories.",
)


class Duration(click.ParamType[float]):
    """``30s``, ``5m``, ``1.5h`` or plain seconds, as seconds."""

    name = "duration"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Seconds that ``value`` stands for."""
        match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", str(value))
        if match is None or float(match[1]) <= 0:
            self.fail(f"{value!r} is no duration such as 30s, 5m or 1h", param, ctx)
        return float(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[match[2]]


class IntRanges(click.ParamType[list[int]]):
    """``0-4,7`` as the list of whole numbers it names."""

    name = "ranges"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> list[int]:
        """The numbers that ``value`` names, in its order."""
        numbers: list[int] = []
        for part in str(value).split(","):
            match = re.fullmatch(r"(\d+)(?:-(\d+))?", part.strip())
            if match is None or (match[2] and int(match[2]) < int(match[1])):
                self.fail(f"{value!r} is no list such as 0-9 or 0,3,5-7", param, ctx)
            numbers += range(int(match[1]), int(match[2] or match[1]) + 1)
        return numbers


class Spaced(click.ParamType[list[float]]):
    """``1.0:3.6:0.2`` as evenly spaced numbers, both ends among them; or a list ``1.2,2.2``."""

    name = "numbers"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> list[float]:
        """The numbers that ``value`` names, in its order."""
        try:
            parts = [float(part) for part in str(value).replace(":", ",").split(",")]
        except ValueError:
            self.fail(f"{value!r} is no range such as 1.0:3.6:0.2", param, ctx)
        if not all(map(isfinite, parts)):
            self.fail(f"{value!r} has a number that is not finite", param, ctx)
        if ":" not in str(value):
            return parts
        if len(parts) != 3 or parts[2] <= 0 or parts[1] < parts[0]:
            self.fail(f"{value!r} is no range FIRST:LAST:STEP", param, ctx)
        first, last, step = parts
        count = int((last - first) / step + 1e-9) + 1
        return [round(first + i * step, 9) for i in range(count)]


def apply_options(function: F, options: Sequence[Callable[[F], F]]) -> F:
    """``function`` with all ``options``, which its help shows in their order."""
    for option in reversed(options):
        function = option(function)
    return function


def invocation_options(function: F) -> F:
    """The options that bound one call of a run, not the run itself."""
    max_time = click.option(
        "--max-time", type=Duration(), help="Stop, resumable, after 30s, 5m, 1h."
    )
    devices = click.option(
        "--devices", type=click.IntRange(1), default=1, help="Processes that train together."
    )
    return apply_options(function, [max_time, devices])


def run_options(function: F) -> F:
    """The options of every verb that starts a run."""
    path = click.Path(path_type=Path)
    options = [
        click.option("--preset", metavar="NAME", help="A named set of settings."),
        click.option(
            "--config",
            "config_file",
            type=path,
            help="Settings from a TOML file, such as a run's config.toml.",
        ),
        click.option(
            "--set",
            "sets",
            multiple=True,
            metavar="KEY=VALUE",
            help="Change one setting; --print-config names them all.",
        ),
        click.option(
            "--print-config",
            is_flag=True,
            help="Print the settings as they would be, explained, for --config, and leave.",
        ),
        click.option("--seed", type=click.IntRange(0, 2**32 - 1), help="Seed of the whole run."),
        click.option("--device", help="auto, cpu, cuda or cuda:N."),
        click.option(
            "--threads", type=click.IntRange(0), help="Torch threads [default: 1]; 0 = all cores."
        ),
        data_dir_option,
        invocation_options,
        runs_dir_option,
        click.option(
            "--run-dir",
            type=path,
            help="Make exactly this run directory instead of a new one below --runs-dir.",
        ),
        json_option,
    ]
    return apply_options(function, options)


def given_settings(options: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that --config and --set name, merged: others come with some of them."""
    from toolkit.core.config import merged, parse_set, read_toml

    file = options.get("config_file")
    given = read_toml(file) if file else {}
    for text in options.get("sets", ()):
        given = merged(given, parse_set(text))
    return given


def emit(result: Mapping[str, Any], as_json: bool, table: Callable[[], None] | None = None) -> None:
    """Print ``result`` as pure JSON, or call ``table`` (by default a generic one)."""
    if as_json:
        from toolkit.core.files import json_text

        click.echo(json_text(result, indent=2))
    elif table is not None:
        table()
    else:
        print_result(result)


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print a table to stdout; plain and uncut when stdout is no terminal."""
    from rich.console import Console
    from rich.table import Table

    width = None if sys.stdout.isatty() else 200
    table = Table(*columns, title=title or None, title_justify="left", box=None, pad_edge=False)
    for row in rows:
        table.add_row(*map(cell, row))
    Console(width=width, highlight=False, markup=False, emoji=False).print(table)


def cell(value: Any, name: str = "") -> str:
    """``value`` as a table shows it; energies of molecules need nine decimals."""
    if isinstance(value, float):
        return f"{value:.9f}" if name.endswith("energy_ha") else f"{value:.4g}"
    return "" if value is None else str(value)


def print_result(result: Mapping[str, Any]) -> None:
    """Print a result: its numbers and words, a table for each group of rows, then lines of text."""
    plain = {k: v for k, v in result.items() if not isinstance(v, Mapping | list)}
    flat = {k: v for k, v in result.items() if _is_flat(v)}
    rows = [(key, cell(value, key)) for key, value in plain.items()]
    rows += [
        (key, "  ".join(f"{k} {cell(v, k)}" for k, v in value.items()))
        for key, value in flat.items()
    ]
    series = {k: v for k, v in result.items() if _is_list_of(v, int | float)}
    rows += [(key, "  ".join(map(cell, value))) for key, value in series.items()]
    print_table("", ("", ""), rows)
    for key, value in result.items():
        _print_group(key, value)
    for key, value in result.items():
        if _is_list_of(value, str) and key != "headline":  # which picks among the others
            click.echo()
            click.echo("\n  ".join([key, *value]))


def _is_list_of(value: Any, kind: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(v, kind) for v in value)


def _is_flat(value: Any) -> bool:
    return isinstance(value, Mapping) and not any(
        isinstance(item, Mapping | list) for item in value.values()
    )


def _print_group(title: str, value: Any) -> None:
    named = (
        value.items()
        if isinstance(value, Mapping)
        else enumerate(value if isinstance(value, list) else [])
    )
    rows = [(name, row) for name, row in named if _is_flat(row)]
    if not rows:
        return
    columns = list(dict.fromkeys(key for _, row in rows for key in row))
    click.echo()
    cells = [(name, *(cell(row.get(column), column) for column in columns)) for name, row in rows]
    print_table(title, ("", *columns), cells)
