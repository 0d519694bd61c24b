"""Soft actor-critic and its kin, against what they must be in simple cases."""

from __future__ import annotations

import copy
import itertools

import numpy as np
import pytest
import torch
from torch.distributions import Normal, TransformedDistribution
from torch.distributions.transforms import TanhTransform

from toolkit.core.config import load, preset_path
from toolkit.rl.agents.agent import networks
from toolkit.rl.agents.temperature import log_squashed
from toolkit.rl.agents.twin_q import TwinQ
from toolkit.rl.config import PRESETS, RlRunConfig
from toolkit.rl.environments import Spaces
from toolkit.rl.replay import Trajectories

SPACES = Spaces(3, np.full(2, -1, np.float32), np.full(2, 1, np.float32), None)
CPU = torch.device("cpu")
CRITICS = ["plain", "layer-norm", "batch-norm", "simba"]


def made(preset: str, *sets: str) -> TwinQ:
    small = (
        "hidden=[16]",
        "twin_q.critic_hidden=[16]",
        "standardise=false",
        "policy_share=1",
        *sets,
    )
    return TwinQ(SPACES, load(RlRunConfig, preset=preset_path(PRESETS, preset), sets=small), CPU)


def drawn(agent: TwinQ, size: int = 64, seed: int = 0) -> Trajectories:
    random = np.random.default_rng(seed)
    x = random.standard_normal((size, 2, 3), dtype=np.float32)
    action = agent.act(x[:, 0], random.standard_normal((size, 2), dtype=np.float32))
    rewards = np.tanh(action.actions[:, :1])
    return Trajectories(
        x,
        action.actions[:, None],
        action.modes[:, None],
        action.log_probs[:, None],
        rewards,
        np.zeros((size, 1), np.bool_),
        np.ones((size, 1), np.bool_),
        np.ones(size, np.int64),
    )


def weights(module: torch.nn.Module) -> torch.Tensor:
    return torch.cat([p.detach().flatten().clone() for p in module.parameters()])


def test_log_density_of_squashed_actions_is_torchs() -> None:
    mode, log_std = torch.tensor([[0.3, -0.5]]), torch.tensor([[-0.7, 0.2]])
    u = torch.tensor([[0.9, -1.4]])
    law = TransformedDistribution(Normal(mode, log_std.exp()), TanhTransform())
    expected = law.log_prob(torch.tanh(u)).sum(-1)
    assert log_squashed(u, mode, log_std) == pytest.approx(expected.numpy(), rel=1e-4)
    assert torch.isfinite(log_squashed(torch.full((1, 2), 50.0), mode, log_std)).all()


@pytest.mark.parametrize("critic", CRITICS)
@pytest.mark.parametrize("preset", ["sac", "sacx"])
def test_rewarded_actions_become_the_mode(preset, critic) -> None:
    sets = (f"twin_q.critic={critic}", "twin_q.learning_rate=3e-3", "discount=0.0")
    agent = made(preset, *sets)
    random = np.random.default_rng(0)
    before = agent.actor(torch.zeros(1, 3))[0, 0].item()
    for i in range(150):
        figures = agent.update(drawn(agent, seed=i), random)
    assert np.isfinite(list(figures.values())).all()
    assert agent.actor(torch.zeros(1, 3))[0, 0].item() > before + 0.2


@pytest.mark.parametrize("critic", CRITICS)
def test_terminal_values_are_the_rewards_alone(critic) -> None:
    rates = ("twin_q.learning_rate=3e-3", "dispersion.std=0.5")
    agent = made("sacx", f"twin_q.critic={critic}", *rates)
    random, batch = np.random.default_rng(0), drawn(agent, 128)
    batch = batch._replace(terminated=np.ones((128, 1), np.bool_))
    for _ in range(600):
        agent.update(batch, random)
    x = torch.from_numpy(batch.observations[:, 0])
    action = agent.policy.bounded(torch.from_numpy(batch.actions[:, 0]))
    q = agent.critic.eval()(torch.cat([x, action], -1))
    assert (q - torch.from_numpy(batch.rewards[:, 0])).abs().mean() < 0.12


def test_temperature_falls_where_actions_are_more_random_than_wanted() -> None:
    agent, random = made("sac", "twin_q.target_entropy=-9.0"), np.random.default_rng(0)
    for i in range(30):
        figures = agent.update(drawn(agent, seed=i), random)
    assert figures["temperature"] < 1.0
    wanting = made("sac", "twin_q.target_entropy=9.0")
    for i in range(30):
        figures = wanting.update(drawn(wanting, seed=i), random)
    assert figures["temperature"] > 1.0


def test_no_reward_reaches_an_adaptive_width() -> None:
    agent = made("sacx", "dispersion.alpha=0.3")
    agent.optimizers["dispersion"].param_groups[0]["lr"] = 0.0
    before = weights(agent.dispersion)
    for i in range(5):
        agent.update(drawn(agent, seed=i), np.random.default_rng(i))
    assert torch.equal(before, weights(agent.dispersion))
    assert "temperature" not in agent.optimizers


