"""The weights of a finished model in its folder, as safetensors: nothing loaded can execute."""

from __future__ import annotations

from pathlib import Path

import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor, nn

from toolkit.core.errors import RunError
from toolkit.core.files import write_atomic

WEIGHTS = "model.safetensors"


def write(folder: Path, model: nn.Module) -> None:
    """Write the weights of ``model`` as ``model.safetensors``.

    Raises:
        RunError: the folder cannot be written.
    """
    weights = {name: tensor.cpu().contiguous() for name, tensor in model.state_dict().items()}
    write_atomic(folder / WEIGHTS, safetensors.torch.save(weights))


def read(folder: Path) -> dict[str, Tensor]:
    """The weights by name.

    Raises:
        RunError: they are missing or damaged.
    """
    content = read_bytes(folder)
    try:
        return safetensors.torch.load(content)
    except (SafetensorError, KeyError, ValueError) as error:
        where = str(folder / WEIGHTS)
        raise RunError(f"cannot read the weights: {error}", where=where) from error


def read_bytes(folder: Path) -> bytes:
    """The file of the weights.

    Raises:
        RunError: it is missing or unreadable.
    """
    path = folder / WEIGHTS
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        hint = f"toolkit runs resume {folder}"
        raise RunError("there is no finished model", where=str(path), hint=hint) from error
    except OSError as error:
        raise RunError(f"cannot read the weights: {error}", where=str(path)) from error
