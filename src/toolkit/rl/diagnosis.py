"""Whether values can be believed: V against what was then observed."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from toolkit.rl.agents.agent import Agent
from toolkit.rl.episodes import Episode
from toolkit.rl.replay import Replay


def discounted(rewards: NDArray[np.float64], last: float, discount: float) -> NDArray[np.float64]:
    """G_k = r_k + γ G_{k+1} over the rewards (n,) of an episode; ``last`` is what follows it."""
    gains = np.empty(len(rewards))
    gain = last
    for k in reversed(range(len(rewards))):
        gain = rewards[k] + discount * gain
        gains[k] = gain
    return gains


def value_bias(agent: Agent, replay: Replay, last: Episode) -> dict[str, float]:
    """Mean V over the episode ``last``, mean discounted return from the same states on.

    Both in the environment's own rewards. An episode cut by a time limit goes on in V. Nothing
    where its rows are no longer kept, or where values count entropy too, as under a temperature.
    """
    config = agent.config
    if config.dispersion.kind == "temperature":
        return {}
    begun = (last.step - 1) // config.environments - last.length + 1
    if begun < replay.oldest:
        return {}
    where = np.array([begun]), np.array([last.environment])
    rows = replay.gather(*where, last.length)
    x = agent.policy.standardisation(torch.from_numpy(rows.observations[0]).to(agent.device))
    values = agent.value(x).cpu().numpy().astype(np.float64) / config.reward_scale
    rewards = rows.rewards[0].astype(np.float64)
    after = 0.0 if last.terminated else values[-1]
    observed = discounted(rewards, after, config.discount).mean()
    mean = values[:-1].mean()
    return {"value/expected": mean, "value/observed": observed, "value/bias": mean - observed}
