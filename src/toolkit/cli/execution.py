"""How a verb becomes a run: settings, run directory, task, trainer, result."""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from toolkit.cli.options import emit
from toolkit.core.config import RunConfig, load, preset_path
from toolkit.core.errors import ConfigError, RunError
from toolkit.core.run import Run


def start(
    app: str,
    verb: str,
    *,
    preset: str | None,
    config_file: Path | None,
    sets: tuple[str, ...],
    runs_dir: Path,
    run_dir: Path | None,
    max_time: float | None,
    devices: int,
    as_json: bool,
    **flags: Any,
) -> None:
    """Resolve the settings, make the run directory, train, print the result.

    Raises:
        ToolkitError: whatever went wrong, with its exit code.
    """
    config = settings(app, verb, preset=preset, config_file=config_file, sets=sets, **flags)
    there = _run_at(run_dir, config)
    if there is not None:
        resume(there, steps=None, max_time=max_time, devices=devices, as_json=as_json)
        return
    run = Run.create(runs_dir, app, verb, config, path=run_dir)
    execute(run, config, max_time=max_time, devices=devices, as_json=as_json)


def settings(
    app: str,
    verb: str,
    *,
    preset: str | None,
    config_file: Path | None,
    sets: tuple[str, ...],
    **flags: Any,
) -> RunConfig:
    """The settings that a verb's options stand for, once all that they need is there.

    Raises:
        ConfigError: they cannot be.
        DataError: the data that they name are missing.
    """
    module = importlib.import_module(f"toolkit.{app}.config")
    name = preset or (None if config_file else module.DEFAULT_PRESETS.get(verb))
    path = preset_path(module.PRESETS, name) if name else None
    model: type[RunConfig] = module.CONFIGS[verb]
    config = load(model, preset=path, file=config_file, sets=sets, flags=flags)
    prepare = getattr(module, "prepare", None)
    if prepare is not None:
        prepare(config)  # what is missing is said before a run directory is made
    return config


def _run_at(path: Path | None, config: RunConfig) -> Run | None:
    """The run that already is at ``path``, if it is the same one."""
    if path is None or not path.exists():
        return None
    run = Run.open(path)
    if run.config(type(config)) != config:
        raise RunError(
            "the run directory holds a run with other settings",
            where=str(path),
            hint=f"toolkit runs resume {path}, or choose another --run-dir",
        )
    return run


def resume(
    run: Run, *, steps: int | None, max_time: float | None, devices: int, as_json: bool
) -> None:
    """Go on with ``run``; a finished one is printed again, unless ``steps`` extends it."""
    module = importlib.import_module(f"toolkit.{run.app}.config")
    config: RunConfig = run.config(module.CONFIGS[run.verb])
    if steps is not None and steps != config.steps:
        config = _extend(run, config, steps)
    elif _progress(run)[0] == "finished" and run.result is not None:
        emit(run.result, as_json)
        return
    execute(run, config, max_time=max_time, devices=devices, as_json=as_json)


def _extend(run: Run, config: RunConfig, steps: int) -> RunConfig:
    with run.locked():  # a living process must not have its settings changed under it
        _, done = _progress(run)
        if steps < done:
            raise ConfigError(f"--steps {steps} is less than the {done} steps done", where=run.name)
        run.set_status("paused", done)  # first: a kill must not leave it finished and longer
        config = config.extended(steps)
        run.rewrite_config(config)
    return config


def _progress(run: Run) -> tuple[str, int]:
    """State and step; a damaged ``status.json`` does not keep a run from going on."""
    try:
        return str(run.status["state"]), int(run.status["step"])
    except RunError:
        return "unknown", 0


def execute(
    run: Run, config: RunConfig, *, max_time: float | None, devices: int, as_json: bool
) -> None:
    """Train ``run`` from wherever it is, in this process or under torchrun."""
    from toolkit.core import distributed

    if devices > 1 and "WORLD_SIZE" not in os.environ:
        arguments = ["runs", "resume", str(run.path), f"--devices={devices}"]
        arguments += [f"--max-time={max_time}"] if max_time else []
        distributed.relaunch(devices, [*arguments, *(["--json"] if as_json else [])])
    with distributed.joined() as ranks:
        result = train(run, config, max_time, ranks)
    if result is not None:
        emit(result, as_json)


def train(
    run: Run, config: RunConfig, max_time: float | None, ranks: Any
) -> Mapping[str, Any] | None:
    """Build the task of ``run`` and train it in this process; the main one gets the result."""
    import torch

    from toolkit.cli.progress import for_stderr
    from toolkit.core.trainer import Trainer

    threads = config.threads or len(os.sched_getaffinity(0))
    torch.set_num_threads(max(1, threads // ranks.world))
    progress = for_stderr()
    if ranks.is_main:
        progress.note(f"run {run.path}  device {config.device}  threads {threads}")
    task = importlib.import_module(f"toolkit.{run.app}.tasks").build(run, config, ranks)
    trainer = Trainer(run, config, max_time_s=max_time, ranks=ranks, progress=progress)
    return trainer.fit(task)
