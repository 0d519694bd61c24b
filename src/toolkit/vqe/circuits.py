"""Circuits: gates on qubits, with their angles; what they cost; their JSON form.

Qubit 0 is the leftmost letter of a Pauli string and the most significant bit of a basis state.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, NamedTuple, Self, get_args

import numpy as np
from numpy.typing import NDArray

from toolkit.core.errors import DataError, closest

Name = Literal["X", "RX", "RY", "RZ", "CNOT"]
ROTATIONS = ("RX", "RY", "RZ")
CODES: dict[str, int] = {name: code for code, name in enumerate(get_args(Name))}
MAX_GATES = 100_000  # of a file; far beyond what any search gives


class Gate(NamedTuple):
    """One gate; ``wires`` of a CNOT are (control, target), ``angle`` (radians) of rotations only.

    ``RX`` is exp(-i angle X / 2), likewise ``RY`` and ``RZ``.
    """

    name: Name
    wires: tuple[int, ...]
    angle: float | None = None


class Cost(NamedTuple):
    """What a circuit costs on hardware."""

    depth: int
    gates: int
    cnot: int
    rotations: int


@dataclass(frozen=True)
class Circuit:
    """Gates applied to |0…0> in their order."""

    n_qubits: int
    gates: tuple[Gate, ...] = ()

    @classmethod
    def prepared(cls, bits: Iterable[int]) -> Self:
        """X gates that prepare the basis state ``bits``, qubit 0 first."""
        given = list(bits)
        return cls(len(given), tuple(Gate("X", (q,)) for q, bit in enumerate(given) if bit))

    @cached_property
    def angles(self) -> NDArray[np.float64]:
        """Angles of the rotations in their order, in radians."""
        return np.array([gate.angle for gate in self.gates if gate.name in ROTATIONS], np.float64)

    def with_angles(self, angles: Iterable[float]) -> Self:
        """The same gates with other angles, one for each rotation, brought into (-pi, pi]."""
        values = iter([math.remainder(float(angle), 2 * math.pi) for angle in angles])
        gates = (
            gate._replace(angle=next(values)) if gate.name in ROTATIONS else gate
            for gate in self.gates
        )
        return replace(self, gates=tuple(gates))

    @cached_property
    def encoded(self) -> NDArray[np.int64]:
        """(gates, 3): code, wire, second wire (-1 if none), as the simulator reads them."""
        rows = [
            (CODES[g.name], g.wires[0], g.wires[1] if len(g.wires) > 1 else -1) for g in self.gates
        ]
        return np.array(rows, np.int64).reshape(-1, 3)

    @cached_property
    def moments(self) -> tuple[int, ...]:
        """The layer of each gate when every gate is done as early as its wires allow."""
        free = [0] * self.n_qubits
        layers = []
        for gate in self.gates:
            layer = max(free[wire] for wire in gate.wires)
            layers.append(layer)
            for wire in gate.wires:
                free[wire] = layer + 1
        return tuple(layers)

    @property
    def cost(self) -> Cost:
        """Depth (as ``qml.specs`` counts it) and numbers of gates."""
        cnot = sum(gate.name == "CNOT" for gate in self.gates)
        rotations = sum(gate.name in ROTATIONS for gate in self.gates)
        return Cost(max(self.moments, default=-1) + 1, len(self.gates), cnot, rotations)

    def to_json(self) -> dict[str, Any]:
        """``{"n_qubits": …, "gates": [{"name": "RY", "wires": [0], "angle": 0.1}, …]}``."""
        gates = []
        for gate in self.gates:
            angle = {} if gate.angle is None else {"angle": gate.angle}
            gates.append({"name": gate.name, "wires": list(gate.wires), **angle})
        return {"n_qubits": self.n_qubits, "gates": gates}

    @classmethod
    def from_json(cls, value: Any, where: str = "circuit") -> Self:
        """Read what ``to_json`` gave.

        Raises:
            DataError: it is no such circuit; names the gate that is wrong.
        """
        if not isinstance(value, Mapping) or not {"n_qubits", "gates"} <= value.keys():
            raise DataError("no circuit: n_qubits and gates are needed", where=where)
        n, gates = value["n_qubits"], value["gates"]
        if not _whole(n) or not 1 <= n <= 64 or not isinstance(gates, list):
            raise DataError(f"no circuit on {n!r} qubits", where=where)
        if len(gates) > MAX_GATES:
            raise DataError(f"{len(gates)} gates; at most {MAX_GATES} are read", where=where)
        return cls(n, tuple(_gate(gate, n, f"{where}, gate {i}") for i, gate in enumerate(gates)))


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _gate(value: Any, n_qubits: int, where: str) -> Gate:
    if not isinstance(value, Mapping):
        raise DataError(f"{value!r} is no gate", where=where)
    name = value.get("name")
    if not isinstance(name, str) or name not in CODES:
        raise DataError(f"unknown gate {name!r}", where=where, hint=closest(str(name), CODES))
    wires = _wires(value.get("wires"), 2 if name == "CNOT" else 1, n_qubits)
    if wires is None:
        wrong = f"{name} on wires {value.get('wires')!r} of {n_qubits} qubits"
        raise DataError(wrong, where=where)
    known: Any = name  # mypy cannot tell that CODES holds the names
    return Gate(known, wires, _angle(name, value.get("angle"), where))


def _wires(value: Any, count: int, n_qubits: int) -> tuple[int, ...] | None:
    fits = isinstance(value, list) and all(_whole(wire) and 0 <= wire < n_qubits for wire in value)
    return tuple(value) if fits and len(value) == count == len(set(value)) else None


def _angle(name: str, value: Any, where: str) -> float | None:
    if name not in ROTATIONS and value is None:
        return None
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if name not in ROTATIONS or not is_number or not abs(value) <= sys.float_info.max:
        raise DataError(f"{name} with angle {value!r}", where=where)
    return float(value)
