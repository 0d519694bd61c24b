"""Synthetic scenes of any size, for tests and benchmarks, clearly marked as such.

Each cell of a Voronoi map is a field of one class. Its spectrum is the class's, a sum of Gaussians
over the wavelengths, bent a little for every field; pixels near a border mix the two fields
linearly; the whole is lit unevenly and carries white noise.
"""

from __future__ import annotations

import colorsys
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from toolkit.core.errors import ConfigError
from toolkit.core.files import saving
from toolkit.core.rng import generator
from toolkit.hsi.formats import envi_writing
from toolkit.hsi.scene import Scene

_RANGE_NM = (400.0, 2500.0)
_BUMPS = 6  # Gaussians of a spectrum
_BLOCK = 1 << 25  # bytes of the cube that are made together
_PURE = 0.75  # share of its own field from which a pixel is labelled
_LEAST_PIXELS = 8  # a class

Spectra = NDArray[np.float32]  # (…, bands)


@dataclass(frozen=True)
class _Fields:
    """Places (fields, 2), classes (fields,) from 1, and spectra (fields, bands) of the fields."""

    place: NDArray[np.float64]
    label: NDArray[np.int32]
    spectra: Spectra


def scene(
    rows: int,
    columns: int,
    bands: int,
    classes: int,
    seed: int,
    *,
    noise: float = 0.02,
    variation: float = 0.05,
    field_px: float = 12.0,
    border_px: float = 2.0,
    name: str = "synthetic",
) -> Scene:
    """A scene of float32 reflectances; memory beyond the cube does not grow with it.

    Args:
        rows, columns, bands: of the cube.
        classes: each gets some pixels.
        seed: decides everything.
        noise: standard deviation of the noise, in reflectance.
        variation: relative deviation of a field's spectrum from its class's.
        field_px: side of a square as large as the mean field.
        border_px: width over which two fields mix; pixels with more than a quarter of the
            other field stay unlabelled.
        name: of the scene.

    Raises:
        ConfigError: a number is out of range.
    """
    if min(rows, columns, bands, classes) < 1 or rows * columns < _LEAST_PIXELS * classes:
        what = f"{rows} x {columns} x {bands} pixels and bands cannot hold {classes} classes"
        raise ConfigError(what, hint=f"give {_LEAST_PIXELS} pixels for each class, and a band")
    if min(noise, variation) < 0 or min(field_px, border_px) <= 0:
        raise ConfigError("noise and variation must not be negative, widths must be above 0")
    waves = np.linspace(*_RANGE_NM, bands)
    fields = _draw_fields(rows, columns, classes, waves, seed, variation, field_px)
    cube = np.empty((rows, columns, bands), np.float32)
    labels = np.empty((rows, columns), np.int32)
    step = max(1, _BLOCK // (columns * bands * cube.itemsize))
    for start in range(0, rows, step):
        block = slice(start, min(start + step, rows))
        labels[block], cube[block] = _mix(fields, block, columns, border_px)
        cube[block] *= _light(rows, columns, block, seed)[:, :, None]
        grain = generator(seed, "hsi noise", start).standard_normal(cube[block].shape, np.float32)
        cube[block] += np.float32(noise) * grain
    return Scene(
        name=name,
        cube=cube,
        labels=labels,
        classes=tuple(f"material {number}" for number in range(1, classes + 1)),
        class_ids=tuple(range(1, classes + 1)),
        wavelengths_nm=tuple(waves.tolist()),
        colours=tuple(_colour(number / classes) for number in range(classes)),
        facts={"synthetic": {"seed": seed, "shape": [rows, columns, bands], "classes": classes}},
        notes=("synthetic: a linear mixture of smooth spectra, not a real image",),
    )


def write(made: Scene, folder: Path) -> Path:
    """Write a scene and its truth into a new folder as ENVI files, whole or not at all.

    Returns:
        The path of the cube's header, ``NAME.hdr``; the truth's is ``NAME_gt.hdr``.

    Raises:
        ConfigError: ``folder`` holds something already.
        RunError: it cannot be written.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(f"{folder} is not empty", hint="name a folder that does not exist yet")
    with saving(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".tmp-"))
        try:
            _write(made, scratch)
            scratch.chmod(0o755)
            scratch.replace(folder)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    return folder / f"{made.name}.hdr"


def _write(made: Scene, folder: Path) -> None:
    envi_writing.write_cube(
        folder / f"{made.name}.hdr",
        made.cube,
        wavelengths_nm=made.wavelengths_nm,
        georeference=made.georeference,
        description="; ".join(made.notes),
    )
    if made.labels is not None:
        truth = folder / f"{made.name}_gt.hdr"
        envi_writing.write_classes(
            truth, made.labels, made.classes, made.colours, made.georeference
        )


def _draw_fields(
    rows: int,
    columns: int,
    classes: int,
    waves: NDArray[np.float64],
    seed: int,
    variation: float,
    field_px: float,
) -> _Fields:
    draw = generator(seed, "hsi fields")
    most = rows * columns // 2
    count = min(most, max(2 * classes, round(rows * columns / field_px**2)))
    chosen = draw.choice(rows * columns, count, replace=False)
    label = draw.permutation(np.arange(count) % classes)
    of_class = np.clip(0.35 + 0.2 * _smooth(classes, waves, draw), 0.02, 0.95)
    bent = 1 + np.float32(variation) * _smooth(count, waves, draw)
    place = np.stack(np.divmod(chosen, columns), axis=1).astype(np.float64)
    return _Fields(place, (label + 1).astype(np.int32), (of_class[label] * bent))


def _smooth(count: int, waves: NDArray[np.float64], draw: np.random.Generator) -> Spectra:
    """Random smooth curves, (count, bands), each a sum of broad and narrow Gaussians."""
    curves = np.zeros((count, len(waves)), np.float32)
    for _ in range(_BUMPS):
        centre, width = draw.uniform(*_RANGE_NM, (count, 1)), draw.uniform(60, 500, (count, 1))
        height = draw.normal(0, 1, (count, 1))
        curves += (height * np.exp(-0.5 * ((waves - centre) / width) ** 2)).astype(np.float32)
    return curves


def _mix(
    fields: _Fields, block: slice, columns: int, border_px: float
) -> tuple[NDArray[np.int32], Spectra]:
    """Labels and clean spectra of some rows: the nearest field, blended with the second."""
    from scipy.spatial import cKDTree

    grid = np.indices((block.stop - block.start, columns)).reshape(2, -1).T
    grid[:, 0] += block.start
    distance, nearest = cKDTree(fields.place).query(grid, k=2)
    share = 0.5 + 0.5 * np.minimum(1, (distance[:, 1] - distance[:, 0]) / border_px)
    share = share.astype(np.float32)[:, None]
    own, other = nearest.T
    spectra = fields.spectra[own] * share
    spectra += fields.spectra[other] * (1 - share)
    label = np.where(share[:, 0] >= _PURE, fields.label[own], 0).astype(np.int32)
    is_seat = distance[:, 0] == 0  # so that no class is without a pixel
    label[is_seat] = fields.label[own[is_seat]]
    return label.reshape(-1, columns), spectra.reshape(-1, columns, spectra.shape[1])


def _light(rows: int, columns: int, block: slice, seed: int) -> Spectra:
    """Brightness of some rows, (rows, columns): a few slow waves across the whole scene."""
    draw = generator(seed, "hsi light")
    light = np.ones((block.stop - block.start, columns), np.float32)
    y = np.arange(block.start, block.stop)[:, None] / rows
    x = np.arange(columns)[None, :] / columns
    for _ in range(3):
        across, down, phase = draw.uniform(-1.5, 1.5), draw.uniform(-1.5, 1.5), draw.uniform(0, 1)
        light += 0.06 * np.cos(2 * np.pi * (down * y + across * x + phase)).astype(np.float32)
    return light


def _colour(hue: float) -> tuple[int, int, int]:
    red, green, blue = (round(255 * value) for value in colorsys.hsv_to_rgb(hue, 0.75, 0.9))
    return red, green, blue
