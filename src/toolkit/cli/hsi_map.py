"""``toolkit hsi map``: a whole scene as files for a GIS, and a picture."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from toolkit.cli.hsi_options import scene_options
from toolkit.cli.options import data_dir_option, emit, json_option, runs_dir_option
from toolkit.cli.progress import for_stderr


@click.command("map")
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
    emit(_write_maps(options), options["as_json"])


def _write_maps(options: Mapping[str, Any]) -> dict[str, Any]:
    """Classify the scene, write the files, and say which they are and how large each class is."""
    from toolkit.core.released import find
    from toolkit.hsi import scenes, stored, tasks
    from toolkit.hsi.config import classifier
    from toolkit.hsi.maps import map_files
    from toolkit.hsi.maps.map_figures import draw_map

    model = find(options["run_name"], "hsi", options["runs_dir"])
    names = ("labels", "variable", "labels_variable", "drop_bands", "no_data", "data_dir")
    how = {name: options[name] for name in names if options[name] is not None}
    changed = {"device": options["device"]}
    if options["regularise"] is not None:
        changed["regularise"] = options["regularise"]
    config = classifier(model).model_copy(update=changed)
    own = {"drop_bands": stored.read_about(model.path).dropped, "no_data": config.no_data}
    scene = scenes.load(options["scene"], **{**own, **how})
    found, legend, warnings = tasks.class_map(model.path, config, scene, for_stderr())
    out = options["out"]
    files = map_files.write(out, found, legend, options["formats"], scene.georeference)
    files.append(draw_map(out / "map.png", scene, found.classes, found.confidence, legend))
    counts = {name: int((found.classes == k).sum()) for k, name in enumerate(legend.names)}
    classified = found.classes >= 0
    unsure = float((found.confidence[classified] < 0.5).mean())
    return {
        "model": str(model.path),
        "scene": scene.name,
        "rows": scene.shape[0],
        "columns": scene.shape[1],
        "regularise": config.regularise,
        "share_below_half_confidence": unsure,
        "pixels_unclassified": int((~classified).sum()),
        "files": [str(file) for file in files],
        "pixels": counts,
        "warnings": list(warnings),
        "notes": list(scene.notes),
    }
