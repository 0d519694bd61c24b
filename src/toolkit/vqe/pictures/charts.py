"""Charts of a search by episode: errors with the threshold, greedy success; and of a bond."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import cycle
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, MaxNLocator
from numpy.typing import ArrayLike

from toolkit.core import plots
from toolkit.core.plots import INK, PALETTE
from toolkit.vqe.archive import CHEMICAL_ACCURACY_HA
from toolkit.vqe.pictures.chart_style import (
    ACCURACY,
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

WINDOW, FEWEST = 20, 5  # greedy evaluations that a moving mean is over, and at the start

_GREEDY = ("step", "greedy/error_ha", "greedy/gates", "greedy/depth")
_MOST_POINTS = 4000  # more are thinned: they would be a blot
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
        _episodes(ax, clipped(table[:, 0]))
        _threshold(ax, clipped(table[:, 1]))
    marks: dict[str, Any] = {"color": INK, "markersize": 2.8, "markeredgewidth": 0}
    ax.plot(seen[:, 0], clipped(seen[:, 1]), "D", **marks, label="greedy episode")
    ax.axhline(CHEMICAL_ACCURACY_HA, color=INK, linewidth=1, linestyle="--", label=ACCURACY)
    logarithmic(ax)
    last = max(len(table), *seen[:, 0], 1)
    ax.set_xlim(-0.01 * last, 1.01 * last)
    if last >= 10_000:
        ax.xaxis.set_major_formatter(EngFormatter(sep=""))
    named(ax, title, "episode", "error (Ha)")
    legend(figure)
    return figure


def median_width(episodes: int) -> int:
    return min(200, episodes // 20)


def _episodes(ax: Axes, error: Floats) -> None:
    episodes, width = np.arange(1, len(error) + 1), median_width(len(error))
    thin = slice(None, None, 1 + len(error) // _MOST_POINTS)
    size = np.clip(80 / np.sqrt(len(error)), 1.8, 3.5)
    style = PALE | {"color": PALETTE[5], "markersize": size, "label": "lowest of an episode"}
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
                ax.plot(step, values, **PALE, color=PALETTE[5], markersize=2.5)
            means = _trailing_means(values)
            ax.plot(step[FEWEST - 1 :], means, color=colour, linewidth=1.5, label=name)
    for ax, y in zip(axes, ("in chemical accuracy (%)", "gates", "depth")):
        ax.set_ylim(bottom=0)
        ax.set_xlim(left=0)
        ax.xaxis.set_major_locator(MaxNLocator(4, integer=True))
        named(ax, "", "episode", y)
    axes[0].set_ylim(-4, 104)
    if len(runs) > 1:
        legend(figure)
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
    logarithmic(below)
    below.yaxis.set_major_formatter(PLAIN)
    styles = _curve_styles(energies)
    for name, values in energies.items():
        above.plot(bond_lengths, np.asarray(values, np.float64), **styles[name], label=name)
        if name in errors_ha:
            style = styles[name] if name in _CURVES else {**styles[name], "linestyle": "-"}
            error = 1e3 * clipped(np.asarray(errors_ha[name], np.float64))
            below.plot(bond_lengths, error, **style)
    above.tick_params(labelbottom=False)
    named(above, title, "", "energy (Ha)")
    named(below, "", "bond length (Å)", "error (mHa)")
    figure.align_ylabels()
    accuracy_band([below])
    legend(figure)
    return figure


def _curve_styles(names: Iterable[str]) -> dict[str, dict[str, Any]]:
    looks = zip(cycle("o" + MARKERS), cycle([PALETTE[0], *COLOURS]))
    styles: dict[str, dict[str, Any]] = {}
    for name in names:
        if name in _CURVES:  # above the points, or they would hide it
            styles[name] = {"color": INK, "linestyle": _CURVES[name], "lw": 1.2, "zorder": 3}
        else:
            marker, colour = next(looks)
            styles[name] = {"color": colour, "marker": marker, "linestyle": "", "lw": 1}
            styles[name] |= {"markersize": 5, "markeredgewidth": 0}
    return styles
