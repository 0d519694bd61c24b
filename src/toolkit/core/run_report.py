"""The page of a run, made from its files alone: whichever application it was, at any time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    flat = [{"": key, **value} for key, value in result.items() if value and _is_row(value)]
    status = run.status
    state = status["state"]
    if state == "running":  # the trainer writes this page before it calls the run finished
        state = str(result.get("stopped_by", state)).replace("_", " ")
    facts = f"{state} at step {status['step']}, seed {result.get('seed', '–')}"
    trained = f"Trained for {result['trained_s']:.0f} s." if "trained_s" in result else ""
    return Section(
        "Result",
        text=f"{facts}. {trained}",
        headline=_headline(result),
        table=_table(flat) if flat else None,
        warnings=result.get("warnings", ()),
        notes=result.get("notes", ()),
    )


def _headline(result: Mapping[str, Any]) -> dict[str, Any]:
    """The numbers that the result names as its ``headline`` (``group.name``), or its first scores.

    Undefined scores (null) and counts would crowd out what people look for.
    """
    leaves = dict(report.flatten(result))
    named = [key for key in result.get("headline", ()) if leaves.get(key) is not None]
    scores = [key for key in result if isinstance(result[key], float) and key != "trained_s"]
    return {key: leaves[key] for key in named or scores[:_HEADLINES]}


def _tables(result: Mapping[str, Any]) -> list[Section]:
    groups = {key: value for key, value in result.items() if _is_group(value)}
    alone = {k: v for k, v in result.items() if _is_wide_row(v) and k not in groups}
    parts = {k.replace("_", " "): v for k, v in alone.items() if not _is_row(v)}
    groups |= {"apart": parts} if parts else {}
    return [Section(key.replace("_", " "), table=_table(_rows(v))) for key, v in groups.items()]


def _is_row(value: Any) -> bool:
    return isinstance(value, Mapping) and not any(
        isinstance(item, Mapping | list) for item in value.values()
    )


def _is_group(value: Any) -> bool:
    """Whether it makes a table: rows, of which some columns may be grouped in turn."""
    rows = list(value.values()) if isinstance(value, Mapping) else value
    return isinstance(rows, list) and bool(rows) and all(map(_is_wide_row, rows))


def _is_wide_row(value: Any) -> bool:
    return isinstance(value, Mapping) and all(
        _is_row(item) if isinstance(item, Mapping) else not isinstance(item, list)
        for item in value.values()
    )


def _rows(group: Any) -> list[Mapping[str, Any]]:
    """The rows of a list, or of a mapping with their names in a column without one."""
    flat = report.flatten
    if isinstance(group, Mapping):
        return [{"": name, **dict(flat(row))} for name, row in group.items()]
    return [dict(flat(row)) for row in group]


def _table(rows: Sequence[Mapping[str, Any]]) -> Table:
    columns = list(dict.fromkeys(key for row in rows for key in row))
    return Table(columns, [[_precise(row.get(key), key) for key in columns] for row in rows])


def _precise(value: Any, name: str) -> Any:
    """Energies of molecules and their errors need nine decimals; the rest is left to the report."""
    if not name.endswith("_ha") or not isinstance(value, float):
        return value
    return f"{round(value, 9) + 0.0:.9f}"  # + 0.0: no minus before zeros


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
