"""``toolkit data synthesize``: data made on the spot."""

from __future__ import annotations

from pathlib import Path

import click

from toolkit.cli.groups import Group
from toolkit.cli.options import emit, json_option


@click.group(cls=Group)
def synthesize() -> None:
    """Make synthetic data, for demos and tests without a download.

    \b
    Examples:
      toolkit data synthesize ecg synthetic
      toolkit data synthesize hsi scene
    """


@synthesize.command()
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--records", type=click.IntRange(1), default=8, show_default=True, help="How many.")
@click.option(
    "--minutes", type=click.FloatRange(0, min_open=True), default=5.0, show_default=True,
    help="Length of each.",
)  # fmt: skip
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True)
@json_option
def ecg(out: Path, records: int, minutes: float, seed: int, as_json: bool) -> None:
    """Write synthetic ECG records with annotations into OUT.

    \b
    Examples:
      toolkit data synthesize ecg synthetic
      toolkit data synthesize ecg synthetic --records 2 --minutes 1 --seed 3 --json
    """
    from toolkit.ecg.synthetic import write_records

    write_records(out, records, minutes, seed)
    result = {"path": str(out), "records": records, "minutes": minutes, "seed": seed}
    emit(result, as_json, lambda: click.echo(f"{records} synthetic records in {out}"))


@synthesize.command()
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--rows", type=click.IntRange(1), default=100, show_default=True)
@click.option("--columns", type=click.IntRange(1), default=100, show_default=True)
@click.option("--bands", type=click.IntRange(1), default=60, show_default=True)
@click.option("--classes", type=click.IntRange(1, 255), default=6, show_default=True)
@click.option(
    "--noise", type=click.FloatRange(0), default=0.02, show_default=True,
    help="Standard deviation, in reflectance.",
)  # fmt: skip
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True)
@json_option
def hsi(
    out: Path,
    rows: int,
    columns: int,
    bands: int,
    classes: int,
    noise: float,
    seed: int,
    as_json: bool,
) -> None:
    """Write a synthetic hyperspectral scene and its truth into OUT as ENVI files.

    \b
    Examples:
      toolkit data synthesize hsi scene
      toolkit data synthesize hsi scene --rows 40 --columns 30 --bands 20 --seed 3 --json
    """
    from toolkit.hsi import synthetic

    header = synthetic.write(synthetic.scene(rows, columns, bands, classes, seed, noise=noise), out)
    truth = header.with_name(f"{header.stem}_gt.hdr")
    result = {"path": str(out), "scene": str(header), "labels": str(truth), "rows": rows}
    result |= {"columns": columns, "bands": bands, "classes": classes, "seed": seed}
    emit(result, as_json, lambda: click.echo(f"synthetic scene {header} with labels {truth}"))
