"""What each network needs to be trained well, where that is not the default."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from toolkit.core.config import Layer, merged, read_toml
from toolkit.hsi.network_config import NAMES

Stage = Literal["pretrain", "train", "finetune"]
FILE = Path(__file__).with_name("recipes.toml")


def recipe(network: str, stage: Stage) -> Layer:
    """The settings that ``network`` has of its own in pre-training or in learning true classes.

    Fine-tuning has those of training too. An unknown name has none: that it is unknown is the
    settings' business to say.
    """
    own: dict[str, Any] = read_toml(FILE).get(network, {}) if network in NAMES else {}
    settings = own.get(stage, {})
    if stage == "finetune":
        settings = merged(own.get("train", {}), settings)
    return f"{FILE.name}, {network}", settings
