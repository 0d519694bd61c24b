"""From settings to scores: reproducible, learning, and never from shuffled labels."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch

from toolkit.core.config import load
from toolkit.core.distributed import Ranks
from toolkit.core.errors import ConfigError, RunError
from toolkit.core.metrics import ClassificationScores
from toolkit.core.run import Run
from toolkit.core.supervised import Supervised, predict
from toolkit.core.trainer import Trainer
from toolkit.core.weights import WEIGHTS
from toolkit.ecg import database, tasks
from toolkit.ecg.beats import CLASSES, aami_classes
from toolkit.ecg.config import PRESETS, EcgTrainConfig
from toolkit.ecg.database import Database
from toolkit.ecg.records import Record
from toolkit.ecg.synthetic import synthesize

SHAPE = "heads.0.shape.0"


@pytest.fixture
def config(synthetic: Path) -> EcgTrainConfig:
    return settings(data_dir=synthetic)


def settings(**flags: Any) -> EcgTrainConfig:
    small = {"steps": 6, "batch_size": 32, "device": "cpu", "threads": 1}
    return load(EcgTrainConfig, preset=PRESETS / "synthetic.toml", flags={**small, **flags})


def make(tmp_path: Path, config: EcgTrainConfig) -> tuple[Run, Supervised]:
    run = Run.create(tmp_path, "ecg", "train", config)
    return run, tasks.build(run, config, Ranks())


def losses(tmp_path: Path, config: EcgTrainConfig) -> list[float]:
    _, task = make(tmp_path, config)
    return [task.step(i)["loss"] for i in range(4)]


def test_the_same_seed_gives_the_same_losses(tmp_path: Path, config: EcgTrainConfig) -> None:
    first = losses(tmp_path, config)
    torch.rand(10)  # nobody else's draws matter
    assert losses(tmp_path, config) == first
    assert losses(tmp_path, config.model_copy(update={"seed": 1})) != first


def test_a_run_writes_model_result_figures_and_data(tmp_path: Path, config: EcgTrainConfig) -> None:
    run, task = make(tmp_path, config)
    result = Trainer(run, config).fit(task)
    assert result == run.result
    json.dumps(result, allow_nan=False)
    assert result["run"] == str(run.path)
    assert {path.name for path in run.figures.iterdir()} >= {"confusion.png", "examples.png"}
    assert {"synthetic", "split"} <= json.loads((run.path / "data.json").read_text()).keys()
    again = tasks.evaluate(run.path, config, "test")
    assert again == {key: result[key] for key in again}
    train = tasks.evaluate(run.path, config, "train")
    assert (train["split"], again["split"]) == ("train", "test")
    assert train["n"] != again["n"]
    with pytest.raises(ConfigError, match="no validation part"):
        tasks.evaluate(run.path, config, "validation")
    tasks.plot(run, config)


def test_few_labels_have_no_figures_of_whole_records(saved: Path, config: EcgTrainConfig) -> None:
    few = config.model_copy(update={"label_fraction": 0.5})
    assert "ec57" in tasks.evaluate(saved, few, "test")
    assert "ec57" not in tasks.evaluate(saved, few, "train")
    assert "ec57" in tasks.evaluate(saved, config, "train")


def test_only_parts_that_can_be_asked_for_are_offered(saved: Path, synthetic: Path) -> None:
    fold = {"beats": {"fold": 0, "folds": 2, "pseudo_reach": 1}}
    with pytest.raises(ConfigError, match="no test part") as error:
        tasks.evaluate(saved, settings(data_dir=synthetic, **fold), "test")
    assert error.value.hint == "train or validation"


def test_other_data_than_those_of_the_start_are_refused(
    tmp_path: Path, config: EcgTrainConfig
) -> None:
    run, _ = make(tmp_path, config)
    facts = json.loads((run.path / "data.json").read_text())
    (run.path / "data.json").write_text(json.dumps({**facts, "synthetic": "other"}))
    with pytest.raises(RunError, match="changed"):
        tasks.build(run, config, Ranks())


@pytest.fixture
def saved(tmp_path: Path, config: EcgTrainConfig) -> Path:
    """A folder with an untrained model."""
    weights = tasks.study(config).network().state_dict()
    safetensors.torch.save_file(dict(weights), tmp_path / WEIGHTS)
    return tmp_path


def test_weights_come_back(saved: Path, config: EcgTrainConfig) -> None:
    network = tasks.load_network(saved, tasks.study(config))
    assert not network.training
    for name, tensor in safetensors.torch.load_file(saved / WEIGHTS).items():
        assert torch.equal(network.state_dict()[name], tensor)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda w: {**w, f"{SHAPE}.weight": torch.zeros(2, 3)}, f"{SHAPE}.weight"),
        (lambda w: {**w, f"{SHAPE}.bias": w[f"{SHAPE}.bias"].double()}, f"{SHAPE}.bias"),
        (lambda w: {k: v for k, v in w.items() if k != "mean_S"}, "mean_S"),
        (lambda w: {**w, "intruder": torch.zeros(1)}, "intruder"),
    ],
)
def test_weights_of_another_network_are_refused(
    saved: Path, config: EcgTrainConfig, change: Callable[..., Any], says: str
) -> None:
    path = saved / WEIGHTS
    safetensors.torch.save_file(change(safetensors.torch.load_file(path)), path)
    with pytest.raises(RunError, match=says):
        tasks.load_network(saved, tasks.study(config))


def header(text: str) -> bytes:
    return len(text).to_bytes(8, "little") + text.encode()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00" * 100,
        b"\xff" * 100,
        header("{}x"),
        header('{"a":{"dtype":"F8_E8M0","shape":[1],"data_offsets":[0,1]}}') + b"x",
        header('{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}') + b"xxxx",
        header('{"a":{"dtype":"F32","shape":[9],"data_offsets":[0,4]}}') + b"xxxx",
    ],
)
def test_files_that_are_no_weights_are_refused(
    saved: Path, config: EcgTrainConfig, content: bytes
) -> None:
    (saved / WEIGHTS).write_bytes(content)
    with pytest.raises(RunError):
        tasks.load_network(saved, tasks.study(config))


def test_a_run_without_a_model_says_how_to_get_one(tmp_path: Path, config: EcgTrainConfig) -> None:
    with pytest.raises(RunError, match="no finished model") as caught:
        tasks.load_network(tmp_path, tasks.study(config))
    assert "runs resume" in caught.value.hint


def shuffled(record: Record, seed: int) -> Record:
    symbol = record.annotations.symbol.copy()
    is_beat = aami_classes(symbol) >= 0
    symbol[is_beat] = np.random.default_rng(seed).permutation(symbol[is_beat])
    return replace(record, annotations=replace(record.annotations, symbol=symbol))


def balanced_accuracy(tmp_path: Path, records: dict[str, Record], monkeypatch: Any) -> float:
    """Of 40 small steps on half of the records, on the other half."""
    given = Database(records, {}, synthetic=True)
    monkeypatch.setattr(database, "load", lambda _: given)
    equal = {"class_shares": [0.34, 0.33, 0.33, 0.0]}
    config = settings(steps=40, batch_size=64, beats=equal)
    _, task = make(tmp_path, config)
    for i in range(config.steps):
        task.step(i)
    chosen = tasks.study(config)
    part = chosen.parts["test"]
    task.evaluate(config.steps)  # puts the averaged network into evaluation mode
    decided = chosen.probabilities(predict(task.released, part.examples)).argmax(axis=1)
    return ClassificationScores.from_labels(part.truth, decided, CLASSES).balanced_accuracy


def test_it_learns_from_true_labels_and_not_from_shuffled_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = {f"p{i}": synthesize(i, minutes=2, name=f"p{i}") for i in range(8)}
    assert balanced_accuracy(tmp_path, records, monkeypatch) > 0.8
    lies = {name: shuffled(record, i) for i, (name, record) in enumerate(records.items())}
    assert balanced_accuracy(tmp_path, lies, monkeypatch) < 0.5  # three classes: a third
