"""What cubes and label maps have in common: numbers on a grid, and what their file says of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from toolkit.core.errors import DataError
from toolkit.hsi.scene import Georeference

MOST_INFLATION = 1100
"""Deflate cannot shrink more than 1032-fold; a file that claims more asks for memory it lacks."""

_SMALL = 1 << 28  # bytes that may be claimed freely
_NANOMETRES = {"nanometers": 1.0, "nanometer": 1.0, "nm": 1.0, "micrometers": 1e3}
_NANOMETRES |= {"micrometer": 1e3, "microns": 1e3, "um": 1e3, "µm": 1e3, "μm": 1e3}
_LARGEST_MICROMETRES = 100.0  # optical sensors end below; nanometres begin above


@dataclass(frozen=True)
class Raster:
    """A file of pixels as its reader found it.

    Attributes:
        array: (rows, columns, bands) or (rows, columns); may be a memory map.
        files: what was read.
        wavelengths_nm: (bands,) where the file says.
        bad_bands: numbers, from 0, of the bands that the file calls bad.
        no_data: the value that marks a pixel without data, where the file says.
        class_names: by id, where the file says; ``colours`` likewise, RGB in 0 … 255.
        georeference: where it lies, where the file says.
        notes: what of the file was passed over, or chosen among several.
    """

    array: NDArray[Any]
    files: tuple[Path, ...]
    wavelengths_nm: tuple[float, ...] | None = None
    bad_bands: tuple[int, ...] = ()
    no_data: float | None = None
    class_names: Mapping[int, str] = field(default_factory=dict)
    colours: Mapping[int, tuple[int, int, int]] = field(default_factory=dict)
    georeference: Georeference | None = None
    notes: tuple[str, ...] = ()


def nanometres(values: Sequence[float], unit: str) -> tuple[float, ...] | None:
    """Wavelengths in nm; a missing unit is told from the size, another quantity gives None."""
    word = unit.strip().lower()
    if word in ("", "unknown"):
        word = "um" if max(values) < _LARGEST_MICROMETRES else "nm"
    scale = _NANOMETRES.get(word)
    return None if scale is None else tuple(round(value * scale, 6) for value in values)


def check_length(path: Path, expected: int, found: int) -> None:
    """Raise a DataError when ``path`` holds fewer bytes than its header asks for."""
    if found < expected:
        raise DataError(
            f"{path.name} holds {found} bytes, its header asks for {expected}",
            where=str(path),
            hint="copy or download the file again; it was cut short, or has another's header",
        )


def check_claim(path: Path, claimed: int, stored: int) -> None:
    """Raise a DataError when a compressed file claims more bytes than it could possibly hold."""
    if claimed > max(_SMALL, stored * MOST_INFLATION):
        raise DataError(
            f"{path.name} claims {claimed} bytes of pixels but stores {stored}",
            where=str(path),
            hint="copy or download the file again; it is damaged or was never filled",
        )


def listed(numbers: Iterable[int]) -> str:
    """Ascending numbers in words, neighbours joined: ``3, 7-9``."""
    spans: list[list[int]] = []
    for number in numbers:
        if spans and number == spans[-1][-1] + 1:
            spans[-1] = [spans[-1][0], number]
        else:
            spans.append([number])
    return ", ".join("-".join(map(str, span)) for span in spans)
