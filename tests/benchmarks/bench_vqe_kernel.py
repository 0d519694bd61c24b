"""Energy and gradient of a circuit: the numba kernel, Qulacs and PennyLane's lightning.

    python tests/benchmarks/bench_vqe_kernel.py

With ``--out FILE`` the figures of 6 qubits go to FILE, those of 4 to FILE with ``_4`` before its
suffix.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import vqe_cases  # isort: skip
import numba
import numpy as np
import pennylane as qml
from side_by_side import arguments, compare

from toolkit.vqe import verification
from toolkit.vqe.simulator import energy_of, gradient_of

SIZES = {4: 40, 6: 70}  # qubits: gates, as the published episodes are long
REPEATS = 200


@numba.njit  # not cached, else a stale kernel would be timed after an edit
def energies(gates, angles, n_qubits, operator):
    """Many energies from compiled code: how the search calls the kernel, which Python does not."""
    total = 0.0
    for row in range(len(angles)):
        total += energy_of(gates, angles[row], n_qubits, operator)
    return total


def lightning(circuit, hamiltonian, *, gradient: bool) -> Callable[[], object]:
    device = qml.device("lightning.qubit", wires=circuit.n_qubits)
    wires = range(circuit.n_qubits)
    observable = qml.Hermitian(hamiltonian.matrix(), wires=wires)

    @qml.qnode(device, diff_method="adjoint")
    def energy(angles):
        values = iter(angles)
        for gate in circuit.gates:
            operation = getattr(qml, gate.name)
            operation(*([] if gate.name == "CNOT" else [next(values)]), wires=gate.wires)
        return qml.expval(observable)

    angles = qml.numpy.array(circuit.angles, requires_grad=True)
    slope = qml.grad(energy)
    return lambda: slope(angles) if gradient else energy(circuit.angles)


def ways(n_qubits: int, gates: int) -> dict[str, Callable[[], object]]:
    """Each way ``REPEATS`` times, all of them checked against PennyLane first."""
    hamiltonian, circuit = vqe_cases.lih(n_qubits), vqe_cases.circuit(n_qubits, gates)
    operator, rows, angles = hamiltonian.diagonals, circuit.encoded, circuit.angles
    published = vqe_cases.qulacs_as_published(circuit, hamiltonian)
    lean = vqe_cases.qulacs_lean(circuit, hamiltonian)
    exact = verification.verify(circuit, hamiltonian)["energy_ha"]
    for way in (published, lean, lambda a: energy_of(rows, a, n_qubits, operator)):
        assert abs(way(angles) - exact) < 1e-8, "the ways do not agree"
    batch = np.tile(angles, (REPEATS, 1))
    once = {
        "numba energy, from Python": lambda: energy_of(rows, angles, n_qubits, operator),
        "numba energy and gradient": lambda: gradient_of(rows, angles, n_qubits, operator),
        "Qulacs as published": lambda: published(angles),
        "Qulacs, lean": lambda: lean(angles),
        "lightning energy": lightning(circuit, hamiltonian, gradient=False),
        "lightning gradient": lightning(circuit, hamiltonian, gradient=True),
    }
    inside = {f"numba energy, {n_qubits} qubits": lambda: energies(rows, batch, n_qubits, operator)}
    return inside | {
        f"{name}, {n_qubits} qubits": lambda way=way: [way() for _ in range(REPEATS)]
        for name, way in once.items()
    }


def main() -> None:
    options = arguments(__doc__)
    asked = options.out
    for n_qubits, gates in SIZES.items():
        if asked and n_qubits == 4:
            options.out = asked.with_stem(f"{asked.stem}_4")
        elif asked:
            options.out = asked
        peer = f"Qulacs as published, {n_qubits} qubits"
        compare(
            ways(n_qubits, gates), peer, options, time.process_time, repeats=REPEATS, gates=gates
        )


if __name__ == "__main__":
    main()
