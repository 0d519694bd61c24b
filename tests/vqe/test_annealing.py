from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from toolkit.vqe import annealing
from toolkit.vqe.annealing import anneal, grown
from toolkit.vqe.circuits import Circuit, Gate
from toolkit.vqe.operators.hamiltonian import Hamiltonian
from toolkit.vqe.postprocessing import shorten
from toolkit.vqe.simulator import Simulator

# two entangled pairs: each needs one rotation and one CNOT to reach -2, -4 together
PAIRS = Hamiltonian(4, ("XXII", "ZZII", "IIXX", "IIZZ"), np.array([-1.0, -1.0, -1.0, -1.0]))
TARGET = -4.0 + 1e-6
RY = [Gate("RY", (wire,), 0.0) for wire in range(4)]
ALL = [*(Gate("CNOT", pair) for pair in permutations(range(4), 2)), *RY]


def wasteful() -> Circuit:
    """Reaches the ground state with six gates too many, in an order that costs layers."""
    half = np.pi / 2
    gates = (
        Gate("RY", (0,), half),
        Gate("RY", (1,), 0.0),
        Gate("CNOT", (1, 2)),
        Gate("CNOT", (0, 1)),
        Gate("CNOT", (0, 2)),
        Gate("CNOT", (0, 2)),
        Gate("RY", (3,), 0.0),
        Gate("RY", (2,), half),
        Gate("CNOT", (2, 3)),
        Gate("RY", (1,), 0.0),
    )
    return Circuit(4, gates)


def annealed(moves: int, seed: int = 0, gates: list[Gate] = ALL):
    generator = np.random.default_rng(seed)
    return anneal(wasteful(), PAIRS, TARGET, gates, generator, moves)


def test_the_start_reaches_the_target_at_all():
    assert Simulator(PAIRS).energy(wasteful()) < TARGET


@pytest.mark.parametrize("seed", range(3))
def test_annealing_finds_the_two_layers_and_four_gates_that_are_needed(seed):
    found = annealed(3000, seed).circuit.cost
    assert (found.depth, found.cnot, found.gates) == (2, 2, 4)


def test_what_comes_back_is_below_the_target_and_has_the_energy_that_is_told():
    found = annealed(300)
    assert found.energy_ha < TARGET
    assert Simulator(PAIRS).energy(found.circuit) == pytest.approx(found.energy_ha, abs=1e-12)
    assert found.removed == len(wasteful().gates) - len(found.circuit.gates)
    assert found.energy_before_ha == Simulator(PAIRS).energy(wasteful())


def test_long_work_says_how_far_it_is(monkeypatch, caplog):
    monkeypatch.setattr(annealing, "_TELL_S", 0.0)
    with caplog.at_level("INFO", "toolkit.vqe"):
        annealed(5)
    assert "annealing: 1 of 5 moves" in caplog.text


def test_the_same_generator_gives_the_same_circuit_and_another_one_another_walk():
    assert annealed(200, 1) == annealed(200, 1)
    walks = {annealed(30, seed).circuit.gates for seed in range(5)}
    assert len(walks) > 1


def test_only_gates_that_the_device_has_are_inserted():
    line = [*(Gate("CNOT", pair) for pair in ((0, 1), (1, 0), (2, 3), (3, 2))), *RY]
    own = {(gate.name, gate.wires) for gate in wasteful().gates}
    offered = {(gate.name, gate.wires) for gate in line}
    found = annealed(2000, gates=line).circuit
    assert {(gate.name, gate.wires) for gate in found.gates} <= own | offered


def test_a_circuit_above_the_target_comes_back_with_its_gates():
    generator = np.random.default_rng(0)
    bad = Circuit(4, (Gate("RY", (0,), 0.3),))
    found = anneal(bad, PAIRS, TARGET, ALL, generator, 500)
    assert [gate.name for gate in found.circuit.gates] == ["RY"]
    assert found.removed == 0


def test_without_moves_it_is_the_removal_of_gates():
    seed = int(np.random.default_rng(5).integers(2**32))
    assert annealed(0, 5) == shorten(wasteful(), PAIRS, TARGET, seed, 2)


def test_one_kind_of_gate_is_enough_to_draw_from():
    only = [Gate("RY", (wire,), 0.0) for wire in range(4)]
    assert annealed(100, gates=only).energy_ha < TARGET


@pytest.mark.parametrize("offered", [ALL, [*RY, Gate("CNOT", (3, 0))], RY])
def test_what_is_grown_does_nothing_yet_and_is_made_of_what_is_offered(offered):
    before, after = wasteful(), grown(wasteful(), offered)
    assert after.gates[: len(before.gates)] == before.gates
    added = after.gates[len(before.gates) :]
    assert {(g.name, g.wires) for g in added} <= {(g.name, g.wires) for g in offered}
    energy = Simulator(PAIRS).energy
    assert energy(after) == pytest.approx(energy(before), abs=1e-12)
    assert len(added) >= 12
