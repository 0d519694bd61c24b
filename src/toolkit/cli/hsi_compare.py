"""What ``toolkit hsi compare`` does once it is called."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from toolkit.cli.options import emit, print_table
from toolkit.cli.progress import for_stderr

_SCENE = ("scene", "labels", "variable", "labels_variable", "drop_bands", "data_dir")


def run_comparison(options: Mapping[str, Any]) -> None:
    """Resolve the settings, run what is not finished, print and draw the table."""
    from toolkit.core.config import load
    from toolkit.core.executor import LocalPool
    from toolkit.core.files import write_json
    from toolkit.hsi import tasks
    from toolkit.hsi.protocol import gains
    from toolkit.hsi.protocol.compare_config import CompareConfig
    from toolkit.hsi.protocol.comparison import Comparison

    config = load(CompareConfig, sets=options["sets"], flags=_flags(options))
    tasks.load(config.train)  # what is missing is said before anything is made
    name = f"compare-hsi-{Path(config.train.scene).stem}-{config.digest}"
    folder = options["runs_dir"] / name
    workers = options["workers"]
    comparison = Comparison(folder, config, for_stderr(), workers)
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
