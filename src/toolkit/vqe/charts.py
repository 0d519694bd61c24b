"""Charts of a search: errors by episode, its front beside the baselines, success; bond curves.

Errors are energies above the exact one of the active space. Those below ``FLOOR_HA``, or below
zero as noise can make them, stand at ``FLOOR_HA`` on the logarithmic axes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import cycle
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import EngFormatter, FuncFormatter, MaxNLocator, NullFormatter, NullLocator
from numpy.typing import ArrayLike, NDArray

from toolkit.core import plots
from toolkit.core.plots import INK, PALETTE, SMALL
from toolkit.vqe.archive import CHEMICAL_ACCURACY_HA

FLOOR_HA = 1e-6  # operators of the same molecule by different makers differ by 2e-7
WINDOW, FEWEST = 20, 5  # greedy evaluations that a moving mean is over, and at the start
Floats = NDArray[np.float64]
Row = Mapping[str, Any]

_GREEDY = ("step", "greedy/error_ha", "greedy/gates", "greedy/depth")
_MOST_POINTS = 4000  # more are thinned: they would be a blot
_LINEAR = 20  # costs up to here have a linear axis, higher ones a logarithmic one
_TICKS = (0, 5, 10, 15, 20, 40, 80, 160, 320, 640, 1280)
_ACCURACY = f"chemical accuracy, {1e3 * CHEMICAL_ACCURACY_HA:g} mHa"
_MARKERS, _COLOURS = "s^Dvh<>", [PALETTE[i] for i in (1, 2, 3, 4, 6)]
_PALE: dict[str, Any] = {"alpha": 0.5, "linestyle": "", "marker": "o", "markeredgewidth": 0}
_PLAIN = FuncFormatter(lambda value, _: f"{value:g}")
# energies that are a curve; others are points, of one circuit each
_CURVES = {"exact in the active space": "-", "Hartree-Fock": "--", "full FCI": ":"}


def errors(history: ArrayLike, greedy: Sequence[tuple[float, float]], title: str = "") -> Figure:
    """Error by episode on a logarithmic axis, beside the threshold of success.

    Args:
        history: (episodes, 3): lowest error of the episode and threshold (Ha), number of gates.
        greedy: (episode, error in Ha) of each greedy episode.
        title: of the figure.
    """
    table = np.asarray(history, np.float64).reshape(-1, 3)
    seen = np.array(greedy, np.float64).reshape(-1, 2)
    figure, (ax,) = plots.canvas(height_in=3.8)
    if len(table):
        _episodes(ax, _clipped(table[:, 0]))
        _threshold(ax, _clipped(table[:, 1]))
    marks: dict[str, Any] = {"color": INK, "markersize": 2.8, "markeredgewidth": 0}
    ax.plot(seen[:, 0], _clipped(seen[:, 1]), "D", **marks, label="greedy episode")
    ax.axhline(CHEMICAL_ACCURACY_HA, color=INK, linewidth=1, linestyle="--", label=_ACCURACY)
    _log(ax)
    last = max(len(table), *seen[:, 0], 1)
    ax.set_xlim(-0.01 * last, 1.01 * last)
    if last >= 10_000:
        ax.xaxis.set_major_formatter(EngFormatter(sep=""))
    _name(ax, title, "episode", "error (Ha)")
    _legend(figure)
    return figure


def _clipped(errors_ha: Floats) -> Floats:
    return np.maximum(errors_ha, FLOOR_HA)


def median_width(episodes: int) -> int:
    return min(200, episodes // 20)


def _episodes(ax: Axes, error: Floats) -> None:
    episodes, width = np.arange(1, len(error) + 1), median_width(len(error))
    thin = slice(None, None, 1 + len(error) // _MOST_POINTS)
    size = np.clip(80 / np.sqrt(len(error)), 1.8, 3.5)
    style = _PALE | {"color": PALETTE[5], "markersize": size, "label": "lowest of an episode"}
    ax.plot(episodes[thin], error[thin], **style)
    if width > 1:
        middle = np.median(np.lib.stride_tricks.sliding_window_view(error, width), axis=1)
        centres = episodes[: len(middle)] + (width - 1) / 2
        ax.plot(centres, middle, color=PALETTE[0], linewidth=1.5, label="its running median")


def _threshold(ax: Axes, threshold: Floats) -> None:
    changes = np.flatnonzero(np.diff(threshold)) + 1
    rows = np.r_[0, changes, len(threshold) - 1]
    style: dict[str, Any] = {"color": PALETTE[1], "linewidth": 1.5, "zorder": 3}
    ax.step(rows + 1, threshold[rows], where="post", **style, label="threshold of success")


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
        published: the same with ``method``; without ``error_ha`` a row is a vertical line.
        title: of the figure.
    """
    figure, axes = plots.canvas(height_in=4.2, columns=2)
    axes[1].sharey(axes[0])
    _log(*axes)
    for ax, key, name in zip(axes, ("depth", "cnot"), ("depth", "CNOTs")):
        _search(ax, _points(pareto, key))
        _baselines(ax, key, baselines)
        _published(ax, key, published)
        beyond = _cost_axis(ax)
        x = f"{name} (logarithmic beyond {_LINEAR})" if beyond else name
        _name(ax, title if ax is axes[0] else "", x, "error (mHa)" if ax is axes[0] else "")
    axes[1].tick_params(labelleft=False)
    axes[0].yaxis.set_major_formatter(_PLAIN)
    _accuracy_band(axes)
    _legend(figure)
    return figure


