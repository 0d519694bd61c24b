"""Continuing environments from a checkpoint, compared bit for bit with never having stopped."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
from gymnasium.envs.registration import register, registry
from gymnasium.spaces import Box

from toolkit.core import checkpoint
from toolkit.core.config import load, preset_path
from toolkit.core.distributed import Ranks
from toolkit.core.errors import RunError
from toolkit.core.run import Run
from toolkit.rl.config import PRESETS, RlRunConfig
from toolkit.rl.environment_state import Physics, Replayed, recorder
from toolkit.rl.environments import Environments, make
from toolkit.rl.tasks import build

V4_LIKE = {"include_cfrc_ext_in_observation": False, "contact_cost_weight": 0}
SHORT = {"max_episode_steps": 40}
MUJOCO = [
    f"{name}-{version}"
    for name in (
        *("Ant", "HalfCheetah", "Hopper", "Humanoid", "HumanoidStandup", "Reacher", "Swimmer"),
        *("InvertedDoublePendulum", "InvertedPendulum", "Pusher", "Walker2d"),
    )
    for version in ("v4", "v5")
    if (name, version) != ("Pusher", "v4")  # of MuJoCo 2 only
]


def random_steps(environments, generator, count):
    """All that ``count`` random steps show."""
    shown = []
    for _ in range(count):
        size = (len(environments.observations), environments.spaces.action_size)
        actions = environments.spaces.scaled(generator.uniform(-1, 1, size))
        step, finished = environments.step(actions)
        shown.append([*step, environments.observations, finished])
    return shown


def saved(environments, folder):
    """Its state, through a checkpoint on the disk."""
    checkpoint.save(folder, 1, {"environments": environments.state_dict()})
    _, state = checkpoint.load_newest(folder)
    return state["environments"]


def assert_equal(shown, again):
    for step, (a, b) in enumerate(zip(shown, again, strict=True)):
        assert a[-1] == b[-1], step
        for x, y in zip(a[:-1], b[:-1]):
            assert np.array_equal(x, y), step


def continues(env_id, args, before, after, folder, other_seed=9):
    """Whether stopping after ``before`` steps changes none of ``after`` more; how many ended."""
    whole = Environments(env_id, args, 2, seed=3)
    random_steps(whole, np.random.default_rng(0), before)
    state = saved(whole, folder)
    resumed = Environments(env_id, args, 2, seed=other_seed)
    resumed.load_state_dict(state)
    assert np.array_equal(resumed.observations, whole.observations)
    expected = random_steps(whole, np.random.default_rng(1), after)
    assert_equal(expected, random_steps(resumed, np.random.default_rng(1), after))
    return sum(len(shown[-1]) for shown in expected)


@pytest.mark.parametrize(
    ("env_id", "args"),
    [
        ("Ant-v5", {}),
        ("Ant-v5", V4_LIKE),
        ("Hopper-v5", {}),
        ("HalfCheetah-v5", {"max_episode_steps": 150}),
        ("Walker2d-v5", {}),
        ("Pendulum-v1", {}),
    ],
)
@pytest.mark.parametrize("before", [0, 57, 230])
def test_continuation_is_bit_equal_within_and_across_episodes(env_id, args, before, tmp_path):
    assert continues(env_id, args, before, 300, tmp_path) >= 2


@pytest.mark.parametrize("env_id", MUJOCO)
def test_every_environment_of_mujoco_continues_bit_equal(env_id, tmp_path):
    assert isinstance(recorder(make(env_id, SHORT)), Physics)
    assert continues(env_id, SHORT, 33, 60, tmp_path) >= 2


def test_state_taken_right_after_an_episode_ended_continues(tmp_path):
    assert continues("Pendulum-v1", SHORT, 40, 100, tmp_path) >= 2
    assert continues("Hopper-v5", {"max_episode_steps": 5}, 5, 100, tmp_path) >= 2


def test_resuming_twice_in_one_episode_is_as_good_as_once(tmp_path):
    whole = Environments("Pendulum-v1", {}, 2, seed=3)
    expected = random_steps(whole, np.random.default_rng(0), 250)
    generator, shown, state = np.random.default_rng(0), [], None
    for count in (210, 20, 20):
        part = Environments("Pendulum-v1", {}, 2, seed=3)
        if state is not None:
            part.load_state_dict(state)
        shown += random_steps(part, generator, count)
        state = saved(part, tmp_path)
    assert_equal(expected, shown)


class Counter(gymnasium.Env):
    """A number that grows by its action and, where ``outside``, by what no seed decides."""

    observation_space = Box(-np.inf, np.inf, (1,), np.float64)
    action_space = Box(-1.0, 1.0, (1,), np.float32)
    made = 0

    def __init__(self, outside="", size=1):
        Counter.made += 1
        self.outside, self.offset = outside, float(Counter.made)
        self.observation_space = Box(-np.inf, np.inf, (size,), np.float64)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.x = float(self.np_random.uniform())
        return np.full(self.observation_space.shape, self.x), {}

    def step(self, action):
        self.x += float(action[0]) + float(self.np_random.normal())
        seen = self.x + (self.offset if self.outside == "observation" else 0)
        reward = self.x + (self.offset if self.outside == "reward" else 0)
        return np.full(self.observation_space.shape, seen), reward, False, False, {}


class Drifting(Counter):
    """Starts or moves by what no seed decides."""

    draws = np.random.default_rng()

    def __init__(self, where):
        super().__init__()
        self.where = where

    def reset(self, *, seed=None, options=None):
        seen, facts = super().reset(seed=seed)
        return seen + (self.draws.normal() if self.where == "reset" else 0), facts

    def step(self, action):
        if self.where == "failure":
            raise OSError("unplugged")
        seen, reward, *rest = super().step(action)
        return seen, reward + (self.draws.normal() if self.where == "step" else 0), *rest


class Course(Counter):
    """Counts its episodes, as one that grows harder does."""

    begun = 0

    def __init__(self):
        super().__init__()
        self.offset = 0.0

    def reset(self, *, seed=None, options=None):
        self.begun += 1
        return super().reset(seed=seed)


@pytest.fixture(autouse=True)
def counter():
    known = {"Counter-v0": Counter, "Counter-v1": Counter, "Course-v0": Course}
    known["Drifting-v0"] = Drifting
    for name, kind in known.items():
        register(name, kind, max_episode_steps=40)
    yield
    for name in known:
        del registry[name]


def test_environment_of_a_user_that_draws_from_np_random_continues(tmp_path):
    assert continues("Counter-v0", {}, 55, 100, tmp_path) >= 2


@pytest.mark.parametrize("env_id", ["Pendulum-v1", "MountainCarContinuous-v0"])
def test_what_the_running_episode_decides_is_not_warned_of(env_id, tmp_path, caplog):
    continues(env_id, {}, 255, 10, tmp_path)
    assert not caplog.records


def test_what_an_environment_keeps_across_episodes_is_named(tmp_path, caplog):
    environments = Environments("Course-v0", {}, 1, seed=0)
    random_steps(environments, np.random.default_rng(0), 95)
    Environments("Course-v0", {}, 1, seed=0).load_state_dict(saved(environments, tmp_path))
    (record,) = caplog.records
    assert "other values than when it was saved: Course.begun (2, before 3)" in record.getMessage()
    assert "Course.x" not in record.getMessage()


@pytest.mark.parametrize("outside", ["observation", "reward"])
def test_environment_that_depends_on_anything_else_is_refused(outside, tmp_path):
    with pytest.raises(RunError, match="Counter-v0 cannot be resumed exactly") as caught:
        continues("Counter-v0", {"outside": outside}, 55, 1, tmp_path)
    assert "np_random" in caught.value.hint


@pytest.mark.parametrize(
    ("where", "is_told"), [("nowhere", False), ("reset", True), ("step", True), ("failure", False)]
)
def test_what_cannot_be_resumed_is_told_when_a_run_begins(where, is_told, tmp_path, caplog):
    sets = ("env=Drifting-v0", f"env_args.where={where}")
    config = load(RlRunConfig, preset=preset_path(PRESETS, "acerax"), sets=sets)
    build(Run.create(tmp_path, "rl", "run", config), config, Ranks())
    assert ("Drifting-v0 does not give the same episode again" in caplog.text) == is_told


def test_mujoco_environment_of_a_user_or_under_another_wrapper_is_played_again():
    class Own(type(make("Hopper-v5", {}).unwrapped)):
        """May keep something beside the physics."""

    assert isinstance(recorder(Own()), Replayed)
    wrapped = gymnasium.wrappers.FrameStackObservation(make("Hopper-v5", {}), 2)
    assert isinstance(recorder(wrapped), Replayed)


def test_another_environment_is_refused():
    state = Environments("Counter-v0", {}, 2, seed=0).state_dict()
    with pytest.raises(RunError, match=r"of 2 × Counter-v0 .*, the run of 2 × Counter-v1"):
        Environments("Counter-v1", {}, 2, seed=0).load_state_dict(state)


def test_another_observation_size_is_refused():
    state = Environments("Counter-v0", {}, 2, seed=0).state_dict()
    with pytest.raises(RunError, match=r"Counter-v0 .* of 1 numbers, .* of 3 numbers"):
        Environments("Counter-v0", {"size": 3}, 2, seed=0).load_state_dict(state)


def test_another_number_of_environments_is_refused():
    state = Environments("Counter-v0", {}, 2, seed=0).state_dict()
    with pytest.raises(RunError, match=r"2 × Counter-v0.*1 × Counter-v0"):
        Environments("Counter-v0", {}, 1, seed=0).load_state_dict(state)


def test_another_model_of_the_same_observation_size_is_refused():
    environments = Environments("Hopper-v5", {}, 1, seed=0)
    state = environments.state_dict()
    state["environments"][0]["physics"] = state["environments"][0]["physics"][:-1]
    with pytest.raises(RunError, match="saved physics have"):
        environments.load_state_dict(state)
