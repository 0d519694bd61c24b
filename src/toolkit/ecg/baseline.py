"""The honest yardstick beside the network: gradient boosting on features of beats and rhythm."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier

from toolkit.core import metrics
from toolkit.ecg.beat_examples import BeatSeries
from toolkit.ecg.beats import CLASSES
from toolkit.ecg.evaluation import beat_scores
from toolkit.ecg.fragment_features import fragment_features
from toolkit.ecg.study import Labels

Signals = NDArray[np.float32]


def gradient_boosting(
    train: Sequence[BeatSeries],
    weights: NDArray[np.float64],
    test: Sequence[BeatSeries],
    seed: int,
) -> dict[str, Any]:
    """Scores on ``test`` of histogram boosting fitted to rhythm and shape features of ``train``.

    ``weights`` are those by which the network's examples are drawn, pseudo-records included.
    """
    side = np.concatenate([part.side_BS for part in train])
    label = np.concatenate([part.label for part in train])
    model = HistGradientBoostingClassifier(
        max_iter=150,
        learning_rate=0.06,
        max_leaf_nodes=15,
        min_samples_leaf=40,
        l2_regularization=1.0,
        early_stopping=False,
        random_state=seed,
    )
    chosen = weights > 0
    model.fit(side[chosen], label[chosen], weights[chosen] / weights[chosen].mean())
    counts = [
        metrics.confusion_matrix(part.label, model.predict(part.side_BS), len(CLASSES))
        for part in test
    ]
    return beat_scores(np.stack(counts))


def fragment_boosting(
    train: tuple[Signals, Labels],
    weights: NDArray[np.float64],
    test: tuple[Signals, Labels],
    fs_hz: float,
    seed: int,
) -> dict[str, Any]:
    """Scores on ``test`` of histogram boosting fitted to :func:`fragment_features` of ``train``.

    Signals are (n, T) in mV; ``weights`` (n,) are those by which the network's are drawn.
    """
    (learnt, label), (unseen, truth) = train, test
    model = HistGradientBoostingClassifier(
        max_iter=60,
        max_leaf_nodes=8,
        min_samples_leaf=5,
        l2_regularization=1.0,
        early_stopping=False,
        random_state=seed,
    )
    model.fit(fragment_features(learnt, fs_hz), label, weights / weights.mean())
    decided = model.predict(fragment_features(unseen, fs_hz))
    counts = metrics.confusion_matrix(truth, decided, int(max(label.max(), truth.max())) + 1)
    scores = {"accuracy": metrics.accuracy, "balanced_accuracy": metrics.balanced_accuracy}
    return {key: float(of(counts)) for key, of in {**scores, "macro_f1": metrics.macro_f1}.items()}
