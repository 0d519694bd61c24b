"""The figure of a map: the scene in colours, its ground truth, the classes and their confidence."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from toolkit.core import plots
from toolkit.core.plots import BLUES, INK, SMALL
from toolkit.hsi.maps.legend import BLACK, UNCLASSIFIED, Colour, Legend
from toolkit.hsi.scene import Scene
from toolkit.hsi.survey import colour_composite, composite_bands

_WIDTH_IN, _TALLEST_IN = 9.0, 6.0  # of the figure; of a panel
_DPI = 200  # a pixel of a usual scene is 2 dots or more
_WIDE = 0.45  # height / width below which panels stand above one another
_BAR_IN, _GAP_IN = 0.45, 0.08  # width of the scale of confidence; between panels
_ENTRY_IN, _LETTER_IN = 0.45, 0.063  # of the legend: the patch and what is around it; a letter

CAPTION = (
    "The scene in colours, its ground truth where it has one, the class that the network gives "
    "each pixel, and how sure it is: the probability of that class."
)


def draw_map(
    path: Path,
    scene: Scene,
    classes: NDArray[np.int16],
    confidence: NDArray[np.float32],
    legend: Legend | None = None,
) -> Path:
    """Write :func:`map_figure` as PNG; returns ``path``."""
    figure = map_figure(scene, classes, confidence, legend)
    return plots.save(figure, path, CAPTION, dpi=_DPI)


def map_figure(
    scene: Scene,
    classes: NDArray[np.int16],
    confidence: NDArray[np.float32],
    legend: Legend | None = None,
) -> Figure:
    """Panels side by side, or above one another for a wide scene, with one legend for all.

    Args:
        scene: what was classified. Its truth is shown if its classes are those of ``legend``.
        classes: (rows, columns) 0 … K - 1, -1 = unclassified.
        confidence: (rows, columns) in 0 … 1.
        legend: of the map's classes; by default the scene's own.
    """
    legend = legend or Legend.of_scene(scene)
    pictures: dict[str, NDArray[np.uint8]] = {_composite_title(scene): colour_composite(scene)}
    black = [UNCLASSIFIED] if (classes < 0).any() else []
    if scene.labels is not None and scene.classes == legend.names:
        pictures["ground truth"] = legend.paint(scene.labels - 1)
        black += ["unlabelled"] if (scene.labels == 0).any() else []
    pictures["class map"] = legend.paint(classes)
    colours = dict(zip(legend.names, legend.colours))
    if black:
        colours[", ".join(black)] = BLACK
    figure, axes, width_in = _panels(scene.shape, len(pictures) + 1, [*colours])
    for ax, (title, picture) in zip(axes, pictures.items()):
        _show(ax, picture, title)
    _show_confidence(axes[-1], confidence, width_in)
    _add_legend(figure, colours)
    return figure


def _panels(
    shape: tuple[int, int], n: int, entries: Sequence[str]
) -> tuple[Figure, list[Axes], float]:
    """Figure, its ``n`` axes, and the width of each in inches; ``entries`` are the legend's."""
    aspect = shape[0] / shape[1]
    columns = 1 if aspect < _WIDE else n
    width = min((_WIDTH_IN - _BAR_IN) / columns - _GAP_IN, _TALLEST_IN / aspect)
    height = n // columns * (width * aspect + 0.25) + 0.17 * _legend_lines(entries) + 0.15
    used = (width + _GAP_IN) * columns + _BAR_IN
    figure, axes = plots.canvas(max(used, _WIDTH_IN), height, n // columns, columns)
    return figure, axes, width


def _show(ax: Axes, picture: NDArray[Any], title: str, **how: Any) -> Any:
    ax.set_axis_off()
    ax.set_title(title, fontsize=SMALL, color=INK, loc="left", pad=3)
    return ax.imshow(picture, interpolation="nearest", **how)


def _show_confidence(ax: Axes, confidence: NDArray[np.float32], width_in: float) -> None:
    shown = _show(ax, confidence, "confidence", cmap=BLUES, vmin=0, vmax=1)
    beside = ax.inset_axes((1 + 0.06 / width_in, 0, 0.09 / width_in, 1))
    ax.figure.colorbar(shown, cax=beside, ticks=[0, 0.5, 1]).outline.set(linewidth=0.4)
    beside.tick_params(labelsize=SMALL - 1, length=2, width=0.4, labelcolor=INK, color=INK)


def _composite_title(scene: Scene) -> str:
    bands = composite_bands(scene)
    if scene.wavelengths_nm is None:
        return "bands " + ", ".join(map(str, bands))
    return ", ".join(f"{scene.wavelengths_nm[band]:.0f}" for band in bands) + " nm"


def _legend_lines(names: Sequence[str]) -> int:
    """As few as the figure's width allows; entries run down the columns."""
    for lines in range(1, len(names)):
        columns = np.array_split(list(map(len, names)), math.ceil(len(names) / lines))
        if sum(_ENTRY_IN + _LETTER_IN * letters.max() for letters in columns) < _WIDTH_IN:
            return lines
    return max(1, len(names))


def _add_legend(figure: Figure, colours: Mapping[str, Colour]) -> None:
    patches = [
        Patch(facecolor=(r / 255, g / 255, b / 255), edgecolor=INK, linewidth=0.3, label=name)
        for name, (r, g, b) in colours.items()
    ]
    figure.legend(
        handles=patches,
        loc="outside lower center",
        ncols=math.ceil(len(colours) / _legend_lines([*colours])),
        fontsize=SMALL,
        frameon=False,
        labelcolor=INK,
        handlelength=1.2,
        handleheight=1.0,
        columnspacing=1.2,
    )
