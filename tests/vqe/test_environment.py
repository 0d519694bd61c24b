"""The Markov decision process: rewards by hand, ends, costs and energies of random episodes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_operators import random_operator

from toolkit.core.errors import ConfigError
from toolkit.vqe.config import EnvironmentConfig
from toolkit.vqe.environment import Environment
from toolkit.vqe.noise import depolarising
from toolkit.vqe.operators.hamiltonian import Hamiltonian
from toolkit.vqe.simulator import Simulator
from toolkit.vqe.verification import verify

# by hand from the toy's terms, in Hartree: |00>, |01>, |11> and the ground state
ZEROS = -1.0523732 - 0.0112801
HARTREE_FOCK = -1.0523732 - 2 * 0.3979374 + 0.0112801
ONES = -1.0523732 - 0.0112801
GROUND = -1.0523732 + 0.0112801 - np.hypot(2 * 0.3979374, 0.1809312)


def number(environment, name, *wires):
    return environment.actions.number[name, wires]


def test_rewards_are_shares_of_the_gap_and_success(toy_environment):
    environment = toy_environment()
    seen = environment.reset(1e-6)
    assert seen.energy == pytest.approx(ZEROS) and seen.threshold == 1e-6
    assert environment.e_min == pytest.approx(GROUND)
    first = environment.step(number(environment, "RY", 1))
    assert first.energy == pytest.approx(HARTREE_FOCK)
    assert first.error == pytest.approx(HARTREE_FOCK - GROUND)
    assert first.reward == pytest.approx((ZEROS - HARTREE_FOCK) / (ZEROS - GROUND))
    second = environment.step(number(environment, "RY", 0))
    assert second.reward == pytest.approx(0, abs=1e-9) and not second.done
    third = environment.step(number(environment, "CNOT", 0, 1))
    assert third == pytest.approx((GROUND, 0, 5.0, True, True), abs=1e-9)


def test_a_lost_energy_costs_no_more_than_one(toy_environment):
    environment = toy_environment(start="hartree-fock")
    environment.reset(1e-6)
    step = environment.step(number(environment, "CNOT", 1, 0))
    assert step.energy == pytest.approx(ONES)
    assert (ONES - HARTREE_FOCK) / (HARTREE_FOCK - GROUND) > 1 and step.reward == -1


def test_costs_are_taken_from_the_reward(toy_environment):
    settings = {"start": "hartree-fock", "depth_cost": 0.25, "cnot_cost": 0.125}
    environment = toy_environment(**settings)
    environment.reset(1e-6)
    assert environment.cost.depth == 1  # of the X
    beside = environment.step(number(environment, "RY", 0))
    assert beside.reward == pytest.approx(0, abs=1e-9)  # no new layer, nothing gained
    solved = environment.step(number(environment, "CNOT", 0, 1))
    assert solved.reward == pytest.approx(5 - 0.25 - 0.125)
    environment.reset(1e-6)
    lost = environment.step(number(environment, "CNOT", 1, 0))
    assert lost.reward == -1 - 0.25 - 0.125


def test_a_full_episode_without_success_fails(toy_environment):
    environment = toy_environment(success_reward=3, failure_reward=-2)
    environment.reset(1e-6, length=2)
    assert not environment.step(number(environment, "RY", 0)).done
    last = environment.step(number(environment, "RY", 1))
    assert (last.done, last.success, last.reward) == (True, False, -2)
    environment.reset(0.1, length=1)  # success counts on the last gate too
    assert environment.step(number(environment, "RY", 1))[2:] == (3, True, True)


def test_the_threshold_itself_is_no_success(toy_environment):
    environment = toy_environment()
    environment.reset(0.0)
    error = environment.step(number(environment, "RY", 1)).error
    for threshold, success in ((error, False), (np.nextafter(error, 1), True)):
        environment.reset(threshold)
        assert environment.step(number(environment, "RY", 1)).success == success


def test_an_episode_without_a_legal_action_left_ends_as_a_failure():
    config = EnvironmentConfig(rotations=("RY",))
    environment = Environment(random_operator(1, 3, seed=0), config)
    environment.reset(-1.0)
    step = environment.step(0)
    assert not environment.legal().any()
    assert (step.done, step.success, step.reward) == (True, False, -5)


def episodes(environment, data):
    """Random legal actions with what the environment says of them."""
    environment.reset(-1.0)
    done = False
    while not done:
        action = data.draw(st.sampled_from(np.flatnonzero(environment.legal()).tolist()))
        step = environment.step(action)
        done = step.done
        yield action, step


@settings(max_examples=40)
@given(
    st.data(),
    st.sampled_from(["zero", "hartree-fock"]),
    st.integers(2, 3),
    st.sampled_from(["bfgs", "rotosolve"]),
)
def test_costs_energies_and_actions_are_those_of_the_circuit(data, start, n, method):
    known = random_operator(n, 15, seed=n)
    bits = tuple(data.draw(st.lists(st.integers(0, 1), min_size=n, max_size=n)))
    hamiltonian = Hamiltonian(n, known.paulis, known.coefficients, bits)
    angles = {"method": method, "iterations": 20}
    config = EnvironmentConfig(max_gates=8, start=start, angles=angles)
    environment, peer, chosen = Environment(hamiltonian, config), Simulator(hamiltonian), []
    begun = environment.cost
    assert begun == environment.circuit().cost
    for action, step in episodes(environment, data):
        chosen.append(action)
        circuit, seen = environment.circuit(), environment.observation()
        assert environment.cost == circuit.cost
        assert environment.actions_of(circuit) == chosen == list(seen.actions[: len(chosen)])
        behind = circuit.moments[len(environment.start.gates) :]
        assert tuple(seen.layers[: len(chosen)]) == behind
        assert set(seen.actions[len(chosen) :]) | set(seen.layers[len(chosen) :]) <= {-1}
        assert step.energy == seen.energy == pytest.approx(peer.energy(circuit), abs=1e-10)
        assert -1e-9 <= step.error == pytest.approx(step.energy - hamiltonian.ground_energy)
    checked = verify(environment.circuit(), hamiltonian, step.energy)
    assert checked["agrees"] and checked["depth"] == environment.cost.depth


def test_an_observation_does_not_change_with_the_episode(toy_environment):
    environment = toy_environment()
    seen = environment.reset(1e-6)
    environment.step(0)
    assert set(seen.actions) | set(seen.layers) == {-1}


def test_a_reset_forgets_the_episode_before(toy_environment):
    used, fresh = toy_environment(), toy_environment()
    used.reset(-1.0)
    for name, *wires in (("RX", 0), ("CNOT", 0, 1), ("RY", 0), ("RZ", 1)):
        used.step(number(used, name, *wires))
    for environment in (used, fresh):
        environment.reset(1e-6)
    word = [number(fresh, "RY", 0), number(fresh, "CNOT", 0, 1), number(fresh, "RY", 1)]
    assert [used.step(a) for a in word] == [fresh.step(a) for a in word]
    assert used.circuit() == fresh.circuit()


def test_the_lower_bound_mode_never_asks_for_the_exact_energy(toy, monkeypatch):
    def forbidden(_):
        raise AssertionError("the exact energy was computed")

    monkeypatch.setattr(Hamiltonian, "ground_energy", property(forbidden))
    environment = Environment(toy, EnvironmentConfig(e_min="lower-bound", max_gates=3))
    bound = -1.0523732 - 2 * 0.3979374 - 0.0112801 - 0.1809312
    assert environment.e_min == pytest.approx(bound)
    environment.reset(0.3)
    step = environment.step(number(environment, "RY", 1))
    assert step.error == pytest.approx(HARTREE_FOCK - bound) and step.success
    with pytest.raises(AssertionError, match="exact energy"):
        Environment(toy, EnvironmentConfig(max_gates=3))


def test_a_depolarising_device_is_measured_nearer_to_the_mixed_state(toy, toy_environment):
    noise = {"depolarising_1": 0.05, "depolarising_2": 0.1}
    environment = toy_environment(noise=noise, start="hartree-fock")
    environment.reset(1e-6)
    environment.step(number(environment, "RY", 0))
    step = environment.step(number(environment, "CNOT", 0, 1))
    assert step.energy == pytest.approx(GROUND)  # of the state itself
    measured = depolarising(environment.circuit(), toy, 0.05, 0.1)
    assert environment.energy == pytest.approx(measured)
    assert GROUND + 0.01 < measured < toy.identity
    assert step.error == pytest.approx(measured - GROUND) and not step.success


def shot_errors(environment, seed):
    random = None if seed is None else np.random.default_rng(seed)
    environment.reset(-1.0, random=random)
    word = [number(environment, *gate) for gate in (("RY", 1), ("RY", 0), ("CNOT", 0, 1))]
    return [environment.step(action).error for action in word]


def test_shots_repeat_for_a_stream_and_are_left_out_without_one(toy_environment):
    noisy, exact = toy_environment(noise={"shots": 50}), toy_environment()
    assert shot_errors(noisy, 1) == shot_errors(noisy, 1) != shot_errors(noisy, 2)
    assert shot_errors(noisy, None) == shot_errors(exact, None) == shot_errors(exact, 1)


@settings(max_examples=20)
@given(st.data(), st.sampled_from(["zero", "hartree-fock"]))
def test_a_look_ahead_tells_what_each_action_would_give_and_changes_nothing(data, start):
    known = random_operator(3, 15, seed=3)
    hamiltonian = Hamiltonian(3, known.paulis, known.coefficients, (0, 1, 1))
    looking, blind = (
        Environment(hamiltonian, EnvironmentConfig(max_gates=6, start=start, look_ahead=look))
        for look in (True, False)
    )
    blind.reset(-1.0)
    for action, step in episodes(looking, data):
        assert blind.step(action) == step and blind.circuit() == looking.circuit()
        assert not blind.observation().ahead.any() and np.isnan(blind.energies_ahead).all()
        if step.done:
            break
        legal, energies = looking.legal(), looking.energies_ahead
        assert np.array_equal(np.isfinite(energies), legal)
        for other in np.flatnonzero(legal):
            circuit = looking.circuit_ahead(int(other))
            assert circuit.gates[-1].name == looking.actions.gates[other].name
            assert tuple(looking.costs_ahead()[other]) == circuit.cost[:3]
            found = looking.simulator.energy(circuit)
            assert energies[other] == pytest.approx(found, abs=1e-8)
            errors = [max(e - looking.e_min, 1e-6) for e in (looking.energy, found)]
            decades = np.clip(np.log10(errors[0] / errors[1]), -2, 2)
            assert looking.observation().ahead[other] == pytest.approx(decades, abs=1e-2)
        assert not looking.observation().ahead[~legal].any()


def test_hartree_fock_must_be_known_to_start_from(toy):
    unknown = Hamiltonian(2, toy.paulis, toy.coefficients)
    with pytest.raises(ConfigError, match="no Hartree-Fock state"):
        Environment(unknown, EnvironmentConfig(start="hartree-fock"))


def test_actions_that_can_do_nothing_at_first_are_refused(toy):
    with pytest.raises(ConfigError, match="no action changes"):
        Environment(toy, EnvironmentConfig(rotations=("RZ",)))


def test_what_it_takes_to_be_ready_is_told_and_leaves_nothing(toy_environment):
    for chosen in ({}, {"max_gates": 1}, {"look_ahead": True}):
        environment = toy_environment(**chosen)
        assert environment.compile_s > 0
        assert environment.n_gates == 0 and environment.energy == environment.start_energy
        assert environment.circuit() == environment.start
