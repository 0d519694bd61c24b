"""What ``test_distributed`` runs under torchrun, and beside it in one process to compare with.

``two_processes.py compare OUT``: loss curves, predictions and refusals, as JSON from process 0.
``two_processes.py train RUN [--die STEP]``: a run of 30 steps; process 1 kills itself at STEP.
``--patience A --ending B``: processes wait A seconds for one another, process 0 ends in B seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from toolkit.core import distributed, rng
from toolkit.core.convnet import ConvNetConfig, Encoder
from toolkit.core.distributed import Ranks, joined
from toolkit.core.errors import ConfigError
from toolkit.core.heads import ConvClassifier
from toolkit.core.mlp import mlp
from toolkit.core.run import Run
from toolkit.core.supervised import Problem, Supervised, SupervisedConfig, predict
from toolkit.core.trainer import Trainer

STEPS = 30
CPU = torch.device("cpu")


class Waves:
    """Noisy waves of two frequencies, (1, 32) each; ``asked`` counts how often each was given."""

    def __init__(self, n: int) -> None:
        generator = rng.generator(0, "waves")
        self.y = torch.from_numpy(generator.integers(2, size=n))
        t = np.linspace(0, 2 * np.pi, 32)
        clean = np.sin(t[None] * (2 + 2 * self.y[:, None].numpy()))
        noisy = clean + 0.3 * generator.standard_normal(clean.shape)
        self.x = torch.from_numpy(noisy.astype(np.float32))[:, None]
        self.asked = np.zeros(n, int)

    def __len__(self) -> int:
        return len(self.y)

    def batch(self, indices, generator):
        self.asked[indices] += 1
        return (self.x[indices],), self.y[indices]


def network(kind: str) -> nn.Module:
    with rng.torch_scope(0, "weights"):
        if kind == "mlp":
            return nn.Sequential(nn.Flatten(), mlp([32, 16, 2]))
        config = ConvNetConfig(stem_channels=8, channels=(8, 16), norm=kind, stem_kernel=5)
        return ConvClassifier(Encoder(config), classes=2)


def task(kind: str, ranks: Ranks, settings: SupervisedConfig) -> Supervised:
    train, held_out = Waves(100), Waves(37)

    def evaluate(model: nn.Module) -> Mapping[str, float]:
        outputs = predict(model, held_out, ranks=ranks)
        return {"accuracy": float(np.mean(outputs.argmax(1) == held_out.y.numpy()))}

    def finish(model: nn.Module, run: Run) -> Mapping[str, Any]:
        return {"outputs": predict(model, held_out).tolist()}

    problem = Problem(network(kind), train, cross_entropy, evaluate, finish)
    return Supervised(problem, settings, CPU, ranks)


def settings(**changes: Any) -> SupervisedConfig:
    given = {"steps": STEPS, "batch_size": 16, "checkpoint_every_s": 0, "evaluate_every": 10}
    return SupervisedConfig(**{**given, **changes})


def curve(kind: str, ranks: Ranks) -> dict[str, Any]:
    trained = task(kind, ranks, settings(average=0.9))
    losses = [trained.step(i)["loss"] for i in range(STEPS)]
    buffers = {name: value.double().sum().item() for name, value in trained.model.named_buffers()}
    return {"loss": losses, "buffers": buffers, **trained.evaluate(STEPS)}


def count(n: int, ranks: Ranks) -> dict[str, Any]:
    examples = Waves(n)
    outputs = predict(network("group"), examples, batch_size=4, ranks=ranks)
    own = np.zeros((2, n), int)
    own[ranks.rank] = examples.asked
    times = [ranks.mean(float(t)) * ranks.world for t in own.sum(0)]
    return {"asked": times, "outputs": outputs.tolist()}


def refusal(ranks: Ranks) -> str:
    try:
        task("mlp", ranks, settings(batch_size=15))
    except ConfigError as error:
        return str(error)
    return "accepted"


def compare(out: Path) -> None:
    with joined() as ranks:
        found = {kind: curve(kind, ranks) for kind in ("mlp", "group", "batch")}
        found |= {f"predict-{n}": count(n, ranks) for n in (1, 10, 13)}
        found["odd"] = refusal(ranks)
        if ranks.is_main:
            out.write_text(json.dumps(found))


def train(path: Path, die: int | None = None, ending: float = 0) -> None:
    with joined() as ranks:
        made = task("batch", ranks, settings())
        step = made.step

        def dying(i: int) -> dict[str, float]:
            if i == die and ranks.rank == 1:
                os.kill(os.getpid(), signal.SIGKILL)
            return step(i)

        finish = made.finish

        def ending_late(run: Run) -> Mapping[str, Any]:
            time.sleep(ending)
            return finish(run)

        made.step, made.finish = dying, ending_late
        Trainer(Run(path), settings(), ranks=ranks).fit(made)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["compare", "train"])
    parser.add_argument("path", type=Path)
    parser.add_argument("--die", type=int)
    parser.add_argument("--patience", type=float, default=distributed._TIMEOUT_S)
    parser.add_argument("--ending", type=float, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.what == "compare":
        compare(options.path)
    else:
        distributed._TIMEOUT_S = options.patience
        train(options.path, options.die, options.ending)
