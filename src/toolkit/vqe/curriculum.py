"""The moving threshold: how small an error counts as success, by what has been found so far."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from pydantic import Field

from toolkit.core.config import Config


class CurriculumConfig(Config):
    """When the threshold moves (Ostaszewski et al. 2021, section 4.2 and its published code)."""

    kind: Literal["fixed", "moving"] = Field(
        "fixed", description="whether the threshold follows the lowest energy found"
    )
    threshold_ha: float = Field(1.6e-3, gt=0, description="error that counts as success, at first")
    every: int = Field(2000, ge=1, description="episodes between returns to the lowest energy")
    slack_ha: float = Field(5e-4, gt=0, description="δ: how far above the lowest energy it returns")
    successes: int = Field(50, ge=1, description="successes before it is lowered")
    floor_ha: float = Field(0.0, ge=0, description="the threshold never goes below this")
    lowerings: int = Field(10, ge=0, description="times that it is lowered by δ/10 between returns")


@dataclass(frozen=True)
class Threshold:
    """The state of the moving threshold; ``after`` gives the next one and changes nothing."""

    value_ha: float
    episodes: int = 0  # since it last returned to the lowest energy
    successes: int = 0  # at this value
    lowered: int = 0
    lowest_error_ha: float | None = None  # of all circuits so far, above E_min

    def is_final(self, config: CurriculumConfig) -> bool:
        """Whether what succeeds now is what is wanted in the end."""
        return config.kind == "fixed" or self.value_ha <= config.floor_ha

    def after(self, lowest_error_ha: float, succeeded: bool, config: CurriculumConfig) -> Threshold:
        """The threshold once an episode ended.

        Args:
            lowest_error_ha: the lowest error above E_min that the episode saw.
            succeeded: whether it ended below the threshold.
            config: when the threshold moves.
        """
        lowest = lowest_error_ha
        if self.lowest_error_ha is not None:
            lowest = min(lowest, self.lowest_error_ha)
        seen = replace(self, episodes=self.episodes + 1, lowest_error_ha=lowest)
        if config.kind == "fixed":
            return seen
        if seen.episodes >= config.every:
            value = max(lowest + config.slack_ha, config.floor_ha)
            return Threshold(value, lowest_error_ha=lowest)
        successes = self.successes + succeeded
        if successes < config.successes:
            return replace(seen, successes=successes)
        if self.lowered >= config.lowerings:
            return replace(seen, successes=0)
        lower = max(self.value_ha - config.slack_ha / 10, lowest, config.floor_ha)
        return replace(seen, value_ha=lower, successes=0, lowered=self.lowered + 1)
