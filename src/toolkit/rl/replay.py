"""The memory of what was done, sampled as trajectories.

A trajectory runs forward in time within one environment. It is cut after a row that ended an
episode and at the write pointer, so it never continues in another episode or in older rows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from toolkit.core.errors import ConfigError, RunError
from toolkit.rl.segments import Ring

Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]
Integers = NDArray[np.int64]


class Rows(NamedTuple):
    """One time step of all N environments, d numbers observed and a numbers done in each.

    Attributes:
        observations: (N, d).
        actions: (N, a) in the scaled box, not clipped.
        modes: (N, a) of the distributions that the actions were drawn from.
        log_probs: (N,) log-densities of the actions.
        rewards: (N,).
        next_observations: (N, d), of the same episode: before any reset.
        terminated: (N,), nothing comes after.
        ended: (N,), terminated or truncated.
    """

    observations: Floats
    actions: Floats
    modes: Floats
    log_probs: Floats
    rewards: Floats
    next_observations: Floats
    terminated: Flags
    ended: Flags


class Trajectories(NamedTuple):
    """B trajectories of 1 to L rows; what lies beyond its length repeats the last row.

    Attributes:
        observations: (B, L + 1, d), the rows' and at ``length`` the successor of the last row.
        actions: (B, L, a).
        modes: (B, L, a).
        log_probs: (B, L).
        rewards: (B, L).
        terminated: (B, L).
        mask: (B, L), whether there is a row.
        lengths: (B,), rows of each.
    """

    observations: Floats
    actions: Floats
    modes: Floats
    log_probs: Floats
    rewards: Floats
    terminated: Flags
    mask: Flags
    lengths: Integers


class Replay:
    """The last ``capacity`` rows of all environments together, each as likely a start.

    Args:
        capacity: rows; each environment has its share, rounded down.
        observation_size: d.
        action_size: a.
        environments: N.
        path: folder in whose files, without names, the rows lie; in memory if unset.

    Raises:
        ConfigError: the capacity is below one row of each environment, or beyond the memory.
        RunError: the files cannot be made.
    """

    def __init__(
        self,
        capacity: int,
        observation_size: int,
        action_size: int,
        environments: int = 1,
        path: Path | None = None,
    ) -> None:
        if capacity < environments:
            raise ConfigError(
                f"replay.capacity = {capacity} holds no row of each of {environments} environments",
                hint=f"--set replay.capacity={1000 * environments}",
            )
        self.capacity, self.environments = capacity, environments
        self._sizes = observation_size, action_size
        width = observation_size + 2 * action_size + 2
        columns = {
            "rows": ((width,), np.float32),  # side by side: one gather fetches them all
            "successors": ((observation_size,), np.float32),
            "terminated": ((), np.bool_),
            "ended": ((), np.bool_),
        }
        segment = math.ceil(capacity ** (2 / 3) / environments)  # a million rows: a hundred files
        self._ring = Ring(capacity // environments, segment, environments, columns, path)

    @property
    def steps(self) -> int:
        """Time steps ever added."""
        return self._ring.steps

    @property
    def oldest(self) -> int:
        """The first time step that may be sampled; ``steps - 1`` is the last."""
        return self._ring.oldest

    def __len__(self) -> int:
        return (self.steps - self.oldest) * self.environments

    def add(self, rows: Rows) -> None:
        """Append one time step; the oldest makes room for it."""
        ring, arrays = self._ring, self._ring.arrays
        at = ring.steps % ring.length
        columns = (
            *(rows.observations, rows.actions, rows.modes),
            *(rows.log_probs[:, None], rows.rewards[:, None]),
        )
        np.concatenate(columns, axis=1, out=arrays["rows"][:, at])
        arrays["successors"][:, at] = rows.next_observations
        arrays["terminated"][:, at] = rows.terminated
        arrays["ended"][:, at] = rows.ended
        ring.steps += 1

    def sample(
        self, size: int, length: int, random: np.random.Generator, latest: int | None = None
    ) -> Trajectories:
        """``size`` trajectories of at most ``length`` rows, their starts drawn with replacement.

        ``latest`` rows of all environments together are what starts are drawn from; all if None.

        Raises:
            ValueError: there are no rows yet.
        """
        rows = len(self) if latest is None else min(latest, len(self))
        ages, environments = np.divmod(random.integers(rows, size=size), self.environments)
        return self.gather(self.steps - 1 - ages, environments, length)

    def gather(self, starts: Integers, environments: Integers, length: int) -> Trajectories:
        """The trajectories from time steps ``starts`` (B,) of ``environments`` (B,).

        Raises:
            IndexError: a start is before ``oldest`` or after the last time step.
        """
        if starts.min() < self.oldest or starts.max() >= self.steps:
            raise IndexError(f"starts must be from {self.oldest} to {self.steps - 1}")
        ring = self._ring
        first = (environments * ring.length)[:, None]
        times = starts[:, None] + np.arange(length + 1)
        cuts = ring.flat["ended"].take(first + times[:, :-1] % ring.length)
        cuts[:, -1] = True
        lengths = np.minimum(cuts.argmax(1) + 1, self.steps - starts)
        # beyond the cut repeat the last row: what lies there else is not the same in a resumed run
        times = np.minimum(times, (starts + lengths - 1)[:, None])
        return self._fetch(first + times % ring.length, lengths)

    def _fetch(self, index: Integers, lengths: Integers) -> Trajectories:
        """The rows at flat ``index`` (B, L + 1), which repeats the last from ``lengths`` on."""
        (d, a), flat = self._sizes, self._ring.flat
        rows = flat["rows"].take(index, axis=0)
        rows[np.arange(len(rows)), lengths, :d] = flat["successors"].take(index[:, -1], axis=0)
        done = rows[:, :-1]
        return Trajectories(
            observations=rows[..., :d],
            actions=done[..., d : d + a],
            modes=done[..., d + a : d + 2 * a],
            log_probs=done[..., -2],
            rewards=done[..., -1],
            terminated=flat["terminated"].take(index[:, :-1]),
            mask=np.arange(done.shape[1]) < lengths[:, None],
            lengths=lengths,
        )

    def state_dict(self) -> dict[str, Any]:
        """Views of what may still be sampled, to be saved before the next ``add``."""
        return {"of": self._kind(), **self._ring.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what ``state_dict`` gave.

        Raises:
            RunError: it is of another capacity, or of another environment.
        """
        if state["of"] != self._kind():
            raise RunError(
                f"the saved replay memory is of {state['of']}",
                where=f"this run's is of {self._kind()}",
                hint="resume with the environment and the replay.capacity that the run began with",
            )
        self._ring.load_state_dict(state)

    def _kind(self) -> str:
        rows = f"{self.capacity} rows of {self.environments} environments"
        return "{}, {} numbers observed, {} done".format(rows, *self._sizes)
