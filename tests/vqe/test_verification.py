"""Verification by PennyLane: against numbers worked out here by matrices, and against itself."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_circuits import circuits, random_circuit
from random_operators import random_operator

from toolkit.core.errors import CheckFailedError, DataError
from toolkit.vqe import verification
from toolkit.vqe.circuits import Circuit, Gate
from toolkit.vqe.operators.hamiltonian import Hamiltonian
from toolkit.vqe.verification import verify

# The form of H2 on two qubits after the parity mapping.
H2 = Hamiltonian(
    2,
    ("II", "ZI", "IZ", "ZZ", "XX"),
    np.array([-0.3399, 0.3939, -0.3939, -0.0113, 0.1812]),
    (0, 1),
)
SINGLET = Hamiltonian(2, ("XX", "YY", "ZZ"), np.array([1.0, 1.0, 1.0]))
FERROMAGNET = Hamiltonian(2, ("XX", "YY", "ZZ"), np.array([-1.0, -1.0, -1.0]))


def dense(hamiltonian):
    """The matrix by Kronecker products, qubit 0 first."""
    letters = {
        "I": np.eye(2),
        "X": np.array([[0, 1], [1, 0]]),
        "Y": np.array([[0, -1j], [1j, 0]]),
        "Z": np.diag([1, -1]),
    }
    total = 0
    for pauli, coefficient in zip(hamiltonian.paulis, hamiltonian.coefficients):
        product = np.eye(1)
        for letter in pauli:
            product = np.kron(product, letters[letter])
        total = total + coefficient * product
    return total


def test_a_singlet_has_the_exact_energy_and_fidelity_one():
    bell = (Gate("X", (0,)), Gate("X", (1,)), Gate("RY", (0,), np.pi / 2), Gate("CNOT", (0, 1)))
    report = verify(Circuit(2, bell), SINGLET)
    assert report["energy_ha"] == pytest.approx(-3) and report["exact_energy_ha"] == -3
    assert report["state_fidelity"] == pytest.approx(1) and report["chemical_accuracy"]
    assert [report[key] for key in ("depth", "gates", "cnot", "rotations")] == [3, 4, 1, 1]


def test_fidelity_sums_over_a_degenerate_ground_level():
    report = verify(Circuit(2, (Gate("RY", (0,), 0.7), Gate("RY", (1,), 0.7))), FERROMAGNET)
    assert report["state_fidelity"] == pytest.approx(1)
    assert report["error_ha"] == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("bits", [(0, 1), (1, 0), (0, 0), (1, 1)])
def test_basis_states_have_their_energies_qubit_0_first(bits):
    report, index = verify(Circuit.prepared(bits), H2), 2 * bits[0] + bits[1]
    assert report["energy_ha"] == pytest.approx(H2.basis_energy(bits), abs=1e-12)
    assert report["energy_ha"] == pytest.approx(dense(H2)[index, index].real, abs=1e-12)


@settings(max_examples=25)
@given(circuits(most_qubits=4), st.integers(0, 10))
def test_every_report_is_consistent_and_variational(circuit, seed):
    hamiltonian = random_operator(circuit.n_qubits, 8, seed)
    report = verify(circuit, hamiltonian)
    exact = np.linalg.eigvalsh(dense(hamiltonian))[0]
    assert report["exact_energy_ha"] == pytest.approx(exact, abs=1e-10)
    assert hamiltonian.ground_energy == pytest.approx(exact, abs=1e-10)
    assert report["energy_ha"] >= exact - 1e-9
    assert report["chemical_accuracy"] == (report["error_ha"] < 1.6e-3)
    assert -1e-9 <= report["state_fidelity"] <= 1 + 1e-9
    cost = tuple(report[key] for key in ("depth", "gates", "cnot", "rotations"))
    assert cost == circuit.cost


@pytest.mark.parametrize(("shift", "agrees"), [(0.0, True), (9e-9, True), (2e-8, False)])
def test_a_claimed_energy_must_hold_to_1e_8(shift, agrees):
    circuit = random_circuit(2, 6)
    energy = verify(circuit, H2)["energy_ha"]
    report = verify(circuit, H2, energy + shift)
    assert report["agrees"] is agrees and report["claimed_energy_ha"] == energy + shift


def test_without_a_claim_there_is_nothing_to_agree_with():
    assert verify(Circuit(2), H2)["agrees"] is None


def test_lanczos_above_eight_qubits_finds_the_same_level(monkeypatch):
    hamiltonian, circuit = random_operator(4, 12, seed=0), random_circuit(4, 10)
    expected = verify(circuit, hamiltonian)
    monkeypatch.setattr(verification, "DENSE_QUBITS", 0)
    found = verify(circuit, hamiltonian)
    for key in ("exact_energy_ha", "state_fidelity"):
        assert found[key] == pytest.approx(expected[key], abs=1e-9)


def test_an_energy_below_the_exact_one_is_an_error(monkeypatch):
    exact, states = verification._ground_level(H2)
    monkeypatch.setattr(verification, "_ground_level", lambda _: (exact + 9.0, states))
    with pytest.raises(CheckFailedError, match="is below the exact"):
        verify(Circuit(2), H2)


def test_circuit_and_hamiltonian_must_have_as_many_qubits():
    with pytest.raises(DataError, match="3 qubits and a Hamiltonian on 2"):
        verify(Circuit(3), H2)
