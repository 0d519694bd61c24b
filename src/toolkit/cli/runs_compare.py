"""``toolkit runs compare``: runs of any application side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from toolkit.cli.options import cell, emit, json_option, print_table, runs_dir_option

_LEGEND = 40  # characters beside a figure


@click.command()
@click.argument("run_names", metavar="RUN...", nargs=-1, required=True)
@click.option(
    "--metric",
    "metrics",
    multiple=True,
    metavar="KEY",
    help="Draw this one of metrics.jsonl against steps; repeat for more.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("compared"),
    show_default=True,
    help="Folder of what --metric draws.",
)
@runs_dir_option
@json_option
def compare(
    run_names: tuple[str, ...], metrics: tuple[str, ...], out: Path, runs_dir: Path, as_json: bool
) -> None:
    """Put runs side by side: settings that differ, and what each measured.

    RUN is a path, a unique prefix of a run's name, @last, @last:ecg, or a folder such as a sweep's,
    which stands for all runs below it. Over seeds, with intervals, compare the commands of the
    applications (hsi compare, ecg compare, rl compare) and sweep.

    \b
    Examples:
      toolkit runs compare runs
      toolkit runs compare runs --metric train/loss --out COMPARED
      toolkit runs compare @last:ecg @last:hsi --json
    """
    from toolkit.core import run_comparison
    from toolkit.core.finding import resolve_all

    runs = resolve_all(run_names, runs_dir)
    found = run_comparison.compare(runs)
    names = _labels(found["runs"])
    files = [str(run_comparison.draw(runs, metric, names, out)) for metric in metrics]
    emit({**found, "files": files}, as_json, lambda: _print(found, files))


def _labels(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """What tells runs apart in a legend: the settings if they do so shortly, else their names."""
    told = [", ".join(f"{key} {value}" for key, value in row["settings"].items()) for row in rows]
    if len({*told}) == len(rows) and max(map(len, told)) <= _LEGEND:
        return told
    return [str(row["name"]) for row in rows]


def _print(found: Mapping[str, Any], files: list[str]) -> None:
    columns = ["state", "step", *found["settings"], *found["scores"]]
    runs = [
        {**row, **row["settings"], **{k: v for k, v in row["scores"].items() if k in columns}}
        for row in found["runs"]
    ]
    cells = [[cell(run.get(column), column) for column in columns] for run in runs]
    names = [str(run["name"]) for run in runs]
    if len(runs) < len(columns):  # the longer side runs down the page
        print_table("", ["", *names], [[*row] for row in zip(columns, *cells)])
    else:
        print_table("", ["name", *columns], [[n, *row] for n, row in zip(names, cells)])
    for run in found["runs"]:
        if "error" in run:
            click.echo(f"{run['path']}: {run['error']}", err=True)
    for path in files:
        click.echo(path)
