"""Environments by id, their spaces, and stepping several of them."""

from __future__ import annotations

import gc
import os
import sys
import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.envs.registration import register, registry
from gymnasium.spaces import Box, Dict, Discrete, MultiDiscrete

from toolkit.core.errors import ConfigError, DivergedError, UnavailableError
from toolkit.rl import environment_making, evaluation
from toolkit.rl.environments import Environments, Spaces, make, spaces_of
from toolkit.rl.evaluation import Evaluator, Rollout


class Corridor(gymnasium.Env):
    """Walks by its action from a random start; what the tests ask for happens at ``at``."""

    def __init__(self, at=3, event="", observation_space=None, action_space=None):
        self.at, self.event, self.t = at, event, 0
        self.closed = 0
        self.observation_space = observation_space or Box(-np.inf, np.inf, (2,), np.float64)
        self.action_space = action_space or Box(-2.0, 2.0, (1,), np.float32)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.t, self.x = 0, float(self.np_random.uniform())
        return np.array([self.x, np.nan if self.event == "nan reset" else 0.0]), {}

    def close(self):
        self.closed += 1
        if self.event == "stuck":
            raise OSError("does not answer")

    def step(self, action):
        self.t, self.x = self.t + 1, self.x + float(action[0])
        now = self.event if self.t == self.at else ""
        seen = np.array([self.x, np.inf if now == "inf observation" else self.t])
        reward = np.nan if now == "nan reward" else self.x
        return seen, reward, now in ("end", "both"), now in ("cut", "both"), {}


@pytest.fixture(autouse=True)
def corridor():
    register("Corridor-v0", Corridor)
    yield
    del registry["Corridor-v0"]


def acted(environments, steps, seed=0):
    """Observations, rewards and ends of random actions."""
    random, spaces = np.random.default_rng(seed), environments.spaces
    seen = []
    for _ in range(steps):
        actions = random.uniform(-1, 1, (len(environments.observations), spaces.action_size))
        step, finished = environments.step(spaces.scaled(actions))
        seen.append((step, finished, environments.observations))
    return seen


@pytest.mark.parametrize("name", ["Hopper", "HalfCheetah", "Walker2d", "Ant"])
@pytest.mark.parametrize("version", ["v4", "v5"])
def test_mujoco_environments_are_made_without_a_word(name, version, capfd, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    environments = Environments(f"{name}-{version}", {}, 1, seed=0)
    environments.step(np.zeros((1, environments.spaces.action_size), np.float32))
    environments.close()
    assert environments.spaces.time_limit == 1000
    assert capfd.readouterr() == ("", "")
    assert list(tmp_path.iterdir()) == []  # MuJoCo likes to write a log here


def test_physics_that_explode_are_logged_not_written_to_a_file(caplog, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    env = make("Hopper-v5", {})
    env.reset(seed=0)
    env.unwrapped.data.qvel[:] = 1e30
    env.step(np.zeros(3, np.float32))
    assert "MuJoCo" in caplog.text
    assert "unstable" in caplog.text
    assert list(tmp_path.iterdir()) == []


def test_ant_without_contact_forces_is_smaller():
    v4_like = {"include_cfrc_ext_in_observation": False, "contact_cost_weight": 0}
    assert spaces_of(make("Ant-v5", {})).observation_size == 105
    assert spaces_of(make("Ant-v5", v4_like)).observation_size == 27


def test_spaces_of_pendulum():
    spaces = spaces_of(make("Pendulum-v1", {}))
    assert (spaces.observation_size, spaces.action_size, spaces.time_limit) == (3, 1, 200)
    assert (spaces.low, spaces.high) == (-2, 2)


def test_time_limit_is_an_argument_too():
    assert spaces_of(make("Pendulum-v1", {"max_episode_steps": 7})).time_limit == 7


def test_actions_are_clipped_and_moved_into_the_box():
    low, high = np.float32([-2, 0, -0.4]), np.float32([2, 1, 0.4])
    spaces = Spaces(1, low, high, None)
    given = np.float32([[-1, -1, -1], [1, 1, 1], [0, 0, 0], [9, -9, 0.5]])
    expected = np.float32([low, high, [0, 0.5, 0], [2, 0, 0.2]])
    np.testing.assert_allclose(spaces.scaled(given), expected, rtol=1e-6)
    assert spaces.scaled(given).dtype == np.float32


def test_scaled_actions_never_leave_a_box_and_a_unit_box_keeps_them():
    random = np.random.default_rng(0)
    low = random.uniform(-3, 1, 50).astype(np.float32)
    high = low + random.uniform(0, 3, 50).astype(np.float32)
    moved = Spaces(1, low, high, None).scaled(np.float32([[-1] * 50, [1] * 50]))
    assert (low <= moved).all()
    assert (moved <= high).all()
    given = random.uniform(-1, 1, (20, 50)).astype(np.float32)
    one = np.ones(50, np.float32)
    assert np.array_equal(Spaces(1, -one, one, None).scaled(given), given)


def test_actions_without_bounds_keep_their_unit():
    low, high = np.float32([-np.inf, -np.inf, 3]), np.float32([np.inf, -5, np.inf])
    spaces = spaces_of(make("Corridor-v0", {"action_space": Box(low, high)}))
    np.testing.assert_array_equal(spaces.low, [-1, -7, 3])
    np.testing.assert_array_equal(spaces.high, [1, -5, 5])


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("HalfCheeta-v5", "HalfCheetah-v5"),
        ("hopper-v5", "Hopper-v5"),
        ("Hopper-v9", "Hopper-v5"),  # an unknown version
        ("Hopper", "Hopper-v5"),  # the newest is another one some day
    ],
)
def test_unknown_id_names_the_closest(wrong, right):
    with pytest.raises(ConfigError, match=f"{wrong}.*did you mean '{right}'"):
        make(wrong, {})


