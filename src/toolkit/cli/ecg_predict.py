"""``toolkit ecg predict``: a user's recording to beats, episodes and a report."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from toolkit.cli.options import emit, json_option, print_table, runs_dir_option

if TYPE_CHECKING:
    from toolkit.core.errors import ToolkitError
    from toolkit.ecg.prediction.inputs import InputOptions

Work = Callable[[Path, Path], dict[str, Any]]
"""From a recording and the folder of folders of results to a summary."""
Show = Callable[[Mapping[str, Any]], None]


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
@click.option(
    "--task",
    type=click.Choice(["classification", "regression"]),
    default="classification",
    show_default=True,
    help="Classify beats, or fill what the signal lacks.",
)
@click.option(
    "--longest",
    "longest_s",
    type=click.FloatRange(0, min_open=True),
    metavar="SECONDS",
    help="Regression: leave longer gaps as they are [default: 0.5].",
)
@click.option("--to-hz", type=click.FloatRange(1), help="Regression: sampling frequency to write.")
@runs_dir_option
@json_option
def predict(run_name: str, inputs: tuple[str, ...], out: Path, **options: Any) -> None:
    """Find the beats of a recording, classify them, and report what they make up.

    MODEL is a released model or a run of "toolkit ecg train --preset ec57"; INPUT a WFDB record
    without suffix, or a .csv, .npy or .mat file of samples. Each gets a folder below --out:
    annotations (NAME.ann), beats.csv, episodes.csv, report.html. For research, not for diagnosis.

    With --task regression MODEL is one that fills gaps: gaps-ec57, or a run of "toolkit ecg
    pretrain --preset gaps". Short ones (missing, flat or saturated samples) are filled, and the
    folder holds a WFDB record, gaps.csv and gaps.png.

    \b
    Examples:
      toolkit ecg predict ec57 records/syn000 --out OUT
      toolkit ecg predict ec57 records/syn001 --out OUT --abstain 0.8 --json
      toolkit ecg predict gaps-ec57 records/syn000 --out FILLED --task regression
    """
    prepare = _filling if options["task"] == "regression" else _classifying
    work, show = prepare(run_name, options)
    _refuse_same_names(inputs)
    results, failures = [], {}
    for text in inputs:
        outcome = _one(work, Path(text), out)
        if isinstance(outcome, dict):
            results.append(outcome)
            if not options["as_json"]:
                show(outcome)
        elif len(inputs) == 1:
            raise outcome
        else:
            failures[text] = outcome
    if options["as_json"]:
        failed = {text: str(error) for text, error in failures.items()}
        emit({"model": run_name, "records": results, "failed": failed}, as_json=True)
    _report_failures(failures, len(inputs))


def _classifying(run_name: str, options: Mapping[str, Any]) -> tuple[Work, Show]:
    from toolkit.core.errors import ConfigError
    from toolkit.ecg.prediction.classification import load_model
    from toolkit.ecg.prediction.predict import predict

    for name in ("longest_s", "to_hz"):
        if options[name] is not None:
            option = "--" + name.removesuffix("_s").replace("_", "-")
            raise ConfigError("a classifier fills no gaps", where=option, hint="--task regression")
    model, said = load_model(run_name, options["runs_dir"]), _said(options)
    how = {name: options[name] for name in ("leads", "abstain")}
    return (lambda path, out: predict(model, path, out, options=said, **how)), _show


def _filling(run_name: str, options: Mapping[str, Any]) -> tuple[Work, Show]:
    from toolkit.core.errors import ConfigError
    from toolkit.ecg.filling.model import load_gap_model
    from toolkit.ecg.filling.outcome import LONGEST_S, fill_gaps

    if options["abstain"]:
        what = "gaps are filled without a class"
        raise ConfigError(what, where="--abstain", hint="--task classification")
    model, said = load_gap_model(run_name, options["runs_dir"]), _said(options)
    how = {"leads": options["leads"], "to_hz": options["to_hz"]}
    how["longest_s"] = options["longest_s"] or LONGEST_S
    return (lambda path, out: fill_gaps(model, path, out, options=said, **how)), _show_gaps


def _said(options: Mapping[str, Any]) -> InputOptions:
    from toolkit.ecg.prediction.inputs import InputOptions

    return InputOptions(**{k: options[k] for k in ("fs_hz", "unit", "gain", "variable")})


def _one(work: Work, path: Path, out: Path) -> dict[str, Any] | ToolkitError:
    from toolkit.core.errors import ToolkitError

    try:
        return work(path, out)
    except ToolkitError as error:
        return error


def _refuse_same_names(inputs: tuple[str, ...]) -> None:
    from toolkit.core.errors import ConfigError
    from toolkit.ecg.prediction.inputs import folder_name

    names = [folder_name(Path(text)) for text in inputs]
    twice = sorted({name for name in names if names.count(name) > 1})
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
        *(("note", text) for text in result["notes"]),
        ("report", result["files"][-1]),
    ]
    print_table(f"{result['record']}, model {result['model']}", ("", ""), rows)


def _show_gaps(result: Mapping[str, Any]) -> None:
    gaps = "  ".join(f"{outcome} {n}" for outcome, n in result["gaps"].items()) or "none"
    rows = [
        ("gaps", gaps),
        ("filled", f"{result['filled_s']} s"),
        *(("warning", text) for text in result["warnings"]),
        *(("note", text) for text in result["notes"]),
        *(("file", name) for name in result["files"]),
    ]
    print_table(f"{result['record']}, model {result['model']}", ("", ""), rows)
