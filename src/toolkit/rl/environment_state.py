"""The state of a running environment, such that its coming steps are the same bit for bit.

Two ways with one interface. ``Physics`` writes down the state of the simulation; it is for
gymnasium's own MuJoCo environments, which keep nothing else. ``Replayed`` writes down how the
running episode came about and does it again; it is for every other environment, and exact if that
one draws its random numbers from ``np_random`` alone, which is verified, and keeps nothing from one
episode to the next, which is looked for among its numbers, texts and arrays.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import gymnasium
import numpy as np
from gymnasium.wrappers import OrderEnforcing, PassiveEnvChecker, TimeLimit
from numpy.typing import NDArray

from toolkit.core.errors import RunError

Env = gymnasium.Env[Any, Any]

_log = logging.getLogger(__name__)


@dataclass
class Episode:
    """A running episode: what was seen last, the rewards so far and how many."""

    observation: NDArray[np.float32]
    total: float = 0.0
    length: int = 0


class Recorder(Protocol):
    """Told of every reset and step of an environment, it can bring another one to the same state.

    Its states are dicts of numbers, strings and arrays, as ``core.checkpoint`` takes them.
    """

    def begins(self, seed: int | None) -> None:
        """``reset(seed=seed)`` is about to be called."""

    def acts(self, action: NDArray[np.float32]) -> None:
        """``step(action)`` is about to be called."""

    def capture(self) -> dict[str, Any]:
        """State of the environment."""

    def restore(self, state: Mapping[str, Any], episode: Episode) -> None:
        """Bring the environment, which was reset before, to ``state``, reached in ``episode``.

        Raises:
            RunError: the environment does not get there.
        """


def recorder(env: Env) -> Recorder:
    """The recorder that suits ``env``."""
    known = type(env.unwrapped).__module__.startswith("gymnasium.envs.mujoco.")
    return Physics(env) if known and _plainly_wrapped(env) else Replayed(env)


def _plainly_wrapped(env: Env) -> bool:
    layers = {type(layer) for layer in _layers(env)[:-1]}
    return layers <= {TimeLimit, OrderEnforcing, PassiveEnvChecker}


def _layers(env: Env) -> list[Env]:
    """The wrappers from the outside in, and the environment itself."""
    layers = [env]
    while isinstance(layers[-1], gymnasium.Wrapper):
        layers.append(layers[-1].env)
    return layers


class Physics:
    """``mjSTATE_INTEGRATION``, which determines all coming steps of the simulation, and counters.

    https://mujoco.readthedocs.io/en/stable/computation/index.html#the-state

    Positions of bodies are added. After a step MuJoCo's still belong to the last but one
    integration, and a reward for speed (Ant, Humanoid, Reacher) starts from them: they must
    neither be left as they are nor computed anew.
    """

    _POSITIONS = ("xpos", "xipos")  # of the frames and of the centres of mass of bodies, m

    def __init__(self, env: Env) -> None:
        base: Any = env.unwrapped
        self._env, self._model, self._data = env, base.model, base.data
        self._limits = [layer for layer in _layers(env) if isinstance(layer, TimeLimit)]

    def begins(self, seed: int | None) -> None:
        """Nothing to remember."""

    def acts(self, action: NDArray[np.float32]) -> None:
        """Nothing to remember."""

    def capture(self) -> dict[str, Any]:
        """Integration state, positions, counters of time limits and the generator."""
        import mujoco

        kind = mujoco.mjtState.mjSTATE_INTEGRATION
        vector = np.empty(mujoco.mj_stateSize(self._model, kind))
        mujoco.mj_getState(self._model, self._data, vector, kind)
        return {
            "physics": vector,
            **{name: getattr(self._data, name).copy() for name in self._POSITIONS},
            "elapsed": [limit._elapsed_steps for limit in self._limits],
            "random": self._env.unwrapped.np_random.bit_generator.state,
        }

    def restore(self, state: Mapping[str, Any], episode: Episode) -> None:
        """Without ``mj_forward``: it would replace the solver's first guess and the positions."""
        import mujoco

        kind = mujoco.mjtState.mjSTATE_INTEGRATION
        size = mujoco.mj_stateSize(self._model, kind)
        if len(state["physics"]) != size:
            raise RunError(
                f"the saved physics have {len(state['physics'])} numbers, this model has {size}",
                hint="resume with the arguments and the version of MuJoCo of the run",
            )
        mujoco.mj_setState(self._model, self._data, state["physics"], kind)
        for name in self._POSITIONS:
            getattr(self._data, name)[:] = state[name]
        for limit, elapsed in zip(self._limits, state["elapsed"]):
            limit._elapsed_steps = elapsed
        self._env.unwrapped.np_random.bit_generator.state = state["random"]


