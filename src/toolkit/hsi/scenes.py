"""Scenes by name or from files: read, checked, and told apart by their hashes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.core.errors import ConfigError, DataError, closest
from toolkit.data.store import sha256_of
from toolkit.hsi import known_scenes, usability
from toolkit.hsi.formats import label_files, raster_files
from toolkit.hsi.formats.label_files import LabelMap
from toolkit.hsi.formats.raster import Raster
from toolkit.hsi.scene import Cube, Mask, Scene
from toolkit.hsi.standardisation import filled
from toolkit.hsi.survey import bad_bands, colour_composite, info
from toolkit.hsi.usability import DropBands

__all__ = ["DropBands", "bad_bands", "colour_composite", "info", "load"]

_FEW = 10  # pixels of a class below which 5 for training and 5 for test are not to be had
_AGREEMENT = 0.9  # of two truths of one scene, above which the names of one hold for the other


@dataclass(frozen=True)
class _Source:
    """A scene before its checks: what was read, and what is known of it beyond the files."""

    name: str
    raster: Raster
    labels: LabelMap | None = None
    facts: tuple[tuple[str, str], ...] = ()
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def load(
    scene: str,
    *,
    labels: Path | None = None,
    data_dir: Path | None = None,
    variable: str | None = None,
    labels_variable: str | None = None,
    drop_bands: DropBands = "none",
    no_data: float | None = None,
) -> Scene:
    """Read a scene and its ground truth.

    Args:
        scene: a name of :data:`known_scenes.NAMES`, or a file: .mat, .hdr or the ENVI data
            beside it, .tif, .npy.
        labels: a label file (see :func:`label_files.read`) in place of the scene's own truth.
        data_dir: folder that holds the data sets, for a name.
        variable: of a .mat scene with several.
        labels_variable: of a .mat label file with several; without ``labels``, of the scene.
        drop_bands: "bad" leaves out bands with NaN or inf, constant ones, and those that the
            file calls bad; or the numbers, from 0, of bands to leave out.
        no_data: value that marks, in every band, a pixel without data; the file's own by default.
            NaN in every band always does.

    Raises:
        ConfigError: neither name nor file; a variable that is not there.
        DataError: missing or damaged files; NaN or inf in bands that are not dropped; fewer bands
            than are to be dropped; labels of another shape, or none at all.
        UnavailableError: a GeoTIFF without rasterio.
    """
    source = _source(scene, data_dir, variable)
    if labels is None and labels_variable is not None:
        labels = Path(scene)
    if labels is not None:
        truth = label_files.read(labels, source.raster.array.shape, labels_variable)
        source = _relabelled(source, truth)
    if no_data is not None:
        source = replace(source, raster=replace(source.raster, no_data=no_data))
    read = _with_labels(_with_bands(source, drop_bands), source.labels)
    cube_facts = _facts(replace(source, labels=None))
    return replace(read, facts=_facts(source), cube_facts=cube_facts, variable=variable)


def _source(scene: str, data_dir: Path | None, variable: str | None) -> _Source:
    if scene in known_scenes.NAMES:
        if variable is not None:
            what = f"{scene} is a known scene; its variable is not to be chosen"
            raise ConfigError(what, where="--variable", hint="leave the option away")
        known = known_scenes.read(scene, data_dir)
        return _Source(scene, *known)
    path = Path(scene)
    if not path.suffix and not path.exists() and path.name == scene:
        what = f"no scene is called {scene!r}; {closest(scene, known_scenes.NAMES)}"
        raise ConfigError(what, where="scene", hint="a name, or the path of an image file")
    return _Source(path.stem, raster_files.read(path, 3, variable))


def _relabelled(source: _Source, truth: LabelMap) -> _Source:
    """Take another truth; it inherits names where it plainly speaks of the same classes."""
    own, warnings = source.labels, source.warnings
    if own is not None and truth.names:
        truth = label_files.matched(truth, own.names)
    elif own is not None:
        both = (own.ids > 0) & (truth.ids > 0)
        agreeing, common = np.count_nonzero(own.ids[both] == truth.ids[both]), int(both.sum())
        if common and agreeing >= _AGREEMENT * common:
            truth = replace(truth, names=own.names)
        else:
            warnings += (
                f"the given labels agree with {source.name}'s own on {agreeing} of {common} "
                "pixels: ids may mean other classes, so none is named",
            )
    return replace(source, labels=truth, warnings=warnings)


def _with_bands(source: _Source, drop_bands: DropBands) -> Scene:
    raster = source.raster
    usable = usability.of(raster, drop_bands, _place(source))
    kept = np.setdiff1d(np.arange(raster.array.shape[2]), usable.dropped)
    waves, valid = raster.wavelengths_nm, usable.valid
    cube = raster.array[:, :, kept] if usable.dropped else raster.array
    return Scene(
        name=source.name,
        cube=_in_rows(cube) if valid is None else filled(cube, valid),
        valid=valid,
        wavelengths_nm=tuple(waves[band] for band in kept) if waves else None,
        georeference=raster.georeference,
        dropped=usable.dropped,
        warnings=source.warnings,
        notes=(*source.notes, *raster.notes, *usable.notes),
    )


def _in_rows(cube: Cube) -> Cube:
    """Pixels' spectra in one piece, as training reads them; a memory map stays where it is."""
    return cube if isinstance(cube, np.memmap) else np.ascontiguousarray(cube)


def _with_labels(scene: Scene, truth: LabelMap | None) -> Scene:
    if truth is None:
        return scene
    lost: tuple[str, ...] = ()
    if scene.valid is not None:
        lost = _lost(truth, scene.valid)
        truth = replace(truth, ids=np.where(scene.valid, truth.ids, 0))
    labels, ids, names = label_files.renumber(truth)
    read = replace(scene, labels=labels, classes=names, class_ids=ids)
    few = _few(read)
    colours = tuple(truth.colours[number] for number in ids if number in truth.colours)
    gap = label_files.gaps(truth)
    return replace(
        read,
        colours=colours if len(colours) == len(ids) else (),
        warnings=scene.warnings + lost + few,
        notes=scene.notes + truth.notes + ((gap,) if gap else ()),
    )


def _few(scene: Scene) -> tuple[str, ...]:
    """A warning of classes that a drawn split can hardly divide."""
    counts = zip(scene.class_ids, scene.classes, scene.counts().tolist())
    few = [f"{number} ({name}): {pixels}" for number, name, pixels in counts if pixels < _FEW]
    if not few:
        return ()
    return (f"classes of fewer than {_FEW} labelled pixels, few to divide: {', '.join(few)}",)


def _lost(truth: LabelMap, valid: Mask) -> tuple[str, ...]:
    """A warning of labelled pixels without data.

    Raises:
        DataError: all labelled pixels are.
    """
    lost, labelled = np.count_nonzero(truth.ids[~valid]), np.count_nonzero(truth.ids)
    if lost == labelled:
        hint = "check that cube and labels are of the same image"
        raise DataError(f"all {lost} labelled pixels are without data", where="labels", hint=hint)
    return (f"{lost} of {labelled} labelled pixels are without data: unlabelled",) if lost else ()


def _facts(source: _Source) -> dict[str, Any]:
    facts = dict(source.facts)
    for path in (*source.raster.files, *(source.labels.files if source.labels else ())):
        digest = sha256_of(path)
        if facts.setdefault(path.name, digest) != digest:
            facts[str(path)] = digest  # a namesake in another folder
    return facts


def _place(source: _Source) -> str:
    return str(source.raster.files[-1]) if source.raster.files else source.name
