"""Scenes that the toolkit knows by name: where they lie, and the names of their classes.

Class names are those of the GIC's page "Hyperspectral Remote Sensing Scenes" (University of the
Basque Country) and of the 2018 IEEE GRSS Data Fusion Contest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.core.errors import DataError
from toolkit.data import store
from toolkit.hsi.formats import mat
from toolkit.hsi.formats.label_files import LabelMap
from toolkit.hsi.formats.raster import Raster

Known = tuple[Raster, LabelMap, tuple[tuple[str, str], ...], tuple[str, ...], tuple[str, ...]]
"""Cube, truth, hashes of what lies in no file of the registry, warnings, notes."""

_INDIAN_PINES = (
    *("Alfalfa", "Corn-notill", "Corn-mintill", "Corn", "Grass-pasture", "Grass-trees"),
    *("Grass-pasture-mowed", "Hay-windrowed", "Oats", "Soybean-notill", "Soybean-mintill"),
    *("Soybean-clean", "Wheat", "Woods", "Buildings-Grass-Trees-Drives", "Stone-Steel-Towers"),
)
_PAVIA = (
    *("Asphalt", "Meadows", "Gravel", "Trees", "Painted metal sheets", "Bare Soil", "Bitumen"),
    *("Self-Blocking Bricks", "Shadows"),
)
_SALINAS = (
    *("Brocoli_green_weeds_1", "Brocoli_green_weeds_2", "Fallow", "Fallow_rough_plow"),
    *("Fallow_smooth", "Stubble", "Celery", "Grapes_untrained", "Soil_vinyard_develop"),
    *("Corn_senesced_green_weeds", "Lettuce_romaine_4wk", "Lettuce_romaine_5wk"),
    *("Lettuce_romaine_6wk", "Lettuce_romaine_7wk", "Vinyard_untrained"),
    "Vinyard_vertical_trellis",
)
_KSC = (
    *("Scrub", "Willow swamp", "Cabbage palm hammock", "Cabbage palm/oak hammock", "Slash pine"),
    *("Oak/broadleaf hammock", "Hardwood swamp", "Graminoid marsh", "Spartina marsh"),
    *("Cattail marsh", "Salt marsh", "Mud flats", "Water"),
)
_BOTSWANA = (
    *("Water", "Hippo grass", "Floodplain grasses 1", "Floodplain grasses 2", "Reeds", "Riparian"),
    *("Firescar 2", "Island interior", "Acacia woodlands", "Acacia shrublands"),
    *("Acacia grasslands", "Short mopane", "Mixed mopane", "Exposed soils"),
)
# The cut renumbers the contest's classes that it holds, in the contest's order: 1, 2, 3, one of
# trees, 9 to 13, 16, 18 and 20. Its photograph shows as much: class 5 is roofs, 12 stands.
_HOUSTON = (
    *("Healthy grass", "Stressed grass", "Artificial turf", "Trees"),
    *("Non-residential buildings", "Roads", "Sidewalks", "Crosswalks", "Major thoroughfares"),
    *("Paved parking lots", "Cars", "Stadium seats"),
)
_JASPER = ("Tree", "Water", "Soil", "Road")
_SAMSON = ("Soil", "Tree", "Water")

_UNMIXED = "labels are the largest abundance of each pixel, of a truth made for unmixing"
_SIMULATED = "simulated: every class is one constant spectrum; no accuracy on it means anything"
_UNSORTED = "wavelengths are those of tensorly; they step back after bands 30, 93, 171 (from 0)"
_RENUMBERED = "class names by the photograph: the cut numbers the contest's classes anew"


def read(name: str, data_dir: Path | None = None) -> Known:
    """Cube, truth and what must be known of both.

    Raises:
        DataError: its files are not on this machine, incomplete or damaged.
    """
    return _READERS[name](name, data_dir)


def _indian_pines(_name: str, _data_dir: Path | None) -> Known:
    cube, ids, waves = _embedded()
    digest = hashlib.sha256(np.ascontiguousarray(cube).data)
    digest.update(ids.tobytes())
    raster = Raster(cube, (), wavelengths_nm=waves)
    facts = (("indian_pines", digest.hexdigest()),)
    return raster, LabelMap(ids, _named(_INDIAN_PINES)), facts, (), (_UNSORTED,)


def _embedded() -> tuple[NDArray[np.uint16], NDArray[np.int32], tuple[float, ...]]:
    """Cube, ids and wavelengths of Indian Pines; the package turns its uint16 into floats."""
    from tensorly.datasets import load_indian_pines

    bunch = load_indian_pines()
    ids, waves = bunch["ticks"]
    cube = np.asarray(bunch["tensor"])
    return cube.astype(np.uint16), np.asarray(ids).astype(np.int32), tuple(map(float, waves))


@dataclass(frozen=True)
class _Pair:
    """A cube and a map, each the one array of a file."""

    classes: Sequence[str]
    range_nm: tuple[float, float] | None = None

    def __call__(self, name: str, data_dir: Path | None) -> Known:
        cube, truth = _files(name, data_dir)
        raster = _evenly(mat.read(cube, 3), self.range_nm)
        ids = mat.read(truth, 2, None, raster.array.shape[:2]).array.astype(np.int32)
        notes = _nominal(self.range_nm)
        return raster, LabelMap(ids, _named(self.classes), files=(truth,)), (), (), notes


@dataclass(frozen=True)
class _Unmixing:
    """Spectra as columns, ``Y`` (bands, pixels) in MATLAB's order, and abundances ``S_GT``."""

    classes: Sequence[str]
    range_nm: tuple[float, float] | None = None

    def __call__(self, name: str, data_dir: Path | None) -> Known:
        (path,) = _files(name, data_dir)
        abundances, spectra = mat.array(path, "S_GT"), mat.array(path, "Y")
        rows, columns = abundances.shape[:2]
        cube = spectra.reshape(-1, rows, columns, order="F").transpose(1, 2, 0)
        ids = abundances.argmax(2).astype(np.int32) + 1
        raster = _evenly(Raster(cube, (path,)), self.range_nm)
        notes = (_UNMIXED, *_nominal(self.range_nm))
        return raster, LabelMap(ids, _named(self.classes)), (), (), notes


