"""The double DQN agent: targets by hand with stub networks, masks, ε, copies and state."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from toolkit.core import checkpoint
from toolkit.vqe.agent import Agent
from toolkit.vqe.config import AgentConfig
from toolkit.vqe.environment import Observation
from toolkit.vqe.networks import NETWORKS
from toolkit.vqe.replay import Batch

CPU = torch.device("cpu")
N_ACTIONS, MAX_GATES = 8, 6


def agent_of(environment, seed=0, **settings):
    return Agent(environment, AgentConfig(**{"hidden": (16, 16), **settings}), seed, CPU)


class Fixed(nn.Module):
    """Q values that depend on nothing, one row for each of the batch."""

    def __init__(self, rows):
        super().__init__()
        self.rows = nn.Parameter(torch.tensor(rows))

    def forward(self, actions, layers, scalars):
        return self.rows[: len(actions)]


def observations(size, seed=0):
    rng = np.random.default_rng(seed)
    actions, layers = (np.full((size, MAX_GATES), -1, np.int16) for _ in range(2))
    for row, length in enumerate(rng.integers(MAX_GATES, size=size)):
        actions[row, :length] = rng.integers(N_ACTIONS, size=length)
        layers[row, :length] = np.arange(length)
    ahead = rng.normal(size=(size, N_ACTIONS)).astype(np.float32)
    thresholds = rng.uniform(0.001, 0.1, size)
    return Observation(actions, layers, rng.normal(size=size), thresholds, ahead)


def batch_of(size, seed=0, **given):
    rng = np.random.default_rng(seed)
    legal = rng.random((size, N_ACTIONS)) < 0.5
    legal[:, 0] = True
    parts = {
        "now": observations(size, seed),
        "action": rng.integers(N_ACTIONS, size=size),
        "reward": rng.normal(size=size).astype(np.float32),
        "discount": rng.choice([0.0, 0.5], size).astype(np.float32),
        "later": observations(size, seed + 1),
        "legal": legal,
    }
    return Batch(**{**parts, **given})


def stubbed(environment, online, target):
    agent = agent_of(environment, target_every=10**6)
    agent.network, agent.target = Fixed(online), Fixed(target)
    agent.optimizer = torch.optim.SGD(agent.network.parameters(), lr=0.0)
    return agent


def test_targets_are_those_of_double_dqn_by_hand(toy_environment):
    online = [[0.0, 9, 2, 1, 0, 0, 0, 0]] * 3  # 1 is best, but illegal in the second row
    target = [[10.0, 20, 30, 40, 50, 60, 70, 80]] * 3  # 7 is best here, never asked
    legal = np.ones((3, N_ACTIONS), bool)
    legal[1, 1] = False
    legal[2] = False  # an episode's end has no legal action
    batch = batch_of(
        3,
        action=np.array([1, 2, 3]),
        reward=np.array([1, 2, 3], np.float32),
        discount=np.array([0.5, 0.25, 0], np.float32),
        legal=legal,
    )
    targets = [1 + 0.5 * 20, 2 + 0.25 * 30, 3]
    agent = stubbed(toy_environment(), online, target)
    errors = torch.tensor([9.0, 2, 1]) - torch.tensor(targets)
    expected = F.smooth_l1_loss(errors, torch.zeros(3))
    assert agent.update(batch) == pytest.approx(float(expected))
    assert expected == pytest.approx((1.5 + 7.0 + 1.5) / 3)  # |error| - 1/2: 2, 7.5, 2


def test_only_the_chosen_actions_are_learnt_and_only_online(toy_environment):
    agent = stubbed(toy_environment(), [[0.0] * 8] * 2, [[1.0] * 8] * 2)
    agent.update(batch_of(2, action=np.array([3, 5])))
    touched = agent.network.rows.grad.nonzero().tolist()
    assert touched == [[0, 3], [1, 5]] and agent.target.rows.grad is None


def test_masked_actions_are_never_chosen(toy_environment):
    values = [5.0, 7, 6, 4, 3, 2, 1, 0]
    agent = stubbed(toy_environment(), [values], [[0.0] * 8])
    one = Observation(*(part[0] for part in observations(1)))
    rng = np.random.default_rng(0)
    for _ in range(100):
        legal = rng.random(N_ACTIONS) < 0.4
        if legal.any():
            assert agent.best(one, legal) == max(np.flatnonzero(legal), key=lambda a: values[a])
            assert all(legal[agent.act(one, legal, eps, rng)] for eps in (0.0, 0.5, 1.0))


def test_epsilon_decides_between_chance_and_the_best(toy_environment):
    agent = stubbed(toy_environment(), [[0.0, 1, 0, 0, 0, 0, 0, 0]], [[0.0] * 8])
    one = Observation(*(part[0] for part in observations(1)))
    one = one._replace(ahead=np.zeros(N_ACTIONS, np.float32))  # nothing is known of what comes
    legal, rng = np.arange(N_ACTIONS) < 4, np.random.default_rng(0)
    assert {agent.act(one, legal, 0.0, rng) for _ in range(50)} == {1}
    chances = [agent.act(one, legal, 1.0, rng) for _ in range(400)]
    assert np.abs(np.bincount(chances, minlength=4) - 100).max() < 5 * np.sqrt(75)


def test_chance_prefers_what_is_known_to_lower_the_energy(toy_environment):
    agent = stubbed(toy_environment(), [[0.0] * 8], [[0.0] * 8])
    ahead = np.array([0, 0.25, 0, 2, 0, 0, 0, 0], np.float32)  # decades
    one = Observation(*(part[0] for part in observations(1)))._replace(ahead=ahead)
    legal, rng = np.array([True, True, True, *[False] * 5]), np.random.default_rng(0)
    chances = np.bincount([agent.act(one, legal, 1.0, rng) for _ in range(2000)], minlength=8)
    assert chances[1] / chances[0] == pytest.approx(np.e, rel=0.25)
    assert chances[0] == pytest.approx(chances[2], rel=0.25) and not chances[3:].any()


def test_epsilon_decays_with_every_update_down_to_its_end(toy_environment):
    agent = agent_of(toy_environment(), epsilon_decay=0.5, epsilon_end=0.2)
    found = [agent.epsilon]
    for _ in range(4):
        agent.update(batch_of(4))
        found.append(agent.epsilon)
    assert found == [1, 0.5, 0.25, 0.2, 0.2]


def weights(network):
    return {name: value.clone() for name, value in network.state_dict().items()}


def same(one, other):
    return all(torch.equal(value, other[name]) for name, value in one.items())


def test_the_target_is_copied_every_so_many_updates(toy_environment):
    agent = agent_of(toy_environment(), target_every=3)
    begun = weights(agent.network)
    assert same(begun, weights(agent.target))
    copied = []
    for k in range(7):
        before = weights(agent.target)
        agent.update(batch_of(16, seed=k))
        copied.append(not same(before, weights(agent.target)))
        if copied[-1]:
            assert same(weights(agent.network), weights(agent.target))
    assert copied == [False, False, True, False, False, True, False]


def test_updates_learn_what_is_true_of_a_batch(toy_environment):
    agent = agent_of(toy_environment(), learning_rate=0.01, target_every=10**6)
    batch = batch_of(32, discount=np.zeros(32, np.float32))  # rewards alone
    losses = [agent.update(batch) for _ in range(200)]
    assert losses[-1] < 0.05 * losses[0]


@pytest.mark.parametrize("encoding", NETWORKS)
def test_its_state_survives_a_checkpoint_and_goes_on_the_same(tmp_path, encoding, toy_environment):
    agent = agent_of(toy_environment(), encoding=encoding, target_every=3)
    for k in range(4):
        agent.update(batch_of(16, seed=k))
    path = checkpoint.save(tmp_path, 1, {"agent": agent.state_dict()})
    again = agent_of(toy_environment(), seed=9, encoding=encoding, target_every=3)
    assert not same(weights(agent.network), weights(again.network))
    again.load_state_dict(checkpoint.load(path)[1]["agent"])
    for k in range(4, 8):
        assert agent.update(batch_of(16, seed=k)) == again.update(batch_of(16, seed=k))
    assert same(weights(agent.network), weights(again.network))
    assert same(weights(agent.target), weights(again.target))
    assert agent.epsilon == again.epsilon and agent.updates == again.updates == 8


def test_the_first_weights_are_a_function_of_the_seed(toy_environment):
    one, same_seed, other = (agent_of(toy_environment(), seed=seed) for seed in (1, 1, 2))
    assert same(weights(one.network), weights(same_seed.network))
    assert not same(weights(one.network), weights(other.network))


def test_energies_are_read_in_units_of_the_start(toy_environment):
    environment = toy_environment()
    seen = environment.reset(0.01)
    _, _, scalars = agent_of(environment).inputs(seen)
    gap = environment.start_energy - environment.e_min
    share = 0.01 / gap
    expected = [1.0, np.log10(1 - share) / 6, np.log10(share) / 6]
    np.testing.assert_allclose(scalars.numpy(), [[*expected, *[0] * 8]], rtol=1e-6)
    solved = seen._replace(energy=environment.e_min)
    assert agent_of(environment).inputs(solved)[2][0].tolist()[:2] == pytest.approx([0, -1])


def test_an_observation_alone_reads_as_in_a_batch(toy_environment):
    agent, batch = agent_of(toy_environment()), observations(3)
    for i in range(3):
        one = Observation(*(part[i] for part in batch))
        for alone, together in zip(agent.inputs(one), agent.inputs(batch)):
            assert torch.equal(alone[0], together[i])
