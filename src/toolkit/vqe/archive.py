"""The Pareto front over every circuit that a search has seen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from toolkit.vqe.circuits import Circuit, Cost

CHEMICAL_ACCURACY_HA = 1.6e-3
_SAME_HA = 1e-9


class Entry(NamedTuple):
    """A circuit, its energy in Hartree, and when it was found."""

    energy_ha: float
    circuit: Circuit
    episode: int

    @property
    def price(self) -> tuple[int, int, int]:
        """What circuits are ranked by: depth, then CNOTs, then gates."""
        cost = self.circuit.cost
        return cost.depth, cost.cnot, cost.gates


class Archive:
    """Circuits of which none is beaten in energy, depth, gates and CNOTs at once."""

    def __init__(self) -> None:
        self._entries: dict[tuple[int, int, int], Entry] = {}
        self._table: NDArray[np.float64] | None = None  # (entries, 4) of them, for many at once

    def wants(self, cost: Cost, energy_ha: float) -> bool:
        """Whether no circuit here costs as little and has as low an energy."""
        key = cost[:3]
        same = self._entries.get(key)
        if same is not None and same.energy_ha <= energy_ha + _SAME_HA:
            return False
        return not any(
            entry.energy_ha <= energy_ha + _SAME_HA and _no_more(other, key)
            for other, entry in self._entries.items()
        )

    def wanted(self, costs: NDArray[np.int64], energies_ha: NDArray[np.float64]) -> list[int]:
        """Rows of ``costs`` (n, 3: depth, gates, CNOTs) that ``wants`` would take; NaN never is."""
        if self._table is None:
            rows = [(*key, entry.energy_ha) for key, entry in self._entries.items()]
            self._table = np.array(rows, np.float64).reshape(-1, 4)
        cheaper = (self._table[:, None, :3] <= costs[None]).all(-1)
        lower = self._table[:, None, 3] <= energies_ha[None] + _SAME_HA
        beaten = (cheaper & lower).any(0) | np.isnan(energies_ha)
        return [int(row) for row in np.flatnonzero(~beaten)]

    def add(self, entry: Entry) -> bool:
        """Take ``entry`` if it is wanted, dropping what it beats; returns whether it was."""
        cost = entry.circuit.cost
        if not self.wants(cost, entry.energy_ha):
            return False
        key = cost[:3]
        beaten = [
            other
            for other, old in self._entries.items()
            if _no_more(key, other) and entry.energy_ha <= old.energy_ha + _SAME_HA
        ]
        for other in beaten:
            del self._entries[other]
        self._entries[key] = entry
        self._table = None
        return True

    def __iter__(self) -> Iterator[Entry]:
        """Entries by depth, then CNOTs, then gates."""
        return iter(sorted(self._entries.values(), key=lambda entry: entry.price))

    def __len__(self) -> int:
        return len(self._entries)

    def best(self, at_most_ha: float) -> Entry | None:
        """The cheapest entry with an energy below ``at_most_ha``: depth, CNOTs, then gates.

        Without one, the entry with the lowest energy.
        """
        fit = [entry for entry in self if entry.energy_ha < at_most_ha]
        return fit[0] if fit else min(self, key=lambda entry: entry.energy_ha, default=None)

    def state_dict(self) -> list[dict[str, Any]]:
        """The entries as plain values."""
        return [
            {"energy_ha": e.energy_ha, "circuit": e.circuit.to_json(), "episode": e.episode}
            for e in self._entries.values()
        ]

    def load_state_dict(self, state: list[Mapping[str, Any]]) -> None:
        """Take over what ``state_dict`` gave."""
        entries = [
            Entry(one["energy_ha"], Circuit.from_json(one["circuit"]), one["episode"])
            for one in state
        ]
        self._entries = {entry.circuit.cost[:3]: entry for entry in entries}
        self._table = None


def _no_more(cost: tuple[int, ...], other: tuple[int, ...]) -> bool:
    return cost[0] <= other[0] and cost[1] <= other[1] and cost[2] <= other[2]
