"""What an operator is built from, every choice made."""

from __future__ import annotations

from dataclasses import dataclass

from toolkit.vqe.operators.geometry import Geometry
from toolkit.vqe.operators.molecule_config import Mapping


@dataclass(frozen=True)
class Problem:
    """All that decides an operator; ``by_preset`` if the orbitals are a preset's."""

    molecule: str
    geometry: Geometry
    basis: str
    charge: int
    core: tuple[int, ...]
    active: tuple[int, ...]
    active_electrons: int
    mapping: Mapping
    taper: bool
    by_preset: bool
    electron_penalty_ha: float = 0.0

    @property
    def n_qubits(self) -> int:
        """Qubits, at most: parity and tapering drop the two of the electron numbers' parities."""
        reduced = self.mapping == "parity" or self.taper
        return 2 * len(self.active) - (2 if reduced else 0)

    @property
    def space(self) -> str:
        """What "exact" refers to."""
        electrons = f"{self.active_electrons} electrons in {len(self.active)} orbitals"
        return f"active space of {electrons}, basis {self.basis}"
