"""The circuits that ship: each is what its card and its file say."""

from pathlib import Path

import pytest

from toolkit.core import released
from toolkit.core.config import load
from toolkit.core.files import read_json
from toolkit.vqe import stored
from toolkit.vqe.config import VqeSearchConfig
from toolkit.vqe.operators import molecules
from toolkit.vqe.verification import verify

NAMES = released.names("vqe")


def test_there_are_circuits():
    assert "lih4-2.2" in NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_released_circuit_verifies(name):
    kept = stored.read(name, Path("runs"))
    document = kept.document
    found = verify(document.circuit, kept.hamiltonian, document.energy_ha)
    assert found["agrees"] and found["chemical_accuracy"]
    seeds = read_json(kept.folder / "results.json")["seeds"]
    costs = [tuple(seed["best"][key] for key in ("depth", "cnot", "gates")) for seed in seeds]
    assert tuple(found[key] for key in ("depth", "cnot", "gates")) == min(costs)
    assert f"toolkit vqe verify {name}" in (kept.folder / "README.md").read_text()


@pytest.mark.parametrize("name", NAMES)
def test_its_operator_is_the_one_of_its_settings(name):
    kept = stored.read(name, Path("runs"))
    config = load(VqeSearchConfig, file=kept.folder / "config.toml")
    built = molecules.hamiltonian(config.molecule)
    assert built.ground_energy == pytest.approx(kept.hamiltonian.ground_energy, abs=1e-8)
    bits = built.hartree_fock_bits
    assert built.basis_energy(bits) == pytest.approx(kept.hamiltonian.basis_energy(bits), abs=1e-7)


@pytest.mark.parametrize("name", NAMES)
def test_its_front_is_a_front(name):
    kept = stored.read(name, Path("runs"))
    best, *circuits = kept.front
    assert best == kept.document.circuit
    assert len({circuit.cost[:3] for circuit in circuits}) == len(circuits)
