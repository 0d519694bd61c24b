"""Three tasks of a few milliseconds that prove the trainer's contract, and how to run them.

``supervised`` (batches), ``corridor`` (an environment with a replay memory) and ``bits`` (search
episodes with a Pareto archive). ``run_in_child`` trains one of them in a fresh process that may be
told to die on the way.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from toolkit.core import checkpoint, rng, supervised, trainer
from toolkit.core.checkpoint import Frozen
from toolkit.core.run import Run
from toolkit.core.supervised import Problem, Supervised, SupervisedConfig
from toolkit.core.task import Task
from toolkit.core.trainer import Trainer

SETTINGS = SupervisedConfig(
    seed=3,
    steps=40,
    evaluate_every=6,
    checkpoint_every_s=7,
    batch_size=20,
    learning_rate=0.01,
    threads=1,
    device="cpu",
)
CPU = torch.device("cpu")


class Points:
    """Points in eight dimensions whose class is the sign of their first two; noise augments."""

    def __init__(self, n: int = 96) -> None:
        draw = np.random.default_rng(5)
        self.x = draw.normal(size=(n, 8)).astype(np.float32)
        self.y = (self.x[:, 0] + self.x[:, 1] > 0).astype(np.int64)

    def __len__(self) -> int:
        return len(self.x)

    def batch(
        self, indices: np.ndarray, generator: np.random.Generator | None
    ) -> tuple[tuple[Tensor, ...], Tensor]:
        x = self.x[indices]
        if generator is not None:
            x = x + 0.05 * generator.standard_normal(x.shape, dtype=np.float32)
        return (torch.from_numpy(x),), torch.from_numpy(self.y[indices])


def small_model(seed: int) -> nn.Module:
    with rng.torch_scope(seed, "init"):
        layers = [nn.Linear(8, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Dropout(0.2)]
        return nn.Sequential(*layers, nn.Linear(32, 2))


def points_problem(settings: SupervisedConfig, *, weighted: bool = False) -> Problem:
    points = Points()

    def judge(model: nn.Module) -> dict[str, float]:
        guessed = supervised.predict(model, points, batch_size=17).argmax(1)
        return {"accuracy": float(np.mean(guessed == points.y))}

    return Problem(
        model=small_model(settings.seed),
        train=points,
        loss=nn.functional.cross_entropy,
        evaluate=judge,
        finish=lambda model, run: judge(model),
        weights=np.where(points.y == 0, 3.0, 1.0) if weighted else None,
    )


class Memory:
    """The newest rows in segments of 16; a full segment never changes again."""

    ROWS, SEGMENTS, WIDTH = 16, 4, 5

    def __init__(self) -> None:
        self.total = 0
        self.full: dict[int, np.ndarray] = {}  # by its number since the beginning
        self.current = np.zeros((self.ROWS, self.WIDTH))

    def add(self, row: list[float]) -> None:
        self.current[self.total % self.ROWS] = row
        self.total += 1
        if self.total % self.ROWS == 0:
            number = self.total // self.ROWS - 1
            self.full[number] = self.current.copy()
            self.full.pop(number - self.SEGMENTS, None)

    def rows(self) -> np.ndarray:
        return np.concatenate([*self.full.values(), self.current[: self.total % self.ROWS]])

    def state_dict(self) -> dict[str, Any]:
        full = [Frozen(f"segment-{n}", {"rows": rows}) for n, rows in self.full.items()]
        current = self.current[: self.total % self.ROWS]
        return {"total": self.total, "full": full, "current": current}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.total = state["total"]
        self.full = {int(f.key.split("-")[1]): f.arrays["rows"] for f in state["full"]}
        self.current[: len(state["current"])] = state["current"]


class Corridor:
    """Q-learning in a corridor of seven cells; the last one pays. A step: 8 moves, 1 update."""

    CELLS, LIMIT = 7, 20

    def __init__(self, seed: int) -> None:
        with rng.torch_scope(seed, "init"):
            self.net = nn.Sequential(nn.Linear(self.CELLS, 16), nn.ReLU(), nn.Linear(16, 2))
        self.optimizer = torch.optim.Adam(self.net.parameters(), lr=0.02)
        self.streams, self.memory = rng.Streams(seed), Memory()
        self.cell, self.elapsed = 0, 0

    def values(self, cells: np.ndarray) -> Tensor:
        return self.net(torch.eye(self.CELLS)[torch.as_tensor(cells, dtype=torch.int64)])

    def move(self) -> float:
        draw = self.streams.numpy("behaviour")
        with torch.no_grad():
            greedy = int(self.values(np.array([self.cell])).argmax())
        action = int(draw.integers(2)) if draw.random() < 0.3 else greedy
        slipped = self.streams.numpy("environment").random() < 0.1
        direction = 1 if (action == 1) != slipped else -1
        before, self.cell = self.cell, int(np.clip(self.cell + direction, 0, self.CELLS - 1))
        self.elapsed += 1
        reached = self.cell == self.CELLS - 1
        self.memory.add([before, action, float(reached), self.cell, float(reached)])
        if reached or self.elapsed == self.LIMIT:
            self.cell = int(self.streams.numpy("environment").integers(self.CELLS - 1))
            self.elapsed = 0
        return float(reached)

    def update(self) -> float:
        rows = self.memory.rows()
        chosen = self.streams.numpy("replay").integers(len(rows), size=32)
        before, action, reward, after, ended = rows[chosen].T
        with torch.no_grad():
            future = self.values(after).amax(1) * torch.from_numpy(1 - ended)
        target = (torch.from_numpy(reward) + 0.9 * future).float()
        index = torch.from_numpy(action.astype(np.int64))[:, None]
        loss = (self.values(before).gather(1, index)[:, 0] - target).square().mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def step(self, i: int) -> dict[str, float]:
        reward = sum(self.move() for _ in range(8))
        figures = {"loss": self.update()}
        return figures | {"reward": reward} if i % 2 else figures  # not every step has one

    @torch.no_grad()
    def evaluate(self, i: int) -> dict[str, float]:
        right = self.values(np.arange(self.CELLS - 1)).argmax(1) == 1
        return {"right": float(right.float().mean())}

    def done(self, i: int) -> bool:
        return False

    def state_dict(self) -> dict[str, Any]:
        return {
            "net": self.net.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "streams": self.streams.state_dict(),
            "memory": self.memory.state_dict(),
            "place": {"cell": self.cell, "elapsed": self.elapsed},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        supervised.load_weights(self.net, state["net"])
        self.optimizer.load_state_dict(dict(state["optimizer"]))
        self.streams.load_state_dict(state["streams"])
        self.memory.load_state_dict(state["memory"])
        self.cell, self.elapsed = state["place"]["cell"], state["place"]["elapsed"]

    def finish(self, run: Run) -> dict[str, Any]:
        return self.evaluate(0)


class Bits:
    """Finds a hidden word; keeps, for each number of ones, the word that matches best."""

    LENGTH = 10

    def __init__(self, seed: int) -> None:
        self.goal = np.random.default_rng(17).integers(2, size=self.LENGTH)
        self.streams = rng.Streams(seed)
        self.archive: list[dict[str, Any]] = []  # Pareto: few ones, many matches

    def step(self, i: int) -> dict[str, float]:
        draw = self.streams.numpy("search")
        if not self.archive or draw.random() < 0.2:
            word = draw.integers(2, size=self.LENGTH)
        else:
            word = np.array(self.archive[int(draw.integers(len(self.archive)))]["word"])
        flips = draw.random(self.LENGTH) < 0.15
        found = self.judged(np.where(flips, 1 - word, word))
        if not any(self.dominates(other, found) for other in self.archive):
            kept = [other for other in self.archive if not self.dominates(found, other)]
            self.archive = [*kept, found]
        return {"matches": found["matches"]}

    def judged(self, word: np.ndarray) -> dict[str, Any]:
        matches = int(np.sum(word == self.goal))
        return {"word": word.tolist(), "matches": matches, "ones": int(word.sum())}

    @staticmethod
    def dominates(a: Mapping[str, Any], b: Mapping[str, Any]) -> bool:
        return bool(a["matches"] >= b["matches"] and a["ones"] <= b["ones"])

    def best(self) -> int:
        return max((word["matches"] for word in self.archive), default=0)

    def evaluate(self, i: int) -> dict[str, float]:
        return {"best": self.best(), "archive": len(self.archive)}

    def done(self, i: int) -> bool:
        return self.best() == self.LENGTH

    def state_dict(self) -> dict[str, Any]:
        return {"archive": self.archive, "streams": self.streams.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.archive = list(state["archive"])
        self.streams.load_state_dict(state["streams"])

    def finish(self, run: Run) -> dict[str, Any]:
        return {"archive": self.archive, "best": self.best()}


TASKS = ("supervised", "corridor", "bits")


def build(name: str, settings: SupervisedConfig) -> Task:
    """The task ``name``; ``weighted`` and ``averaged`` are variants of the supervised one."""
    if name == "corridor":
        return Corridor(settings.seed)
    if name == "bits":
        return Bits(settings.seed)
    return Supervised(points_problem(settings, weighted=name == "weighted"), settings, CPU)


class Observed:
    """A task that calls ``watch(event, number)`` before and after what the inner one does."""

    def __init__(self, task: Task, watch) -> None:
        self.inner, self.watch = task, watch
        self.evaluate, self.done = task.evaluate, task.done
        self.load_state_dict = task.load_state_dict
        self.saves = 0

    def step(self, i: int) -> Mapping[str, float]:
        figures = self.inner.step(i)
        return self.watch("step", i) or figures  # the state has moved, the trainer does not know

    def state_dict(self) -> Mapping[str, Any]:
        self.saves += 1
        self.watch("save", self.saves)
        return self.inner.state_dict()

    def finish(self, run: Run) -> Mapping[str, Any]:
        self.watch("finish", 0)
        return self.inner.finish(run)


class StepClock:
    """Stands in for the trainer's ``time``: one second a step, so that cadence is exact."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


