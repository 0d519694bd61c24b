"""Shortening and polishing circuits: what is removed, what is kept, what is said about it."""

from __future__ import annotations

import numpy as np
import pytest
from random_circuits import random_circuit
from random_operators import random_operator

from toolkit.vqe import verification
from toolkit.vqe.archive import CHEMICAL_ACCURACY_HA
from toolkit.vqe.circuits import Circuit, Gate
from toolkit.vqe.operators import operator_files
from toolkit.vqe.operators.hamiltonian import Hamiltonian
from toolkit.vqe.peers.ladders import best_ladder
from toolkit.vqe.postprocessing import polish, shorten

# ground state RY(-pi/2) on qubit 0 alone, at -1 - 0.5
ONE_TURN = Hamiltonian(2, ("XI", "IZ"), np.array([1.0, -0.5]))


def with_rubbish():
    """One useful rotation in two halves, two CNOTs that cancel, one without control, a RZ."""
    return Circuit(
        2,
        (
            Gate("CNOT", (1, 0)),
            Gate("RY", (0,), -np.pi / 4),
            Gate("RZ", (1,), 0.3),
            Gate("RY", (0,), -np.pi / 4),
            Gate("CNOT", (0, 1)),
            Gate("CNOT", (0, 1)),
        ),
    )


def test_shorten_leaves_the_one_gate_that_is_needed():
    found = shorten(with_rubbish(), ONE_TURN, -1.5 + 1e-6)
    assert [gate[:2] for gate in found.circuit.gates] == [("RY", (0,))]
    assert found.circuit.angles == pytest.approx([-np.pi / 2], abs=1e-5)
    assert found.removed == 5
    assert (found.energy_before_ha, found.energy_ha) == pytest.approx((-1.5, -1.5))


def test_rotations_that_follow_each_other_merge_even_without_restarts():
    halves = Circuit(1, (Gate("RY", (0,), 2.0), Gate("RY", (0,), -0.5)))
    found = shorten(halves, Hamiltonian(1, ("X",), np.array([1.0])), -0.99, restarts=0)
    assert found.removed == 1
    assert found.energy_ha == pytest.approx(-1.0)


def test_shorten_removes_nothing_from_a_circuit_that_misses_the_target():
    found = shorten(with_rubbish(), ONE_TURN, -1.6)
    assert found.removed == 0
    assert found.circuit.encoded.tolist() == with_rubbish().encoded.tolist()


def test_shorten_of_no_gates():
    found = shorten(Circuit(2), ONE_TURN, -1.0)
    assert (found.circuit, found.energy_ha, found.removed) == (Circuit(2), -0.5, 0)


def test_a_looser_target_leaves_no_more_gates():
    hamiltonian = random_operator(3, 20, seed=0)
    circuit, energy_ha = best_ladder(hamiltonian, hamiltonian.ground_energy + 1e-6)
    gates = [
        len(shorten(circuit, hamiltonian, energy_ha + slack).circuit.gates)
        for slack in (1e-6, 0.1, 10.0)
    ]
    assert gates == sorted(gates, reverse=True)
    assert gates[2] < gates[0]


def test_shorten_gives_the_same_circuit_again_and_another_simulator_the_same_energy():
    hamiltonian = random_operator(3, 20, seed=2)
    circuit, energy_ha = best_ladder(hamiltonian, hamiltonian.ground_energy + 1e-3)
    target = energy_ha + 0.05
    found = shorten(circuit, hamiltonian, target, seed=3)
    assert found == shorten(circuit, hamiltonian, target, seed=3)
    assert found.removed == len(circuit.gates) - len(found.circuit.gates) > 0
    assert hamiltonian.ground_energy - 1e-9 <= found.energy_ha < target
    assert verification.verify(found.circuit, hamiltonian, found.energy_ha)["agrees"]


def test_polish_moves_angles_alone_to_a_stationary_point():
    from toolkit.vqe.simulator import Simulator

    circuit, hamiltonian = random_circuit(3, 20, seed=1), random_operator(3, 20, seed=0)
    found = polish(circuit, hamiltonian)
    assert found.circuit.encoded.tolist() == circuit.encoded.tolist()
    assert found.removed == 0
    assert found.energy_before_ha == Simulator(hamiltonian).energy(circuit)
    assert hamiltonian.ground_energy - 1e-9 <= found.energy_ha < found.energy_before_ha
    assert np.abs(Simulator(hamiltonian).gradient(found.circuit)[1]).max() < 1e-5


def test_polish_leaves_a_minimum_alone():
    best = Circuit(2, (Gate("RY", (0,), -np.pi / 2),))
    found = polish(best, ONE_TURN)
    assert found.energy_ha <= found.energy_before_ha
    assert found.circuit.angles == pytest.approx(best.angles, abs=1e-6)


def test_a_ladder_for_lih_shrinks_and_stays_chemically_accurate(operators):
    path = next(operators.glob("LiH_4q*_2.2_parity.npz"))
    hamiltonian = operator_files.read(path)
    target = hamiltonian.ground_energy + CHEMICAL_ACCURACY_HA
    circuit, _ = best_ladder(hamiltonian, target)
    found = shorten(circuit, hamiltonian, target)
    assert found.circuit.cost.gates <= 12
    assert found.circuit.cost.depth < circuit.cost.depth
    assert verification.verify(found.circuit, hamiltonian)["chemical_accuracy"]
