"""How a verb becomes a run: settings, run directory, task, trainer, result."""

from __future__ import annotations

import importlib
import os
import shutil
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click
from click.exceptions import Exit

from toolkit.cli.options import emit
from toolkit.core.config import Layer, RunConfig, load, preset_path
from toolkit.core.errors import ConfigError, DataError, RunError
from toolkit.core.explained import explained
from toolkit.core.run import Run


def applications() -> list[str]:
    """The packages that train: those that bring presets."""
    return sorted(folder.parent.name for folder in Path(__file__).parents[1].glob("*/presets"))


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
    print_config: bool = False,
    **flags: Any,
) -> None:
    """Resolve the settings, make the run directory, train, print the result.

    With ``print_config`` the settings alone are printed.

    Raises:
        ToolkitError: whatever went wrong, with its exit code.
    """
    from toolkit.core.distributed import resolve_device

    given = {"preset": preset, "config_file": config_file, "sets": sets, **flags}
    if print_config:
        click.echo(explained(_resolved(app, verb, **given)), nl=False)
        return
    config = settings(app, verb, **given)
    there = _run_at(run_dir, config)
    if there is not None:
        result = resume(there, steps=None, max_time=max_time, devices=devices)
    else:
        resolve_device(config.device)
        run = Run.create(runs_dir, app, verb, config, path=run_dir)
        result = _begin(run, config, max_time, devices)
    if result is not None:
        emit(result, as_json)


def _begin(
    run: Run, config: RunConfig, max_time: float | None, devices: int
) -> Mapping[str, Any] | None:
    try:
        return execute(run, config, max_time=max_time, devices=devices)
    except (ConfigError, DataError, Exit) as error:
        if error.exit_code in (ConfigError.exit_code, DataError.exit_code):
            _forget_unbegun(run)
        raise


def settings(app: str, verb: str, **given: Any) -> RunConfig:
    """The settings that a verb's options stand for, once all that they need is there.

    Raises:
        ConfigError: they cannot be.
        DataError: the data that they name are missing.
    """
    config = _resolved(app, verb, **given)
    prepare = getattr(importlib.import_module(f"toolkit.{app}.config"), "prepare", None)
    if prepare is not None:
        prepare(config)  # what is missing is said before a run directory is made
    return config


def _resolved(
    app: str,
    verb: str,
    *,
    preset: str | None,
    config_file: Path | None,
    sets: tuple[str, ...],
    base: Layer | None = None,
    **flags: Any,
) -> RunConfig:
    module = importlib.import_module(f"toolkit.{app}.config")
    name = preset or (None if config_file else module.DEFAULT_PRESETS.get(verb))
    own = module.PRESETS / verb  # presets of this verb alone, where it has some
    path = preset_path(own if own.is_dir() else module.PRESETS, name) if name else None
    model: type[RunConfig] = module.CONFIGS[verb]
    return load(model, base=base, preset=path, file=config_file, sets=sets, flags=flags)


def _forget_unbegun(run: Run) -> None:
    """Leave nothing of a run that data or settings kept from taking its first step."""
    has_saved = run.checkpoints.is_dir() and any(run.checkpoints.iterdir())
    if not has_saved and not (run.path / "metrics.jsonl").exists():
        shutil.rmtree(run.path, ignore_errors=True)


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
    run: Run, *, steps: int | None, max_time: float | None, devices: int
) -> Mapping[str, Any] | None:
    """Go on with ``run`` and return its result; a finished one has it, unless ``steps`` extends it.

    Raises:
        ToolkitError: whatever went wrong.
        Exit: it went wrong in other processes, which said what.
    """
    config = run.config(_model_of(run))
    if steps is not None and steps != config.steps:
        config = _extend(run, config, steps)
    elif _progress(run)[0] == "finished" and run.result is not None:
        return {**run.result, "run": str(run.path)}  # it may have been moved
    return execute(run, config, max_time=max_time, devices=devices)


def _model_of(run: Run) -> type[RunConfig]:
    """The settings of the verb that made ``run``.

    Raises:
        RunError: this version has no such application or verb.
    """
    from toolkit.cli.main import COMMANDS

    is_known = run.app in COMMANDS and (Path(__file__).parents[1] / run.app / "config.py").is_file()
    verbs = importlib.import_module(f"toolkit.{run.app}.config").CONFIGS if is_known else {}
    if run.verb not in verbs:
        what = f"this run was made by `{run.app} {run.verb}`, which this version does not have"
        raise RunError(what, where=str(run.path), hint="use the version that made it")
    model: type[RunConfig] = verbs[run.verb]
    return model


def _extend(run: Run, config: RunConfig, steps: int) -> RunConfig:
    from toolkit.core.saved import newest

    with run.locked():  # a living process must not have its settings changed under it
        _, done = _progress(run)
        if steps < done:
            raise ConfigError(f"--steps {steps} is less than the {done} steps done", where=run.name)
        found = newest(run)  # what cannot go on stays as it is
        kept = {} if found is None else {"saved_step": found[0]}
        # first: a kill must not leave it finished and longer
        run.set_status("paused", done, **kept)
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
    run: Run, config: RunConfig, *, max_time: float | None, devices: int
) -> Mapping[str, Any] | None:
    """Train ``run`` from wherever it is, here or in ``devices`` processes; the main one's result.

    Raises:
        ToolkitError: whatever went wrong.
        Exit: it went wrong in the other processes, which said what.
    """
    from toolkit.core import distributed

    if devices > 1 and "WORLD_SIZE" not in os.environ:
        arguments = ["runs", "resume", str(run.path), f"--devices={devices}"]
        arguments += [f"--max-time={max_time}"] if max_time else []
        code = distributed.relaunch(devices, arguments)
        if code:
            raise Exit(code)
        return run.result
    with distributed.joined() as ranks:
        return train(run, config, max_time, ranks)


def train(
    run: Run, config: RunConfig, max_time: float | None, ranks: Any
) -> Mapping[str, Any] | None:
    """Build the task of ``run`` and train it in this process; the main one gets the result."""
    import torch

    from toolkit.cli.notes import noted
    from toolkit.cli.progress import for_stderr
    from toolkit.core.distributed import take_device
    from toolkit.core.trainer import Trainer

    threads = config.threads or len(os.sched_getaffinity(0))
    torch.set_num_threads(max(1, threads // ranks.world))
    progress, device = for_stderr(), take_device(config.device)
    with ExitStack() as held:
        if ranks.is_main:
            progress.note(f"run {run.path}  device {device} ({config.device})  threads {threads}")
            held.enter_context(noted("toolkit"))
            held.enter_context(run.locked())  # a task may write into the run once it is built
        task = importlib.import_module(f"toolkit.{run.app}.tasks").build(run, config, ranks)
        trainer = Trainer(run, config, max_time_s=max_time, ranks=ranks, progress=progress)
        return trainer.fit(task)
