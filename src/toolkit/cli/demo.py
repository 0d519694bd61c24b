"""``toolkit demo``: every application on data that the toolkit makes, ending in one page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from toolkit.cli.options import emit, json_option

VQE_S = 60.0  # seconds that the search may take
HSI_S = 40.0  # seconds that each training on the scene may take
RL_S = 60.0
PENDULUM = (  # the settings of `toolkit rl run Pendulum-v1`
    *("env=Pendulum-v1", "updates_per_step=1.0", "discount=0.95", "hidden=[64, 64]"),
    "reward_scale=0.1",
)
RL = ("steps=8_000", "evaluate_every=1_000")
HSI_PRETRAIN = ("steps=200",)
HSI_FINETUNE = ("steps=80",)


@click.command()
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("demo"),
    show_default=True,
    help="Folder for the data, the runs and the page.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@json_option
def demo(out: Path, seed: int, as_json: bool) -> None:
    """Run every application on data that the toolkit makes itself, ending in one HTML page.

    \b
    Examples:
      toolkit demo
      toolkit demo --out /tmp/demo --seed 1
    """
    from toolkit.core import report
    from toolkit.core.run_report import make_report

    runs = [
        _ecg(out, seed),
        *_hsi(out, seed),
        _trained(out, "rl", "run", "acerax", seed, RL_S, *PENDULUM, *RL),
        _trained(out, "vqe", "search", "lih4", seed, VQE_S),
    ]
    page = report.combine(
        [make_report(run) for run in runs],
        "toolkit demo",
        "Synthetic records, a scene that comes with a dependency, a pendulum, and a molecule from "
        "first principles: it shows what the commands do; the README says how well.",
    )
    path = report.write(page, out / "demo.html").resolve()
    summary = {"page": str(path), "runs": [str(run.path) for run in runs]}
    emit(summary, as_json, lambda: click.echo(f"\nOpen {path}"))


def _hsi(out: Path, seed: int) -> list[Any]:
    """Pre-training on the blocks of Indian Pines, then a map from 15 labelled pixels a class."""
    from toolkit.cli import execution
    from toolkit.core.distributed import Ranks
    from toolkit.core.run import Run
    from toolkit.hsi.config import pretrained

    runs: list[Any] = []
    plan = (("pretrain", None, HSI_PRETRAIN), ("finetune", "few-labels", HSI_FINETUNE))
    for verb, preset, own in plan:
        built: dict[str, Any] = {}
        if verb == "finetune":
            built = {"base": pretrained(runs[0].path), "trunk": runs[0].path.resolve()}
        config = execution.settings(
            "hsi", verb, preset=preset, config_file=None, sets=own, seed=seed, **built
        )
        runs.append(Run.create(out / "runs", "hsi", verb, config))
        execution.train(runs[-1], config, HSI_S, Ranks())
    return runs


def _trained(
    out: Path, app: str, verb: str, preset: str, seed: int, most_s: float, *own: str
) -> Any:
    """A run of ``app`` that needs no data, for at most ``most_s`` seconds."""
    from toolkit.cli import execution
    from toolkit.core.distributed import Ranks
    from toolkit.core.run import Run

    config = execution.settings(app, verb, preset=preset, config_file=None, sets=own, seed=seed)
    run = Run.create(out / "runs", app, verb, config)
    execution.train(run, config, most_s, Ranks())
    return run


def _ecg(out: Path, seed: int) -> Any:
    """Synthetic records, once; then a classifier trained on half of them."""
    from toolkit.cli import execution
    from toolkit.core.distributed import Ranks
    from toolkit.core.run import Run
    from toolkit.ecg import synthetic

    records = out / "data" / f"ecg-{seed}"
    if not (records / "RECORDS").is_file():
        synthetic.write_records(records, records=12, minutes=5, seed=seed)
    flags: dict[str, Any] = {"data_dir": records, "seed": seed}
    config = execution.settings(
        "ecg", "train", preset="synthetic", config_file=None, sets=(), **flags
    )
    run = Run.create(out / "runs", "ecg", "train", config)
    execution.train(run, config, None, Ranks())
    return run
