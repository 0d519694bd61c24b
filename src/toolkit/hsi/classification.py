"""Learning true classes from a few labelled pixels, on a pre-trained trunk or from scratch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import nn

from toolkit.core import rng
from toolkit.core.distributed import Ranks, check_batch
from toolkit.core.run import Run
from toolkit.core.supervised import Problem, predict
from toolkit.hsi import evaluation, stored
from toolkit.hsi.config import HsiFinetuneConfig, HsiTrainConfig
from toolkit.hsi.examples import IGNORED, Pixels
from toolkit.hsi.figures import draw_confusion, draw_learning
from toolkit.hsi.heads import Loss, mean_over_heads
from toolkit.hsi.maps.map_figures import draw_map
from toolkit.hsi.model import HsiModel
from toolkit.hsi.network_config import patch_of
from toolkit.hsi.protocol.leak import prove
from toolkit.hsi.protocol.partition import split_of
from toolkit.hsi.protocol.splits import Split, validation_part
from toolkit.hsi.protocol.trunk_leak import seen_by_trunk
from toolkit.hsi.scene import Labels, Scene
from toolkit.hsi.standardisation import Statistics, statistics
from toolkit.hsi.transductive import Unlabelled, consistency_loss

UNTESTED = "all labelled pixels were learnt from: none is left to tell how right the map is"


@dataclass(frozen=True, eq=False)
class Study:
    """Which pixels of a scene are learnt from and judged, proved to be apart.

    Attributes:
        scene: with its labels.
        split: training and test pixels.
        train: (rows, columns) the pixels that are learnt from.
        judged: (rows, columns) those that the run is judged by: test pixels, or a validation part
            of the training pixels.
        leak: what training and test share at the network's patch.
    """

    scene: Scene
    split: Split
    train: Labels
    judged: Labels
    leak: Mapping[str, int]

    @property
    def facts(self) -> dict[str, Any]:
        """Hashes of scene and split, for the run's ``data.json``."""
        return {**self.scene.facts, "split": self.split.digest()}


def study(scene: Scene, config: HsiTrainConfig) -> Study:
    """The pixels that ``config`` stands for.

    Raises:
        DataError: the scene cannot be split so, or training and test pixels are not apart.
    """
    split = split_of(scene, config.split, config.network, config.seed)
    leak = prove(split, patch_of(config.network))
    if isinstance(config, HsiFinetuneConfig):
        seen = seen_by_trunk(config.trunk, scene, split)
        leak |= {} if seen is None else {"test_pixels_seen_in_pretraining": seen}
    return Study(scene, split, *learnt_part(split, config), leak)


def learnt_part(split: Split, config: HsiTrainConfig) -> tuple[Labels, Labels]:
    """The pixels of ``split`` (rows, columns) that are learnt from, and those that judge."""
    if config.split.validation == 0:
        return split.train, split.test
    generator = rng.generator(config.seed, "validation")
    return validation_part(split, config.split.validation, generator)


def problem(scene: Scene, config: HsiTrainConfig, run: Run, ranks: Ranks) -> Problem:
    """The supervised problem of ``config``; only training pixels' labels reach the network."""
    chosen = study(scene, config)
    model, figures = _model(scene, config)
    learnt = _pixels(scene, chosen.train, model.patch, figures, config)
    if ranks.is_main:
        chosen.split.save(run.path / "split.npz")
        run.record_data(chosen.facts)
    unlabelled = config.transductive.batch_size
    examples = Unlabelled(learnt, unlabelled, scene.valid) if unlabelled else learnt
    loss: Loss = partial(
        F.cross_entropy, ignore_index=IGNORED, label_smoothing=config.label_smoothing
    )
    if unlabelled:
        check_batch(unlabelled, ranks, "transductive.batch_size")
        loss = partial(consistency_loss, settings=config.transductive, labelled_loss=loss)
    rate = config.trunk_rate if isinstance(config, HsiFinetuneConfig) else 1.0
    return Problem(
        model=model,
        train=examples,
        loss=partial(mean_over_heads, loss=loss),
        evaluate=lambda model: {"train_accuracy": _accuracy(model, learnt)},
        finish=lambda model, run: _finish(model, run, chosen, config),
        rates={"trunk.": rate},
    )


