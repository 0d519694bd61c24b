"""The 17-class protocol on ten-second fragments (inferred from Grabowski et al. 2022)."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from toolkit.core import released
from toolkit.core.convnet import Encoder
from toolkit.core.files import read_json
from toolkit.core.heads import ConvClassifier
from toolkit.core.plots import Strip
from toolkit.ecg import fragments
from toolkit.ecg.augmentation import disturbed, random_gain
from toolkit.ecg.baseline import fragment_boosting
from toolkit.ecg.config import AugmentationConfig, EcgTrainConfig
from toolkit.ecg.database import Database
from toolkit.ecg.evaluation import classification
from toolkit.ecg.label_share import labelled
from toolkit.ecg.study import Floats, Labels, Part, Study

_FS_HZ = 360.0
_LEAK = (
    "Fragments of one patient are in training and in test: these figures do not hold for new "
    "patients. Splitting by record (--set fragments.split_by=record) shows what does."
)


class FragmentExamples:
    """Fragments in mV around their median: inputs (n, 1, 3600), targets (n,).

    With ``mixup`` a training batch is blended with itself in another order (Zhang et al. 2018,
    arXiv 1710.09412) and its targets are class probabilities (n, classes).
    """

    def __init__(
        self,
        signal_mv: NDArray[np.float32],
        label: Labels,
        settings: AugmentationConfig,
        mixup: float = 0.0,
    ) -> None:
        centred = signal_mv - np.median(signal_mv, axis=1, keepdims=True)
        self._x_NLT = torch.from_numpy(centred[:, None])
        self._label, self._classes = torch.from_numpy(label), int(label.max()) + 1
        self._settings, self._mixup = settings, mixup

    def __len__(self) -> int:
        return len(self._label)

    def batch(
        self, indices: Labels, generator: Generator | None
    ) -> tuple[tuple[Tensor, ...], Tensor]:
        """Signals and labels; augmented when a generator is given."""
        x_BLT, label_B = self._x_NLT[indices], self._label[indices]
        if generator is None:
            return (x_BLT,), label_B
        x_BLT = x_BLT * random_gain(len(x_BLT), self._settings, generator)
        x_BLT = disturbed(x_BLT, _FS_HZ, self._settings, generator)
        return self._blended(x_BLT, label_B, generator) if self._mixup else ((x_BLT,), label_B)

    def _blended(
        self, x_BLT: Tensor, label_B: Tensor, generator: Generator
    ) -> tuple[tuple[Tensor, ...], Tensor]:
        share = generator.beta(self._mixup, self._mixup, len(label_B)).astype(np.float32)
        share_B1 = torch.from_numpy(np.maximum(share, 1 - share)[:, None])
        other = torch.from_numpy(generator.permutation(len(label_B)))
        target_BK = functional.one_hot(label_B, self._classes).float()
        target_BK = share_B1 * target_BK + (1 - share_B1) * target_BK[other]
        return (share_B1[..., None] * x_BLT + (1 - share_B1[..., None]) * x_BLT[other],), target_BK


def fragment_study(database: Database, config: EcgTrainConfig) -> Study:
    """The study of the 1000 fragments, split by fragment or by record with the run's seed."""
    index = fragments.load_index()
    signal_mv = fragments.cut(database.records, index)
    by = config.fragments.split_by
    make = fragments.split_by_fragment if by == "fragment" else fragments.split_by_record
    split = make(index, config.seed)
    # by record, classes of a single patient cannot be tested: their ids close up
    kept = np.unique(index.label[np.concatenate([split.train, split.test])])
    classes = tuple(fragments.CLASSES[i] for i in kept)
    label = np.searchsorted(kept, index.label)

    def part(rows: Labels) -> Part:
        chosen = signal_mv[rows], label[rows]
        examples = FragmentExamples(*chosen, config.augmentation, config.fragments.mixup)
        return Part(examples, label[rows], index.record[rows])

    few = split.train[labelled(label[split.train], config.label_fraction, config.seed)]
    rows = {"train": few, "validation": split.validation, "test": split.test}
    weights = _class_weights(label[few])

    def baseline() -> dict[str, Any]:
        learnt, unseen = ((signal_mv[at], label[at]) for at in (few, split.test))
        return fragment_boosting(learnt, weights, unseen, _FS_HZ, config.seed)

    def strips(name: str, chosen: Labels) -> list[Strip]:
        time_s = np.arange(fragments.WIDTH) / _FS_HZ
        picked = rows[name][chosen]
        return [
            {"time_s": time_s, "millivolts": signal_mv[row], "title": str(index.record[row])}
            for row in picked
        ]

    return Study(
        title=f"MIT-BIH fragments, {len(classes)} classes, split by {by}",
        classes=classes,
        parts={name: part(chosen) for name, chosen in rows.items()},
        learnt=part(few).examples,
        weights=weights,
        network=lambda: fragment_network(config, len(classes)),
        loss=lambda out, target: functional.cross_entropy(
            out, target, label_smoothing=config.label_smoothing
        ),
        probabilities=_softmax,
        decide=lambda probabilities: probabilities.argmax(axis=1),
        score=lambda truth, decided, _: {
            **classification(truth, decided, classes, config.seed),
            **(_by_record() if by == "fragment" else {}),
        },
        strips=strips,
        baseline=baseline if config.baseline else None,
        facts={**database.facts, "split": split.digest(), "split_by": by},
        warnings=(_LEAK,) if by == "fragment" else (),
    )


def _by_record() -> dict[str, dict[str, Any]]:
    """What the same network reaches on new patients, as measured for the released model."""
    path = released.folder() / "ecg" / "fragments17" / "by_record.json"
    if not path.is_file():
        return {}
    measured = read_json(path)
    keys = ("accuracy", "balanced_accuracy", "macro_f1")
    means = {key: measured["summary"][key]["mean"] for key in keys}
    row = {**means, "seeds": measured["summary"]["accuracy"]["n"], "command": measured["command"]}
    return {"split_by_record": row}


def fragment_network(config: EcgTrainConfig, classes: int) -> nn.Module:
    """The untrained classifier of fragments."""
    return ConvClassifier(
        Encoder(config.network),
        classes,
        pooling=config.pooling,
        hidden=config.hidden,
        dropout=config.head_dropout,
    )


def _softmax(outputs: Floats) -> Floats:
    probabilities: Floats = torch.from_numpy(outputs).softmax(dim=1).numpy()
    return probabilities


def _class_weights(label: Labels) -> NDArray[np.float64]:
    """Rare classes are drawn more often, by the square root of how rare they are."""
    counts = np.bincount(label)
    weights: NDArray[np.float64] = 1 / np.sqrt(counts[label])
    return weights
