"""Noise: shots against exact means, depolarising gates against PennyLane's mixed-state device."""

from itertools import product

import numpy as np
import pennylane as qml
import pytest
from random_circuits import random_circuit
from random_operators import random_operator

from toolkit.core.errors import ConfigError, DataError
from toolkit.vqe import noise
from toolkit.vqe.circuits import Circuit, Gate
from toolkit.vqe.config import NoiseConfig
from toolkit.vqe.noise import depolarising, noisy_energy
from toolkit.vqe.operators.hamiltonian import Hamiltonian
from toolkit.vqe.verification import operations, operator, verify

Z = Hamiltonian(1, ("Z",), np.array([1.0]))


def two_qubit_depolarising(probability, wires):
    """The channel from its Kraus operators."""
    letters = [qml.matrix(gate(0)) for gate in (qml.I, qml.X, qml.Y, qml.Z)]
    weights = [1 - probability, *[probability / 15] * 15]
    kraus = [
        np.sqrt(weight) * np.kron(a, b)
        for weight, (a, b) in zip(weights, product(letters, letters))
    ]
    return qml.QubitChannel(kraus, wires=wires)


def peer_energy(circuit, hamiltonian, p1, p2):
    gates = operations(circuit)  # made outside, or the queue would hold them twice

    @qml.qnode(qml.device("default.mixed", wires=circuit.n_qubits))
    def run():
        for gate in gates:
            qml.apply(gate)
            if len(gate.wires) == 1:
                qml.DepolarizingChannel(p1, wires=gate.wires)
            else:
                two_qubit_depolarising(p2, gate.wires)
        return qml.expval(operator(hamiltonian))

    return float(run())


@pytest.mark.parametrize(
    ("n", "p1", "p2"), [(2, 0.3, 0.2), (3, 0.01, 0.05), (4, 0, 0.9), (3, 1, 0)]
)
def test_depolarising_energies_are_those_of_pennylane(n, p1, p2):
    circuit, hamiltonian = random_circuit(n, 18, seed=n), random_operator(n, 9, seed=0)
    energy = depolarising(circuit, hamiltonian, p1, p2)
    assert energy == pytest.approx(peer_energy(circuit, hamiltonian, p1, p2), abs=1e-10)


@pytest.mark.parametrize("n", [1, 2, 4])
def test_without_noise_the_energy_is_the_verified_one(n):
    circuit = random_circuit(n, 15) if n > 1 else Circuit(1, (Gate("RX", (0,), 0.4),))
    hamiltonian = random_operator(n, 3, seed=0)
    expected = pytest.approx(verify(circuit, hamiltonian)["energy_ha"], abs=1e-10)
    assert depolarising(circuit, hamiltonian, 0, 0) == expected
    assert depolarising(circuit, hamiltonian, 1e-14, 0) == expected
    assert noisy_energy(circuit, hamiltonian, NoiseConfig()) == expected


def test_one_gate_shrinks_the_bloch_vector_by_four_thirds_of_p():
    flip = Circuit(1, (Gate("X", (0,)),))
    assert depolarising(flip, Z, 0.3, 0.0) == pytest.approx(-(1 - 4 * 0.3 / 3))
    assert depolarising(flip, Z, 0.75, 0.0) == pytest.approx(0, abs=1e-15)


def test_a_fully_mixed_state_has_the_energy_of_the_identity():
    everywhere = Circuit(3, tuple(Gate("RY", (w,), 0.3) for w in range(3)))
    hamiltonian = random_operator(3, 20, seed=0)
    assert depolarising(everywhere, hamiltonian, 0.75, 0) == pytest.approx(hamiltonian.identity)


@pytest.mark.parametrize("seed", range(5))
def test_shots_come_within_five_standard_errors(seed):
    circuit, hamiltonian = random_circuit(4, 20, seed), random_operator(4, 30, seed)
    mean, error, total = noise.shots(circuit, hamiltonian, 2000, seed)
    assert 0 < error < 0.2 and total == 2000 * len(noise.groups(hamiltonian))
    assert abs(mean - verify(circuit, hamiltonian)["energy_ha"]) < 5 * error


