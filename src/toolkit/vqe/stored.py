"""Circuits as runs, released models and files keep them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from toolkit.core.errors import RunError
from toolkit.core.files import read_json, write_json
from toolkit.core.released import find
from toolkit.vqe import export
from toolkit.vqe.archive import Entry
from toolkit.vqe.circuits import Circuit
from toolkit.vqe.export import Document
from toolkit.vqe.operators import operator_files
from toolkit.vqe.operators.hamiltonian import Hamiltonian

OPERATOR = "hamiltonian.json"
BEST = "best.json"
FRONT = "pareto.json"


class Stored(NamedTuple):
    """A circuit file; ``folder`` is the run's or model's, None for a file that stands alone."""

    document: Document
    folder: Path | None

    @property
    def hamiltonian(self) -> Hamiltonian | None:
        """The operator that lies beside the circuit."""
        return None if self.folder is None else operator_files.read(self.folder / OPERATOR)

    @property
    def front(self) -> list[Circuit]:
        """Every circuit of the Pareto front, cheapest first; of a file its only one."""
        if self.folder is None:
            return [self.document.circuit]
        rows = read_json(self.folder / FRONT).get("circuits", [])
        where = str(self.folder / FRONT)
        return [Circuit.from_json(row["circuit"], where) for row in rows]


def write(folder: Path, hamiltonian: Hamiltonian, best: Entry, front: Iterable[Entry]) -> None:
    """Write the operator, the best circuit and the whole front into ``folder``."""
    operator_files.write(folder / OPERATOR, hamiltonian)
    document = Document.of(best.circuit, hamiltonian, best.energy_ha)
    export.write(document, folder / BEST, "json")
    rows = [{"energy_ha": e.energy_ha, "circuit": e.circuit.to_json()} for e in front]
    write_json(folder / FRONT, {"circuits": rows})


def read(spec: str, runs_dir: Path) -> Stored:
    """The circuit that ``spec`` names: a file, a run, or a released model.

    Raises:
        DataError: a file that is no circuit.
        RunError: no such run or model, or a run without a circuit yet.
    """
    path = Path(spec)
    if path.is_file():
        return Stored(export.read_document(path), None)
    folder = find(spec, "vqe", runs_dir).path
    if not (folder / BEST).is_file():
        hint = f"toolkit runs resume {folder}"
        raise RunError("this run has no circuit yet", where=str(folder), hint=hint)
    return Stored(export.read_document(folder / BEST), folder)
