"""All angles of a whole circuit, from its own angles and from random ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from toolkit.vqe.angles import GRADIENT_TOLERANCE, bfgs
from toolkit.vqe.circuits import Circuit
from toolkit.vqe.simulator import Floats, Simulator

_MAX_ITERATIONS = 2000


def minimised(simulator: Simulator, circuit: Circuit) -> tuple[Circuit, float]:
    """``circuit`` at the minimum that BFGS reaches from its angles, and the energy in Hartree."""
    circuit, angles = simulator.fits(circuit), circuit.angles.copy()
    energy, _ = bfgs(
        circuit.encoded, angles, simulator.n_qubits, simulator.operator,
        np.eye(len(angles)), GRADIENT_TOLERANCE, _MAX_ITERATIONS,
    )  # fmt: skip
    return circuit.with_angles(angles), float(energy)


def lowest(
    simulator: Simulator, circuit: Circuit, starts: Iterable[Floats], enough_ha: float = -np.inf
) -> tuple[Circuit, float]:
    """The lowest minimum from several ``starts`` of angles (rotations,), in radians.

    No start after one that reaches an energy below ``enough_ha`` is tried.
    """
    best, best_energy = circuit, np.inf
    for angles in starts:
        found, energy = minimised(simulator, circuit.with_angles(angles))
        if energy < best_energy:
            best, best_energy = found, energy
        if best_energy < enough_ha:
            break
    return best, best_energy


def random_starts(n_angles: int, count: int, seed: int) -> Iterator[Floats]:
    """``count`` uniformly random points (n_angles,) in [-pi, pi), the same ones for a seed."""
    rng = np.random.default_rng(seed)
    return (rng.uniform(-np.pi, np.pi, n_angles) for _ in range(count))
