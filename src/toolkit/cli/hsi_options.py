"""The options that the commands of ``toolkit hsi`` share, and the settings that they become."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from toolkit.cli.options import IntRanges, apply_options, given_settings
from toolkit.core.errors import ConfigError

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


class Bands(IntRanges):
    """``none``, ``bad``, or numbers of bands."""

    name = "bands"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The word itself, or the numbers as a tuple."""
        if value in ("none", "bad") or isinstance(value, tuple):
            return value
        return tuple(super().convert(value, param, ctx))


def scene_options(function: F) -> F:
    """How the files of a scene are read."""
    options = [
        click.option("--variable", metavar="NAME", help="Of a .mat file that holds several cubes."),
        click.option(
            "--labels",
            type=_FILE,
            help="Label map, or CSV of row,column,class, counted from 0.",
        ),
        click.option("--labels-variable", metavar="NAME", help="Likewise of the labels."),
        click.option(
            "--drop-bands",
            type=Bands(),
            metavar="BANDS",
            help="Numbers from 0, such as 103-107,149; or bad: those with NaN or of one value "
            "[default: none].",
        ),
        click.option(
            "--no-data",
            type=float,
            metavar="VALUE",
            help="In every band of pixels to leave out [default: what the file says].",
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
            type=click.Choice(["random", "disjoint", "given", "all"]),
            help="random: neighbours leak; disjoint: blocks apart; given: two maps; all: every "
            "labelled pixel is learnt from, none tested [default: random].",
        ),
        click.option(
            "--per-class", type=click.IntRange(1), help="Training pixels a class [default: 15]."
        ),
        click.option("--draw", type=click.IntRange(0), help="Seed of the split [default: --seed]."),
        click.option("--train-map", type=_FILE, help="Your own training pixels."),
        click.option("--test-map", type=_FILE, help="Your own test pixels."),
    ]
    return apply_options(function, options)


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
    given = given_settings(rest)
    _check_drawn(nested.get("split", {}), given)
    if (source := rest.pop("source", None)) is not None:
        scene = rest.get("scene") or given.get("scene")
        named = scene if isinstance(scene, str) else None  # the settings refuse what is no name
        return {**rest, **nested, **_trunk(source, rest["runs_dir"], named)}
    network = nested.get("network", {}).get("name") or _network(given)
    stage: Stage = "pretrain" if verb == "pretrain" else "train"
    return {**rest, **nested, "base": recipe(network, stage)}


def _check_drawn(split: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    """Refuse an option that decides nothing in this split."""
    other = given.get("split")
    kind = split.get("kind") or (other.get("kind") if isinstance(other, dict) else None)
    for option in ("per_class", "draw"):
        if kind in ("all", "given") and option in split:
            name = "--" + option.replace("_", "-")
            what = f"{name} decides nothing in --split {kind}, where no pixel is drawn"
            raise ConfigError(what, where=name, hint="leave it away, or --split random")


def _network(given: Mapping[str, Any]) -> str:
    """The network that the settings name: its recipe comes with it."""
    network = given.get("network")  # what is no table the settings refuse
    return str(network.get("name", "residual")) if isinstance(network, dict) else "residual"


def _trunk(source: str, runs_dir: Path, scene: str | None) -> dict[str, Any]:
    from toolkit.core.released import find
    from toolkit.hsi.config import pretrained

    path = find(source, "hsi", runs_dir).path.resolve()
    return {"base": pretrained(path, scene), "trunk": path}
