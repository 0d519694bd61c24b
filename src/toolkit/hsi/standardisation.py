"""Mean and deviation of each band, of all pixels or of those that may be seen."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from toolkit.hsi.scene import Cube, Mask

_VALUES = 2**22  # of the cube at once
_DEAD = 1e6  # deviation of a dead band, in its value: nothing that it ever holds is seen


class Statistics(NamedTuple):
    """Of each band (bands,), in the scene's own unit; a deviation is never 0.

    That of a dead band, constant as far as single precision tells, is very large, so that the band
    stays 0 where its offset is changed by augmentation, or is another one in another scene.
    """

    mean: NDArray[np.float32]
    deviation: NDArray[np.float32]


def statistics(cube: Cube, area: Mask | None = None) -> Statistics:
    """Mean and deviation over the pixels of ``area`` (rows, columns), all by default.

    Rows are read in groups and merged (Chan et al. 1983, doi 10.1080/00031305.1983.10483115), so
    that a memory-mapped cube need not fit into memory.
    """
    rows, columns, bands = cube.shape
    step = max(1, _VALUES // (columns * bands))
    count, mean, squares = 0, np.zeros(bands), np.zeros(bands)
    for top in range(0, rows, step):
        part = np.asarray(cube[top : top + step], np.float64).reshape(-1, bands)
        if area is not None:
            part = part[area[top : top + step].ravel()]
        if len(part) == 0:
            continue
        own, total = part.mean(0), count + len(part)
        shift = own - mean
        squares += ((part - own) ** 2).sum(0) + shift**2 * count * len(part) / total
        mean += shift * len(part) / total
        count = total
    deviation = np.sqrt(squares / max(count, 1))
    value = np.maximum(1.0, np.abs(mean))
    dead = deviation <= np.finfo(np.float32).eps * np.abs(mean)
    deviation = np.where(dead, _DEAD * value, deviation)
    return Statistics(mean.astype(np.float32), deviation.astype(np.float32))


def filled(cube: Cube, area: Mask) -> Cube:
    """A copy of the cube, in its own type, with the mean spectrum of ``area`` outside of it.

    Windows that reach out of the area then show nothing of what is there.
    """
    mean = statistics(cube, area).mean
    copy = np.array(cube)
    copy[~area] = np.rint(mean) if copy.dtype.kind in "iu" else mean
    return copy
