"""Replay of n-step transitions; a circuit is stored once, its own past being its prefix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from toolkit.vqe.environment import Observation

Floats = NDArray[np.float32]


class Batch(NamedTuple):
    """Transitions from ``now`` by ``action`` to ``later``, n or fewer steps on.

    Gates are (B, max_gates), -1 where none is; the rest is (B,), ``legal`` (B, actions).
    ``discount`` is gamma to the number of steps, 0 where the episode ended.
    """

    now: Observation
    action: NDArray[np.int64]
    reward: Floats
    discount: Floats
    later: Observation
    legal: NDArray[np.bool_]


def joined(first: Batch, second: Batch) -> Batch:
    """The transitions of both."""

    def both(a: Any, b: Any) -> Any:
        if isinstance(a, Observation):
            return Observation(*map(np.concatenate, zip(a, b)))
        return np.concatenate([a, b])

    return Batch(*map(both, first, second))


class Moment(NamedTuple):
    """One step of an episode: seen, done, got; ``legal`` (actions,) is what may come after."""

    observation: Observation
    action: int
    reward: float
    legal: NDArray[np.bool_]


class Replay:
    """The last ``capacity`` transitions, sampled uniformly (Mnih et al. 2015)."""

    def __init__(self, capacity: int, max_gates: int, n_actions: int) -> None:
        self.capacity = capacity
        self._rows: dict[str, NDArray[Any]] = {
            "actions": np.full((capacity, max_gates), -1, np.int16),  # of the later circuit
            "layers": np.full((capacity, max_gates), -1, np.int16),
            "length": np.zeros(capacity, np.int16),  # gates of the earlier one
            "energies": np.zeros((capacity, 2), np.float64),
            "thresholds": np.zeros((capacity, 2), np.float64),
            "reward": np.zeros(capacity, np.float32),
            "discount": np.zeros(capacity, np.float32),
            "ahead": np.zeros((capacity, 2, n_actions), np.float32),
            "legal": np.zeros((capacity, n_actions), np.bool_),
        }
        self.added = 0

    def __len__(self) -> int:
        return min(self.added, self.capacity)

    def add_episode(
        self, steps: Sequence[Moment], end: Observation, n_step: int, discount: float
    ) -> None:
        """Add every transition of a finished episode.

        The return of step t is sum_k gamma^k r_{t+k} over at most ``n_step`` rewards; where the
        episode goes on after them it bootstraps with gamma^n.
        """
        seen = [step.observation for step in steps] + [end]
        for t, step in enumerate(steps):
            until = min(t + n_step, len(steps))
            gains = [discount**k * one.reward for k, one in enumerate(steps[t:until])]
            ended = until == len(steps)
            self._add(
                seen[t],
                step,
                sum(gains),
                0.0 if ended else discount ** (until - t),
                seen[until],
                steps[until - 1].legal,
            )

    def _add(
        self,
        now: Observation,
        step: Moment,
        reward: float,
        discount: float,
        later: Observation,
        legal: NDArray[np.bool_],
    ) -> None:
        row = {
            "actions": later.actions,
            "layers": later.layers,
            "length": int((now.actions >= 0).sum()),
            "energies": (now.energy, later.energy),
            "thresholds": (now.threshold, later.threshold),
            "reward": reward,
            "discount": discount,
            "ahead": np.stack([now.ahead, later.ahead]),
            "legal": legal,
        }
        for name, value in row.items():
            self._rows[name][self.added % self.capacity] = value
        self.added += 1

    def sample(self, size: int, random: np.random.Generator) -> Batch:
        """``size`` transitions, drawn with replacement."""
        chosen = random.integers(len(self), size=size)
        rows = {name: values[chosen] for name, values in self._rows.items()}
        length = rows["length"].astype(np.int64)
        future = np.arange(rows["actions"].shape[1]) >= length[:, None]
        return Batch(
            Observation(
                np.where(future, -1, rows["actions"]).astype(np.int16),
                np.where(future, -1, rows["layers"]).astype(np.int16),
                rows["energies"][:, 0],
                rows["thresholds"][:, 0],
                rows["ahead"][:, 0],
            ),
            rows["actions"][np.arange(size), length].astype(np.int64),
            rows["reward"],
            rows["discount"],
            Observation(
                rows["actions"],
                rows["layers"],
                rows["energies"][:, 1],
                rows["thresholds"][:, 1],
                rows["ahead"][:, 1],
            ),
            rows["legal"],
        )

    def state_dict(self) -> dict[str, Any]:
        """The rows in use, and how many were ever added."""
        rows = {name: values[: len(self)] for name, values in self._rows.items()}
        return {"rows": rows, "added": self.added}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what ``state_dict`` gave."""
        self.added = int(state["added"])
        for name, values in self._rows.items():
            values[: len(self)] = state["rows"][name]
