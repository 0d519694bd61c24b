"""Beam search over gate sequences: the baseline that a learned search has to beat."""

from __future__ import annotations

import logging
import math
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from toolkit.vqe.actions import Actions, costs_after, couplings, legal
from toolkit.vqe.angles import extend
from toolkit.vqe.archive import Archive, Entry
from toolkit.vqe.circuits import CODES, Circuit, Name
from toolkit.vqe.kernels import compiled
from toolkit.vqe.operators.hamiltonian import Hamiltonian, start_bits
from toolkit.vqe.simulator import Floats, Gates, Operator, Simulator

_CNOT = CODES["CNOT"]
_SAME_HA = 1e-6  # closer energies, at equal cost, are one circuit written or minimised twice
_MAX_ITERATIONS = 200
_log = logging.getLogger(__name__)
Indices = NDArray[np.int64]


class Node(NamedTuple):
    """A circuit of the beam: its ``gates`` (k, 3) after the preparation, and what BFGS left."""

    chosen: Indices
    gates: Gates
    angles: Floats
    inverse: Floats


class Children(NamedTuple):
    """Circuits with one gate more, as columns; ``parent`` indexes the beam."""

    parent: Indices
    action: Indices
    energy: Floats
    depth: Indices
    cnot: Indices


@compiled
def append(
    gates: Gates, angles: Floats, inverse: Floats, row: Gates, n_qubits: int, operator: Operator,
    tolerance: float,
) -> tuple[float, Gates, Floats, Floats]:  # fmt: skip
    """A circuit with the gate ``row`` (3,) appended and its angles minimised from where they were.

    Returns the energy, and gates, angles, and inverse Hessian of the new circuit.
    """
    n, r = len(gates), len(angles)
    longer = np.empty((n + 1, 3), np.int64)
    longer[:n], longer[n] = gates, row
    more = r + (row[0] != _CNOT)
    moved, left = np.zeros(more), np.zeros((more, more))
    moved[:r], left[:r, :r] = angles, inverse
    energy = extend(longer, moved, n_qubits, operator, left, tolerance, _MAX_ITERATIONS)
    return energy, longer, moved, left


@compiled
def energies(
    gates: Gates, angles: Floats, inverse: Floats, rows: Gates, n_qubits: int, operator: Operator,
    tolerance: float,
) -> Floats:  # fmt: skip
    """Minimised energy with each gate of ``rows`` (actions, 3) appended on its own."""
    found = np.empty(len(rows))
    for a in range(len(rows)):
        found[a] = append(gates, angles, inverse, rows[a], n_qubits, operator, tolerance)[0]
    return found


@compiled
def frontier(gates: Gates, n_qubits: int) -> tuple[Indices, int]:
    """Layers done on each wire (n_qubits,), and the number of CNOTs."""
    free, cnots = np.zeros(n_qubits, np.int64), 0
    for k in range(len(gates)):
        wire, target = gates[k, 1], gates[k, 2]
        layer = free[wire] + 1
        if gates[k, 0] == _CNOT:
            layer = max(layer, free[target] + 1)
            free[target] = layer
            cnots += 1
        free[wire] = layer
    return free, cnots


