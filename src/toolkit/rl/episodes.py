"""What a run remembers of its episodes and evaluations."""

from __future__ import annotations

from typing import NamedTuple


class Episode(NamedTuple):
    """A finished episode of training; its return is that of noisy actions."""

    step: int  # of the run, at its end
    environment: int
    total: float
    length: int
    terminated: bool
    time_s: float  # trained


class Judged(NamedTuple):
    """An evaluation: returns (episodes,) and lengths of the modes' episodes."""

    step: int
    returns: list[float]
    lengths: list[int]
