"""Shorter circuits from found ones: gates removed, angles minimised again. Always disclosed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from typing import NamedTuple

import numpy as np

from toolkit.vqe.circuits import ROTATIONS, Circuit, Gate
from toolkit.vqe.minimise import lowest, random_starts
from toolkit.vqe.operators.hamiltonian import Hamiltonian
from toolkit.vqe.simulator import Floats, Simulator

RESTARTS = 4
_SPREAD = 0.5  # radian; of starts that look around the angles at hand


class Processed(NamedTuple):
    """A circuit after post-processing, and what that changed; energies in Hartree."""

    circuit: Circuit
    energy_ha: float
    removed: int
    energy_before_ha: float


def polish(
    circuit: Circuit, hamiltonian: Hamiltonian, seed: int = 0, restarts: int = RESTARTS
) -> Processed:
    """The same gates with the best angles that BFGS finds from theirs and ``restarts`` others.

    Half of the others are near the circuit's own angles, half anywhere.
    """
    simulator = Simulator(hamiltonian)
    before = simulator.energy(circuit)
    found, energy_ha = lowest(simulator, circuit, _starts(circuit, seed, restarts))
    if energy_ha >= before:
        found, energy_ha = circuit, before
    return Processed(found, energy_ha, 0, before)


def shorten(
    circuit: Circuit,
    hamiltonian: Hamiltonian,
    target_ha: float,
    seed: int = 0,
    restarts: int = RESTARTS,
) -> Processed:
    """Remove gates as long as the energy can be kept below ``target_ha``.

    Each round tries to remove every gate and every two equal CNOTs, and to merge rotations that
    follow each other about the same axis; what leaves the smallest depth, then the fewest CNOTs,
    then gates, is tried first, and the first one with low enough an energy is kept.

    Args:
        circuit: where to begin.
        hamiltonian: whose energy counts.
        target_ha: energy in Hartree to stay below; whoever calls knows, or does not, what is exact.
        seed: of the random starts of angles.
        restarts: starts of angles beside those at hand, for each try.

    Returns:
        The circuit with its angles minimised; nothing is removed from one that is not below
        ``target_ha`` at first.
    """
    simulator, n_gates = Simulator(hamiltonian), len(circuit.gates)
    before = simulator.energy(circuit)
    current, energy_ha, _, _ = polish(circuit, hamiltonian, seed, restarts)
    while (
        energy_ha < target_ha
        and (shorter := _shorter(current, simulator, target_ha, seed, restarts)) is not None
    ):
        current, energy_ha = shorter
    return Processed(current, energy_ha, n_gates - len(current.gates), before)


def _shorter(
    circuit: Circuit, simulator: Simulator, target_ha: float, seed: int, restarts: int
) -> tuple[Circuit, float] | None:
    def price(candidate: Circuit) -> tuple[int, int, int]:
        return candidate.cost.depth, candidate.cost.cnot, candidate.cost.gates

    for candidate in sorted(_candidates(circuit), key=price):
        starts = _starts(candidate, seed, restarts)
        found, energy_ha = lowest(simulator, candidate, starts, target_ha)
        if energy_ha < target_ha:
            return found, energy_ha
    return None


def _candidates(circuit: Circuit) -> Iterator[Circuit]:
    gates = circuit.gates
    for k in range(len(gates)):
        yield _without(circuit, k)
    for k, other in combinations(range(len(gates)), 2):
        if gates[k].name == "CNOT" and gates[k] == gates[other]:
            yield _without(circuit, k, other)
        elif _follows(gates, k, other):
            angle = (gates[k].angle or 0.0) + (gates[other].angle or 0.0)
            merged = (*gates[:k], gates[k]._replace(angle=angle), *gates[k + 1 :])
            yield _without(replace(circuit, gates=merged), other)


def _follows(gates: tuple[Gate, ...], k: int, other: int) -> bool:
    """Whether gate ``other`` is a rotation as gate ``k``, with no gate on its wire between."""
    same = gates[k].name in ROTATIONS and gates[k][:2] == gates[other][:2]
    return same and not any(gates[k].wires[0] in gate.wires for gate in gates[k + 1 : other])


def _without(circuit: Circuit, *left_out: int) -> Circuit:
    kept = tuple(gate for k, gate in enumerate(circuit.gates) if k not in left_out)
    return replace(circuit, gates=kept)


def _starts(circuit: Circuit, seed: int, restarts: int) -> Iterator[Floats]:
    yield circuit.angles
    if len(circuit.angles) == 0:
        return
    rng = np.random.default_rng(seed)
    near = (restarts + 1) // 2
    for _ in range(near):
        yield circuit.angles + rng.normal(scale=_SPREAD, size=len(circuit.angles))
    yield from random_starts(len(circuit.angles), restarts - near, seed)