def test_repeated_estimates_scatter_by_the_standard_error():
    circuit, hamiltonian = random_circuit(3, 12), random_operator(3, 12, seed=0)
    made = [noise.shots(circuit, hamiltonian, 50, seed) for seed in range(400)]
    scatter = np.std([estimate.mean_ha for estimate in made])
    assert scatter == pytest.approx(made[0].standard_error_ha, rel=0.15)  # 4 sigma of a scatter


def test_four_times_the_shots_halve_the_standard_error():
    circuit, hamiltonian = random_circuit(3, 12), random_operator(3, 12, seed=0)
    few, many = (noise.shots(circuit, hamiltonian, n, 0).standard_error_ha for n in (100, 400))
    assert few == pytest.approx(2 * many)


def test_an_eigenstate_is_measured_without_error():
    assert noise.shots(Circuit(1, (Gate("X", (0,)),)), Z, 10, 0) == (-1, 0, 10)


def test_a_constant_needs_no_shot():
    constant = Hamiltonian(2, ("II",), np.array([-1.5]))
    assert noise.shots(Circuit(2), constant, 10, 0) == (-1.5, 0, 0)


def test_a_seed_repeats_the_estimate():
    circuit, hamiltonian = random_circuit(3, 12), random_operator(3, 12, seed=0)
    one, same, other = (noise.shots(circuit, hamiltonian, 50, seed) for seed in (1, 1, 2))
    assert one == same and one.mean_ha != other.mean_ha


def test_groups_commute_on_every_qubit_and_miss_no_string():
    hamiltonian = random_operator(4, 40, seed=0)
    found = noise.groups(hamiltonian)
    strings = [[hamiltonian.paulis[k] for k in group] for group in found]
    together = [pauli for group in strings for pauli in group]
    assert sorted(together) == sorted({*hamiltonian.paulis} - {"IIII"})
    assert len(found) < len(together)
    for group in strings:
        assert all(len(set(letters) - {"I"}) <= 1 for letters in zip(*group))


def test_shots_of_noisy_gates_have_the_mean_of_both():
    circuit, hamiltonian = random_circuit(3, 12), random_operator(3, 12, seed=0)
    exact = depolarising(circuit, hamiltonian, 0.02, 0.05)
    rng = np.random.default_rng(0)
    model = NoiseConfig(depolarising_1=0.02, depolarising_2=0.05, shots=200)
    drawn = [noisy_energy(circuit, hamiltonian, model, rng) for _ in range(200)]
    assert abs(np.mean(drawn) - exact) < 5 * np.std(drawn) / np.sqrt(len(drawn))


@pytest.mark.parametrize(("p1", "p2"), [(-0.1, 0), (0, 1.1), (float("nan"), 0)])
def test_an_impossible_probability_is_refused(p1, p2):
    with pytest.raises(ConfigError, match="no probabilities"):
        depolarising(Circuit(1), Z, p1, p2)


def test_no_shots_are_refused():
    with pytest.raises(ConfigError, match="0 shots"):
        noise.shots(Circuit(1), Z, 0, 0)


def test_shots_need_a_generator():
    with pytest.raises(ConfigError, match="random generator"):
        noisy_energy(Circuit(1), Z, NoiseConfig(shots=5))


def test_too_many_qubits_are_refused():
    with pytest.raises(DataError, match="11 qubits; at most 10"):
        depolarising(Circuit(11), Hamiltonian(11, ("Z" * 11,), np.array([1.0])), 0.1, 0.1)


@pytest.mark.parametrize(
    "call", [lambda c: depolarising(c, Z, 0, 0), lambda c: noise.shots(c, Z, 1, 0)]
)
def test_circuit_and_hamiltonian_must_have_as_many_qubits(call):
    with pytest.raises(DataError, match="2 qubits and a Hamiltonian on 1"):
        call(Circuit(2))


def test_shots_are_measured_of_noisy_gates_where_asked():
    circuit, hamiltonian = random_circuit(3, 12), random_operator(3, 12, seed=0)
    mean, error, _ = noise.shots(circuit, hamiltonian, 20_000, 0, 0.05, 0.2)
    assert abs(mean - depolarising(circuit, hamiltonian, 0.05, 0.2)) < 5 * error
    assert abs(mean - depolarising(circuit, hamiltonian, 0, 0)) > 5 * error
