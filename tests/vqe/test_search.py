"""The search: it solves a toy, repeats by its seed, and goes on after a kill as never stopped."""

from __future__ import annotations

import copy
import itertools
import math

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from toolkit.core import checkpoint
from toolkit.core.errors import DivergedError
from toolkit.core.run import Run
from toolkit.core.trainer import Trainer
from toolkit.vqe.archive import CHEMICAL_ACCURACY_HA
from toolkit.vqe.config import VqeSearchConfig
from toolkit.vqe.environment import Environment
from toolkit.vqe.search import Search
from toolkit.vqe.verification import verify

CPU = torch.device("cpu")
AGENT = {
    "hidden": [32, 32],
    "batch_size": 16,
    "warmup": 20,
    "replay": 60,  # so small that it wraps
    "epsilon_decay": 0.98,
    "target_every": 7,
    "learning_rate": 2e-3,
}
CURRICULUM = {"threshold_ha": 1e-6}


def config_of(seed=0, steps=30, **parts):
    given = {"environment": {"max_gates": 5}, "curriculum": CURRICULUM, **parts}
    given["agent"] = {**AGENT, **parts.get("agent", {})}
    return VqeSearchConfig(seed=seed, steps=steps, evaluate_every=10, device="cpu", **given)


def search_of(toy, config):
    return Search(Environment(toy, config.environment), config, CPU, lambda *_: {})


def leaves(value, path=""):
    """Every number, string and tensor of a state by its place; clocks left out."""
    if isinstance(value, dict):
        parts = value.items()
    elif isinstance(value, list | tuple):
        parts = enumerate(value)
    else:
        is_tensor = isinstance(value, torch.Tensor | np.ndarray)
        return {path: (value.shape, value.tolist()) if is_tensor else value}
    found = {}
    for key, part in parts:
        if key != "trained_s":
            found |= leaves(part, f"{path}/{key}")
    return found


def state(search):
    return leaves(search.state_dict())


@pytest.mark.parametrize("seed", range(2))
def test_an_agent_solves_two_qubits_exactly(toy, seed):
    agent = {"replay": 2000, "warmup": 100, "batch_size": 32, "epsilon_decay": 0.99}
    search = search_of(toy, config_of(seed, agent=agent))
    for i in range(200):
        search.step(i)
    steps, circuits = search.greedy()
    assert steps[-1].success and steps[-1].error < 1e-6
    assert verify(circuits[-1], toy, steps[-1].energy)["agrees"]
    best = search.archive.best(toy.ground_energy + CHEMICAL_ACCURACY_HA)
    # cos|01> + sin|10>: two rotations side by side, then a CNOT
    assert best.circuit.cost[:3] == (2, 3, 1)
    assert search.evaluate(200)["greedy/error_ha"] < 1e-6


def test_what_is_shortened_is_kept_apart_and_returned_to(toy):
    search = search_of(toy, config_of(**VARIANTS["look-ahead"]))
    stepped(search, 0, 60)
    below = toy.ground_energy + search.threshold.value_ha
    assert len(search.shortened) > 0
    for entry in search.shortened:
        assert entry.energy_ha < below
        assert verify(entry.circuit, toy, entry.energy_ha)["agrees"]
    cheapest, found = search.shortened.best(below), search.archive.best(below)
    assert cheapest.circuit.cost.gates <= found.circuit.cost.gates
    assert 0 < search.elite.added < search.replay.added


VARIANTS = {
    "plain": {},
    "shrinking": {
        "environment": {"max_gates": 5, "halting": "shrinking", "halting_slack": 1},
        "agent": {"n_step": 1},
    },
    "noisy": {
        "environment": {
            "max_gates": 6,
            "halting": "negative-binomial",
            "halting_min": 2,
            "start": "hartree-fock",
            "noise": {"shots": 20},
        },
        "curriculum": {"kind": "moving", "every": 4, "threshold_ha": 0.01},
    },
    "moments": {
        "environment": {"max_gates": 5, "e_min": "lower-bound", "rotations": ["RY"]},
        "curriculum": {"kind": "moving", "every": 9, "successes": 2, "threshold_ha": 0.5},
        "agent": {
            "encoding": "moments",
            "network": {"stem_channels": 4, "stem_kernel": 3, "channels": [4]},
        },
    },
    "look-ahead": {
        "environment": {"max_gates": 5, "look_ahead": True},
        "agent": {"elite_share": 0.25},
        "shorten": True,
    },
    "published": {
        "environment": {"max_gates": 4, "angles": {"method": "cobyla", "iterations": 8}},
        "agent": {"encoding": "paper", "return_share": 0.0},
    },
}


