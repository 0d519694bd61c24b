"""The page of a run, made from its files alone: whichever application it was, at any time."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from toolkit.core import report
from toolkit.core.plots import caption_of
from toolkit.core.report import Report, Section, Table
from toolkit.core.run import Run

_HEADLINES = 6  # numbers shown large


def write_report(run: Run) -> Path:
    """Write ``report.html`` into ``run`` and return its path."""
    return report.write(make_report(run), run.path / "report.html")


def make_report(run: Run) -> Report:
    """The report of ``run``: result, tables, figures, settings and what it ran on."""
    result = run.result or {}
    title = str(result.get("title") or f"{run.app} {run.verb}")
    sections = [_result(run, result), _figures(run), *_tables(result), _settings(run)]
    return Report(title, subtitle=run.name, sections=[s for s in sections if s is not None])


def _result(run: Run, result: Mapping[str, Any]) -> Section:
    numbers = {k: v for k, v in result.items() if isinstance(v, float) and k != "trained_s"}
    # undefined scores (null) and counts would crowd out what people look for
    headline = dict(list(numbers.items())[:_HEADLINES])
    flat = {k: v for k, v in result.items() if _is_row(v)}
    status = run.status
    state = status["state"]
    if state == "running":  # the trainer writes this page before it calls the run finished
        state = str(result.get("stopped_by", state)).replace("_", " ")
    facts = f"{state} at step {status['step']}, seed {result.get('seed', '–')}"
    table = _rows(flat) if flat else None
    trained = f"Trained for {result['trained_s']:.0f} s." if "trained_s" in result else ""
    return Section(
        "Result",
        text=f"{facts}. {trained}",
        headline=headline,
        table=table,
        warnings=result.get("warnings", ()),
        notes=result.get("notes", ()),
    )


def _tables(result: Mapping[str, Any]) -> list[Section]:
    groups = {key: value for key, value in result.items() if _is_group(value)}
    return [Section(key.replace("_", " "), table=_rows(_named(v))) for key, v in groups.items()]


def _is_row(value: Any) -> bool:
    return isinstance(value, Mapping) and not any(
        isinstance(item, Mapping | list) for item in value.values()
    )


def _is_group(value: Any) -> bool:
    rows = list(value.values()) if isinstance(value, Mapping) else value
    return isinstance(rows, list) and bool(rows) and all(map(_is_row, rows))


def _named(value: Any) -> Mapping[str, Mapping[str, Any]]:
    if isinstance(value, Mapping):
        return value
    first = next(iter(value[0]))  # a list's rows are named by their first column
    return {str(row[first]): {k: v for k, v in row.items() if k != first} for row in value}


def _rows(rows: Mapping[str, Mapping[str, Any]]) -> Table:
    columns = list(dict.fromkeys(key for row in rows.values() for key in row))
    cells = [
        [name, *(_precise(row.get(column), column) for column in columns)]
        for name, row in rows.items()
    ]
    return Table(["", *columns], cells)


def _precise(value: Any, name: str) -> Any:
    """Energies of molecules need nine decimals; the rest is left to the report."""
    return f"{value:.9f}" if name.endswith("energy_ha") and isinstance(value, float) else value


def _figures(run: Run) -> Section | None:
    paths = sorted((run.path / "figures").glob("*.png"))
    pictures = [(path, caption_of(path)) for path in paths]
    return Section("Figures", figures=pictures) if pictures else None


def _settings(run: Run) -> Section:
    packages = run.environment.get("packages", {})
    machine = {k: run.environment.get(k) for k in ("toolkit", "python", "platform", "cores")}
    path = run.path / "command.txt"
    command = path.read_text(errors="replace").strip() if path.is_file() else "unknown"
    everything = {**run.settings, "environment": {**machine, **packages}}
    return Section("Settings", settings=everything, command=command)
