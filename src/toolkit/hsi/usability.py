"""What of a cube can be used: bands that are left out, and pixels that hold no data."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple

from toolkit.core.errors import DataError
from toolkit.hsi.formats.raster import Raster, listed
from toolkit.hsi.scene import Mask
from toolkit.hsi.survey import Survey, survey

DropBands = Literal["none", "bad"] | tuple[int, ...]

_CUT = "cut or fill the pixels without data"


class Usable(NamedTuple):
    """Bands that are dropped, from 0; pixels with data, None = all; notes on both."""

    dropped: tuple[int, ...]
    valid: Mask | None
    notes: tuple[str, ...]


def of(raster: Raster, drop_bands: DropBands, place: str) -> Usable:
    """What can be used of a cube.

    Args:
        raster: the cube.
        drop_bands: as of :func:`toolkit.hsi.scenes.load`.
        place: where it was read, for errors.

    Raises:
        DataError: NaN or inf in bands that stay; no band or no pixel is left; there are fewer bands
            than are to be dropped.
    """
    found = survey(raster.array, raster.no_data)
    bad = sorted({*found.bad, *raster.bad_bands})
    dropped = _dropped(bad, drop_bands, raster, place)
    _check_finite(found, dropped, place)
    if found.empty.all():
        hint = "check the file and its no-data value"
        raise DataError("no pixel of the cube holds data", where=place, hint=hint)
    valid = ~found.empty if found.empty.any() else None
    return Usable(tuple(dropped), valid, tuple(_notes(bad, dropped, found, raster)))


def _dropped(bad: list[int], drop_bands: DropBands, raster: Raster, place: str) -> list[int]:
    bands = raster.array.shape[2]
    asked = drop_bands if isinstance(drop_bands, tuple) else bad if drop_bands == "bad" else ()
    dropped = sorted(set(asked))
    if dropped and dropped[-1] >= bands:
        what = f"the cube has {bands} bands, so that band {dropped[-1]} cannot be left out"
        raise DataError(what, where=place, hint="toolkit hsi info SCENE")
    if len(dropped) == bands:
        what = f"no band is left: all {bands} hold NaN or inf, are constant or called bad"
        raise DataError(what, where=place, hint=_CUT)
    return dropped


def _check_finite(found: Survey, dropped: list[int], place: str) -> None:
    broken = sorted(set(found.broken) - set(dropped))
    if not broken:
        return
    bands, values = len(found.minimum), int(found.non_finite[broken].sum())
    what = f"{values} values are NaN or infinite, in bands (from 0) {listed(broken)}"
    hint = "--drop-bands bad drops these bands"
    if len(found.broken) == bands:
        what = f"{values} values are NaN or infinite, some in each of the {bands} bands"
        hint = _CUT
    raise DataError(what, where=place, hint=hint)


def _notes(bad: list[int], dropped: list[int], found: Survey, raster: Raster) -> Iterable[str]:
    if dropped:
        yield f"{len(dropped)} of {raster.array.shape[2]} bands dropped (from 0): {listed(dropped)}"
    if empty := int(found.empty.sum()):
        value = "NaN" if raster.no_data is None else f"{raster.no_data:g} or NaN"
        whole = f"{empty} of {found.empty.size} pixels are without data ({value} in every band)"
        yield f"{whole}: neither learnt from nor classified"
    kept = set(bad) - set(dropped)
    if constant := sorted(kept & set(found.constant)):
        yield f"constant bands (from 0): {listed(constant)}; --drop-bands bad drops them"
    if called := sorted(kept & set(raster.bad_bands)):
        bands = listed(called)
        yield f"bands that the header calls bad (from 0): {bands}; --drop-bands bad drops them"