def _model(scene: Scene, config: HsiTrainConfig) -> tuple[HsiModel, Statistics]:
    with rng.torch_scope(config.seed, "weights"):
        model = HsiModel(config.network, scene.bands, len(scene.classes), config.heads)
    own = statistics(scene.cube, scene.valid)
    if isinstance(config, HsiFinetuneConfig):
        stored.load_trunk(config.trunk, model)
        if not config.restandardise:
            return model, Statistics(model.mean.numpy().copy(), model.deviation.numpy().copy())
    model.set_statistics(*own)
    return model, own


def _pixels(
    scene: Scene, labels: Labels, patch: int, figures: Statistics, config: HsiTrainConfig
) -> Pixels:
    places = np.argwhere(labels > 0)
    targets = labels[tuple(places.T)].astype(np.int64) - 1
    return Pixels(scene.cube, places, targets, patch, figures, config.augmentation)


def _accuracy(model: nn.Module, learnt: Pixels) -> float:
    outputs: NDArray[np.float32] = predict(model, learnt)
    return float((outputs.argmax(1).ravel() == learnt.targets).mean())


def _finish(model: nn.Module, run: Run, chosen: Study, config: HsiTrainConfig) -> Mapping[str, Any]:
    assert isinstance(model, HsiModel)
    stored.save_model(run.path, model, chosen.scene, chosen.scene.classes)
    found, result = judge(model, chosen, config)
    draw_map(run.figures / "map.png", chosen.scene, found.map.classes, found.map.confidence)
    if result["n_test"]:
        draw_confusion(run, result["confusion"], chosen.scene.classes)
    draw_learning(run, "train/loss", "train_accuracy")
    return result


def judge(
    model: HsiModel, chosen: Study, config: HsiTrainConfig
) -> tuple[evaluation.Found, dict[str, Any]]:
    """The class map of the scene, and how right it is on the pixels that are judged."""
    scene, split = chosen.scene, chosen.split
    found = evaluation.classify(model, scene, config, chosen.train)
    is_judged = bool(chosen.judged.any())
    return found, {
        "title": f"{_how(config)} on {scene.name}, {_named(config)}",
        "headline": [*(("oa", "aa", "kappa") if is_judged else ()), "n_train", "n_test"],
        **evaluation.scores(found, chosen.judged, scene.classes, chosen.train),
        "scene": scene.name,
        "network": config.network.name,
        "arm": "pre-trained" if isinstance(config, HsiFinetuneConfig) else "scratch",
        "judged_on": ("validation" if config.split.validation else "test") if is_judged else None,
        **_settings(config, split),
        "leak": dict(chosen.leak),
        "parameters": sum(p.numel() for p in model.parameters()),
        "patch": model.patch,
        "map_sha256": found.digest(),
        "warnings": list(scene.warnings),
        "notes": [*_notes(config), *(() if is_judged else (UNTESTED,)), *split.notes, *scene.notes],
    }


def _how(config: HsiTrainConfig) -> str:
    return "Fine-tuning" if isinstance(config, HsiFinetuneConfig) else "Training from scratch"


def _named(config: HsiTrainConfig) -> str:
    if config.split.kind == "given":
        return "the user's own split"
    if config.split.kind == "all":
        return "validated" if config.split.validation else "every labelled pixel learnt from"
    return f"{config.split.kind} split"


def _settings(config: HsiTrainConfig, split: Split) -> dict[str, Any]:
    return {
        "split": split.name,
        "per_class": split.per_class,
        "draw": split.seed,
        "seed": config.seed,
        "learning_rate": config.learning_rate,
        "split_sha256": split.digest(),
    }


def _notes(config: HsiTrainConfig) -> list[str]:
    notes = []
    if not isinstance(config, HsiFinetuneConfig) or config.restandardise:
        notes.append("Bands were standardised over all pixels of the scene, none with a label.")
    if config.transductive.batch_size:
        notes.append("Transductive: unlabelled pixels, test pixels among them, were learnt from.")
    if config.regularise:
        notes.append(
            f"The map was regularised in space (strength {config.regularise:g}) before it was "
            "scored; unregularised has the network's own figures."
        )
    return notes
