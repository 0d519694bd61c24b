"""The regression that fills gaps: a released one, or a run of ``toolkit ecg pretrain``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from toolkit.core import weights
from toolkit.core.errors import ConfigError
from toolkit.core.released import find
from toolkit.core.supervised import load_weights
from toolkit.ecg.config import EcgPretrainConfig
from toolkit.ecg.regression.pretraining import Restorer, network


@dataclass(frozen=True, eq=False)
class GapModel:
    """A self-supervised regression of gaps in beats."""

    name: str
    config: EcgPretrainConfig
    network: Restorer


def load_gap_model(spec: str, runs_dir: Path) -> GapModel:
    """A released regression or a run of ``toolkit ecg pretrain`` that learnt to fill gaps of beats.

    Raises:
        ConfigError: it classifies, or learnt something else.
        RunError: there is none, it is unfinished or damaged.
    """
    found = find(spec, "ecg", runs_dir)
    hint = "gaps-ec57, or a run of toolkit ecg pretrain --preset gaps"
    if "hiding" not in found.settings:
        raise ConfigError("a classifier predicts no signal", where=str(found.path), hint=hint)
    config = found.config(EcgPretrainConfig)
    hiding = config.hiding
    if config.protocol == "fragments17" or hiding.target != "gap" or not hiding.is_alike:
        start = "alike" if hiding.is_alike else "ordinary"
        own = f"{hiding.target} under {config.protocol}, start = {start!r}"
        what = f"it learnt {own}; gaps are filled with start = 'alike'"
        raise ConfigError(what, where=str(found.path), hint=hint)
    made = network(config)
    load_weights(made, weights.read(found.path))
    made.eval()
    return GapModel(spec, config, made)
