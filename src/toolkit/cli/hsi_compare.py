"""``toolkit hsi compare``: the whole protocol, and what artificial labels gain."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from toolkit.cli.hsi_options import scene_options
from toolkit.cli.options import (
    IntRanges,
    data_dir_option,
    emit,
    json_option,
    print_table,
    runs_dir_option,
)
from toolkit.cli.progress import for_stderr

_SCENE = ("scene", "labels", "variable", "labels_variable", "drop_bands", "no_data", "data_dir")


@click.command()
@click.argument("scene", default="indian_pines")
@scene_options
@data_dir_option
@click.option("--networks", metavar="NAMES", help="all, or a list [default: residual].")
@click.option("--arms", metavar="NAMES", help="Of scratch,grid,inductive,kmeans,permuted,svm.")
@click.option("--per-class", type=IntRanges(), metavar="LIST", help="[default: 5,15,50].")
@click.option("--draws", type=click.IntRange(1), help="Splits, the same for all [default: 10].")
@click.option("--split", type=click.Choice(["random", "disjoint"]), help="[default: random].")
@click.option("--set", "sets", multiple=True, metavar="KEY=VALUE", help="Such as pretrain.steps.")
@click.option(
    "--vary",
    multiple=True,
    metavar="SETTINGS",
    help="Ablation: a row with these settings beside each arm, such as "
    "'train.augmentation.noise=0.1'.",
)
@click.option("--workers", type=click.IntRange(1), default=1, show_default=True)
@runs_dir_option
@json_option
def compare(**options: Any) -> None:
    """Run the whole protocol: what artificial labels gain over training from scratch.

    Every arm sees the same splits; learning rates are chosen on training pixels, for each arm
    apart. Cells are ordinary run directories: the same command again goes on with a stopped one,
    and what another comparison below --runs-dir has finished with the same settings is taken over.

    \b
    Examples:
      toolkit hsi compare indian_pines --networks all --per-class 5,15,50 --draws 10 --workers 2
      toolkit hsi compare indian_pines --arms scratch,grid --draws 2 --per-class 5 --json
      toolkit hsi compare indian_pines --arms grid --per-class 5 --vary pretrain.artificial.shifts=2
    """
    from toolkit.core.config import load
    from toolkit.core.executor import LocalPool
    from toolkit.core.files import write_json
    from toolkit.hsi import tasks
    from toolkit.hsi.protocol import gains
    from toolkit.hsi.protocol.compare_config import CompareConfig
    from toolkit.hsi.protocol.comparison import Comparison

    config = load(CompareConfig, sets=options["sets"], flags=_flags(options))
    data = tasks.load(config.train).facts  # what is missing is said before anything is made
    name = f"compare-hsi-{Path(config.train.scene).stem}-{config.digest(data)}"
    folder = options["runs_dir"] / name
    workers = options["workers"]
    comparison = Comparison(folder, config, for_stderr(), workers, data)
    rates = comparison.run(LocalPool(workers))
    rows = gains.table(comparison, rates)
    figure = gains.draw(folder / "figures" / "accuracy.png", rows, config)
    split = config.train.split.kind
    facts = {"comparison": str(folder), "scene": config.train.scene, "split": split}
    result = {**facts, "figure": str(figure), "command": sys.argv[1:], "rows": rows}
    write_json(folder / "result.json", result)
    emit(result, options["as_json"], lambda: _print(result, rows))


def _flags(options: Mapping[str, Any]) -> dict[str, Any]:
    from toolkit.hsi.protocol.compare_config import every_network

    scene = {key: options[key] for key in _SCENE if options[key] is not None}
    split = {} if options["split"] is None else {"split": {"kind": options["split"]}}
    names, arms = options["networks"], options["arms"]
    return {
        "networks": None if names is None else every_network(names),
        "arms": None if arms is None else tuple(arms.split(",")),
        "per_class": options["per_class"],
        "draws": options["draws"],
        "vary": options["vary"] or None,
        "pretrain": scene,
        "train": {**scene, **split},
    }


def _print(result: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> None:
    columns = (
        "network",
        "n",
        "arm",
        "with",
        "OA %",
        "sd",
        "AA %",
        "kappa",
        "gain",
        "95 %",
        "draws",
    )
    keys = ("network", "per_class", "arm", "variant", "oa_mean", "oa_sd", "aa_mean", "kappa_mean")
    cells = [
        (*(row[key] for key in keys), row["gain_mean"], _interval(row["gain_ci95"]), row["draws"])
        for row in rows
    ]
    print_table(f"{result['scene']}, {result['split']} split", columns, cells)
    click.echo(result["figure"])


def _interval(ends: Sequence[float] | None) -> str:
    return "" if ends is None else f"{ends[0]:+.1f} … {ends[1]:+.1f}"
