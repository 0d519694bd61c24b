"""Runs side by side: the settings in which they differ, and what each of them measured."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from toolkit.core import plots
from toolkit.core.errors import ConfigError, ToolkitError, closest
from toolkit.core.plots import Band
from toolkit.core.report import flatten
from toolkit.core.run import Run
from toolkit.core.sweep import scalars

_UNTOLD = {"data_dir", "device", "threads"}  # where a run ran, not what it is
_SHOWN = 6  # scores of a result that names none as its headline


def compare(runs: Sequence[Run]) -> dict[str, Any]:
    """A row for each of ``runs``; names of the settings that differ, and of the scores to show.

    A damaged run has a row that says so.
    """
    rows = [_row(run) for run in runs]
    differing = _differing([row["settings"] for row in rows if row["state"] != "damaged"])
    shown = {name: None for row in rows for name in row.pop("shown", ())}
    for row in rows:
        row["settings"] = {key: row["settings"].get(key) for key in differing}
    often = Counter(row["name"] for row in rows)
    for row, run in zip(rows, runs):  # cells of two sweeps have one name
        row["name"] = f"{run.path.parent.name}/{run.name}" if often[run.name] > 1 else run.name
    return {"settings": differing, "scores": list(shown), "runs": rows}


def _row(run: Run) -> dict[str, Any]:
    row = {"name": run.name, "path": str(run.path), "settings": {}, "scores": {}}
    try:
        status, result = run.status, run.measured or {}
        scores = scalars(result)
        named = result.get("headline") or [*scores][:_SHOWN]
        own = {"state": status["state"], "step": status["step"], "app": run.app, "verb": run.verb}
        return {
            **row,
            **own,
            "settings": {k: v for k, v in flatten(run.settings) if k not in _UNTOLD and v != {}},
            "scores": scores,
            "shown": [name for name in named if name in scores],
        }
    except ToolkitError as error:
        return {**row, "state": "damaged", "error": error.what}


def _differing(settings: Sequence[Mapping[str, Any]]) -> list[str]:
    keys = {key: None for one in settings for key in one}
    return [key for key in keys if any(one.get(key) != settings[0].get(key) for one in settings)]


def draw(runs: Sequence[Run], metric: str, names: Sequence[str], folder: Path) -> Path:
    """Curves of ``metric`` against steps, one for each run that has it, as PNG in ``folder``.

    ``names`` are those of the runs.

    Raises:
        ConfigError: none of them has it.
    """
    lines = {name: run.metrics for name, run in zip(names, runs)}
    points = {
        name: [(row["step"], row[metric]) for row in rows if row.get(metric) is not None]
        for name, rows in lines.items()
    }
    curves = {name: Band(*zip(*found)) for name, found in points.items() if found}
    if not curves:
        known = sorted({key for rows in lines.values() for row in rows for key in row} - {"step"})
        what = f"no metric {metric!r} in these runs"
        raise ConfigError(what, where="--metric", hint=closest(metric, known))
    figure = plots.lines_with_bands(curves, x="step", title=metric)
    caption = f"{metric} of {len(curves)} runs."
    return plots.save(figure, folder / f"{metric.replace('/', '-')}.png", caption)
