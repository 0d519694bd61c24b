"""From a run's settings to its task."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from toolkit.core import onnx_file, rng
from toolkit.core.config import RunConfig
from toolkit.core.distributed import Ranks, resolve_device
from toolkit.core.errors import DataError
from toolkit.core.progress import Progress
from toolkit.core.run import Run
from toolkit.core.supervised import Supervised
from toolkit.hsi import (
    classification,
    evaluation,
    known_scenes,
    pretraining,
    scenes,
    stored,
    synthetic,
)
from toolkit.hsi.config import HsiPretrainConfig, HsiTrainConfig, SceneConfig
from toolkit.hsi.denoising import denoised
from toolkit.hsi.maps.legend import Legend
from toolkit.hsi.maps.mapping import ClassMap
from toolkit.hsi.network_config import patch_of
from toolkit.hsi.protocol.splits import Split
from toolkit.hsi.scene import Labels, Scene


def build(run: Run, config: RunConfig, ranks: Ranks) -> Supervised:
    """The task of ``run``: pre-train, fine-tune or train from scratch."""
    assert isinstance(config, HsiPretrainConfig | HsiTrainConfig)
    scene = load(config)
    _check_patch(scene, patch_of(config.network))
    if isinstance(config, HsiPretrainConfig):
        problem = pretraining.problem(scene, config, run, ranks)
    else:
        problem = classification.problem(scene, config, run, ranks)
    return Supervised(problem, config, resolve_device(config.device), ranks)


def _check_patch(scene: Scene, patch: int) -> None:
    if patch > min(scene.shape):
        rows, columns = scene.shape
        raise DataError(
            f"a patch of {patch} x {patch} pixels is larger than the scene of {rows} x {columns}",
            where=scene.name,
            hint="--network hu2015 looks at single pixels",
        )


def evaluate(folder: Path, config: HsiTrainConfig) -> dict[str, Any]:
    """Score the classifier in ``folder`` (a run or a released model) anew, on its own split.

    Raises:
        RunError: no finished model is there, it does not fit its settings, or scene or labels are
            no longer those of the run: a split drawn anew could test what was learnt from.
        DataError: the scene is missing or damaged.
    """
    model, _ = stored.load_model(folder, config.network, config.heads)
    chosen = classification.study(load(config), config)
    if (folder / "data.json").exists():  # of a run
        Run(folder).record_data(chosen.facts)
    return classification.judge(model, chosen, config)[1]


class Mapped(NamedTuple):
    """The map of a scene, what its classes are called, and what must be known of it."""

    map: ClassMap
    legend: Legend
    warnings: tuple[str, ...]


def class_map(
    folder: Path, config: HsiTrainConfig, scene: Scene, progress: Progress | None = None
) -> Mapped:
    """What the classifier in ``folder`` says of every pixel of ``scene``.

    On the scene that it was trained on, told by the hashes of its cube, this is the map that its
    run was judged by: regularisation holds the pixels that were learnt from.

    Raises:
        RunError: no finished model is there, or it does not fit its settings.
        DataError: the scene has another number of bands.
    """
    model, about = stored.load_model(folder, config.network, config.heads)
    model.to(resolve_device(config.device))
    scene = _without_noise(scene, config.denoise)
    train = _learnt_from(Run(folder), scene, config) if config.regularise else None
    found = evaluation.classify(model, scene, config, train, progress)
    colour_of = dict(zip(zip(scene.class_ids, scene.classes), scene.colours))
    classes = [*zip(about.class_ids, about.classes)]
    colours = [colour_of[each] for each in classes if each in colour_of]
    legend = Legend.of(about.classes, about.class_ids, colours)
    return Mapped(found.map, legend, (*scene.warnings, *_other_bands(about, scene)))


def _other_bands(about: stored.About, scene: Scene) -> Iterator[str]:
    """A warning where the scene's bands lie elsewhere than those that the model learnt from."""
    theirs, ours = np.array(about.wavelengths_nm or ()), np.array(scene.wavelengths_nm or ())
    if len(theirs) == len(ours) > 1:
        apart, spacing = np.abs(theirs - ours).max(), np.median(np.abs(np.diff(theirs)))
        if apart > spacing / 2:
            yield (
                f"bands lie up to {apart:.3g} nm from those of {about.scene}, which the model "
                "learnt from: of another sensor, its classes mean nothing"
            )


