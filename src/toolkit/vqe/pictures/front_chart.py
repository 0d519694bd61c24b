"""The chart of a search's Pareto front beside baselines and published results."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullLocator

from toolkit.core import plots
from toolkit.core.plots import INK, PALETTE
from toolkit.vqe.pictures.chart_style import (
    COLOURS,
    MARKERS,
    PALE,
    PLAIN,
    Floats,
    Row,
    accuracy_band,
    clipped,
    legend,
    logarithmic,
    named,
)

_LINEAR = 20  # costs up to here have a linear axis, higher ones a logarithmic one
_TICKS = (0, 5, 10, 15, 20, 40, 80, 160, 320, 640, 1280)


def front(
    pareto: Sequence[Row],
    baselines: Sequence[Row] = (),
    published: Sequence[Row] = (),
    title: str = "",
) -> Figure:
    """Error against depth and against CNOTs: the search's front, baselines, published results.

    Args:
        pareto: rows of the search's front with ``error_ha``, ``depth``, ``cnot``.
        baselines: the same with ``method``; several rows of a method are its front.
        published: the same with ``method``; without ``error_ha`` a row is a vertical line, and two
            of them where its cost is a range.
        title: of the figure.
    """
    figure, axes = plots.canvas(height_in=4.2, columns=2)
    axes[1].sharey(axes[0])
    logarithmic(*axes)
    for ax, key, name in zip(axes, ("depth", "cnot"), ("depth", "CNOTs")):
        _search(ax, _points(pareto, key))
        _baselines(ax, key, baselines)
        _published(ax, key, published)
        beyond = _cost_axis(ax)
        x = f"{name} (logarithmic beyond {_LINEAR})" if beyond else name
        named(ax, title if ax is axes[0] else "", x, "error (mHa)" if ax is axes[0] else "")
    axes[1].tick_params(labelleft=False)
    axes[0].yaxis.set_major_formatter(PLAIN)
    accuracy_band(axes)
    legend(figure)
    return figure


def _points(rows: Sequence[Row], key: str) -> Floats:
    """(n, 2): cost ``key`` and error (mHa) of the rows that have both, by cost, then error."""
    pairs = [(row.get(key), row.get("error_ha")) for row in rows]  # None becomes NaN
    points = np.array(pairs, np.float64).reshape(-1, 2)
    points = points[np.isfinite(points).all(axis=1)]
    points[:, 1] = 1e3 * clipped(points[:, 1])
    return points[np.lexsort((points[:, 1], points[:, 0]))]


def _lower_left(points: Floats) -> Floats:
    """Those of ``points`` (sorted) with a lower error than every one before."""
    before = np.minimum.accumulate(np.r_[np.inf, points[:, 1]])[:-1]
    return points[points[:, 1] < before]


def _search(ax: Axes, points: Floats) -> None:
    style: dict[str, Any] = {"color": PALETTE[0], "linewidth": 1.5, "markersize": 3.5}
    label = "this search" if len(points) else ""
    ax.plot(*points.T, **PALE, color=PALETTE[5], markersize=3)
    # on top, so that its points show inside the marks that they meet
    ax.plot(*_lower_left(points).T, "o-", drawstyle="steps-post", **style, label=label, zorder=5)


def _baselines(ax: Axes, key: str, rows: Sequence[Row]) -> None:
    methods = dict.fromkeys(row["method"] for row in rows if row["error_ha"] is not None)
    for method, marker, colour in zip(methods, cycle(MARKERS), cycle(COLOURS)):
        own = [row for row in rows if row["method"] == method]
        style: dict[str, Any] = {"color": colour, "marker": marker, "linewidth": 0.9, "zorder": 4}
        style |= {"markersize": 6.5, "markeredgecolor": "white", "markeredgewidth": 0.5}
        style |= {"linestyle": "-" if len(own) > 1 else "", "drawstyle": "steps-post"}
        ax.plot(*_lower_left(_points(own, key)).T, **style, label=method)


def _published(ax: Axes, key: str, rows: Sequence[Row]) -> None:
    lines = (":", "-.", (0, (6, 1.5)))
    for row, marker, line in zip(rows, cycle("osD^v"), cycle(lines)):
        style: dict[str, Any] = {"color": INK, "label": f"published: {row['method']}"}
        if row.get(key) is None:
            continue
        if row.get("error_ha") is not None:
            points = _points([row], key)
            ax.plot(*points.T, marker, markerfacecolor="none", markersize=7, zorder=4, **style)
            continue
        ends = np.ravel(row[key])
        for end in ends:
            ax.axvline(end, linestyle=line, linewidth=1.2, **style)
        ax.axvspan(ends[0], ends[-1], color=INK, alpha=0.06, linewidth=0)


def _cost_axis(ax: Axes) -> bool:
    """Whole numbers from 0; returns whether they reach so far that the axis turns logarithmic."""
    costs = np.concatenate([np.ravel(line.get_xdata()) for line in ax.lines])
    highest = float(costs.max(initial=1))
    if highest <= _LINEAR:
        ax.set_xlim(-0.04 * highest, 1.06 * highest)
        ax.xaxis.set_major_locator(MaxNLocator(8, integer=True))
        return False
    ax.set_xscale("symlog", linthresh=_LINEAR, linscale=1)
    ax.set_xlim(-0.06 * _LINEAR, 1.3 * highest)
    ax.set_xticks([tick for tick in _TICKS if tick <= 1.3 * highest])
    ax.xaxis.set_major_formatter(PLAIN)
    ax.xaxis.set_minor_locator(NullLocator())
    return True
