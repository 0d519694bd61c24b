"""Potential energy curves: the circuits of one search, their angles fitted at each geometry."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from toolkit.core import plots
from toolkit.core.config import validate
from toolkit.core.errors import ConfigError
from toolkit.core.files import saving, write_json
from toolkit.vqe.archive import CHEMICAL_ACCURACY_HA
from toolkit.vqe.circuits import Circuit
from toolkit.vqe.minimise import lowest, random_starts
from toolkit.vqe.operators import molecules
from toolkit.vqe.operators.hamiltonian import Hamiltonian
from toolkit.vqe.operators.molecule_config import MoleculeConfig
from toolkit.vqe.pictures import charts
from toolkit.vqe.simulator import Simulator

RESTARTS = 8  # random starts of the angles, besides those of the search and of the point before


def points(
    molecule: MoleculeConfig, lengths_a: Sequence[float], circuits: Sequence[Circuit]
) -> Iterator[dict[str, Any]]:
    """One row for each bond length in ångström, as it is done.

    Raises:
        ConfigError: a length that cannot be, or a molecule without a bond to stretch.
        DataError: the circuits are on another number of qubits.

    At each the cheapest of ``circuits`` (in their order) that reaches chemical accuracy is taken,
    or else the one that comes closest. Gates are not changed, angles are minimised anew.
    """
    if molecule.hamiltonian is not None or molecule.geometry is not None:
        raise ConfigError(
            "an operator or .xyz file has one geometry",
            where="--from",
            hint="--molecule NAME, whose bond can be stretched",
        )
    configs = [_stretched(molecule, length_a) for length_a in lengths_a]
    for config in configs:
        molecules.resolve(config)  # what cannot be is said before anything is built
    fitted = list(circuits)
    for length_a, config in zip(lengths_a, configs):
        hamiltonian = molecules.hamiltonian(config)
        circuit, energy = _cheapest(hamiltonian, circuits, fitted)
        bits, exact = hamiltonian.hartree_fock_bits, hamiltonian.ground_energy
        warnings = hamiltonian.facts.get("warnings")
        yield {
            "molecule": hamiltonian.facts["molecule"],
            "bond_length_a": length_a,
            "exact_energy_ha": exact,
            "hartree_fock_energy_ha": hamiltonian.basis_energy(bits) if bits else None,
            "energy_ha": energy,
            "error_ha": energy - exact,
            **circuit.cost._asdict(),
            **({"warnings": warnings} if warnings else {}),
        }


def _stretched(molecule: MoleculeConfig, length_a: float) -> MoleculeConfig:
    changed = {**molecule.model_dump(mode="json", exclude_none=True), "bond_length_a": length_a}
    return validate(MoleculeConfig, [("--bond-lengths", changed)])


def _cheapest(
    hamiltonian: Hamiltonian, circuits: Sequence[Circuit], fitted: list[Circuit]
) -> tuple[Circuit, float]:
    """The circuit to take; ``fitted`` are those with the angles of the point before, updated."""
    simulator = Simulator(hamiltonian)
    target = hamiltonian.ground_energy + CHEMICAL_ACCURACY_HA
    best: tuple[Circuit, float] | None = None
    for i, circuit in enumerate(circuits):
        random = random_starts(len(circuit.angles), RESTARTS, seed=0)
        starts = [fitted[i].angles, circuit.angles, *random]
        found, energy = lowest(simulator, circuit, starts, enough_ha=target)
        fitted[i] = found
        if best is None or energy < best[1]:
            best = found, energy
        if energy < target:
            return found, energy
    assert best is not None, "no circuit is given"
    return best


def write(rows: Sequence[Mapping[str, Any]], folder: Path) -> list[Path]:
    """Write the rows as ``curve.json`` and their picture as ``curve.png``; returns both paths."""
    with saving(folder):
        folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "curve.json", {"points": list(rows)})
    lengths = [row["bond_length_a"] for row in rows]
    names = {
        "exact in the active space": "exact_energy_ha",
        "Hartree-Fock": "hartree_fock_energy_ha",
    }
    energies = {name: [row[key] for row in rows] for name, key in names.items()}
    energies["circuit"] = [row["energy_ha"] for row in rows]
    errors = {"circuit": [row["error_ha"] for row in rows]}
    figure = charts.curve(lengths, energies, errors)
    caption = "Energies against the bond length; below, the circuit's error from the exact energy."
    return [folder / "curve.json", plots.save(figure, folder / "curve.png", caption)]
