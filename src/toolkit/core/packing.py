"""A state as a JSON skeleton, and tensors that go to files of their own.

A state is a tree of dicts, lists, numbers, strings, tensors and arrays.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import safetensors.torch
import torch


@dataclass(frozen=True)
class Frozen:
    """Arrays that never change once saved under ``key`` (letters, digits, ``-``).

    Those of a loaded state are read from their file as they are asked for: together they may be
    larger than the memory.
    """

    key: str
    arrays: Mapping[str, np.ndarray[Any, Any]]


class Packer:
    """Splits a state into a JSON skeleton and its tensors, grouped by top-level key.

    Attributes:
        tensors: by name, of each top-level key.
        frozen: arrays by name, of each key of a ``Frozen``.
    """

    def __init__(self) -> None:
        self.tensors: dict[str, dict[str, torch.Tensor]] = {}
        self.frozen: dict[str, Mapping[str, np.ndarray[Any, Any]]] = {}

    def pack(self, value: Any, path: str) -> Any:
        """The skeleton of ``value``, which lies at ``path`` of the state.

        Raises:
            TypeError: something in it is none of what a state may hold.
        """
        if isinstance(value, torch.Tensor):
            return {"$tensor": self._keep(path, value)}
        if isinstance(value, np.ndarray):
            return {"$array": self._keep(path, to_tensor(value))}
        if isinstance(value, Frozen):
            self.frozen[value.key] = value.arrays
            return {"$frozen": value.key}
        if isinstance(value, Mapping):
            return self._pack_mapping(value, path)
        if isinstance(value, list | tuple):
            return [self.pack(item, f"{path}.{i}") for i, item in enumerate(value)]
        if isinstance(value, np.generic):
            return value.item()
        if value is None or isinstance(value, bool | int | float | str):
            return value
        raise TypeError(f"a checkpoint cannot hold {type(value).__name__} at {path}")

    def _pack_mapping(self, value: Mapping[Any, Any], path: str) -> Any:
        packed = {key: self.pack(item, f"{path}.{key}") for key, item in value.items()}
        if all(isinstance(key, str) and not key.startswith("$") for key in packed):
            return packed
        return {"$items": [[key, item] for key, item in packed.items()]}  # optimisers use ints

    def _keep(self, path: str, tensor: torch.Tensor) -> str:
        top, _, rest = path.partition(".")
        group, name = self.tensors.setdefault(top, {}), rest or top
        while name in group:  # {"a.b": x, "a": {"b": y}}
            name += "'"
        group[name] = tensor
        return f"{top}/{name}"


def unpack(value: Any, files: Mapping[str, Mapping[str, Any]]) -> Any:
    """What was packed as ``value``, its tensors and frozen arrays from ``files`` by their names."""
    if isinstance(value, list):
        return [unpack(item, files) for item in value]
    if not isinstance(value, dict):
        return value
    if "$tensor" in value or "$array" in value:
        top, _, name = str(value.get("$tensor") or value["$array"]).partition("/")
        tensor = files[f"{top}.safetensors"][name]
        return tensor if "$tensor" in value else tensor.numpy()
    if "$frozen" in value:
        return Frozen(value["$frozen"], files[f"{value['$frozen']}.frozen"])
    if "$items" in value:
        return {key: unpack(item, files) for key, item in value["$items"]}
    return {key: unpack(item, files) for key, item in value.items()}


def serialise(tensors: Mapping[str, torch.Tensor]) -> bytes:
    """Tensors in the format safetensors."""
    # clone: safetensors refuses tensors that share memory, and optimisers may keep views
    whole = {k: t.detach().cpu().contiguous().clone() for k, t in tensors.items()}
    return bytes(safetensors.torch.save(whole))


def to_tensor(array: np.ndarray[Any, Any]) -> torch.Tensor:
    """A copy of ``array``."""
    return torch.from_numpy(np.array(array, order="C", copy=True))