def _learnt_from(run: Run, scene: Scene, config: HsiTrainConfig) -> Labels | None:
    """The training pixels of ``run`` in the model's own classes, if ``scene`` is where they lie."""
    if not scene.cube_facts or run.changed_data(scene.cube_facts):
        return None
    if scene.variable != config.variable:  # another cube of the same file
        return None
    return classification.learnt_part(Split.load(run.path / "split.npz"), config)[0]


def export(folder: Path, config: HsiTrainConfig, path: Path) -> dict[str, Any]:
    """Write the classifier in ``folder`` as ONNX; says what the file takes and gives.

    Raises:
        RunError: no finished model is there, or it does not fit its settings.
        UnavailableError: the packages of extra ``onnx`` are missing.
    """
    model, about = stored.load_model(folder, config.network, config.heads)
    sides = ((2, 5, 6), (1, 0, 0), (3, 9, 1))  # tiles, and pixels beyond one patch
    with rng.torch_scope(0, "examples"):
        noise = [torch.randn(n, about.bands, model.patch + h, model.patch + w) for n, h, w in sides]
    examples = [x * model.deviation[:, None, None] + model.mean[:, None, None] for x in noise]
    facts = {"classes": ", ".join(about.classes), "scene": about.scene}
    worst = onnx_file.write(path, model, examples, (0, 2, 3), facts)
    size = {"bands": about.bands, "patch": model.patch, "classes": list(about.classes)}
    return {"model": str(folder), "file": str(path), "largest_difference": worst, **size}


def load(config: SceneConfig) -> Scene:
    """The scene of ``config``; given maps name the classes of a file that has no other labels.

    Raises:
        DataError: it is missing, damaged or unfit.
    """
    labels = config.labels
    is_bare = config.scene not in known_scenes.NAMES and config.labels_variable is None
    if labels is None and is_bare and isinstance(config, HsiTrainConfig):
        labels = config.split.train_map
    return _read(
        config.scene,
        labels,
        config.data_dir,
        config.variable,
        config.labels_variable,
        config.drop_bands,
        config.no_data,
        config.denoise,
        config.classes,
    )


@lru_cache(maxsize=1)  # the runs of a comparison are on one scene
def _read(
    scene: str,
    labels: Path | None,
    data_dir: Path | None,
    variable: str | None,
    labels_variable: str | None,
    drop_bands: scenes.DropBands,
    no_data: float | None,
    denoise: tuple[int, int, int] | None,
    classes: tuple[int, ...] | None,
) -> Scene:
    read = scenes.load(
        scene,
        labels=labels,
        data_dir=data_dir,
        variable=variable,
        labels_variable=labels_variable,
        drop_bands=drop_bands,
        no_data=no_data,
    )
    kept = read if classes is None else read.only(classes)
    return _without_noise(kept, denoise)


def _without_noise(scene: Scene, ranks: tuple[int, int, int] | None) -> Scene:
    if ranks is None:
        return scene
    note = f"noise was taken off the scene: {' x '.join(map(str, ranks))} components"
    cube = denoised(scene.cube, ranks, scene.valid)
    return replace(scene, cube=cube, notes=(*scene.notes, note))


def tiny_step(config: HsiPretrainConfig) -> str:
    """One batch on a scene of 24 x 24 pixels: what a self-test says of it.

    Raises:
        ToolkitError: whatever keeps a training from running here.
    """
    scene = synthetic.scene(24, 24, 12, 3, seed=0)
    small = config.model_copy(update={"batch_size": 2, "crop": 8})
    with tempfile.TemporaryDirectory() as folder:
        problem = pretraining.problem(scene, small, Run(Path(folder)), Ranks())
    figures = Supervised(problem, small, resolve_device("cpu")).step(0)
    return f"loss {figures['loss']:.3f}"
