"""What a trained network says of a scene, and how right that is."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.core.metrics import ClassificationScores, sensitivity
from toolkit.core.progress import Progress
from toolkit.hsi.config import HsiTrainConfig
from toolkit.hsi.maps.mapping import ClassMap, decide, predict
from toolkit.hsi.model import HsiModel
from toolkit.hsi.scene import Labels, Scene


@dataclass(frozen=True, eq=False)
class Found:
    """The class map of a scene; ``raw`` are its classes before regularisation, if there was one."""

    map: ClassMap
    raw: NDArray[np.int16] | None = None

    def digest(self) -> str:
        """SHA-256 of the classes."""
        return hashlib.sha256(np.ascontiguousarray(self.map.classes, "<i2").tobytes()).hexdigest()


def classify(
    model: HsiModel,
    scene: Scene,
    config: HsiTrainConfig,
    train: Labels | None = None,
    progress: Progress | None = None,
) -> Found:
    """The class map of ``scene``, regularised in space where ``config`` asks for it.

    Regularisation holds the pixels of ``train`` (rows, columns) at their known classes.
    """
    asked = config.regularise > 0
    found = predict(
        model, scene.cube, where=scene.valid, keep_probabilities=asked, progress=progress
    )
    if found.probabilities is None:
        return Found(found)
    from toolkit.hsi.maps.regularisation import regularised

    strength = config.regularise
    smooth = regularised(found.probabilities, scene.cube, strength, seeds=train)
    return Found(decide(smooth), raw=found.classes)


def scores(found: Found, truth: Labels, names: tuple[str, ...], train: Labels) -> dict[str, Any]:
    """OA, AA, kappa and each class's accuracy on the pixels of ``truth``."""
    part = truth > 0
    own = _scores(found.map.classes, truth, names)
    accuracy = sensitivity(own.counts)
    learnt = np.bincount(train.ravel(), minlength=len(names) + 1)[1:]
    tested = own.counts.sum(1)
    result = {
        **_summary(own),
        "n_train": int(learnt.sum()),
        "n_test": int(part.sum()),
        "classes": {
            name: {
                "n_train": int(learnt[k]),
                "n_test": int(tested[k]),
                "accuracy": None if np.isnan(accuracy[k]) else float(accuracy[k]),
            }
            for k, name in enumerate(names)
        },
        "confusion": own.counts.tolist(),
    }
    if found.raw is not None:
        result["unregularised"] = _summary(_scores(found.raw, truth, names))
    return result


def _scores(
    classes: NDArray[np.int16], truth: Labels, names: tuple[str, ...]
) -> ClassificationScores:
    part = truth > 0
    return ClassificationScores.from_labels(truth[part] - 1, classes[part], names)


def _summary(own: ClassificationScores) -> dict[str, float]:
    return {"oa": own.accuracy, "aa": own.balanced_accuracy, "kappa": own.kappa}
