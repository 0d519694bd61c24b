"""The compiled kernel: energies, gradients and states against PennyLane and finite differences."""

from __future__ import annotations

import math

import numpy as np
import pennylane as qml
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_circuits import circuits, random_circuit
from random_operators import random_operator

from toolkit.vqe.circuits import Circuit, Gate
from toolkit.vqe.simulator import Simulator, planes_of, run
from toolkit.vqe.verification import operator

CASES = [(n, seed) for n in range(2, 7) for seed in range(3)]


def apply(circuit, angles):
    values = iter(angles)
    for gate in circuit.gates:
        angle = () if gate.angle is None else (next(values),)
        getattr(qml, gate.name)(*angle, wires=gate.wires)


def peer(circuit, hamiltonian, measure):
    """A QNode of the circuit's angles on ``default.qubit``."""
    observable = operator(hamiltonian)

    @qml.qnode(qml.device("default.qubit", wires=circuit.n_qubits), diff_method="backprop")
    def node(angles):
        apply(circuit, angles)
        return qml.expval(observable) if measure == "energy" else qml.state()

    return node


@pytest.mark.parametrize(("n", "seed"), CASES)
def test_energies_and_states_are_pennylanes(n, seed):
    circuit, hamiltonian = random_circuit(n, 8 * n, seed), random_operator(n, 40, seed)
    simulator = Simulator(hamiltonian)
    expected = float(peer(circuit, hamiltonian, "energy")(circuit.angles))
    assert simulator.energy(circuit) == pytest.approx(expected, abs=1e-10)
    amplitudes = peer(circuit, hamiltonian, "state")(circuit.angles)
    np.testing.assert_allclose(simulator.state(circuit), amplitudes, atol=1e-12)


@pytest.mark.parametrize(("n", "seed"), [(2, 0), (3, 1), (4, 2), (6, 3)])
def test_gradients_are_pennylanes(n, seed):
    circuit, hamiltonian = random_circuit(n, 6 * n, seed), random_operator(n, 30, seed)
    energy, gradient = Simulator(hamiltonian).gradient(circuit)
    angles = qml.numpy.array(circuit.angles, requires_grad=True)
    np.testing.assert_allclose(
        gradient, qml.grad(peer(circuit, hamiltonian, "energy"))(angles), atol=1e-10
    )
    assert energy == pytest.approx(Simulator(hamiltonian).energy(circuit), abs=1e-12)


@settings(max_examples=60)
@given(circuits(), st.integers(0, 99))
def test_gradients_are_finite_differences(circuit, seed):
    simulator = Simulator(random_operator(circuit.n_qubits, 12, seed))
    _, gradient = simulator.gradient(circuit)
    assert len(gradient) == circuit.cost.rotations
    for r, shift in enumerate(1e-4 * np.eye(len(gradient))):
        ahead, behind = (
            simulator.energy(circuit.with_angles(circuit.angles + sign * shift)) for sign in (1, -1)
        )
        assert gradient[r] == pytest.approx((ahead - behind) / 2e-4, abs=1e-6)


@settings(max_examples=100)
@given(circuits(), st.integers(0, 99))
def test_no_energy_is_below_the_exact_one(circuit, seed):
    hamiltonian = random_operator(circuit.n_qubits, 12, seed)
    assert Simulator(hamiltonian).energy(circuit) >= hamiltonian.ground_energy - 1e-9


def real(circuit):
    """The circuit with every rotation about y, which keeps amplitudes real."""
    gates = [g._replace(name="RY") if g.angle is not None else g for g in circuit.gates]
    return Circuit(circuit.n_qubits, tuple(gates))


@settings(max_examples=40)
@given(circuits().map(real), st.integers(0, 99))
def test_real_circuits_need_one_plane_and_agree_with_two(circuit, seed):
    assert planes_of(circuit.encoded) == 1
    n = circuit.n_qubits
    halves = np.stack([np.cos(circuit.angles / 2), np.sin(circuit.angles / 2)])
    one, two = (np.zeros(planes * 2**n) for planes in (1, 2))
    for state in (one, two):
        run(state, circuit.encoded, halves, n)
    np.testing.assert_allclose(one, two[: 2**n], atol=1e-14)
    assert not two[2**n :].any()
    # a rotation by nothing about x needs the second plane, and changes nothing
    complex_ = Circuit(n, (*circuit.gates, Gate("RX", (0,), 0.0)))
    simulator = Simulator(random_operator(n, 12, seed))
    assert planes_of(complex_.encoded) == 2
    assert simulator.energy(complex_) == pytest.approx(simulator.energy(circuit), abs=1e-12)
    np.testing.assert_allclose(
        simulator.gradient(complex_)[1][:-1], simulator.gradient(circuit)[1], atol=1e-12
    )


@pytest.mark.parametrize("n", [1, 2, 5])
def test_a_circuit_without_gates_or_angles_has_the_energy_of_its_basis_state(n):
    hamiltonian = random_operator(n, 20, seed=n)
    simulator = Simulator(hamiltonian)
    for bits in ((0,) * n, (1,) * n):
        energy, gradient = simulator.gradient(Circuit.prepared(bits))
        assert energy == pytest.approx(hamiltonian.basis_energy(bits), abs=1e-12)
        assert energy == simulator.energy(Circuit.prepared(bits)) and gradient.shape == (0,)


def test_rotations_repeat_after_four_pi_and_change_sign_after_two():
    simulator, gate = Simulator(random_operator(1, 3, 0)), Gate("RY", (0,), 0.3)
    once, signed, twice = (
        simulator.state(Circuit(1, (gate._replace(angle=0.3 + turn * math.pi),)))
        for turn in (0, 2, 4)
    )
    np.testing.assert_allclose(signed, -once, atol=1e-12)
    np.testing.assert_allclose(twice, once, atol=1e-12)