class Beam:
    """Keeps the ``width`` circuits of lowest energy for each number of gates.

    Every legal gate is appended to every circuit of the beam; all angles are then minimised by
    BFGS from where they were. Nothing is drawn at random.

    Args:
        hamiltonian: whose ground state is sought.
        width: circuits kept.
        rotations: axes that may be appended.
        coupling: pairs of qubits that CNOTs may join, as ``actions.couplings`` reads it.
        start: basis state before the first gate, zero or hartree-fock.
        tolerance: of the angles: largest derivative, Ha per radian.
        copies: circuits kept that agree in energy, depth and CNOTs.
        most: circuits that may be tried, up to what is appended to one of them; ``cut`` tells
            whether there were more to try.
    """

    def __init__(
        self,
        hamiltonian: Hamiltonian,
        width: int = 500,
        rotations: Sequence[Name] = ("RY",),
        coupling: str = "all",
        start: str = "zero",
        tolerance: float = 1e-5,
        copies: int = 1,
        most: float = math.inf,
    ) -> None:
        n = hamiltonian.n_qubits
        self.simulator, self.width, self.copies = Simulator(hamiltonian), width, copies
        self.tolerance, self.most, self.cut = tolerance, most, False
        self.actions = Actions(n, rotations, couplings(coupling, n))
        self._bits = np.array(start_bits(hamiltonian, start), np.int64)
        self.start = Circuit.prepared(self._bits)
        nothing = np.zeros(0, np.int64)
        self.nodes = [Node(nothing, self.start.encoded, np.zeros(0), np.zeros((0, 0)))]
        self.archive, self.tried = Archive(), 0
        self._archive(self.nodes[0], hamiltonian.basis_energy(tuple(self._bits)))

    def search(self, target_ha: float, max_gates: int, further: int = 2) -> Archive:
        """Append gates until a circuit's energy is below ``target_ha``, then ``further`` more.

        Returns:
            The Pareto front over all circuits that were tried, of at most ``max_gates`` gates.
        """
        last = max_gates
        for n_gates in range(1, max_gates + 1):
            if n_gates > last or not self.nodes:
                break
            if self.tried >= self.most:
                self.cut = True
                break
            lowest_ha = self.step()
            _log.info("beam: %d gates, lowest energy %.6f Ha", n_gates, lowest_ha)
            if lowest_ha < target_ha:
                last = min(last, n_gates + further)
        return self.archive

    def step(self) -> float:
        """One more gate; returns the lowest energy in Hartree that it gave."""
        children = self._children()
        for best in _best_by_cost(children):
            energy, node = self._grown(children, best)
            self._archive(node, energy)
        self.nodes = [self._grown(children, child)[1] for child in self._kept(children)]
        return float(np.min(children.energy, initial=np.inf))

    def _children(self) -> Children:
        columns: list[Children] = []
        for parent, node in enumerate(self.nodes):  # the lowest energy first
            if columns and self.tried >= self.most:
                self.cut = True
                break
            columns.append(self._children_of(parent, node))
            self.tried += len(columns[-1].energy)
        return Children(*(np.concatenate(parts) for parts in zip(*columns)))

    def _children_of(self, parent: int, node: Node) -> Children:
        rows, n = self.actions.rows, self.simulator.n_qubits
        actions = np.flatnonzero(legal(rows, node.chosen, self._bits, True))
        chosen = rows[actions]
        energy = energies(*node[1:], chosen, n, self.simulator.operator, self.tolerance)
        free, cnots = frontier(node.gates, n)
        depth, _, cnot = costs_after(chosen, free, len(node.gates), cnots).T
        return Children(np.full(len(actions), parent), actions, energy, depth, cnot)

    def _kept(self, children: Children) -> list[int]:
        """The lowest energies, of equal circuits only a few: they would crowd out all others."""
        # rounded, since the last digits are those of the minimisation and of this machine
        levels = np.round(children.energy / _SAME_HA)
        kept: list[int] = []
        seen: Counter[tuple[float, ...]] = Counter()
        for child in np.argsort(levels, kind="stable"):
            key = (levels[child], children.depth[child], children.cnot[child])
            seen[key] += 1
            if seen[key] <= self.copies:
                kept.append(int(child))
            if len(kept) == self.width:
                break
        return kept

    def _grown(self, children: Children, child: int) -> tuple[float, Node]:
        """The child with its angles; found again, since few of all children are kept."""
        node, action = self.nodes[children.parent[child]], children.action[child]
        n, operator = self.simulator.n_qubits, self.simulator.operator
        grow: Any = append  # numba's own types know no arguments
        found = grow(*node[1:], self.actions.rows[action], n, operator, self.tolerance)
        return float(found[0]), Node(np.append(node.chosen, action), *found[1:])

    def _archive(self, node: Node, energy_ha: float) -> None:
        gates = (self.actions.gates[action] for action in node.chosen)
        circuit = Circuit(self.start.n_qubits, (*self.start.gates, *gates))
        self.archive.add(Entry(energy_ha, circuit.with_angles(node.angles), 0))


def _best_by_cost(children: Children) -> list[int]:
    """The child of lowest energy for each depth and number of CNOTs."""
    best: dict[tuple[int, int], int] = {}
    for child in np.argsort(children.energy, kind="stable"):
        best.setdefault((int(children.depth[child]), int(children.cnot[child])), int(child))
    return list(best.values())
