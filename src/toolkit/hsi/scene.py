"""A hyperspectral scene in memory: cube, labels, and what a map needs to know of both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.core.errors import ConfigError

Cube = NDArray[Any]  # (rows, columns, bands), real; may be a memory map
Labels = NDArray[np.int32]  # (rows, columns); 0 = unlabelled, k = the k-th class
Mask = NDArray[np.bool_]  # (rows, columns)


@dataclass(frozen=True)
class Georeference:
    """Where a scene lies: an affine transform (a, b, c, d, e, f) as GDAL's and rasterio's, and CRS.

    ``x = a * column + b * row + c``, ``y = d * column + e * row + f``, of a pixel's upper left
    corner; ``crs`` is WKT or an authority's code such as EPSG:32616, empty where unknown.
    """

    transform: tuple[float, float, float, float, float, float]
    crs: str = ""


@dataclass(frozen=True)
class Scene:
    """One image with or without its ground truth.

    Attributes:
        name: of the registry, or the file's stem.
        cube: (rows, columns, bands) in the file's own real type; never copied to floats whole.
        valid: (rows, columns) where there are data; None = everywhere. Elsewhere the cube holds
            the mean spectrum, and nothing is learnt or classified.
        labels: (rows, columns) 0 = unlabelled, 1 … K = ``classes[k - 1]``; None without truth.
        classes: names in the order of the labels, "class 7" where the files name none.
        class_ids: the ids that the files use, in the same order; they may have gaps.
        wavelengths_nm: (bands,) where the files say; None else.
        colours: RGB of each class in 0 … 255 where the files say; empty else.
        georeference: where it lies; None where the files do not say.
        facts: hashes of what was read, for a run's ``data.json``.
        cube_facts: those of the cube alone.
        variable: that was asked for, of a file with several.
        dropped: numbers, from 0, of the file's bands that the cube does not have.
        warnings: what must be known before a figure on this scene is quoted.
        notes: how the scene was read: bands dropped, ids with gaps.
    """

    name: str
    cube: Cube
    labels: Labels | None = None
    classes: tuple[str, ...] = ()
    class_ids: tuple[int, ...] = ()
    wavelengths_nm: tuple[float, ...] | None = None
    colours: tuple[tuple[int, int, int], ...] = ()
    georeference: Georeference | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    cube_facts: Mapping[str, Any] = field(default_factory=dict)
    variable: str | None = None
    dropped: tuple[int, ...] = ()
    valid: Mask | None = None
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.cube.shape[0], self.cube.shape[1]

    @property
    def bands(self) -> int:
        return int(self.cube.shape[2])

    def counts(self) -> NDArray[np.int64]:
        """Labelled pixels of each class, (K,)."""
        labels = np.zeros(0, np.int64) if self.labels is None else self.labels.ravel()
        return np.bincount(labels, minlength=len(self.classes) + 1)[1:].astype(np.int64)

    def only(self, ids: Sequence[int]) -> Scene:
        """The scene with the classes of these file ids alone; pixels of others are unlabelled.

        Raises:
            ConfigError: an id that no class has.
        """
        strays = sorted(set(ids) - set(self.class_ids))
        if strays:
            what = f"no class has id {strays[0]}; {self.name} has {list(self.class_ids)}"
            raise ConfigError(what, where="classes", hint=f"toolkit hsi info {self.name}")
        kept = [k for k, id_ in enumerate(self.class_ids) if id_ in ids]
        new = np.zeros(len(self.class_ids) + 1, np.int32)
        new[np.array(kept) + 1] = np.arange(1, len(kept) + 1)
        return replace(
            self,
            labels=None if self.labels is None else new[self.labels],
            classes=tuple(self.classes[k] for k in kept),
            class_ids=tuple(self.class_ids[k] for k in kept),
            colours=tuple(self.colours[k] for k in kept) if self.colours else (),
            facts={**self.facts, "classes": list(ids)},
            notes=(*self.notes, f"{len(kept)} of {len(self.class_ids)} classes were kept"),
        )
