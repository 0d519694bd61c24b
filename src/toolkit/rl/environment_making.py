"""One environment by its gymnasium id, refused at once if no policy here could act in it."""

from __future__ import annotations

import importlib
import logging
import os
import re
import sys
import warnings
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import gymnasium
import numpy as np
from gymnasium.envs.registration import EnvSpec, load_env_creator, registry
from numpy.typing import NDArray

from toolkit.core.errors import ConfigError, ToolkitError, UnavailableError, closest

Env = gymnasium.Env[Any, Any]
_UNBOUNDED = 1e30  # some write the largest number there is for no bound

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Spaces:
    """What a policy sees and does; policies act in the box scaled to [-1, 1].

    An action without bounds gets -1 and 1, one with a single bound the interval of width 2
    beside it: both leave the environment's unit as it is (a scale of one).

    Args:
        observation_size: numbers of an observation, d.
        low: lowest action, float32 ``(a,)``, in the environment's units.
        high: highest action, likewise.
        time_limit: steps after which an episode is truncated; None if it never is.
    """

    observation_size: int
    low: NDArray[np.float32]
    high: NDArray[np.float32]
    time_limit: int | None

    @property
    def action_size(self) -> int:
        """Numbers of an action, a."""
        return len(self.low)

    def scaled(self, actions: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        """Actions in the environment's units of ``actions`` ``(N, a)``, clipped to [-1, 1]."""
        centre, half = (self.high + self.low) / 2, (self.high - self.low) / 2
        moved = np.asarray(centre + half * np.clip(actions, -1, 1), np.float32)
        # again: rounding could leave the box by one unit in the last place
        return np.clip(moved, self.low, self.high)


def make(env_id: str, args: Mapping[str, Any], *, render_mode: str | None = None) -> Env:
    """The environment ``env_id`` (``Name-v0``, or ``module:Name-v0``) with arguments ``args``.

    gymnasium's passive checker is left out: it costs time at every step, prints warnings about
    matters of taste, and what matters here (spaces, finite numbers) is checked anyway.

    Raises:
        ConfigError: an unknown id or version, a wrong argument, or spaces other than boxes.
        UnavailableError: a package that the environment needs is missing.
    """
    spec = _registered(env_id)
    asked = {**args, **({"render_mode": render_mode} if render_mode else {})}
    try:
        with warnings.catch_warnings():
            # gymnasium's own, such as that a newer version of an id exists: it was chosen
            warnings.filterwarnings("ignore", message=r".*WARN: ")
            _load(spec)
            env: Env = gymnasium.make(spec.id, disable_env_checker=True, **asked)
    except (ImportError, gymnasium.error.DependencyNotInstalled) as error:
        raise _missing(env_id, error) from error
    except Exception as error:  # constructors of others raise what they like
        raise _not_made(env_id, asked, error) from error
    try:
        spaces_of(env)
    except ConfigError:
        env.close()
        raise
    return env


def _registered(env_id: str) -> EnvSpec:
    """What is registered under exactly ``env_id``.

    A name without version is refused: gymnasium would take the newest, another one some day.
    """
    module, _, name = env_id.rpartition(":")
    if module:
        try:
            importlib.import_module(module)
        except ImportError as error:
            raise _missing(env_id, error) from error
        except Exception as error:  # of a module of the user's own
            what = f"module {module!r} cannot be imported: {error} ({type(error).__name__})"
            raise ConfigError(what, where="env", hint=f"python -c 'import {module}'") from error
    if name not in registry:
        raise ConfigError(
            f"no environment {env_id!r}; {closest(name, registry)}",
            where="env",
            hint="one that a module of yours registers is written module:Name-v0",
        )
    return registry[name]


@contextmanager
def blaming(env: Env, doing: Literal["reset", "step", "render"]) -> Iterator[None]:
    """Turn whatever an environment raises into a ConfigError that says whose fault it is."""
    try:
        yield
    except ToolkitError:  # a signal's, which has nothing to do with it
        raise
    except Exception as error:
        name = env.spec.id if env.spec else str(env)
        what = f"{name!r} failed in its {doing}: {error} ({type(error).__name__})"
        hint = "toolkit --debug shows where in its code; what was saved is kept"
        raise ConfigError(what, where="env", hint=hint) from error


def observed(env: Env, observation: Any) -> NDArray[Any]:
    """An observation (d,) as numbers.

    Raises:
        ConfigError: it is not of the shape that the environment's space has.
    """
    values, expected = np.asarray(observation), env.observation_space.shape
    if values.shape != expected:
        name = env.spec.id if env.spec else str(env)
        what = f"{name!r} gave an observation of shape {values.shape}; its space has {expected}"
        raise ConfigError(what, where="env", hint="correct the environment or its space")
    return values


def closed_with(owner: object, envs: Sequence[Env]) -> weakref.finalize[..., Any]:
    """Close ``envs`` once ``owner`` is gone, at the latest with the process; call it to do so now.

    An environment may hold more than memory: a connection, or a robot that is to stop.
    """
    return weakref.finalize(owner, _close, envs, os.getpid())


def _close(envs: Sequence[Env], owner: int) -> None:
    for env in envs if os.getpid() == owner else ():  # a fork has them only as a copy
        try:
            env.close()
        except Exception as error:  # too late to change anything
            _log.warning("%s could not be closed: %s", env.spec.id if env.spec else env, error)


def _load(spec: EnvSpec) -> None:
    """Import what makes the environment; if that is MuJoCo, let it warn by way of our log.

    Otherwise it prints, and writes a file MUJOCO_LOG.TXT into the working directory.
    """
    if isinstance(spec.entry_point, str):
        load_env_creator(spec.entry_point)
    mujoco = sys.modules.get("mujoco")
    if mujoco and mujoco.get_mju_user_warning() is None:
        mujoco.set_mju_user_warning(_log_warning)


def _log_warning(text: str) -> None:
    # a deprecated attribute in a model's file is its author's business, not that of a run
    _log.log(logging.DEBUG if "deprecated" in text else logging.WARNING, "MuJoCo: %s", text.strip())


def _missing(env_id: str, error: Exception) -> UnavailableError:
    command = re.search(r"`(pip install [^`]+)`", str(error))
    module = "put the folder of a module of yours on PYTHONPATH"
    hint = command[1] if command else f"install the package that is named above; {module}"
    return UnavailableError(f"{env_id!r} cannot be loaded: {error}", where="env", hint=hint)


def _not_made(env_id: str, args: Mapping[str, Any], error: Exception) -> ConfigError:
    given = ", ".join(f"{key}={value!r}" for key, value in args.items()) or "no arguments"
    reason = str(error).partition(" was raised from the environment creator")[0]
    return ConfigError(
        f"{env_id!r} cannot be made with {given}: {type(error).__name__}: {reason}",
        where="env_args",
        hint=f"arguments are those of {env_id}'s constructor, and max_episode_steps",
    )


def spaces_of(env: Env) -> Spaces:
    """Sizes and bounds of ``env``.

    Raises:
        ConfigError: actions or observations are anything but a one-dimensional box.
    """
    seen, done = env.observation_space, env.action_space
    if not (isinstance(seen, gymnasium.spaces.Box) and _is_vector(seen)):
        hint = "flatten it with a gymnasium wrapper, such as FlattenObservation, in an id of yours"
        raise _unsupported(env, "observations", seen, "a one-dimensional Box of numbers", hint)
    real = np.issubdtype(done.dtype, np.floating)  # a Box of integers is discrete
    if not (isinstance(done, gymnasium.spaces.Box) and _is_vector(done) and real):
        hint = "take an environment with continuous actions, such as Pendulum-v1"
        raise _unsupported(env, "actions", done, "continuous ones: a one-dimensional Box", hint)
    low, high = _bounds(done)
    limit = env.spec.max_episode_steps if env.spec else None
    return Spaces(seen.shape[0], low, high, limit)


def _is_vector(box: gymnasium.spaces.Box) -> bool:
    return len(box.shape) == 1 and box.shape[0] > 0


def _bounds(box: gymnasium.spaces.Box) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    floor, ceiling = (np.abs(bound) < _UNBOUNDED for bound in (box.low, box.high))
    low, high = _rounded(box.low, np.inf), _rounded(box.high, -np.inf)
    return (
        np.where(floor, low, np.where(ceiling, high - 2, -1)).astype(np.float32),
        np.where(ceiling, high, np.where(floor, low + 2, 1)).astype(np.float32),
    )


def _rounded(bounds: NDArray[Any], inwards: float) -> NDArray[np.float32]:
    """Bounds in single precision, never outside the box: it would refuse its own ends."""
    with np.errstate(over="ignore"):
        rounded = bounds.astype(np.float32)
    outside = (rounded < bounds) if inwards > 0 else (rounded > bounds)
    return np.where(outside, np.nextafter(rounded, np.float32(inwards)), rounded)


def _unsupported(
    env: Env, what: str, space: gymnasium.Space[Any], supported: str, hint: str
) -> ConfigError:
    name = env.spec.id if env.spec else str(env)
    return ConfigError(
        f"{what} of {name!r} are {space}; supported are {supported}", where="env", hint=hint
    )
