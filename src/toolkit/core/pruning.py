"""Room made by removing checkpoints of runs; what a run gave, its model among it, stays."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from toolkit.core import checkpoint
from toolkit.core.errors import ConfigError, RunError
from toolkit.core.hashed_files import DamagedError
from toolkit.core.run import Run


def prune(run: Run, keep: int, *, only_say: bool = False) -> dict[str, Any]:
    """Remove all but the ``keep`` newest whole checkpoints of ``run``, and that of its best step.

    Args:
        keep: 0 removes all of them: a finished run can then no longer be extended.
        only_say: remove nothing.

    Returns:
        Steps kept and removed, and the bytes that this frees.

    Raises:
        ConfigError: an unfinished run would be left without a checkpoint to go on from.
        RunError: a living process writes to the run, or a checkpoint cannot be read just now.
    """
    with run.locked():
        state = run.status["state"]
        if keep == 0 and state != "finished":
            what = f"the run is {state}: without a checkpoint it could not go on"
            raise ConfigError(what, where=str(run.path), hint="--keep 1, or finish it first")
        found = checkpoint.steps(run.checkpoints)
        kept = _needed(run, found, keep)
        removed = [step for step in found if step not in kept]
        freed = _size(run, found) - _size(run, kept)
        if not only_say:
            checkpoint.prune(run.checkpoints, kept)
    return {"run": str(run.path), "kept": kept, "removed": removed, "freed_bytes": freed}


def _needed(run: Run, found: list[int], keep: int) -> list[int]:
    """The newest whole checkpoints, and the best one that the newest of them knows of."""
    whole: dict[int, Any] = {}
    for step in reversed(found):
        state = _state(run, step) if len(whole) < keep else None
        if state is not None:
            whole[step] = state.get("trainer", {}).get("best_step")
    if keep and found and not whole:
        raise RunError("no checkpoint is whole", where=str(run.path), hint="toolkit runs verify")
    best = next(iter(whole.values()), None)
    return [step for step in found if step in whole or step == best]


def _state(run: Run, step: int) -> dict[str, Any] | None:
    """What a checkpoint holds; None if it is damaged."""
    try:
        return checkpoint.load(run.checkpoints / checkpoint.name_of(step))[1]
    except DamagedError:
        return None


def _size(run: Run, steps: Iterable[int]) -> int:
    """Bytes on disk; what checkpoints share by hard links counts once."""
    folders = [run.checkpoints / checkpoint.name_of(step) for step in steps]
    files: list[Path] = [path for folder in folders for path in folder.rglob("*")]
    found = {path.stat().st_ino: path.stat().st_size for path in files if path.is_file()}
    return sum(found.values())
