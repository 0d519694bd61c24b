"""``toolkit sweep``: run a command over seeds and settings, in processes here or on a cluster."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from toolkit.cli.options import (
    Duration,
    IntRanges,
    emit,
    json_option,
    print_table,
    runs_dir_option,
)

if TYPE_CHECKING:
    from toolkit.core.config import RunConfig
    from toolkit.core.executor import Executor

_OWN = ("seed", "threads", "devices", "run_dir", "print_config")  # the sweep's, of each cell


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("app")
@click.argument("verb")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.option("--seeds", type=IntRanges(), required=True, help="Seeds such as 0-9 or 0,3,5-7.")
@click.option(
    "--grid", multiple=True, metavar="KEY=A,B,…", help="Values of one setting; repeat for more."
)
@click.option(
    "--workers",
    type=click.IntRange(1),
    default=lambda: len(os.sched_getaffinity(0)),
    show_default="one per core",
    help="Cells that run at once, on one thread each.",
)
@click.option(
    "--executor",
    type=click.Choice(["local", "ray"]),
    default="local",
    show_default=True,
    help="Where cells run: processes here, or a Ray cluster that sees the same folders.",
)
@click.option(
    "--address", metavar="HOST:PORT", help="Of the Ray cluster [default: a new one, here]."
)
@click.option("--max-time", type=Duration(), help="Stop each cell, resumable, after 30s, 5m, 1h.")
@runs_dir_option
@json_option
def sweep(
    app: str,
    verb: str,
    arguments: tuple[str, ...],
    seeds: list[int],
    grid: tuple[str, ...],
    workers: int,
    executor: str,
    address: str | None,
    max_time: float | None,
    runs_dir: Path,
    as_json: bool,
) -> None:
    """Run APP VERB once for every seed and grid point; every other option is passed on to it.

    Each cell is a run directory. The same command again leaves finished cells alone and goes on
    with the others; more seeds or values add cells.

    \b
    Examples:
      toolkit sweep ecg train --preset fragments17 --seeds 0-9 --workers 2
      toolkit sweep ecg train --preset ec57 --seeds 0-2 --grid learning_rate=1e-3,3e-3 --json
    """
    options = _parse(app, verb, arguments)

    from toolkit.cli.progress import for_stderr
    from toolkit.core.grid import Cell, digest, expand, parse_grid
    from toolkit.core.sweep import Sweep, refuse_failures

    folder = runs_dir / f"sweep-{app}-{verb}-{digest(app, verb, arguments)}"
    cells = expand(folder, seeds, parse_grid(grid))
    _check(app, verb, options, cells)

    def command(cell: Cell) -> list[str]:
        passed = [sys.executable, "-m", "toolkit", app, verb, *arguments]
        passed += [f"--set={text}" for text in cell.sets]
        own = [f"--seed={cell.seed}", "--threads=1", f"--run-dir={cell.path}"]
        return passed + own + ([f"--max-time={max_time}"] if max_time else [])

    facts = {"app": app, "verb": verb, "arguments": list(arguments), "command": sys.argv[1:]}
    pool = _executor(executor, workers, address)
    report = Sweep(folder, cells, command, facts).run(pool, for_stderr())
    printed = {"sweep": str(folder), **{key: report[key] for key in ("cells", "summary")}}
    emit(printed, as_json, lambda: _print(folder, report["summary"]))
    refuse_failures(report)


def _executor(name: str, workers: int, address: str | None) -> Executor:
    if name == "ray":
        from toolkit.core.ray_pool import RayPool

        return RayPool(workers, address)
    if address is not None:
        raise click.UsageError("--address is of a Ray cluster: add --executor ray")
    from toolkit.core.executor import LocalPool

    return LocalPool(workers)


def _parse(app: str, verb: str, arguments: Iterable[str]) -> Mapping[str, Any]:
    """The options that the verb reads from ``arguments``, exactly as it will in each cell."""
    command = _command(app, verb)
    with command.make_context(f"toolkit {app} {verb}", list(arguments)) as context:
        for name in _OWN:
            if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
                option = "--" + name.replace("_", "-")
                context.fail(f"{option} is set by the sweep for each cell; see toolkit sweep -h")
        return context.params


def _command(app: str, verb: str) -> click.Command:
    from toolkit.cli.execution import applications
    from toolkit.core.errors import ConfigError, closest

    if app not in applications():
        hint = closest(app, applications())
        raise ConfigError(f"unknown application {app!r}", where="APP", hint=hint)
    verbs = importlib.import_module(f"toolkit.{app}.config").CONFIGS
    if verb not in verbs:
        hint = closest(verb, verbs)
        raise ConfigError(f"{app} has no {verb!r} that can be swept", where="VERB", hint=hint)
    group: click.Group = getattr(importlib.import_module(f"toolkit.cli.{app}"), app)
    return group.commands[verb]


def _check(app: str, verb: str, options: Mapping[str, Any], cells: Iterable[Any]) -> None:
    """Refuse, before anything starts, settings that cannot be or that are not a cell's own."""
    from toolkit.cli import execution
    from toolkit.core.cells import check_settings

    fields = importlib.import_module(f"toolkit.{app}.config").CONFIGS[verb].model_fields
    placed = getattr(importlib.import_module(f"toolkit.cli.{app}"), "flags", _as_they_are)
    kept = (*fields, "preset", "config_file", "base")
    for cell in cells:
        sets = (*options["sets"], *cell.sets)
        placing = placed(verb, {**options, "sets": sets})
        given = {k: v for k, v in placing.items() if k in kept}
        own = {"sets": sets, "seed": cell.seed, "threads": 1}
        config = execution.settings(app, verb, **{**given, **own})
        _refuse_overridden(config, cell.sets)
        if cell.result is not None:
            check_settings(cell.path, config)


def _refuse_overridden(config: RunConfig, sets: Iterable[str]) -> None:
    """Flags win over --set, so that a cell might not be of the grid's value that names it."""
    from toolkit.core.config import load
    from toolkit.core.errors import ConfigError

    whole = ("the cell", config.model_dump(mode="json", exclude_none=True))
    for text in sets:
        if load(type(config), base=whole, sets=[text]) != config:
            what = f"{text} has no effect: another option sets {text.partition('=')[0]}"
            raise ConfigError(what, where="--grid", hint="leave that option out, or the grid")


def _as_they_are(_verb: str, options: Mapping[str, Any]) -> Mapping[str, Any]:
    return options


def _print(folder: Path, summary: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> None:
    columns = ("", "n", "mean", "sd", "95 % low", "high")
    for point, metrics in summary.items():
        print_table(point, columns, [(name, *row.values()) for name, row in metrics.items()])
    click.echo(f"{folder / 'sweep.json'}")
