"""The hot kernel: energy and exact gradient of a circuit as state vectors, compiled by numba.

A state is float64: 2**n real parts and, once RX or RZ appear (X, RY and CNOT keep amplitudes real),
2**n imaginary parts after them. Qubit 0 is the most significant bit. The gradient is the adjoint
method (Jones and Gacon 2020, arXiv 2009.02823): one pass forward, one back.

A gate is one loop over its pairs of amplitudes, whose indices are made from bits: on few qubits
the nested loops over blocks that need none cost more.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.core.errors import DataError
from toolkit.vqe.circuits import CODES, Circuit
from toolkit.vqe.kernels import compiled
from toolkit.vqe.operators.hamiltonian import Hamiltonian

Floats = NDArray[np.float64]
Gates = NDArray[np.int64]  # (gates, 3): code, wire, second wire, as in Circuit.encoded
Operator = tuple[NDArray[np.int64], Floats]  # as Hamiltonian.diagonals
Index = np.uint64  # unsigned: nothing is spent on Python's negative indices

_ZERO, _ONE, _TWO = np.uint64(0), np.uint64(1), np.uint64(2)
_X, _RX, _RY, _RZ, _CNOT = (CODES[name] for name in ("X", "RX", "RY", "RZ", "CNOT"))


@compiled
def planes_of(gates: Gates) -> int:
    """1 if the circuit keeps amplitudes real, else 2: real parts, then imaginary ones."""
    for k in range(len(gates)):
        if gates[k, 0] == _RX or gates[k, 0] == _RZ:
            return 2
    return 1


@compiled
def bit(n_qubits: int, wire: int) -> Index:
    """The bit of ``wire`` in the index of an amplitude."""
    return np.uint64(1 << (n_qubits - 1 - wire))


@compiled
def without(one: Index, k: int | Index) -> Index:
    """The ``k``-th of the indices that do not have the bit ``one``."""
    return np.uint64(k) + (np.uint64(k) & ~(one - _ONE))


@compiled
def turn(state: Floats, code: int, step: Index, cos: float, sin: float) -> None:
    """Apply exp(-i angle P / 2) in place; ``step`` is the wire's bit, cos and sin of angle / 2."""
    half = np.uint64(len(state)) >> _ONE  # RX and RZ: where the imaginary parts begin
    if code == _RY:
        for k in range(half):
            i = without(step, k)
            j = i | step
            zero, one = state[i], state[j]
            state[i] = cos * zero - sin * one
            state[j] = sin * zero + cos * one
    elif code == _RX:
        for k in range(half >> _ONE):
            i = without(step, k)
            j = i | step
            i_im, j_im = i + half, j + half
            zero, zero_im, one, one_im = state[i], state[i_im], state[j], state[j_im]
            state[i] = cos * zero + sin * one_im
            state[i_im] = cos * zero_im - sin * one
            state[j] = cos * one + sin * zero_im
            state[j_im] = cos * one_im - sin * zero
    else:
        for k in range(half >> _ONE):
            i = without(step, k)
            j = i | step
            i_im, j_im = i + half, j + half
            zero, zero_im, one, one_im = state[i], state[i_im], state[j], state[j_im]
            state[i] = cos * zero + sin * zero_im
            state[i_im] = cos * zero_im - sin * zero
            state[j] = cos * one - sin * one_im
            state[j_im] = cos * one_im + sin * one


@compiled
def flip(state: Floats, code: int, n_qubits: int, wire: int, target: int) -> None:
    """Apply X on ``wire``, or CNOT from ``wire`` to ``target``, in place."""
    size = np.uint64(len(state))
    if code == _X:
        step = bit(n_qubits, wire)
        for k in range(size >> _ONE):
            i = without(step, k)
            j = i | step
            state[i], state[j] = state[j], state[i]
        return
    control, step = bit(n_qubits, wire), bit(n_qubits, target)
    high, low = max(control, step), min(control, step)
    for k in range(size >> _TWO):
        i = without(high, without(low, k)) | control
        j = i | step
        state[i], state[j] = state[j], state[i]


@compiled
def run(state: Floats, gates: Gates, halves: Floats, n_qubits: int) -> None:
    """Apply ``gates`` to |0…0>, in place; ``halves`` (2, rotations) are cos and sin of angle/2."""
    state[:] = 0.0
    state[0] = 1.0
    r = 0
    for k in range(len(gates)):
        code, wire = gates[k, 0], gates[k, 1]
        if code in (_X, _CNOT):
            flip(state, code, n_qubits, wire, gates[k, 2])
        else:
            turn(state, code, bit(n_qubits, wire), halves[0, r], halves[1, r])
            r += 1


@compiled
def apply(masks: NDArray[np.int64], diagonals: Floats, state: Floats, out: Floats) -> float:
    """``out = H state``; returns the energy <state|H|state>."""
    size = np.uint64(diagonals.shape[1])
    out[:] = 0.0
    for start in range(_ZERO, np.uint64(len(state)), size):
        for m in range(np.uint64(len(masks))):
            mask = np.uint64(masks[m])
            for i in range(size):
                out[start + i] += diagonals[m, i] * state[start + (i ^ mask)]
    energy = 0.0
    for i in range(np.uint64(len(state))):
        energy += out[i] * state[i]
    return energy


