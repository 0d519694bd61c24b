"""``toolkit ecg compare``: from scratch against transfer, paired by seed."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from toolkit.cli.options import (
    IntRanges,
    data_dir_option,
    emit,
    json_option,
    print_table,
    runs_dir_option,
)


@click.command()
@click.option("--preset", default="ec57", show_default=True, help="ec57, fragments17 or synthetic.")
@click.option(
    "--label-fractions", default="1,0.1,0.01", show_default=True, metavar="LIST", help="Shares."
)
@click.option("--seeds", type=IntRanges(), default="0-4", show_default=True, metavar="LIST")
@click.option("--set", "sets", multiple=True, metavar="STAGE.KEY=VALUE", help="pretrain. or train.")
@click.option("--workers", type=click.IntRange(1), default=1, show_default=True)
@data_dir_option
@runs_dir_option
@json_option
def compare(**options: Any) -> None:
    """Compare classifiers from scratch with those on a self-supervised encoder, paired by seed.

    Cells are ordinary run directories: the same command again goes on with a stopped one, and what
    another comparison below --runs-dir has finished with the same settings is taken over.

    \b
    Examples:
      toolkit ecg compare --preset ec57 --label-fractions 1,0.1,0.01 --seeds 0-4
      toolkit ecg compare --preset fragments17 --label-fractions 0.1 --seeds 0-2 --json
    """
    from toolkit.cli.progress import for_stderr
    from toolkit.core.executor import LocalPool
    from toolkit.core.files import write_json
    from toolkit.core.grid import digest
    from toolkit.ecg.comparison import CompareConfig, Comparison, draw, table

    config = CompareConfig(
        preset=options["preset"],
        label_fractions=_shares(options["label_fractions"]),
        seeds=tuple(options["seeds"]),
        sets=options["sets"],
        data_dir=options["data_dir"],
    )
    folder = options["runs_dir"] / f"compare-ecg-{config.preset}-{digest(config.to_toml())}"
    comparison = Comparison(folder, config)
    comparison.run(LocalPool(options["workers"]), for_stderr(), options["workers"])
    rows = table(comparison)
    figure = draw(folder / "figures" / "labels.png", rows)
    facts = {"comparison": str(folder), "preset": config.preset, "figure": str(figure)}
    result = {**facts, "command": sys.argv[1:], "rows": rows}
    write_json(Path(folder) / "result.json", result)
    emit(result, options["as_json"], lambda: _print(config.preset, rows))


def _shares(text: str) -> tuple[float, ...]:
    from toolkit.core.errors import ConfigError

    try:
        shares = tuple(float(part) for part in text.split(","))
    except ValueError:
        shares = ()
    if not shares or not all(0 < share <= 1 for share in shares):
        what = f"{text!r} is no list of shares above 0, up to 1"
        raise ConfigError(what, where="--label-fractions", hint="such as 1,0.1,0.01")
    return tuple(dict.fromkeys(shares))


def _print(preset: str, rows: Sequence[Mapping[str, Any]]) -> None:
    cells = [
        (
            f"{row['label_fraction']:.0%}",
            row["arm"],
            row["accuracy_mean"],
            row[f"{row['judged_by']}_mean"],
            row["sd"],
            row.get("gain_mean"),
            "" if not row.get("gain_ci95") else "{:+.1f} … {:+.1f}".format(*row["gain_ci95"]),
            row["n_seeds"],
        )
        for row in rows
    ]
    judged = rows[0]["judged_by"]
    columns = ("labels", "arm", "accuracy %", f"{judged} %", "sd", "gain", "95 %", "seeds")
    print_table(f"{preset}: transfer against scratch", columns, cells)