def fit(path: Path, name: str, watch=None, *, max_time_s: float | None = None, **extra: Any) -> Any:
    """Train the run at ``path`` under a clock that counts steps."""
    run = Run.open(path)
    settings = run.config(SupervisedConfig)
    clock, real = StepClock(), trainer.time

    def told(event: str, number: int) -> Any:
        clock.now += event == "step"
        return watch(event, number) if watch else None

    trainer.time = clock
    try:
        task = Observed(build(name, settings), told)
        return Trainer(run, settings, max_time_s=max_time_s, **extra).fit(task)
    finally:
        trainer.time = real


def new_run(folder: Path, name: str, **changes: Any) -> Path:
    """A run directory for task ``name`` with ``SETTINGS`` but for ``changes``."""
    settings = SupervisedConfig.model_validate({**SETTINGS.model_dump(), **changes})
    return Run.create(folder, "tiny", name, settings).path


def kill_here() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _child(path: Path, name: str, death: tuple[str, int] | None) -> None:
    torch.set_num_threads(1)

    def watch(event: str, number: int) -> None:
        if (event, number) == death:
            kill_here()

    if death is not None and death[0] == "rename":
        _die_in_rename(death[1])
    fit(path, name, watch)


def _die_in_rename(nth: int) -> None:
    real, calls = Path.rename, iter(range(1, 10**6))

    def rename(self: Path, target: Path) -> Path:
        if self.name.startswith(".tmp-") and next(calls) == nth:
            kill_here()
        return real(self, target)

    checkpoint.Path.rename = rename  # type: ignore[method-assign]


