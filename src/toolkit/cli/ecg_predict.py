"""``toolkit ecg predict``: a user's recording to beats, episodes and a report."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from toolkit.cli.options import emit, json_option, print_table, runs_dir_option

if TYPE_CHECKING:
    from toolkit.core.errors import ToolkitError


@click.command()
@click.argument("run_name", metavar="MODEL")
@click.argument("inputs", metavar="INPUT...", nargs=-1, required=True)
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder to write to.")
@click.option("--fs-hz", type=click.FloatRange(1), help="Sampling frequency, if no file says it.")
@click.option(
    "--lead", "leads", multiple=True, help="Name or number; twice: main lead, then the other."
)
@click.option(
    "--unit", type=click.Choice(["mV", "uV", "adu"]), help="Of the numbers [default: mV]."
)
@click.option("--gain", type=click.FloatRange(0, min_open=True), help="Numbers per --unit.")
@click.option("--variable", metavar="NAME", help="Of a MATLAB file [default: the largest].")
@click.option(
    "--abstain",
    type=click.FloatRange(0, 1),
    default=0.0,
    show_default=True,
    metavar="P",
    help="Give no class (Q) to a beat whose class is less probable.",
)
@runs_dir_option
@json_option
def predict(run_name: str, inputs: tuple[str, ...], out: Path, **options: Any) -> None:
    """Find the beats of a recording, classify them, and report what they make up.

    MODEL is a released model or a run of "toolkit ecg train --preset ec57"; INPUT a WFDB record
    without suffix, or a .csv, .npy or .mat file of samples. Each gets a folder below --out:
    annotations (NAME.ann), beats.csv, episodes.csv, report.html. For research, not for diagnosis.

    \b
    Examples:
      toolkit ecg predict ec57 records/syn000 --out OUT
      toolkit ecg predict ec57 records/syn001 --out OUT --abstain 0.8 --json
    """
    from toolkit.ecg.prediction.classification import load_model

    model = load_model(run_name, options["runs_dir"])
    _refuse_same_names(inputs)
    results, failures = [], {}
    for text in inputs:
        outcome = _one(model, Path(text), out, options)
        if isinstance(outcome, dict):
            results.append(outcome)
            if not options["as_json"]:
                _show(outcome)
        elif len(inputs) == 1:
            raise outcome
        else:
            failures[text] = outcome
    if options["as_json"]:
        failed = {text: str(error) for text, error in failures.items()}
        emit({"model": model.name, "records": results, "failed": failed}, as_json=True)
    _report_failures(failures, len(inputs))


def _one(
    model: Any, path: Path, out: Path, options: Mapping[str, Any]
) -> dict[str, Any] | ToolkitError:
    from toolkit.core.errors import ToolkitError
    from toolkit.ecg.prediction.inputs import InputOptions
    from toolkit.ecg.prediction.predict import predict

    said = {name: options[name] for name in ("fs_hz", "unit", "gain", "variable")}
    how = {name: options[name] for name in ("leads", "abstain")}
    try:
        return predict(model, path, out, options=InputOptions(**said), **how)
    except ToolkitError as error:
        return error


def _refuse_same_names(inputs: tuple[str, ...]) -> None:
    from toolkit.core.errors import ConfigError

    stems = [Path(text).stem for text in inputs]
    twice = sorted({stem for stem in stems if stems.count(stem) > 1})
    if twice:
        what = f"two inputs are called {twice[0]}: their results would lie in one folder"
        raise ConfigError(what, where="INPUT", hint="predict them with a different --out each")


def _report_failures(failures: Mapping[str, ToolkitError], n_inputs: int) -> None:
    from toolkit.core.errors import DataError

    if failures:
        what = f"{len(failures)} of {n_inputs} inputs failed; the others are done"
        details = "\n".join(f"{text}: {error}" for text, error in failures.items())
        raise DataError(what, where=details, hint="predict each alone after mending it")


def _show(result: Mapping[str, Any]) -> None:
    counts, rate = result["counts"], result["rate_bpm"]
    rows = [
        ("beats", f"{result['beats']}  ({'  '.join(f'{k} {n}' for k, n in counts.items() if n)})"),
        (
            "burden",
            f"V {result['burden_percent']['V']:.2f} %  S {result['burden_percent']['S']:.2f} %",
        ),
        ("rate, bpm", "  ".join(f"{name} {value}" for name, value in rate.items())),
        (
            "episodes",
            "  ".join(f"{kind} {n}" for kind, n in result["episode_counts"].items()) or "none",
        ),
        *(("warning", text) for text in result["warnings"]),
        ("report", result["files"][-1]),
    ]
    print_table(f"{result['record']}, model {result['model']}", ("", ""), rows)
