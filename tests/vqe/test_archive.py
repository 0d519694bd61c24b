"""The Pareto front against a brute-force one."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_circuits import circuits

from toolkit.vqe.archive import Archive, Entry
from toolkit.vqe.circuits import Circuit, Gate

ENTRIES = st.lists(
    st.builds(Entry, st.integers(-8, 8).map(lambda k: k / 8), circuits(3, 6), st.integers(0, 99)),
    max_size=25,
)


def point(entry):
    """What an entry is judged by: energy, depth, gates, CNOTs."""
    return (entry.energy_ha, *entry.circuit.cost[:3])


def front(entries):
    """The first of each undominated point."""
    points = {point(entry): entry for entry in reversed(entries)}
    return {
        mine: entry
        for mine, entry in points.items()
        if not any(other != mine and all(a <= b for a, b in zip(other, mine)) for other in points)
    }


def filled(entries):
    archive = Archive()
    for entry in entries:
        wanted = archive.wants(entry.circuit.cost, entry.energy_ha)
        assert archive.add(entry) is wanted
    return archive


@given(ENTRIES)
def test_it_holds_the_front_of_all_that_was_added(entries):
    archive, expected = filled(entries), front(entries)
    assert {point(entry): entry for entry in archive} == expected
    assert len(archive) == len(expected)
    assert not any(archive.add(entry) for entry in entries)


@given(ENTRIES, st.integers(-8, 9).map(lambda k: k / 8 - 1 / 16))
def test_the_best_is_the_cheapest_that_is_low_enough_or_the_lowest(entries, at_most):
    low = [entry for entry in front(entries).values() if entry.energy_ha < at_most]

    def price(entry):
        depth, gates, cnot, _ = entry.circuit.cost
        return depth, cnot, gates

    best = filled(entries).best(at_most)
    if low:
        assert price(best) == min(map(price, low)) and best.energy_ha < at_most
    elif entries:
        assert best.energy_ha == min(entry.energy_ha for entry in entries)
    else:
        assert best is None


@given(ENTRIES, ENTRIES)
def test_many_at_once_are_wanted_as_one_by_one(entries, more):
    archive = filled(entries)
    for _ in range(2):  # again from what the first time kept
        costs = np.array([entry.circuit.cost[:3] for entry in more]).reshape(-1, 3)
        energies = np.array([entry.energy_ha for entry in more])
        expected = [
            row
            for row, entry in enumerate(more)
            if archive.wants(entry.circuit.cost, entry.energy_ha)
        ]
        assert archive.wanted(costs, energies) == expected
        assert archive.wanted(costs, np.full(len(more), np.nan)) == []
        for entry in more[:3]:
            archive.add(entry)
    again = Archive()
    assert again.wanted(costs, energies) == list(range(len(more)))
    again.load_state_dict(archive.state_dict())
    assert again.wanted(costs, energies) == archive.wanted(costs, energies)


@given(ENTRIES)
def test_entries_come_by_depth_then_cnots_then_gates(entries):
    costs = [entry.circuit.cost for entry in filled(entries)]
    assert costs == sorted(costs, key=lambda cost: (cost.depth, cost.cnot, cost.gates))


@given(ENTRIES)
def test_its_state_survives_json(entries):
    archive, again = filled(entries), Archive()
    again.add(Entry(-99.0, Circuit(1), 0))  # forgotten
    again.load_state_dict(json.loads(json.dumps(archive.state_dict())))
    assert list(again) == list(archive)
    assert again.state_dict() == archive.state_dict()


def test_energies_that_differ_by_rounding_are_the_same():
    turn = Circuit(1, (Gate("RY", (0,), 0.1),))
    archive = filled([Entry(-1.0, turn, 0)])
    assert not archive.wants(turn.cost, -1.0 - 1e-12)
    assert archive.wants(turn.cost, -1.0 - 1e-6)


@pytest.mark.parametrize("at_most", [-2.0, 2.0])
def test_an_empty_archive_has_no_best(at_most):
    assert Archive().best(at_most) is None
