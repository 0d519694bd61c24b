"""Settings of ``toolkit hsi compare``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal, Self, get_args

from pydantic import Field, model_validator

from toolkit.core.config import Config, merged, parse_set
from toolkit.core.grid import digest
from toolkit.hsi.config import HsiPretrainConfig, HsiTrainConfig, TrunkConfig
from toolkit.hsi.network_config import NAMES, Name
from toolkit.hsi.recipes import Stage, recipe

Arm = Literal["scratch", "grid", "inductive", "kmeans", "permuted", "svm"]
ARMS: tuple[Arm, ...] = get_args(Arm)
TRAINED = {"grid": "grid", "inductive": "grid", "kmeans": "kmeans", "permuted": "permuted"}
_OWN = (
    r"(train|finetune)\.(learning_rate|split\.(per_class|draw|patch|validation)|trunk)="
    r"|(pretrain|train|finetune)\.(seed|scene|labels|network\.name)="
    r"|pretrain\.(artificial\.kind|inductive)"
)
_OF_BLOCKS = ("scene", "labels", "variable", "labels_variable", "classes", "no_data")


class CompareConfig(Config):
    """The whole protocol: arms, training pixels a class and draws, for several networks.

    Scene, split, steps, augmentation and everything else are those of ``pretrain`` and ``train``;
    what varies here is set for each cell.
    """

    networks: tuple[Name, ...] = Field(("residual",), min_length=1, description="or all of them")
    arms: tuple[Arm, ...] = Field(
        ("scratch", "grid", "kmeans", "permuted", "svm"),
        min_length=1,
        description="scratch is what gains are measured from",
    )
    per_class: tuple[int, ...] = Field((5, 15, 50), min_length=1)
    draws: int = Field(10, ge=1, description="splits; the same ones for every arm")
    first_draw: int = Field(
        0, ge=0, description="number of the first split: settings are chosen on others than judged"
    )
    pretrainings: int = Field(1, ge=1, description="seeds of pre-training, used in turn")
    rates: tuple[float, ...] = Field(
        (3e-4, 1e-3, 3e-3, 1e-2), min_length=1, description="learning rates to choose from"
    )
    choice_draws: int = Field(
        2, ge=1, description="splits whose training pixels choose the rate, half validating"
    )
    pool_choice: bool = Field(
        True,
        description="one rate for all numbers of training pixels, by all their validation pixels: "
        "a few alone say little; false: one for each number",
    )
    vary: tuple[str, ...] = Field(
        (),
        description="settings to try one by one, such as train.augmentation.noise=0.1, each a row "
        "beside its arm; several that belong together with spaces between",
    )
    pretrain: HsiPretrainConfig = HsiPretrainConfig()
    train: HsiTrainConfig = Field(HsiTrainConfig(), description="of the arm scratch and all others")
    finetune: TrunkConfig = Field(TrunkConfig(), description="of the pre-trained arms besides")

    @model_validator(mode="after")
    def _possible(self) -> Self:
        for part in (part for text in self.vary for part in text.split()):
            if not re.match(r"(pretrain|train|finetune)\.[^=]+=", part):
                raise ValueError(f"vary = {part!r}: name settings of pretrain, train or finetune")
            if re.match(_OWN, part):
                raise ValueError(f"vary = {part!r}: the comparison itself sets this for each cell")
        ones = [n == 1 for n in self.per_class]
        if len(self.rates) > 1 and (all(ones) if self.pool_choice else any(ones)):
            raise ValueError(
                "one training pixel a class leaves none to choose a learning rate by: give one, "
                "--set rates=[1e-3]"
            )
        if "inductive" in self.arms and self.train.split.kind != "disjoint":
            raise ValueError("arm inductive needs a disjoint split: --split disjoint")
        if self.train.split.kind in ("given", "all"):
            kind = self.train.split.kind
            raise ValueError(
                f"split {kind} has no draws to compare: use toolkit hsi train and finetune"
            )
        if "inductive" in self.arms and (apart := self._told_apart()):
            raise ValueError(
                f"arm inductive: {apart} of pretrain and of train differ, so that what was "
                "pre-trained on could be tested"
            )
        return self

    def _told_apart(self) -> str | None:
        """The first setting by which blocks of pre-training and of training differ."""
        for name in _OF_BLOCKS:
            if getattr(self.pretrain, name) != getattr(self.train, name):
                return name
        for part in (part for text in self.vary for part in text.split()):
            key = part.partition("=")[0].partition(".")[2]
            if key in (*_OF_BLOCKS, "split.kind", "split.block"):
                return key
        return None

    @property
    def draw_numbers(self) -> range:
        """Seeds of the splits."""
        return range(self.first_draw, self.first_draw + self.draws)

    def settings_of(self, stage: Stage, network: str, variant: str = "") -> dict[str, Any]:
        """The settings of a cell before its own are put in.

        In turn: the network's recipe, what was set for the comparison, the variant's.
        """
        stages: tuple[Stage, ...] = ("train", "finetune") if stage == "finetune" else (stage,)
        given: list[Config] = [getattr(self, each) for each in stages]
        varied = [parse_set(part) for part in variant.split()]
        settings = dict(recipe(network, stage)[1])
        for layer in (
            *(one.model_dump(mode="json", exclude_unset=True, exclude_none=True) for one in given),
            *(part.get(each, {}) for part in varied for each in stages),
        ):
            settings = merged(settings, layer)
        return settings

    def digest(self, data: Mapping[str, Any]) -> str:
        """Ten digits for all that decides it: settings, the networks' recipes, hashes of data."""
        stages: tuple[Stage, ...] = ("pretrain", "train", "finetune")
        made = [self.settings_of(stage, name) for stage in stages for name in self.networks]
        return digest(self.to_toml(), made, sorted(data.items()))


def every_network(names: str) -> tuple[str, ...]:
    """``all`` or a list ``a,b`` as names."""
    return NAMES if names == "all" else tuple(names.split(","))
