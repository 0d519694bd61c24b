"""What pre-training has seen, without labels, of the pixels that are tested."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np

from toolkit.core import weights
from toolkit.core.config import load
from toolkit.core.errors import ConfigError, DataError, RunError
from toolkit.core.files import is_file
from toolkit.core.run import Run
from toolkit.hsi.config import HsiPretrainConfig
from toolkit.hsi.protocol.split import Split
from toolkit.hsi.scene import Scene
from toolkit.hsi.standardisation import Statistics, statistics

_log = logging.getLogger(__name__)


def seen_by_trunk(trunk: Path, scene: Scene, split: Split) -> int | None:
    """Test pixels whose spectra, not labels, the pre-training of ``trunk`` learnt from.

    Whether it was of this scene is told by what it keeps of it, mean and deviation of each band,
    whatever the file is called now; or else by the file's hash. None where the trunk can no longer
    be read: what was trained on it can be judged all the same.
    """
    try:
        return _seen(trunk, scene, split)
    except (ConfigError, DataError, RunError) as error:
        _log.warning("what %s saw of the test pixels is unknown: %s", trunk, error.what)
        return None


def _seen(trunk: Path, scene: Scene, split: Split) -> int:
    area = np.ones(scene.shape, bool) if scene.valid is None else scene.valid
    if is_file(trunk / "split.npz"):  # inductive
        blocks = Split.load(trunk / "split.npz").train_area
        if blocks is None or blocks.shape != scene.shape:
            return 0
        area = area & blocks
    if not (_has_statistics(trunk, statistics(scene.cube, area)) or _has_file(trunk, scene)):
        return 0
    return int(np.count_nonzero(split.test[area]))


def _has_statistics(trunk: Path, own: Statistics) -> bool:
    kept = weights.read(trunk)
    pairs = ((kept["mean"], own.mean), (kept["deviation"], own.deviation))
    return all(a.shape == b.shape and np.allclose(a, b, rtol=1e-4) for a, b in pairs)


def _has_file(trunk: Path, scene: Scene) -> bool:
    if not scene.cube_facts or Run(trunk).changed_data(scene.cube_facts):
        return False
    return load(HsiPretrainConfig, file=trunk / "config.toml").variable == scene.variable