def stepped(search, first, last):
    return [search.step(i) for i in range(first, last)]


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_killed_search_goes_on_as_if_never_stopped(tmp_path, toy, variant):
    config = config_of(**VARIANTS[variant])
    whole, figures, kills = search_of(toy, config), [], (1, 13, 24)
    for first, last in itertools.pairwise((0, *kills, 30)):
        figures += stepped(whole, first, last)
        if last in kills:
            checkpoint.save(tmp_path, last, whole.state_dict())
    assert whole.agent.updates > 20 and whole.replay.added > config.agent.replay
    for kill in kills:
        again = search_of(toy, config)
        stepped(again, 0, 2)  # what it did before is forgotten
        saved = checkpoint.load(tmp_path / checkpoint.name_of(kill))[1]
        again.load_state_dict(saved)
        assert again.trained_s == saved["trained_s"] > 0
        assert stepped(again, kill, 30) == figures[kill:]
        assert state(again) == state(whole)


@pytest.mark.parametrize("variant", ["plain", "noisy"])
def test_a_seed_repeats_a_search_and_another_does_not(toy, variant):
    one, same, other = (search_of(toy, config_of(seed, **VARIANTS[variant])) for seed in (1, 1, 2))
    for search in (one, same, other):
        stepped(search, 0, 15)
    assert state(one) == state(same)
    assert one.history != other.history
    assert state(one) != state(other)


@pytest.mark.parametrize("variant", VARIANTS)
def test_evaluating_changes_nothing(toy, variant):
    search, alone = (search_of(toy, config_of(**VARIANTS[variant])) for _ in range(2))
    stepped(search, 0, 15)
    before = state(search)
    first = search.evaluate(15)
    assert state(search) == before and search.evaluate(15) == first
    assert stepped(search, 15, 25) == stepped(alone, 0, 25)[15:]  # nor what comes after


@pytest.mark.parametrize("variant", VARIANTS)
def test_what_is_told_of_an_episode_is_finite_and_true(toy, variant):
    search = search_of(toy, config_of(**VARIANTS[variant]))
    noisy = search.config.environment.noise.shots is not None
    zero = search.environment.e_min
    for i in range(30):
        told = search.step(i)
        assert all(math.isfinite(value) for value in told.values())
        error, threshold, gates = search.history[-1]
        assert (error, threshold, gates) == (told["error_ha"], told["threshold_ha"], told["gates"])
        assert 1 <= gates <= search.environment.max_gates
        assert error >= toy.ground_energy - zero - 1e-9
        assert told["success"] is (error < threshold) or noisy
    assert np.isfinite([entry.energy_ha for entry in search.archive]).all()
    assert len(search.history) == 30


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"noise": {"shots": 20}},
        {"noise": {"depolarising_2": 0.1}},
        {"look_ahead": True},
        {"angles": {"method": "cobyla", "iterations": 8}},
    ],
)
def test_the_archive_holds_energies_of_the_states_themselves(toy, settings):
    search = search_of(toy, config_of(environment={"max_gates": 5, **settings}))
    stepped(search, 0, 20)
    assert len(search.archive) > 1
    for entry in search.archive:
        checked = verify(entry.circuit, toy, entry.energy_ha)
        assert checked["agrees"] and -1 <= entry.episode < 20


@pytest.mark.parametrize(
    "changes",
    [
        {"environment": {"look_ahead": True, "angles": {"method": "cobyla"}}},
        {"environment": {"look_ahead": True, "angles": {"last": 3}}},
        {"environment": {"look_ahead": True, "noise": {"shots": 20}}},
        {"environment": {"noise": {"depolarising_1": 0.1}}, "shorten": True},
        {"environment": {"rotations": ["RY", "RY"]}},
    ],
)
def test_settings_that_contradict_each_other_are_refused(changes):
    with pytest.raises(ValidationError):
        config_of(**changes)


def lengths(toy, n_episodes, **environment):
    search = search_of(toy, config_of(environment={"max_gates": 20, **environment}))
    return search, [search._length() for _ in range(n_episodes)]


def test_lengths_of_episodes(toy):
    assert set(lengths(toy, 9)[1]) == {20}
    _, drawn = lengths(toy, 3000, halting="negative-binomial", halting_min=10)
    assert (min(drawn), max(drawn)) == (10, 20)
    expected = np.clip(np.random.default_rng(0).negative_binomial(20, 0.573, 9000), 10, 20).mean()
    assert np.mean(drawn) == pytest.approx(expected, abs=0.3)
    search, drawn = lengths(toy, 200, halting="shrinking", halting_slack=3)
    assert set(drawn) == {19, 20}  # no success yet
    search.shortest = 5
    assert {search._length() for _ in range(200)} == {4, 5, 6, 7, 8}
    search.shortest = 1
    assert {search._length() for _ in range(200)} == {1, 2, 3, 4}


