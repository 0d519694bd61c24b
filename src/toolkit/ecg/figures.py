"""Figures of an ECG run: learning, confusion, records, and examples to look at."""

from __future__ import annotations

import numpy as np

from toolkit.core import metrics, plots
from toolkit.core.run import Run
from toolkit.ecg.study import Floats, Labels, Study

_MOST = 12


def draw(run: Run, chosen: Study, name: str, decided: Labels, probabilities: Floats) -> None:
    """Write the figures of part ``name`` into ``run``."""
    part = chosen.parts[name]
    counts = metrics.confusion_matrix(part.truth, decided, len(chosen.classes))
    caption = (
        f"Confusion matrix of the {name} part: true classes in rows with their number, sensitivity "
        "on the right, positive predictivity above."
    )
    confusion = plots.confusion_matrix(counts, chosen.classes)
    plots.save(confusion, run.figures / "confusion.png", caption)
    draw_learning(run)
    rows = _examples(part.truth, decided, probabilities)
    strips = chosen.strips(name, rows)
    for row, strip in zip(rows, strips):
        said = chosen.classes[decided[row]]
        truth = chosen.classes[part.truth[row]]
        sure = probabilities[row, decided[row]]
        verdict = truth if said == truth else f"{truth} called {said}"
        strip["title"] = f"{strip.get('title', '')}: {verdict} ({sure:.0%})"
    figure = plots.signal_strips(strips, columns=2)
    caption = (
        "Examples: of each class the one that the network is surest of, then the surest mistakes. "
        "In brackets the probability that it gives its answer."
    )
    plots.save(figure, run.figures / "examples.png", caption)


def draw_learning(run: Run) -> None:
    """Loss and validation figures against steps."""
    lines = run.metrics
    seen = {key for line in lines for key in line}
    keys = [key for key in ("train/loss", "val/accuracy", "val/macro_f1") if key in seen]
    if keys and len(lines) > 1:
        caption = "Learning: means since the line before for training, the whole part for val."
        plots.save(plots.learning_curves(lines, keys), run.figures / "learning.png", caption)


def _examples(truth: Labels, decided: Labels, probabilities: Floats) -> Labels:
    """Of each class the surest right example and the surest wrong one, mistakes last."""
    sure = probabilities.max(axis=1)
    rows: list[int] = []
    for right in (True, False):
        for label in np.unique(truth):
            fitting = np.flatnonzero((truth == label) & ((decided == truth) == right))
            if len(fitting):
                rows.append(int(fitting[sure[fitting].argmax()]))
    return np.array(rows if len(rows) <= _MOST else rows[: _MOST // 2] + rows[-_MOST // 2 :])
