"""Trained policies for other programs: ``policy(observation) -> action``."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from toolkit.core import released
from toolkit.core.errors import ConfigError, DataError, RunError
from toolkit.core.run import Run
from toolkit.rl.agents.policy import Policy
from toolkit.rl.environments import Spaces
from toolkit.rl.stored import About, load_stored

Floats = NDArray[np.float32]

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LoadedPolicy:
    """A trained policy, ready to act: ``policy(observation) -> action``.

    Attributes:
        policy: the network.
        about: environment, spaces and exploration that it was trained with.
        deterministic: what a call does that does not say: the mode, or a sample.
    """

    policy: Policy
    about: About
    deterministic: bool = True

    @property
    def env(self) -> str:
        """Id of the environment that it was trained in."""
        return self.about.env

    @property
    def env_args(self) -> dict[str, Any]:
        """Arguments of that environment."""
        return self.about.env_args

    @property
    def spaces(self) -> Spaces:
        """Of that environment."""
        return self.policy.spaces

    @property
    def label(self) -> str:
        """What tables and figures call its configuration."""
        return self.about.label

    @torch.no_grad()
    def __call__(
        self,
        observation: ArrayLike,
        deterministic: bool | None = None,
        random: np.random.Generator | None = None,
    ) -> Floats:
        """The action (a,) for an observation (d,), or (N, a) for (N, d), inside the box.

        Args:
            observation: raw, as the environment gives it.
            deterministic: the mode; a sample with the stored σ otherwise.
            random: where samples are drawn from.

        Raises:
            ConfigError: a sample without a generator.
            DataError: an observation of another size.
        """
        inputs = self._inputs(observation)
        rows = inputs.reshape(-1, self.spaces.observation_size)
        if self.deterministic if deterministic is None else deterministic:
            actions = self.policy(rows)
        else:
            actions = self.policy.sample(rows, *self._noise(len(rows), random))
        shape = (*inputs.shape[:-1], self.spaces.action_size)
        found: Floats = actions.numpy().reshape(shape)
        return found

    def _inputs(self, observation: ArrayLike) -> torch.Tensor:
        inputs = np.array(observation, np.float32)
        size = self.spaces.observation_size
        if inputs.ndim not in (1, 2) or inputs.shape[-1] != size:
            what = f"an observation of shape {inputs.shape}; ({size},) or (N, {size}) expected"
            raise DataError(what, where=f"policy of {self.env}")
        return torch.from_numpy(inputs)

    def _noise(
        self, n: int, random: np.random.Generator | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        if random is None:
            hint = "policy(observation, deterministic=False, random=numpy.random.default_rng(0))"
            raise ConfigError("a sample needs a generator", where="random", hint=hint)
        noise = random.standard_normal((n, self.spaces.action_size), np.float32)
        return torch.tensor(self.about.sigma, dtype=torch.float32), torch.from_numpy(noise)


def load_policy(
    spec: str | Path, runs_dir: Path = Path("runs"), *, deterministic: bool = True
) -> LoadedPolicy:
    """The policy of a run (path, unique prefix, ``@last:rl``) or a released one, by name.

    Raises:
        RunError: nothing fits, there is no policy yet, or it is damaged.
    """
    found = released.find(str(spec), "rl", runs_dir)
    policy, about = load_stored(found.path)
    if isinstance(found, Run):
        _warn_of_later_steps(found, about)
    return LoadedPolicy(policy, about, deterministic)


def _warn_of_later_steps(run: Run, about: About) -> None:
    """A run that is not finished has a policy of before: of its last evaluation, or its best."""
    try:
        status = run.status
    except RunError:  # damaged: it says nothing
        return
    step = int(status.get("step", 0))
    if status.get("state") != "finished" and about.step is not None and step > about.step:
        _log.warning(
            "%s is not finished: it has come to step %d, its policy is of step %d; "
            "where nothing trains it any more, toolkit runs resume %s goes on",
            *(run.name, step, about.step, run.path),
        )
