"""Pre-training: tell the blocks of a scene apart, then keep the trunk."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from toolkit.core import rng
from toolkit.core.distributed import Ranks
from toolkit.core.run import Run
from toolkit.core.supervised import Problem
from toolkit.hsi import artificial_labels
from toolkit.hsi.artificial_labels import ArtificialLabels
from toolkit.hsi.config import HsiPretrainConfig
from toolkit.hsi.examples import IGNORED, Crops
from toolkit.hsi.figures import draw_blocks, draw_learning
from toolkit.hsi.model import HsiModel
from toolkit.hsi.protocol.partition import split_of
from toolkit.hsi.scene import Mask, Scene
from toolkit.hsi.standardisation import filled, statistics
from toolkit.hsi.stored import save_model

_JUDGED = 64  # crops that the block accuracy is taken over


def problem(scene: Scene, config: HsiPretrainConfig, run: Run, ranks: Ranks) -> Problem:
    """The supervised problem of ``config``: no label of ``scene`` is looked at.

    Inductive pre-training does look at where the labels are, since its training blocks are chosen
    so that all classes are in them; of their values it sees nothing.
    """
    area = _area(scene, config, run, ranks)
    blocks = _labels(scene, config, area)
    figures = statistics(scene.cube, area)
    cube = scene.cube
    if config.inductive is not None and area is not None:
        cube = filled(cube, area)  # a crop reaches out of it
    with rng.torch_scope(config.seed, "weights"):
        model = HsiModel(config.network, scene.bands, blocks.class_counts)
    model.set_statistics(*figures)
    crops = Crops(cube, blocks.planes, config.crop, model.patch, figures, config.augmentation)
    judge = partial(_accuracy, crops=crops, counts=blocks.class_counts, ranks=ranks)
    if ranks.is_main:
        run.record_data(scene.facts)
        draw_blocks(run.figures / "blocks.png", scene, blocks)
    return Problem(
        model=model,
        train=crops,
        loss=partial(block_loss, counts=blocks.class_counts),
        evaluate=judge,
        finish=lambda model, run: _finish(model, run, scene, config, blocks, judge),
    )


def _area(scene: Scene, config: HsiPretrainConfig, run: Run, ranks: Ranks) -> Mask | None:
    """The pixels that may be seen; None = all."""
    if config.inductive is None:
        return scene.valid
    split = split_of(scene, config.inductive, config.network, config.seed)
    if ranks.is_main:
        split.save(run.path / "split.npz")
    assert split.train_area is not None
    return split.train_area if scene.valid is None else split.train_area & scene.valid


def _labels(scene: Scene, config: HsiPretrainConfig, area: Mask | None) -> ArtificialLabels:
    chosen = config.artificial
    generator = rng.generator(config.seed, "artificial")
    return artificial_labels.make(
        chosen.kind, chosen.blocks, chosen.shifts, scene.cube, generator, area=area
    )


def block_loss(logits_BKHW: Tensor, targets_BGHW: Tensor, counts: tuple[int, ...]) -> Tensor:
    """Mean cross-entropy over the labellings, each with its own part of the head.

    Classes go last, as they lie in memory: torch is a third quicker so.
    """
    parts = torch.split(logits_BKHW.movedim(1, -1), list(counts), dim=-1)
    losses = [
        F.cross_entropy(part.flatten(0, 2), targets_BGHW[:, g].flatten(), ignore_index=IGNORED)
        for g, part in enumerate(parts)
    ]
    return torch.stack(losses).mean()


@torch.no_grad()
def _accuracy(
    model: nn.Module, *, crops: Crops, counts: tuple[int, ...], ranks: Ranks
) -> dict[str, float]:
    """Share of pixels whose block is told right, over evenly spread crops, without augmentation."""
    places = np.linspace(0, len(crops) - 1, min(_JUDGED, len(crops))).astype(np.int64)
    right = learnt = 0
    for own in np.array_split(places, max(1, len(places) // 16)):
        (x_BCHW,), targets_BGHW = crops.batch(own, None)
        device = next(model.parameters()).device
        parts = torch.split(model(x_BCHW.to(device)).cpu(), list(counts), dim=1)
        found_BGHW = torch.stack([part.argmax(1) for part in parts], dim=1)
        right += int((found_BGHW == targets_BGHW).sum())
        learnt += int((targets_BGHW != IGNORED).sum())
    return {"block_accuracy": right / max(learnt, 1)}


def _finish(
    model: nn.Module,
    run: Run,
    scene: Scene,
    config: HsiPretrainConfig,
    blocks: ArtificialLabels,
    judge: Any,
) -> Mapping[str, Any]:
    assert isinstance(model, HsiModel)
    save_model(run.path, model, scene, classes=())
    draw_learning(run, "train/loss", "block_accuracy")
    return {
        "title": f"Pre-training on {scene.name}, {config.artificial.kind} labels",
        **judge(model),
        "scene": scene.name,
        "network": config.network.name,
        "patch": model.patch,
        "labellings": dict(zip(blocks.names, blocks.class_counts)),
        "pixels_seen": "training blocks" if config.inductive else "all",
        "parameters": sum(p.numel() for p in model.trunk.parameters()),
        "seed": config.seed,
        "warnings": list(scene.warnings),
        "notes": [*_notes(config), *scene.notes],
    }


def _notes(config: HsiPretrainConfig) -> list[str]:
    if config.inductive is not None:
        return ["Inductive: only pixels of the split's training blocks were seen, none labelled."]
    return ["Transductive: all pixels of the scene were seen, none with a label."]
