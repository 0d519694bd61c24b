"""Gaps and what was put into them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from toolkit.core import plots
from toolkit.ecg.filling.fill import FILLED, Gap
from toolkit.ecg.records import Record

_SHOWN, _COLUMNS, _AROUND_S = 12, 3, 0.8


def draw(path: Path, filled: Record, gaps: Sequence[Gap]) -> None:
    """Some of the filled gaps, evenly spread; nothing where there are none."""
    done = [gap for gap in gaps if gap.outcome == FILLED]
    if not done:
        return
    shown = [done[i] for i in np.unique(np.linspace(0, len(done) - 1, _SHOWN).astype(int))]
    lines = -(-len(shown) // _COLUMNS)
    figure, axes = plots.canvas(plots.WIDTH_IN, 1.5 * lines + 0.4, lines, _COLUMNS)
    for ax, gap in zip(axes, shown):
        _strip(ax, filled, gap)
    for ax in axes[len(shown) :]:
        ax.set_axis_off()
    axes[0].set(ylabel="mV")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, fontsize=plots.SMALL)
    plots.save(figure, path, f"Gaps of {filled.name} and what was put into them, over seconds.")


def _strip(ax: Axes, filled: Record, gap: Gap) -> None:
    around = round(_AROUND_S * filled.fs_hz)
    at = np.arange(max(0, gap.start - around), min(filled.n_samples, gap.stop + around))
    adu = filled.signal_adu[at][:, [gap.column]]
    x_mv, time_s = filled.to_millivolts(adu, [gap.column])[:, 0], at / filled.fs_hz
    recorded = (at < gap.start) | (at >= gap.stop)
    drawn = (at >= gap.start - 1) & (at <= gap.stop)  # to what it meets on both sides
    seen, guess = np.where(recorded, x_mv, np.nan), np.where(drawn, x_mv, np.nan)
    ax.plot(time_s, seen, color=plots.INK, lw=0.9, label="recorded")
    ax.plot(time_s, guess, color=plots.PALETTE[1], lw=1.1, label="filled")
    ax.set_title(filled.leads[gap.column], fontsize=plots.SMALL)
    ax.tick_params(labelsize=plots.SMALL)
