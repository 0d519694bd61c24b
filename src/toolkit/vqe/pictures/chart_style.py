"""What the charts of ``toolkit vqe`` share: errors on logarithmic axes, accuracy, marks, legend.

Errors are energies above the exact one of the active space. Those below ``FLOOR_HA``, or below
zero as noise can make them, stand at ``FLOOR_HA`` on the logarithmic axes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, NullFormatter
from numpy.typing import NDArray

from toolkit.core.plots import INK, PALETTE, SMALL
from toolkit.vqe.archive import CHEMICAL_ACCURACY_HA

FLOOR_HA = 1e-6  # operators of the same molecule by different makers differ by 2e-7
Floats = NDArray[np.float64]
Row = Mapping[str, Any]

ACCURACY = f"chemical accuracy, {1e3 * CHEMICAL_ACCURACY_HA:g} mHa"
MARKERS, COLOURS = "s^Dvh<>", [PALETTE[i] for i in (1, 2, 3, 4, 6)]
PALE: dict[str, Any] = {"alpha": 0.5, "linestyle": "", "marker": "o", "markeredgewidth": 0}
PLAIN = FuncFormatter(lambda value, _: f"{value:g}")


def clipped(errors_ha: Floats) -> Floats:
    """``errors_ha`` as they stand on a logarithmic axis."""
    return np.maximum(errors_ha, FLOOR_HA)


def accuracy_band(axes: Sequence[Axes]) -> None:
    """Shade chemical accuracy in ``axes``, which share their y axis, in mHa."""
    top = 1e3 * CHEMICAL_ACCURACY_HA
    low, high = axes[0].get_ylim()
    low, high = min(low, top / 5), max(high, top * 5)  # the band and what is outside are seen
    for ax in axes:
        ax.axhspan(low, top, color=PALETTE[2], alpha=0.13, linewidth=0, zorder=0, label=ACCURACY)
    axes[0].set_ylim(low, high)


def logarithmic(*axes: Axes) -> None:
    """Give ``axes`` a logarithmic y axis."""
    for ax in axes:
        ax.set_yscale("log")
        ax.tick_params(which="minor", length=1.5, width=0.4, color=INK)
        ax.yaxis.set_minor_formatter(NullFormatter())  # less than a decade would get powers


def named(ax: Axes, title: str, x: str, y: str) -> None:
    """Title and labels of ``ax``."""
    ax.set_title(title, fontsize=SMALL + 1, color=INK, loc="left")
    ax.set_xlabel(x, fontsize=SMALL, color=INK)
    ax.set_ylabel(y, fontsize=SMALL, color=INK)


def legend(figure: Figure) -> None:
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
