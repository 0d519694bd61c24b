"""Random circuits, drawn by Hypothesis or by a seed, for the tests of what reads them."""

import math

import numpy as np
from hypothesis import strategies as st

from toolkit.vqe.circuits import ROTATIONS, Circuit, Gate

ANGLES = st.floats(-10, 10, allow_nan=False) | st.sampled_from([math.pi, -math.pi / 2, 1e-300])


def gates(n_qubits):
    wire = st.integers(0, n_qubits - 1)
    rotation = st.builds(Gate, st.sampled_from(ROTATIONS), st.tuples(wire), ANGLES)
    flip = st.builds(Gate, st.just("X"), st.tuples(wire), st.none())
    if n_qubits == 1:
        return rotation | flip
    pair = st.permutations(range(n_qubits)).map(lambda order: tuple(order[:2]))
    return rotation | flip | st.builds(Gate, st.just("CNOT"), pair, st.none())


@st.composite
def circuits(draw, most_qubits=5, most_gates=25):
    """Circuits of one qubit or more, perhaps without a gate."""
    n_qubits = draw(st.integers(1, most_qubits))
    return Circuit(n_qubits, tuple(draw(st.lists(gates(n_qubits), max_size=most_gates))))


def random_circuit(n_qubits, n_gates, seed=0):
    """A circuit with every kind of gate, the same for a seed."""
    rng = np.random.default_rng(seed)
    made = []
    for name in rng.choice(["X", *ROTATIONS, "CNOT", "CNOT"], n_gates):
        wires = tuple(int(w) for w in rng.permutation(n_qubits)[: 2 if name == "CNOT" else 1])
        made.append(Gate(str(name), wires, rng.normal() if name in ROTATIONS else None))
    return Circuit(n_qubits, tuple(made))
