"""A scene cut into training and test blocks with a guard between them.

Both sides of a border between a training and a test block lose a guard of ``patch // 2`` pixels.
What is left of the two is at least ``2 * (patch // 2) + 1 = patch`` pixels apart in the chessboard
distance, whatever the blocks' shapes: half-way between two nearer pixels would lie one within
the guard of either. So not even the patches of the two parts share a pixel.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from toolkit.core.errors import ConfigError
from toolkit.hsi.scene import Labels, Mask

_MOST_TRIES, _LEAST_TRIES = 1000, 8
_BLOCKS_TRIED = 100_000  # many blocks balance themselves; few need many tries


@dataclass(frozen=True)
class _Layout:
    """Rows and columns cut into segments, a block's interior or a guard strip, and their use.

    Attributes:
        rows: (rows,) segment of each row; ``columns`` likewise.
        train: (row segments, column segments) True where training pixels may lie.
        test: likewise for test pixels; guards are in neither.
    """

    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    train: Mask
    test: Mask


def choose(labels: Labels, patch: int, block: int, generator: Generator) -> tuple[Mask, Mask]:
    """Areas for training and for test, the best of random layouts of blocks.

    Number of blocks and cuts are random, half of the blocks trains. Best is the layout with the
    most classes in both areas, then the one that shares them out most evenly. How many pixels
    will be drawn plays no part, so that blocks are the same for any number of them and inductive
    pre-training on the training area serves all.

    Args:
        labels: (rows, columns), 0 = unlabelled.
        patch: side of the network's window, odd.
        block: least side of a block in pixels.
        generator: decides the layouts.

    Returns:
        Two masks (rows, columns), at least ``patch`` pixels apart.

    Raises:
        ConfigError: the scene has no room for two blocks.
    """
    rows, columns = labels.shape
    grid = max(1, rows // block), max(1, columns // block)
    n_blocks = grid[0] * grid[1]
    if n_blocks < 2:
        raise ConfigError(
            f"blocks of side {block} for patches of side {patch} on a scene of {rows} x {columns}: "
            "there is no room for two",
            hint=f"a disjoint split needs a side of {2 * block}; take a smaller patch or --split "
            "random",
        )
    at = np.nonzero(labels)
    classes = labels[at]
    tries = max(_LEAST_TRIES, min(_MOST_TRIES, _BLOCKS_TRIED // n_blocks))
    layouts = (_random_layout(labels.shape, block, patch, generator) for _ in range(tries))
    best = max(layouts, key=lambda layout: _quality(layout, at, classes))
    where = np.ix_(best.rows, best.columns)
    return best.train[where], best.test[where]


def _random_layout(shape: tuple[int, ...], block: int, patch: int, generator: Generator) -> _Layout:
    from scipy.ndimage import binary_erosion

    grid = [_random_number(size // block, generator) for size in shape]
    cuts = [_random_cuts(size, n, block, generator) for size, n in zip(shape, grid)]
    rows, columns = (_segments(size, cut, patch // 2) for size, cut in zip(shape, cuts))
    n_blocks = grid[0] * grid[1]
    trains = generator.permutation(n_blocks) < n_blocks // 2
    row_block, column_block = ((np.arange(3 * n - 2) + 1) // 3 for n in grid)
    is_train = trains.reshape(grid)[np.ix_(row_block, column_block)]
    # one segment is a guard wide, so a pixel's erosion by the guard is a segment's by one
    inside = np.ones((3, 3), bool)
    train, test = (binary_erosion(part, inside, border_value=1) for part in (is_train, ~is_train))
    return _Layout(rows, columns, train, test)


def _random_number(most: int, generator: Generator) -> int:
    """Blocks along an axis: fewer blocks than there is room for leave their cuts more choice."""
    least = max(min(2, most), (most + 1) // 2)
    return int(generator.integers(least, most + 1)) if most else 1


def _random_cuts(size: int, n: int, block: int, generator: Generator) -> NDArray[np.int64]:
    """First pixels of all ``n`` blocks but the first, uniform over what leaves them wide enough."""
    slack = max(0, size - n * block)
    spread = np.sort(generator.integers(0, slack + 1, n - 1))
    cuts: NDArray[np.int64] = np.arange(1, n) * block + spread
    return cuts


def _segments(size: int, cuts: NDArray[np.int64], guard: int) -> NDArray[np.intp]:
    """Segment of each pixel of an axis: interior 0, its guard 1 | guard 2, interior 3, guard 4 …"""
    edges = (cuts[:, None] + [-guard, 0, guard]).ravel()
    return np.searchsorted(edges, np.arange(size), side="right")


def _quality(
    layout: _Layout, at: tuple[NDArray[np.intp], ...], classes: NDArray[np.int32]
) -> tuple[int, float]:
    cells = layout.rows[at[0]], layout.columns[at[1]]
    n = int(classes.max()) + 1
    train = np.bincount(classes[layout.train[cells]], minlength=n)[1:]
    test = np.bincount(classes[layout.test[cells]], minlength=n)[1:]
    fewer = np.minimum(train, test)
    share = np.sqrt(fewer / np.maximum(np.bincount(classes)[1:], 1))  # the root favours the worst
    return int((fewer > 0).sum()), float(share.sum())
