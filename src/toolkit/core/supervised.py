"""The one supervised task: a model, examples, a loss, an optimiser and a schedule.

Everything random in step ``i`` (which examples, how they are augmented, which units drop out) is
a function of (seed, i), so that resuming needs the weights, the optimiser's state and ``i`` alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from toolkit.core import rng
from toolkit.core.config import RunConfig
from toolkit.core.distributed import Ranks, check_batch
from toolkit.core.errors import RunError
from toolkit.core.run import Run

Indices = NDArray[np.int64]


class SupervisedConfig(RunConfig):
    """Optimisation settings of every supervised run."""

    batch_size: int = Field(64, ge=1, description="examples in one step, over all processes")
    learning_rate: float = Field(1e-3, gt=0, description="peak learning rate of AdamW")
    weight_decay: float = Field(1e-2, ge=0, description="decoupled weight decay")
    warmup: float = Field(0.1, ge=0, lt=1, description="share of the schedule that warms up")
    final_rate: float = Field(0.01, gt=0, le=1, description="last learning rate, share of the peak")
    grad_clip: float = Field(1.0, gt=0, description="largest norm of the gradient")
    average: float = Field(0.0, ge=0, lt=1, description="decay of averaged weights; 0 = none")


class Examples(Protocol):
    """Examples by index; never all of them in memory at once."""

    def __len__(self) -> int: ...

    def batch(
        self, indices: Indices, generator: np.random.Generator | None
    ) -> tuple[tuple[Tensor, ...], Tensor]:
        """Model inputs and targets of ``indices``; augmented when a generator is given."""


@dataclass(frozen=True)
class Problem:
    """What is trained on what, and how it is judged.

    ``loss`` maps (outputs, targets) to the mean over the examples. ``evaluate`` and ``finish``
    get the model that would be released (the averaged one where weights are averaged).
    ``weights`` (one an example) make sampling random with replacement; without them every
    epoch visits each example once in a random order. ``rates`` are shares of the learning rate of
    parameters by how their names begin; what is not named learns at the full rate.
    """

    model: nn.Module
    train: Examples
    loss: Callable[[Tensor, Tensor], Tensor]
    evaluate: Callable[[nn.Module], Mapping[str, float]]
    finish: Callable[[nn.Module, Run], Mapping[str, Any]]
    weights: NDArray[np.float64] | None = None
    rates: Mapping[str, float] = field(default_factory=dict)

    def groups(self) -> list[dict[str, Any]]:
        """The model's parameters, grouped by their share of the learning rate."""
        shares: dict[float, list[nn.Parameter]] = {}
        for name, parameter in self.model.named_parameters():
            share = next((s for start, s in self.rates.items() if name.startswith(start)), 1.0)
            shares.setdefault(share, []).append(parameter)
        return [{"params": params, "share": share} for share, params in shares.items()]


