"""From a run's settings to its task, and from a trained network to its scores."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import nn

from toolkit.core import rng, weights
from toolkit.core.config import RunConfig
from toolkit.core.distributed import Ranks, resolve_device
from toolkit.core.errors import ConfigError
from toolkit.core.run import Run
from toolkit.core.supervised import Problem, Supervised, load_weights, predict
from toolkit.ecg import database
from toolkit.ecg.beat_study import beat_study, judged_names, warnings_of
from toolkit.ecg.config import EcgFinetuneConfig, EcgPretrainConfig, EcgTrainConfig
from toolkit.ecg.evaluation import BEAT_SCORES
from toolkit.ecg.figures import draw
from toolkit.ecg.fragment_study import fragment_study
from toolkit.ecg.records import Record
from toolkit.ecg.regression import pretraining
from toolkit.ecg.study import Floats, Labels, Study
from toolkit.ecg.transfer import encoder_facts, load_encoder

SPLITS = ("test", "validation", "train")
"""Parts that can be scored by themselves; a study may have others beside them."""


def study(config: EcgTrainConfig) -> Study:
    """The study that ``config`` describes, on its records.

    Raises:
        DataError: records are missing, damaged or unfit for the protocol.
    """
    make = fragment_study if config.protocol == "fragments17" else beat_study
    return make(database.load(config), config)


def build(run: Run, config: RunConfig, ranks: Ranks) -> Supervised:
    """The task of ``run``: learn to predict signals, or a study's classes."""
    assert isinstance(config, EcgPretrainConfig | EcgTrainConfig)
    if isinstance(config, EcgPretrainConfig):
        problem = pretraining.problem(database.load(config), config, run, ranks)
    else:
        problem = _classification(run, config, ranks)
    return Supervised(problem, config, resolve_device(config.device), ranks)


def _classification(run: Run, config: EcgTrainConfig, ranks: Ranks) -> Problem:
    """Train the study's network, then score it on the test part."""
    chosen = study(config)
    with rng.torch_scope(config.seed, "weights"):
        network = chosen.network()
    facts, rates = {**chosen.facts}, {}
    if isinstance(config, EcgFinetuneConfig):
        load_encoder(network, config)
        facts["encoder"] = encoder_facts(config.encoder)
        rates = {"encoder.": config.encoder_rate}
    if ranks.is_main:
        run.record_data(facts)
    return Problem(
        model=network,
        train=chosen.learnt,
        loss=chosen.loss,
        evaluate=lambda model: _validate(chosen, model, ranks),
        finish=lambda model, run: _finish(chosen, config, model, run),
        weights=chosen.weights,
        rates=rates,
    )


def _validate(chosen: Study, model: nn.Module, ranks: Ranks) -> dict[str, float]:
    part = chosen.parts.get("validation")
    if part is None:
        return {}
    outputs = predict(model, part.examples, ranks=ranks)
    decided = chosen.decide(chosen.probabilities(outputs))
    scores = chosen.score(part.truth, decided, part.record)
    keys = ("accuracy", "balanced_accuracy", "macro_f1", "macro_f1_nsv")
    return {f"val/{key}": scores[key] for key in keys if scores.get(key) is not None}


def _finish(chosen: Study, config: EcgTrainConfig, model: nn.Module, run: Run) -> dict[str, Any]:
    weights.write(run.path, model)
    part = _judged(chosen)
    scores, decided, probabilities = _score(chosen, config, model, part)
    draw(run, chosen, part, decided, probabilities)
    for other in chosen.parts.keys() - {*SPLITS}:
        found = _score(chosen, config, model, other)[0]
        scores[other] = {key: found[key] for key in ("n", *BEAT_SCORES)}
    if chosen.baseline is not None:
        scores["baseline"] = {"method": "gradient boosting", **chosen.baseline()}
    return scores


def _judged(chosen: Study) -> str:
    """The part that a run is judged by: test, but for the folds of a cross-validation."""
    return "test" if "test" in chosen.parts else "validation"


def _score(
    chosen: Study, config: EcgTrainConfig, model: nn.Module, name: str
) -> tuple[dict[str, Any], Labels, Floats]:
    part = chosen.parts[name]
    probabilities = chosen.probabilities(predict(model, part.examples))
    decided = chosen.decide(probabilities)
    head = {"title": chosen.title, "protocol": config.protocol, "split": name, "seed": config.seed}
    head |= {"label_fraction": config.label_fraction} if config.label_fraction < 1 else {}
    head |= {"arm": "transfer"} if isinstance(config, EcgFinetuneConfig) else {}
    scores = chosen.score(part.truth, decided, part.record)
    has_all_beats = name in SPLITS and (name != "train" or config.label_fraction == 1)
    if chosen.standard is not None and has_all_beats:
        scores["ec57"] = chosen.standard(name, decided)
    remarks = {"warnings": list(chosen.warnings), "notes": list(chosen.notes)}
    parameters = sum(p.numel() for p in model.parameters())
    return (
        {**head, **scores, "counts": _counts(chosen), "parameters": parameters, **remarks},
        decided,
        probabilities,
    )


def _counts(chosen: Study) -> dict[str, dict[str, int]]:
    """Examples of each class in each part."""
    return {
        name: {label: int((part.truth == i).sum()) for i, label in enumerate(chosen.classes)}
        for name, part in chosen.parts.items()
    }


def evaluate(folder: Path, config: EcgTrainConfig, name: str) -> dict[str, Any]:
    """Score the network in ``folder`` (a run or a released model) on part ``name``.

    Raises:
        RunError: no finished model is there, or it does not fit its settings.
        ConfigError: the protocol has no such part.
    """
    chosen = study(config)
    if name not in chosen.parts:
        known = " or ".join(part for part in chosen.parts if part in SPLITS)
        raise ConfigError(f"this run has no {name} part", where="--split", hint=known)
    return _score(chosen, config, load_network(folder, chosen), name)[0]


def judged_records(config: EcgTrainConfig) -> tuple[dict[str, Record], tuple[str, ...]]:
    """The records that a beat classifier of these settings is tested on, and warnings.

    Raises:
        ConfigError: it learnt from beats of each of them.
        DataError: they are missing or damaged.
    """
    found = database.load(config)
    names = judged_names(found, config)
    return {name: found.records[name] for name in names}, warnings_of(found, config)


def plot(run: Run, config: EcgTrainConfig) -> None:
    """Draw the figures of a finished run anew."""
    chosen = study(config)
    part = _judged(chosen)
    _, decided, probabilities = _score(chosen, config, load_network(run.path, chosen), part)
    draw(run, chosen, part, decided, probabilities)


def load_network(folder: Path, chosen: Study) -> nn.Module:
    """The study's network with the weights in ``folder``.

    Raises:
        RunError: the weights are missing, damaged or of another network.
    """
    network = chosen.network()
    load_weights(network, weights.read(folder))
    return network.eval()
