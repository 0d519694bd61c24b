"""The hot kernel: energy and exact gradient of a circuit as state vectors, compiled by numba.

A state is (planes, 2**n) float64: one plane while all amplitudes are real (X, RY, CNOT), a second
for imaginary parts once RX or RZ appear. Qubit 0 is the most significant bit. The gradient is the
adjoint method (Jones and Gacon 2020, arXiv 2009.02823): one pass forward, one back.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from toolkit.core.errors import DataError
from toolkit.vqe.circuits import CODES, Circuit
from toolkit.vqe.hamiltonian import Hamiltonian

Floats = NDArray[np.float64]
Gates = NDArray[np.int64]  # (gates, 3): code, wire, second wire, as in Circuit.encoded
Operator = tuple[NDArray[np.int64], Floats]  # as Hamiltonian.diagonals

_X, _RX, _RY, _RZ, _CNOT = (CODES[name] for name in ("X", "RX", "RY", "RZ", "CNOT"))

compiled = numba.njit(cache=True, fastmath={"contract", "reassoc", "nsz", "arcp"}, nogil=True)


@compiled
def planes_of(gates: Gates) -> int:
    """1 if the circuit keeps amplitudes real, else 2."""
    for k in range(len(gates)):
        if gates[k, 0] == _RX or gates[k, 0] == _RZ:
            return 2
    return 1


@compiled
def turn(state: Floats, code: int, step: int, cos: float, sin: float) -> None:
    """Apply exp(-i angle P / 2) in place; ``step`` is the wire's bit, cos and sin of angle / 2."""
    planes, size = state.shape
    if code == _RY:
        for p in range(planes):
            for block in range(0, size, 2 * step):
                for i in range(block, block + step):
                    zero, one = state[p, i], state[p, i + step]
                    state[p, i] = cos * zero - sin * one
                    state[p, i + step] = sin * zero + cos * one
    elif code == _RX:
        for block in range(0, size, 2 * step):
            for i in range(block, block + step):
                j = i + step
                zero, zero_im, one, one_im = state[0, i], state[1, i], state[0, j], state[1, j]
                state[0, i] = cos * zero + sin * one_im
                state[1, i] = cos * zero_im - sin * one
                state[0, j] = cos * one + sin * zero_im
                state[1, j] = cos * one_im - sin * zero
    else:
        for block in range(0, size, 2 * step):
            for i in range(block, block + step):
                j = i + step
                zero, zero_im, one, one_im = state[0, i], state[1, i], state[0, j], state[1, j]
                state[0, i] = cos * zero + sin * zero_im
                state[1, i] = cos * zero_im - sin * zero
                state[0, j] = cos * one - sin * one_im
                state[1, j] = cos * one_im + sin * one


@compiled
def flip(state: Floats, code: int, n_qubits: int, wire: int, target: int) -> None:
    """Apply X on ``wire``, or CNOT from ``wire`` to ``target``, in place."""
    planes, size = state.shape
    if code == _X:
        step = 1 << (n_qubits - 1 - wire)
        for p in range(planes):
            for block in range(0, size, 2 * step):
                for i in range(block, block + step):
                    state[p, i], state[p, i + step] = state[p, i + step], state[p, i]
        return
    control, step = 1 << (n_qubits - 1 - wire), 1 << (n_qubits - 1 - target)
    high, low = max(control, step), min(control, step)
    for p in range(planes):
        for outer in range(control & high, size, 2 * high):
            for middle in range(outer + (control & low), outer + high, 2 * low):
                for i in range(middle, middle + low):
                    state[p, i], state[p, i + step] = state[p, i + step], state[p, i]


@compiled
def run(state: Floats, gates: Gates, halves: Floats, n_qubits: int) -> None:
    """Apply ``gates`` to |0…0>, in place; ``halves`` (2, rotations) are cos and sin of angle/2."""
    state[:] = 0.0
    state[0, 0] = 1.0
    r = 0
    for k in range(len(gates)):
        code, wire = gates[k, 0], gates[k, 1]
        if code in (_X, _CNOT):
            flip(state, code, n_qubits, wire, gates[k, 2])
        else:
            turn(state, code, 1 << (n_qubits - 1 - wire), halves[0, r], halves[1, r])
            r += 1


@compiled
def apply(masks: NDArray[np.int64], diagonals: Floats, state: Floats, out: Floats) -> float:
    """``out = H state``; returns the energy <state|H|state>."""
    planes, size = state.shape
    out[:] = 0.0
    for m in range(len(masks)):
        mask = masks[m]
        for p in range(planes):
            for i in range(size):
                out[p, i] += diagonals[m, i] * state[p, i ^ mask]
    energy = 0.0
    for p in range(planes):
        for i in range(size):
            energy += out[p, i] * state[p, i]
    return energy


@compiled
def halved(angles: Floats, out: Floats) -> None:
    """Fill ``out`` (2, rotations) with cosines and sines of ``angles / 2``."""
    for r in range(len(angles)):
        out[0, r] = np.cos(0.5 * angles[r])
        out[1, r] = np.sin(0.5 * angles[r])


@compiled
def overlap(left: Floats, state: Floats, code: int, step: int) -> float:
    """Im <left| P |state> for the rotation axis P: with left = H state, the derivative of E."""
    planes, size = state.shape
    total = 0.0
    if code == _RY:
        for p in range(planes):
            for block in range(0, size, 2 * step):
                for i in range(block, block + step):
                    total += left[p, i + step] * state[p, i] - left[p, i] * state[p, i + step]
    elif code == _RX:
        for block in range(0, size, 2 * step):
            for i in range(block, block + step):
                j = i + step
                total += left[0, i] * state[1, j] - left[1, i] * state[0, j]
                total += left[0, j] * state[1, i] - left[1, j] * state[0, i]
    else:
        for block in range(0, size, 2 * step):
            for i in range(block, block + step):
                j = i + step
                total += left[0, i] * state[1, i] - left[1, i] * state[0, i]
                total -= left[0, j] * state[1, j] - left[1, j] * state[0, j]
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
        step = 1 << (n_qubits - 1 - wire)
        gradient[r] = overlap(left, state, code, step)
        if r > 0:
            turn(state, code, step, halves[0, r], -halves[1, r])
            turn(left, code, step, halves[0, r], -halves[1, r])
    return energy


@compiled
def energy_of(gates: Gates, angles: Floats, n_qubits: int, operator: Operator) -> float:
    """Energy of a circuit in the operator's unit."""
    state = np.empty((planes_of(gates), 1 << n_qubits))
    halves = np.empty((2, len(angles)))
    halved(angles, halves)
    run(state, gates, halves, n_qubits)
    return apply(operator[0], operator[1], state, np.empty_like(state))


@compiled
def gradient_of(
    gates: Gates, angles: Floats, n_qubits: int, operator: Operator
) -> tuple[float, Floats]:
    """Energy of a circuit, and its derivatives by each angle."""
    state = np.empty((planes_of(gates), 1 << n_qubits))
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
        planes = np.zeros((planes_of(circuit.encoded), 2**self.n_qubits))
        halves = np.stack([np.cos(circuit.angles / 2), np.sin(circuit.angles / 2)])
        run(planes, circuit.encoded, halves, self.n_qubits)
        imaginary = planes[1] if len(planes) == 2 else np.zeros(len(planes[0]))
        amplitudes: NDArray[np.complex128] = planes[0] + 1j * imaginary
        return amplitudes
