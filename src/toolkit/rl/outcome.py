"""The verdict on a finished run: its policy judged, stored, drawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from toolkit.core.run import Run
from toolkit.rl import evaluation, figures
from toolkit.rl.config import RlRunConfig
from toolkit.rl.episodes import write_returns
from toolkit.rl.interaction import Interaction
from toolkit.rl.protocol import reference
from toolkit.rl.stored import save_policy

_HEADLINE = ("return_mean", "return_last10", "sigma_mean", "steps_per_s", "updates_per_s")


def judge(task: Interaction, run: Run) -> dict[str, Any]:
    """The result of ``run``."""
    config = task.config
    starts = _starts(config)
    found = task.evaluator(task.by_mode, starts).summary()
    sigma = _sigma(task, run)
    learnt_from = _steps(task) if task.model_step is None else task.model_step
    save_policy(run.path, task.agent.policy, config, sigma, learnt_from)
    write_returns(run.path, task.episodes, task.evaluations)
    _draw(config, run)
    last = [one.total for one in task.episodes[-10:]]
    return {
        "title": f"{config.label} on {config.env}",
        "headline": list(_HEADLINE),
        "env": config.env,
        **({"env_args": config.env_args} if config.env_args else {}),
        "preset": config.label,
        "seed": config.seed,
        **{key: found[key] for key in ("return_mean", "return_sd", "return_ci95")},
        "return_last10": float(np.mean(last)) if last else None,
        "final_sigma": sigma,
        "sigma_mean": float(np.mean(sigma)),
        **_pace(task),
        "training_episodes": len(task.episodes),
        **{key: found[key] for key in ("returns", "lengths")},
        "notes": _notes(task, found["lengths"], starts),
    }


def _starts(config: RlRunConfig) -> range:
    """Seeds of the last evaluation: none of those that chose the policy, where they did."""
    first = config.episodes if config.monitor is not None else 0
    return range(first, first + config.final_episodes)


def _steps(task: Interaction) -> int:
    """Of all environments together."""
    return task.replay.steps * task.config.environments


def _draw(config: RlRunConfig, run: Run) -> None:
    own = config.dispersion
    floor, ceiling = (own.floor, own.ceiling) if own.kind == "adaptive" else (None, None)
    figures.draw(
        run,
        title=f"{config.label} on {config.env}, seed {config.seed}",
        floor=floor,
        ceiling=ceiling,
        references=reference.references(config.env),
    )


def _pace(task: Interaction) -> dict[str, float]:
    seconds = max(task.trained_s, 1e-9)
    paces = {"steps_per_s": _steps(task) / seconds, "updates_per_s": task.updates / seconds}
    return {**paces, "updates": task.updates}


def _notes(task: Interaction, lengths: Sequence[int], starts: range) -> list[str]:
    config = task.config
    seed = f" --seed {starts.start}" if starts.start else ""
    notes = [
        f"return_mean: {len(starts)} episodes of the mode, as by toolkit rl evaluate "
        f"--episodes {len(starts)}{seed}; return_last10: the last ten training episodes, with "
        "exploration"
    ]
    if task.environments.spaces.time_limit is None and evaluation.LONGEST in lengths:
        notes.append(f"episodes that did not end were cut after {evaluation.LONGEST} steps")
    if not task.updates:
        notes.append(f"nothing was learnt: learning_starts = {config.learning_starts}")
    if task.is_random(_steps(task) - 1):
        notes.append(f"all actions were uniformly random: random_steps = {config.random_steps}")
    return notes


def _sigma(task: Interaction, run: Run) -> list[float]:
    """σ of each action since the last evaluation, or before the one that chose the model."""
    size, judged = task.environments.spaces.action_size, task.model_step
    if judged is None and task.has_acted:
        return [float(value) for value in task.sigma]
    lines = [line for line in run.metrics if judged is None or line["step"] == judged]
    if not lines:
        return [float(value) for value in task.sigma]
    return [float(lines[-1][f"sigma/{k}"]) for k in range(size)]
