"""Random numbers: every stream has a name and derives from the run's one seed.

Two kinds. ``generator(seed, name, index…)`` is a pure function: supervised batches use it, so a
resumed run needs only its step. ``Streams`` are stateful, saved and restored, for interactions
and search episodes. Nothing here touches a global generator except inside ``torch_scope``.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch


def generator(seed: int, name: str, *index: int) -> np.random.Generator:
    """A fresh NumPy generator, the same for the same arguments."""
    # the length: NumPy pads what is short with zeros, so (name) would equal (name, 0)
    return np.random.default_rng([seed, zlib.crc32(name.encode()), len(index), *index])


def torch_seed(seed: int, name: str, *index: int) -> int:
    """A 63-bit seed for a torch generator, the same for the same arguments."""
    return int(generator(seed, name, *index).integers(2**63))


@contextmanager
def torch_scope(seed: int, name: str, *index: int) -> Iterator[None]:
    """Seed torch's global generators inside the block and restore them after it.

    Layers such as dropout and weight initialisation draw from the global generator; this makes
    what they draw a function of ``(seed, name, index)``.
    """
    devices = [torch.cuda.current_device()] if torch.cuda.is_initialized() else []  # type: ignore[no-untyped-call]
    drawn = torch_seed(seed, name, *index)
    with torch.random.fork_rng(devices):
        # torch.manual_seed would also queue a call, with its traceback as text, for every kind of
        # accelerator that is not in use: a millisecond and some kilobytes at each step
        torch.default_generator.manual_seed(drawn)
        if devices:
            torch.cuda.manual_seed(drawn)
        yield


class Streams:
    """Named stateful generators from one seed; their state is part of a checkpoint."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._streams: dict[str, np.random.Generator] = {}

    def numpy(self, name: str) -> np.random.Generator:
        """The stream ``name``, created at its first use."""
        if name not in self._streams:
            self._streams[name] = generator(self.seed, name)
        return self._streams[name]

    def state_dict(self) -> dict[str, Any]:
        """Position of every stream, as plain numbers."""
        return {name: stream.bit_generator.state for name, stream in self._streams.items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue every stream where ``state_dict`` left it; one that it lacks starts anew."""
        for name in {*self._streams, *state}:
            fresh = generator(self.seed, name).bit_generator.state
            self.numpy(name).bit_generator.state = state.get(name, fresh)
