"""The update of actor-critic with experience replay, against what it must be in simple cases."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from toolkit.core.config import load, preset_path
from toolkit.rl.agents.acer import Acer, advantage, truncated
from toolkit.rl.agents.agent import networks
from toolkit.rl.config import PRESETS, RlRunConfig
from toolkit.rl.environments import Spaces
from toolkit.rl.replay import Trajectories

SPACES = Spaces(3, np.full(2, -1, np.float32), np.full(2, 1, np.float32), None)
CPU = torch.device("cpu")


def settings(*sets: str) -> RlRunConfig:
    small = (
        "hidden=[16]",
        "dispersion.hidden=[8]",
        "standardise=false",
        "acer.trajectory=8",
        *sets,
    )
    return load(RlRunConfig, preset=preset_path(PRESETS, "acerax"), sets=small)


def drawn(agent: Acer, size: int = 32, length: int = 8, seed: int = 0) -> Trajectories:
    """Trajectories of random observations, acted in by ``agent`` itself."""
    random = np.random.default_rng(seed)
    x = random.standard_normal((size, length + 1, 3), dtype=np.float32)
    noise = random.standard_normal((size * length, 2), dtype=np.float32)
    action = agent.act(x[:, :-1].reshape(-1, 3), noise)
    return Trajectories(
        x,
        action.actions.reshape(size, length, 2),
        action.modes.reshape(size, length, 2),
        action.log_probs.reshape(size, length),
        random.standard_normal((size, length), dtype=np.float32),
        np.zeros((size, length), np.bool_),
        np.ones((size, length), np.bool_),
        np.full(size, length),
    )


def weights(module: torch.nn.Module) -> torch.Tensor:
    return torch.cat([p.detach().flatten().clone() for p in module.parameters()])


@given(
    log_ratio=st.floats(-1e4, 1e4),
    more=st.floats(0, 1e4),
    bound=st.floats(0.5, 10),
    kind=st.sampled_from(["soft", "hard"]),
)
def test_truncation_is_bounded_monotone_and_finite(log_ratio, more, bound, kind) -> None:
    low, high = (
        truncated(torch.tensor(r, dtype=torch.float64), bound, kind).item()
        for r in (log_ratio, log_ratio + more)
    )
    assert 0 <= low <= high <= bound


def test_soft_truncation_is_slightly_biased_on_policy() -> None:
    assert truncated(torch.zeros(()), 3.0, "soft").item() == pytest.approx(3 * np.tanh(1 / 3))
    assert truncated(torch.zeros(()), 3.0, "hard").item() == 1.0


def test_unchanged_networks_give_ratios_of_one_and_the_n_step_error() -> None:
    agent = Acer(SPACES, settings("acer.truncation=hard", "acer.bound=2"), CPU)
    batch = drawn(agent)
    figures = agent.update(batch, np.random.default_rng(0))
    assert figures["ratio"] == pytest.approx(1.0, abs=1e-5)
    fresh = Acer(SPACES, settings(), CPU)  # the same weights as before the update
    values = fresh.value(torch.from_numpy(batch.observations)).numpy().astype(np.float64)
    powers = 0.99 ** np.arange(9)
    gains = (powers[:8] * batch.rewards).sum(1) + powers[8] * values[:, 8] - values[:, 0]
    assert figures["advantage"] == pytest.approx(np.square(gains).mean(), rel=1e-4)


def test_termination_cuts_the_value_that_follows_and_a_time_limit_does_not() -> None:
    values, ones = torch.full((1, 3), 10.0), torch.ones(1, 2)
    mask = torch.tensor([[True, False]])
    for terminated, expected in ((True, 1 - 10.0), (False, 1 + 0.9 * 10 - 10)):
        flags = torch.tensor([[terminated, False]])
        found = advantage(ones, flags, values, ones, mask, 0.9)
        assert found.item() == pytest.approx(expected)


def test_rows_beyond_the_end_count_for_nothing() -> None:
    agent = Acer(SPACES, settings(), CPU)
    batch = drawn(agent)
    mask = batch.mask.copy()
    mask[:, 3:] = False
    rewards = batch.rewards.copy()
    rewards[:, 3:] = 1e6
    results = []
    for rows in (batch.rewards, rewards):
        one = Acer(SPACES, settings(), CPU)
        one.update(batch._replace(rewards=rows, mask=mask), np.random.default_rng(0))
        results.append(weights(one.actor))
    assert torch.equal(*results)


def test_unbounded_ratios_give_the_true_off_policy_value_of_a_two_state_process() -> None:
    """States 0 and 1, actions stay and switch; state 1 pays 1. Evaluated: π; behaviour: β."""
    random, gamma, steps, n = np.random.default_rng(5), 0.9, 4, 400_000
    pi, beta = np.array([[0.8, 0.2], [0.3, 0.7]]), np.full((2, 2), 0.5)
    move = np.array([[0, 1], [1, 0]])
    kernel = np.zeros((2, 2))
    for s in range(2):
        for a in range(2):
            kernel[s, move[s, a]] += pi[s, a]
    true = np.linalg.solve(np.eye(2) - gamma * kernel, kernel @ np.array([0.0, 1.0]))
    guess = np.array([0.4, -0.2])  # V, wrong on purpose
    state = np.zeros((n, steps + 1), np.int64)
    log_ratio, reward = np.zeros((n, steps)), np.zeros((n, steps))
    for k in range(steps):
        action = (random.random(n) < beta[state[:, k], 1]).astype(np.int64)
        state[:, k + 1] = move[state[:, k], action]
        log_ratio[:, k] = np.log(pi[state[:, k], action] / beta[state[:, k], action])
        reward[:, k] = state[:, k + 1]
    ratios = truncated(torch.from_numpy(log_ratio.cumsum(1)), 1e9, "hard")
    no, yes = torch.zeros(n, steps, dtype=torch.bool), torch.ones(n, steps, dtype=torch.bool)
    d = advantage(torch.from_numpy(reward), no, torch.from_numpy(guess[state]), ratios, yes, gamma)
    # the n-step value of π: T^n V = true + γ^n K^n (V - true)
    expected = true + gamma**steps * np.linalg.matrix_power(kernel, steps) @ (guess - true)
    assert guess[0] + d.mean().item() == pytest.approx(expected[0], abs=0.01)


def test_losses_move_their_own_networks_alone() -> None:
    agent = Acer(SPACES, settings("acer.penalty=0"), CPU)
    batch = drawn(agent)
    before = {name: weights(part) for name, part in networks(agent).items()}
    nothing = batch._replace(rewards=np.zeros_like(batch.rewards))
    for group in agent.optimizer.param_groups:
        group["lr"] = 0.0
    agent.update(nothing, np.random.default_rng(0))
    after = {name: weights(part) for name, part in networks(agent).items()}
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert moved == {"dispersion"}
    agent.widener.param_groups[0]["lr"] = 0.0
    for group in agent.optimizer.param_groups:
        group["lr"] = 1e-3
    still = weights(agent.dispersion)
    agent.update(batch, np.random.default_rng(0))
    assert torch.equal(still, weights(agent.dispersion))
    assert not torch.equal(before["policy"], weights(agent.policy))
    assert not torch.equal(before["critic"], weights(agent.critic))


def test_anchor_draws_modes_to_those_that_were_replayed() -> None:
    agent = Acer(SPACES, settings("acer.anchor=1.0", "acer.actor_rate=1e-2"), CPU)
    batch = drawn(agent, 256)
    old = np.full_like(batch.modes, 0.4)
    batch = batch._replace(modes=old, rewards=np.zeros_like(batch.rewards))
    x = torch.from_numpy(batch.observations[:, 0])
    for i in range(60):
        agent.update(batch, np.random.default_rng(i))
    assert (agent.actor(x) - 0.4).abs().mean() < 0.1


def test_critic_moves_towards_what_was_observed_and_the_actor_to_good_actions() -> None:
    agent = Acer(SPACES, settings("acer.target_share=0.1"), CPU)
    batch = drawn(agent, 256)
    good = batch.actions[..., 0]
    batch = batch._replace(rewards=good.astype(np.float32), terminated=np.ones_like(batch.mask))
    batch = batch._replace(mask=np.arange(8) < np.ones((256, 1)))
    x = torch.from_numpy(batch.observations[:, 0])
    before = agent.actor(x)[:, 0].mean().item()
    for i in range(60):
        agent.update(batch, np.random.default_rng(i))
    assert agent.actor(x)[:, 0].mean().item() > before + 0.02
    error = np.abs(agent.value(x).numpy() - batch.rewards[:, 0]).mean()
    assert error < np.abs(batch.rewards[:, 0]).mean() * 1.2


def test_state_restores_the_coming_updates_bit_for_bit() -> None:
    one, other = (Acer(SPACES, settings(f"seed={seed}"), CPU) for seed in (1, 2))
    batch = drawn(one)
    one.update(batch, np.random.default_rng(0))
    other.load_state_dict(copy.deepcopy(one.state_dict()))
    for agent in (one, other):
        agent.update(batch, np.random.default_rng(1))
    for name, part in networks(one).items():
        assert torch.equal(weights(part), weights(networks(other)[name])), name


def test_geometric_lengths_have_the_wanted_distribution() -> None:
    agent = Acer(SPACES, settings("acer.geometric=0.5", "acer.trajectory=8"), CPU)
    batch = drawn(agent, 4000)
    mask = agent._tensors(batch, np.random.default_rng(0))[6].numpy()
    shares = mask.mean(0)
    np.testing.assert_allclose(shares[:4], [1, 0.5, 0.25, 0.125], atol=0.03)


@pytest.mark.parametrize("sets", [(), ("acer.geometric=0.5",)])
def test_averaged_advantages_are_the_mean_over_all_lengths(sets, monkeypatch) -> None:
    seen = []
    monkeypatch.setattr(Acer, "_scaled", lambda _, d: seen.append(d.clone()) or d)
    batch = drawn(Acer(SPACES, settings(), CPU), length=4)
    for length in range(1, 5):
        masked = batch._replace(mask=batch.mask & (np.arange(4) < length))
        Acer(SPACES, settings("acer.trajectory=4"), CPU).update(masked, np.random.default_rng(0))
    averaged = settings("acer.trajectory=4", "acer.averaged=true", *sets)
    Acer(SPACES, averaged, CPU).update(batch, np.random.default_rng(0))
    weights = [0.5, 0.25, 0.125, 0.125] if sets else [0.25] * 4
    expected = sum(w * d for w, d in zip(weights, seen[:4], strict=True))
    torch.testing.assert_close(seen[4], expected)
