"""Published results: where they belong to an operator, and nowhere else."""

from __future__ import annotations

import pytest

from toolkit.vqe.operators.hamiltonian import Hamiltonian
from toolkit.vqe.peers import published


def methods(hamiltonian):
    return [row["method"] for row in published.of(hamiltonian)]


def test_each_has_its_source_and_a_cost():
    for row in published.everything():
        assert row["source"] and row["method"]
        assert {"depth", "gates", "cnot"} & row.keys()


def test_lih_on_six_qubits_is_known(molecule):
    found = {row["method"]: row for row in published.of(molecule("LiH", mapping="jw"))}
    assert found["Ostaszewski et al. 2021, mean"]["depth"] == 16
    assert found["Ostaszewski et al. 2021, best"]["gates"] == 27
    assert found["CRLQAS 2024, ablations"]["depth"] == [23, 31]


@pytest.mark.parametrize(
    "other",
    [
        {"mapping": "parity"},
        {"mapping": "bravyi-kitaev"},
        {"mapping": "jw", "bond_length_a": 2.201},
        {"mapping": "jw", "active_orbitals": (1, 2, 3)},
        {"mapping": "jw", "taper": True},
        {"mapping": "jw", "basis": "6-31g", "active_orbitals": (1, 2, 5)},
    ],
)
def test_nothing_is_published_for_its_neighbours(molecule, other):
    assert methods(molecule("LiH", **other)) == []


def test_an_operator_that_tells_nothing_has_none(toy):
    assert methods(toy) == []
    assert methods(Hamiltonian(6, ("ZZZZZZ",), toy.coefficients[:1])) == []
    facts = {"molecule": "LiH", "mapping": "jw", "active_orbitals": [1, 2, 5], "basis": "sto-3g"}
    for more in ({}, {"charge": 0}, {"charge": 0, "geometry": None}):
        file = Hamiltonian(6, ("ZZZZZZ",), toy.coefficients[:1], None, {**facts, **more})
        assert methods(file) == []
