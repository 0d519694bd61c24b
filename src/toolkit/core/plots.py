"""Figures in one house style, drawn on matplotlib's own canvas: no pyplot, no global state.

Colours are Okabe & Ito's, told apart by colour-blind readers. Every function returns a Figure;
:func:`save` writes it as PNG.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from io import BytesIO
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, NotRequired, TypedDict

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, FuncFormatter, MultipleLocator
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from toolkit.core.errors import DataError
from toolkit.core.files import saving, write_atomic

if TYPE_CHECKING:
    from toolkit.core.statistics import Interval

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#4D4D4D")
INK, FAINT = "#333333", "#D9D9D9"
BLUES = LinearSegmentedColormap.from_list("house", ["#FFFFFF", "#9CC9E3", "#0072B2", "#003D66"])
SMALL = 8  # points; every text is this or one larger
WIDTH_IN = 7.0


def canvas(
    width_in: float = WIDTH_IN, height_in: float = 3.4, rows: int = 1, columns: int = 1
) -> tuple[Figure, list[Axes]]:
    """A figure and its axes in reading order, dressed in the house style."""
    figure = Figure(figsize=(width_in, height_in), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(rows, columns, squeeze=False)
    axes: list[Axes] = list(grid.ravel())
    for ax in axes:
        ax.spines[["top", "right"]].set_visible(False)
        ax.spines[["left", "bottom"]].set(linewidth=0.6, color=INK)
        ax.tick_params(labelsize=SMALL, width=0.6, length=3, color=INK, labelcolor=INK)
        ax.grid(color=FAINT, linewidth=0.5)
        ax.set_axisbelow(True)
    return figure, axes


def save(figure: Figure, path: Path, caption: str = "", dpi: int = 160) -> Path:
    """Writes a PNG that appears under its name only when whole; returns ``path``.

    The caption travels inside the file (:func:`caption_of`), so that a report made from the
    files alone can say what each figure shows.
    """
    buffer = BytesIO()
    # Without matplotlib's version in it, equal figures are equal files.
    metadata = {"Software": None, "Description": caption or None}
    figure.savefig(
        buffer, format="png", dpi=dpi, bbox_inches="tight", pad_inches=0.06, metadata=metadata
    )
    with saving(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, buffer.getvalue())
    return path


def caption_of(path: Path) -> str:
    """The caption that :func:`save` put into a PNG; its name where there is none."""
    try:
        with Image.open(path) as image:
            return str(image.info.get("Description") or path.stem)
    except (OSError, ValueError) as error:
        raise DataError("cannot read a figure", where=f"{path}: {error}") from error


def titled(ax: Axes, title: str = "", x: str = "", y: str = "", *, pad_pt: float = 5) -> None:
    """Title and labels of ``ax``."""
    ax.set_title(title, fontsize=SMALL + 1, color=INK, loc="left", pad=pad_pt)
    ax.set_xlabel(x, fontsize=SMALL, color=INK)
    ax.set_ylabel(y, fontsize=SMALL, color=INK)


def _legend(ax: Axes, **where: Any) -> None:
    ax.legend(fontsize=SMALL, frameon=False, labelcolor=INK, **where)


def legend_below(figure: Figure, columns: int = 3) -> None:
    """One legend for all axes below them, where it covers nothing; a label is shown once."""
    handles: dict[str, Any] = {}
    for ax in figure.axes:
        for handle, label in zip(*ax.get_legend_handles_labels()):
            handles.setdefault(label, handle)
    style: dict[str, Any] = {"fontsize": SMALL, "frameon": False, "labelcolor": INK}
    figure.legend(handles.values(), handles, loc="outside lower center", ncols=columns, **style)


def thousands(ax: Axes) -> None:
    """Write 10,000 and more along the x axis as 10k."""
    if ax.get_xlim()[1] >= 10_000:
        ax.xaxis.set_major_formatter(EngFormatter(sep=""))


def learning_curves(
    metrics: Sequence[Mapping[str, Any]],
    keys: Sequence[str | Sequence[str]],
    *,
    x: str = "step",
    log: Sequence[str] = (),
) -> Figure:
    """One panel per entry of ``keys``; an entry of several keys overlays them.

    Args:
        metrics: rows of ``metrics.jsonl``; a row without a key, or with null, is skipped there.
        keys: what to draw, for example ``[("train_loss", "val_loss"), "val_accuracy"]``.
        log: keys whose panel has a logarithmic axis.
    """
    panels = [(entry,) if isinstance(entry, str) else tuple(entry) for entry in keys]
    columns = min(len(panels), 2)
    rows = math.ceil(len(panels) / columns)
    figure, axes = canvas(WIDTH_IN, 2.6 * rows, rows, columns)
    for ax, names in zip(axes, panels):
        for name, colour in zip(names, PALETTE):
            points = [(r[x], r[name]) for r in metrics if r.get(name) is not None and x in r]
            _noisy_line(ax, np.array(points, np.float64).reshape(-1, 2), name, colour)
        if any(name in log for name in names):
            ax.set_yscale("log")
        thousands(ax)
        titled(ax, "" if len(names) > 1 else names[0], x)
        if len(names) > 1:
            _legend(ax)
    for ax in axes[len(panels) :]:
        ax.set_visible(False)
    return figure


def _noisy_line(ax: Axes, points: NDArray[np.float64], name: str, colour: str) -> None:
    """Many points are drawn pale under their moving average."""
    width = len(points) // 50
    if width < 2:
        marker = "o" if len(points) < 30 else None
        ax.plot(*points.T, color=colour, linewidth=1.4, marker=marker, markersize=3, label=name)
        return
    ax.plot(*points.T, color=colour, linewidth=0.5, alpha=0.3)
    kernel = np.full(width, 1 / width)
    centre, smooth = (np.convolve(column, kernel, "valid") for column in points.T)
    ax.plot(centre, smooth, color=colour, linewidth=1.4, label=name)


def confusion_matrix(counts: ArrayLike, names: Sequence[str], title: str = "") -> Figure:
    """Counts (K, K) as text, each row's shares as colour, Se and +P in % at the margins."""
    table = np.asarray(counts, np.int64)
    truth, predicted, hits = table.sum(1), table.sum(0), np.diagonal(table)
    shares = table / np.maximum(truth, 1)[:, None]
    k = len(names)
    cell_in = 0.62 if k <= 8 else 0.42
    figure, (ax,) = canvas(2.0 + cell_in * k, 1.5 + cell_in * k)
    ax.grid(False)
    ax.spines[:].set_visible(False)
    ax.imshow(shares, cmap=BLUES, vmin=0, vmax=1)
    ax.set_xticks(range(k), [*names], rotation=0 if max(map(len, names)) * k < 30 else 45)
    ax.set_yticks(range(k), [f"{name}  ({n:,})" for name, n in zip(names, truth)])
    for label in ax.get_xticklabels():
        label.set(ha="center" if label.get_rotation() == 0 else "right", rotation_mode="anchor")
    ax.set_xticks(np.arange(1, k) - 0.5, minor=True)
    ax.set_yticks(np.arange(1, k) - 0.5, minor=True)
    ax.grid(which="minor", color=FAINT, linewidth=0.5)
    ax.tick_params(which="both", length=0)
    for row, column in zip(*np.nonzero(table)):
        colour = "white" if shares[row, column] > 0.5 else INK
        text, size = f"{table[row, column]}", SMALL if k <= 8 else SMALL - 1
        ax.text(column, row, text, ha="center", va="center", fontsize=size, color=colour)
    for i in range(k):
        _margin(ax, k - 0.35, i, _percent(hits[i], truth[i]), "left")
        _margin(ax, i, -0.8, _percent(hits[i], predicted[i]), "center")
    _margin(ax, k - 0.35, -0.8, "Se %", "left")
    _margin(ax, -0.65, -0.8, "+P %", "right")
    titled(ax, title, "predicted", "true (n)", pad_pt=10 + 0.55 * 72 * cell_in)
    return figure


