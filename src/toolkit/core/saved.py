"""What a run has saved to go on from, so that none starts over without a word."""

from __future__ import annotations

from typing import Any

from toolkit.core import checkpoint
from toolkit.core.errors import RunError
from toolkit.core.run import Run


def newest(run: Run) -> tuple[int, dict[str, Any]] | None:
    """Step and state of the newest whole checkpoint of ``run``; None if it has saved none yet.

    Raises:
        RunError: what it had saved is gone or damaged.
    """
    found = checkpoint.load_newest(run.checkpoints)
    if found is None and _has_saved(run):
        what = "the run's checkpoints are gone: it would silently start over"
        raise RunError(what, where=str(run.checkpoints), hint="start a new run")
    return found


def _has_saved(run: Run) -> bool:
    """Whether the run has saved, or is in a state before which it saves."""
    try:
        status = run.status
    except RunError:  # damaged: it says nothing
        return run.result is not None
    left = status["step"] > 0 and status["state"] in ("finished", "paused", "interrupted")
    return left or "saved_step" in status
