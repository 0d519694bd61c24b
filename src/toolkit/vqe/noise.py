"""What noise costs a circuit: a finite number of shots, and depolarising gates.

Depolarising with probability p after a one-qubit gate: X, Y and Z are equally likely errors,
rho -> (1 - p) rho + p/3 sum_P P rho P (``qml.DepolarizingChannel``). After a CNOT the 15 products
of Paulis other than the identity are: rho -> (1 - p) rho + p/15 sum_P P rho P. Shots are those of
each group of Pauli strings that are measured together.

States psi are arrays (2**n,), density matrices rho (2**n, 2**n), qubit 0 the most significant bit
of an index. Energies are in Hartree.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from toolkit.core.errors import ConfigError, DataError
from toolkit.vqe.circuits import Circuit, Gate
from toolkit.vqe.config import NoiseConfig
from toolkit.vqe.operators.hamiltonian import Hamiltonian
from toolkit.vqe.verification import same_qubits

State = NDArray[np.complex128]  # psi or rho
Matrix = NDArray[np.complex128]
MAX_QUBITS = 10  # a density matrix of 16 MiB

PAULI: dict[str, Matrix] = {
    "X": np.array([[0, 1], [1, 0]], np.complex128),
    "Y": np.array([[0, -1j], [1j, 0]], np.complex128),
    "Z": np.array([[1, 0], [0, -1]], np.complex128),
}
# Rotations after which a measurement in the Z basis is one of X or Y.
TO_Z: dict[str, Matrix] = {
    "X": np.array([[1, 1], [1, -1]], np.complex128) / math.sqrt(2),
    "Y": np.array([[1, -1j], [1, 1j]], np.complex128) / math.sqrt(2),
}


class Estimate(NamedTuple):
    """An energy estimated from shots, and its standard error, both in Hartree."""

    mean_ha: float
    standard_error_ha: float
    total_shots: int


def noisy_energy(
    circuit: Circuit,
    hamiltonian: Hamiltonian,
    noise: NoiseConfig,
    rng: np.random.Generator | None = None,
) -> float:
    """The energy in Hartree that a noisy device would report for angles optimised without noise.

    A search calls this at the end of a step: ``rng`` (needed for shots only) is then one of its
    named streams, so that a resumed search draws the same.
    """
    p1, p2 = noise.depolarising_1, noise.depolarising_2
    if noise.shots is None:
        return depolarising(circuit, hamiltonian, p1, p2)
    if rng is None:
        raise ConfigError("shots need a random generator")
    same_qubits(circuit, hamiltonian)
    return _estimated(_final(circuit, p1, p2), hamiltonian, noise.shots, rng).mean_ha


def shots(
    circuit: Circuit,
    hamiltonian: Hamiltonian,
    shots: int,
    seed: int,
    p1: float = 0.0,
    p2: float = 0.0,
) -> Estimate:
    """Energy from ``shots`` measurements of each group of qubit-wise commuting strings.

    Gates depolarise with probability ``p1`` and ``p2``, as in :func:`depolarising`.
    Outcomes are drawn from each group's exact distribution. The standard error is that of the
    distribution, sqrt(sum of the groups' variances / shots), not its estimate from the sample.
    """
    same_qubits(circuit, hamiltonian)
    if shots < 1:
        raise ConfigError(f"{shots} shots", hint="1 or more")
    final = _final(circuit, p1, p2)
    return _estimated(final, hamiltonian, shots, np.random.default_rng(seed))


def depolarising(circuit: Circuit, hamiltonian: Hamiltonian, p1: float, p2: float) -> float:
    """Exact energy in Hartree, by density matrix.

    Args:
        p1: probability of an error after each one-qubit gate.
        p2: that after each CNOT; the module's head has both channels.
    """
    same_qubits(circuit, hamiltonian)
    final = _final(circuit, p1, p2)
    rho = np.outer(final, final.conj()) if final.ndim == 1 else final
    states = np.arange(len(rho))
    # tr(H rho), H as rows of diagonals behind flips
    energy = sum(d @ rho[states ^ mask, states] for mask, d in zip(*hamiltonian.diagonals))
    return float(np.real(energy))


@lru_cache(maxsize=8)  # a search asks for those of one Hamiltonian at every step
def groups(hamiltonian: Hamiltonian) -> list[list[int]]:
    """Indices of the strings without the identity, by group that one setting measures."""
    import pennylane as qml

    kept = [k for k, pauli in enumerate(hamiltonian.paulis) if set(pauli) != {"I"}]
    words = [qml.pauli.string_to_pauli_word(hamiltonian.paulis[k]) for k in kept]
    parts = qml.pauli.compute_partition_indices(words, "qwc") if words else ()
    return [[kept[i] for i in part] for part in parts]


def _estimated(
    final: State, hamiltonian: Hamiltonian, count: int, rng: np.random.Generator
) -> Estimate:
    mean, variance, settings = hamiltonian.identity, 0.0, 0
    for probabilities, values in _measurements(final, hamiltonian):
        drawn = rng.multinomial(count, probabilities)
        mean += float(drawn @ values) / count
        variance += max(0.0, float(probabilities @ values**2 - (probabilities @ values) ** 2))
        settings += 1
    return Estimate(mean, math.sqrt(variance / count), settings * count)


def _measurements(
    final: State, hamiltonian: Hamiltonian
) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """For each group: probabilities (2**n,) of the outcomes, and their values in Hartree."""
    outcomes = np.arange(len(final))
    for group in groups(hamiltonian):
        strings = [hamiltonian.paulis[k] for k in group]
        basis = ["".join(letters).strip("I")[:1] for letters in zip(*strings)]
        turned = final
        for wire, letter in enumerate(basis):
            if letter in TO_Z:
                turned = _rotated(turned, TO_Z[letter], wire)
        masks = [int("".join("01"[letter != "I"] for letter in s), 2) for s in strings]
        signs = 1.0 - 2.0 * (np.bitwise_count(outcomes & np.array(masks)[:, None]) % 2)
        yield _probabilities(turned), hamiltonian.coefficients[group] @ signs


def _probabilities(state: State) -> NDArray[np.float64]:
    weights = np.abs(state) ** 2 if state.ndim == 1 else state.diagonal().real
    weights = np.maximum(weights, 0.0)
    return np.asarray(weights / weights.sum())


def _final(circuit: Circuit, p1: float, p2: float) -> State:
    """The final state, as a density matrix where gates are noisy."""
    n, noisy = circuit.n_qubits, p1 > 0 or p2 > 0
    if n > MAX_QUBITS:
        raise DataError(f"noise on {n} qubits; at most {MAX_QUBITS} are simulated")
    if not (0 <= p1 <= 1 and 0 <= p2 <= 1):
        raise ConfigError(f"{p1} and {p2} are no probabilities of errors", hint="0 to 1")
    state = np.zeros((2**n,) * (2 if noisy else 1), np.complex128)
    state.flat[0] = 1
    for gate in circuit.gates:
        state = _applied(state, gate)
        if noisy:
            state = _depolarised(state, gate.wires, p1 if len(gate.wires) == 1 else p2)
    return state


def _applied(state: State, gate: Gate) -> State:
    if gate.name == "CNOT":
        control, target = gate.wires
        states = np.arange(len(state))
        source = np.where(_bit(state, control), states ^ _mask(state, target), states)
        return state[source] if state.ndim == 1 else state[np.ix_(source, source)]
    return _rotated(state, _unitary(gate), gate.wires[0])


def _unitary(gate: Gate) -> Matrix:
    if gate.angle is None:
        return PAULI[gate.name]
    half = gate.angle / 2
    return np.asarray(math.cos(half) * np.eye(2) - 1j * math.sin(half) * PAULI[gate.name[1]])


def _rotated(state: State, unitary: Matrix, wire: int) -> State:
    """U psi, or U rho U^dagger, of a one-qubit ``unitary`` (2, 2)."""
    if state.ndim == 1:
        return _on_rows(state[:, None], unitary, wire)[:, 0]
    return _on_rows(_on_rows(state, unitary, wire).conj().T, unitary, wire)  # rho is Hermitian


def _on_rows(columns: State, unitary: Matrix, wire: int) -> State:
    bit, flipped = _bit(columns, wire), np.arange(len(columns)) ^ _mask(columns, wire)
    stay, move = unitary[bit, bit], unitary[bit, 1 - bit]
    return np.asarray(stay[:, None] * columns + move[:, None] * columns[flipped])


def _depolarised(rho: State, wires: tuple[int, ...], probability: float) -> State:
    # The mean over all 4**k Paulis, the identity among them, is the fully mixed state of the wires.
    mixed_share = probability * 4 ** len(wires) / (4 ** len(wires) - 1)
    mixed = rho
    for wire in wires:
        bit, flipped = _bit(rho, wire), np.arange(len(rho)) ^ _mask(rho, wire)
        both = mixed + mixed[np.ix_(flipped, flipped)]
        mixed = np.where(bit[:, None] == bit, both / 2, 0)
    return np.asarray((1 - mixed_share) * rho + mixed_share * mixed)


def _mask(state: State, wire: int) -> int:
    return len(state) >> (wire + 1)


def _bit(state: State, wire: int) -> NDArray[np.int64]:
    return (np.arange(len(state)) & _mask(state, wire) > 0).astype(np.int64)
