"""``toolkit ecg stress``: how a classifier fares under calibrated noise."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from toolkit.cli.options import data_dir_option, emit, json_option, print_table, runs_dir_option


@click.command()
@click.argument("model", metavar="MODEL")
@click.option(
    "--noise",
    default="synthetic",
    show_default=True,
    metavar="DIR|synthetic",
    help="Folder of WFDB noise records bw, em, ma (PhysioNet's nstdb), or noise made here.",
)
@click.option("--kinds", default="em", show_default=True, metavar="LIST", help="Of bw,em,ma.")
@click.option("--snr", default="24,18,12,6,0,-6", show_default=True, metavar="LIST", help="In dB.")
@click.option(
    "--out", type=click.Path(path_type=Path), default="stress", show_default=True, help="Folder."
)
@data_dir_option
@runs_dir_option
@json_option
def stress(
    model: str, out: Path, runs_dir: Path, data_dir: Path | None, as_json: bool, **how: Any
) -> None:
    """Add noise to a classifier's test records and score what it still finds.

    From 5:00 on, two minutes with noise and two without take turns, at signal-to-noise ratios
    close to those of WFDB's nst. Scores are gross EC57 figures from 5:00 on, with beats found by
    the detector and with the reference's beats. MODEL is a run of toolkit ecg train on beats, or a
    released model.

    \b
    Examples:
      toolkit ecg stress ec57 --noise synthetic --snr 12,0
      toolkit ecg stress ec57 --kinds em,ma --snr 6 --out STRESS --json
    """
    from toolkit.cli.progress import for_stderr
    from toolkit.core.files import write_json
    from toolkit.ecg import tasks
    from toolkit.ecg.prediction.classification import load_model
    from toolkit.ecg.stress import trial

    kinds, ratios = _kinds(how["kinds"]), _ratios(how["snr"])
    beats = load_model(model, runs_dir)
    config = beats.config
    if data_dir is not None:
        config = config.model_copy(update={"data_dir": data_dir})
    records, warnings = tasks.judged_records(config)
    _check_writable(out)
    rows = trial.stress(beats, records, how["noise"], kinds, ratios, for_stderr())
    figure = trial.draw(out / "stress.png", rows)
    facts: dict[str, Any] = {"model": model, "noise": how["noise"], "records": sorted(records)}
    facts |= {"figure": str(figure), "command": sys.argv[1:], "warnings": list(warnings)}
    result = {**facts, "rows": rows}
    write_json(out / "stress.json", result)
    emit(result, as_json, lambda: _print(model, rows))
    for warning in warnings:
        click.echo(f"Warning: {warning}", err=True)


def _check_writable(out: Path) -> None:
    """Miss a folder that cannot be written to before the work, not after it."""
    from toolkit.core.files import saving

    with saving(out):
        out.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=out).close()


def _kinds(text: str) -> list[str]:
    from toolkit.core.errors import ConfigError, closest
    from toolkit.ecg.stress.noise import KINDS

    kinds = list(dict.fromkeys(text.split(",")))
    for kind in kinds:
        if kind not in KINDS:
            what = f"unknown kind of noise {kind!r}"
            raise ConfigError(what, where="--kinds", hint=closest(kind, KINDS))
    return kinds


def _ratios(text: str) -> list[float]:
    from toolkit.core.errors import ConfigError

    try:
        ratios = [float(part) for part in text.split(",")]
    except ValueError as error:
        raise ConfigError(f"{text!r} is no list of dB", where="--snr", hint="24,12,0") from error
    if not all(-60 <= ratio <= 60 for ratio in ratios):
        raise ConfigError(f"{text!r}: ratios lie within 60 dB of 0", where="--snr", hint="24,12,0")
    return list(dict.fromkeys(ratios))


def _print(model: str, rows: Sequence[Mapping[str, Any]]) -> None:
    scores = [("detected", name) for name in ("qrs", "veb", "sveb")]
    scores += [("reference_beats", name) for name in ("veb", "sveb")]
    columns = ["noise", "dB", *(f"{name.upper()} Se / +P" for _, name in scores)]
    columns[-2:] = [f"given beats: {name}" for name in columns[-2:]]
    cells = [
        (
            row["noise"] or "none",
            "" if row["snr_db"] is None else f"{row['snr_db']:g}",
            *(_pair(row[way][name]) for way, name in scores),
        )
        for row in rows
    ]
    print_table(f"{model} under noise, %", columns, cells)


def _pair(scores: Mapping[str, float | None]) -> str:
    values = (scores["se"], scores["ppv"])
    return " / ".join("–" if value is None else f"{100 * value:.1f}" for value in values)
