"""Replay against a plain list of transitions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.core import checkpoint
from toolkit.vqe.environment import Observation
from toolkit.vqe.replay import Moment, Replay, joined

MAX_GATES, N_ACTIONS, GAMMA = 5, 4, 0.5


def episode(rng, length):
    """A random episode, such as an environment gives it: its moments and its end."""
    actions, layers = rng.integers(N_ACTIONS, size=length), rng.integers(9, size=length)
    threshold = float(rng.uniform())
    seen = []
    for k in range(length + 1):
        row, layer = (np.full(MAX_GATES, -1, np.int16) for _ in range(2))
        row[:k], layer[:k] = actions[:k], layers[:k]
        ahead = rng.normal(size=N_ACTIONS).astype(np.float32)
        seen.append(Observation(row, layer, float(rng.normal()), threshold, ahead))
    moments = [
        Moment(seen[k], int(actions[k]), float(rng.normal()), rng.random(N_ACTIONS) < 0.5)
        for k in range(length)
    ]
    return moments, seen[-1]


def transitions(moments, end, n_step):
    """The transitions of an episode, from the definition."""
    seen = [moment.observation for moment in moments] + [end]
    made = []
    for t, moment in enumerate(moments):
        steps = min(n_step, len(moments) - t)
        gains = sum(GAMMA**k * moments[t + k].reward for k in range(steps))
        discount = 0.0 if t + steps == len(moments) else GAMMA**steps
        legal = moments[t + steps - 1].legal
        made.append((seen[t], moment.action, gains, discount, seen[t + steps], legal))
    return made


def flat(now, action, reward, discount, later, legal):
    """A transition as one tuple of plain numbers."""
    sides = [
        (*seen.actions, *seen.layers, seen.energy, seen.threshold, *seen.ahead)
        for seen in (now, later)
    ]
    numbers = (*sides[0], action, np.float32(reward), np.float32(discount), *sides[1], *legal)
    return tuple(map(float, numbers))


def drawn(replay, size=400, seed=0):
    """The transitions of a sample, one by one."""
    batch = replay.sample(size, np.random.default_rng(seed))
    return [
        flat(
            Observation(*(part[i] for part in batch.now)),
            batch.action[i],
            batch.reward[i],
            batch.discount[i],
            Observation(*(part[i] for part in batch.later)),
            batch.legal[i],
        )
        for i in range(size)
    ]


@settings(max_examples=60)
@given(
    st.integers(1, 12),
    st.integers(1, 7),
    st.lists(st.integers(1, MAX_GATES), min_size=1, max_size=8),
    st.integers(0, 999),
)
def test_it_holds_the_last_transitions_and_samples_only_those(capacity, n_step, lengths, seed):
    rng, replay, model = np.random.default_rng(seed), Replay(capacity, MAX_GATES, N_ACTIONS), []
    for length in lengths:
        moments, end = episode(rng, length)
        replay.add_episode(moments, end, n_step, GAMMA)
        model += [flat(*one) for one in transitions(moments, end, n_step)]
        assert len(replay) == min(len(model), capacity)
        assert set(drawn(replay)) == set(model[-capacity:])  # missing one of 12: 1e-14


def test_returns_by_hand():
    moments, end = episode(np.random.default_rng(0), 4)
    moments = [moment._replace(reward=r) for moment, r in zip(moments, (1.0, 2.0, 4.0, 8.0))]
    by_steps = {
        1: ([1, 2, 4, 8], [0.5, 0.5, 0.5, 0]),
        2: ([2, 4, 8, 8], [0.25, 0.25, 0, 0]),
        3: ([3, 6, 8, 8], [0.125, 0, 0, 0]),
        9: ([4, 6, 8, 8], [0, 0, 0, 0]),
    }
    for n_step, (rewards, discounts) in by_steps.items():
        replay = Replay(4, MAX_GATES, N_ACTIONS)
        replay.add_episode(moments, end, n_step, GAMMA)
        batch = replay.sample(200, np.random.default_rng(0))
        found = set(zip((batch.now.actions >= 0).sum(1), batch.reward, batch.discount))
        assert found == set(zip(range(4), rewards, discounts))


def test_every_transition_is_as_likely_as_another():
    replay = Replay(8, MAX_GATES, N_ACTIONS)
    moments, end = episode(np.random.default_rng(0), 4)
    replay.add_episode(moments, end, 1, GAMMA)
    batch = replay.sample(4000, np.random.default_rng(0))
    counts = np.bincount((batch.now.actions >= 0).sum(1), minlength=4)
    assert np.abs(counts - 1000).max() < 5 * np.sqrt(750)


@pytest.mark.parametrize("n_episodes", [0, 1, 2, 6], ids=["empty", "part", "nearly", "wrapped"])
def test_its_state_survives_a_checkpoint_and_goes_on_the_same(tmp_path, n_episodes):
    rng, replay, other = (
        np.random.default_rng(0),
        Replay(10, MAX_GATES, N_ACTIONS),
        Replay(10, MAX_GATES, N_ACTIONS),
    )
    for _ in range(n_episodes):
        replay.add_episode(*episode(rng, 4), 2, GAMMA)
    other.add_episode(*episode(rng, 3), 2, GAMMA)  # forgotten
    path = checkpoint.save(tmp_path, 1, {"replay": replay.state_dict()})
    other.load_state_dict(checkpoint.load(path)[1]["replay"])
    assert len(other) == len(replay) == min(4 * n_episodes, 10)
    if n_episodes:
        assert drawn(other) == drawn(replay)
    more = episode(rng, 5)
    for one in (replay, other):
        one.add_episode(*more, 2, GAMMA)
    assert drawn(other, seed=1) == drawn(replay, seed=1)


def test_two_batches_join_row_by_row():
    rng = np.random.default_rng(0)
    replay = Replay(50, MAX_GATES, N_ACTIONS)
    replay.add_episode(*episode(rng, 4), 2, GAMMA)
    first, second = replay.sample(3, rng), replay.sample(2, rng)
    both = joined(first, second)
    for whole, a, b in zip(both, first, second):
        if isinstance(whole, Observation):
            pairs = [(w, np.concatenate([x, y])) for w, x, y in zip(whole, a, b)]
        else:
            pairs = [(whole, np.concatenate([a, b]))]
        for found, expected in pairs:
            np.testing.assert_array_equal(found, expected)
