"""Arms against each other on the same splits: what artificial labels gain over none.

Each cell is an ordinary run directory below the comparison's folder, so that a stopped comparison
goes on where it was and every figure can be traced. In turn: trunks are pre-trained; a learning
rate is chosen for each network and arm on a validation half of *training* pixels; then every arm
runs on every draw.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.core.cells import Cell, Workshop
from toolkit.core.config import merged, validate
from toolkit.core.executor import Executor
from toolkit.core.files import saving, write_atomic, write_json
from toolkit.core.grid import digest
from toolkit.core.progress import Progress
from toolkit.core.run import Run
from toolkit.hsi.config import CONFIGS, HsiTrainConfig, SceneConfig
from toolkit.hsi.network_config import patch_of
from toolkit.hsi.protocol.compare_config import TRAINED, CompareConfig
from toolkit.hsi.recipes import Stage


@dataclass(frozen=True)
class Point:
    """A network, an arm, a number of training pixels of each class; ``variant``: what is varied."""

    network: str
    arm: str
    per_class: int
    variant: str = ""

    @property
    def name(self) -> str:
        """For folders."""
        varied = f"-{digest(self.variant)}" if self.variant else ""
        return f"{self.network}-{self.arm}-{self.per_class}{varied}"

    @property
    def trunk(self) -> str:
        """For folders of trunks: a variant of the pre-training has one of its own."""
        own = [part for part in self.variant.split() if part.startswith("pretrain.")]
        return f"{self.network}-{self.arm}" + (f"-{digest(*own)}" if own else "")


def _validated(results: Sequence[Mapping[str, Any]]) -> float:
    """Mean AA, each pixel counting; a class of one training pixel has none that validates."""
    validated = [one for one in results if one["n_test"]]
    weights = [one["n_test"] for one in validated]
    return float(np.average([one["aa"] for one in validated], weights=weights)) if weights else 0.0


def _does_something(network: str, arm: str, per_class: int, variant: str) -> bool:
    """Whether ``variant`` changes the arm: nothing of a trunk does anything to scratch."""
    return not variant or arm in TRAINED or any(p.startswith("train.") for p in variant.split())


class Comparison:
    """All cells of ``config`` below ``folder``, and how to run them.

    Args:
        folder: of the comparison; of one with other settings or data another one.
        config: of the comparison.
        progress: told how far it is.
        workers: processes at once.
        data: hashes of the scene: what was run on another one beside it is not taken over.
    """

    def __init__(
        self,
        folder: Path,
        config: CompareConfig,
        progress: Progress,
        workers: int = 1,
        data: Mapping[str, Any] | None = None,
    ) -> None:
        self.folder, self.config, self.progress = folder, config, progress
        self.workers, self.data = workers, data or {}
        self.patch = self._largest_patch()  # the same disjoint split for all
        trained = [arm for arm in config.arms if arm != "svm"]
        self.points = [
            Point(*place)
            for place in product(config.networks, trained, config.per_class, ("", *config.vary))
            if _does_something(*place)
        ]
        list(self._pretrainings()), list(self._choices())  # what is wrong is said before work

    def _largest_patch(self) -> int:
        patches = [self.config.train.split.patch or 1]
        for name, variant in product(self.config.networks, ("", *self.config.vary)):
            settings = merged(
                self.config.settings_of("train", name, variant), {"network": {"name": name}}
            )
            network = validate(HsiTrainConfig, [(variant or "the comparison", settings)]).network
            patches.append(patch_of(network))
        return max(patches)

    def run(self, executor: Executor) -> dict[str, float]:
        """Run every cell that is not finished; returns the chosen learning rates by point.

        Raises:
            CheckFailedError: a cell failed; names its log.
            InterruptedRunError: a signal came; the same command goes on.
        """
        with saving(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        write_atomic(self.folder / "config.toml", self.config.to_toml())
        work = Workshop(self.folder, "hsi", self.progress, self.workers, self.data).work
        with Run(self.folder).locked():
            work(executor, "pre-training", list(self._pretrainings()))
            work(executor, "learning rates", list(self._choices()))
            rates = {point.name: self._rate(point) for point in self.points}
            work(executor, "arms", [c for p in self.points for c in self.cells(p, rates)])
        write_json(self.folder / "rates.json", rates)
        return rates

    def cells(self, point: Point, rates: Mapping[str, float]) -> list[Cell]:
        """The cells of a point, one a draw."""
        return [
            self._cell(f"arms/{point.name}-draw-{draw}", point, draw, rates[point.name])
            for draw in self.config.draw_numbers
        ]

    def _pretrainings(self) -> Iterator[Cell]:
        trunks = {point.trunk: point for point in self.points if point.arm in TRAINED}
        for point in trunks.values():
            inductive = point.arm == "inductive"
            draws = self.config.draw_numbers
            for seed in draws if inductive else range(self.config.pretrainings):
                own: dict[str, Any] = {"network": {"name": point.network}, "seed": seed}
                own["artificial"] = {"kind": TRAINED[point.arm]}
                if inductive:
                    own["inductive"] = {**self._split(self.config.per_class[0]), "draw": seed}
                yield self._made(self._trunk(point, seed), "pretrain", point, own)

    def _choices(self) -> Iterator[Cell]:
        if len(self.config.rates) > 1:
            for point, rate in product(self.points, self.config.rates):
                yield from self._choice(point, rate)

    def _choice(self, point: Point, rate: float) -> list[Cell]:
        first = self.config.first_draw
        return [
            self._cell(f"choice/{point.name}-rate-{rate:g}-draw-{k}", point, k, rate, 0.5)
            for k in range(first, first + self.config.choice_draws)
        ]

    def _rate(self, point: Point) -> float:
        """The rate with the best validation accuracy, each pixel counting; of equals the lowest."""
        rates = sorted(self.config.rates)
        if len(rates) == 1:
            return rates[0]
        numbers = self.config.per_class if self.config.pool_choice else (point.per_class,)
        points = [replace(point, per_class=n) for n in numbers]
        found = [[c.result or {} for p in points for c in self._choice(p, rate)] for rate in rates]
        return rates[int(np.argmax([_validated(results) for results in found]))]

    def _split(self, per_class: int) -> dict[str, Any]:
        split = self.config.train.split.model_dump(mode="json", exclude_none=True)
        kept_apart = {"patch": self.patch} if split["kind"] == "disjoint" else {}
        return {**split, "per_class": per_class, **kept_apart}

    def _trunk(self, point: Point, seed: int) -> str:
        return f"pretrain/{point.trunk}-seed-{seed}"

    def _cell(
        self, name: str, point: Point, draw: int, rate: float, validation: float = 0.0
    ) -> Cell:
        own: dict[str, Any] = {"network": {"name": point.network}, "seed": draw}
        split = {**self._split(point.per_class), "draw": draw, "validation": validation}
        own |= {"learning_rate": rate, "split": split}
        verb: Stage = "train"
        if point.arm in TRAINED:
            verb = "finetune"
            seed = draw if point.arm == "inductive" else draw % self.config.pretrainings
            own["trunk"] = str((self.folder / self._trunk(point, seed)).resolve())
        return self._made(name, verb, point, own)

    def _made(self, name: str, verb: Stage, point: Point, own: Mapping[str, Any]) -> Cell:
        base = self.config.settings_of(verb, point.network, point.variant)
        model: type[SceneConfig] = CONFIGS[verb]
        config = validate(model, [(point.variant or "the comparison", base), (name, own)])
        return Cell(self.folder / name, verb, config)
