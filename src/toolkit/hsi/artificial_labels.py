"""Artificial labels: classes that cost nothing, for pre-training.

After Masarczyk, Głomb, Grabowski and Ostaszewski, Remote Sensing 12(16) 2653, 2020: near pixels
tend to share a material, so a regular grid cuts the scene into blocks and every pixel gets the
class of its block. Controls: k-means labels, which know the spectra but not the place, and block
labels permuted over the pixels, which know neither.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from toolkit.core.errors import ConfigError, DataError
from toolkit.hsi.scene import Cube, Mask

Kind = Literal["grid", "kmeans", "permuted"]
ArtificialMap = NDArray[np.int32]  # (rows, columns); 0 … K-1 the class, -1 outside the area

MOST_CLUSTERS = 1024  # k-means costs pixels x clusters; grids of large scenes have 100,000 blocks
_CHUNK_VALUES = 2**22  # 16 MiB of standardised spectra at once
# Steps of Roberts' R3 sequence ("The unreasonable effectiveness of quasirandom sequences", 2018):
# powers of 1/1.2207…, the root of x^4 = x + 1. Near multiples stay apart in at least one channel.
_COLOUR_STEPS = 1.2207440846057596 ** -np.arange(1.0, 4.0)


@dataclass(frozen=True, eq=False)
class ArtificialLabels:
    """Several artificial labellings of one scene.

    Attributes:
        planes: (labellings, rows, columns) int32; 0 … K-1 of each its own classes, each of them
            with pixels, -1 outside the area.
        names: of the labellings, such as "grid 5 shifted 2".
        class_counts: K of each.
    """

    planes: NDArray[np.int32]
    names: tuple[str, ...]
    class_counts: tuple[int, ...]


def make(
    kind: Kind,
    blocks: Sequence[int],
    shifts: int,
    cube: Cube,
    generator: Generator,
    *,
    area: Mask | None = None,
) -> ArtificialLabels:
    """Artificial labels of a scene: one labelling for each block side and shift.

    Shifts spread evenly over the block's diagonal; a side of k has at most k of them. K-means
    makes as many clusters as the grid has blocks, at most ``MOST_CLUSTERS``, and for a shift
    starts anew.

    Args:
        kind: of labels.
        blocks: sides of the grids' blocks in pixels.
        shifts: copies of each grid; 1 = the grid alone.
        cube: (rows, columns, bands); only k-means looks at its values.
        generator: decides clusters and permutations; a grid draws nothing.
        area: (rows, columns) the pixels that pre-training may see; None = all of them.

    Raises:
        ConfigError: no block, a block that is larger than the scene or below 1, one that gives
            a single class, or fewer than one shift.
        DataError: k-means met a value that is not finite.
    """
    if not blocks or shifts < 1:
        raise ConfigError(f"artificial labels of {len(blocks)} block sides and {shifts} shifts")
    planes, names = [], []
    for block in blocks:
        for shift in sorted({i * block // shifts for i in range(shifts)}):
            plane = _inside(grid(cube.shape[:2], block, (shift, shift)), area)
            if kind == "permuted":
                plane = permuted(plane, generator)
            elif kind == "kmeans":
                k = min(int(plane.max()) + 1, MOST_CLUSTERS)
                plane = kmeans(cube, k, generator, area=area)
            planes.append(plane)
            names.append(f"{kind} {block}" + (f" shifted {shift}" if shift else ""))
    counts = tuple(int(plane.max()) + 1 for plane in planes)
    if min(counts) < 2:
        raise ConfigError(
            f"{names[counts.index(min(counts))]} gives a single class, which teaches nothing",
            where=f"scene of {cube.shape[0]} x {cube.shape[1]}",
            hint="take a smaller --block",
        )
    return ArtificialLabels(np.stack(planes), tuple(names), counts)


def grid(shape: tuple[int, ...], block: int, shift: tuple[int, int] = (0, 0)) -> ArtificialMap:
    """Each pixel's block of a regular grid, in rows from the upper left; edge blocks may be cut.

    Args:
        shape: rows and columns.
        block: side in pixels.
        shift: by how many rows and columns, below ``block``, the first blocks are cut.

    Returns:
        (rows, columns) 0 … K-1.

    Raises:
        ConfigError: block or shift is out of range.
    """
    rows, columns = shape
    if not 1 <= block <= min(rows, columns):
        raise ConfigError(
            f"a block of side {block} on a scene of {rows} x {columns}",
            hint=f"--block 1 … {min(rows, columns)}",
        )
    if not 0 <= min(shift) <= max(shift) < block:
        raise ConfigError(f"a grid of side {block} shifted by {shift}; a shift is 0 … {block - 1}")
    down, across = ((np.arange(n) + by) // block for n, by in zip((rows, columns), shift))
    labels: ArtificialMap = (down[:, None] * (across[-1] + 1) + across).astype(np.int32)
    return labels


def permuted(labels: ArtificialMap, generator: Generator) -> ArtificialMap:
    """The same labels in random order over the pixels; -1 stays where it is. The control."""
    mixed = labels.copy()
    mixed[labels >= 0] = generator.permutation(labels[labels >= 0])
    return mixed


def kmeans(
    cube: Cube, k: int, generator: Generator, *, sample: int = 20_000, area: Mask | None = None
) -> ArtificialMap:
    """Clusters of spectra standardised by band, by mini-batch k-means (Sculley, WWW 2010).

    Bands and clusters are fitted on a random sample of pixels and applied by blocks of rows.

    Args:
        cube: (rows, columns, bands).
        k: clusters; those that stay empty are dropped.
        generator: decides sample and start.
        sample: pixels to fit on, raised to 20 a cluster.
        area: (rows, columns) the pixels to use; None = all.

    Returns:
        (rows, columns) 0 … K-1 with K <= ``k``; -1 outside ``area``.

    Raises:
        ConfigError: fewer pixels than clusters.
        DataError: a value is not finite.
    """
    from sklearn.cluster import MiniBatchKMeans

    usable = np.ones(cube.shape[:2], bool) if area is None else area
    pixels = np.flatnonzero(usable)
    if not 1 <= k <= len(pixels):
        raise ConfigError(f"{k} clusters of {len(pixels)} pixels", hint="take a larger --block")
    n = min(len(pixels), max(sample, 20 * k))
    chosen = np.sort(generator.choice(pixels, n, replace=False))
    spectra = _finite(cube[np.unravel_index(chosen, usable.shape)])
    mean, sd = spectra.mean(axis=0), spectra.std(axis=0)
    scale = np.where(sd > 0, sd, 1)
    model = MiniBatchKMeans(k, n_init=1, random_state=int(generator.integers(2**31))).fit(
        (spectra - mean) / scale
    )
    labels = np.full(usable.shape, -1, np.int32)
    step = max(1, _CHUNK_VALUES // max(1, cube.shape[1] * cube.shape[2]))
    for first in range(0, len(cube), step):
        part = slice(first, first + step)
        if (inside := usable[part]).any():
            found = model.predict((_finite(cube[part][inside]) - mean) / scale)
            labels[part][inside] = found
    return _inside(labels, area)


def picture(labels: ArtificialMap) -> NDArray[np.uint8]:
    """Colours of artificial classes, (rows, columns, 3): neighbours differ, -1 is black."""
    colours = (40 + 215 * ((labels[..., None] + 1) * _COLOUR_STEPS % 1)).astype(np.uint8)
    colours[labels < 0] = 0
    return colours


def _inside(labels: ArtificialMap, area: Mask | None) -> ArtificialMap:
    """Labels in ``area`` alone, renumbered 0 … K-1 without gaps."""
    usable = np.ones(labels.shape, bool) if area is None else area
    kept = np.full(labels.shape, -1, np.int32)
    kept[usable] = np.unique(labels[usable], return_inverse=True)[1]
    return kept


def _finite(spectra: NDArray[Any]) -> NDArray[np.float32]:
    values = np.asarray(spectra, np.float32)
    if not np.isfinite(values).all():
        raise DataError(
            "the cube has values that are not finite",
            hint="drop the bands named by `toolkit hsi info`",
        )
    return values
