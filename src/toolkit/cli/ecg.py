"""``toolkit ecg``: train and evaluate arrhythmia classifiers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from toolkit.cli.options import data_dir_option, emit, json_option, run_options, runs_dir_option


@click.group()
def ecg() -> None:
    """Arrhythmia classification of ECG (Grabowski et al. 2022)."""


@ecg.command()
@run_options
def train(**options: Any) -> None:
    """Train a classifier and score it on its test part.

    Presets: ec57 (inter-patient, AAMI classes), intra (the same, patients shared),
    fragments17 (ten-second fragments), synthetic (records made by toolkit data synthesize).

    \b
    Examples:
      toolkit ecg train --preset ec57 --seed 0
      toolkit ecg train --preset fragments17 --set fragments.split_by=record
      toolkit ecg train --preset ec57 --set steps=120 --max-time 5m --json
    """
    from toolkit.cli import execution

    execution.start("ecg", "train", **options)


@ecg.command()
@click.argument("run_name", metavar="RUN")
@click.option(
    "--split",
    type=click.Choice(["test", "validation", "train"]),
    default="test",
    show_default=True,
    help="Part of the protocol's split to score.",
)
@data_dir_option
@runs_dir_option
@json_option
def evaluate(
    run_name: str, split: str, data_dir: Path | None, runs_dir: Path, as_json: bool
) -> None:
    """Score a run, or a released model, anew.

    RUN is a path, a unique prefix of a run's name, @last:ecg, or a released model's name.

    \b
    Examples:
      toolkit ecg evaluate @last:ecg
      toolkit ecg evaluate @last:ecg --split train --json
    """
    from toolkit.core.released import find
    from toolkit.ecg import tasks
    from toolkit.ecg.config import EcgTrainConfig

    model = find(run_name, "ecg", runs_dir)
    config = model.config(EcgTrainConfig)
    if data_dir is not None:
        config = config.model_copy(update={"data_dir": data_dir})
    scores = tasks.evaluate(model.path, config, split)
    emit({"run": str(model.path), **scores}, as_json)


@ecg.command()
@click.argument("run_name", metavar="RUN")
@runs_dir_option
@json_option
def plot(run_name: str, runs_dir: Path, as_json: bool) -> None:
    """Draw a run's figures anew and name the files.

    \b
    Examples:
      toolkit ecg plot @last:ecg
    """
    from toolkit.core.errors import RunError
    from toolkit.core.released import Released, find
    from toolkit.ecg import tasks
    from toolkit.ecg.config import EcgTrainConfig

    run = find(run_name, "ecg", runs_dir)
    if isinstance(run, Released):
        raise RunError(f"{run_name} is a released model; only runs have figures", where="RUN")
    tasks.plot(run, run.config(EcgTrainConfig))
    files = sorted(str(path) for path in run.figures.glob("*.png"))
    emit({"run": str(run.path), "figures": files}, as_json, lambda: click.echo("\n".join(files)))