class Supervised:
    """Supervised learning as a ``trainer.Task``; a step is one batch."""

    def __init__(
        self,
        problem: Problem,
        settings: SupervisedConfig,
        device: torch.device,
        ranks: Ranks | None = None,
    ) -> None:
        self.problem, self.settings, self.device = problem, settings, device
        self.ranks = ranks or Ranks()
        check_batch(settings.batch_size, self.ranks)
        # dropout draws for a process's own examples: two processes must not draw the same
        self._layers = "layers" if self.ranks.is_main else f"layers/{self.ranks.rank}"
        self.model = problem.model.to(device)
        self._parallel = self.ranks.wrap(self.model)
        self.optimizer = torch.optim.AdamW(
            problem.groups(),
            lr=settings.learning_rate,
            weight_decay=settings.weight_decay,
            fused=True,
        )
        self.averaged = self._averaged_model()

    def _averaged_model(self) -> AveragedModel | None:
        if self.settings.average == 0:
            return None
        return AveragedModel(self.model, multi_avg_fn=self._average, use_buffers=True)

    def _average(self, averaged: Any, current: Any, count: Tensor | int) -> None:
        # young averages forget faster, or short runs would be judged by their first weights
        decay = min(self.settings.average, (1 + int(count)) / (10 + int(count)))
        get_ema_multi_avg_fn(decay)(averaged, current, count)  # type: ignore[no-untyped-call]

    @property
    def released(self) -> nn.Module:
        """The model that is judged and released."""
        return self.model if self.averaged is None else self.averaged.module

    def step(self, i: int) -> dict[str, float]:
        """One batch: loss, gradient, update."""
        inputs, targets = self._batch(i)
        self._set_rate(i)
        self.model.train()
        self.optimizer.zero_grad(set_to_none=True)
        with rng.torch_scope(self.settings.seed, self._layers, i):
            loss = self.problem.loss(self._parallel(*inputs), targets)
            loss.backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), self.settings.grad_clip)
        figures = {"loss": self.ranks.mean(loss.item()), "gradient_norm": norm.item()}
        if all(map(math.isfinite, figures.values())):  # a NaN must not reach the weights
            self.optimizer.step()
            if self.averaged is not None:
                self.averaged.update_parameters(self.model)
        return figures

    def _batch(self, i: int) -> tuple[tuple[Tensor, ...], Tensor]:
        # Every process builds the global batch's augmentation from one generator and keeps its
        # share, so that the number of processes does not change what is learnt.
        generator = rng.generator(self.settings.seed, "augmentation", i)
        inputs, targets = self.problem.train.batch(self._indices(i), generator)
        part = slice(self.ranks.rank, None, self.ranks.world)
        return tuple(x[part].to(self.device) for x in inputs), targets[part].to(self.device)

    def _indices(self, i: int) -> Indices:
        size, seed = self.settings.batch_size, self.settings.seed
        if self.problem.weights is not None:
            share = self.problem.weights / self.problem.weights.sum()
            return rng.generator(seed, "order", i).choice(len(share), size, p=share)
        return _shuffled(len(self.problem.train), i * size, size, seed)

    def _set_rate(self, i: int) -> None:
        share = i / (self.settings.schedule_steps or self.settings.steps)
        rate = self.settings.learning_rate * rate_factor(share, self.settings)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["share"]

    def evaluate(self, i: int) -> Mapping[str, float]:
        """The problem's own figures, without changing any state."""
        self.released.eval()
        return self.problem.evaluate(self.released)

    def done(self, i: int) -> bool:
        """Never before the last step."""
        return False

    def state_dict(self) -> dict[str, Any]:
        """Weights, optimiser, averaged weights."""
        state: dict[str, Any] = {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }
        if self.averaged is not None:
            state["averaged"] = self.averaged.state_dict()
        return state

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over weights and optimiser; names the tensor that does not fit."""
        load_weights(self.model, state["model"])
        self.optimizer.load_state_dict(dict(state["optimizer"]))
        if self.averaged is not None:
            self.averaged.load_state_dict(state["averaged"])

    def finish(self, run: Run) -> Mapping[str, Any]:
        """The problem's own ending."""
        self.released.eval()
        return self.problem.finish(self.released, run)


def _shuffled(n: int, start: int, size: int, seed: int) -> Indices:
    """Positions ``start … start+size`` of an endless sequence of shuffled epochs."""
    epochs = range(start // n, (start + size - 1) // n + 1)
    order = np.concatenate([_epoch(n, epoch, seed) for epoch in epochs])
    first = start - epochs[0] * n
    return order[first : first + size]


@lru_cache(maxsize=2)  # every batch of an epoch needs it
def _epoch(n: int, epoch: int, seed: int) -> Indices:
    return rng.generator(seed, "order", epoch).permutation(n)


def rate_factor(share: float, settings: SupervisedConfig) -> float:
    """Learning rate as a part of its peak: linear warm-up, then half a cosine down."""
    if share < settings.warmup:
        return max(share / settings.warmup, 1e-3)
    progress = min((share - settings.warmup) / (1 - settings.warmup), 1.0)
    cosine = 0.5 * (1 + math.cos(math.pi * progress))
    return settings.final_rate + (1 - settings.final_rate) * cosine


@torch.no_grad()
def predict(
    model: nn.Module,
    examples: Examples,
    *,
    batch_size: int = 1024,
    ranks: Ranks | None = None,
) -> NDArray[np.float32]:
    """Outputs of ``model`` for all examples, in their order; each computed by one process.

    Returns:
        Array (n examples, …outputs).
    """
    ranks = ranks or Ranks()
    model.eval()
    device = next(model.parameters()).device
    mine = ranks.share(np.arange(len(examples)))
    parts = [mine[i : i + batch_size] for i in range(0, len(mine), batch_size)]
    rows = [_outputs(model, examples, part, device) for part in parts]
    own = np.concatenate(rows) if rows else np.empty(0, np.float32)
    return ranks.gather(own, len(examples))


def _outputs(
    model: nn.Module, examples: Examples, part: Indices, device: torch.device
) -> NDArray[np.float32]:
    inputs, _ = examples.batch(part, None)
    outputs: NDArray[np.float32] = model(*(x.to(device) for x in inputs)).float().cpu().numpy()
    return outputs


def load_weights(model: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Load ``weights`` into ``model``.

    Raises:
        RunError: a tensor is missing, unexpected, or of another shape or dtype; names it.
    """
    own = model.state_dict()
    for name in [*own, *weights]:
        expected = _describe(own.get(name))
        found = _describe(weights.get(name))
        if expected != found:
            raise RunError(f"tensor {name!r}: expected {expected}, found {found}", where="weights")
    model.load_state_dict(dict(weights))


def _describe(tensor: Tensor | None) -> str:
    return "none" if tensor is None else f"{str(tensor.dtype)[6:]} {tuple(tensor.shape)}"