def test_unlike_any_id_lists_what_there_is():
    with pytest.raises(ConfigError, match=r"known: .*Ant-v5"):
        make("qqqqqqqq", {})


def test_wrong_argument_is_named():
    with pytest.raises(ConfigError, match=r"colour='red'.*unexpected keyword argument 'colour'"):
        make("Hopper-v5", {"colour": "red"})


def test_wrong_value_of_an_argument_is_named():
    with pytest.raises(ConfigError, match=r"xml_file='/none.xml'.*does not exist"):
        make("Hopper-v5", {"xml_file": "/none.xml"})


@pytest.mark.parametrize("space", [Discrete(2), MultiDiscrete([2, 3]), Box(0, 9, (1,), np.int64)])
def test_discrete_actions_are_refused(space):
    with pytest.raises(ConfigError, match=r"actions of 'Corridor-v0' are .*continuous"):
        make("Corridor-v0", {"action_space": space})


@pytest.mark.parametrize(
    "space",
    [Dict({"a": Box(0, 1)}), Box(0, 255, (8, 8, 3), np.uint8), Discrete(4), Box(0, 1, (0,))],
)
def test_observations_that_are_no_vector_are_refused(space):
    with pytest.raises(ConfigError, match=r"observations of 'Corridor-v0'.*one-dim") as caught:
        make("Corridor-v0", {"observation_space": space})
    assert "flatten it with a gymnasium wrapper" in caught.value.hint


def test_matrix_of_actions_is_refused():
    with pytest.raises(ConfigError, match="actions"):
        make("Corridor-v0", {"action_space": Box(-1, 1, (2, 2))})


def test_missing_mujoco_is_unavailable_with_what_to_install(monkeypatch):
    for name in [name for name in sys.modules if name.startswith("gymnasium.envs.mujoco")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "mujoco", None)  # importing it fails
    with pytest.raises(UnavailableError, match="MuJoCo is not installed") as caught:
        make("Hopper-v5", {})
    assert caught.value.hint == 'pip install "gymnasium[mujoco]"'


def test_ids_that_moved_to_another_package_are_unavailable():
    with pytest.raises(UnavailableError, match="gymnasium-robotics"):
        make("Hopper-v2", {})


def test_missing_module_of_an_id_is_unavailable():
    with pytest.raises(UnavailableError, match="nowhere_to_be_found") as caught:
        make("nowhere_to_be_found:Thing-v0", {})
    assert "PYTHONPATH" in caught.value.hint


