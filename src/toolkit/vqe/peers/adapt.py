"""ADAPT-VQE (Grimsley et al. 2019) over PennyLane's excitations, in gates that we count."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from toolkit.core.errors import UnavailableError
from toolkit.vqe.circuits import Circuit, Gate
from toolkit.vqe.operators.hamiltonian import Hamiltonian, start_bits
from toolkit.vqe.simulator import Floats, Simulator

_SMALL_HA = 1e-5  # Hartree per radian; no excitation with a smaller derivative is appended
_BASIS = {"CNOT", "RX", "RY", "RZ", "Hadamard"}


class Excitation(NamedTuple):
    """Gates whose angles are ``slopes`` (rotations,) times one parameter, plus a constant."""

    gates: tuple[Gate, ...]
    slopes: Floats


class Ansatz(NamedTuple):
    """Hartree-Fock's state and ``excitations`` one after the other, a parameter each."""

    start: Circuit
    excitations: tuple[Excitation, ...] = ()

    def circuit(self, parameters: Floats) -> Circuit:
        """The gates with their angles, for ``parameters`` (excitations,) in radians."""
        parts = [gate for excitation in self.excitations for gate in excitation.gates]
        plain = Circuit(self.start.n_qubits, (*self.start.gates, *parts))
        shifts = [p * excitation.slopes for p, excitation in zip(parameters, self.excitations)]
        return plain.with_angles(plain.angles + np.concatenate([*shifts, []]))

    def gradient(self, simulator: Simulator, parameters: Floats) -> tuple[float, Floats]:
        """Energy in Hartree and its derivatives (excitations,), by the chain rule."""
        energy, by_angle = simulator.gradient(self.circuit(parameters))
        ends = np.cumsum([len(excitation.slopes) for excitation in self.excitations])
        parts = np.split(by_angle, ends[:-1])
        return energy, np.array([e.slopes @ part for e, part in zip(self.excitations, parts)])


def adapt(
    hamiltonian: Hamiltonian, target_ha: float, max_excitations: int = 30
) -> tuple[Circuit, float, str]:
    """Append the excitation with the steepest energy and minimise all, until it is low enough.

    Args:
        hamiltonian: in the Jordan-Wigner mapping, spin orbitals in block order.
        target_ha: energy in Hartree that is low enough.
        max_excitations: where to give up.

    Returns:
        The circuit, its energy in Hartree, and how it counts with Hadamards.

    Raises:
        UnavailableError: in another mapping these operations are no excitations.
    """
    simulator, candidates = Simulator(hamiltonian), pool(hamiltonian)
    ansatz = Ansatz(Circuit.prepared(start_bits(hamiltonian, "hartree-fock")))
    parameters, energy = np.zeros(0), simulator.energy(ansatz.start)
    while energy >= target_ha and len(parameters) < max_excitations:
        tried = [ansatz._replace(excitations=(*ansatz.excitations, e)) for e in candidates]
        parameters = np.append(parameters, 0.0)
        slopes = [abs(one.gradient(simulator, parameters)[1][-1]) for one in tried]
        if max(slopes) < _SMALL_HA:
            parameters = parameters[:-1]
            break
        ansatz = tried[int(np.argmax(slopes))]
        parameters, energy = _minimised(ansatz, simulator, parameters)
    circuit = ansatz.circuit(parameters)
    return circuit, energy, _note(ansatz, circuit)


def pool(hamiltonian: Hamiltonian) -> list[Excitation]:
    """All single and double excitations that keep the spin, as in PennyLane's ADAPT.

    Raises:
        UnavailableError: the operator is not, or not known to be, in the Jordan-Wigner mapping.
    """
    from pennylane import DoubleExcitation, SingleExcitation, qchem

    facts, n = hamiltonian.facts, hamiltonian.n_qubits
    if facts.get("mapping") != "jw" or facts.get("tapered") or "active_electrons" not in facts:
        mapping = facts.get("mapping", "unknown")
        raise UnavailableError(
            f"needs jw: excitations are two- and four-qubit gates there only; mapping is {mapping}",
            hint="--mapping jw",
        )
    singles, doubles = qchem.excitations(facts["active_electrons"], n)
    return [_excitation(SingleExcitation, wires, n) for wires in singles] + [
        _excitation(DoubleExcitation, wires, n) for wires in doubles
    ]


def _excitation(operation: Any, orbitals: Sequence[int], n_qubits: int) -> Excitation:
    """PennyLane alternates the spins of orbitals; here all alpha come before all beta."""
    wires = [orbital // 2 + orbital % 2 * n_qubits // 2 for orbital in orbitals]
    at_zero, at_one = (_decomposed(operation(value, wires=wires)) for value in (0.0, 1.0))
    zero, one = (Circuit(n_qubits, tuple(gates)) for gates in (at_zero, at_one))
    return Excitation(zero.gates, one.angles - zero.angles)


def _decomposed(operation: Any) -> list[Gate]:
    import pennylane as qml

    tape = qml.tape.QuantumScript([operation])
    (plain,), _ = qml.transforms.decompose(tape, gate_set=_BASIS)
    return [gate for one in plain.operations for gate in _gates(one)]


def _gates(operation: Any) -> list[Gate]:
    wires = tuple(int(wire) for wire in operation.wires)
    if operation.name == "Hadamard":  # exactly X RY(pi/2)
        return [Gate("RY", wires, math.pi / 2), Gate("X", wires)]
    angle = float(operation.parameters[0]) if operation.parameters else None
    return [Gate(operation.name, wires, angle)]


def _minimised(ansatz: Ansatz, simulator: Simulator, parameters: Floats) -> tuple[Floats, float]:
    from scipy.optimize import minimize

    found = minimize(
        lambda values: ansatz.gradient(simulator, values), parameters, jac=True, method="BFGS",
        options={"gtol": 1e-7},
    )  # fmt: skip
    return np.asarray(found.x), float(found.fun)


def _note(ansatz: Ansatz, circuit: Circuit) -> str:
    """Without a Hadamard in our set, its X is the second of two gates; there is no other X."""
    n_start = len(ansatz.start.gates)
    others = [gate for gate in circuit.gates[n_start:] if gate.name != "X"]
    cost = Circuit(circuit.n_qubits, (*ansatz.start.gates, *others)).cost
    count = f"depth {cost.depth} and {cost.gates} gates where a Hadamard is one gate, not two"
    return f"{len(ansatz.excitations)} excitations; {count}"