def _margin(
    ax: Axes, x: float, y: float, text: str, align: Literal["left", "center", "right"]
) -> None:
    ax.text(x, y, text, ha=align, va="center", fontsize=SMALL, color=INK)


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f}" if whole else "–"


def bars_with_intervals(
    intervals: Mapping[str, Interval],
    *,
    unit: str = "",
    title: str = "",
    references: Mapping[str, float] | None = None,
) -> Figure:
    """One horizontal bar per name with its interval and value; ``references`` are dashed lines."""
    figure, (ax,) = canvas(WIDTH_IN, 0.9 + 0.34 * len(intervals))
    for row, value in enumerate(intervals.values()):
        ax.barh(row, value.estimate, height=0.62, color=PALETTE[0], alpha=0.7)
        text = f"{value.estimate:.4g}"
        if np.isfinite(value.low):
            ax.plot([value.low, value.high], [row, row], color=INK, linewidth=1.4)
            text = f"{value}   n = {value.n}"
        ax.text(1.02, row, text, va="center", fontsize=SMALL, transform=ax.get_yaxis_transform())
    for name, level in (references or {}).items():
        ax.axvline(level, color=INK, linewidth=0.9, linestyle="--")
        above = ax.get_xaxis_transform()
        ax.text(level, 1.0, name, ha="center", va="bottom", fontsize=SMALL, transform=above)
    if ax.get_xlim()[0] < 0:
        ax.axvline(0, color=INK, linewidth=0.6)
    ax.set_yticks(range(len(intervals)), [*intervals])
    ax.invert_yaxis()
    ax.grid(False, axis="y")
    titled(ax, title, unit, pad_pt=18 if references else 5)
    return figure


