"""The split that a run's settings stand for."""

from __future__ import annotations

import logging

import numpy as np

from toolkit.core import rng
from toolkit.core.errors import DataError
from toolkit.hsi.config import SplitConfig
from toolkit.hsi.network_config import NetworkConfig, patch_of
from toolkit.hsi.protocol.splits import (
    Split,
    disjoint_split,
    given_split,
    random_split,
    whole_split,
)
from toolkit.hsi.scene import Labels, Scene

_log = logging.getLogger(__name__)


def split_of(scene: Scene, config: SplitConfig, network: NetworkConfig, seed: int) -> Split:
    """Training and test pixels of ``scene``; ``seed`` decides where ``config.draw`` does not.

    Raises:
        DataError: the scene has no labels, or none that can be split so.
    """
    if scene.labels is None:
        raise DataError(
            f"scene {scene.name} has no labels",
            where="--labels",
            hint="--labels FILE: a label map, or a CSV file of row,column,class",
        )
    if config.kind == "all":
        return whole_split(scene.labels, classes=scene.classes)
    draw = seed if config.draw is None else config.draw
    generator = rng.generator(draw, "split")
    if config.kind == "random":
        return random_split(
            scene.labels, config.per_class, generator, classes=scene.classes, seed=draw
        )
    patch = max(config.patch or 1, patch_of(network))
    if config.kind == "disjoint":
        return disjoint_split(
            scene.labels,
            config.per_class,
            patch,
            generator,
            block=config.block,
            classes=scene.classes,
            seed=draw,
        )
    train, test = _given(scene, config)
    return given_split(train, test, patch, classes=scene.classes)


def _given(scene: Scene, config: SplitConfig) -> tuple[Labels, Labels]:
    """The user's own maps, their ids as the scene's."""
    from toolkit.hsi.formats.label_files import read_as

    assert config.train_map is not None and config.test_map is not None
    maps = (config.train_map, config.test_map)
    train, test = (_with_data(np.asarray(read_as(path, scene), np.int32), scene) for path in maps)
    return train, test


def _with_data(labels: Labels, scene: Scene) -> Labels:
    """Labels (rows, columns) without those of pixels that have no data."""
    if scene.valid is None:
        return labels
    if lost := int(np.count_nonzero(labels[~scene.valid])):
        _log.warning("%d pixels of the given maps are without data: left out", lost)
    return np.where(scene.valid, labels, 0).astype(np.int32)