def _points(rows: Sequence[Row], key: str) -> Floats:
    """(n, 2): cost ``key`` and error (mHa) of the rows that have both, by cost, then error."""
    pairs = [(row.get(key), row.get("error_ha")) for row in rows]  # None becomes NaN
    points = np.array(pairs, np.float64).reshape(-1, 2)
    points = points[np.isfinite(points).all(axis=1)]
    points[:, 1] = 1e3 * _clipped(points[:, 1])
    return points[np.lexsort((points[:, 1], points[:, 0]))]


def _lower_left(points: Floats) -> Floats:
    """Those of ``points`` (sorted) with a lower error than every one before."""
    before = np.minimum.accumulate(np.r_[np.inf, points[:, 1]])[:-1]
    return points[points[:, 1] < before]


def _search(ax: Axes, points: Floats) -> None:
    style: dict[str, Any] = {"color": PALETTE[0], "linewidth": 1.5, "markersize": 3.5}
    label = "this search" if len(points) else ""
    ax.plot(*points.T, **_PALE, color=PALETTE[5], markersize=3)
    # on top, so that its points show inside the marks that they meet
    ax.plot(*_lower_left(points).T, "o-", drawstyle="steps-post", **style, label=label, zorder=5)


def _baselines(ax: Axes, key: str, rows: Sequence[Row]) -> None:
    methods = dict.fromkeys(row["method"] for row in rows)
    for method, marker, colour in zip(methods, cycle(_MARKERS), cycle(_COLOURS)):
        own = [row for row in rows if row["method"] == method]
        style: dict[str, Any] = {"color": colour, "marker": marker, "linewidth": 0.9, "zorder": 4}
        style |= {"markersize": 6.5, "markeredgecolor": "white", "markeredgewidth": 0.5}
        style |= {"linestyle": "-" if len(own) > 1 else "", "drawstyle": "steps-post"}
        ax.plot(*_lower_left(_points(own, key)).T, **style, label=method)


def _published(ax: Axes, key: str, rows: Sequence[Row]) -> None:
    lines = (":", "-.", (0, (6, 1.5)))
    for row, marker, line in zip(rows, cycle("osD^v"), cycle(lines)):
        points, style = _points([row], key), {"color": INK, "label": row["method"]}
        if len(points):
            ax.plot(*points.T, marker, markerfacecolor="none", markersize=7, zorder=4, **style)
        elif row.get(key) is not None:
            ax.axvline(row[key], linestyle=line, linewidth=1.2, **style)


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
    ax.xaxis.set_major_formatter(_PLAIN)
    ax.xaxis.set_minor_locator(NullLocator())
    return True


def success(runs: Mapping[str, Sequence[Row]]) -> Figure:
    """Share of greedy episodes in chemical accuracy, and their gates and depth, by episode.

    Args:
        runs: for each name (one may be empty) lines of metrics with ``step``, ``greedy/error_ha``
            (above the exact energy), ``greedy/gates`` and ``greedy/depth``; others are passed
            over.
    """
    figure, axes = plots.canvas(height_in=2.6, columns=3)
    for (name, lines), colour in zip(runs.items(), cycle(PALETTE)):
        seen = [[line[key] for key in _GREEDY] for line in lines if _GREEDY[1] in line]
        step, error, gates, depth = np.array(seen, np.float64).reshape(-1, len(_GREEDY)).T
        share = np.where(error < CHEMICAL_ACCURACY_HA, 100.0, 0.0)
        for ax, values in zip(axes, (share, gates, depth)):
            if len(runs) == 1:
                ax.plot(step, values, **_PALE, color=PALETTE[5], markersize=2.5)
            means = _trailing_means(values)
            ax.plot(step[FEWEST - 1 :], means, color=colour, linewidth=1.5, label=name)
    for ax, y in zip(axes, ("in chemical accuracy (%)", "gates", "depth")):
        ax.set_ylim(bottom=0)
        ax.set_xlim(left=0)
        ax.xaxis.set_major_locator(MaxNLocator(4, integer=True))
        _name(ax, "", "episode", y)
    axes[0].set_ylim(-4, 104)
    if len(runs) > 1:
        _legend(figure)
    return figure


