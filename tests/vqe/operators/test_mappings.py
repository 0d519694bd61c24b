"""Mappings and tapering: the same spectrum, the same determinant, the published matrices."""

from __future__ import annotations

import itertools

import numpy as np
import pennylane as qml
import pytest
from pennylane import qchem

from toolkit.core.errors import DataError
from toolkit.vqe.operators.hamiltonian import Hamiltonian
from toolkit.vqe.operators.mappings import real_terms
from toolkit.vqe.operators.operator_files import read

MAPPINGS = ("jw", "parity", "bravyi-kitaev")


def spectrum(operator):
    return np.linalg.eigvalsh(operator.matrix())


def operator_of(hamiltonian):
    words = [qml.pauli.string_to_pauli_word(p) for p in hamiltonian.paulis]
    return qml.dot(hamiltonian.coefficients, words)


@pytest.mark.parametrize("name", ["H2", "LiH", "H2O"])
@pytest.mark.parametrize("taper", [False, True])
@pytest.mark.parametrize("mapping", MAPPINGS)
def test_every_mapping_has_the_molecules_energies(molecule, name, mapping, taper):
    found = molecule(name, mapping=mapping, taper=taper)
    facts = found.facts
    assert found.ground_energy == pytest.approx(molecule(name).ground_energy, abs=1e-9)
    assert facts["molecule_ground_energy_ha"] == pytest.approx(found.ground_energy, abs=1e-9)
    assert len(found.hartree_fock_bits) == found.n_qubits
    hartree_fock = found.basis_energy(found.hartree_fock_bits)
    assert hartree_fock == pytest.approx(facts["hartree_fock_energy_ha"], abs=1e-9)
    reduced = mapping == "parity" or taper
    assert found.n_qubits <= 2 * len(facts["active_orbitals"]) - 2 * reduced


@pytest.mark.parametrize("name", ["H2", "LiH"])
def test_mappings_are_isospectral_and_parity_is_a_part(molecule, name):
    jw, bk = (spectrum(molecule(name, mapping=m)) for m in ("jw", "bravyi-kitaev"))
    np.testing.assert_allclose(jw, bk, atol=1e-9)
    for energy in spectrum(molecule(name)):
        assert np.abs(jw - energy).min() < 1e-9


@pytest.mark.parametrize("name", ["H2", "LiH"])
def test_tapering_is_isospectral_to_pennylanes(molecule, name):
    whole = molecule(name, mapping="jw")
    operator = operator_of(whole)
    generators = qchem.symmetry_generators(operator)
    pivots = qchem.paulix_ops(generators, whole.n_qubits)
    bits = whole.hartree_fock_bits
    sector = [(-1) ** sum(bits[q] for q in tau.wires) for tau in generators]
    theirs = qchem.taper(operator, generators, pivots, sector)
    ours = molecule(name, mapping="jw", taper=True)
    assert ours.n_qubits == len(theirs.wires)
    expected = np.linalg.eigvalsh(qml.matrix(theirs))
    np.testing.assert_allclose(spectrum(ours), expected, atol=1e-9)


@pytest.mark.parametrize("mapping", MAPPINGS)
def test_an_ion_below_the_molecule_is_told_of(molecule, mapping):
    found = molecule("H4", charge=2, mapping=mapping)  # it would rather have its electrons back
    energies, vectors = np.linalg.eigh(molecule("H4", charge=2, mapping="jw").matrix())
    electrons = [int(np.abs(vector).argmax()).bit_count() for vector in vectors.T]
    own = energies[electrons.index(2)]
    assert electrons[0] != 2
    assert found.facts["molecule_ground_energy_ha"] == pytest.approx(own, abs=1e-9)
    assert "belongs to another number of electrons" in found.facts["warnings"][0]
    assert f"is {str(own)[:9]}" in found.facts["warnings"][0]


@pytest.mark.parametrize("mapping", MAPPINGS)
def test_a_penalty_lifts_what_has_other_electrons_and_nothing_else(molecule, mapping):
    free = molecule("H4", charge=2, mapping=mapping)
    found = molecule("H4", charge=2, mapping=mapping, electron_penalty_ha=1.0)
    own = free.facts["molecule_ground_energy_ha"]
    assert found.facts["warnings"] == []
    assert found.ground_energy == pytest.approx(own, abs=1e-9)
    assert found.ground_energy > free.ground_energy + 0.5
    bits = free.hartree_fock_bits
    assert found.basis_energy(bits) == pytest.approx(free.basis_energy(bits), abs=1e-9)
    assert found.lower_bound < own


def test_complex_operators_are_refused():
    word = qml.pauli.PauliWord
    with pytest.raises(DataError, match="complex coefficient"):
        real_terms(qml.pauli.PauliSentence({word({0: "X"}): 1 + 1e-9j}), 1)
    with pytest.raises(DataError, match="makes the matrix complex"):
        real_terms(qml.pauli.PauliSentence({word({0: "Y"}): 1.0}), 1)
    sentence = qml.pauli.PauliSentence({word({0: "X"}): 1 + 1e-12j, word({0: "Z"}): 1e-13})
    assert real_terms(sentence, 2) == {"XI": 1.0}


def sign_gauge(ours: Hamiltonian, theirs: Hamiltonian, tolerance: float) -> tuple[int, ...] | None:
    """Qubits whose conjugation by Z takes ``ours`` to ``theirs``: signs of the orbitals."""
    expected = dict(zip(theirs.paulis, theirs.coefficients))
    if expected.keys() != set(ours.paulis):
        return None
    for wires in itertools.chain.from_iterable(
        itertools.combinations(range(ours.n_qubits), k) for k in range(ours.n_qubits + 1)
    ):
        flips = [sum(pauli[q] in "XY" for q in wires) for pauli in ours.paulis]
        differences = [
            abs((-1) ** flip * c - expected[pauli])
            for flip, pauli, c in zip(flips, ours.paulis, ours.coefficients)
        ]
        if max(differences) < tolerance:
            return wires
    return None


@pytest.mark.parametrize(
    ("bond_length_a", "mapping", "file"),
    [
        (1.2, "parity", "LiH_4q_geom_Li_.0_.0_.0_H_.0_.0_1.2_parity.npz"),
        (2.2, "parity", "LiH_4q_geom_Li_.0_.0_.0_H_.0_.0_2.2_parity.npz"),
        (3.4, "parity", "LiH_4q_geom_Li_.0_.0_.0_H_.0_.0_3.4_parity.npz"),
        (2.2, "jw", "LiH_6q_geom_Li_.0_.0_.0_H_.0_.0_2.2_jordan_wigner.npz"),
    ],
)
def test_the_published_operators_differ_by_signs_of_orbitals_only(
    molecule, operators, bond_length_a, mapping, file
):
    published = read(operators / file)
    ours = molecule("LiH", bond_length_a=bond_length_a, mapping=mapping)
    np.testing.assert_allclose(spectrum(ours), spectrum(published), atol=5e-7)
    assert sign_gauge(ours, published, tolerance=1e-6) is not None
