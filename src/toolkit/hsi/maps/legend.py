"""What the classes of a map are called, numbered and coloured, in every figure and file alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from toolkit.hsi.artificial_labels import picture
from toolkit.hsi.scene import Scene

Colour = tuple[int, int, int]

UNCLASSIFIED, BLACK = "unclassified", (0, 0, 0)
_LARGEST_VALUE = 255  # of one byte, which every GIS takes with a colour table
# Okabe & Ito's colours, then of a grid in RGB always the one farthest from all before it (and from
# black and white), in OKLab (Ottosson 2020) with and without deuteranopia (Machado et al. 2009).
_COLOURS = bytes.fromhex(
    "0072B2 D55E00 009E73 CC79A7 E69F00 56B4E9 78003C 87FF00 8700FF 0F00B4 5A5A00 E100E1"
    "FFB4FF 96E1B4 B42D78 2D3C69 780096 6978FF 00D269 FF2D69 FFD287 784B5A C30000 C3D20F"
)


@dataclass(frozen=True)
class Legend:
    """The classes 0 … K - 1 of a map.

    Attributes:
        names: of each.
        values: that stand for each in files, 1 … 255 or 1 … K; 0 is unclassified.
        colours: of each, RGB in 0 … 255.
    """

    names: tuple[str, ...]
    values: tuple[int, ...]
    colours: tuple[Colour, ...]

    @classmethod
    def of(
        cls, names: Sequence[str], ids: Sequence[int] = (), colours: Sequence[Colour] = ()
    ) -> Legend:
        """Of class names, with the ids and colours of the user's own files where they are there.

        Ids are the values in files if they fit into a byte, else values are 1 … K.
        """
        fits = len(ids) == len(names) and all(0 < i <= _LARGEST_VALUE for i in ids)
        values = tuple(ids) if fits else tuple(range(1, len(names) + 1))
        given = len(colours) == len(names) == len(set(colours))
        return cls(tuple(names), values, tuple(colours) if given else class_colours(len(names)))

    @classmethod
    def of_scene(cls, scene: Scene) -> Legend:
        """Of a scene's own classes."""
        return cls.of(scene.classes, scene.class_ids, scene.colours)

    def paint(self, classes: NDArray[np.integer]) -> NDArray[np.uint8]:
        """(rows, columns) of 0 … K - 1 as (rows, columns, 3); -1 is black."""
        table = np.array([*self.colours, BLACK], np.uint8)  # the last is also number -1
        painted: NDArray[np.uint8] = table[classes]
        return painted

    def coded(self, classes: NDArray[np.integer]) -> NDArray[np.integer]:
        """(rows, columns) of 0 … K - 1 as values of files, uint8 where they fit, else int32."""
        dtype = np.uint8 if max(self.values, default=0) <= _LARGEST_VALUE else np.int32
        coded: NDArray[np.integer] = np.array([*self.values, 0], dtype)[classes]
        return coded


def class_colours(n: int) -> tuple[Colour, ...]:
    """``n`` colours; the first 24 told apart at a glance, the first 9 by colour-blind readers."""
    table = np.frombuffer(_COLOURS, np.uint8).reshape(-1, 3)
    more = picture(np.arange(max(0, n - len(table)), dtype=np.int32)[None])[0]
    return tuple((r, g, b) for r, g, b in np.concatenate([table[:n], more]).tolist())
