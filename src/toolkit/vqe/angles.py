"""Angles of a circuit: closed form for one rotation, BFGS, COBYLA and Rotosolve for all."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from toolkit.vqe.circuits import CODES, Circuit
from toolkit.vqe.config import AnglesConfig
from toolkit.vqe.kernels import compiled
from toolkit.vqe.simulator import (
    Floats,
    Gates,
    Operator,
    Simulator,
    descend,
    energy_of,
    gradient_of,
    halved,
    planes_of,
)

GRADIENT_TOLERANCE = 1e-6  # Hartree per radian; the energy is then right to about 1e-12
_CNOT = CODES["CNOT"]
_ARMIJO = 1e-4
_LONGEST_STEP = 1.0  # radian; quadratic models of periodic functions do not reach further


@compiled
def bfgs(
    gates: Gates,
    angles: Floats,
    n_qubits: int,
    operator: Operator,
    inverse: Floats,
    tolerance: float,
    max_iterations: int,
) -> tuple[float, int]:
    """Minimise over ``angles`` in place (Nocedal and Wright 2006, algorithm 6.1).

    ``inverse`` (rotations, rotations) is the inverse Hessian to begin with; it is left as found at
    the minimum, so that a circuit with one more gate starts from it. Returns the energy and the
    number of gradients.
    """
    n = len(angles)
    state = np.empty(planes_of(gates) << n_qubits)
    left, halves = np.empty_like(state), np.empty((2, n))
    gradient, other, trial = np.zeros(n), np.zeros(n), np.empty(n)
    halved(angles, halves)
    energy = descend(gates, halves, n_qubits, operator, state, left, gradient)
    calls = 1
    for _ in range(max_iterations):
        if n == 0 or np.max(np.abs(gradient)) < tolerance:
            break
        direction = _direction(inverse, gradient)
        slope = np.sum(direction * gradient)
        step = 1.0
        while True:
            trial[:] = angles + step * direction
            halved(trial, halves)
            found = descend(gates, halves, n_qubits, operator, state, left, other)
            calls += 1
            if found <= energy + _ARMIJO * step * slope or step < 1e-9:
                break
            bend = 2.0 * (found - energy - step * slope)
            step *= min(0.5, max(0.1, -slope * step / bend if bend > 0 else 0.5))
        if found >= energy:  # at the limit of arithmetic
            break
        _update(inverse, step * direction, other - gradient)
        angles[:] = trial
        gradient[:] = other
        energy = found
    return energy, calls


@compiled
def _product(matrix: Floats, vector: Floats) -> Floats:
    # an array for each row, as NumPy's sums would make, costs more than the sum
    product = np.zeros_like(vector)
    for i in range(len(matrix)):
        for j in range(len(vector)):
            product[i] += matrix[i, j] * vector[j]
    return product


@compiled
def _direction(inverse: Floats, gradient: Floats) -> Floats:
    direction = -_product(inverse, gradient)
    if np.sum(direction * gradient) >= 0.0:  # not downhill: forget the curvature
        inverse[:] = np.eye(len(gradient))
        direction[:] = -gradient
    longest = np.max(np.abs(direction))
    if longest > _LONGEST_STEP:
        direction *= _LONGEST_STEP / longest
    return direction


@compiled
def _update(inverse: Floats, moved: Floats, change: Floats) -> None:
    """The BFGS formula (Nocedal and Wright, eq. 6.17).

    Where the curvature is not positive, as near a saddle, longer steps are tried instead.
    """
    curvature = np.sum(moved * change)
    if curvature <= 1e-9 * np.sqrt(np.sum(moved * moved) * np.sum(change * change)):
        inverse *= 4.0
        return
    product = _product(inverse, change) / curvature
    other = moved * (1.0 + np.sum(change * product)) / curvature - product
    for i in range(len(moved)):
        for j in range(len(moved)):
            inverse[i, j] += moved[i] * other[j] - product[i] * moved[j]


@compiled
def closed_form(
    gates: Gates, angles: Floats, n_qubits: int, operator: Operator, r: int
) -> tuple[float, float]:
    """Set ``angles[r]`` to its best value, the others fixed; returns the energy and curvature.

    E(angle) = a + b cos + c sin (Ostaszewski et al. 2021, Quantum 5, 391), so three energies tell;
    the curvature at the minimum is sqrt(b² + c²).
    """
    angles[r] = 0.0
    at_zero = energy_of(gates, angles, n_qubits, operator)
    angles[r] = 0.5 * np.pi
    right = energy_of(gates, angles, n_qubits, operator)
    angles[r] = -0.5 * np.pi
    left = energy_of(gates, angles, n_qubits, operator)
    middle, c = 0.5 * (right + left), 0.5 * (right - left)
    b = at_zero - middle
    amplitude = np.sqrt(b * b + c * c)
    gains = at_zero - (middle - amplitude) > 1e-14
    angles[r] = np.arctan2(-c, -b) if gains else 0.0
    return (middle - amplitude if gains else at_zero), amplitude


@compiled
def extend(
    gates: Gates,
    angles: Floats,
    n_qubits: int,
    operator: Operator,
    inverse: Floats,
    tolerance: float,
    max_iterations: int,
) -> float:
    """Minimise over ``angles`` in place once the last of ``gates`` was appended.

    ``inverse`` is what ``bfgs`` left before; its last row and column are new if the gate is a
    rotation, whose angle begins at its closed form. Returns the energy.
    """
    r = len(angles) - 1
    if len(gates) and gates[-1, 0] != _CNOT:
        _, curvature = closed_form(gates, angles, n_qubits, operator, r)
        inverse[r, :] = 0.0
        inverse[:, r] = 0.0
        inverse[r, r] = 1.0 / max(curvature, 1e-2)
    energy, _ = bfgs(gates, angles, n_qubits, operator, inverse, tolerance, max_iterations)
    return energy


@compiled
def extensions(
    gates: Gates,
    rows: Gates,
    allowed: NDArray[np.bool_],
    angles: Floats,
    n_qubits: int,
    operator: Operator,
    inverse: Floats,
    tolerance: float,
    max_iterations: int,
) -> Floats:
    """Energies (actions,) of the circuit with each of ``rows`` appended, NaN where not allowed.

    ``gates`` and ``angles`` have room for one more than there are, ``inverse`` too; all of them are
    left as they are but for what lies there.
    """
    n = len(angles) - 1
    energies = np.full(len(rows), np.nan)
    for a in range(len(rows)):
        if not allowed[a]:
            continue
        gates[-1] = rows[a]
        count = n if rows[a, 0] == _CNOT else n + 1
        moved, curvature = angles[:count].copy(), inverse[:count, :count].copy()
        energies[a] = extend(gates, moved, n_qubits, operator, curvature, tolerance, max_iterations)
    return energies


@compiled
def rotosolve(
    gates: Gates, angles: Floats, n_qubits: int, operator: Operator, first: int, sweeps: int
) -> float:
    """Set the angles from ``first`` on to their closed forms in turn, ``sweeps`` times."""
    energy = energy_of(gates, angles, n_qubits, operator)
    for _ in range(sweeps):
        before = energy
        for r in range(first, len(angles)):
            energy, _curvature = closed_form(gates, angles, n_qubits, operator, r)
        if before - energy < 1e-10:
            break
    return energy


class Angles:
    """The angles of a circuit that grows gate by gate.

    Args:
        simulator: whose energy is minimised.
        start: gates without angles that come first.
        room: gates that may be appended.
        config: method, tolerance, iterations, how many of the last angles move.
    """

    def __init__(
        self, simulator: Simulator, start: Circuit, room: int, config: AnglesConfig
    ) -> None:
        self.simulator, self.config, self._prepared = simulator, config, len(start.gates)
        self._gates = np.zeros((self._prepared + room + 1, 3), np.int64)
        self._gates[: self._prepared] = start.encoded
        self._angles, self._inverse = np.zeros(room + 1), np.zeros((room + 1, room + 1))
        self.reset()

    def reset(self) -> None:
        """Back to the prepared state."""
        self._n_gates, self._n_angles = self._prepared, 0

    @property
    def values(self) -> Floats:
        """Angles of the rotations so far, in radians."""
        return self._angles[: self._n_angles]

    def ahead(self, rows: Gates, allowed: NDArray[np.bool_]) -> Floats:
        """Energies (actions,) after each of ``rows``, NaN where not ``allowed`` (actions,).

        Always by BFGS over all angles; nothing is appended.
        """
        gates, n = self._gates[: self._n_gates + 1], self._n_angles + 1
        energies: Floats = extensions(
            gates, rows, allowed, self._angles[:n], self.simulator.n_qubits,
            self.simulator.operator, self._inverse[:n, :n],
            self.config.tolerance, self.config.iterations,
        )  # fmt: skip
        return energies

    def after(self, row: Gates) -> Floats:
        """Angles, in radians, once ``row`` (3,) were appended; it is not."""
        kept = self._n_gates, self._n_angles, self._angles.copy(), self._inverse.copy()
        self.append(row)
        found = self.values.copy()
        self._n_gates, self._n_angles, self._angles, self._inverse = kept
        return found

    def append(self, row: Gates) -> float:
        """Append the gate ``row`` (3,), minimise, return the energy."""
        self._gates[self._n_gates] = row
        self._n_gates += 1
        self._n_angles += int(row[0] != _CNOT)
        gates, angles = self._gates[: self._n_gates], self.values
        n, operator, config = self.simulator.n_qubits, self.simulator.operator, self.config
        if config.method == "bfgs" and config.last is None:
            inverse = self._inverse[: len(angles), : len(angles)]
            return float(
                extend(gates, angles, n, operator, inverse, config.tolerance, config.iterations)
            )
        if row[0] != _CNOT:
            closed_form(gates, angles, n, operator, len(angles) - 1)
        first = max(0, len(angles) - (config.last or len(angles)))
        if config.method == "rotosolve":
            return float(rotosolve(gates, angles, n, operator, first, config.iterations))
        return self._by_scipy(gates, angles, first)

    def _by_scipy(self, gates: Gates, angles: Floats, first: int) -> float:
        """COBYLA, or BFGS over the last angles alone."""
        n, operator, config = self.simulator.n_qubits, self.simulator.operator, self.config

        def energy(moving: Floats) -> float:
            angles[first:] = moving
            return float(energy_of(gates, angles, n, operator))

        def slopes(moving: Floats) -> Floats:
            angles[first:] = moving
            return np.asarray(gradient_of(gates, angles, n, operator)[1])[first:]

        begin = angles[first:].copy()
        if len(begin) == 0:
            return energy(begin)
        if config.method == "cobyla":
            found = minimize(energy, begin, method="COBYLA", options={"maxiter": config.iterations})
        else:
            options = {"maxiter": config.iterations, "gtol": config.tolerance}
            found = minimize(energy, begin, jac=slopes, method="BFGS", options=options)
        return energy(found.x)
