"""A trained model in its folder: weights, and what a map needs to know beside them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit.core import weights
from toolkit.core.errors import RunError
from toolkit.core.files import write_json
from toolkit.core.supervised import load_weights
from toolkit.hsi.model import HsiModel
from toolkit.hsi.network_config import HeadsConfig, NetworkConfig
from toolkit.hsi.scene import Scene

ABOUT = "model.json"


@dataclass(frozen=True)
class About:
    """What a stored model is for.

    Attributes:
        scene: that it was trained on.
        bands: of the scenes that it takes.
        wavelengths_nm: of those bands, where known.
        classes: names in the order of the outputs; none for a pre-trained trunk.
        class_ids: what the scene's files call them.
        outputs: of the head.
        dropped: numbers, from 0, of the bands of its scene's file that it was not shown.
    """

    scene: str
    bands: int
    wavelengths_nm: tuple[float, ...] | None
    classes: tuple[str, ...]
    class_ids: tuple[int, ...]
    outputs: int
    dropped: tuple[int, ...] = ()


def save_model(folder: Path, model: HsiModel, scene: Scene, classes: Sequence[str]) -> None:
    """Write ``model.safetensors`` and ``model.json``.

    Raises:
        RunError: the folder cannot be written.
    """
    weights.write(folder, model)
    write_json(
        folder / ABOUT,
        {
            "scene": scene.name,
            "bands": scene.bands,
            "wavelengths_nm": scene.wavelengths_nm,
            "classes": list(classes),
            "class_ids": list(scene.class_ids) if classes else [],
            "outputs": model.classes,
            "dropped": list(scene.dropped),
        },
    )


def load_model(
    folder: Path, network: NetworkConfig, heads: HeadsConfig | None = None
) -> tuple[HsiModel, About]:
    """The model that ``save_model`` wrote, for evaluation.

    Raises:
        RunError: it is missing, damaged, or of another network.
    """
    about = read_about(folder)
    model = HsiModel(network, about.bands, about.outputs, heads)
    load_weights(model, weights.read(folder))
    return model.eval(), about


def load_trunk(folder: Path, model: HsiModel) -> None:
    """Take over the trunk of the model in ``folder``; the head stays.

    Raises:
        DataError: it is for another number of bands.
        RunError: it is missing, damaged, or of another network.
    """
    model.load_trunk({k: v for k, v in weights.read(folder).items() if not k.startswith("head.")})


def read_about(folder: Path) -> About:
    """What the model in ``folder`` is for.

    Raises:
        RunError: there is none, or its description is damaged.
    """
    try:
        said: dict[str, Any] = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        lists = {k: tuple(value) for k, value in said.items() if isinstance(value, list)}
        return About(**(said | lists))
    except FileNotFoundError as error:
        hint = f"toolkit runs resume {folder}"
        raise RunError("there is no finished model", where=str(folder), hint=hint) from error
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise RunError(f"cannot read what the model is: {error}", where=str(folder)) from error