def _houston(name: str, data_dir: Path | None) -> Known:
    (path,) = _files(name, data_dir)
    raster = _evenly(Raster(mat.array(path, "hyprImg"), (path,)), _HOUSTON_NM)
    ids = majority(mat.array(path, "clasLabs"), 4, 12)
    notes = (_RENUMBERED, "labels are the majority of 4 x 4 finer ones, of which 12 agree")
    return raster, LabelMap(ids, _named(_HOUSTON)), (), (), (*notes, *_nominal(_HOUSTON_NM))


def _simulated(name: str, data_dir: Path | None) -> Known:
    (path,) = _files(name, data_dir)
    _, ids, _ = _embedded()
    return mat.read(path, 3), LabelMap(ids, _named(_INDIAN_PINES)), (), (_SIMULATED,), ()


def majority(fine: NDArray[Any], side: int, least: int) -> NDArray[np.int32]:
    """The class of most of each ``side`` x ``side`` cell, 0 where fewer than ``least`` agree."""
    rows, columns = fine.shape[0] // side, fine.shape[1] // side
    cells = fine.reshape(rows, side, columns, side)
    counts = np.stack([(cells == k).sum((1, 3)) for k in range(int(fine.max()) + 1)])
    return np.where(counts.max(0) >= least, counts.argmax(0), 0).astype(np.int32)


def _named(classes: Sequence[str]) -> dict[int, str]:
    return dict(enumerate(classes, start=1))


def _evenly(raster: Raster, range_nm: tuple[float, float] | None) -> Raster:
    if range_nm is None:
        return raster
    waves = np.linspace(*range_nm, raster.array.shape[2]).round(2)
    return replace(raster, wavelengths_nm=tuple(waves.tolist()))


def _nominal(range_nm: tuple[float, float] | None) -> tuple[str, ...]:
    if range_nm is None:
        return ()
    low, high = range_nm
    return (f"wavelengths are nominal: the sensor's {low:g} to {high:g} nm, evenly spaced",)


def _files(name: str, data_dir: Path | None) -> list[Path]:
    """Paths of the files of a data set, cube first, whose known hashes hold."""
    folder = store.locate(name, data_dir)
    check = store.verify(name, folder)
    if not check.ok:
        faults = [f"{file} is missing" for file in check.missing]
        faults += [f"{fault.file} is not the file that it was" for fault in check.damaged]
        what = f"the scene {name} cannot be read: {', '.join(faults)}"
        hint = f"toolkit data fetch {name} --to {folder.parent}"
        raise DataError(what, where=str(folder), hint=hint)
    return [folder / file for file in store.dataset(name).files]


_HOUSTON_NM = (380.0, 1050.0)  # ITRES CASI 1500, 48 bands

_READERS: dict[str, Callable[[str, Path | None], Known]] = {
    "indian_pines": _indian_pines,
    "pavia_university": _Pair(_PAVIA, (430.0, 860.0)),  # ROSIS
    "salinas": _Pair(_SALINAS),
    "ksc": _Pair(_KSC),
    "botswana": _Pair(_BOTSWANA),
    "houston2018_cut": _houston,
    "jasper_ridge": _Unmixing(_JASPER),
    "samson": _Unmixing(_SAMSON, (401.0, 889.0)),
    "simu_indian": _simulated,
}
NAMES = tuple(_READERS)
"""Names that :func:`read` takes."""
