"""Published results for the operators that we know: ``published.toml``, with sources."""

from __future__ import annotations

import math
import tomllib
from pathlib import Path
from typing import Any

from toolkit.vqe.operators.hamiltonian import Hamiltonian

_SAME_A = 5e-4  # ångström; papers round bond lengths


def everything() -> list[dict[str, Any]]:
    """Every published result, as the file's head describes it."""
    text = Path(__file__).with_name("published.toml").read_text("utf-8")
    found: list[dict[str, Any]] = tomllib.loads(text)["result"]
    return found


def of(hamiltonian: Hamiltonian) -> list[dict[str, Any]]:
    """Those of ``hamiltonian``: same molecule, bond length, active orbitals, mapping, qubits.

    All are of neutral molecules in STO-3G.
    """
    facts = hamiltonian.facts
    if (facts.get("basis"), facts.get("charge")) != ("sto-3g", 0) or not facts.get("geometry"):
        return []
    same = [
        row
        for row in everything()
        if row["n_qubits"] == hamiltonian.n_qubits
        and all(row[key] == facts.get(key) for key in ("molecule", "active_orbitals", "mapping"))
    ]
    return [row for row in same if abs(row["bond_length_a"] - _bond_length_a(facts)) < _SAME_A]


def _bond_length_a(facts: Any) -> float:
    """Distance of the first two atoms in ångström, as of the named molecules."""
    (_, *first), (_, *second), *_ = facts["geometry"]
    return math.dist(first, second)
