"""What a policy is worth: returns of whole episodes from starts that are the same every time."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from toolkit.core import rng, statistics
from toolkit.core.errors import ConfigError, DivergedError
from toolkit.rl import environments
from toolkit.rl.environment_making import blaming, closed_with, observed

Floats = NDArray[np.float64]
Act = Callable[[NDArray[Any]], NDArray[Any]]  # observations (N, d) to actions (N, a), own units
LONGEST = 10_000  # steps of an episode in an environment that never ends one
_TRIED = 20  # steps to see whether an episode can be had again


@dataclass(frozen=True)
class Returns:
    """Episodes in the order of their seeds.

    Attributes:
        returns: (episodes,) sums of rewards, undiscounted and unscaled.
        lengths: (episodes,) steps.
        terminated: (episodes,) whether the environment ended it, not the clock.
    """

    returns: Floats
    lengths: NDArray[np.int64]
    terminated: NDArray[np.bool_]

    def summary(self) -> dict[str, Any]:
        """Mean, deviation (n - 1) and bootstrap interval over these episodes, JSON-ready."""
        random = rng.generator(0, "interval")
        interval = statistics.seeds_interval([self.returns], "mean", rng=random)
        several = len(self.returns) > 1
        return {
            "return_mean": float(self.returns.mean()),
            "return_sd": float(self.returns.std(ddof=1)) if several else None,
            "return_ci95": [interval.low, interval.high] if several else None,
            "lengths": self.lengths.tolist(),
            "returns": self.returns.tolist(),
            "terminated": self.terminated.tolist(),
        }


class Evaluator:
    """An environment that stays open from one evaluation to the next, until ``close`` or its end.

    Episode k begins from ``reset(seed=seed + k)``. Observations come to the policy one by one: the
    last bits of a matrix product depend on the rows beside it, and where legs hit the ground these
    decide how an episode ends. So each is the same whatever the others, here and in a video.

    Raises:
        ConfigError: no such environment.
    """

    def __init__(self, env_id: str, env_args: Mapping[str, Any], episodes: int, seed: int) -> None:
        self.env_id, self.seeds = env_id, range(seed, seed + episodes)
        self._environment = environments.make(env_id, dict(env_args))
        self.close = closed_with(self, [self._environment])

    def __call__(self, act: Act, seeds: Iterable[int] | None = None) -> Returns:
        """Returns of ``act``, of episodes that begin from ``seeds`` if these are given.

        Raises:
            DivergedError: an action, observation or reward that is not finite.
        """
        rollouts = [self._rollout(act, seed) for seed in seeds or self.seeds]
        return Returns(
            np.array([one.total for one in rollouts]),
            np.array([one.length for one in rollouts], np.int64),
            np.array([one.terminated for one in rollouts]),
        )

    def _rollout(self, act: Act, seed: int) -> Rollout:
        one = Rollout(self._environment, seed, f"{self.env_id}, evaluation from seed {seed}")
        while one.goes_on:
            one.step(act(one.observation[None])[0])
        return one

    def repeats(self) -> bool:
        """Whether the same seed and actions give the same episode again, as far as it is tried.

        An environment that fails on the way is not judged: training tells of that, with its step.
        """
        try:
            return self._tried() == self._tried()
        except (ConfigError, DivergedError):
            return True

    def _tried(self) -> tuple[float, bytes]:
        """Sum of rewards and all observations of random actions."""
        spaces, random = environments.spaces_of(self._environment), rng.generator(0, "repeats")
        actions = spaces.scaled(random.uniform(-1, 1, (_TRIED, spaces.action_size)))
        one = Rollout(self._environment, self.seeds.start, self.env_id)
        seen = [one.observation]
        while one.goes_on and one.length < _TRIED:
            one.step(actions[one.length])
            seen.append(one.observation)
        return one.total, np.stack(seen).tobytes()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Rollout:
    """One episode as it goes; whoever calls ``step`` stops once ``goes_on`` is false."""

    def __init__(self, env: environments.Env, seed: int, where: str) -> None:
        self._env, self._where = env, where
        self.total, self.length = 0.0, 0
        self.goes_on, self.terminated = True, False
        with blaming(env, "reset"):
            seen = observed(env, env.reset(seed=seed)[0])
        self.observation = self._finite("observation", seen)
        has_limit = env.spec is not None and env.spec.max_episode_steps is not None
        self._longest = math.inf if has_limit else LONGEST

    def step(self, action: NDArray[Any]) -> None:
        """Act once, in the environment's units.

        Raises:
            DivergedError: the action, the observation or the reward is not finite.
        """
        self._finite("action", action)
        with blaming(self._env, "step"):
            observation, given, terminated, truncated, _ = self._env.step(action)
            seen, reward = observed(self._env, observation), float(given)
        self.length += 1
        self.observation = self._finite("observation", seen)
        self.total += float(self._finite("reward", np.asarray(reward)))
        self.terminated = bool(terminated)
        self.goes_on = not (terminated or truncated or self.length >= self._longest)

    def _finite(self, name: str, values: NDArray[Any]) -> NDArray[Any]:
        if not np.isfinite(values).all():
            where = f"{self._where}, step {self.length}"
            hint = "lower learning rates; the last checkpoint is kept"
            raise DivergedError(f"{name} is not finite: {values}", where=where, hint=hint)
        return values
