"""Circuits as runs, released models and files keep them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from toolkit.core.errors import RunError
from toolkit.core.files import read_json, write_json
from toolkit.core.released import Released, find
from toolkit.core.run import Run
from toolkit.vqe import export
from toolkit.vqe.archive import Entry
from toolkit.vqe.circuits import Circuit
from toolkit.vqe.config import VqeSearchConfig
from toolkit.vqe.export import Document
from toolkit.vqe.operators import operator_files
from toolkit.vqe.operators.hamiltonian import Hamiltonian
from toolkit.vqe.operators.molecule_config import MoleculeConfig

OPERATOR = "hamiltonian.json"
BEST = "best.json"
FRONT = "pareto.json"


class Stored(NamedTuple):
    """A circuit, and the run or model that it is of; None for a file that stands alone."""

    document: Document
    home: Run | Released | None

    @property
    def folder(self) -> Path | None:
        """Of the run or model."""
        return None if self.home is None else self.home.path

    @property
    def hamiltonian(self) -> Hamiltonian | None:
        """The operator that lies beside the circuit."""
        return None if self.folder is None else operator_files.read(self.folder / OPERATOR)

    @property
    def molecule(self) -> MoleculeConfig | None:
        """What the circuit's run was told of the operator."""
        return None if self.home is None else self.home.config(VqeSearchConfig).molecule

    @property
    def front(self) -> list[Circuit]:
        """The best circuit, then the Pareto front, cheapest first; of a file its only one."""
        if self.folder is None:
            return [self.document.circuit]
        rows = read_json(self.folder / FRONT).get("circuits", [])
        where = str(self.folder / FRONT)
        front = [Circuit.from_json(row["circuit"], where) for row in rows]
        best = self.document.circuit
        return [best, *(circuit for circuit in front if circuit != best)]


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
    home = find(spec, "vqe", runs_dir)
    if not (home.path / BEST).is_file():
        hint = f"toolkit runs resume {home.path}"
        raise RunError("this run has no circuit yet", where=str(home.path), hint=hint)
    return Stored(export.read_document(home.path / BEST), home)
