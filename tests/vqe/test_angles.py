"""Angles: the closed form against a scan, BFGS against SciPy's, and circuits that grow."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_circuits import random_circuit
from random_operators import random_operator
from scipy.optimize import minimize

from toolkit.vqe.angles import Angles, bfgs, closed_form, extend, rotosolve
from toolkit.vqe.circuits import Circuit, Gate
from toolkit.vqe.config import AnglesConfig
from toolkit.vqe.simulator import Simulator

SEEDS = range(6)


def case(n, n_gates, seed):
    """A circuit, its encoded gates and a simulator."""
    circuit = random_circuit(n, n_gates, seed)
    return circuit, circuit.encoded, Simulator(random_operator(n, 12, seed))


@settings(max_examples=50)
@given(st.integers(2, 4), st.integers(0, 10_000), st.data())
def test_the_closed_form_is_the_minimum_over_its_angle(n, seed, data):
    circuit, gates, simulator = case(n, 15, seed)
    angles = circuit.angles.copy()
    r = data.draw(st.integers(0, len(angles) - 1))
    energy, curvature = closed_form(gates, angles, n, simulator.operator, r)
    others = np.arange(len(angles)) != r
    assert np.array_equal(angles[others], circuit.angles[others])
    scan = np.linspace(-np.pi, np.pi, 181)
    scanned = [
        simulator.energy(circuit.with_angles(np.where(others, angles, angle))) for angle in scan
    ]
    assert energy == pytest.approx(simulator.energy(circuit.with_angles(angles)), abs=1e-12)
    assert min(scanned) - 1e-3 * curvature <= energy + 1e-12  # a step is 2 degrees
    assert energy <= min(scanned) + 1e-12
    assert curvature == pytest.approx((max(scanned) - energy) / 2, abs=1e-3 * curvature + 1e-12)


def test_an_angle_that_changes_nothing_becomes_zero():
    simulator = Simulator(random_operator(1, 3, 0))
    angles = np.array([2.0])
    gates = Circuit(1, (Gate("RZ", (0,), 2.0),)).encoded  # a phase of |0>
    energy, _ = closed_form(gates, angles, 1, simulator.operator, 0)
    assert angles[0] == 0 and energy == pytest.approx(simulator.energy(Circuit(1)), abs=1e-14)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("n", [2, 4])
def test_bfgs_stops_where_the_gradient_is_small_and_keeps_its_matrix_symmetric(n, seed):
    circuit, gates, simulator = case(n, 20, seed)
    angles = circuit.angles.copy()
    inverse = np.eye(len(angles))
    energy, calls = bfgs(gates, angles, n, simulator.operator, inverse, 1e-6, 1000)
    found, gradient = simulator.gradient(circuit.with_angles(angles))
    assert np.abs(gradient).max() < 1e-6 and calls > 1
    assert energy == pytest.approx(found, abs=1e-12)
    assert energy < simulator.energy(circuit)
    np.testing.assert_allclose(inverse, inverse.T, rtol=1e-9, atol=1e-9)
    assert np.linalg.eigvalsh((inverse + inverse.T) / 2).min() > 0


@pytest.mark.parametrize("seed", SEEDS)
def test_bfgs_finds_scipys_minimum(seed):
    """Near a minimum both must fall into it; elsewhere line searches may part."""
    circuit, gates, simulator = case(2, 9, seed)
    angles = circuit.angles.copy()
    bfgs(gates, angles, 2, simulator.operator, np.eye(len(angles)), 1e-3, 1000)
    angles += 0.05 * np.random.default_rng(seed).normal(size=len(angles))
    peer = minimize(
        lambda x: simulator.gradient(circuit.with_angles(x)),
        angles,
        jac=True,
        method="BFGS",
        options={"gtol": 1e-7},
    )
    inverse = np.eye(len(angles))
    energy, _ = bfgs(gates, angles, 2, simulator.operator, inverse, 1e-7, 1000)
    assert energy == pytest.approx(peer.fun, abs=1e-8)


def test_bfgs_with_no_angle_or_no_iteration_only_tells_the_energy():
    circuit, gates, simulator = case(3, 12, 0)
    angles = circuit.angles.copy()
    inverse = np.eye(len(angles))
    energy, calls = bfgs(gates, angles, 3, simulator.operator, inverse, 1e-6, 0)
    assert calls == 1 and np.array_equal(angles, circuit.angles)
    assert energy == pytest.approx(simulator.energy(circuit), abs=1e-12)
    bare = Circuit.prepared((1, 0, 1))
    energy, _ = bfgs(bare.encoded, np.empty(0), 3, simulator.operator, np.empty((0, 0)), 1e-6, 9)
    assert energy == pytest.approx(simulator.energy(bare), abs=1e-12)


def grown(circuit, config, simulator):
    """Energies and angles after each gate appended in turn."""
    angles = Angles(simulator, Circuit(circuit.n_qubits), len(circuit.gates), config)
    return [(angles.append(row), angles.values.copy()) for row in circuit.encoded]


def without_x(circuit):
    return Circuit(circuit.n_qubits, tuple(g for g in circuit.gates if g.name != "X"))


METHODS = [
    AnglesConfig(),
    AnglesConfig(last=3),
    AnglesConfig(method="rotosolve", iterations=5),
    AnglesConfig(method="rotosolve", iterations=5, last=2),
    AnglesConfig(method="cobyla", iterations=40),
    AnglesConfig(method="cobyla", iterations=20, last=3),
]


@pytest.mark.parametrize("config", METHODS, ids=lambda c: f"{c.method}-{c.last}")
@pytest.mark.parametrize("seed", range(3))
def test_an_appended_rotation_never_raises_the_energy_and_is_told_truly(config, seed):
    circuit = without_x(random_circuit(3, 18, seed))
    simulator = Simulator(random_operator(3, 12, seed))
    before = simulator.energy(Circuit(3))
    for k, (energy, angles) in enumerate(grown(circuit, config, simulator), start=1):
        so_far = Circuit(3, circuit.gates[:k])
        assert energy == pytest.approx(simulator.energy(so_far.with_angles(angles)), abs=1e-10)
        if circuit.gates[k - 1].name != "CNOT":
            assert energy <= before + 1e-10
        before = energy


@settings(max_examples=40)
@given(st.integers(2, 4), st.integers(0, 10_000))
def test_extending_by_a_rotation_never_raises_the_energy(n, seed):
    circuit = without_x(random_circuit(n, 16, seed))
    circuit = Circuit(n, (*circuit.gates, Gate("RY", (0,), 0.0)))
    simulator = Simulator(random_operator(n, 12, seed))
    angles, inverse = circuit.angles.copy(), np.eye(circuit.cost.rotations)
    before = simulator.energy(Circuit(n, circuit.gates[:-1]))
    energy = extend(circuit.encoded, angles, n, simulator.operator, inverse, 1e-6, 200)
    assert energy <= before + 1e-10
    assert energy == pytest.approx(simulator.energy(circuit.with_angles(angles)), abs=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_what_the_matrix_held_of_an_angle_before_it_is_new_does_not_count(seed):
    circuit = without_x(random_circuit(3, 16, seed))
    circuit = Circuit(3, (*circuit.gates, Gate("RY", (0,), 0.0)))
    simulator, found = Simulator(random_operator(3, 12, seed)), []
    for left_over in (0.0, 5.0, np.nan):
        angles, inverse = circuit.angles.copy(), np.eye(circuit.cost.rotations)
        inverse[-1, :] = inverse[:, -1] = left_over
        energy = extend(circuit.encoded, angles, 3, simulator.operator, inverse, 1e-6, 200)
        np.testing.assert_allclose(inverse, inverse.T, rtol=1e-6, atol=1e-6)
        found.append((energy, *angles))
    assert found[0] == found[1] == found[2]


def test_bfgs_leaves_every_circuit_on_the_way_at_a_minimum():
    circuit = without_x(random_circuit(4, 24, 3))
    simulator = Simulator(random_operator(4, 20, 3))
    for k, (_, angles) in enumerate(grown(circuit, AnglesConfig(), simulator), start=1):
        _, gradient = simulator.gradient(Circuit(4, circuit.gates[:k]).with_angles(angles))
        assert np.abs(gradient).max(initial=0) < 1e-5


@pytest.mark.parametrize("seed", SEEDS)
def test_rotosolve_lowers_the_energy_with_every_sweep(seed):
    circuit, gates, simulator = case(3, 15, seed)
    angles, energies = circuit.angles.copy(), [simulator.energy(circuit)]
    for _ in range(5):
        energies.append(rotosolve(gates, angles, 3, simulator.operator, 0, 1))
    assert energies[-1] < energies[0] and np.diff(energies).max() <= 1e-12
    assert energies[-1] == pytest.approx(simulator.energy(circuit.with_angles(angles)), abs=1e-12)


@pytest.mark.parametrize("method", ["bfgs", "cobyla", "rotosolve"])
@pytest.mark.parametrize("last", [1, 3])
def test_last_moves_only_the_last_angles(method, last):
    circuit = without_x(random_circuit(3, 20, 1))
    simulator = Simulator(random_operator(3, 12, 1))
    config = AnglesConfig(method=method, last=last, iterations=20)
    steps = [angles for _, angles in grown(circuit, config, simulator)]
    moved = 0
    for before, after in itertools.pairwise(steps):
        kept = max(0, len(after) - last)
        assert np.array_equal(before[:kept], after[:kept])
        moved += not np.array_equal(before[kept:], after[kept : len(before)])
    assert len(steps[-1]) > last and (last == 1 or moved > 0)


@pytest.mark.parametrize("config", METHODS, ids=lambda c: f"{c.method}-{c.last}")
def test_reset_forgets_the_circuit_before(config):
    simulator = Simulator(random_operator(3, 12, 0))
    one, other = (without_x(random_circuit(3, 12, seed)) for seed in (1, 2))
    angles = Angles(simulator, Circuit(3), 12, config)
    for row in one.encoded:
        angles.append(row)
    angles.reset()
    assert len(angles.values) == 0
    again = [angles.append(row) for row in other.encoded]
    assert again == [energy for energy, _ in grown(other, config, simulator)]


def test_prepared_gates_stay_before_the_appended_ones():
    simulator = Simulator(random_operator(2, 8, 0))
    angles = Angles(simulator, Circuit.prepared((1, 1)), 2, AnglesConfig())
    gates = (*Circuit.prepared((1, 1)).gates, Gate("RY", (0,), 0.0), Gate("CNOT", (0, 1)))
    for _ in range(2):  # also after a reset
        energies = [angles.append(row) for row in Circuit(2, gates).encoded[2:]]
        circuit = Circuit(2, gates).with_angles(angles.values)
        assert energies[-1] == pytest.approx(simulator.energy(circuit), abs=1e-12)
        angles.reset()
