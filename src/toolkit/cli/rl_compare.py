"""``toolkit rl compare``: presets against each other over seeds and environments."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import click

from toolkit.cli.options import emit, json_option, print_table, runs_dir_option

_COLUMNS = {
    "env": "env",
    "preset": "preset",
    "n_seeds": "n",
    "steps": "steps",
    "trained_s": "trained s",
    "mean": "mean",
    "ci95": "95 %",
    "iqm": "IQM",
    "iqm_ci95": "95 %",
    "sd": "sd",
    "final_sigma": "final σ",
    "steps_per_s": "steps/s",
}


@click.command()
@click.argument("run_names", metavar="RUN...", nargs=-1, required=True)
@click.option(
    "--at",
    type=click.IntRange(1),
    metavar="N",
    help="Compare after N steps, or seconds [default: what all runs of an environment reached].",
)
@click.option(
    "--x",
    "axis",
    type=click.Choice(["steps", "time"]),
    default="steps",
    show_default=True,
    help="Equal environment steps, or equal seconds of training.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Folder of figures and report [default: a new one below --runs-dir].",
)
@runs_dir_option
@json_option
def compare(
    run_names: tuple[str, ...],
    at: int | None,
    axis: Literal["steps", "time"],
    out: Path | None,
    runs_dir: Path,
    as_json: bool,
) -> None:
    """Compare runs over seeds: returns with intervals, curves, profiles, improvement.

    RUN is a path, a unique prefix of a run's name, @last:rl, or a folder such as a sweep's, which
    stands for all runs below it. Runs are grouped by environment and preset; where runs of one
    preset differ in a setting other than the seed, its value becomes part of the name.

    \b
    Examples:
      toolkit rl compare @last:rl --json
      toolkit rl compare runs --x time --out COMPARED
    """
    from toolkit.core.files import saving, write_json
    from toolkit.rl.protocol import aggregates, comparison_figures
    from toolkit.rl.protocol import comparison as comparisons

    found = comparisons.compare(run_names, runs_dir, axis=axis, at=at)
    for text in found.warnings:
        click.echo(f"warning: {text}", err=True)
    folder = out or runs_dir / f"compare-rl-{found.digest}"
    result = {"axis": axis, **aggregates.summary(found)}
    with saving(folder):
        folder.mkdir(parents=True, exist_ok=True)
    command = shlex.join(["toolkit", *sys.argv[1:]])
    files = comparison_figures.write(found, folder, result, command)
    result["files"] = [str(path) for path in files]
    write_json(folder / "result.json", {**result, "command": command})
    emit(result, as_json, lambda: _print(result))


def _print(result: Mapping[str, Any]) -> None:
    cells = [[_cell(row[key]) for key in _COLUMNS] for row in result["rows"]]
    print_table("", [*_COLUMNS.values()], cells)
    if result["aggregate"]:
        _print_aggregate(result["aggregate"])
    if result["improvement"]:
        click.echo()
        keys = ("a", "b", "probability", "ci95", "n_runs")
        rows = [[_cell(row[key], 3) for key in keys] for row in result["improvement"]]
        print_table("P(a run of a beats one of b)", ("a", "b", "P", "95 %", "runs"), rows)
    for note in result["notes"]:
        click.echo(f"\n{note}")
    click.echo(f"\n{result['files'][-1]}")


def _print_aggregate(aggregate: Mapping[str, Any]) -> None:
    keys = ("preset", "n_runs", "iqm", "iqm_ci95", "mean", "ci95")
    rows = [[_cell(row[key], 3) for key in keys] for row in aggregate["presets"]]
    environments = ", ".join(row["env"] for row in aggregate["environments"])
    click.echo(f"\n{environments} together; normalised: {aggregate['normalised']}")
    print_table("", ("preset", "runs", "IQM", "95 %", "mean", "95 %"), rows)


def _cell(value: Any, digits: int = 4) -> Any:
    """Intervals as text, returns without an exponent."""
    if isinstance(value, Sequence) and not isinstance(value, str):
        return " … ".join(_cell(end, digits) for end in value)
    if not isinstance(value, float):
        return value
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.{digits}g}"
