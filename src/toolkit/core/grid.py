"""The cells of a sweep: every seed at every point of a grid of settings."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit.core.config import parse_set
from toolkit.core.errors import ConfigError, RunError
from toolkit.core.run import Run


@dataclass(frozen=True)
class Cell:
    """One run of a sweep; its files lie in ``folder``."""

    folder: Path
    seed: int
    settings: Mapping[str, Any]

    @property
    def point(self) -> str:
        """Name of the grid point; ``"all"`` where nothing but the seed varies."""
        return ",".join(f"{key}={_safe(value)}" for key, value in self.settings.items()) or "all"

    @property
    def name(self) -> str:
        """Name of the run directory."""
        return f"{self.point},seed-{self.seed}" if self.settings else f"seed-{self.seed}"

    @property
    def path(self) -> Path:
        """The run directory."""
        return self.folder / self.name

    @property
    def log(self) -> Path:
        """The file of what the cell's processes said."""
        return self.folder / f"{self.name}.log"

    @property
    def sets(self) -> list[str]:
        """The settings as ``key=value`` with the values in TOML."""
        return [f"{key}={_text(value)}" for key, value in self.settings.items()]

    @property
    def exists(self) -> bool:
        """Whether a run was made here; one that was killed in the making was not."""
        return (self.path / "env.json").is_file()

    @property
    def result(self) -> dict[str, Any] | None:
        """What the run gave, if it is finished: see :attr:`toolkit.core.run.Run.measured`."""
        if not self.exists:
            return None
        run = Run(self.path)
        try:
            return run.measured if run.status.get("state") == "finished" else None
        except RunError:  # damaged: going on with it says what is wrong
            return None


def _text(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), default=str)


def _safe(value: Any) -> str:
    """``value`` as part of a file's name, distinct for distinct values."""
    text = value if isinstance(value, str) else _text(value)
    safe = re.sub(r"[^\w.+-]", "_", text)[:40]
    return safe if safe == text else f"{safe}-{digest(value)[:6]}"


def digest(*parts: Any) -> str:
    """Ten hexadecimal digits that stand for ``parts``."""
    return hashlib.sha256(_text(parts).encode()).hexdigest()[:10]


def parse_grid(texts: Iterable[str]) -> dict[str, list[Any]]:
    """``["lr=0.1,0.3", "norm=batch"]`` as ``{"lr": [0.1, 0.3], "norm": ["batch"]}``.

    Each value reads as in ``--set``; commas inside brackets or quotes belong to the value.

    Raises:
        ConfigError: no value, or a key twice.
    """
    grid: dict[str, list[Any]] = {}
    for text in texts:
        key, _, values = (part.strip() for part in text.partition("="))
        if not key or not values or key in grid:
            what = f"{key!r} is given twice" if key in grid else f"cannot read {text!r}"
            raise ConfigError(what, where="--grid", hint="write --grid key=a,b,c once for a key")
        grid[key] = _distinct(_parse_values(values))
    return grid


def _parse_values(text: str) -> list[Any]:
    try:
        return list(tomllib.loads(f"values = [{text}]")["values"])
    except tomllib.TOMLDecodeError:
        return [parse_set(f"value={part}")["value"] for part in text.split(",")]


def _distinct(values: Iterable[Any]) -> list[Any]:
    return list({_text(value): value for value in values}.values())


def expand(folder: Path, seeds: Sequence[int], grid: Mapping[str, Sequence[Any]]) -> list[Cell]:
    """Every seed at every point of ``grid``, the seed varying fastest."""
    points = [dict(zip(grid, values)) for values in itertools.product(*grid.values())]
    return [Cell(folder, seed, point) for point in points for seed in _distinct(seeds)]
