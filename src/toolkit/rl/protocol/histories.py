"""What finished and unfinished runs of ``toolkit rl run`` went through, grouped for comparison."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from toolkit.core import report
from toolkit.core.errors import ConfigError, RunError, ToolkitError
from toolkit.core.run import Run
from toolkit.rl.config import RlRunConfig

Axis = Literal["steps", "time"]
Floats = NDArray[np.float64]
RETURN, SIGMA = "evaluation/return", "sigma/mean"
_COLUMN: Mapping[Axis, str] = {"steps": "step", "time": "time_s"}
# What tells runs apart without making another method of them.
_INCIDENTAL = {
    *("seed", "steps", "schedule_steps", "device", "threads", "data_dir", "tensorboard"),
    *("evaluate_every", "episodes", "final_episodes", "checkpoint_every_s", "keep_checkpoints"),
    *("label", "env", "replay.memory_map", "monitor", "monitor_mode", "patience"),
}


@dataclass(frozen=True)
class History:
    """One run's evaluations.

    Attributes:
        settings: as in the run's ``config.toml``.
        lines: of ``metrics.jsonl``, those with an evaluation, in their order.
        steps_per_s: environment steps for each second of training, where known.
    """

    path: Path
    settings: Mapping[str, Any]
    lines: Sequence[Mapping[str, Any]]
    steps_per_s: float | None

    @property
    def seed(self) -> int:
        """Seed of the run."""
        return int(self.settings["seed"])

    def curve(self, key: str, axis: Axis = "steps") -> tuple[Floats, Floats]:
        """Where ``key`` was measured (n,), in steps or trained seconds, and its values (n,)."""
        column = _COLUMN[axis]
        points = [(line[column], line[key]) for line in self.lines if _has(line, column, key)]
        x, y = np.array(points, np.float64).reshape(-1, 2).T
        return x, y

    def at(self, where: float, key: str = RETURN, axis: Axis = "steps") -> float | None:
        """``key`` at a step or second, straight lines being drawn between evaluations."""
        x, y = self.curve(key, axis)
        return float(np.interp(where, x, y)) if x.size and x[0] <= where <= x[-1] else None

    def span(self, axis: Axis) -> tuple[float, float]:
        """First and last evaluation, in steps or trained seconds."""
        x, _ = self.curve(RETURN, axis)
        return float(x[0]), float(x[-1])


@dataclass(frozen=True)
class Group:
    """Runs that differ in nothing but their seed.

    Attributes:
        env: the environment's id, with its arguments where runs differ in them.
        env_id: its id alone.
        preset: the label, with the settings in which runs of one label differ.
    """

    env: str
    env_id: str
    preset: str
    histories: Sequence[History]


def read(found: Iterable[Run], warn: Callable[[str], None]) -> list[History]:
    """The histories of ``found``; a run that has none is left out with a warning.

    Raises:
        RunError: nothing is left.
    """
    histories = []
    for run in found:
        try:
            histories.append(_history(run))
        except ToolkitError as error:
            warn(f"{run.path} is left out: {error.what}")
            continue
        last = histories[-1].lines[-1]["step"]
        if last < histories[-1].settings.get("steps", 0):
            warn(f"{run.path} is unfinished: its last evaluation is at step {last}")
    if not histories:
        hint = "toolkit rl run HalfCheetah-v5 makes one; toolkit runs list shows those there are"
        raise RunError("no run of toolkit rl with an evaluation among those named", hint=hint)
    return histories


def _history(run: Run) -> History:
    if (run.app, run.verb) != ("rl", "run"):
        raise RunError(f"it is a run of {run.app} {run.verb}, not of rl run", where=str(run.path))
    settings = _settings(run)
    lacking = {"env", "label", "seed"} - settings.keys()
    if lacking:
        raise RunError(f"its config.toml has no {min(lacking)}", where=str(run.path))
    lines = [line for line in run.metrics if _has(line, *_COLUMN.values(), RETURN)]
    if not lines:
        raise RunError("it has no evaluation yet", where=str(run.path))
    told, last = (run.result or {}).get("steps_per_s"), lines[-1]
    measured = last["step"] / last["time_s"] if last["time_s"] > 0 else None
    return History(run.path, settings, lines, measured if told is None else float(told))


def _settings(run: Run) -> Mapping[str, Any]:
    """With the defaults of what an older version did not write; else as they stand in the file."""
    try:
        return run.config(RlRunConfig).model_dump(mode="json", exclude_none=True)
    except ConfigError:
        return run.settings


def _has(line: Mapping[str, Any], *keys: str) -> bool:
    numbers = [line.get(key) for key in keys]
    return all(isinstance(value, int | float) and np.isfinite(value) for value in numbers)


def group(histories: Sequence[History], warn: Callable[[str], None]) -> list[Group]:
    """``histories`` by environment and preset, in the order of their names, seeds ascending.

    Of two runs with one seed, which would be no independent ones, the longer (or later) stays.
    """
    labels = _labels(histories)
    groups: dict[tuple[str, str], dict[int, History]] = {}
    for history, key in zip(histories, zip(_environments(histories), labels)):
        seeds = groups.setdefault(key, {})
        other = seeds.get(history.seed)
        if other is not None:
            shorter, history = sorted((other, history), key=lambda one: one.span("steps")[1])
            warn(f"{shorter.path} is left out: seed {shorter.seed} of {key[1]} is there twice")
        seeds[history.seed] = history
    return [
        Group(env, seeds[min(seeds)].settings["env"], preset, [seeds[s] for s in sorted(seeds)])
        for (env, preset), seeds in sorted(groups.items())
    ]


def _environments(histories: Sequence[History]) -> list[str]:
    """Ids, with their arguments where runs of one id differ in them."""
    arguments = [_flat(history.settings.get("env_args", {})) for history in histories]
    ids = [str(history.settings["env"]) for history in histories]
    varying = _varying(ids, ids, arguments)
    return [_extended(i, own, varying[i]) for i, own in zip(ids, arguments)]


def _labels(histories: Sequence[History]) -> list[str]:
    """Labels, with the settings in which runs of one label and one environment differ."""
    settings = [
        {k: v for k, v in _flat(one.settings).items() if not _incidental(k)} for one in histories
    ]
    labels = [str(one.settings["label"]) for one in histories]
    varying = _varying(labels, _environments(histories), settings)
    return [_extended(label, own, varying[label]) for label, own in zip(labels, settings)]


def _incidental(key: str) -> bool:
    return key in _INCIDENTAL or key.partition(".")[0] == "env_args"


def _varying(
    names: Sequence[str], peers: Sequence[str], settings: Sequence[Mapping[str, str]]
) -> dict[str, list[str]]:
    """For each name the keys in which some of its members, being peers, differ."""
    members: dict[tuple[str, str], list[Mapping[str, str]]] = {}
    for name, peer, own in zip(names, peers, settings):
        members.setdefault((name, peer), []).append(own)
    found: dict[str, set[str]] = {name: set() for name in names}
    for (name, _), those in members.items():
        keys = {key for own in those for key in own}
        found[name] |= {key for key in keys if len({own.get(key) for own in those}) > 1}
    return {name: sorted(keys) for name, keys in found.items()}


def _extended(name: str, own: Mapping[str, str], keys: Sequence[str]) -> str:
    return " ".join([name, *(f"{key}={own.get(key, 'none')}" for key in keys)])


def _flat(settings: Mapping[str, Any]) -> dict[str, str]:
    """Dotted keys with values as they are written in ``--set``."""
    leaves = report.flatten(settings)
    return {key: v if isinstance(v, str) else json.dumps(v, default=str) for key, v in leaves}
