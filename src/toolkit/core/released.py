"""Trained models by name: a run, or one of the released ones that come with the package.

A released model is a folder ``models/<application>/<name>/`` with ``model.safetensors``,
``config.toml``, ``results.json`` and its card, ``README.md``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit.core.config import load, read_toml
from toolkit.core.errors import RunError, closest
from toolkit.core.finding import resolve
from toolkit.core.run import C, Run

_PACKAGE = Path(__file__).parents[1]


@dataclass(frozen=True)
class Released:
    """A released model's folder."""

    path: Path

    @property
    def settings(self) -> dict[str, Any]:
        """The settings as they stand in the file."""
        return read_toml(self.path / "config.toml")

    def config(self, model: type[C]) -> C:
        """The settings that it was trained with."""
        return load(model, file=self.path / "config.toml")


def folder() -> Path:
    """Where released models lie: inside an installed package, beside the sources otherwise."""
    installed = _PACKAGE / "models"
    return installed if installed.is_dir() else _PACKAGE.parents[1] / "models"


def names(app: str) -> list[str]:
    """Names of the released models of ``app``."""
    return sorted(path.parent.name for path in (folder() / app).glob("*/config.toml"))


def find(spec: str, app: str, runs_dir: Path) -> Run | Released:
    """The run or released model that ``spec`` names; released names come first.

    Raises:
        RunError: nothing fits, or the run is of another application.
    """
    if spec in names(app):
        return Released(folder() / app / spec)
    try:
        run = resolve(spec, runs_dir)
    except RunError as error:
        if spec.startswith("@") or not names(app):
            raise
        error.hint = f"{error.hint}; released models: {closest(spec, names(app))}"
        raise
    if run.app != app:
        raise RunError(
            f"{run.name} is a run of {run.app}, not of {app}",
            where=str(run.path),
            hint=f"@last:{app} names the newest {app} run",
        )
    return run
