"""What ``toolkit ecg evaluate --annotations`` does once it is called, and its tables."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from toolkit.cli.options import apply_options, emit, print_table

_SCORES = {"qrs": "QRS", "veb": "VEB", "sveb": "SVEB"}


class Clock(click.ParamType[float]):
    """``5:00``, ``1:05:00`` or plain seconds from the start of a record, as seconds."""

    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Seconds that ``value`` stands for."""
        if not re.fullmatch(r"(\d+:){0,2}\d+(\.\d+)?", str(value), re.ASCII):
            self.fail(f"{value!r} is no time such as 5:00, 1:05:00 or 300", param, ctx)
        seconds = 0.0
        for part in str(value).split(":"):
            seconds = 60 * seconds + float(part)
        return seconds


def annotation_options(function: Any) -> Any:
    """The options that compare annotation files instead of scoring a run."""
    options = [
        click.option(
            "--annotations",
            is_flag=True,
            help="Compare annotation files, or folders of them: REF TEST [REF TEST …].",
        ),
        click.option("--from", "from_s", type=Clock(), help="Start at this time [default: 5:00]."),
        click.option("--to", "to_s", type=Clock(), help="Stop before it [default: the end]."),
        click.option(
            "--fs-hz", type=click.FloatRange(0, min_open=True), help="Where no header gives it."
        ),
    ]
    return apply_options(function, options)


def evaluate_annotations(paths: Sequence[str], options: Mapping[str, Any], as_json: bool) -> None:
    """Compare the files and print EC57's tables, warnings on stderr."""
    from toolkit.ecg.ec57.counting import LEARNING_S
    from toolkit.ecg.ec57.files import Period, evaluate_files

    start_s = LEARNING_S if options["from_s"] is None else options["from_s"]
    period = Period(start_s, options["to_s"], options["fs_hz"])
    result = evaluate_files([Path(path) for path in paths], period)
    for warning in result["warnings"]:
        click.echo(f"Warning: {warning}", err=True)
    emit(result, as_json, lambda: _print(result))


def _print(result: Mapping[str, Any]) -> None:
    records = result["records"]
    for name, found in records.items():
        click.echo("\n".join(_report(f"record {name}", found)))
    if len(records) > 1:
        click.echo("\n".join(_report(f"{len(records)} records, gross", result["gross"])))
        rows = {**records, "gross": result["gross"], "average": result["average"]}
        columns = [f"{label} {key}" for label in _SCORES.values() for key in ("Se", "+P")]
        lines = [(name, *_line(found)) for name, found in rows.items()]
        print_table("Se and +P in %", ("", *columns, "RR error ms"), lines)


def _report(title: str, found: Mapping[str, Any]) -> Iterator[str]:
    """The lines of one comparison: reference labels by test labels, then the scores."""
    matrix = found["matrix"]
    columns = list(matrix["N"])
    yield f"Beat-by-beat comparison, {title}"
    yield "    " + "".join(f"{column:>8}" for column in columns)
    yield "    " + "_" * 8 * len(columns)
    for row, counts in matrix.items():
        shown = columns if row not in "OX" else columns[:-2]  # no beat of either is no event
        yield f" {row} |" + "".join(f"{counts[column]:>8}" for column in shown)
    yield ""
    for key, label in _SCORES.items():
        yield from _rates(label, found[key])
    rms, shutdown = found["rr_rms_ms"], found["shutdown"]
    yield f"{'RMS RR interval error':>27}: " + ("-" if rms is None else f"{rms:.2f} ms")
    yield f"{'test shut down':>27}: {shutdown['test_s']:.1f} s, {shutdown['missed']} beats missed"
    yield f"{'reference shut down':>27}: {shutdown['reference_s']:.1f} s"
    yield ""


def _rates(label: str, scores: Mapping[str, Any]) -> Iterator[str]:
    names = {"sensitivity": ("se", "fn"), "positive predictivity": ("ppv", "fp")}
    for name, (key, errors) in names.items():
        of = f"({scores['tp']}/{scores['tp'] + scores[errors]})"
        yield f"{f'{label} {name}':>27}: {_percent(scores[key])} {of}"


def _line(found: Mapping[str, Any]) -> list[str]:
    rates = [_percent(found[key][part]).strip(" %") for key in _SCORES for part in ("se", "ppv")]
    rms = found["rr_rms_ms"]
    return [*rates, "-" if rms is None else f"{rms:.2f}"]


def _percent(share: float | None) -> str:
    return "     -" if share is None else f"{100 * share:6.2f}%"
