"""Figures of one run: returns and σ against steps, and what tells whether learning is sound."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from toolkit.core import plots
from toolkit.core.plots import INK, PALETTE, Band
from toolkit.core.run import Run
from toolkit.rl.protocol.histories import RETURN, SIGMA
from toolkit.rl.protocol.reference import Reference

Floats = NDArray[np.float64]
Line = Mapping[str, Any]
Captioned = tuple[Figure, str]
_FEW = 30
_MOST_POINTS = 3000  # more are thinned: they would be a blot
_DIAGNOSTICS = {  # key of metrics.jsonl: what the axis says, where it should be
    "value/bias": ("value − discounted return", 0.0),
    "train/mode_distance": ("|stored mode − mode| / σ", None),
    "train/ratio": ("density ratio of first actions", 1.0),
}
_MARKS = "so^Dvh"


def draw(run: Run, **facts: Any) -> None:
    """Write the figures of ``run`` into it; ``facts`` as in :func:`run_figures`."""
    for name, (figure, caption) in run_figures(run.metrics, read_episodes(run), **facts).items():
        plots.save(figure, run.figures / f"{name}.png", caption)


def read_episodes(run: Run) -> Floats:
    """Step and return (n, 2) of each training episode in ``episodes.csv``."""
    path = run.path / "episodes.csv"
    if not path.is_file():
        return np.empty((0, 2))
    with path.open(newline="") as file:
        rows = [(row["step"], row["return"]) for row in csv.DictReader(file)]
    return np.array(rows, np.float64).reshape(-1, 2)


def run_figures(
    metrics: Sequence[Line],
    episodes: ArrayLike,
    *,
    title: str = "",
    floor: float | None = None,
    ceiling: float | None = None,
    references: Sequence[Reference] = (),
) -> dict[str, Captioned]:
    """Figures of a run with their captions, by name; those without anything to show are left out.

    Args:
        metrics: lines of ``metrics.jsonl``.
        episodes: step and return (n, 2) of each training episode.
        title: of the figure of returns: environment, preset and seed, for example.
        floor, ceiling: bounds of σ where it has some.
        references: published returns; those within the run's steps are marked.
    """
    lines = [line for line in metrics if line.get(RETURN) is not None]
    found: dict[str, Captioned] = {}
    if lines:
        table = np.asarray(episodes, np.float64).reshape(-1, 2)
        bounds = {"floor": floor, "ceiling": ceiling}
        found["return_and_sigma"] = _return_and_sigma(lines, table, title, bounds, references)
    keys = [key for key in _DIAGNOSTICS if _points(metrics, key).size]
    if keys:
        found["soundness"] = _diagnostics(metrics, keys)  # a report goes by the alphabet
    return found


def _return_and_sigma(
    lines: Sequence[Line],
    episodes: Floats,
    title: str,
    bounds: Mapping[str, float | None],
    references: Sequence[Reference],
) -> Captioned:
    sigmas = sorted(filter(re.compile(r"sigma/\d+").fullmatch, lines[-1]), key=_dimension)
    rows = 2 if sigmas or SIGMA in lines[-1] else 1
    figure, (above, *below) = plots.canvas(height_in=2.4 + 2.0 * rows, rows=rows)
    _draw_episodes(above, episodes)
    _draw_evaluations(above, lines)
    shown = draw_references(above, references, lines[-1]["step"])
    plots.titled(above, title, "" if below else "environment steps", "return")
    for ax in below:
        _draw_sigmas(ax, lines, sigmas, bounds)
        above.sharex(ax)
        above.tick_params(labelbottom=False)
        plots.titled(ax, "", "environment steps", "σ (half-range of the box)")
    axis = below[0] if below else above
    axis.set_xlim(0, 1.02 * lines[-1]["step"])
    plots.thousands(axis)
    figure.align_ylabels()
    plots.legend_below(figure)
    return figure, _caption(bool(below), shown)


def _caption(with_sigma: bool, shown: Sequence[Reference]) -> str:
    text = (
        "Returns of episodes against environment steps: of the mode of the policy from fixed "
        "starts (mean and standard deviation over episodes), and of training, exploration "
        "included, with its running median."
    )
    if with_sigma:
        text += (
            " Below: standard deviation σ of actions, thin lines one dimension each, averaged "
            "over states; actions are scaled so that the box is [-1, 1] (σ is that before tanh "
            "where the policy bounds its actions so)."
        )
    return text + sources(shown)


def sources(shown: Sequence[Reference]) -> str:
    """A sentence of a caption that says who published ``shown``; empty for none."""
    named = dict.fromkeys(f"{one.name}: {one.source}" for one in shown)
    return f" Marks, published means: {'; '.join(named)}." if named else ""


def _draw_evaluations(ax: Axes, lines: Sequence[Line]) -> None:
    points = _points(lines, RETURN)
    spread = _points(lines, RETURN + "_sd")
    step, middle = points.T
    ends: tuple[Floats, ...] = ()
    if len(spread) == len(points):
        ends = (middle - spread[:, 1], middle + spread[:, 1])
    plots.draw_bands(ax, {"mode, fixed starts": Band(step, middle, *ends)})
    ax.plot(*points.T, color=PALETTE[0], marker=_marker(points), markersize=3, linestyle="")


def _draw_episodes(ax: Axes, episodes: Floats) -> None:
    if not len(episodes):
        return
    step, score = episodes[:: 1 + len(episodes) // _MOST_POINTS].T
    style: dict[str, Any] = {"color": PALETTE[4], "markeredgewidth": 0}
    style |= {"markersize": 2.5, "alpha": 0.35}
    if len(episodes) < 300:  # few are not seen otherwise
        style |= {"markersize": 4, "alpha": 0.8}
    ax.plot(step, score, "o", label="training episode", **style)
    width = min(200, len(episodes) // 20)
    if width > 1:
        windows = np.lib.stride_tricks.sliding_window_view(episodes, width, axis=0)
        middle = np.median(windows, axis=-1)
        ax.plot(*middle.T, color=PALETTE[1], linewidth=1.3, label="its running median")


def draw_references(
    ax: Axes, references: Sequence[Reference], last: float, scale: float = 1
) -> list[Reference]:
    """Mark those ``references`` that were measured by step ``last``; returns them."""
    shown = [one for one in references if one.steps <= 1.01 * last]
    names = list(dict.fromkeys(one.name for one in shown))
    for name, mark in zip(names, _MARKS):
        steps, scores = zip(*((one.steps, one.score) for one in shown if one.name == name))
        look: dict[str, Any] = {"color": INK, "linewidth": 0.9, "linestyle": ":", "markersize": 4.5}
        look |= {"marker": mark, "markerfacecolor": "white", "zorder": 4}
        ax.plot(steps, scores, label=f"{name}, published", **look)
    return shown


def _draw_sigmas(
    ax: Axes, lines: Sequence[Line], keys: Sequence[str], bounds: Mapping[str, float | None]
) -> None:
    look: dict[str, Any]
    for i, key in enumerate(keys):
        label = "σ of a dimension" if not i else None
        points = _points(lines, key)
        ax.plot(*points.T, color=PALETTE[5], linewidth=0.8, alpha=0.8, label=label)
    mean = _points(lines, SIGMA)
    if mean.size:
        look = {"color": PALETTE[2], "linewidth": 2, "marker": _marker(mean), "markersize": 3}
        ax.plot(*mean.T, label="σ, mean of dimensions", **look)
    for (name, level), style in zip(bounds.items(), ("--", "-.")):
        if level is not None:
            look = {"color": INK, "linewidth": 0.9, "linestyle": style}
            ax.axhline(level, label=f"{name} of σ: {level:g}", **look)
    ax.set_ylim(bottom=0)


def _diagnostics(metrics: Sequence[Line], keys: Sequence[str]) -> Captioned:
    figure, axes = plots.canvas(height_in=2.4, columns=len(keys))
    for ax, key, colour in zip(axes, keys, PALETTE):
        label, ideal = _DIAGNOSTICS[key]
        points = _points(metrics, key)
        ax.plot(*points.T, color=colour, linewidth=1.4, marker=_marker(points), markersize=3)
        if ideal is not None:
            ax.axhline(ideal, color=INK, linewidth=0.9, linestyle="--")
        ax.set_xlim(left=0)
        plots.thousands(ax)
        plots.titled(ax, label, "environment steps")
    return figure, (
        "Whether learning is sound: the critic's value against the discounted return that was "
        "then seen, how far the modes stored in the memory lie from the present ones, and the "
        "truncated density ratio of the first action of a replayed trajectory, as far as they were "
        "logged. Dashed: no error, or an unchanged policy."
    )


def _marker(points: Floats) -> str:
    """Few points are marked one by one; one alone has no line at all."""
    return "o" if len(points) < _FEW else ""


def _dimension(key: str) -> int:
    return int(key.rpartition("/")[2])


def _points(lines: Sequence[Line], key: str) -> Floats:
    """Steps and values (n, 2) of the lines that have ``key``."""
    pairs = [(line["step"], line[key]) for line in lines if line.get(key) is not None]
    return np.array(pairs, np.float64).reshape(-1, 2)
