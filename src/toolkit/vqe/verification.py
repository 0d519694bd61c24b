"""Independent verification of a circuit: PennyLane's simulator, operator and gate counts.

Nothing of the search's own simulator is used, and the exact energy comes from PennyLane's matrix.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.core.errors import CheckFailedError, DataError
from toolkit.vqe.archive import CHEMICAL_ACCURACY_HA
from toolkit.vqe.circuits import ROTATIONS, Circuit
from toolkit.vqe.operators.hamiltonian import Hamiltonian

CLAIM_TOLERANCE_HA = 1e-8
VARIATIONAL_TOLERANCE_HA = 1e-9
DEGENERATE_HA = 1e-6  # eigenvalues so close to the lowest count as the ground level
DENSE_QUBITS = 8  # above, Lanczos finds the lowest eigenvalues
LANCZOS_LEVELS = 6  # lowest eigenvalues sought there


def operations(circuit: Circuit) -> list[Any]:
    """The circuit as PennyLane operations on wires 0 to n - 1.

    Call it outside a QNode, whose queue would take them once here and once when applied.
    """
    import pennylane as qml

    return [
        getattr(qml, gate.name)(*(() if gate.angle is None else (gate.angle,)), wires=gate.wires)
        for gate in circuit.gates
    ]


def operator(hamiltonian: Hamiltonian) -> Any:
    """The Hamiltonian as a PennyLane operator, in Hartree."""
    import pennylane as qml

    words = [qml.pauli.string_to_pauli_word(pauli) for pauli in hamiltonian.paulis]
    return qml.dot([float(c) for c in hamiltonian.coefficients], words)


def verify(
    circuit: Circuit, hamiltonian: Hamiltonian, claimed_energy_ha: float | None = None
) -> dict[str, Any]:
    """Energy, fidelity and cost of ``circuit`` by ``default.qubit`` and ``qml.specs``.

    Returns:
        Energies in Hartree; ``state_fidelity`` with the exact ground level, summed over its
        degenerate states; ``agrees`` tells whether the claimed energy holds to 1e-8 Ha, and is
        None without a claim. The exact energy is exact in the Hamiltonian's active space.

    Raises:
        DataError: circuit and Hamiltonian have different numbers of qubits.
        CheckFailedError: the energy is below the exact one, which no state's can be.
    """
    same_qubits(circuit, hamiltonian)
    energy, state, resources = _simulated(circuit, hamiltonian)
    exact, ground = _ground_level(hamiltonian)
    if not energy >= exact - VARIATIONAL_TOLERANCE_HA:
        raise CheckFailedError(f"energy {energy!r} Ha is below the exact {exact!r} Ha")
    claim = claimed_energy_ha
    return {
        "energy_ha": energy,
        "exact_energy_ha": exact,
        "error_ha": energy - exact,
        "chemical_accuracy": energy - exact < CHEMICAL_ACCURACY_HA,
        "state_fidelity": float(np.sum(np.abs(ground.conj().T @ state) ** 2)),
        **_cost(resources),
        "claimed_energy_ha": claim,
        "agrees": None if claim is None else abs(energy - claim) <= CLAIM_TOLERANCE_HA,
        "simulator": "PennyLane default.qubit",
    }


def same_qubits(circuit: Circuit, hamiltonian: Hamiltonian) -> None:
    """Raise a DataError unless ``circuit`` and ``hamiltonian`` act on as many qubits."""
    if circuit.n_qubits != hamiltonian.n_qubits:
        what = f"a circuit on {circuit.n_qubits} qubits and a Hamiltonian on {hamiltonian.n_qubits}"
        hint = "name the molecule, mapping and active space that the circuit was made for"
        raise DataError(what, hint=hint)


def _simulated(
    circuit: Circuit, hamiltonian: Hamiltonian
) -> tuple[float, NDArray[np.complex128], Any]:
    """Energy in Hartree, final state (2**n,) and PennyLane's resources of the circuit."""
    import pennylane as qml

    gates, observable = operations(circuit), operator(hamiltonian)

    @qml.qnode(qml.device("default.qubit", wires=circuit.n_qubits))  # type: ignore[untyped-decorator]
    def run() -> Any:
        for gate in gates:
            qml.apply(gate)
        return qml.expval(observable), qml.state()

    energy, state = run()
    return float(energy), np.asarray(state), qml.specs(run)()["resources"]


def _cost(resources: Any) -> dict[str, int]:
    counts = resources.gate_types
    return {
        "depth": resources.depth,
        "gates": resources.num_gates,
        "cnot": counts.get("CNOT", 0),
        "rotations": sum(counts.get(name, 0) for name in ROTATIONS),
    }


def _ground_level(hamiltonian: Hamiltonian) -> tuple[float, NDArray[np.complex128]]:
    """Lowest eigenvalue in Hartree and an orthonormal basis (2**n, g) of its eigenvectors."""
    from scipy.sparse.linalg import eigsh

    n = hamiltonian.n_qubits
    matrix = operator(hamiltonian).sparse_matrix(wire_order=range(n))
    if n <= DENSE_QUBITS:
        energies, states = np.linalg.eigh(matrix.toarray())
    else:
        start = np.random.default_rng(0).normal(size=2**n)
        energies, states = eigsh(matrix, k=LANCZOS_LEVELS, which="SA", v0=start)
    lowest = float(energies.min())
    return lowest, states[:, energies - lowest < DEGENERATE_HA]
