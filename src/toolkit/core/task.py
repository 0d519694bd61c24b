"""What the trainer drives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from toolkit.core.run import Run


class Task(Protocol):
    """What can be trained: batches, interactions or search episodes alike.

    A step must depend on nothing but its number and the state, so that a resumed run is the run
    itself. ``evaluate`` must leave the state as it was.
    """

    def step(self, i: int) -> Mapping[str, float]:
        """Do unit of work ``i`` (0-based); returns figures that must be finite."""

    def evaluate(self, i: int) -> Mapping[str, float]:
        """Judge the state after ``i`` units of work."""

    def done(self, i: int) -> bool:
        """Whether the goal is reached before the last step."""

    def state_dict(self) -> Mapping[str, Any]:
        """All that the coming steps depend on (see ``checkpoint`` for what it may hold)."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what ``state_dict`` gave."""

    def finish(self, run: Run) -> Mapping[str, Any]:
        """Write figures and report into ``run`` and return its result."""


@runtime_checkable
class Recording(Protocol):
    """A task whose state has records of the whole run beside the model."""

    def take_model(self, state: Mapping[str, Any]) -> None:
        """Take over the model alone of what ``state_dict`` gave, to judge it."""
