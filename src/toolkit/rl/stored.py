"""A trained policy in its folder: weights, and what is needed to act with them elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from pydantic import Field, ValidationError, model_validator

from toolkit.core import weights
from toolkit.core.config import Config
from toolkit.core.errors import ConfigError, RunError
from toolkit.core.files import write_atomic
from toolkit.core.supervised import load_weights
from toolkit.rl.agents.networks import Actor
from toolkit.rl.agents.policy import Policy
from toolkit.rl.agents.standardisation import Standardisation
from toolkit.rl.config import RlRunConfig
from toolkit.rl.environments import Spaces

ABOUT = "model.json"


class About(Config):
    """What a stored policy is for, and how its network is built."""

    label: str = Field(description="what tables and figures call its configuration")
    env: str = Field(description="a gymnasium id")
    env_args: dict[str, Any] = Field({}, description="arguments of the environment")
    observation_size: int = Field(ge=1, description="d")
    low: tuple[float, ...] = Field(min_length=1, description="of each action")
    high: tuple[float, ...] = Field(min_length=1, description="likewise")
    time_limit: int | None = Field(None, description="steps after which an episode is cut")
    hidden: tuple[int, ...] = Field(description="widths of the actor")
    activation: str
    squash: bool = Field(description="actions are bounded by tanh, not by clipping")
    bounded: bool = Field(False, description="modes are bounded by tanh before noise is added")
    reach: float = Field(1.0, gt=0, description="factor of that tanh")
    standardise: bool = Field(description="observations by running mean and deviation")
    sigma: tuple[float, ...] = Field(
        description="of exploration at the end, each action's mean, in the box [-1, 1]"
    )
    step: int | None = Field(None, ge=0, description="environment steps that it learnt from")

    @model_validator(mode="after")
    def _one_for_each_action(self) -> Self:
        if not len(self.low) == len(self.high) == len(self.sigma):
            raise ValueError("low, high and sigma differ in length")
        return self

    @property
    def spaces(self) -> Spaces:
        """Of the environment."""
        low, high = np.array(self.low, np.float32), np.array(self.high, np.float32)
        return Spaces(self.observation_size, low, high, self.time_limit)


def save_policy(
    folder: Path,
    policy: Policy,
    config: RlRunConfig,
    sigma: ArrayLike,
    step: int | None = None,
) -> About:
    """Write ``model.safetensors`` and ``model.json``; returns what the latter says.

    Args:
        folder: an existing one.
        policy: whose actor is an :class:`Actor` as ``config`` has it.
        config: of the run that trained it.
        sigma: (a,), deviation of exploration in actions scaled to [-1, 1].
        step: environment steps that it learnt from.

    Raises:
        RunError: the folder cannot be written.
    """
    spaces = policy.spaces
    about = About(
        label=config.label,
        env=config.env,
        env_args=dict(config.env_args),
        observation_size=spaces.observation_size,
        low=tuple(spaces.low.tolist()),
        high=tuple(spaces.high.tolist()),
        time_limit=spaces.time_limit,
        hidden=tuple(config.hidden),
        activation=config.activation,
        squash=policy.squash,
        bounded=policy.actor.bounded,
        reach=policy.actor.reach,
        standardise=policy.standardisation.enabled,
        sigma=tuple(np.asarray(sigma, np.float64).tolist()),
        step=step,
    )
    weights.write(folder, policy)
    write_atomic(folder / ABOUT, about.model_dump_json(indent=2) + "\n")
    return about


def load_stored(folder: Path) -> tuple[Policy, About]:
    """The policy that :func:`save_policy` wrote, for evaluation.

    Raises:
        RunError: it is missing, damaged, or its weights are of another network.
    """
    about = _about(folder)
    spaces = about.spaces
    sizes = [spaces.observation_size, *about.hidden, spaces.action_size]
    try:
        actor = Actor(sizes, about.activation, about.bounded, about.reach)
    except ConfigError as error:
        raise RunError(error.what, where=str(folder / ABOUT), hint=error.hint) from error
    standardisation = Standardisation(spaces.observation_size, about.standardise)
    policy = Policy(spaces, actor, standardisation, about.squash)
    load_weights(policy, weights.read(folder))
    return policy.eval(), about


def _about(folder: Path) -> About:
    path = folder / ABOUT
    try:
        return About.model_validate_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        what = "there is no policy yet: a run stores one at each of its evaluations"
        raise RunError(what, where=str(folder), hint=f"toolkit runs resume {folder}") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        what = ": ".join([*map(str, first["loc"]), first["msg"]])
        raise RunError(f"cannot read what the policy is: {what}", where=str(path)) from error
    except (OSError, ValueError) as error:
        raise RunError(f"cannot read what the policy is: {error}", where=str(path)) from error
