"""From a run's settings to its agent, environments and replay."""

from __future__ import annotations

import logging
from pathlib import Path

import torch

from toolkit.core.distributed import Ranks, resolve_device
from toolkit.core.errors import ConfigError
from toolkit.core.run import Run
from toolkit.rl.agents.acer import Acer
from toolkit.rl.agents.agent import Agent
from toolkit.rl.agents.twin_q import TwinQ
from toolkit.rl.config import RlRunConfig
from toolkit.rl.environments import Environments, Spaces
from toolkit.rl.evaluation import LONGEST
from toolkit.rl.idle_settings import idle
from toolkit.rl.interaction import Interaction
from toolkit.rl.outcome import judge
from toolkit.rl.replay import Replay

_log = logging.getLogger(__name__)


def build(run: Run, config: RlRunConfig, ranks: Ranks) -> Interaction:
    """The task of ``run``: learn to act in the environment that ``config`` names.

    Raises:
        ConfigError: an environment that is not there, or that no policy here can act in.
        UnavailableError: a package that it needs is missing.
    """
    if ranks.world > 1:
        hint = "toolkit sweep rl run ENV --seeds 0-4 --workers N"
        raise ConfigError("a run is one process", where=f"--devices {ranks.world}", hint=hint)
    for setting in idle(config):
        _log.warning(
            "%s decides nothing: backbone = %s, dispersion.kind = %s",
            *(setting, config.backbone, config.dispersion.kind),
        )
    task = make(config, run.path)
    if not task.evaluator.repeats():
        _log.warning(
            "%s does not give the same episode again for the same seed and actions: evaluations "
            "do not start alike, and this run cannot be resumed; let it draw its random numbers "
            "from self.np_random alone",
            config.env,
        )
    return task


def make(config: RlRunConfig, folder: Path | None = None) -> Interaction:
    """The task of ``config``; returns, policy and a memory-mapped replay go to ``folder``."""
    # torch has no other switch than one for the whole process; a run has a process of its own
    torch.set_float32_matmul_precision("medium" if config.products == "bfloat16" else "highest")
    environments = Environments(config.env, config.env_args, config.environments, config.seed)
    spaces = environments.spaces
    if spaces.time_limit is None:
        _log.warning(
            "%s is registered without a time limit: evaluations cut episodes after %d steps, "
            "training does not; --env-arg max_episode_steps=1000 sets one",
            *(config.env, LONGEST),
        )
    size, actions = spaces.observation_size, spaces.action_size
    rows = folder if config.replay.memory_map else None
    replay = Replay(config.replay.capacity, size, actions, config.environments, rows)
    return Interaction(_agent(spaces, config), environments, replay, config, judge, folder)


def _agent(spaces: Spaces, config: RlRunConfig) -> Agent:
    device = resolve_device(config.device)
    return (Acer if config.backbone == "acer" else TwinQ)(spaces, config, device)


def tiny_step(config: RlRunConfig) -> str:
    """A few steps of the pendulum with an update: what a self-test says of it.

    Raises:
        ToolkitError: whatever keeps an agent from learning here.
    """
    changed = {"env": "Pendulum-v1", "batch_size": 8, "learning_starts": 4, "updates_per_step": 1.0}
    task = make(config.model_copy(update={**changed, "steps": 8, "episodes": 1, "device": "cpu"}))
    figures = [task.step(i) for i in range(8)]
    return f"value {figures[-1]['value']:.3g} after {task.updates} updates"