def processes() -> Any:
    """Fresh processes that start fast: forked from one that has imported torch and nothing else."""
    context = multiprocessing.get_context("forkserver")
    # torch._dynamo: a child's first optimiser would import it, for seconds
    context.set_forkserver_preload(
        ["toolkit.core.supervised", "toolkit.core.trainer", "torch._dynamo"]
    )
    return context


def run_in_child(path: Path, name: str, death: tuple[str, int] | None = None) -> int:
    """Train in another process; returns its exit code, negative for a signal."""
    child = processes().Process(target=_child, args=(path, name, death))
    child.start()
    child.join()
    code = child.exitcode
    child.close()
    return int(code)


def equal(a: Any, b: Any) -> bool:
    """Whether two states are the same, bit by bit."""
    if isinstance(a, Tensor):
        same = isinstance(b, Tensor) and a.dtype == b.dtype and a.shape == b.shape
        return same and torch.equal(a, b)
    if isinstance(a, np.ndarray):
        same = isinstance(b, np.ndarray) and a.dtype == b.dtype and a.shape == b.shape
        return same and a.tobytes() == b.tobytes()
    if isinstance(a, Frozen):
        return isinstance(b, Frozen) and a.key == b.key and equal(a.arrays, b.arrays)
    if isinstance(a, Mapping):
        return isinstance(b, Mapping) and a.keys() == b.keys() and all(equal(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple):
        return isinstance(b, list | tuple) and len(a) == len(b) and all(map(equal, a, b))
    return type(a) is type(b) and (a == b or (a != a and b != b))


def outcome(path: Path) -> dict[str, Any]:
    """Everything of a run but its clocks: final state, metrics, result."""
    run = Run.open(path)
    found = checkpoint.load_newest(run.checkpoints)
    assert found is not None
    step, state = found
    state["trainer"].pop("trained_s")
    metrics = [{k: v for k, v in line.items() if k != "time_s"} for line in run.metrics]
    result = {k: v for k, v in (run.result or {}).items() if k not in ("run", "trained_s")}
    return {"step": step, "state": state, "metrics": metrics, "result": result}
