"""The baselines: what each finds, that none is below the exact energy, what rows say."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from random_operators import random_operator

from toolkit.core.errors import CheckFailedError, ConfigError, UnavailableError
from toolkit.vqe import verification
from toolkit.vqe.archive import CHEMICAL_ACCURACY_HA
from toolkit.vqe.circuits import Circuit
from toolkit.vqe.config import EnvironmentConfig
from toolkit.vqe.operators import operator_files
from toolkit.vqe.operators.hamiltonian import Hamiltonian
from toolkit.vqe.peers import baselines
from toolkit.vqe.peers.adapt import adapt, pool
from toolkit.vqe.peers.beam import Beam
from toolkit.vqe.peers.ladders import best_ladder, ladder
from toolkit.vqe.peers.methods import METHODS

# a Bell state between two fields: ground energy -sqrt(1.25) by hand
BELL = Hamiltonian(2, ("XX", "ZI"), np.array([1.0, 0.5]), (1, 0))
BELL_HA = -np.sqrt(1.25)


def lih(operators, qubits, length):
    return operator_files.read(next(operators.glob(f"LiH_{qubits}q*_{length}_*.npz")))


def test_the_ladder_has_the_gates_and_the_depth_that_are_published_for_it():
    assert ladder(4, 2).cost == (8, 18, 6, 12)
    assert ladder(6, 3).cost == (13, 39, 15, 24)


@pytest.mark.parametrize(
    ("qubits", "length", "cost"),
    [(4, 1.2, (8, 18, 6, 12)), (4, 2.2, (8, 18, 6, 12)), (4, 3.4, (8, 18, 6, 12)),
     (6, 2.2, (13, 39, 15, 24))],
)  # fmt: skip
def test_ladders_for_lih_need_as_many_layers_as_measured_before(operators, qubits, length, cost):
    hamiltonian = lih(operators, qubits, length)
    target = hamiltonian.ground_energy + CHEMICAL_ACCURACY_HA
    circuit, energy_ha = best_ladder(hamiltonian, target)
    assert circuit.cost == cost
    assert verification.verify(circuit, hamiltonian, energy_ha)["agrees"]
    assert energy_ha < target


def test_a_ladder_that_never_reaches_the_target_is_the_best_there_was():
    hamiltonian = random_operator(3, 20, seed=0)
    circuit, energy_ha = best_ladder(hamiltonian, -np.inf, max_layers=2)
    assert circuit.cost.cnot in (2, 4)
    assert hamiltonian.ground_energy - 1e-9 <= energy_ha < hamiltonian.identity


def test_the_beam_finds_the_optimum_on_two_qubits_with_the_fewest_gates():
    archive = Beam(BELL, width=100).search(BELL_HA + 1e-7, max_gates=8)
    best = archive.best(BELL_HA + 1e-7)
    assert best.energy_ha == pytest.approx(BELL_HA, abs=1e-9)
    assert best.circuit.cost.cnot == 1
    assert verification.verify(best.circuit, BELL, best.energy_ha)["agrees"]


def test_the_beam_searches_a_few_gates_further_and_not_beyond_max_gates():
    def most_gates(**limits):
        archive = Beam(BELL, width=20).search(BELL_HA - 1, **limits)
        return max(entry.circuit.cost.gates for entry in archive)

    assert most_gates(max_gates=2) <= 2
    hit = Beam(BELL, width=20)
    hit.search(0.0, max_gates=8, further=1)  # one rotation is enough: -0.5
    assert len(hit.nodes[0].chosen) == 2


def test_a_wider_beam_is_no_worse_on_a_random_operator_and_each_energy_is_right():
    hamiltonian = random_operator(3, 20, seed=4)
    lowest = []
    for width in (1, 30):
        archive = Beam(hamiltonian, width).search(-np.inf, max_gates=7)
        lowest.append(min(entry.energy_ha for entry in archive))
        for entry in archive:
            assert verification.verify(entry.circuit, hamiltonian, entry.energy_ha)["agrees"]
    assert hamiltonian.ground_energy - 1e-9 <= lowest[1] <= lowest[0]


def test_the_beam_keeps_to_axes_coupling_and_start():
    beam = Beam(BELL, 10, ("RX", "RZ"), "0-1", "hartree-fock")
    for entry in beam.search(-np.inf, max_gates=4):
        assert {gate.name for gate in entry.circuit.gates} <= {"X", "RX", "RZ", "CNOT"}
        assert entry.circuit.gates[0] == ("X", (0,), None)


def test_of_circuits_that_agree_in_energy_and_cost_the_beam_keeps_a_few_only():
    for copies in (1, 2):
        beam = Beam(random_operator(3, 20, seed=0), 50, copies=copies)
        for _ in range(4):
            children = beam._children()
            kept = beam._kept(children)
            levels = [round(float(children.energy[k]), 6) for k in range(len(children.energy))]
            alike = Counter((levels[k], children.depth[k], children.cnot[k]) for k in kept)
            assert max(alike.values()) <= copies
            beam.step()


def test_the_beam_does_the_same_again():
    hamiltonian = random_operator(3, 20, seed=0)
    first, second = (Beam(hamiltonian, 20).search(-np.inf, 6).state_dict() for _ in range(2))
    assert first == second


def test_the_beam_counts_costs_as_circuits_do():
    beam = Beam(random_operator(3, 20, seed=0), 20, ("RY", "RZ"))
    for _ in range(4):
        children = beam._children()
        for child in range(0, len(children.energy), 7):
            node = beam._grown(children, child)[1]
            circuit = Circuit(3, tuple(beam.actions.gates[a] for a in node.chosen))
            assert circuit.cost.depth == children.depth[child]
            assert circuit.cost.cnot == children.cnot[child]
        beam.step()


def test_the_beam_reaches_the_measured_lengths_on_lih_of_four_qubits(operators):
    hamiltonian = lih(operators, 4, 2.2)
    target = hamiltonian.ground_energy + CHEMICAL_ACCURACY_HA
    archive = Beam(hamiltonian).search(target, max_gates=16)
    best = archive.best(target)
    assert best.energy_ha < target
    assert best.circuit.cost.depth <= 5
    fewest = min(e.circuit.cost.gates for e in archive if e.energy_ha < target)
    assert fewest <= 8


@pytest.mark.slow
def test_the_beam_reaches_the_measured_lengths_on_lih_of_six_qubits(operators):
    hamiltonian = lih(operators, 6, 2.2)
    target = hamiltonian.ground_energy + CHEMICAL_ACCURACY_HA
    archive = Beam(hamiltonian).search(target, max_gates=24)
    good = [entry.circuit.cost for entry in archive if entry.energy_ha < target]
    assert min(cost.gates for cost in good) <= 16
    assert min(cost.cnot for cost in good) <= 7


def test_adapt_on_hydrogen_is_one_double_excitation(molecule):
    hamiltonian = molecule("H2", mapping="jw")
    circuit, energy_ha, note = adapt(hamiltonian, hamiltonian.ground_energy + 1e-6)
    assert circuit.cost.cnot == 14
    assert energy_ha == pytest.approx(hamiltonian.ground_energy, abs=1e-8)
    assert note.startswith("1 excitations; depth 20 ")
    assert verification.verify(circuit, hamiltonian, energy_ha)["agrees"]


def test_adapt_on_lih_costs_what_was_measured_with_pennylane(molecule):
    hamiltonian = molecule("LiH", mapping="jw")
    target = hamiltonian.ground_energy + CHEMICAL_ACCURACY_HA
    circuit, energy_ha, note = adapt(hamiltonian, target)
    assert circuit.cost.cnot == 56
    assert "depth 78 " in note
    assert hamiltonian.ground_energy - 1e-9 <= energy_ha < target


def test_excitations_are_pennylanes_own(molecule):
    import pennylane as qml

    hamiltonian = molecule("H2", mapping="jw")
    single, double = pool(hamiltonian)[0], pool(hamiltonian)[-1]
    wanted = [  # alpha orbitals are wires 0 and 1, beta 2 and 3
        (single, qml.SingleExcitation(0.7, wires=[0, 1])),
        (double, qml.DoubleExcitation(0.7, wires=[0, 2, 1, 3])),
    ]
    for ours, theirs in wanted:
        plain = Circuit(4, ours.gates)
        circuit = plain.with_angles(plain.angles + 0.7 * ours.slopes)
        matrix = qml.matrix(qml.prod(*reversed(verification.operations(circuit))), range(4))
        same = np.trace(matrix.conj().T @ qml.matrix(theirs, range(4)))
        assert abs(same) == pytest.approx(16, abs=1e-9)  # up to a phase


def test_adapt_refuses_other_mappings(molecule):
    with pytest.raises(UnavailableError, match=r"needs jw: .*parity"):
        adapt(molecule("H2", mapping="parity"), -1.0)
    with pytest.raises(UnavailableError, match="unknown"):
        adapt(BELL, -1.0)


def test_rows_tell_energy_error_and_cost_and_are_plain_values():
    found = baselines.run(BELL, ["hartree-fock", "ladder", "beam"])
    rows = [baselines.row(one, BELL) for one in found]
    exact = np.linalg.eigvalsh(BELL.matrix())[0]
    assert [row["method"] for row in rows] == ["hartree-fock", "ladder", "beam"]
    for row in rows:
        assert row["error_ha"] == pytest.approx(row["energy_ha"] - exact)
        assert row["error_ha"] >= -1e-9
        assert type(row["energy_ha"]) is float
        assert row["gates"] >= row["cnot"] + row["rotations"]
    assert rows[0]["energy_ha"] == -0.5
    assert rows[1]["error_ha"] == pytest.approx(0, abs=1e-9)


def test_a_method_that_is_not_possible_is_a_row_with_its_reason():
    plain = Hamiltonian(2, BELL.paulis, BELL.coefficients)
    rows = [baselines.row(one, plain) for one in baselines.run(plain, ["adapt", "hartree-fock"])]
    assert all(row["energy_ha"] is None and row["depth"] is None for row in rows)
    assert "needs jw" in rows[0]["note"]
    assert "no Hartree-Fock state" in rows[1]["note"]


def test_methods_that_ignore_the_coupling_map_say_so():
    config = EnvironmentConfig(coupling="line")
    (one,) = baselines.run(BELL, ["ladder"], environment=config)
    assert "regardless of the coupling map" in one.note


def test_every_method_has_a_way():
    assert tuple(baselines.WAYS) == METHODS


def test_bounded_work_gives_the_same_until_it_is_cut_short_and_then_says_so():
    hamiltonian = random_operator(3, 20, seed=4)  # BEAM_GATES alone would end the beam

    def found(**given):
        return baselines.run(hamiltonian, ["random", "beam"], width=3, **given)

    whole = found()
    for free, bounded in zip(whole, found(most=10**6)):
        assert not bounded.cut and "cut" not in bounded.note
        assert (bounded.energy_ha, bounded.tried) == (free.energy_ha, free.tried)
    for free, bounded in zip(whole, found(most=50)):
        assert bounded.cut and "cut short" in bounded.note
        assert 50 <= bounded.tried < 75 < free.tried  # an episode has 12 gates, a step 9 actions
        assert bounded.energy_ha >= free.energy_ha - 1e-9


def test_each_baseline_is_named_while_it_is_computed(caplog):
    with caplog.at_level("INFO", "toolkit.vqe"):
        baselines.run(BELL, ["hartree-fock", "ladder"])
    assert [text for text in caplog.messages if text.startswith("baseline")] == [
        "baseline hartree-fock",
        "baseline ladder",
    ]


def test_an_unknown_method_is_named():
    with pytest.raises(ConfigError, match="'beem'") as caught:
        baselines.run(BELL, ["beem"])
    assert "beam" in caught.value.hint


def test_an_energy_below_the_exact_one_is_an_error(monkeypatch):
    wrong = baselines._Found(Circuit(2), BELL_HA - 1e-6)
    monkeypatch.setitem(baselines.WAYS, "ladder", lambda *_: wrong)
    with pytest.raises(CheckFailedError, match="below the exact"):
        baselines.run(BELL, ["ladder"])
