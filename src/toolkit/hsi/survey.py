"""What one pass over a cube tells of its bands, a few rows at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.hsi.scene import Cube, Mask, Scene

_BLOCK = 1 << 24  # bytes looked at together
_RED_GREEN_BLUE_NM = (640.0, 550.0, 460.0)


@dataclass(frozen=True)
class Survey:
    """Of each band, (bands,): extremes of the finite values, and how many are not finite.

    ``empty`` (rows, columns) are pixels without data, which count for nothing else: in every band
    not finite, or in every band the file's no-data value. A band without any finite value has
    minimum inf and maximum -inf.
    """

    minimum: NDArray[np.float64]
    maximum: NDArray[np.float64]
    non_finite: NDArray[np.int64]
    empty: Mask

    @property
    def broken(self) -> tuple[int, ...]:
        """Bands, from 0, with NaN or infinite values."""
        return _numbers(self.non_finite > 0)

    @property
    def constant(self) -> tuple[int, ...]:
        """Bands, from 0, that hold one value only, or no finite one."""
        return _numbers(self.minimum >= self.maximum)

    @property
    def bad(self) -> tuple[int, ...]:
        """Bands, from 0, that are broken or constant."""
        return tuple(sorted({*self.broken, *self.constant}))


def survey(cube: Cube, no_data: float | None = None) -> Survey:
    """Look at every value once; memory does not grow with the cube.

    Args:
        cube: (rows, columns, bands).
        no_data: value that marks a pixel without data.
    """
    bands = cube.shape[2]
    low, high = np.full(bands, np.inf), np.full(bands, -np.inf)
    non_finite, empties = np.zeros(bands, np.int64), []
    for block in row_blocks(cube):
        finite = np.isfinite(block)
        empty: Mask = ~np.asarray(finite.any(2))
        if no_data is not None:
            empty |= (block == no_data).all(2)
        empties.append(empty)
        if finite.all() and not empty.any():
            block_low, block_high = block.min((0, 1)), block.max((0, 1))
        else:
            non_finite += np.count_nonzero(~finite[~empty], 0)
            counts = finite & ~empty[:, :, None]
            block_low = np.where(counts, block, np.inf).min((0, 1))
            block_high = np.where(counts, block, -np.inf).max((0, 1))
        low, high = np.minimum(low, block_low), np.maximum(high, block_high)
    return Survey(low, high, non_finite, np.concatenate(empties))


def bad_bands(cube: Cube) -> tuple[int, ...]:
    """Bands, from 0, that no network should see: with NaN or inf, or constant ("dead")."""
    return survey(cube).bad


def info(scene: Scene) -> dict[str, Any]:
    """What ``toolkit hsi info`` shows, ready for JSON; band numbers count from 0."""
    found, waves = survey(scene.cube), scene.wavelengths_nm
    counts = scene.counts().tolist()
    classes = [
        {"id": number, "name": name, "pixels": pixels}
        for number, name, pixels in zip(scene.class_ids, scene.classes, counts)
    ]
    low, high = float(found.minimum.min()), float(found.maximum.max())
    return {
        "name": scene.name,
        "rows": scene.shape[0],
        "columns": scene.shape[1],
        "bands": scene.bands,
        "dtype": scene.cube.dtype.name,
        "wavelengths_nm": [min(waves), max(waves)] if waves else None,
        "minimum": low if low <= high else None,
        "maximum": high if low <= high else None,
        "bad_bands": list(found.bad),
        "pixels_without_data": 0 if scene.valid is None else int((~scene.valid).sum()),
        "labelled_pixels": sum(counts),
        "classes": classes,
        "crs": scene.georeference.crs if scene.georeference else None,
        "notes": list(scene.notes),
        "warnings": list(scene.warnings),
    }


def row_blocks(cube: Cube) -> Iterator[Cube]:
    """The cube's rows in order, some 16 MB at a time."""
    row_bytes = cube.shape[1] * cube.shape[2] * cube.dtype.itemsize
    rows = max(1, _BLOCK // row_bytes)
    for start in range(0, len(cube), rows):
        yield np.asarray(cube[start : start + rows])


def colour_composite(scene: Scene) -> NDArray[np.uint8]:
    """The scene in red, green and blue, (rows, columns, 3).

    Bands nearest to 640, 550 and 460 nm where wavelengths are known and reach there, else the
    middles of the upper, middle and lower third (false colour); each stretched from its 2nd to
    its 98th percentile. Pixels without data are black.
    """
    picture = np.empty((*scene.shape, 3), np.uint8)
    for channel, band in enumerate(composite_bands(scene)):
        values = np.asarray(scene.cube[:, :, band], np.float32)
        low, high = np.nanpercentile(values, (2, 98))
        scaled = (values - low) / (high - low if high > low else 1) * 255
        picture[:, :, channel] = np.nan_to_num(scaled).clip(0, 255).round()
    if scene.valid is not None:
        picture[~scene.valid] = 0
    return picture


def composite_bands(scene: Scene) -> tuple[int, int, int]:
    """Numbers, from 0, of the bands shown as red, green and blue."""
    waves = np.array(scene.wavelengths_nm or ())
    chosen = [5 * scene.bands // 6, scene.bands // 2, scene.bands // 6]
    if len(waves) and waves.min() <= 500 and waves.max() >= 600:
        chosen = [int(np.abs(waves - colour).argmin()) for colour in _RED_GREEN_BLUE_NM]
    return chosen[0], chosen[1], chosen[2]


def _numbers(chosen: NDArray[np.bool_]) -> tuple[int, ...]:
    return tuple(np.flatnonzero(chosen).tolist())
