"""Several environments of one kind, stepped together, with exact resume in mid-episode."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from toolkit.core import rng
from toolkit.core.errors import DivergedError, RunError
from toolkit.rl.environment_making import (
    Env,
    Spaces,
    blaming,
    closed_with,
    make,
    observed,
    spaces_of,
)
from toolkit.rl.environment_state import Episode, recorder

__all__ = ["Env", "Environments", "Finished", "Spaces", "Step", "make", "spaces_of"]


class Step(NamedTuple):
    """What actions led to, before any reset; a truncated state still has a value."""

    observations: NDArray[np.float32]  # (N, d)
    rewards: NDArray[np.float64]  # (N,)
    terminated: NDArray[np.bool_]  # (N,)
    truncated: NDArray[np.bool_]  # (N,), never where terminated


class Finished(NamedTuple):
    """An episode that ended."""

    environment: int
    total: float  # return: the sum of its rewards, undiscounted
    length: int  # steps
    terminated: bool  # rather than truncated


class Environments:
    """``count`` environments, stepped in turn in this process.

    Ten thousand steps a second are many times what learning takes, so that workers would only
    add ways to fail. An environment is seeded at its first reset; its own generator goes on then.

    Args:
        env_id: what ``make`` takes.
        args: of every environment.
        count: N.
        seed: of the run.

    Attributes:
        spaces: what is observed and done.
        observations: (N, d) those to act on next.
        close: frees what the environments hold, as the end of this object does.

    Raises:
        ConfigError, UnavailableError: as of ``make``.
    """

    def __init__(self, env_id: str, args: Mapping[str, Any], count: int, seed: int) -> None:
        self.env_id = env_id
        self._envs: list[Env] = []
        self.close = closed_with(self, self._envs)
        for _ in range(count):
            self._envs.append(make(env_id, args))
        self.spaces = spaces_of(self._envs[0])
        self._recorders = [recorder(env) for env in self._envs]
        self._episodes = [
            self._begin(i, int(rng.generator(seed, "environment", i).integers(2**31)))
            for i in range(count)
        ]
        self.observations = self._seen()  # (N, d), those to act on next

    def _begin(self, i: int, seed: int | None = None) -> Episode:
        self._recorders[i].begins(seed)
        with blaming(self._envs[i], "reset"):
            observation, _ = self._envs[i].reset(seed=seed)
            seen = np.array(observed(self._envs[i], observation), np.float32)
        episode = Episode(seen)
        self._check(i, episode, 0.0)
        return episode

    def _seen(self) -> NDArray[np.float32]:
        return np.stack([episode.observation for episode in self._episodes])

    def step(self, actions: NDArray[np.float32]) -> tuple[Step, list[Finished]]:
        """Act in every environment and reset those whose episode ends.

        Args:
            actions: ``(N, a)`` in the environments' own units.

        Raises:
            DivergedError: an action, an observation or a reward that is no finite number.
        """
        count = len(self._envs)
        rewards = np.empty(count)
        terminated, truncated = np.zeros((2, count), np.bool_)
        for i, action in enumerate(np.asarray(actions, np.float32)):
            rewards[i], terminated[i], truncated[i] = self._act(i, action)
        step = Step(self._seen(), rewards, terminated, truncated & ~terminated)
        finished = [self._end(int(i), step) for i in np.flatnonzero(terminated | truncated)]
        self.observations = self._seen() if finished else step.observations.copy()
        return step, finished

    def _act(self, i: int, action: NDArray[np.float32]) -> tuple[float, bool, bool]:
        episode = self._episodes[i]
        if not np.isfinite(action).all():  # MuJoCo would take it for zero
            hint = "this comes from the policy: lower its learning rates"
            raise self._diverged(i, episode.length + 1, "was given the action", action, hint)
        self._recorders[i].acts(action)
        with blaming(self._envs[i], "step"):
            observation, given, terminated, truncated, _ = self._envs[i].step(action)
            episode.observation = np.array(observed(self._envs[i], observation), np.float32)
            reward = float(given)
        episode.length += 1
        episode.total += reward
        self._check(i, episode, reward)
        return reward, bool(terminated), bool(truncated)

    def _end(self, i: int, step: Step) -> Finished:
        ended = self._episodes[i]
        self._episodes[i] = self._begin(i)
        return Finished(i, ended.total, ended.length, bool(step.terminated[i]))

    def _check(self, i: int, episode: Episode, reward: float) -> None:
        hint = "this comes from the environment: look at its code for such a state and action"
        if not math.isfinite(reward):
            raise self._diverged(i, episode.length, "gave the reward", reward, hint)
        if not np.isfinite(episode.observation).all():
            seen = episode.observation
            raise self._diverged(i, episode.length, "gave the observation", seen, hint)

    def _diverged(self, i: int, step: int, what: str, value: object, hint: str) -> DivergedError:
        where = f"environment {i}, step {step} of its episode"
        return DivergedError(f"{self.env_id} {what} {value}", where=where, hint=hint)

    def state_dict(self) -> dict[str, Any]:
        """Everything that the coming steps depend on."""
        return {
            "env_id": self.env_id,
            "observations": self.observations,
            "totals": [episode.total for episode in self._episodes],
            "lengths": [episode.length for episode in self._episodes],
            "environments": [recorder.capture() for recorder in self._recorders],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue where ``state_dict`` was taken.

        Raises:
            RunError: it is of other environments, or one of them cannot be resumed exactly.
        """
        self._compare(state)
        self.observations = np.array(state["observations"], np.float32)
        self._episodes = [
            Episode(observation, float(total), int(length))
            for observation, total, length in zip(
                self.observations.copy(), state["totals"], state["lengths"]
            )
        ]
        for i, saved in enumerate(state["environments"]):
            self._recorders[i].restore(saved, self._episodes[i])

    def _compare(self, state: Mapping[str, Any]) -> None:
        count, size = state["observations"].shape
        saved = f"{count} × {state['env_id']} with observations of {size} numbers"
        count, size = self.observations.shape
        here = f"{count} × {self.env_id} with observations of {size} numbers"
        if saved != here:
            raise RunError(
                f"the checkpoint is of {saved}, the run of {here}",
                hint="resume with the environment and arguments of the run, or start a new one",
            )
