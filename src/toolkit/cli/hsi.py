"""``toolkit hsi``: hyperspectral classifiers from a handful of labels."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from toolkit.cli.groups import Group
from toolkit.cli.hsi_compare import compare
from toolkit.cli.hsi_map import map_scene
from toolkit.cli.hsi_options import flags, network_option, scene_options, split_options
from toolkit.cli.options import (
    IntRanges,
    data_dir_option,
    emit,
    json_option,
    run_options,
    runs_dir_option,
)


@click.group(cls=Group)
def hsi() -> None:
    """Hyperspectral classifiers from few labels (Masarczyk et al. 2020)."""


@hsi.command()
@click.argument("scene")
@scene_options
@click.option("--out", type=click.Path(path_type=Path), help="Write a colour composite here (PNG).")
@data_dir_option
@json_option
def info(scene: str, out: Path | None, data_dir: Path | None, as_json: bool, **how: Any) -> None:
    """Show size, bands and classes of a scene; with --out also a picture.

    SCENE is a name, such as indian_pines, or a file: .mat, .hdr, .tif or .npy.

    \b
    Examples:
      toolkit hsi info indian_pines
      toolkit hsi info indian_pines --out indian_pines.png --json
    """
    from toolkit.hsi import scenes

    read = scenes.load(scene, data_dir=data_dir, **{k: v for k, v in how.items() if v is not None})
    shown = scenes.info(read)
    if out is not None:
        from toolkit.hsi.figures import draw_scene

        draw_scene(out, read)
        shown |= {"picture": str(out)}
    emit(shown, as_json)


@hsi.command()
@click.option("--scene", metavar="SCENE", help="Name or file [default: indian_pines].")
@scene_options
@network_option
@click.option(
    "--block", "blocks", type=IntRanges(), metavar="SIDES", help="Sides of the blocks: 5, or 3,5,9."
)
@click.option(
    "--artificial",
    type=click.Choice(["grid", "kmeans", "permuted"]),
    help="Labels to learn; all but grid are controls [default: grid].",
)
@run_options
def pretrain(**options: Any) -> None:
    """Pre-train a trunk to tell the blocks of a scene apart; no label is used.

    A published network comes with the steps and the block side that it needs.

    \b
    Examples:
      toolkit hsi pretrain --seed 0
      toolkit hsi pretrain --network hu2015 --block 3,5 --set steps=60 --json
    """
    _start("pretrain", options)


@hsi.command()
@click.option("--scene", metavar="SCENE", help="Name or file [default: indian_pines].")
@scene_options
@network_option
@split_options
@run_options
def train(**options: Any) -> None:
    """Train a classifier from scratch on a few labelled pixels, and map the scene.

    Presets: few-labels (the map is smoothed along the scene's edges as well).

    \b
    Examples:
      toolkit hsi train --per-class 15 --seed 0
      toolkit hsi train --network hu2015 --split disjoint --per-class 5 --set steps=60 --json
    """
    _start("train", options)


@hsi.command()
@click.argument("source", metavar="FROM")
@click.option("--scene", metavar="SCENE", help="Another scene of as many bands.")
@scene_options
@split_options
@run_options
def finetune(**options: Any) -> None:
    """Train a classifier on the pre-trained trunk of FROM, and map the scene.

    FROM is a pre-training run (path, prefix or @last:hsi) or a released trunk's name. Scene and
    network are the trunk's unless another scene is named.

    Presets: few-labels (the map is smoothed along the scene's edges as well).

    \b
    Examples:
      toolkit hsi finetune indian-pines --per-class 5 --preset few-labels --seed 0
      toolkit hsi finetune indian-pines --split disjoint --per-class 15 --set steps=60 --json
    """
    _start("finetune", options)


def _start(verb: str, options: Mapping[str, Any]) -> None:
    from toolkit.cli import execution

    execution.start("hsi", verb, **flags(verb, options))


@hsi.command()
@click.argument("run_name", metavar="RUN")
@data_dir_option
@runs_dir_option
@json_option
def evaluate(run_name: str, data_dir: Path | None, runs_dir: Path, as_json: bool) -> None:
    """Score a classifier anew on its own split.

    RUN is a path, a unique prefix of a run's name, @last:hsi, or a released model's name.

    \b
    Examples:
      toolkit hsi evaluate @last:hsi
      toolkit hsi evaluate @last:hsi --json
    """
    from toolkit.core.released import find
    from toolkit.hsi import tasks
    from toolkit.hsi.config import classifier

    model = find(run_name, "hsi", runs_dir)
    config = classifier(model)
    if data_dir is not None:
        config = config.model_copy(update={"data_dir": data_dir})
    emit({"run": str(model.path), **tasks.evaluate(model.path, config)}, as_json)


@hsi.command()
@click.argument("run_name", metavar="MODEL")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="File, .onnx.")
@runs_dir_option
@json_option
def export(run_name: str, out: Path, runs_dir: Path, as_json: bool) -> None:
    """Write a classifier as ONNX, for other runtimes; what it gives is compared first.

    Input: raw cube values (tiles, bands, height, width), height and width as large as the patch or
    larger; output: a logit of each class for each pixel but the margin.

    \b
    Examples:
      toolkit hsi export @last:hsi --out model.onnx
    """
    from toolkit.core.released import find
    from toolkit.hsi import tasks
    from toolkit.hsi.config import classifier

    model = find(run_name, "hsi", runs_dir)
    emit(tasks.export(model.path, classifier(model), out), as_json)


hsi.add_command(map_scene)
hsi.add_command(compare)
