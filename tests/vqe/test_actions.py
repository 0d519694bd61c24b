"""Actions: which there are, and the masks against slow rules of sets and enumeration."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_operators import random_operator

from toolkit.core.errors import ConfigError
from toolkit.vqe.actions import Actions, couplings, legal
from toolkit.vqe.circuits import ROTATIONS, Circuit
from toolkit.vqe.simulator import Simulator


def all_actions(n, rotations=ROTATIONS, coupling="all"):
    return Actions(n, rotations, couplings(coupling, n))


def allowed(actions, word, bits, in_order=False):
    """The numbers that ``legal`` allows after ``word``."""
    chosen = np.array(word, np.int64)
    found = legal(actions.rows, chosen, np.array(bits, np.int64), in_order)
    return {int(a) for a in np.flatnonzero(found)}


def values(actions, word, bits):
    """The values, {0}, {1} or {0, 1}, that each wire may be measured in."""
    wires = [{bit} for bit in bits]
    for gate in (actions.gates[a] for a in word):
        if gate.name == "CNOT":
            control, target = gate.wires
            wires[target] = {c ^ t for c in wires[control] for t in wires[target]}
        elif gate.name != "RZ":
            wires[gate.wires[0]] = {0, 1}
    return wires


def changes_nothing(actions, word, bits, a):
    gate, known = actions.gates[a], values(actions, word, bits)
    if gate.name == "CNOT":
        return known[gate.wires[0]] == {0}
    return gate.name == "RZ" and len(known[gate.wires[0]]) == 1


def repeats(actions, word, a):
    """Whether the last gate on every wire of ``a`` is one and the same, equal to it."""
    gate = actions.gates[a]
    last = {max((k for k, b in enumerate(word) if wire in actions.gates[b].wires), default=None)
            for wire in gate.wires}  # fmt: skip
    (position, *more) = last
    return position is not None and not more and word[position] == a


def equivalents(actions, word):
    """All words that swaps of neighbours on other wires make of ``word``."""
    found, new = {word}, [word]
    while new:
        one = new.pop()
        for k in range(len(one) - 1):
            wires = [set(actions.gates[a].wires) for a in one[k : k + 2]]
            swapped = (*one[:k], one[k + 1], one[k], *one[k + 2 :])
            if not wires[0] & wires[1] and swapped not in found:
                found.add(swapped)
                new.append(swapped)
    return found


def slow(actions, word, bits, in_order=False):
    """What ``legal`` must allow, from the definitions."""
    return {
        a
        for a in range(len(actions))
        if not repeats(actions, word, a)
        and not changes_nothing(actions, word, bits, a)
        and not (in_order and min(equivalents(actions, (*word, a))) != (*word, a))
    }


def words(actions, length, bits, in_order):
    """Every legal word of ``length``."""
    if length == 0:
        return [()]
    return [
        (*word, a)
        for word in words(actions, length - 1, bits, in_order)
        for a in sorted(allowed(actions, word, bits, in_order))
    ]


@pytest.mark.parametrize("n", range(1, 7))
def test_all_axes_and_couplings_give_n_times_n_plus_two_actions(n):
    actions = all_actions(n)
    assert len(actions) == n * (n + 2) == len(set(actions.gates)) == len(actions.rows)
    assert [gate.name for gate in actions.gates].count("CNOT") == n * (n - 1)
    assert all(actions.number[gate.name, gate.wires] == a for a, gate in enumerate(actions.gates))
    assert np.array_equal(actions.rows, Circuit(n, tuple(actions.gates)).encoded)


def test_axes_and_couplings_leave_fewer_actions():
    actions = all_actions(3, ("RY",), "line")
    assert [(g.name, g.wires) for g in actions.gates] == [
        *[("CNOT", pair) for pair in [(0, 1), (1, 0), (1, 2), (2, 1)]],
        *[("RY", (wire,)) for wire in range(3)],
    ]


@pytest.mark.parametrize(
    ("name", "n", "edges"),
    [
        ("all", 3, {(0, 1), (0, 2), (1, 2)}),
        ("all", 1, set()),
        ("line", 4, {(0, 1), (1, 2), (2, 3)}),
        ("ring", 4, {(0, 1), (1, 2), (2, 3), (0, 3)}),
        ("ring", 2, {(0, 1)}),
        ("star", 4, {(0, 1), (0, 2), (0, 3)}),
        ("0-2,2-1", 3, {(0, 2), (1, 2)}),
        ("1-0,0-1", 2, {(0, 1)}),
    ],
)
def test_coupling_maps_join_both_directions_once(name, n, edges):
    assert couplings(name, n) == sorted(edges | {(b, a) for a, b in edges})


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("lien", "no coupling map 'lien'"),
        ("", "no coupling map ''"),
        ("0-1-2", "no coupling map"),
        ("0-1,2", "no coupling map"),
        ("0--1", "no coupling map"),
        ("0-3", "joins"),
        ("1-1", "joins 1 and 1 of 3 qubits"),
    ],
)
def test_bad_couplings_are_refused(name, says):
    with pytest.raises(ConfigError, match=says) as caught:
        couplings(name, 3)
    assert caught.value.where == "coupling" and caught.value.hint


@settings(max_examples=150)
@given(st.data(), st.integers(1, 4), st.booleans(), st.sampled_from(["all", "line"]))
def test_masks_are_those_of_the_definitions(data, n, in_order, coupling):
    axes = data.draw(st.sampled_from([ROTATIONS, ("RY",), ("RZ", "RX")]))
    actions = all_actions(n, axes, coupling)
    bits = tuple(data.draw(st.lists(st.integers(0, 1), min_size=n, max_size=n)))
    word = ()
    for _ in range(data.draw(st.integers(0, 6))):
        choice = sorted(allowed(actions, word, bits, in_order))
        assert set(choice) == slow(actions, word, bits, in_order)
        if not choice:
            break
        word = (*word, data.draw(st.sampled_from(choice)))


@pytest.mark.parametrize(
    ("n", "length", "axes", "bits"),
    [
        (2, 4, ROTATIONS, (0, 0)),
        (2, 4, ROTATIONS, (1, 0)),
        (3, 3, ROTATIONS, (1, 0, 1)),
        (3, 4, ("RY",), (0, 0, 0)),
        (4, 4, ("RX",), (0, 0, 0, 0)),
    ],
)
def test_in_order_keeps_every_circuit_in_exactly_one_order(n, length, axes, bits):
    actions = all_actions(n, axes)
    free, ordered = (words(actions, length, bits, in_order) for in_order in (False, True))
    circuits = {min(equivalents(actions, word)) for word in free}
    assert len(ordered) < len(free)
    assert sorted(ordered) == sorted(circuits)  # none twice, none lost


@settings(max_examples=60)
@given(st.data(), st.integers(2, 4))
def test_what_is_masked_changes_no_energy_or_repeats_the_gate_before(data, n):
    actions = all_actions(n)
    bits = tuple(data.draw(st.lists(st.integers(0, 1), min_size=n, max_size=n)))
    simulator = Simulator(random_operator(n, 20, seed=n))

    def energy(word, random):
        gates = (*Circuit.prepared(bits).gates, *(actions.gates[a] for a in word))
        circuit = Circuit(n, gates)
        return simulator.energy(circuit.with_angles(random.normal(size=circuit.cost.rotations)))

    word = ()
    for _ in range(data.draw(st.integers(0, 8))):
        word = (*word, data.draw(st.sampled_from(sorted(allowed(actions, word, bits)))))
    for a in set(range(len(actions))) - allowed(actions, word, bits):
        before, after = (energy(w, np.random.default_rng(0)) for w in (word, (*word, a)))
        assert repeats(actions, word, a) or after == pytest.approx(before, abs=1e-12)


def test_a_repeated_gate_is_allowed_again_once_its_wire_was_touched():
    actions = all_actions(2)
    cnot, back = actions.number["CNOT", (0, 1)], actions.number["CNOT", (1, 0)]
    turn, other = actions.number["RY", (0,)], actions.number["RY", (1,)]
    assert cnot not in allowed(actions, (turn, cnot), (0, 0))
    assert cnot in allowed(actions, (turn, cnot, other), (0, 0))
    assert cnot in allowed(actions, (turn, cnot, back), (0, 0))
    assert turn not in allowed(actions, (turn, other), (0, 0))
    assert turn in allowed(actions, (turn, cnot), (0, 0))
