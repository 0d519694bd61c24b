"""Cheaper circuits from found ones by simulated annealing over their gates. Always disclosed.

Kirkpatrick et al. 1983, Science 220, 671 (doi 10.1126/science.220.4598.671): a circuit that costs
more is accepted with a probability that falls with the cost and with time; here only circuits
below the target energy are states at all, so that what is left is always good.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from toolkit.vqe.circuits import Circuit, Gate
from toolkit.vqe.minimise import lowest
from toolkit.vqe.operators.hamiltonian import Hamiltonian
from toolkit.vqe.postprocessing import Processed, shorten
from toolkit.vqe.simulator import Simulator

_WEIGHTS = (1.0, 0.2, 0.1)  # of a layer, a CNOT, a gate: the order in which circuits are ranked
_HOT, _COLD = 0.6, 0.02  # temperatures at the first and the last move, in layers
_CHANGES = 3  # gates that one move changes, at most
_TELL_S = 15.0  # between words of a long one
_RESTARTS = 2  # of the final removal of gates
_log = logging.getLogger(__name__)

Gates = tuple[Gate, ...]
Change = Callable[[list[Gate], Sequence[Gate], np.random.Generator], None]


def anneal(
    circuit: Circuit,
    hamiltonian: Hamiltonian,
    target_ha: float,
    gates: Sequence[Gate],
    generator: np.random.Generator,
    moves: int,
) -> Processed:
    """Change gates at random, ever more reluctant to pay for it, and remove what is left over.

    Args:
        circuit: where to begin; below ``target_ha``, or it comes back as it is.
        hamiltonian: whose energy counts.
        target_ha: energy in Hartree that every circuit on the way stays below.
        gates: what may be inserted: those that the device has.
        generator: of the moves and of the angles' random starts.
        moves: how many are tried.

    Returns:
        The cheapest circuit on the way, with its angles minimised and no gate left that
        ``shorten`` can remove.
    """
    simulator = Simulator(hamiltonian)
    before, told = simulator.energy(circuit), time.monotonic()
    current, best = circuit, circuit
    for i in range(moves if before < target_ha else 0):
        if time.monotonic() - told > _TELL_S:
            _log.info("annealing: %d of %d moves, depth %d", i, moves, best.cost.depth)
            told = time.monotonic()
        changed = replace(current, gates=_changed(current.gates, gates, generator))
        temperature = _HOT + (_COLD - _HOT) * i / moves
        # the draw before the energy: most moves cost too much, and need not be minimised then
        if _price(changed) > _price(current) - temperature * np.log(generator.random()):
            continue
        starts = [changed.angles, generator.uniform(-np.pi, np.pi, len(changed.angles))]
        found, energy_ha = lowest(simulator, changed, starts, target_ha)
        if energy_ha < target_ha:
            current = found
            best = min(best, found, key=_price)
    seed = int(generator.integers(2**32))
    last = shorten(best, hamiltonian, target_ha, seed, _RESTARTS)
    removed = len(circuit.gates) - len(last.circuit.gates)
    return Processed(last.circuit, last.energy_ha, removed, before)


def grown(circuit: Circuit, gates: Sequence[Gate]) -> Circuit:
    """``circuit`` and gates of those offered that do nothing yet: room to anneal in.

    A short circuit is often a dead end, all of whose neighbours miss the target; what follows it
    here, rotations by 0 around a chain of CNOTs there and back, opens ways out.
    """
    turns = [gate for gate in gates if len(gate.wires) == 1]
    pairs = [gate for gate in gates if len(gate.wires) == 2]
    chain = [gate for gate in pairs if gate.wires[1] == gate.wires[0] + 1] or pairs
    added = (*turns, *chain, *turns, *reversed(chain), *turns)
    return replace(circuit, gates=(*circuit.gates, *added))


def _price(circuit: Circuit) -> float:
    cost = circuit.cost
    return float(np.dot(_WEIGHTS, (cost.depth, cost.cnot, cost.gates)))


def _changed(gates: Gates, offered: Sequence[Gate], generator: np.random.Generator) -> Gates:
    changed = list(gates)
    for _ in range(generator.integers(1, _CHANGES + 1)):
        _CHANGE[generator.choice(len(_CHANGE), p=_SHARE)](changed, offered, generator)
    return tuple(changed)


def _remove(gates: list[Gate], _offered: Sequence[Gate], generator: np.random.Generator) -> None:
    if gates:
        gates.pop(generator.integers(len(gates)))


def _insert(gates: list[Gate], offered: Sequence[Gate], generator: np.random.Generator) -> None:
    gates.insert(int(generator.integers(len(gates) + 1)), _drawn(offered, generator))


def _exchange(gates: list[Gate], offered: Sequence[Gate], generator: np.random.Generator) -> None:
    if gates:
        gates[generator.integers(len(gates))] = _drawn(offered, generator)


def _move(gates: list[Gate], _offered: Sequence[Gate], generator: np.random.Generator) -> None:
    if gates:
        gate = gates.pop(generator.integers(len(gates)))
        gates.insert(int(generator.integers(len(gates) + 1)), gate)


_CHANGE: tuple[Change, ...] = (_remove, _insert, _exchange, _move)
_SHARE = (0.35, 0.25, 0.2, 0.2)


def _drawn(offered: Sequence[Gate], generator: np.random.Generator) -> Gate:
    # half rotations, half CNOTs: of the gates offered most are CNOTs
    one = [gate for gate in offered if len(gate.wires) == 1]
    two = [gate for gate in offered if len(gate.wires) == 2]
    kind = (one or two) if generator.random() < 0.5 else (two or one)
    return kind[generator.integers(len(kind))]