def test_id_of_a_module_is_found_there(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "my_own_ids.py").write_text(
        "from gymnasium.envs.registration import register\n"
        "register('Mine-v0', 'gymnasium.envs.classic_control:PendulumEnv', max_episode_steps=9)\n"
    )
    environments = Environments("my_own_ids:Mine-v0", {}, 1, seed=0)
    assert environments.spaces.time_limit == 9
    with pytest.raises(ConfigError, match="did you mean 'Mine-v0'"):
        make("my_own_ids:Mine-v1", {})
    del registry["Mine-v0"]


def test_warnings_of_an_environment_itself_are_kept():
    def warning(**_):
        warnings.warn("the floor is wet", UserWarning, stacklevel=1)
        return Corridor()

    register("Wet-v0", warning)
    with pytest.warns(UserWarning, match="the floor is wet"):
        make("Wet-v0", {})
    del registry["Wet-v0"]


@pytest.mark.parametrize("env_id", ["Hopper-v5", "Pendulum-v1"])
def test_same_seed_gives_the_same_trajectories(env_id):
    runs = [acted(Environments(env_id, {}, 2, seed), 250) for seed in (4, 4, 5)]
    for (step, finished, seen), (step_again, finished_again, seen_again) in zip(*runs[:2]):
        assert all(np.array_equal(a, b) for a, b in zip(step, step_again))
        assert finished == finished_again
        assert np.array_equal(seen, seen_again)
    assert not np.array_equal(runs[0][0][2], runs[2][0][2])


def test_environments_of_one_object_differ_and_so_do_their_episodes():
    environments = Environments("Corridor-v0", {"event": "end", "at": 2}, 3, seed=0)
    starts = [environments.observations[:, 0]]
    for _ in range(4):
        environments.step(np.zeros((3, 1), np.float32))
        starts.append(environments.observations[:, 0])
    assert len(np.unique([starts[0], starts[2], starts[4]])) == 9


def test_step_shows_what_actions_led_to_and_observations_what_to_act_on():
    environments = Environments("Corridor-v0", {"event": "end"}, 1, seed=0)
    start = environments.observations
    for k in (1, 2, 3):
        step, finished = environments.step(np.float32([[0.5]]))
        assert step.observations[0] == pytest.approx([start[0, 0] + 0.5 * k, k])
        assert (environments.observations == step.observations).all() == (k < 3)
    assert environments.observations[0, 1] == 0  # reset
    assert start[0, 1] == 0  # what was handed out never changes
    total = 3 * start[0, 0] + 0.5 * (1 + 2 + 3)
    assert finished == [(0, pytest.approx(total), 3, True)]
    assert (step.observations.dtype, step.rewards.dtype) == (np.float32, np.float64)


@pytest.mark.parametrize(
    ("event", "terminated", "truncated"),
    [("end", True, False), ("cut", False, True), ("both", True, False)],
)
def test_termination_and_truncation_are_kept_apart(event, terminated, truncated):
    environments = Environments("Corridor-v0", {"event": event, "at": 1}, 2, seed=0)
    step, finished = environments.step(np.zeros((2, 1), np.float32))
    assert step.terminated.tolist() == [terminated] * 2
    assert step.truncated.tolist() == [truncated] * 2
    assert [(f.environment, f.length, f.terminated) for f in finished] == [
        (0, 1, terminated),
        (1, 1, terminated),
    ]


def test_time_limit_truncates():
    environments = Environments("Pendulum-v1", {"max_episode_steps": 5}, 1, seed=0)
    *before, (step, finished, _) = acted(environments, 5)
    assert not any(earlier.truncated for earlier, _, _ in before)
    assert (step.truncated, step.terminated) == (True, False)
    assert (finished[0].length, finished[0].terminated) == (5, False)
    assert finished[0].total == sum(s.rewards[0] for s, _, _ in before) + step.rewards[0]


@pytest.mark.parametrize("event", ["nan reward", "inf observation"])
def test_numbers_that_are_not_finite_stop_with_their_place(event):
    environments = Environments("Corridor-v0", {"event": event, "at": 3}, 2, seed=0)
    acted(environments, 2)
    value, what = event.split()
    with pytest.raises(DivergedError, match=f"Corridor-v0 gave the {what} .*{value}") as caught:
        acted(environments, 1)
    assert caught.value.where == "environment 0, step 3 of its episode"


