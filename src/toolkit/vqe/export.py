"""Circuit files: JSON documents that say what a circuit solves and how well, and OpenQASM."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

from toolkit import __version__
from toolkit.core.errors import DataError
from toolkit.core.files import saving, write_atomic
from toolkit.vqe.circuits import Circuit
from toolkit.vqe.operators.hamiltonian import Hamiltonian
from toolkit.vqe.qasm import read_qasm, write_qasm2, write_qasm3

Format = Literal["json", "qasm2", "qasm3"]


@dataclass(frozen=True)
class Document:
    """A circuit with what is known of it.

    ``hamiltonian`` are the facts of the operator whose energy ``energy_ha`` is; ``exact_energy_ha``
    is its lowest eigenvalue, exact in the active space. Both in Hartree, None where unknown.
    """

    circuit: Circuit
    hamiltonian: Mapping[str, Any] = field(default_factory=dict)
    energy_ha: float | None = None
    exact_energy_ha: float | None = None
    made_by: str = f"toolkit {__version__}"

    @classmethod
    def of(cls, circuit: Circuit, hamiltonian: Hamiltonian, energy_ha: float) -> Self:
        """The document of a circuit that reaches ``energy_ha`` of ``hamiltonian``."""
        return cls(circuit, hamiltonian.facts, energy_ha, hamiltonian.ground_energy)

    @property
    def error_ha(self) -> float | None:
        """How far the energy is above the exact one, in Hartree."""
        if self.energy_ha is None or self.exact_energy_ha is None:
            return None
        return self.energy_ha - self.exact_energy_ha

    def to_json(self) -> dict[str, Any]:
        """The circuit, its Hamiltonian's facts, its energies (Ha) and its cost."""
        return {
            "circuit": self.circuit.to_json(),
            "hamiltonian": dict(self.hamiltonian),
            "energy_ha": self.energy_ha,
            "exact_energy_ha": self.exact_energy_ha,
            "error_ha": self.error_ha,
            "cost": self.circuit.cost._asdict(),
            "made_by": self.made_by,
        }

    @classmethod
    def from_json(cls, value: Any, where: str) -> Self:
        """Read what ``to_json`` gave, or a bare circuit; the error and the cost follow from it.

        Raises:
            DataError: it is neither; names what is wrong.
        """
        if not isinstance(value, Mapping) or "circuit" not in value:
            return cls(Circuit.from_json(value, where), made_by="")
        facts, made_by = value.get("hamiltonian", {}), value.get("made_by", "")
        if not isinstance(facts, Mapping) or not isinstance(made_by, str):
            raise DataError("hamiltonian is no object, or made_by no text", where=where)
        return cls(
            Circuit.from_json(value["circuit"], f"{where}, circuit"),
            facts,
            _energy(value, "energy_ha", where),
            _energy(value, "exact_energy_ha", where),
            made_by,
        )

    @property
    def notes(self) -> list[str]:
        """What a comment in an OpenQASM file says of the circuit."""
        notes = [f"made by {self.made_by}"] if self.made_by else []
        if self.energy_ha is not None:
            error = "" if self.error_ha is None else f", {self.error_ha:.3g} Ha above the exact one"
            notes.append(f"energy {self.energy_ha!r} Ha{error}")
        return [*notes, *([f"of {json.dumps(self.hamiltonian)}"] if self.hamiltonian else [])]


def _energy(value: Mapping[str, Any], key: str, where: str) -> float | None:
    energy = value.get(key)
    if energy is None:
        return None
    is_number = isinstance(energy, int | float) and not isinstance(energy, bool)
    if not is_number or not abs(energy) <= sys.float_info.max:
        raise DataError(f"{key} is {energy!r}, no energy in Hartree", where=where)
    return float(energy)


def _json(document: Document) -> str:
    return json.dumps(document.to_json(), indent=2, allow_nan=False) + "\n"


FORMATS: dict[Format, Callable[[Document], str]] = {
    "json": _json,
    "qasm2": lambda document: write_qasm2(document.circuit, document.notes),
    "qasm3": lambda document: write_qasm3(document.circuit, document.notes),
}


def render(document: Document, form: Format) -> str:
    """The document as the text of a file."""
    return FORMATS[form](document)


def write(document: Document, path: Path, form: Format) -> Path:
    """Write the document atomically, with the folders that it needs; returns ``path``."""
    with saving(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, render(document, form))
    return path


def read_document(path: Path) -> Document:
    """Read a circuit file: a JSON document, a bare circuit in JSON, or OpenQASM 2 or 3.

    Raises:
        DataError: the file is missing, unreadable or damaged; names the place.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read a circuit: {error}", where=str(path)) from error
    if path.suffix != ".json" and not text.lstrip().startswith("{"):
        return Document(read_qasm(text, str(path)), made_by="")
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"not valid JSON: {error}", where=str(path)) from error
    return Document.from_json(value, str(path))
