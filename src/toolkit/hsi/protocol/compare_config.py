"""Settings of ``toolkit hsi compare``."""

from __future__ import annotations

from typing import Any, Literal, Self, get_args

from pydantic import Field, model_validator

from toolkit.core.config import Config
from toolkit.hsi.config import HsiPretrainConfig, HsiTrainConfig
from toolkit.hsi.network_config import NAMES, Name

Arm = Literal["scratch", "grid", "inductive", "kmeans", "permuted", "svm"]
ARMS: tuple[Arm, ...] = get_args(Arm)
TRAINED = {"grid": "grid", "inductive": "grid", "kmeans": "kmeans", "permuted": "permuted"}


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
    pretrainings: int = Field(1, ge=1, description="seeds of pre-training, used in turn")
    rates: tuple[float, ...] = Field(
        (3e-4, 1e-3, 3e-3, 1e-2), min_length=1, description="learning rates to choose from"
    )
    choice_draws: int = Field(
        2, ge=1, description="splits whose training pixels choose the rate, half validating"
    )
    pretrain: HsiPretrainConfig = HsiPretrainConfig()
    train: HsiTrainConfig = HsiTrainConfig()

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if "inductive" in self.arms and self.train.split.kind != "disjoint":
            raise ValueError("arm inductive needs a disjoint split: --split disjoint")
        if self.train.split.kind == "given":
            raise ValueError("one given split has no draws: use toolkit hsi train and finetune")
        return self

    def settings_of(self, kind: Literal["pretrain", "train"]) -> dict[str, Any]:
        """The settings of a cell before its own are put in."""
        config: Config = getattr(self, kind)
        return config.model_dump(mode="json", exclude_none=True)


def every_network(names: str) -> tuple[str, ...]:
    """``all`` or a list ``a,b`` as names."""
    return NAMES if names == "all" else tuple(names.split(","))