def test_width_is_learnt_from_the_latest_rows_where_they_are_given() -> None:
    one, other = (
        made("sacx", "dispersion.learning_rate=0.01", "dispersion.ceiling=5") for _ in "ab"
    )
    batch = drawn(one)
    far = batch._replace(actions=batch.actions + 3, modes=batch.modes + 3)
    x = torch.from_numpy(batch.observations[:, 0])
    for i in range(100):
        one.update(batch, np.random.default_rng(i))
        other.update(batch, np.random.default_rng(i), far)
    assert other.dispersion(x).mean() > one.dispersion(x).mean() + 1


def test_actor_waits_for_its_delay_and_targets_follow() -> None:
    agent, random = made("sacx", "twin_q.policy_delay=3"), np.random.default_rng(0)
    seen = [weights(agent.actor)]
    for i in range(4):
        agent.update(drawn(agent, seed=i), random)
        seen.append(weights(agent.actor))
    moved = [not torch.equal(a, b) for a, b in itertools.pairwise(seen)]
    assert moved == [True, False, False, True]
    assert not torch.equal(weights(agent.target), weights(agent.critic))


def test_critic_with_batch_normalisation_has_no_target_and_is_judged_by_running_moments() -> None:
    agent = made("sacx", "twin_q.critic=batch-norm")
    assert agent.target is agent.critic
    agent.update(drawn(agent), np.random.default_rng(0))
    x = torch.randn(5, 3)
    alone = torch.cat([agent.value(row[None]) for row in x])
    assert torch.allclose(agent.value(x), alone, atol=1e-6)


@pytest.mark.parametrize("bound", ["mode", "penalty"])
def test_rewarded_actions_become_the_mode_however_they_are_bounded(bound) -> None:
    rate = "twin_q.learning_rate=3e-3"
    agent = made("sacx", f"twin_q.bound={bound}", rate, "discount=0.0")
    for i in range(150):
        agent.update(drawn(agent, seed=i), np.random.default_rng(i))
    mode = agent.actor(torch.zeros(1, 3))[0, 0].item()
    assert 0.2 < mode < (1.0 if bound == "mode" else 3.0)
    (acted,) = agent.policy(torch.zeros(1, 3)).detach()
    assert acted[0].item() == pytest.approx(min(mode, 1.0), abs=1e-6)


def test_unsquashed_modes_are_pulled_back_into_the_box() -> None:
    agent = made("sacx", "twin_q.bound=penalty", "twin_q.penalty=100", "twin_q.learning_rate=1e-2")
    with torch.no_grad():
        agent.actor.head.bias.fill_(2.0)
    for i in range(100):
        agent.update(drawn(agent, seed=i), np.random.default_rng(i))
    assert agent.actor(torch.zeros(1, 3)).abs().max() < 1.5


@pytest.mark.parametrize("critic", CRITICS)
@pytest.mark.parametrize("preset", ["sac", "sacx"])
def test_state_restores_the_coming_updates_bit_for_bit(preset, critic) -> None:
    one, other = (made(preset, f"seed={seed}", f"twin_q.critic={critic}") for seed in (1, 2))
    batch = drawn(one)
    one.update(batch, np.random.default_rng(0))
    other.load_state_dict(copy.deepcopy(one.state_dict()))
    for agent in (one, other):
        agent.update(batch, np.random.default_rng(1))
    for name, part in networks(one).items():
        assert torch.equal(weights(part), weights(networks(other)[name])), name


@pytest.mark.parametrize(("pull", "returns"), [(0.03, True), (0.0, False)])
def test_modes_come_back_from_the_flat_ends_of_their_tanh(pull, returns) -> None:
    agent = made("sacx", f"twin_q.pull={pull}", "twin_q.learning_rate=1e-2", "discount=0.0")
    with torch.no_grad():
        agent.actor.head.bias.fill_(20.0)  # the reward wants the first one low
    for i in range(300):
        batch = drawn(agent, seed=i)
        agent.update(batch._replace(rewards=-batch.rewards), np.random.default_rng(i))
    mode = agent.actor(torch.zeros(1, 3))[0, 0].item()
    assert (mode < 0.9) is returns


@pytest.mark.parametrize(("reach", "covers"), [(1.0, False), (1.3, True)])
def test_with_reach_modes_that_are_pulled_back_cover_the_box(reach, covers) -> None:
    agent = made("sacx", f"twin_q.reach={reach}", "twin_q.pull=0.03", "twin_q.learning_rate=1e-2")
    agent.critic = FirstActionIsLittleBetter()
    x, m, noise = torch.zeros(64, 3), torch.zeros(64, 2), torch.zeros(64, 2)
    for _ in range(300):
        agent._improve(x, m, noise)
    first = agent.policy(x[:1])[0, 0].item()
    assert (first > 0.95) is covers
    assert first > 0.7


class FirstActionIsLittleBetter(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (1 + 0.05 * x[..., 3]).expand(2, -1)
