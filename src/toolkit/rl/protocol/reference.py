"""Published returns to draw a curve against: ``reference_scores.toml``, with sources."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

_TASK_OF = {"v5": "v4"}  # whose scores stand beside a version that nobody has published on
NORMALISER, NORMALISER_STEPS = "SAC", 1_000_000


@dataclass(frozen=True)
class Reference:
    """A published mean return.

    Attributes:
        name: the algorithm and the version of the environment: ``"SAC (v4)"``.
        steps: environment steps after which it was measured.
        score: mean undiscounted return of an episode.
        source: who published it, and where.
        seeds: over how many, where known.
    """

    name: str
    steps: int
    score: float
    source: str
    seeds: int | None = None

    @property
    def algorithm(self) -> str:
        """The name without the version of the environment."""
        return self.name.partition(" (")[0]


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads(Path(__file__).with_name("reference_scores.toml").read_text("utf-8"))


def references(env_id: str) -> list[Reference]:
    """Published returns on ``env_id``, those of v4 standing for v5; none for what is unknown."""
    task, _, version = env_id.rpartition("-")
    version = _TASK_OF.get(version, version)
    table = _table()
    found = table["environment"].get(f"{task}-{version}", {})
    return [
        _reference(table["source"][key], version, int(steps), score)
        for key, scores in found.items()
        for steps, score in scores.items()
    ]


def _reference(source: dict[str, Any], version: str, steps: int, score: float) -> Reference:
    name = f"{source['name']} ({version})"
    return Reference(name, steps, float(score), source["source"], source.get("seeds"))


def normaliser(env_id: str) -> float | None:
    """SAC's return after a million steps, which a normalised score of 1 stands for."""
    for one in references(env_id):
        if (one.algorithm, one.steps) == (NORMALISER, NORMALISER_STEPS):
            return one.score
    return None