class Band(NamedTuple):
    """A curve (n,) with its interval; ``low`` and ``high`` may be None."""

    x: ArrayLike
    middle: ArrayLike
    low: ArrayLike | None = None
    high: ArrayLike | None = None


def lines_with_bands(
    curves: Mapping[str, Band],
    *,
    x: str = "",
    y: str = "",
    title: str = "",
    references: Mapping[str, float] | None = None,
) -> Figure:
    """Curves with shaded intervals; ``references`` are named dashed horizontals."""
    figure, (ax,) = canvas()
    draw_bands(ax, curves)
    dashes = ("--", ":", "-.")
    for (name, level), style in zip((references or {}).items(), cycle(dashes)):
        ax.axhline(level, color=INK, linewidth=0.9, linestyle=style, label=f"{name}: {level:g}")
    thousands(ax)
    titled(ax, title, x, y)
    if len(curves) > 1 or references:
        _legend(ax, loc="upper left", bbox_to_anchor=(1.01, 1.02))  # beside, never over a curve
    return figure


def draw_bands(ax: Axes, curves: Mapping[str, Band], order: Sequence[str] = ()) -> None:
    """Curves with shaded intervals on ``ax``, in the palette's order.

    ``order`` lists more names than ``ax`` may show, so that each has one colour in many axes.
    """
    names = [*order] or [*curves]
    for name, curve in curves.items():
        i = names.index(name)
        colour, style = PALETTE[i % len(PALETTE)], ("-", "-.")[i // len(PALETTE) % 2]
        ax.plot(curve.x, curve.middle, style, color=colour, linewidth=1.5, label=name)
        if curve.low is not None and curve.high is not None:
            ax.fill_between(curve.x, curve.low, curve.high, color=colour, alpha=0.18, linewidth=0)


class Strip(TypedDict):
    """One stretch of ECG: (n,) seconds and millivolts, NaN where there is no signal."""

    time_s: ArrayLike
    millivolts: ArrayLike
    title: NotRequired[str]
    marks: NotRequired[Sequence[tuple[float, str]]]  # (seconds, label), drawn above the signal
    estimate: NotRequired[ArrayLike]  # a second trace, for example what a model filled in


def signal_strips(strips: Sequence[Strip], columns: int = 1) -> Figure:
    """ECG on paper: large squares of 0.2 s by 0.5 mV in true proportion, small ones a fifth."""
    traces = [strip.get(key) for strip in strips for key in ("millivolts", "estimate")]
    low, high = _paper_range([np.asarray(v, np.float64) for v in traces if v is not None])
    span_s = max(float(np.ptp(np.asarray(s["time_s"], float))) for s in strips)
    rows = math.ceil(len(strips) / columns)
    width_in = (WIDTH_IN + 1) / columns - 0.6
    # 25 mm/s and 10 mm/mV: a millivolt is as high as 0.4 s are wide.
    height_in = float(np.clip(width_in * 0.4 * (high - low) / max(span_s, 0.2), 0.8, 3.0))
    figure, axes = canvas(WIDTH_IN + 1, rows * (height_in + 0.5), rows, columns)
    for ax, strip in zip(axes, strips):
        start = float(np.nanmin(np.asarray(strip["time_s"], np.float64)))
        ax.set(xlim=(start, start + span_s), ylim=(low, high))
        _paper(ax, width_in * 72 / max(span_s, 0.2), height_in * 72 / (high - low))
        _trace(ax, strip, high)
        titled(ax, strip.get("title", ""))
    for ax in axes[len(strips) :]:
        ax.set_visible(False)
    for i, ax in enumerate(axes[: len(strips)]):
        ax.set_ylabel("" if i % columns else "mV", fontsize=SMALL, color=INK)
        ax.tick_params(labelleft=i % columns == 0)
        ax.set_xlabel("s" if i + columns >= len(strips) else "", fontsize=SMALL, color=INK)
    return figure


def _paper_range(values: Sequence[NDArray[np.float64]]) -> tuple[float, float]:
    finite = np.concatenate([v[np.isfinite(v)] for v in values])
    low, high = (finite.min(), finite.max()) if finite.size else (-0.5, 0.5)
    return math.floor(low * 2) / 2, math.ceil(high * 2 + 0.6) / 2  # room for the marks


def _paper(ax: Axes, second_pt: float, millivolt_pt: float) -> None:
    """Ruled lines and as many numbers as are legible where a second, a millivolt is so large."""
    ax.spines[["left", "bottom"]].set_visible(False)
    ax.tick_params(length=0)
    ax.grid(False)
    (left, right), (low, high) = ax.get_xlim(), ax.get_ylim()
    for part, colour, width in ((5, "#FBE3DF", 0.35), (1, "#F2B8B0", 0.6)):
        if second_pt * 0.2 / part < 1.5:  # points between two lines
            continue
        # Collections, because a tick object for each line takes seconds to draw.
        ax.vlines(_multiples(left, right, 0.2 / part), low, high, colour, linewidth=width, zorder=0)
        ax.hlines(_multiples(low, high, 0.5 / part), left, right, colour, linewidth=width, zorder=0)
    ax.yaxis.set_major_locator(MultipleLocator(_legible(millivolt_pt, 12, (0.5, 1, 2, 5))))
    if right - left <= 20:
        ax.xaxis.set_major_locator(MultipleLocator(_legible(second_pt, 24, (0.2, 0.4, 1, 2))))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda seconds, _: f"{round(seconds, 6):g}"))
    ax.set(xlim=(left, right), ylim=(low, high))


def _legible(unit_pt: float, room_pt: float, steps: Sequence[float]) -> float:
    return next((s for s in steps if s * unit_pt >= room_pt), steps[-1])


def _multiples(low: float, high: float, step: float) -> NDArray[np.float64]:
    first, last = math.ceil(low / step - 1e-6), math.floor(high / step + 1e-6)
    return np.arange(first, last + 1, dtype=np.float64) * step


def _trace(ax: Axes, strip: Strip, top: float) -> None:
    ax.plot(strip["time_s"], strip["millivolts"], color="#111111", linewidth=0.9)
    if "estimate" in strip:
        ax.plot(strip["time_s"], strip["estimate"], color=PALETTE[0], linewidth=1.1)
    for seconds, label in strip.get("marks", ()):
        ax.text(seconds, top - 0.04, label, ha="center", va="top", fontsize=SMALL, color=PALETTE[0])
