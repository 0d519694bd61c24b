"""Which Hamiltonian; apart from the search's settings, which need the networks' libraries."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from toolkit.core.config import Config, Place

Mapping = Literal["jw", "parity", "bravyi-kitaev"]


class MoleculeConfig(Config):
    """Which Hamiltonian: a molecule by name, an .xyz file, or an operator file."""

    name: str = Field("LiH", description="LiH, H2, H4, BeH2 or H2O; unused with a file")
    bond_length_a: float | None = Field(
        None, gt=0, description="ångström; of a named molecule, its own if unset"
    )
    geometry: Place | None = Field(None, description=".xyz file, instead of a named molecule")
    hamiltonian: Place | None = Field(None, description="operator file (.npz, .json), instead")
    basis: str = Field("sto-3g", description="basis set")
    charge: int = Field(0, description="total charge in elementary charges")
    active_electrons: int | None = Field(
        None, ge=1, description="electrons outside the core; they follow from the orbitals"
    )
    active_orbitals: tuple[int, ...] | None = Field(
        None,
        min_length=1,
        description="spatial orbitals by energy, from 0; of a named molecule, its own if unset",
    )
    mapping: Mapping = Field("parity", description="fermions to qubits; parity drops two qubits")
    electron_penalty_ha: float = Field(
        0.0, ge=0, description="Hartree for each squared electron too many or too few; for ions"
    )
    taper: bool = Field(False, description="drop the qubits that Z2 symmetries make redundant")