def test_episodes_return_to_legal_beginnings_that_leave_room(toy):
    search = search_of(toy, config_of(agent={"return_share": 0.9}))
    stepped(search, 0, 20)
    environment, begun = search.environment, []
    for _ in range(200):
        environment.reset(-1.0, length=4)
        begun.append(search._beginning())
        for action in begun[-1]:
            assert environment.legal()[action]
            environment.step(action)
    assert {0, 1} <= {len(word) for word in begun} <= {0, 1, 2, 3}
    never = search_of(toy, config_of(agent={"return_share": 0.0}))
    assert not any(never._beginning() for _ in range(200))


def test_the_shortest_success_is_remembered(toy):
    search = search_of(toy, config_of(agent={"return_share": 0.5}))
    told = stepped(search, 0, 120)
    solved = [figures["gates"] for figures in told if figures["success"]]
    assert solved and search.shortest == min(solved) < search.environment.max_gates
    hopeless = search_of(toy, config_of(curriculum={"threshold_ha": 1e-15}))
    assert not any(figures["success"] for figures in stepped(hopeless, 0, 5))
    assert hopeless.shortest == 5


def without_clock(line):
    return {key: value for key, value in line.items() if key != "time_s"}


class KilledError(Exception):
    """What stands for a kill between two steps."""


def test_the_trainer_drives_and_resumes_a_search(tmp_path, toy, monkeypatch):
    config = config_of(checkpoint_every_s=0)  # a checkpoint after every episode
    runs = [Run.create(tmp_path, "vqe", "search", config) for _ in range(2)]
    whole, killed = (search_of(toy, config) for _ in range(2))
    result = Trainer(runs[0], config).fit(whole)
    assert (result["steps"], result["stopped_by"]) == (30, "done")
    step = killed.step

    def dies(i):
        if i == 17:
            raise KilledError
        return step(i)

    monkeypatch.setattr(killed, "step", dies)
    with pytest.raises(KilledError):
        Trainer(runs[1], config).fit(killed)
    again = search_of(toy, config)
    Trainer(runs[1], config).fit(again)
    assert state(again) == state(whole)
    one, other = ([without_clock(line) for line in run.metrics] for run in runs)
    assert one == other and [line["step"] for line in one] == [10, 20, 30]
    assert {"train/error_ha", "greedy/error_ha"} <= one[-1].keys()


def test_an_energy_that_is_no_number_ends_the_run_and_is_never_kept(tmp_path, toy, monkeypatch):
    config = config_of(checkpoint_every_s=0)
    search, run = search_of(toy, config), Run.create(tmp_path, "vqe", "search", config)
    measured = search.environment._measured
    monkeypatch.setattr(
        search.environment,
        "_measured",
        lambda ideal: math.nan if len(search.history) == 13 else measured(ideal),
    )
    with pytest.raises(DivergedError, match="error_ha"):
        Trainer(run, config).fit(search)
    assert [line["step"] for line in run.metrics] == [10]
    numbers = [value for line in run.metrics for value in line.values()]
    step, kept = checkpoint.load_newest(run.checkpoints)
    assert step == 13 and np.isfinite([*numbers, *kept["history"].ravel()]).all()
    assert np.isfinite([entry["energy_ha"] for entry in kept["archive"]]).all()


def test_a_lucky_measurement_shortens_no_later_episode(toy):
    noise = {"shots": 1}  # one drawn outcome is often far below the ground state
    # of two gates none is within the threshold
    environment = {"max_gates": 2, "halting": "shrinking", "noise": noise}
    search = search_of(toy, config_of(environment=environment))
    stepped(search, 0, 40)
    assert len({gates for _, _, gates in search.history}) > 1  # some measured below the threshold
    assert search.shortest == search.environment.max_gates


def test_to_judge_the_best_agent_costs_nothing_that_was_found(toy):
    search = search_of(toy, config_of())
    stepped(search, 0, 12)
    best = copy.deepcopy(search.state_dict())
    stepped(search, 12, 30)
    after = search.state_dict()
    search.take_model(best)
    now = search.state_dict()
    assert leaves(now["agent"]) == leaves(best["agent"]) != leaves(after["agent"])
    assert {k: leaves(v) for k, v in now.items() if k != "agent"} == {
        k: leaves(v) for k, v in after.items() if k != "agent"
    }
