"""Runs of agents in environments: counts, records, and exact resumption."""

from __future__ import annotations

import copy
import csv
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from toolkit.core import checkpoint
from toolkit.core.config import load, preset_path
from toolkit.core.distributed import Ranks
from toolkit.core.run import Run
from toolkit.core.trainer import Trainer
from toolkit.rl import tasks
from toolkit.rl.config import PRESETS, RlRunConfig
from toolkit.rl.diagnosis import discounted
from toolkit.rl.evaluation import Evaluator
from toolkit.rl.loaded import load_policy
from toolkit.rl.outcome import judge

SMALL = (
    *("hidden=[16,16]", "twin_q.critic_hidden=[16]", "dispersion.hidden=[8]", "batch_size=16"),
    *("learning_starts=20", "episodes=2", "final_episodes=2", "replay.capacity=300"),
)


def settings(preset: str = "acerax", *sets: str) -> RlRunConfig:
    return load(RlRunConfig, preset=preset_path(PRESETS, preset), sets=(*SMALL, *sets))


def tensors(state: Any, path: str = "") -> dict[str, np.ndarray]:
    """Every array in a state, by its path."""
    if isinstance(state, checkpoint.Frozen):
        return tensors(dict(state.arrays), path)
    if isinstance(state, torch.Tensor | np.ndarray):
        return {path: np.asarray(state)}
    if isinstance(state, list | tuple):
        state = dict(enumerate(state))
    parts = state.items() if isinstance(state, dict) else ()
    return {name: v for k, part in parts for name, v in tensors(part, f"{path}.{k}").items()}


def weights(module: torch.nn.Module) -> torch.Tensor:
    return torch.cat([p.detach().flatten().clone() for p in module.parameters()])


@pytest.mark.parametrize("environments", [1, 3])
@pytest.mark.parametrize("preset", ["acerax", "sac"])
def test_steps_count_single_environments_and_updates_their_share(preset, environments) -> None:
    sets = (f"environments={environments}", "updates_per_step=0.3", "env=Pendulum-v1")
    task = tasks.make(settings(preset, *sets))
    for i in range(120):
        task.step(i)
    assert len(task.replay) == 120
    assert task.updates == pytest.approx(0.3 * 100, abs=1)


def test_random_actions_end_with_the_last_of_their_episodes() -> None:
    sets = ("env=Hopper-v5", "random_steps=500", "random_episodes=2", "learning_starts=1000")
    task, random = tasks.make(settings("acerax", *sets)), []
    for i in range(200):
        random.append(task.is_random(i))
        task.step(i)
    second = task.episodes[1].step
    assert 0 < second < 150
    assert random == [i < second for i in range(200)]
    modes = task.replay.gather(np.arange(200), np.zeros(200, np.int64), 1).modes[:, 0]
    assert (~modes.any(1)).tolist() == random


def test_a_step_tells_of_the_actor_though_its_last_update_leaves_that_alone() -> None:
    task = tasks.make(settings("sacx", "env=Pendulum-v1", "random_steps=0"))
    for i in range(25):
        figures = task.step(i)
    assert task.updates == 10  # two a step, the actor at every other one
    assert {"value", "critic_loss", "mode_distance"} <= figures.keys()


@pytest.mark.parametrize("preset", ["acerax", "sac", "sacx"])
def test_policy_follows_the_actor_and_changes_nothing_in_what_is_learnt(preset) -> None:
    sets = ("env=Pendulum-v1", "random_steps=0", "updates_per_step=1")
    one, slow = (tasks.make(settings(preset, *sets, f"policy_share={s}")) for s in (1, 0.2))
    actor, policy = slow.agent.actor, slow.agent.policy
    expected = weights(actor)
    for i in range(60):
        one.step(i)
        slow.step(i)
        expected = expected + 0.2 * (weights(actor) - expected)
    assert one.agent.policy.actor is one.agent.actor
    assert torch.equal(weights(actor), weights(one.agent.actor))
    assert not torch.equal(weights(actor), weights(policy.actor))
    torch.testing.assert_close(weights(policy.actor), expected, rtol=0, atol=1e-6)
    seen = np.ones((1, 3))
    assert slow.by_mode(seen) != one.by_mode(seen)
    policy.actor = actor
    assert slow.by_mode(seen) == one.by_mode(seen)


def test_growth_of_updates_is_that_of_the_paper() -> None:
    task = tasks.make(settings("acerax", "updates_growth=0.01", "updates_per_step=3.0"))
    assert [task._due(i) for i in (10, 30, 60, 120, 200, 400, 1000)] == [0, 0, 1, 1, 2, 3, 3]


