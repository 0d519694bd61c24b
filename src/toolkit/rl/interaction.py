"""A run as a task of the core: a step is one of the environment, with its share of updates."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from toolkit.core.errors import ConfigError, DivergedError
from toolkit.core.rng import Streams
from toolkit.core.run import Run
from toolkit.rl.agents.agent import Action, Agent, anyhow, follow
from toolkit.rl.config import RlRunConfig
from toolkit.rl.diagnosis import value_bias
from toolkit.rl.environments import Environments
from toolkit.rl.episodes import Episode, Judged, write_returns
from toolkit.rl.evaluation import Evaluator
from toolkit.rl.replay import Replay, Rows
from toolkit.rl.stored import save_policy


class Interaction:
    """An agent in its environments; everything that they leave is its state.

    With N environments they are stepped together at every N-th step, so that a step is always one
    of one environment, and updates are spread evenly.

    Args:
        agent: who acts and learns.
        environments: where.
        replay: what was done.
        config: of the run.
        judge: makes the run's result of the finished training.
        folder: where all returns and the policy are kept up with the evaluations, if anywhere.

    Attributes:
        evaluator: of policies, on an environment of its own.
    """

    def __init__(
        self,
        agent: Agent,
        environments: Environments,
        replay: Replay,
        config: RlRunConfig,
        judge: Callable[[Interaction, Run], Mapping[str, Any]],
        folder: Path | None = None,
    ) -> None:
        self.agent, self.environments, self.replay = agent, environments, replay
        self.config, self.judge, self.folder = config, judge, folder
        self.streams = Streams(config.seed)
        self.episodes: list[Episode] = []
        self.evaluations: list[Judged] = []
        self.updates = 0
        self.trained_s = 0.0
        self.model_step: int | None = None  # of the best model, where that is judged
        self._stds = np.zeros(environments.spaces.action_size)  # sums since the last evaluation
        self._acted = 0
        self.evaluator = Evaluator(config.env, config.env_args, config.episodes, 0)

    def step(self, i: int) -> dict[str, float]:
        """Environment step ``i``: act, remember, learn."""
        began = time.perf_counter()
        if i % self.config.environments == 0:
            self._interact(i)
        figures: dict[str, float] = {}
        for _ in range(self._due(i)):
            figures |= self._learn()  # not every update moves, and tells of, the actor
        if self.agent.policy.actor is not self.agent.actor:
            follow(self.agent.policy.actor, self.agent.actor, self.config.policy_share)
        self.trained_s += time.perf_counter() - began
        return figures

    def _interact(self, i: int) -> None:
        environments, policy = self.environments, self.agent.policy
        seen = environments.observations  # kept: a step makes new ones
        policy.standardisation.update(seen)
        action = self._act(i)
        bounded = np.tanh(action.actions) if policy.squash else action.actions
        try:
            step, finished = environments.step(environments.spaces.scaled(bounded))
        except (ConfigError, DivergedError) as error:
            error.where += f"; step {i} of the run"
            raise
        ended = step.terminated | step.truncated
        self.replay.add(
            Rows(
                seen,
                action.actions,
                action.modes,
                action.log_probs,
                step.rewards.astype(np.float32),
                step.observations,
                step.terminated,
                ended,
            )
        )
        for one in finished:
            facts = (one.environment, one.total, one.length, one.terminated)
            self.episodes.append(Episode(i + 1, *facts, round(self.trained_s, 3)))

    def _act(self, i: int) -> Action:
        environments = self.environments
        shape = (len(environments.observations), environments.spaces.action_size)
        random = self.streams.numpy("actions")
        if self.is_random(i):
            action = anyhow(random.uniform(-1, 1, shape), self.agent.policy.squash)
        else:
            x = self.agent.policy.standardisation.array(environments.observations)
            action = self.agent.act(x, random.standard_normal(shape, dtype=np.float32))
        self._stds += np.exp(action.log_stds).sum(0, dtype=np.float64)
        self._acted += shape[0]
        return action

    def is_random(self, i: int) -> bool:
        """Whether step ``i``, the next one, comes before the policy is asked."""
        limit = self.config.random_episodes
        return i < self.config.random_steps and (limit is None or len(self.episodes) < limit)

    def _due(self, i: int) -> int:
        """Updates after step ``i``: N = min(round(c0 t), c) of them, a fraction adding up."""
        config = self.config
        if i < config.learning_starts:
            return 0
        rate = config.updates_per_step
        if config.updates_growth is not None:
            rate = min(round(config.updates_growth * i), rate)
        return int(np.floor((i + 1) * rate) - np.floor(i * rate))

    def _learn(self) -> dict[str, float]:
        random, size = self.streams.numpy("replay"), self.config.batch_size
        batch = self.replay.sample(size, self.agent.length, random)
        rows, latest = self.config.dispersion.latest, None
        if rows is not None:
            latest = self.replay.sample(size, 1, random, rows)
        self.updates += 1
        scaled = batch._replace(rewards=batch.rewards * np.float32(self.config.reward_scale))
        return self.agent.update(scaled, random, latest)

    def evaluate(self, i: int) -> dict[str, float]:
        """Episodes of the mode from the same starts every time, and where training stands."""
        found = self.evaluator(self.by_mode)
        judged = Judged(i, found.returns.tolist(), found.lengths.tolist())
        before = self.evaluations[-1].step if self.evaluations else 0
        self.evaluations.append(judged)
        if self.folder is not None:  # not at the end alone: not every run comes to it
            write_returns(self.folder, self.episodes, self.evaluations)
            save_policy(self.folder, self.agent.policy, self.config, self.sigma, i)
        figures = {
            "evaluation/return": float(found.returns.mean()),
            "evaluation/length": float(found.lengths.mean()),
        }
        if len(found.returns) > 1:
            figures["evaluation/return_sd"] = float(found.returns.std(ddof=1))
        recent = [one for one in self.episodes if one.step > before]
        if recent:
            figures["training/return"] = float(np.mean([one.total for one in recent]))
            figures["training/length"] = float(np.mean([one.length for one in recent]))
        figures |= {f"sigma/{k}": value for k, value in enumerate(self.sigma.tolist())}
        figures |= {"sigma/mean": float(self.sigma.mean()), "updates": float(self.updates)}
        self._stds[:], self._acted = 0.0, 0
        if not self.episodes:
            return figures
        return figures | value_bias(self.agent, self.replay, self.episodes[-1])

    @property
    def sigma(self) -> NDArray[np.float64]:
        """σ (a,), its mean over the actions since the last evaluation."""
        return self._stds / max(self._acted, 1)

    @property
    def has_acted(self) -> bool:
        """Whether there were actions since the last evaluation."""
        return self._acted > 0

    @torch.inference_mode()
    def by_mode(self, observations: NDArray[Any]) -> NDArray[Any]:
        """Actions (N, a) of the modes, in the environment's units."""
        policy = self.agent.policy
        seen = torch.as_tensor(observations, dtype=torch.float32, device=self.agent.device)
        return policy(seen).cpu().numpy()  # type: ignore[no-any-return]

    def done(self, i: int) -> bool:
        """Never before the last step."""
        return False

    def state_dict(self) -> dict[str, Any]:
        """Agent, environments, replay, random streams, what was counted."""
        return {
            "agent": self.agent.state_dict(),
            "environments": self.environments.state_dict(),
            "replay": self.replay.state_dict(),
            "streams": self.streams.state_dict(),
            "episodes": np.array(self.episodes, np.float64).reshape(-1, len(Episode._fields)),
            "evaluations": [one._asdict() for one in self.evaluations],
            "stds": self._stds,
            "acted": self._acted,
            "updates": self.updates,
            "trained_s": self.trained_s,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what ``state_dict`` gave."""
        # what another environment would not fit is told best by the environments themselves
        for name in ("environments", "replay", "agent", "streams"):
            getattr(self, name).load_state_dict(state[name])
        self.episodes = [
            Episode(int(step), int(env), total, int(length), bool(terminated), time_s)
            for step, env, total, length, terminated, time_s in state["episodes"].tolist()
        ]
        self.evaluations = [Judged(**one) for one in state["evaluations"]]
        self._stds[:] = state["stds"]
        self._acted, self.updates = int(state["acted"]), int(state["updates"])
        self.trained_s = float(state["trained_s"])

    def take_model(self, state: Mapping[str, Any]) -> None:
        """Take over the agent of ``state``; what this run went through stays."""
        self.agent.load_state_dict(state["agent"])
        self.model_step = int(state["evaluations"][-1]["step"])

    def finish(self, run: Run) -> Mapping[str, Any]:
        """The verdict."""
        return self.judge(self, run)
