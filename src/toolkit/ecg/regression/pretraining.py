"""Self-supervised regression as a problem of the core's supervised task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from toolkit.core import rng, weights
from toolkit.core.convnet import Encoder
from toolkit.core.distributed import Ranks
from toolkit.core.heads import ConvRegressor
from toolkit.core.run import Run
from toolkit.core.supervised import Indices, Problem
from toolkit.ecg.config import EcgPretrainConfig
from toolkit.ecg.database import Database
from toolkit.ecg.regression import scores, sources
from toolkit.ecg.regression.figures import draw
from toolkit.ecg.regression.windows import HiddenExamples
from toolkit.ecg.study import Floats

_WATCHED = 512  # windows of the held-out patients that are looked at while learning
_BATCH = 256


def problem(database: Database, config: EcgPretrainConfig, run: Run, ranks: Ranks) -> Problem:
    """Learn to predict what is hidden; no class is looked at, R peaks are where windows lie."""
    pool = sources.pool(database, config)
    if ranks.is_main:
        run.record_data({**database.facts, "pool": dict(pool.facts)})
    with rng.torch_scope(config.seed, "weights"):
        model = network(config)
    learnt = HiddenExamples(pool.learnt, config.hiding, config.augmentation)
    judged = HiddenExamples(pool.judged, config.hiding, config.augmentation)
    return Problem(
        model=model,
        train=learnt,
        loss=hidden_loss,
        evaluate=lambda model: _watch(model, judged, config),
        finish=lambda model, run: _finish(model, run, judged, config, database, pool),
    )


class Restorer(ConvRegressor):
    """Signals with what the regressor adds to them: (B, channels, T) to (B, leads, T)."""

    def forward(self, x_BCT: Tensor) -> Tensor:
        added_BLT: Tensor = super().forward(x_BCT)
        return x_BCT[:, : added_BLT.shape[1]] + added_BLT


def network(config: EcgPretrainConfig) -> Restorer:
    """Encoder of the classifier of the same settings, and a decoder for its leads."""
    leads = 1 if config.protocol == "fragments17" else len(config.leads)
    channels = 1 if config.protocol == "fragments17" else 3 * leads
    trunk = config.network.model_copy(update={"in_channels": channels})
    made = Restorer(Encoder(trunk), leads, lateral=config.lateral)
    if config.hiding.is_alike:  # so good a guess is not to be spoilt at first
        nn.init.zeros_(made.decoder.out.weight)
    return made


def hidden_loss(predicted_BLT: Tensor, target_BLT: Tensor) -> Tensor:
    """Mean squared error over the hidden samples."""
    true_BLT, hidden_B1T = target_BLT[:, :-1], target_BLT[:, -1:]
    errors = (predicted_BLT - true_BLT).square() * hidden_B1T
    return errors.sum() / (hidden_B1T.sum() * true_BLT.shape[1]).clamp(min=1)


def _watch(model: nn.Module, judged: HiddenExamples, config: EcgPretrainConfig) -> dict[str, float]:
    """The loss on held-out patients; it is shown and decides nothing."""
    at = _evenly(len(judged), min(_WATCHED, config.judged))
    _, targets = judged.batch(at, None)
    loss = hidden_loss(torch.from_numpy(_predict(model, judged, at)), targets)
    return {"val/loss": float(loss)}


@torch.no_grad()
def _predict(model: nn.Module, examples: HiddenExamples, at: Indices) -> Floats:
    model.eval()
    device = next(model.parameters()).device
    parts = [at[i : i + _BATCH] for i in range(0, len(at), _BATCH)]
    rows = [model(examples.batch(part, None)[0][0].to(device)).cpu().numpy() for part in parts]
    return np.concatenate(rows)


def _evenly(n: int, most: int) -> Indices:
    return np.unique(np.linspace(0, n - 1, min(n, most)).astype(np.int64))


def _finish(
    model: nn.Module,
    run: Run,
    judged: HiddenExamples,
    config: EcgPretrainConfig,
    database: Database,
    pool: sources.Pool,
) -> Mapping[str, Any]:
    weights.write(run.path, model)
    at = _evenly(len(judged), config.judged)
    predicted = _predict(model, judged, at)
    found = scores.score(judged, at, predicted)
    summary = scores.headline(found)
    draw(run, judged, at, predicted, pool.names[at])
    synthetic = " (synthetic records)" if database.synthetic else ""
    return {
        "title": f"Regression of signals, {config.hiding.target}, {config.protocol}{synthetic}",
        "headline": ["rmse_mv", "correlation", "rmse_near_r_mv", "best_other_near_r_mv"],
        **summary,
        "protocol": config.protocol,
        "target": config.hiding.target,
        "windows": len(at),
        "predictors": found,
        "seed": config.seed,
        "parameters": sum(p.numel() for p in model.parameters()),
        "warnings": [
            *["Synthetic records: these figures say nothing about patients."] * database.synthetic,
            *scores.remarks(summary),
        ],
        "notes": [
            "No class was looked at; windows lie around R peaks that were given."
            if config.protocol != "fragments17"
            else "No class was looked at; R peaks serve for scoring alone.",
        ],
    }
