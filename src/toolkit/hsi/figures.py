"""Pictures of a scene: its colours beside its truth or its artificial labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from toolkit.core.plots import SMALL, canvas, confusion_matrix, learning_curves, save
from toolkit.core.run import Run
from toolkit.hsi import artificial_labels
from toolkit.hsi.artificial_labels import ArtificialLabels
from toolkit.hsi.maps.legend import Legend
from toolkit.hsi.scene import Scene
from toolkit.hsi.survey import colour_composite

_PANEL_IN = 3.2


def draw_scene(path: Path, scene: Scene) -> Path:
    """The scene in colours, beside its ground truth where it has one."""
    pictures = {scene.name: colour_composite(scene)}
    if scene.labels is not None:
        pictures["ground truth"] = Legend.of_scene(scene).paint(scene.labels - 1)
    return _beside(path, pictures, f"{scene.name} in colours, and its labelled pixels.")


def draw_blocks(path: Path, scene: Scene, blocks: ArtificialLabels) -> Path:
    """The scene in colours beside each of its artificial labellings."""
    pictures = {scene.name: colour_composite(scene)}
    for name, count, plane in zip(blocks.names, blocks.class_counts, blocks.planes):
        pictures[f"{name}: {count} classes"] = artificial_labels.picture(plane)
    return _beside(path, pictures, "Artificial labels, one colour a class.")


def draw_learning(run: Run, *keys: str) -> None:
    """Figures against steps, one panel each."""
    lines = run.metrics
    if len(lines) > 1:
        caption = "Learning: means since the line before."
        save(learning_curves(lines, keys), run.figures / "learning.png", caption)


def draw_confusion(run: Run, counts: ArrayLike, classes: Sequence[str]) -> None:
    """True classes in rows, predicted ones in columns."""
    caption = (
        "Confusion matrix of the pixels that the run is judged by: true classes in rows with their "
        "number, accuracy on the right, share of right predictions above."
    )
    save(confusion_matrix(counts, classes), run.figures / "confusion.png", caption)


def _beside(path: Path, pictures: Mapping[str, NDArray[np.uint8]], caption: str) -> Path:
    rows, columns = next(iter(pictures.values())).shape[:2]
    height = _PANEL_IN * min(rows / columns, 2.5)
    figure, axes = canvas(_PANEL_IN * len(pictures), height + 0.3, columns=len(pictures))
    for ax, (title, picture) in zip(axes, pictures.items()):
        ax.imshow(picture, interpolation="nearest")
        ax.set_title(title, fontsize=SMALL, loc="left")
        ax.set_axis_off()
    return save(figure, path, caption)
