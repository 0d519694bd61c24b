"""What the benchmarks of ``toolkit vqe`` share: operators, circuits, and Qulacs as it is called.

To be imported before anything that starts OpenMP: one thread for every way.
"""

from __future__ import annotations

import os
from collections.abc import Callable

os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
from qulacs import Observable, ParametricQuantumCircuit, QuantumState

from toolkit.vqe.circuits import Circuit, Gate
from toolkit.vqe.operators import molecules
from toolkit.vqe.operators.hamiltonian import Hamiltonian
from toolkit.vqe.operators.molecule_config import MoleculeConfig


def lih(n_qubits: int) -> Hamiltonian:
    """LiH at 2.2 Å on 4 or 6 qubits."""
    return molecules.hamiltonian(MoleculeConfig(mapping="parity" if n_qubits == 4 else "jw"))


def circuit(n_qubits: int, gates: int, seed: int = 0) -> Circuit:
    """Random CNOTs and rotations about all axes, as many of each as the published actions have."""
    random, made = np.random.default_rng(seed), []
    for _ in range(gates):
        if random.random() < (n_qubits - 1) / (n_qubits + 2):
            control, target = random.choice(n_qubits, 2, replace=False)
            made.append(Gate("CNOT", (int(control), int(target))))
        else:
            axis = ("RX", "RY", "RZ")[random.integers(3)]
            made.append(Gate(axis, (int(random.integers(n_qubits)),), random.uniform(-3, 3)))
    return Circuit(n_qubits, tuple(made))


def _qulacs(one: Circuit) -> ParametricQuantumCircuit:
    # Qulacs counts qubits from the least significant one and turns the other way round
    built, last = ParametricQuantumCircuit(one.n_qubits), one.n_qubits - 1
    for gate in one.gates:
        wires = [last - wire for wire in gate.wires]
        if gate.name == "CNOT":
            built.add_CNOT_gate(*wires)
        else:
            add = getattr(built, f"add_parametric_{gate.name}_gate")
            add(wires[0], -gate.angle)
    return built


def qulacs_as_published(one: Circuit, hamiltonian: Hamiltonian) -> Callable[[np.ndarray], float]:
    """Energy by angles as the authors' code goes about it (described, not copied).

    All parameters are read, then set singly by NumPy's integers; each time a new state and a
    product with the dense complex matrix.
    """
    built, matrix = _qulacs(one), hamiltonian.matrix().astype(complex)

    def energy(angles: np.ndarray) -> float:
        count = built.get_parameter_count()
        _ = [built.get_parameter(i) for i in range(count)]
        for i, place in enumerate(np.arange(count)):
            built.set_parameter(place, -angles[i])
        state = QuantumState(one.n_qubits)
        built.update_quantum_state(state)
        vector = state.get_vector()
        return float(np.real(np.conj(vector).T @ matrix @ vector))

    return energy


def qulacs_lean(one: Circuit, hamiltonian: Hamiltonian) -> Callable[[np.ndarray], float]:
    """The same with one state kept and Qulacs' own observable."""
    built, state = _qulacs(one), QuantumState(one.n_qubits)
    observable = Observable(one.n_qubits)
    for pauli, coefficient in zip(hamiltonian.paulis, hamiltonian.coefficients):
        letters = [f"{p} {one.n_qubits - 1 - q}" for q, p in enumerate(pauli) if p != "I"]
        observable.add_operator(float(coefficient), " ".join(letters))

    def energy(angles: np.ndarray) -> float:
        for i, angle in enumerate(angles):
            built.set_parameter(i, -angle)
        state.set_zero_state()
        built.update_quantum_state(state)
        return float(observable.get_expectation_value(state))

    return energy