class Replayed:
    """How the running episode began, and every action in it."""

    def __init__(self, env: Env) -> None:
        self._env = env
        self._seed: int | None = None
        self._random: Mapping[str, Any] | None = None  # the generator before an unseeded reset
        self._actions = bytearray()  # float32: an episode without an end may have millions

    def begins(self, seed: int | None) -> None:
        """Forget the episode before."""
        generator = self._env.unwrapped.np_random.bit_generator
        self._seed, self._random = seed, generator.state if seed is None else None
        self._actions = bytearray()

    def acts(self, action: NDArray[np.float32]) -> None:
        """Remember ``action``."""
        self._actions += action.astype(np.float32).tobytes()

    def capture(self) -> dict[str, Any]:
        """Seed or generator at the episode's reset, and its actions ``(steps, a)``."""
        size = self._env.action_space.shape
        assert size is not None, "actions are a box"
        actions = np.frombuffer(bytes(self._actions), np.float32).reshape(-1, *size)
        started = {"seed": self._seed, "random": self._random}
        return {**started, "actions": actions, "holds": held(self._env)}

    def restore(self, state: Mapping[str, Any], episode: Episode) -> None:
        """Play the episode again, and compare what it led to."""
        self._seed, self._random = state["seed"], state["random"]
        actions = np.array(state["actions"], np.float32)
        self._actions = bytearray(actions.tobytes())
        if self._random is not None:
            self._env.unwrapped.np_random.bit_generator.state = self._random
        observation, _ = self._env.reset(seed=self._seed)
        total = 0.0
        for action in actions:
            observation, reward, *_ = self._env.step(action)
            total += float(reward)
        same = np.array_equal(np.asarray(observation, np.float32), episode.observation)
        name = self._env.spec.id if self._env.spec else str(self._env)
        if not same or total != episode.total:
            raise RunError(
                f"{name} cannot be resumed exactly: its episode, played again, went "
                f"another way (return {total!r} after {episode.length} steps, not "
                f"{episode.total!r})",
                hint="let it draw its random numbers from self.np_random alone, or start anew",
            )
        self._compare(name, state.get("holds", {}))

    def _compare(self, name: str, before: Mapping[str, str]) -> None:
        """Warn of what playing the running episode again did not bring back."""
        now = held(self._env)
        lost = [key for key, value in before.items() if now.get(key, value) != value]
        if lost:
            told = ", ".join(f"{key} ({now[key]}, before {before[key]})" for key in lost[:5])
            _log.warning(
                "%s holds other values than when it was saved: %s; if it keeps them from one "
                "episode to the next, this run goes on otherwise than one that never stopped",
                *(name, told),
            )


def held(env: Env) -> dict[str, str]:
    """Numbers and texts that ``env`` and its wrappers hold as attributes, and hashes of arrays."""
    return {
        f"{type(layer).__name__}.{key}": _told(value)
        for layer in _layers(env)
        for key, value in vars(layer).items()
        if isinstance(value, bool | int | float | str | np.generic | np.ndarray)
        and key != "_np_random_seed"  # of the generator, which is put back
    }


def _told(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"array {hashlib.sha256(value.tobytes()).hexdigest()[:8]}"
    return repr(value)
