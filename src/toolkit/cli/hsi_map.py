"""What ``toolkit hsi map`` does once it is called."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from toolkit.cli.progress import for_stderr


def write_maps(options: Mapping[str, Any]) -> dict[str, Any]:
    """Classify the scene, write the files, and say which they are and how large each class is."""
    from toolkit.core.released import find
    from toolkit.hsi import scenes, tasks
    from toolkit.hsi.config import classifier
    from toolkit.hsi.maps import map_files
    from toolkit.hsi.maps.map_figures import draw_map

    model = find(options["run_name"], "hsi", options["runs_dir"])
    names = ("labels", "variable", "labels_variable", "drop_bands", "data_dir")
    how = {name: options[name] for name in names if options[name] is not None}
    scene = scenes.load(options["scene"], **how)
    changed = {"device": options["device"]}
    if options["regularise"] is not None:
        changed["regularise"] = options["regularise"]
    config = classifier(model).model_copy(update=changed)
    found, legend = tasks.class_map(model.path, config, scene, for_stderr())
    out = options["out"]
    files = map_files.write(out, found, legend, options["formats"], scene.georeference)
    files.append(draw_map(out / "map.png", scene, found.classes, found.confidence, legend))
    counts = {name: int((found.classes == k).sum()) for k, name in enumerate(legend.names)}
    unsure = float((found.confidence < 0.5).mean())
    return {
        "model": str(model.path),
        "scene": scene.name,
        "rows": scene.shape[0],
        "columns": scene.shape[1],
        "regularise": config.regularise,
        "share_below_half_confidence": unsure,
        "files": [str(file) for file in files],
        "pixels": counts,
    }
