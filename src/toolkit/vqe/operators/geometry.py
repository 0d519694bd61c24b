"""Geometries of molecules: atoms and where they are; the .xyz reader."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from toolkit.core.errors import DataError, closest

# Those for which PennyLane ships basis sets; the place in the list is the nuclear charge.
SYMBOLS = ("H", "He", "Li", "Be", "B", "C", "N", "O", "F", "Ne")
MIN_DISTANCE_A = 0.1
_MAX_ATOMS = 100
_MAX_BYTES = 2**20

Position = tuple[float, float, float]


@dataclass(frozen=True)
class Geometry:
    """Atoms by symbol, with their positions in ångström."""

    symbols: tuple[str, ...]
    positions_a: tuple[Position, ...]

    @property
    def nuclear_charge(self) -> int:
        """Sum of the atomic numbers: the electrons of the neutral molecule."""
        return sum(SYMBOLS.index(symbol) + 1 for symbol in self.symbols)

    @property
    def formula(self) -> str:
        """Atoms in the order of their first appearance: ``LiH``, ``H2O``."""
        counts = Counter(self.symbols)
        return "".join(f"{symbol}{n if n > 1 else ''}" for symbol, n in counts.items())

    def scaled(self, factor: float) -> Geometry:
        """Every distance times ``factor``."""
        positions = tuple((x * factor, y * factor, z * factor) for x, y, z in self.positions_a)
        return Geometry(self.symbols, positions)

    def to_json(self) -> list[list[str | float]]:
        """``[["Li", 0.0, 0.0, 0.0], …]``, ångström."""
        return [[symbol, *position] for symbol, position in zip(self.symbols, self.positions_a)]


def read_xyz(path: Path) -> Geometry:
    """Read an .xyz file: number of atoms, a comment, then rows of symbol x y z in ångström.

    Raises:
        DataError: unreadable or malformed, an unknown atom, or coinciding atoms; names the line.
    """
    lines = _text(path).splitlines()
    n_atoms = _n_atoms(lines, path)
    rows = lines[2 : n_atoms + 2]
    extra = next((i for i, line in enumerate(lines[n_atoms + 2 :]) if line.strip()), None)
    if len(rows) < n_atoms or extra is not None:
        found = len(rows) if extra is None else "more"
        line = len(lines) if extra is None else n_atoms + 3 + extra
        raise DataError(f"{n_atoms} atoms announced, {found} rows found", where=_at(path, line))
    atoms = [_atom(row, _at(path, number)) for number, row in enumerate(rows, 3)]
    geometry = Geometry(tuple(s for s, _ in atoms), tuple(p for _, p in atoms))
    _check_distances(geometry, path)
    return geometry


def _text(path: Path) -> str:
    try:
        size = path.stat().st_size
        if size > _MAX_BYTES:
            raise DataError(f"{size} bytes are too many for an .xyz file", where=str(path))
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise DataError(f"cannot read a geometry: {reason}", where=str(path)) from error


def _n_atoms(lines: list[str], path: Path) -> int:
    first = lines[0].strip() if lines else ""
    if not (first.isascii() and first.isdigit()) or not 1 <= int(first[:9]) <= _MAX_ATOMS:
        raise DataError(
            f"the first line {first[:40]!r} is no number of atoms from 1 to {_MAX_ATOMS}",
            where=_at(path, 1),
            hint="an .xyz file has the number of atoms, a comment, then rows of: symbol x y z",
        )
    return int(first)


def _atom(row: str, where: str) -> tuple[str, Position]:
    words = row.split()
    if len(words) != 4:
        wrong = f"{row.strip()[:60]!r} is no row of symbol x y z"
        raise DataError(wrong, where=where, hint="for example: Li 0.0 0.0 2.2 (ångström)")
    if words[0] not in SYMBOLS:
        hint = f"{closest(words[0], SYMBOLS)}; the basis sets hold {SYMBOLS[0]} to {SYMBOLS[-1]}"
        raise DataError(f"unknown atom {words[0][:20]!r}", where=where, hint=hint)
    try:
        x, y, z = (float(word) for word in words[1:])
    except ValueError:
        x = y = z = math.nan
    if not all(map(math.isfinite, (x, y, z))):
        raise DataError(f"{' '.join(words[1:])[:60]!r} is no position in ångström", where=where)
    return words[0], (x, y, z)


def _check_distances(geometry: Geometry, path: Path) -> None:
    for i, a in enumerate(geometry.positions_a):
        for j, b in enumerate(geometry.positions_a[:i]):
            if (distance := math.dist(a, b)) < MIN_DISTANCE_A:
                raise DataError(
                    f"atoms {j + 1} and {i + 1} coincide ({distance:.3g} Å apart)",
                    where=_at(path, i + 3),
                    hint="positions are in ångström; give each atom its own",
                )


def _at(path: Path, line: int) -> str:
    return f"{path}, line {line}"
