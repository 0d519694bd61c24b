"""Predicted against true signals."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from toolkit.core import plots
from toolkit.core.run import Run
from toolkit.core.supervised import Indices
from toolkit.ecg.regression import scores
from toolkit.ecg.regression.predictors import joined
from toolkit.ecg.regression.windows import HiddenExamples
from toolkit.ecg.study import Floats

_SHOWN, _COLUMNS = 12, 3


def draw(
    run: Run,
    examples: HiddenExamples,
    at: Indices,
    predicted_BLT: Floats,
    names: NDArray[np.str_],
) -> None:
    """Evenly spread windows, first lead: what was seen, what was hidden, what was predicted."""
    chosen = np.unique(np.linspace(0, len(at) - 1, min(_SHOWN, len(at))).astype(int))
    true_BLT: Floats = examples.windows.signals(at[chosen]).numpy()
    hidden_BT = examples.hidden(at[chosen], true_BLT.shape[-1], None)
    guide = examples.guide(at[chosen], hidden_BT)
    start_BLT = joined(true_BLT, hidden_BT, guide)
    known = scores.ALIKE if examples.hiding.is_alike else scores.JOINED
    start = known if guide is not None else "straight line"
    scale = examples.windows.millivolts(at[chosen])[:, 0]
    lines = -(-len(chosen) // _COLUMNS)
    figure, axes = plots.canvas(plots.WIDTH_IN, 1.5 * lines + 0.4, lines, _COLUMNS)
    time_s = np.arange(true_BLT.shape[-1]) / examples.windows.fs_hz
    for ax, row in zip(axes, range(len(chosen))):
        hidden, unit = hidden_BT[row], scale[row]
        seen = np.where(hidden, np.nan, true_BLT[row, 0])
        marker = "." if hidden.mean() > 0.5 else ""
        ax.plot(time_s, true_BLT[row, 0] * unit, color=plots.FAINT, lw=2.2, label="true")
        ax.plot(time_s, seen * unit, color=plots.INK, lw=0.9, ms=2, marker=marker, label="seen")
        guess = np.where(hidden, predicted_BLT[chosen[row], 0], np.nan)
        ax.plot(time_s, guess * unit, color=plots.PALETTE[1], lw=1.1, label="network")
        other = np.where(hidden, start_BLT[row, 0], np.nan)
        ax.plot(time_s, other * unit, color=plots.PALETTE[0], lw=0.8, ls=":", label=start)
        ax.set_title(f"record {names[chosen[row]]}", fontsize=plots.SMALL)
        ax.tick_params(labelsize=plots.SMALL)
    for ax in axes[len(chosen) :]:
        ax.set_axis_off()
    axes[0].set(ylabel="mV")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, fontsize=plots.SMALL)
    plots.save(
        figure,
        run.figures / "predictions.png",
        "Held-out patients, first lead, mV over seconds: hidden samples as the network predicts "
        f"them, as it starts from ({start}), and as they were.",
    )
    lines_of = run.metrics
    if len(lines_of) > 1:
        curves = plots.learning_curves(lines_of, ["train/loss", "val/loss"])
        caption = "Mean squared error of hidden samples; val: of held-out patients."
        plots.save(curves, run.figures / "learning.png", caption)
