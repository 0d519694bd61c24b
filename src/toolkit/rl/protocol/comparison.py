"""Methods against each other over seeds, environments and budgets, after Agarwal et al. 2021.

The runs of one environment are compared at one budget of steps or of trained seconds: the longest
that all of them reached, or one that is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from toolkit.core import rng, statistics
from toolkit.core.errors import ConfigError
from toolkit.core.finding import resolve_all
from toolkit.core.grid import digest
from toolkit.core.statistics import Interval
from toolkit.rl.protocol import histories
from toolkit.rl.protocol.histories import RETURN, SIGMA, Axis, Floats, Group


@dataclass(frozen=True)
class Comparison:
    """Groups of runs with the budget of each environment.

    Attributes:
        groups: all that have a seed which reached the budget, with those seeds alone.
        axis: whether budgets are environment steps or trained seconds.
        budgets: by environment.
        warnings: what was left out and why.
    """

    groups: Sequence[Group]
    axis: Axis
    budgets: Mapping[str, float]
    warnings: Sequence[str]

    @property
    def presets(self) -> list[str]:
        """Every preset once, in alphabetical order."""
        return sorted({group.preset for group in self.groups})

    @property
    def digest(self) -> str:
        """Ten digits that stand for what is compared, and how."""
        paths = sorted(str(run.path.resolve()) for one in self.groups for run in one.histories)
        return digest(paths, self.axis, dict(self.budgets))

    def of_env(self, env: str) -> list[Group]:
        """The groups of one environment."""
        return [group for group in self.groups if group.env == env]

    def scores(self, preset: str) -> dict[str, Floats]:
        """Returns (n,) at the budget by environment."""
        mine = [group for group in self.groups if group.preset == preset]
        return {one.env: self._values(one, RETURN) for one in mine}

    def _values(self, group: Group, key: str) -> Floats:
        budget = self.budgets[group.env]
        values = [history.at(budget, key, self.axis) for history in group.histories]
        return np.array([value for value in values if value is not None], np.float64)

    def rows(self) -> list[dict[str, Any]]:
        """One row for each environment and preset, ready for JSON."""
        return [self._row(group) for group in self.groups]

    def _row(self, group: Group) -> dict[str, Any]:
        scores, n = self._values(group, RETURN), len(group.histories)
        mean, middle = interval([scores], "mean"), interval([scores], "iqm")
        best, sigmas = int(np.argmax(scores)), self._values(group, SIGMA)
        rates = [one.steps_per_s for one in group.histories if one.steps_per_s is not None]
        return {
            "env": group.env,
            "preset": group.preset,
            "n_seeds": n,
            **self._budget(group),
            "mean": mean.estimate,
            "ci95": ends(mean),
            "iqm": middle.estimate,
            "iqm_ci95": ends(middle),
            "sd": float(np.std(scores, ddof=1)) if n > 1 else None,
            "best": float(scores[best]),
            "best_seed": group.histories[best].seed,
            "seeds": [one.seed for one in group.histories],
            "returns": scores.tolist(),
            "final_sigma": float(sigmas.mean()) if sigmas.size else None,
            "steps_per_s": float(np.mean(rates)) if rates else None,
        }

    def _budget(self, group: Group) -> dict[str, float]:
        """Steps and trained seconds at the budget: one is given, the other a mean over seeds."""
        budget = self.budgets[group.env]
        if self.axis == "steps":
            return {"steps": int(budget), "trained_s": float(self._values(group, "time_s").mean())}
        return {"steps": round(self._values(group, "step").mean()), "trained_s": budget}


def compare(
    specs: Sequence[str], root: Path, *, axis: Axis = "steps", at: float | None = None
) -> Comparison:
    """Read and group the runs that ``specs`` name.

    Args:
        specs: paths, unique prefixes, ``@last``, or folders with runs.
        root: folder of the run directories.
        axis: whether runs are compared at equal steps or at equal trained seconds.
        at: the budget, in steps or seconds; by default the longest that all runs of an environment
            reached.

    Raises:
        RunError: a name fits nothing, or no run with an evaluation is left.
        ConfigError: no run reached ``at``.
    """
    warnings: list[str] = []
    found = histories.read(resolve_all(specs, root), warnings.append)
    groups = histories.group(found, warnings.append)
    budgets = {one.env: at for one in groups} if at is not None else _shared(groups, axis)
    kept = [_reaching(one, budgets[one.env], axis, warnings.append) for one in groups]
    left = [one for one in kept if one.histories]
    if not left:  # the shared budgets are reached by one run at least
        longest = max(history.span(axis)[1] for history in found)
        hint = f"the longest run ends at {longest:g}"
        raise ConfigError(f"no run was evaluated around {at} ({axis})", where="--at", hint=hint)
    return Comparison(left, axis, {one.env: budgets[one.env] for one in left}, warnings)


def _shared(groups: Sequence[Group], axis: Axis) -> dict[str, float]:
    budgets: dict[str, float] = {}
    for one in groups:
        last = min(history.span(axis)[1] for history in one.histories)
        budgets[one.env] = min(budgets.get(one.env, last), last)
    return budgets


def _reaching(group: Group, at: float, axis: Axis, warn: Callable[[str], None]) -> Group:
    kept = [one for one in group.histories if one.at(at, RETURN, axis) is not None]
    for one in group.histories:
        if one not in kept:
            first, last = one.span(axis)
            warn(f"{one.path} is left out: evaluated from {first:g} to {last:g}, not at {at:g}")
    return Group(group.env, group.env_id, group.preset, kept)


def interval(strata: Sequence[Floats], kind: Literal["mean", "iqm"]) -> Interval:
    """Mean or IQM of ``strata`` with its interval, the same at every call."""
    return statistics.seeds_interval(strata, kind, rng=rng.generator(0, "compare seeds"))


def ends(found: Interval) -> list[float] | None:
    """Both ends for JSON; None where there are too few seeds for an interval."""
    return [found.low, found.high] if np.isfinite(found.low) else None