def test_reset_that_gives_nan_stops():
    with pytest.raises(DivergedError, match=r"gave the observation .*nan"):
        Environments("Corridor-v0", {"event": "nan reset"}, 1, seed=0)


def test_nan_action_stops_before_the_environment_takes_it_for_zero():
    environments = Environments("Hopper-v5", {}, 2, seed=0)
    actions = np.zeros((2, 3), np.float32)
    actions[1, 2] = np.nan
    with pytest.raises(DivergedError, match=r"was given the action .*nan") as caught:
        environments.step(actions)
    assert caught.value.where == "environment 1, step 1 of its episode"


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_scaled_actions_stay_inside_the_box_of_any_precision(dtype):
    low, high = np.array([-0.1, -0.3, -1e-3]), np.array([0.1, 0.7, 2.3])
    box = Box(low.astype(dtype), high.astype(dtype), dtype=dtype)
    spaces = spaces_of(Corridor(action_space=box))
    for actions in (np.full((1, 3), -1.0), np.full((1, 3), 1.0), np.full((1, 3), 7.0)):
        assert box.contains(spaces.scaled(actions)[0])
    np.testing.assert_allclose(spaces.high, high, rtol=1e-6)


def test_the_largest_number_there_is_is_no_bound():
    most = np.finfo(np.float32).max
    spaces = spaces_of(Corridor(action_space=Box(-most, most, (1,), np.float32)))
    assert (spaces.low, spaces.high) == (-1, 1)


@pytest.mark.parametrize("shape", [(2, 1), (1, 2), (3,)])
def test_an_observation_of_another_shape_than_its_space_is_the_environments_fault(
    shape, monkeypatch
):
    monkeypatch.setattr(Corridor, "step", lambda *_: (np.zeros(shape), 0.0, False, False, {}))
    environments = Environments("Corridor-v0", {}, 1, 0)
    with pytest.raises(ConfigError, match="its space has"):
        environments.step(np.zeros((1, 1)))
    one = Rollout(Corridor(), 0, "here")
    with pytest.raises(ConfigError, match="its space has"):
        one.step(np.zeros(1))


def test_a_reward_that_is_no_number_is_the_environments_fault(monkeypatch):
    monkeypatch.setattr(Corridor, "step", lambda *_: (np.zeros(2), None, False, False, {}))
    with pytest.raises(ConfigError, match="failed in its step"):
        Environments("Corridor-v0", {}, 1, 0).step(np.zeros((1, 1)))


def test_a_long_time_limit_is_not_cut_short(monkeypatch):
    monkeypatch.setattr(evaluation, "LONGEST", 3)
    for limit, expected in ((None, 3), (9, 9)):
        env = make("Corridor-v0", {} if limit is None else {"max_episode_steps": limit})
        one = Rollout(env, 0, "here")
        while one.goes_on:
            one.step(np.zeros(1))
        assert one.length == expected


def test_environments_are_closed_once_when_they_are_no_longer_used(caplog):
    environments = Environments("Corridor-v0", {}, 2, seed=0)
    inner = [one.unwrapped for one in environments._envs]
    assert [one.closed for one in inner] == [0, 0]
    del environments
    gc.collect()
    assert [one.closed for one in inner] == [1, 1]
    evaluator = Evaluator("Corridor-v0", {"event": "stuck"}, 1, seed=0)
    evaluator.close(), evaluator.close()
    assert caplog.messages == ["Corridor-v0 could not be closed: does not answer"]


def test_environments_made_before_one_that_fails_are_closed(monkeypatch):
    made = [Corridor(), Corridor()]
    left = iter(made)
    monkeypatch.setattr("toolkit.rl.environments.make", lambda *_: next(left))
    with pytest.raises(StopIteration):
        Environments("Corridor-v0", {}, 3, seed=0)
    gc.collect()
    assert [one.closed for one in made] == [1, 1]


def test_a_fork_leaves_the_environments_of_its_parent_open():
    one = Corridor()
    environment_making._close([one], os.getpid() + 1)
    assert one.closed == 0
