"""A ring of time steps whose checkpoints do not rewrite what did not change.

Arrays are (N, P, ...) for N environments and P time steps; step t lies at t modulo P. Time is
divided into segments of S steps and P is a multiple of S, large enough that every segment of which
a step is still kept is whole. A full segment never changes again: a checkpoint writes it once, and
later ones link to it.
"""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from toolkit.core.checkpoint import Frozen
from toolkit.core.errors import ConfigError
from toolkit.core.files import saving


class Ring:
    """The last ``kept`` time steps of every environment.

    Args:
        kept: time steps.
        segment: S, time steps that are saved together.
        environments: N.
        columns: the shape of one entry, and its type, by name.
        path: folder in which the arrays lie in files without names, which are gone with the
            process however it ends; in memory if unset.

    Attributes:
        arrays: (N, P, ...) by name.
        flat: the same, (N P, ...).
        length: P.
        steps: ever added; step t is to be written at t modulo P before it is counted here.

    Raises:
        ConfigError: the arrays are beyond the memory.
        RunError: the files cannot be made.
    """

    def __init__(
        self,
        kept: int,
        segment: int,
        environments: int,
        columns: Mapping[str, tuple[tuple[int, ...], DTypeLike]],
        path: Path | None = None,
    ) -> None:
        self.kept, self.segment, self.steps = kept, segment, 0
        self.length = (math.ceil(kept / segment) + 1) * segment
        self.arrays = {
            name: _zeros(path, (environments, self.length, *shape), dtype)
            for name, (shape, dtype) in columns.items()
        }
        self.flat = {key: one.reshape(-1, *one.shape[2:]) for key, one in self.arrays.items()}

    @property
    def oldest(self) -> int:
        """The first step that is kept; ``steps - 1`` is the last."""
        return max(0, self.steps - self.kept)

    def state_dict(self) -> dict[str, Any]:
        """Views of all that is kept, to be saved before more is added."""
        full = [
            Frozen(f"replay-{segment}", self._between(segment * self.segment, self.segment))
            for segment in self._full()
        ]
        rest = self._between(self._full().stop * self.segment, self.steps % self.segment)
        return {"steps": self.steps, "full": full, "rest": rest}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what ``state_dict`` of an equal ring gave."""
        self.steps = int(state["steps"])
        pieces = [frozen.arrays for frozen in state["full"]] + [state["rest"]]
        for segment, piece in enumerate(pieces, self._full().start):
            length = next(iter(piece.values())).shape[1]
            for key, array in self._between(segment * self.segment, length).items():
                array[:] = piece[key]

    def _full(self) -> range:
        """The full segments of which a step is kept."""
        return range(self.oldest // self.segment, self.steps // self.segment)

    def _between(self, begin: int, length: int) -> dict[str, NDArray[Any]]:
        """Views (N, length, ...) of steps of one segment."""
        at = begin % self.length
        return {key: array[:, at : at + length] for key, array in self.arrays.items()}


def _zeros(path: Path | None, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    """Zeros in memory, or in a file in folder ``path``."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    if path is not None:
        with _reserved(path, size) as file:
            return np.asarray(np.memmap(file, dtype, mode="r+", shape=shape))
    try:
        return np.zeros(shape, dtype)
    except MemoryError as error:
        raise ConfigError(
            f"the replay memory does not fit: {size / 2**30:.1f} GiB for a part of it",
            where=f"{math.prod(shape[:2])} rows of replay.capacity",
            hint="--set replay.memory_map=true, or a smaller replay.capacity",
        ) from error


def _reserved(folder: Path, size: int) -> IO[bytes]:
    """A file of ``size`` zero bytes with all its blocks.

    Without them a disk that fills up later would kill the process at a write to the mapped file.
    """
    with saving(folder):
        folder.mkdir(parents=True, exist_ok=True)
        file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - it is the caller's
        try:
            os.posix_fallocate(file.fileno(), 0, size)
        except OSError:
            file.close()
            raise
        return file
