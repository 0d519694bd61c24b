from __future__ import annotations

import gymnasium
import numpy as np
import pytest
import torch
from commands import answer

from toolkit.core.errors import ConfigError, DivergedError
from toolkit.core.run import Run
from toolkit.rl import environments
from toolkit.rl.agents.networks import Actor
from toolkit.rl.agents.policy import Policy
from toolkit.rl.agents.standardisation import Standardisation
from toolkit.rl.config import RlRunConfig
from toolkit.rl.evaluation import Evaluator, Returns
from toolkit.rl.loaded import load_policy
from toolkit.rl.stored import save_policy


def still(rows):
    return np.zeros((len(rows), 1), np.float32)


def hopping(rows):
    return np.tile(np.array([0.2, -0.1, 0.3], np.float32), (len(rows), 1))


def one_by_one(env_id, act, seeds):
    """The same by the plainest loop."""
    with gymnasium.make(env_id) as env:
        for seed in seeds:
            observation, _ = env.reset(seed=seed)
            total, length, terminated, truncated = 0.0, 0, False, False
            while not (terminated or truncated):
                action = act(observation[None])[0]
                observation, reward, terminated, truncated, _ = env.step(action)
                total, length = total + float(reward), length + 1
            yield total, length, terminated


@pytest.mark.parametrize(("env_id", "act"), [("Pendulum-v1", still), ("Hopper-v5", hopping)])
def test_episodes_are_those_of_a_plain_loop(env_id, act):
    found = Evaluator(env_id, {}, 4, seed=5)(act)
    rows = list(zip(found.returns, found.lengths, found.terminated))
    assert rows == list(one_by_one(env_id, act, range(5, 9)))


def test_an_evaluator_gives_the_same_every_time():
    with Evaluator("Hopper-v5", {}, 3, seed=0) as evaluator:
        first, again = evaluator(hopping), evaluator(hopping)
    assert first.returns.tolist() == again.returns.tolist()
    assert len(set(first.returns)) == 3  # each has a start of its own


def test_an_episode_is_the_same_whatever_the_others():
    def act(rows):  # as matrix products, which round a row by its neighbours, but by more
        return hopping(rows) * rows.mean()

    together = Evaluator("Hopper-v5", {}, 3, seed=0)(act).returns.tolist()
    alone = [Evaluator("Hopper-v5", {}, 1, seed=k)(act).returns[0] for k in range(3)]
    assert together == alone


def test_truncation_is_not_termination():
    pendulum = Evaluator("Pendulum-v1", {}, 2, seed=0)(still)
    assert pendulum.lengths.tolist() == [200, 200] and not pendulum.terminated.any()
    assert Evaluator("Hopper-v5", {}, 2, seed=0)(hopping).terminated.all()


def test_arguments_reach_the_environment():
    lighter = Evaluator("Pendulum-v1", {"g": 1.0}, 1, seed=0)(still)
    assert lighter.returns != Evaluator("Pendulum-v1", {}, 1, seed=0)(still).returns


def test_an_unknown_environment_is_refused():
    with pytest.raises(ConfigError, match="Pendulun"):
        Evaluator("Pendulun-v1", {}, 1, seed=0)(still)


def test_an_action_that_is_no_number_is_divergence_at_its_step():
    def act(rows):
        return still(rows) if rows[0, 2] != act.start else still(rows) * np.nan

    with gymnasium.make("Pendulum-v1") as env:
        act.start = env.reset(seed=7)[0][2]
    with pytest.raises(DivergedError, match="action") as caught:
        Evaluator("Pendulum-v1", {}, 1, seed=7)(act)
    assert "seed 7, step 0" in caught.value.where


class Broken(gymnasium.Env):
    """Gives what is no number at its third step."""

    observation_space = gymnasium.spaces.Box(-1, 1, (1,))
    action_space = gymnasium.spaces.Box(-1, 1, (1,))

    def __init__(self, reward=0.0, observation=0.0):
        self.values, self.steps = (observation, reward), 0

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.steps = 0
        return np.zeros(1, np.float32), {}

    def step(self, action):
        self.steps += 1
        observation, reward = self.values if self.steps == 3 else (0.0, 0.0)
        return np.full(1, observation, np.float32), reward, False, False, {}


@pytest.mark.parametrize("name", ["reward", "observation"])
def test_an_environment_that_gives_no_number_is_divergence(monkeypatch, name):
    monkeypatch.setattr(environments, "make", lambda *_: Broken(**{name: float("inf")}))
    with pytest.raises(DivergedError, match=name) as caught:
        Evaluator("Broken-v0", {}, 1, seed=0)(still)
    assert "step 3" in caught.value.where


def test_an_episode_that_never_ends_is_cut(monkeypatch):
    monkeypatch.setattr(environments, "make", lambda *_: Broken())
    monkeypatch.setattr("toolkit.rl.evaluation.LONGEST", 50)
    found = Evaluator("Broken-v0", {}, 1, seed=0)(still)
    assert found.lengths.tolist() == [50] and not found.terminated.any()


def test_a_summary_has_mean_deviation_and_interval():
    found = Returns(np.array([1.0, 2.0, 6.0]), np.array([3, 4, 5]), np.array([True, False, True]))
    said = found.summary()
    assert said["return_mean"] == 3.0 and said["return_sd"] == pytest.approx(7**0.5)
    low, high = said["return_ci95"]
    assert 1.0 <= low < 3.0 < high <= 6.0
    assert said["lengths"] == [3, 4, 5] and said["terminated"] == [True, False, True]


def test_one_episode_has_no_interval():
    said = Returns(np.array([1.0]), np.array([3]), np.array([True])).summary()
    assert said["return_sd"] is None and said["return_ci95"] is None


@pytest.fixture
def run(tmp_path):
    env = environments.make("Pendulum-v1", {})
    spaces = environments.spaces_of(env)
    env.close()
    torch.manual_seed(0)
    policy = Policy(spaces, Actor([3, 8, 1], "relu"), Standardisation(3), squash=False)
    config = RlRunConfig(env="Pendulum-v1", label="acer", hidden=(8,), activation="relu")
    made = Run.create(tmp_path, "rl", "run", config)
    save_policy(made.path, policy, config, [0.5])
    return made


def test_the_command_says_what_the_function_finds(run):
    said = answer("rl", "evaluate", run.path, "--episodes", 3, "--seed", 9)
    found = Evaluator("Pendulum-v1", {}, 3, seed=9)(load_policy(run.path))
    assert said["returns"] == found.returns.tolist()
    assert (said["env"], said["label"]) == ("Pendulum-v1", "acer")
    assert (said["episodes"], said["seed"]) == (3, 9)
    assert "stochastic" not in said


def test_the_command_scores_exploration_beside_the_mode(run):
    words = ("rl", "evaluate", run.path, "--episodes", 2, "--stochastic")
    said = answer(*words)
    assert said["stochastic"]["sigma"] == [0.5]
    assert said["stochastic"]["returns"] != said["returns"]
    assert said == answer(*words)
