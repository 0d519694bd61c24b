"""A classifier's encoder from a self-supervised regression, proved not to have seen its test."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from torch import nn

from toolkit.core import weights
from toolkit.core.config import Layer, load, read_toml
from toolkit.core.errors import ConfigError
from toolkit.core.files import read_json
from toolkit.core.released import Released
from toolkit.core.run import Run
from toolkit.core.supervised import load_weights
from toolkit.ecg.config import EcgFinetuneConfig, EcgPretrainConfig, EcgTrainConfig

_ENCODER = "encoder."
_SAME = ("source", "leads", "network", "data_dir")


def inherited(folder: Path) -> Layer:
    """What a classifier on the encoder in ``folder`` takes over of its settings.

    Raises:
        ConfigError: there is no self-supervised regression.
    """
    config = _pretraining(folder)
    return str(folder), config.model_dump(mode="json", include=set(_SAME), exclude_none=True)


def preset_of(folder: Path) -> str:
    """The preset of the classifier that the encoder in ``folder`` is for.

    Raises:
        ConfigError: there is no self-supervised regression.
    """
    config = _pretraining(folder)
    return "synthetic" if config.source == "synthetic" else config.protocol


def load_encoder(model: nn.Module, config: EcgFinetuneConfig) -> None:
    """Give ``model`` the encoder of ``config.encoder``; its heads stay as they are.

    Raises:
        ConfigError: it learnt from signals that this classifier is tested on, or from other leads.
        RunError: the weights are missing, damaged or of another encoder.
    """
    _check(_pretraining(config.encoder), config)
    found = weights.read(config.encoder)
    own = {k: v for k, v in found.items() if k.startswith(_ENCODER)}
    rest = {k: v for k, v in model.state_dict().items() if not k.startswith(_ENCODER)}
    load_weights(model, {**rest, **own})


def encoder_facts(folder: Path) -> dict[str, Any]:
    """Which weights the encoder in ``folder`` has and, of a run, what it learnt them from.

    Raises:
        RunError: there are none.
    """
    content = weights.read_bytes(folder)
    data = folder / "data.json"
    pool = read_json(data).get("pool") if data.is_file() else None
    return {"sha256": hashlib.sha256(content).hexdigest(), "pool": pool}


def classifier(model: Run | Released) -> EcgTrainConfig:
    """The settings of a classifier, fine-tuned or trained from scratch.

    Raises:
        ConfigError: it is a self-supervised regression, which has no classes.
        RunError: its settings are missing or damaged.
    """
    settings = model.settings
    if "hiding" in settings:
        raise ConfigError(
            "a self-supervised regression has no classes",
            where=str(model.path),
            hint=f"toolkit ecg finetune {model.path} --preset {settings.get('protocol', 'ec57')} "
            "makes a classifier on it; toolkit ecg predict --task regression fills gaps",
        )
    return model.config(EcgFinetuneConfig if "encoder" in settings else EcgTrainConfig)


def _pretraining(folder: Path) -> EcgPretrainConfig:
    path = folder / "config.toml"
    if "hiding" not in read_toml(path):
        raise ConfigError(
            "this is no self-supervised regression",
            where=str(folder),
            hint="toolkit ecg pretrain --preset ec57 makes one",
        )
    return load(EcgPretrainConfig, file=path)


def _check(encoder: EcgPretrainConfig, config: EcgFinetuneConfig) -> None:
    """The encoder's pool leaves out the test part of its own protocol, and of no other."""
    if encoder.protocol != config.protocol:
        what = f"the encoder was pre-trained for protocol {encoder.protocol}, not {config.protocol}"
        hint = f"toolkit ecg pretrain --preset {config.protocol}: its pool leaves out the test part"
        raise ConfigError(what, where=str(config.encoder), hint=hint)
    if config.protocol == "fragments17" and (
        encoder.seed != config.seed or config.fragments.split_by == "record"
    ):
        what = (
            f"the encoder saw all but the test fragments of seed {encoder.seed}, which are not "
            f"those of seed {config.seed}, split by {config.fragments.split_by}"
        )
        hint = f"toolkit ecg pretrain --preset fragments17 --seed {config.seed}"
        raise ConfigError(what, where=str(config.encoder), hint=hint)
    if config.protocol != "fragments17" and config.beats.fold is not None:
        what = f"the encoder learnt from the records that fold {config.beats.fold} holds out, too"
        hint = "leave beats.fold out; toolkit ecg train has folds that nothing has seen"
        raise ConfigError(what, where=str(config.encoder), hint=hint)
    if encoder.source != config.source:
        what = (
            f"the encoder learnt from {encoder.source} records, this run has {config.source} ones"
        )
        raise ConfigError(what, where=str(config.encoder), hint="pre-train on the same source")
    if encoder.leads != config.leads:
        what = (
            f"the encoder reads leads {list(encoder.leads)}, this classifier {list(config.leads)}"
        )
        raise ConfigError(what, where=str(config.encoder), hint="leave leads as they are")
