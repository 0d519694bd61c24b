"""Curves over seeds against steps or trained seconds, runs of unequal length among them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from toolkit.core import rng
from toolkit.core.files import write_atomic
from toolkit.core.seed_statistics import Curve, seeds_curve
from toolkit.rl.protocol.histories import RETURN, Axis, Floats, Group

_GRID = 200  # points of a curve


@dataclass(frozen=True)
class GroupCurve:
    """What a group's ``n`` seeds did along a grid (T,): IQM of returns, mean of anything else."""

    group: Group
    grid: Floats
    curve: Curve
    n: int


def curves(groups: Iterable[Group], axis: Axis, key: str = RETURN) -> list[GroupCurve]:
    """The curve of each group in which every seed has ``key``.

    Seeds are interpolated on one grid, from where the last of them begins to where the first ends.
    """
    found = (_curve(group, axis, key) for group in groups)
    return [one for one in found if one is not None]


def _curve(group: Group, axis: Axis, key: str) -> GroupCurve | None:
    measured = [history.curve(key, axis) for history in group.histories]
    if not all(x.size for x, _ in measured):
        return None
    grid = _grid([x for x, _ in measured])
    if not grid.size:
        return None
    table = [np.interp(grid, x, y) for x, y in measured]
    aggregate = seeds_curve(table, "iqm" if key == RETURN else "mean", rng=rng.generator(0, key))
    return GroupCurve(group, grid, aggregate, len(measured))


def _grid(axes: Sequence[Floats]) -> Floats:
    """Where any seed was evaluated, or evenly spaced points where those would be too many."""
    first, last = max(x[0] for x in axes), min(x[-1] for x in axes)
    every = np.unique(np.concatenate(axes))
    inside = every[(every >= first) & (every <= last)]
    return inside if inside.size <= _GRID else np.linspace(first, last, _GRID)


def write_csv(found: Iterable[GroupCurve], axis: Axis, path: Path) -> Path:
    """Write ``found`` as rows of environment, preset, n, steps or seconds, IQM and its interval."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    where = "steps" if axis == "steps" else "trained_s"
    table.writerow(["env", "preset", "n_seeds", where, "iqm", "low", "high"])
    for one in found:
        ends = [["" if np.isnan(v) else v for v in part.tolist()] for part in one.curve]
        names = (one.group.env, one.group.preset, one.n)
        table.writerows([*names, *row] for row in zip(one.grid.tolist(), *ends))
    write_atomic(path, text.getvalue())
    return path