def _trailing_means(values: Floats) -> Floats:
    """Means over the last ``WINDOW`` values, at the start over those so far: ``FEWEST`` or more."""
    sums = np.r_[0.0, np.cumsum(values)]
    last = np.arange(FEWEST, len(sums))
    first = np.maximum(last - WINDOW, 0)
    return np.asarray((sums[last] - sums[first]) / (last - first), np.float64)


def curve(
    bond_lengths: ArrayLike,
    energies: Mapping[str, ArrayLike],
    errors_ha: Mapping[str, ArrayLike],
    title: str = "",
) -> Figure:
    """Energies by bond length, and below them errors on a logarithmic axis.

    Args:
        bond_lengths: (n,) in Å.
        energies: (n,) in Ha by name; ``"exact in the active space"``, ``"Hartree-Fock"`` and
            ``"full FCI"`` are lines, others points; NaN where there is none.
        errors_ha: (n,) in Ha by name, of the names of ``energies`` that have one.
        title: of the figure.
    """
    figure, (above, below) = plots.canvas(height_in=4.8, rows=2)
    above.sharex(below)
    _log(below)
    below.yaxis.set_major_formatter(_PLAIN)
    styles = _curve_styles(energies)
    for name, values in energies.items():
        above.plot(bond_lengths, np.asarray(values, np.float64), **styles[name], label=name)
        if name in errors_ha:
            style = styles[name] if name in _CURVES else {**styles[name], "linestyle": "-"}
            error = 1e3 * _clipped(np.asarray(errors_ha[name], np.float64))
            below.plot(bond_lengths, error, **style)
    above.tick_params(labelbottom=False)
    _name(above, title, "", "energy (Ha)")
    _name(below, "", "bond length (Å)", "error (mHa)")
    figure.align_ylabels()
    _accuracy_band([below])
    _legend(figure)
    return figure


def _curve_styles(names: Iterable[str]) -> dict[str, dict[str, Any]]:
    looks = zip(cycle("o" + _MARKERS), cycle([PALETTE[0], *_COLOURS]))
    styles: dict[str, dict[str, Any]] = {}
    for name in names:
        if name in _CURVES:  # above the points, or they would hide it
            styles[name] = {"color": INK, "linestyle": _CURVES[name], "lw": 1.2, "zorder": 3}
        else:
            marker, colour = next(looks)
            styles[name] = {"color": colour, "marker": marker, "linestyle": "", "lw": 1}
            styles[name] |= {"markersize": 5, "markeredgewidth": 0}
    return styles


def _accuracy_band(axes: Sequence[Axes]) -> None:
    """Shade chemical accuracy in ``axes``, which share their y axis, in mHa."""
    top = 1e3 * CHEMICAL_ACCURACY_HA
    low, high = axes[0].get_ylim()
    low, high = min(low, top / 5), max(high, top * 5)  # the band and what is outside are seen
    for ax in axes:
        ax.axhspan(low, top, color=PALETTE[2], alpha=0.13, linewidth=0, zorder=0, label=_ACCURACY)
    axes[0].set_ylim(low, high)


def _log(*axes: Axes) -> None:
    for ax in axes:
        ax.set_yscale("log")
        ax.tick_params(which="minor", length=1.5, width=0.4, color=INK)
        ax.yaxis.set_minor_formatter(NullFormatter())  # less than a decade would get powers


def _name(ax: Axes, title: str, x: str, y: str) -> None:
    ax.set_title(title, fontsize=SMALL + 1, color=INK, loc="left")
    ax.set_xlabel(x, fontsize=SMALL, color=INK)
    ax.set_ylabel(y, fontsize=SMALL, color=INK)


def _legend(figure: Figure) -> None:
    """One legend for all axes below them, where it covers nothing."""
    handles: dict[str, Any] = {}  # of the first axes that have a label
    for ax in figure.axes:
        for handle, label in zip(*ax.get_legend_handles_labels()):
            handles.setdefault(label, handle)
    style: dict[str, Any] = {"fontsize": SMALL, "frameon": False, "labelcolor": INK}
    legend = figure.legend(handles.values(), handles, loc="outside lower center", ncols=3, **style)
    for shown in legend.legend_handles:
        if isinstance(shown, Line2D):  # pale points would not be seen
            shown.set(alpha=1, markersize=max(shown.get_markersize(), 4))
