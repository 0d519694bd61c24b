"""Windows and tiles of a cube as floats, mirrored at the scene's border, the cube left as it is.

A padded or float copy of a scene costs several times the scene; here the mirror is arithmetic on
indices, and only what is read becomes floats. The cube may be a memory map of any real type, byte
order and order of axes in memory.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from toolkit.hsi.scene import Cube

Floats = NDArray[np.float32]


def windows(cube: Cube, rows: ArrayLike, columns: ArrayLike, side: int) -> Floats:
    """Square windows centred on pixels.

    Args:
        cube: (rows, columns, bands).
        rows: (n,) of the centres; outside the scene they are mirrored too.
        columns: (n,) likewise.
        side: of the windows in pixels, odd.

    Returns:
        (n, side, side, bands), contiguous.
    """
    reach = np.arange(side) - side // 2
    r = _mirrored(np.asarray(rows)[:, None] + reach, cube.shape[0])
    c = _mirrored(np.asarray(columns)[:, None] + reach, cube.shape[1])
    return _floats(cube[r[:, :, None], c[:, None, :]])


def tile(cube: Cube, top: int, left: int, height: int, width: int, margin: int) -> Floats:
    """A rectangle of the scene and ``margin`` pixels around it; same pixels as ``windows``.

    Args:
        cube: (rows, columns, bands).
        top: first row; ``left``: first column.
        height: in pixels without the margin; ``width`` likewise.
        margin: in pixels.

    Returns:
        (height + 2 margin, width + 2 margin, bands), contiguous.
    """
    r = _mirrored(np.arange(top - margin, top + height + margin), cube.shape[0])
    c = _mirrored(np.arange(left - margin, left + width + margin), cube.shape[1])
    inner = _floats(cube[r.min() : r.max() + 1, c.min() : c.max() + 1])
    if inner.shape[:2] == (len(r), len(c)):  # nothing is mirrored
        return inner
    return inner[np.ix_(r - r.min(), c - c.min())]


def _mirrored(index: NDArray[np.intp], n: int) -> NDArray[np.intp]:
    """Indices 0 … n - 1 of a line that is reflected at both ends, the ends not repeated."""
    last = max(n - 1, 1)
    inside: NDArray[np.intp] = np.minimum(last - np.abs(last - index % (2 * last)), n - 1)
    return inside


def _floats(values: Cube) -> Floats:
    return np.ascontiguousarray(values, np.float32)