@compiled
def expectation(masks: NDArray[np.int64], diagonals: Floats, state: Floats) -> float:
    """The energy <state|H|state> alone."""
    size = np.uint64(diagonals.shape[1])
    energy = 0.0
    for start in range(_ZERO, np.uint64(len(state)), size):
        for m in range(np.uint64(len(masks))):
            mask = np.uint64(masks[m])
            for i in range(size):
                energy += diagonals[m, i] * state[start + i] * state[start + (i ^ mask)]
    return energy


@compiled
def halved(angles: Floats, out: Floats) -> None:
    """Fill ``out`` (2, rotations) with cosines and sines of ``angles / 2``."""
    for r in range(len(angles)):
        out[0, r] = np.cos(0.5 * angles[r])
        out[1, r] = np.sin(0.5 * angles[r])


@compiled
def overlap(left: Floats, state: Floats, code: int, step: Index) -> float:
    """Im <left| P |state> for the rotation axis P: with left = H state, the derivative of E.

    Each axis returns by itself: numba then counts no references, which would double the time.
    """
    half = np.uint64(len(state)) >> _ONE
    total = 0.0
    if code == _RY:
        for k in range(half):
            i = without(step, k)
            j = i | step
            total += left[j] * state[i] - left[i] * state[j]
        return total
    if code == _RX:
        for k in range(half >> _ONE):
            i = without(step, k)
            j = i | step
            i_im, j_im = i + half, j + half
            total += left[i] * state[j_im] - left[i_im] * state[j]
            total += left[j] * state[i_im] - left[j_im] * state[i]
        return total
    for k in range(half >> _ONE):
        i = without(step, k)
        j = i | step
        i_im, j_im = i + half, j + half
        total += left[i] * state[i_im] - left[i_im] * state[i]
        total -= left[j] * state[j_im] - left[j_im] * state[j]
    return total


@compiled
def descend(
    gates: Gates,
    halves: Floats,
    n_qubits: int,
    operator: Operator,
    state: Floats,
    left: Floats,
    gradient: Floats,
) -> float:
    """Energy of the circuit; fills ``gradient`` (rotations,). ``state``, ``left``: work space."""
    run(state, gates, halves, n_qubits)
    energy = apply(operator[0], operator[1], state, left)
    r = halves.shape[1]
    for k in range(len(gates) - 1, -1, -1):
        if r == 0:
            break
        code, wire = gates[k, 0], gates[k, 1]
        if code in (_X, _CNOT):
            flip(state, code, n_qubits, wire, gates[k, 2])
            flip(left, code, n_qubits, wire, gates[k, 2])
            continue
        r -= 1
        step = bit(n_qubits, wire)
        gradient[r] = overlap(left, state, code, step)
        if r > 0:
            turn(state, code, step, halves[0, r], -halves[1, r])
            turn(left, code, step, halves[0, r], -halves[1, r])
    return energy


@compiled
def energy_of(gates: Gates, angles: Floats, n_qubits: int, operator: Operator) -> float:
    """Energy of a circuit in the operator's unit."""
    state = np.empty(planes_of(gates) << n_qubits)
    halves = np.empty((2, len(angles)))
    halved(angles, halves)
    run(state, gates, halves, n_qubits)
    return expectation(operator[0], operator[1], state)


@compiled
def gradient_of(
    gates: Gates, angles: Floats, n_qubits: int, operator: Operator
) -> tuple[float, Floats]:
    """Energy of a circuit, and its derivatives by each angle."""
    state = np.empty(planes_of(gates) << n_qubits)
    halves, gradient = np.empty((2, len(angles))), np.zeros(len(angles))
    halved(angles, halves)
    left = np.empty_like(state)
    return descend(gates, halves, n_qubits, operator, state, left, gradient), gradient


class Simulator:
    """The compiled kernel for one Hamiltonian."""

    def __init__(self, hamiltonian: Hamiltonian) -> None:
        self.n_qubits = hamiltonian.n_qubits
        self.operator: Operator = hamiltonian.diagonals

    def fits(self, circuit: Circuit) -> Circuit:
        """``circuit`` itself: compiled code would read past the end of a smaller state.

        Raises:
            DataError: it is on another number of qubits than the operator.
        """
        if circuit.n_qubits != self.n_qubits:
            what = f"a circuit on {circuit.n_qubits} qubits, an operator on {self.n_qubits}"
            hint = "name the molecule and mapping that the circuit was made for"
            raise DataError(what, hint=hint)
        return circuit

    def energy(self, circuit: Circuit) -> float:
        """Energy of ``circuit`` in Hartree."""
        circuit = self.fits(circuit)
        return float(energy_of(circuit.encoded, circuit.angles, self.n_qubits, self.operator))

    def gradient(self, circuit: Circuit) -> tuple[float, Floats]:
        """Energy in Hartree, and its derivatives by the angles in Hartree per radian."""
        circuit = self.fits(circuit)
        found: Any = gradient_of(circuit.encoded, circuit.angles, self.n_qubits, self.operator)
        return float(found[0]), found[1]

    def state(self, circuit: Circuit) -> NDArray[np.complex128]:
        """Amplitudes (2**n,) of ``circuit``."""
        circuit = self.fits(circuit)
        state = np.zeros(planes_of(circuit.encoded) << self.n_qubits)
        halves = np.stack([np.cos(circuit.angles / 2), np.sin(circuit.angles / 2)])
        run(state, circuit.encoded, halves, self.n_qubits)
        planes = state.reshape(-1, 2**self.n_qubits)
        imaginary = planes[1] if len(planes) == 2 else np.zeros_like(planes[0])
        amplitudes: NDArray[np.complex128] = planes[0] + 1j * imaginary
        return amplitudes
