"""Figures and the page of a comparison of runs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from toolkit.core import plots, report
from toolkit.core.plots import INK, Band
from toolkit.core.report import Report, Section, Table
from toolkit.core.seed_statistics import Curve
from toolkit.core.statistics import Interval
from toolkit.rl.figures import draw_references, sources
from toolkit.rl.protocol import aggregates, curves
from toolkit.rl.protocol.aggregates import NORMALISED
from toolkit.rl.protocol.comparison import Comparison
from toolkit.rl.protocol.curves import GroupCurve
from toolkit.rl.protocol.histories import SIGMA
from toolkit.rl.protocol.reference import Reference, references

Captioned = tuple[Figure, str]
_X = {"steps": "environment steps", "time": "trained seconds"}


def write(
    comparison: Comparison, folder: Path, result: Mapping[str, Any], command: str = ""
) -> list[Path]:
    """Write figures, curves.csv and report.html of ``comparison`` into ``folder``.

    Args:
        result: its rows, aggregate, improvement, notes and warnings, as the command prints them.
        command: the command line that made it.

    Returns:
        The files written.
    """
    drawn = [
        (plots.save(figure, folder / f"{name}.png", caption), caption)
        for name, (figure, caption) in figures(comparison)
    ]
    found = curves.curves(comparison.groups, comparison.axis)
    table = curves.write_csv(found, comparison.axis, folder / "curves.csv")
    page = report.write(_page(result, drawn, command), folder / "report.html")
    return [*(path for path, _ in drawn), table, page]


def figures(comparison: Comparison) -> Iterator[tuple[str, Captioned]]:
    """Every figure with its name and caption; those without data are left out."""
    for env in dict.fromkeys(group.env for group in comparison.groups):
        slug = re.sub(r"[^\w.=+-]+", "_", env)
        groups, axis = comparison.of_env(env), comparison.axis
        if found := curves.curves(groups, axis):
            yield f"returns-{slug}", _returns(comparison, env, found)
        if found := curves.curves(groups, axis, SIGMA):
            yield f"sigma-{slug}", _sigmas(comparison, env, found)
    if aggregates.scales(comparison):
        yield "aggregate", _aggregate(comparison)
        yield "profile", _profile(comparison)
    if aggregates.improvement(comparison):
        yield "improvement", _improvement(comparison)


def _returns(comparison: Comparison, env: str, found: Sequence[GroupCurve]) -> Captioned:
    env_id, last = found[0].group.env_id, max(float(one.grid[-1]) for one in found)
    figure, (ax,) = plots.canvas(height_in=4.0)
    _draw(figure, found, comparison.presets)
    published = references(env_id) if comparison.axis == "steps" else []
    shown = draw_references(ax, published, last)
    budget = comparison.budgets[env]
    if budget < 0.999 * last:
        ax.axvline(budget, color=INK, linewidth=0.8, linestyle="--", label="budget of the table")
    _finish(figure, env, comparison, "return (IQM over seeds)")
    return figure, (
        f"{env}: returns of the mode of the policy, interquartile mean over seeds with pointwise "
        f"95 % bootstrap intervals, against {_X[comparison.axis]}; {_seeds(found)}. Each curve "
        "ends where its first seed ends." + sources(shown) + _elsewhere(published, shown)
    )


def _elsewhere(published: Sequence[Reference], shown: Sequence[Reference]) -> str:
    """What is published at longer budgets, for scale."""
    later = [one for one in published if one not in shown and one.steps == 1_000_000]
    text = ", ".join(f"{one.name} {one.score:g}" for one in later)
    return f" Published after 1M steps: {text}." if later else ""


def _sigmas(comparison: Comparison, env: str, found: Sequence[GroupCurve]) -> Captioned:
    figure, (ax,) = plots.canvas(height_in=3.6)
    _draw(figure, found, comparison.presets)
    ax.set_ylim(bottom=0)
    _finish(figure, env, comparison, "σ (half-range of the box)")
    return figure, (
        f"{env}: standard deviation σ of actions, scaled so that the box is [-1, 1], mean of "
        "dimensions, states and seeds with pointwise 95 % bootstrap intervals, against "
        f"{_X[comparison.axis]}; {_seeds(found)}."
    )


def _draw(figure: Figure, found: Sequence[GroupCurve], order: Sequence[str]) -> None:
    bands = {one.group.preset: _band(one.grid, one.curve) for one in found}
    plots.draw_bands(figure.axes[0], bands, order)


def _band(x: Any, curve: Curve) -> Band:
    one_seed = np.isnan(curve.low).all()
    return Band(x, curve.middle) if one_seed else Band(x, *curve)


def _finish(figure: Figure, title: str, comparison: Comparison, y: str) -> None:
    (ax,) = figure.axes
    ax.set_xlim(left=0)
    plots.thousands(ax)
    plots.titled(ax, title, _X[comparison.axis], y)
    plots.legend_below(figure)


def _seeds(found: Sequence[GroupCurve]) -> str:
    return ", ".join(f"{one.group.preset}: n = {one.n}" for one in found)


def _aggregate(comparison: Comparison) -> Captioned:
    rows = aggregates.aggregate(comparison)["presets"]
    bars = {row["preset"]: _interval(row["iqm"], row["iqm_ci95"], row["n_runs"]) for row in rows}
    figure = plots.bars_with_intervals(
        bars, unit="IQM of normalised returns", title=_budgets(comparison)
    )
    return figure, (
        "Interquartile mean over seeds and environments with stratified-bootstrap 95 % intervals. "
        f"Normalised: {NORMALISED}. Environments: {', '.join(aggregates.scales(comparison))}."
    )


def _profile(comparison: Comparison) -> Captioned:
    thresholds, profiles = aggregates.profile(comparison)
    figure, (ax,) = plots.canvas(height_in=3.6)
    bands = {name: _band(thresholds, curve) for name, curve in profiles.items()}
    plots.draw_bands(ax, bands, comparison.presets)
    ax.set_ylim(-0.02, 1.02)
    x = "normalised return τ"
    plots.titled(ax, _budgets(comparison), x, "share of runs above τ")
    plots.legend_below(figure)
    return figure, (
        "Performance profile: the share of runs whose normalised return is above a threshold, "
        f"with pointwise 95 % bootstrap intervals. Normalised: {NORMALISED}."
    )


def _improvement(comparison: Comparison) -> Captioned:
    bars = {
        f"{row['a']} > {row['b']}": _interval(row["probability"], row["ci95"], row["n_runs"])
        for row in aggregates.improvement(comparison)
    }
    title = _budgets(comparison)
    figure = plots.bars_with_intervals(bars, title=title, references={"equal": 0.5})
    figure.axes[0].set_xlim(0, 1)
    return figure, (
        "Probability that a run of the first preset returns more than one of the second, averaged "
        "over the environments that both have, with stratified-bootstrap 95 % intervals."
    )


def _interval(estimate: float, ends: Sequence[float] | None, n: int) -> Interval:
    low, high = ends or (float("nan"), float("nan"))
    return Interval(estimate, low, high, 0.95, n)


def _budgets(comparison: Comparison) -> str:
    unit = "steps" if comparison.axis == "steps" else "s"
    amounts = {f"{budget:,.0f} {unit}" for budget in comparison.budgets.values()}
    return f"at {amounts.pop()}" if len(amounts) == 1 else "each environment at its budget"


def _page(result: Mapping[str, Any], drawn: Sequence[tuple[Path, str]], command: str) -> Report:
    aggregate = result["aggregate"]
    sections = [
        Section(
            "Returns by environment and preset",
            table=_table(result["rows"]),
            notes=result["notes"],
            warnings=result["warnings"],
            command=command,
        )
    ]
    if aggregate:
        text = f"Normalised: {aggregate['normalised']}."
        sections.append(Section("All environments", text, table=_table(aggregate["presets"])))
    if result["improvement"]:
        title = "Probability that a run of a beats one of b"
        sections.append(Section(title, table=_table(result["improvement"])))
    sections.append(Section("Figures", figures=drawn))
    return Report("Comparison of runs", "toolkit rl compare", sections)


def _table(rows: Sequence[Mapping[str, Any]]) -> Table:
    return Table([*rows[0]], [[*row.values()] for row in rows])
