"""``toolkit runs``: list, show, compare, resume, report on, verify and prune run directories."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from click.exceptions import Exit

from toolkit.cli.groups import Group
from toolkit.cli.options import emit, invocation_options, json_option, print_table, runs_dir_option
from toolkit.cli.runs_compare import compare


@click.group(cls=Group)
def runs() -> None:
    """List, show, compare, resume, report on, verify and prune runs.

    RUN is a path, a unique prefix of a run's name, @last, or @last:ecg.
    """


runs.add_command(compare)


@runs.command("list")
@runs_dir_option
@json_option
def list_runs(runs_dir: Path, as_json: bool) -> None:
    """List the runs, oldest first.

    \b
    Examples:
      toolkit runs list
      toolkit runs list --json
    """
    from toolkit.core.errors import ToolkitError
    from toolkit.core.finding import find_all

    rows = []
    for run in find_all(runs_dir):
        try:
            rows.append(_row(run))
        except ToolkitError as error:
            rows.append({"name": run.name, "state": "damaged", "error": error.what})
    columns = ("name", "app", "verb", "state", "step", "seed")
    cells = [[row.get(column) for column in columns] for row in rows]
    emit({"runs": rows}, as_json, lambda: print_table("", columns, cells))


def _row(run: Any) -> dict[str, Any]:
    status = run.status
    config = run.settings
    return {
        "name": run.name,
        "path": str(run.path),
        "app": run.app,
        "verb": run.verb,
        "state": status["state"],
        "step": status["step"],
        "steps": config.get("steps"),
        "seed": config.get("seed"),
        "created": run.environment["created"],
        "heartbeat_age_s": round(time.time() - status["heartbeat_s"], 1),
    }


@runs.command()
@click.argument("run_name", metavar="RUN")
@runs_dir_option
@json_option
def show(run_name: str, runs_dir: Path, as_json: bool) -> None:
    """Show a run's state, settings and result.

    \b
    Examples:
      toolkit runs show @last
      toolkit runs show @last:ecg --json
    """
    from toolkit.core.finding import resolve

    run = resolve(run_name, runs_dir)
    facts = {"run": str(run.path), **_row(run), "config": run.settings}
    emit({**facts, "metrics": run.metrics[-1:], "result": run.result or {}}, as_json)


@runs.command()
@click.argument("run_names", metavar="RUN...", nargs=-1, required=True)
@click.option("--steps", type=click.IntRange(1), help="Move the run's end to this step.")
@invocation_options
@runs_dir_option
@json_option
def resume(
    run_names: tuple[str, ...], steps: int | None, runs_dir: Path, as_json: bool, **how: Any
) -> None:
    """Go on with unfinished runs, one after another; a finished one is printed again.

    One that fails does not keep the others from running; its exit code is that of the command.
    Of several runs --json prints one object, {"runs": [...]}.
    Settings, seed and data stay what they were: only its end can be moved.

    \b
    Examples:
      toolkit runs resume @last
      toolkit runs resume @last:ecg --steps 3000
    """
    from toolkit.cli import execution
    from toolkit.core.finding import resolve

    results: list[Mapping[str, Any]] = []
    failed: list[Exception] = []
    several = len(run_names) > 1
    for run in [resolve(name, runs_dir) for name in run_names]:
        try:
            result = execution.resume(run, steps=steps, **how)
        except Exception as error:
            if _is_stop(error):
                raise
            if several:
                click.echo(f"{run.path} failed: {_reason(error)}", err=True)
            failed.append(error)
            continue
        if result is not None:
            results.append(result)
            if not (several and as_json):
                emit(result, as_json)
    if several and as_json:
        emit({"runs": results}, as_json)
    if failed:
        raise failed[0]


def _is_stop(error: Exception) -> bool:
    """Whether a signal came, to this process or to those that it started."""
    from toolkit.core.errors import CancelledRunError, InterruptedRunError

    stops = (InterruptedRunError.exit_code, CancelledRunError.exit_code)
    return getattr(error, "exit_code", None) in stops


def _reason(error: Exception) -> str:
    # other processes have said it themselves
    return f"exit code {error.exit_code}" if isinstance(error, Exit) else str(error)


@runs.command()
@click.argument("run_name", metavar="RUN")
@runs_dir_option
@json_option
def report(run_name: str, runs_dir: Path, as_json: bool) -> None:
    """Write the run's page, report.html, anew.

    \b
    Examples:
      toolkit runs report @last
    """
    from toolkit.core.finding import resolve
    from toolkit.core.run_report import write_report

    run = resolve(run_name, runs_dir)
    path = write_report(run)
    emit({"run": str(run.path), "report": str(path)}, as_json, lambda: click.echo(path))


@runs.command()
@click.argument("run_name", metavar="RUN")
@runs_dir_option
@json_option
def verify(run_name: str, runs_dir: Path, as_json: bool) -> None:
    """Check every checkpoint of a run against its SHA-256.

    \b
    Examples:
      toolkit runs verify @last
    """
    from toolkit.core import checkpoint
    from toolkit.core.errors import CheckFailedError, RunError
    from toolkit.core.finding import resolve

    run = resolve(run_name, runs_dir)
    damaged = {}
    found = checkpoint.steps(run.checkpoints)
    for step in found:
        try:
            checkpoint.load(run.checkpoints / checkpoint.name_of(step))
        except RunError as error:
            damaged[str(step)] = error.what
    whole = [step for step in found if str(step) not in damaged]
    facts = {"run": str(run.path), "ok": not damaged, "whole": whole, "damaged": damaged}
    emit(facts, as_json)
    if damaged:
        raise CheckFailedError(
            f"{len(damaged)} of {len(found)} checkpoints are damaged",
            where=", ".join(damaged.values()),
            hint=f"toolkit runs resume {run.name} goes on from the newest whole one",
        )


@runs.command()
@click.argument("run_names", metavar="RUN...", nargs=-1, required=True)
@click.option(
    "--keep",
    type=click.IntRange(0),
    default=1,
    show_default=True,
    help="Newest checkpoints that stay; 0: none, of finished runs.",
)
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@runs_dir_option
@json_option
def prune(
    run_names: tuple[str, ...], keep: int, dry_run: bool, runs_dir: Path, as_json: bool
) -> None:
    """Remove checkpoints that are no longer needed; results, models and figures stay.

    The best checkpoint stays beside the newest, and runs in training are left alone. RUN may be a
    folder such as a sweep's, which stands for all runs below it.

    \b
    Examples:
      toolkit runs prune @last --dry-run
      toolkit runs prune runs --keep 1
    """
    from toolkit.core.errors import ToolkitError
    from toolkit.core.finding import resolve_all
    from toolkit.core.pruning import prune as pruned

    rows: list[Mapping[str, Any]] = []
    failed: list[ToolkitError] = []
    for run in resolve_all(run_names, runs_dir):
        try:
            rows.append(pruned(run, keep, only_say=dry_run))
        except ToolkitError as error:  # one that is in training does not keep the others
            failed.append(error)
    for other in failed[1:]:
        click.echo(f"Error: {other}", err=True)
    if rows or not failed:
        _say_pruned(rows, dry_run, as_json)
    if failed:
        raise failed[0]


def _say_pruned(rows: Sequence[Mapping[str, Any]], dry_run: bool, as_json: bool) -> None:
    freed = sum(row["freed_bytes"] for row in rows)
    cells = [
        [row["run"], len(row["kept"]), len(row["removed"]), f"{row['freed_bytes'] / 1e6:.1f}"]
        for row in rows
    ]

    def table() -> None:
        print_table("", ("run", "kept", "removed", "MB"), cells)
        click.echo(f"{freed / 1e6:.1f} MB {'would be ' if dry_run else ''}freed")

    emit({"runs": rows, "freed_bytes": freed, "removed": not dry_run}, as_json, table)