@pytest.mark.parametrize(
    ("preset", "env", "share"),
    [
        ("acerax", "Hopper-v5", 1),
        ("acerax", "Ant-v5", 0.1),
        ("sac", "Pendulum-v1", 1),
        ("sacx", "Hopper-v5", 0.1),
    ],
)
def test_resumed_task_is_the_task_itself(preset, env, share, tmp_path) -> None:
    """Saved in the middle of an episode: coming figures, weights and rows are bit-equal."""
    config = settings(preset, f"env={env}", "updates_per_step=0.5", f"policy_share={share}")
    whole, resumed = tasks.make(config), tasks.make(config)
    for i in range(137):
        whole.step(i)
    checkpoint.save(tmp_path, 137, whole.state_dict())
    resumed.load_state_dict(checkpoint.load_newest(tmp_path)[1])
    for i in range(137, 260):
        assert whole.step(i) == resumed.step(i)
    assert whole.evaluate(260) == resumed.evaluate(260)
    ours, theirs = (tensors(one.state_dict()) for one in (whole, resumed))
    assert ours.keys() == theirs.keys() and len(ours) > 20
    for key in ours.keys() - {".episodes"}:  # which has a clock
        np.testing.assert_array_equal(ours[key], theirs[key], err_msg=key)
    np.testing.assert_array_equal(ours[".episodes"][:, :5], theirs[".episodes"][:, :5])


