"""The hardware-efficient ansatz: layers of RY joined by chains of CNOTs (Kandala et al. 2017)."""

from __future__ import annotations

from toolkit.vqe.circuits import Circuit, Gate
from toolkit.vqe.minimise import lowest, random_starts
from toolkit.vqe.operators.hamiltonian import Hamiltonian
from toolkit.vqe.simulator import Simulator

STARTS = 20


def ladder(n_qubits: int, layers: int) -> Circuit:
    """RY on every qubit, then ``layers`` times CNOTs 0-1, 1-2, … and RY on every qubit."""
    turns = [Gate("RY", (q,), 0.0) for q in range(n_qubits)]
    chain = [Gate("CNOT", (q, q + 1)) for q in range(n_qubits - 1)]
    return Circuit(n_qubits, (*turns, *(layers * (*chain, *turns))))


def best_ladder(
    hamiltonian: Hamiltonian,
    target_ha: float,
    max_layers: int = 8,
    starts: int = STARTS,
    seed: int = 0,
) -> tuple[Circuit, float]:
    """The ladder with the fewest layers whose energy is below ``target_ha``.

    Args:
        hamiltonian: whose ground state is sought.
        target_ha: energy in Hartree that is low enough.
        max_layers: where to give up; the lowest found so far is then returned.
        starts: random starts of BFGS for each number of layers.
        seed: of the starts.

    Returns:
        The circuit and its energy in Hartree.
    """
    simulator = Simulator(hamiltonian)
    best, best_ha = ladder(hamiltonian.n_qubits, 0), float("inf")
    for layers in range(1, max_layers + 1):
        ansatz = ladder(hamiltonian.n_qubits, layers)
        points = random_starts(len(ansatz.angles), starts, seed)
        circuit, energy_ha = lowest(simulator, ansatz, points)
        if energy_ha < best_ha:
            best, best_ha = circuit, energy_ha
        if best_ha < target_ha:
            break
    return best, best_ha
