"""What may be appended to a circuit: the gates there are, and which of them are worth a step."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from toolkit.core.errors import ConfigError, closest
from toolkit.vqe.circuits import CODES, Circuit, Gate, Name
from toolkit.vqe.kernels import compiled

_X, _RX, _RY, _RZ, _CNOT = (CODES[name] for name in ("X", "RX", "RY", "RZ", "CNOT"))
_UNKNOWN = 2  # neither |0> nor |1> for certain


class Actions:
    """The gates that a search may append, numbered: CNOTs first, then rotations.

    All of them are n(n-1) CNOTs and 3n rotations; a coupling map and a choice of axes leave fewer.
    ``rows`` (actions, 3) has code, wire and second wire, as the simulator reads them.
    """

    def __init__(
        self, n_qubits: int, rotations: Sequence[Name], couplings: Sequence[tuple[int, int]]
    ) -> None:
        self.n_qubits = n_qubits
        self.gates = [Gate("CNOT", pair) for pair in couplings]
        self.gates += [Gate(name, (wire,), 0.0) for wire in range(n_qubits) for name in rotations]
        self.number = {(gate.name, gate.wires): i for i, gate in enumerate(self.gates)}
        self.rows = Circuit(n_qubits, tuple(self.gates)).encoded

    def __len__(self) -> int:
        return len(self.gates)


def couplings(name: str, n_qubits: int) -> list[tuple[int, int]]:
    """Directed pairs (control, target) of a coupling map.

    ``name`` is all, line, ring, star, or pairs such as ``0-1,1-2``; pairs count in both directions.

    Raises:
        ConfigError: no such map, or a qubit that is not there.
    """
    named = {
        "all": list(permutations(range(n_qubits), 2)),
        "line": [(i, i + 1) for i in range(n_qubits - 1)],
        "ring": [(i, (i + 1) % n_qubits) for i in range(n_qubits) if n_qubits > 1],
        "star": [(0, i) for i in range(1, n_qubits)],
    }
    pairs = named[name] if name in named else _pairs(name, sorted(named))
    both = {pair for a, b in pairs for pair in ((a, b), (b, a))}
    wrong = [pair for pair in both if max(pair) >= n_qubits or pair[0] == pair[1]]
    if wrong:
        what = f"coupling {name!r} joins {wrong[0][0]} and {wrong[0][1]} of {n_qubits} qubits"
        raise ConfigError(what, where="coupling", hint=f"qubits count from 0 to {n_qubits - 1}")
    return sorted(both)


def _pairs(text: str, known: Sequence[str]) -> list[tuple[int, int]]:
    try:
        ends = [[int(end) for end in pair.split("-")] for pair in text.split(",")]
        return [(first, second) for first, second in ends]
    except ValueError:
        hint = f"{closest(text, known)}, or pairs such as 0-1,1-2"
        raise ConfigError(f"no coupling map {text!r}", where="coupling", hint=hint) from None


def costs_after(
    rows: NDArray[np.int64], free: NDArray[np.int64], gates: int, cnots: int
) -> NDArray[np.int64]:
    """Depth, gates and CNOTs (actions, 3) of a circuit with each of ``rows`` appended.

    ``rows`` (actions, 3) are as the simulator reads them; ``free`` (n_qubits,) counts the layers
    done on each wire of the circuit, of ``gates`` gates and ``cnots`` CNOTs.
    """
    first, is_cnot = rows[:, 1], rows[:, 0] == _CNOT
    second = np.where(is_cnot, rows[:, 2], first)
    depth = np.maximum(np.maximum(free[first], free[second]) + 1, free.max())
    return np.stack([depth, np.full(len(rows), gates + 1), cnots + is_cnot], axis=1)


@compiled
def legal(
    rows: NDArray[np.int64],
    chosen: NDArray[np.int64],
    start: NDArray[np.int64],
    in_order: bool,
) -> NDArray[np.bool_]:
    """Which actions (actions,) make sense after the actions ``chosen`` (gates,).

    Left out are: the same CNOT twice in a row on both wires, a rotation about the axis of the
    wire's last one, and what changes nothing (RZ on a wire, or CNOT controlled by one, that is
    still in a basis state, ``start`` (wires,) at first). With ``in_order``, of two gates on other
    wires that follow each other only the order by number stays: each circuit is then reached in
    one order alone (lexicographic normal form; Cartier and Foata 1969).
    """
    n_gates, last = len(chosen), np.full(len(start), -1)
    known = start.copy()
    for k in range(n_gates):
        code, wire, target = rows[chosen[k]]
        last[wire] = k
        if code == _CNOT:
            last[target] = k
            if known[wire] == _UNKNOWN:
                known[target] = _UNKNOWN
            elif known[wire] == 1 and known[target] != _UNKNOWN:
                known[target] = 1 - known[target]
        elif code != _RZ:
            known[wire] = _UNKNOWN
    highest_since = np.full(n_gates + 1, -1)
    for k in range(n_gates - 1, -1, -1):
        highest_since[k] = max(highest_since[k + 1], chosen[k])
    allowed = np.ones(len(rows), np.bool_)
    for a in range(len(rows)):
        code, wire, target = rows[a]
        before = last[wire]
        if code == _CNOT:
            repeated = before >= 0 and before == last[target] and chosen[before] == a
            allowed[a] = not repeated and known[wire] != 0
            before = max(before, last[target])
        else:
            repeated = before >= 0 and rows[chosen[before], 0] == code
            allowed[a] = not repeated and not (code == _RZ and known[wire] != _UNKNOWN)
        if in_order and highest_since[before + 1] > a:
            allowed[a] = False
    return allowed