def test_run_leaves_every_return_figures_and_a_policy(tmp_path) -> None:
    config = settings("acerax", "env=Pendulum-v1", "steps=450", "evaluate_every=200")
    run = Run.create(tmp_path, "rl", "run", config)
    result = Trainer(run, config).fit(tasks.make(config))
    assert result is not None
    assert result["env"] == "Pendulum-v1" and result["preset"] == "acerax"
    assert len(result["final_sigma"]) == 1 and 0.1 <= result["final_sigma"][0] <= 1.0
    with (run.path / "episodes.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["step"]) for row in rows] == [200, 400]
    assert np.mean([float(row["return"]) for row in rows]) == pytest.approx(result["return_last10"])
    with (run.path / "evaluations.csv").open() as file:
        steps = [int(row["step"]) for row in csv.DictReader(file)]
    assert steps == [200, 200, 400, 400, 450, 450]
    names = {path.name for path in run.figures.glob("*.png")}
    assert names == {"return_and_sigma.png", "soundness.png"}
    lines = run.metrics
    assert {"evaluation/return", "sigma/0", "sigma/mean", "value/bias"} <= lines[-1].keys()
    json.dumps(result, allow_nan=False)


def test_the_best_policy_is_judged_and_every_return_kept(tmp_path) -> None:
    """The best evaluation is the first: reward is better undone."""
    sets = ("env=Pendulum-v1", "steps=600", "evaluate_every=200", "keep_checkpoints=9")
    monitored = ("monitor=evaluation/return", "monitor_mode=min", "reward_scale=0.1")
    config = settings("acerax", *sets, *monitored)
    run = Run.create(tmp_path, "rl", "run", config)
    result = Trainer(run, config).fit(tasks.make(config))
    assert result is not None
    returns = [line["evaluation/return"] for line in run.metrics]
    best = int(np.argmin(returns))
    assert result["model_step"] == run.metrics[best]["step"]
    assert result["final_sigma"] == [run.metrics[best]["sigma/0"]]
    policy = load_policy(run.path)
    unseen = Evaluator("Pendulum-v1", {}, config.final_episodes, config.episodes)(policy)
    assert result["returns"] == pytest.approx(unseen.returns.tolist())  # none of those that chose
    assert f"--seed {config.episodes}" in result["notes"][0]
    with (run.path / "episodes.csv").open() as file:
        assert [int(row["step"]) for row in csv.DictReader(file)] == [200, 400, 600]
    with (run.path / "evaluations.csv").open() as file:
        assert [int(row["step"]) for row in csv.DictReader(file)][::2] == [200, 400, 600]
    assert result["training_episodes"] == 3


def test_a_run_that_is_stopped_early_leaves_returns_policy_and_the_sigma_that_it_acted_with(
    tmp_path,
) -> None:
    sets = ("env=Pendulum-v1", "evaluate_every=250", "random_steps=250")
    config = settings("acerax", *sets)
    run = Run.create(tmp_path, "rl", "run", config)
    task = tasks.build(run, config, Ranks())
    for i in range(250):
        task.step(i)
    run.log_metrics({"step": 250, **task.evaluate(250)})
    with (run.path / "episodes.csv").open() as file:  # what ends badly leaves them too
        assert [int(row["step"]) for row in csv.DictReader(file)] == [200]
    assert (run.path / "evaluations.csv").read_text().count("\n") == 1 + config.episodes
    policy = load_policy(run.path)
    rows = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
    assert np.array_equal(policy(rows), task.by_mode(rows)) and policy.about.step == 250
    assert judge(task, run)["final_sigma"] == [pytest.approx(3**-0.5)]
    for i in range(250, 260):
        task.step(i)
    assert judge(task, run)["final_sigma"] == task.sigma.tolist()
    assert abs(task.sigma[0] - 3**-0.5) > 0.01


def test_taking_a_model_leaves_the_records_alone() -> None:
    task = tasks.make(settings("acerax", "env=Pendulum-v1", "policy_share=0.1"))
    for i in range(230):
        task.step(i)
    task.evaluate(230)
    before = copy.deepcopy(task.state_dict()["agent"])
    for i in range(230, 450):
        task.step(i)
    task.take_model({"agent": before, "evaluations": [{"step": 230}]})
    assert (len(task.episodes), task.model_step) == (2, 230)
    ours, theirs = tensors(task.agent.state_dict()), tensors(before)
    assert all(np.array_equal(ours[key], theirs[key]) for key in theirs)


def test_seconds_are_those_of_training(tmp_path) -> None:
    config = settings("acerax", "env=Pendulum-v1", "steps=60", "evaluate_every=30")
    run = Run.create(tmp_path, "rl", "run", config)
    task = tasks.make(config)
    Trainer(run, config).fit(task)
    clocks = [line["time_s"] for line in run.metrics]
    assert 0 < clocks[0] < clocks[1] == pytest.approx(task.trained_s, rel=0.05, abs=0.002)


def test_observed_values_are_discounted_sums() -> None:
    np.testing.assert_allclose(discounted(np.array([1.0, 2.0, 4.0]), 8.0, 0.5), [4.0, 6.0, 8.0])


def test_value_bias_compares_with_the_latest_episode() -> None:
    task = tasks.make(settings("acerax", "env=Pendulum-v1", "discount=0.9"))
    for i in range(230):
        task.step(i)
    found = task.evaluate(230)
    rewards = task.replay.gather(np.array([0]), np.array([0]), 200).rewards[0].astype(np.float64)
    last = task.episodes[-1]
    assert (last.step, last.length, last.total) == (200, 200, pytest.approx(rewards.sum()))
    assert found["value/observed"] == pytest.approx(discounted(rewards, 0.0, 0.9).mean(), rel=0.02)
    assert found["value/bias"] == pytest.approx(found["value/expected"] - found["value/observed"])


def test_values_that_count_entropy_are_not_compared_with_returns() -> None:
    task = tasks.make(settings("sac", "env=Pendulum-v1"))
    for i in range(230):
        task.step(i)
    assert not [key for key in task.evaluate(230) if key.startswith("value/")]


def test_learning_pays_on_a_problem_of_one_step(tmp_path) -> None:
    """Reward -|a - 0.5|: the mode goes there, and σ falls as modes settle."""
    import gymnasium

    class Aim(gymnasium.Env[Any, Any]):
        observation_space = gymnasium.spaces.Box(-1, 1, (1,))
        action_space = gymnasium.spaces.Box(-1, 1, (1,))

        def reset(self, *, seed=None, options=None):
            super().reset(seed=seed)
            return self.np_random.uniform(-1, 1, 1).astype(np.float32), {}

        def step(self, action):
            return np.zeros(1, np.float32), -abs(float(action[0]) - 0.5), True, False, {}

    gymnasium.register("Aim-v0", Aim)
    try:
        sets = ("env=Aim-v0", "updates_per_step=0.5", "acer.actor_rate=3e-3", "batch_size=64")
        sigma = ("dispersion.learning_rate=3e-3", "dispersion.alpha=0.3")
        task = tasks.make(settings("acerax", *sets, *sigma))
        before = task.evaluate(0)["evaluation/return"]
        for i in range(1500):
            task.step(i)
        figures = task.evaluate(1500)
    finally:
        gymnasium.registry.pop("Aim-v0")
    assert before < -0.35 and figures["evaluation/return"] > -0.12
    assert figures["sigma/mean"] < 0.35


def test_products_of_matrices_may_be_bfloat16_for_this_run_alone() -> None:
    tasks.make(settings("acerax", "products=bfloat16"))
    assert torch.get_float32_matmul_precision() == "medium"
    tasks.make(settings())
    assert torch.get_float32_matmul_precision() == "highest"


def test_distributed_runs_are_refused(tmp_path) -> None:
    from toolkit.core.distributed import Ranks
    from toolkit.core.errors import ConfigError

    config = settings()
    run = Run.create(Path(tmp_path), "rl", "run", config)
    with pytest.raises(ConfigError, match="one process"):
        tasks.build(run, config, Ranks(rank=0, world=2))


def test_self_test_learns_a_little() -> None:
    assert re.search(r"after [1-9]\d* updates", tasks.tiny_step(settings()))
