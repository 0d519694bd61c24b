"""``toolkit hsi``: hyperspectral classifiers from a handful of labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from toolkit.cli.options import (
    IntRanges,
    apply_options,
    data_dir_option,
    emit,
    json_option,
    run_options,
    runs_dir_option,
)

F = TypeVar("F", bound=Callable[..., Any])
_FILE = click.Path(path_type=Path, resolve_path=True)
_NESTED = {  # option: group of settings, name in it
    "network": ("network", "name"),
    "blocks": ("artificial", "blocks"),
    "artificial": ("artificial", "kind"),
    "split": ("split", "kind"),
    "per_class": ("split", "per_class"),
    "draw": ("split", "draw"),
    "train_map": ("split", "train_map"),
    "test_map": ("split", "test_map"),
}


def scene_options(function: F) -> F:
    """How the files of a scene are read."""
    options = [
        click.option("--variable", metavar="NAME", help="Of a .mat file that holds several cubes."),
        click.option("--labels", type=_FILE, help="Label map, or CSV of row,column,class."),
        click.option("--labels-variable", metavar="NAME", help="Likewise of the labels."),
        click.option(
            "--drop-bands",
            type=click.Choice(["none", "bad"]),
            help="bad: leave out bands with NaN or of one value [default: none].",
        ),
    ]
    return apply_options(function, options)


network_option = click.option(
    "--network",
    metavar="NAME",
    help="residual, hu2015, lee2017, li2017 or hamida2018 [default: residual].",
)


def split_options(function: F) -> F:
    """What is learnt from and what is tested."""
    options = [
        click.option(
            "--split",
            type=click.Choice(["random", "disjoint", "given"]),
            help="random: neighbours leak; disjoint: blocks apart [default: random].",
        ),
        click.option(
            "--per-class", type=click.IntRange(1), help="Training pixels a class [default: 15]."
        ),
        click.option("--draw", type=click.IntRange(0), help="Seed of the split [default: --seed]."),
        click.option("--train-map", type=_FILE, help="Your own training pixels."),
        click.option("--test-map", type=_FILE, help="Your own test pixels."),
    ]
    return apply_options(function, options)


@click.group()
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


def flags(verb: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of ``verb`` with those that name nested settings put where they belong.

    Raises:
        RunError: there is no pre-trained trunk to fine-tune.
    """
    from toolkit.hsi.recipes import Stage, recipe

    rest = dict(options)
    nested: dict[str, dict[str, Any]] = {}
    for option, (group, name) in _NESTED.items():
        if (value := rest.pop(option, None)) is not None:
            nested.setdefault(group, {})[name] = value
    if "train_map" in nested.get("split", {}):
        nested["split"].setdefault("kind", "given")
    if (source := rest.pop("source", None)) is not None:
        return {**rest, **nested, **_trunk(source, rest["runs_dir"])}
    network = nested.get("network", {}).get("name", "residual")
    stage: Stage = "pretrain" if verb == "pretrain" else "train"
    return {**rest, **nested, "base": recipe(network, stage)}


def _trunk(source: str, runs_dir: Path) -> dict[str, Any]:
    from toolkit.core.released import find
    from toolkit.hsi.config import pretrained

    path = find(source, "hsi", runs_dir).path.resolve()
    return {"base": pretrained(path), "trunk": path}


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


@hsi.command("map")
@click.argument("run_name", metavar="MODEL")
@click.argument("scene")
@scene_options
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder to write to.")
@click.option(
    "--format",
    "formats",
    type=click.Choice(["envi", "geotiff", "npy"]),
    multiple=True,
    default=("envi",),
    show_default=True,
    help="May be given several times.",
)
@click.option("--regularise", type=click.FloatRange(0), help="Strength [default: the model's].")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:N.")
@data_dir_option
@runs_dir_option
@json_option
def map_scene(**options: Any) -> None:
    """Map a whole scene: classes and confidence as files for a GIS, and a picture.

    MODEL is a run (path, prefix, @last:hsi) or a released classifier; SCENE a name or a file of
    as many bands.

    \b
    Examples:
      toolkit hsi map @last:hsi indian_pines --out MAPS
      toolkit hsi map @last:hsi indian_pines --out MAPS --format npy --format envi --json
    """
    from toolkit.cli.hsi_map import write_maps

    emit(write_maps(options), options["as_json"])


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


@hsi.command()
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
    from toolkit.cli.hsi_compare import run_comparison

    run_comparison(options)
