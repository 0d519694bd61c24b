"""What the trainer itself remembers: what was best so far, means since the last line, time."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass
class Memory:
    """The trainer's own part of a checkpoint."""

    best: float | None = None
    best_step: int | None = None
    stale: int = 0  # evaluations since the best
    sums: dict[str, float] = field(default_factory=dict)  # of the steps since the last line
    counts: dict[str, int] = field(default_factory=dict)  # not every step gives every figure
    trained_s: float = 0.0

    def add(self, metrics: Mapping[str, float]) -> None:
        for key, value in metrics.items():
            self.sums[key] = self.sums.get(key, 0.0) + float(value)
            self.counts[key] = self.counts.get(key, 0) + 1

    def means(self) -> dict[str, float]:
        means = {f"train/{key}": value / self.counts[key] for key, value in self.sums.items()}
        self.sums, self.counts = {}, {}
        return means

    def is_better(self, value: float, step: int, mode: str) -> bool:
        """Whether the monitored ``value`` is the best so far; ``mode`` is max or min."""
        sign = 1 if mode == "max" else -1
        if math.isnan(value) or (self.best is not None and not sign * value > sign * self.best):
            self.stale += 1
            return False
        self.best, self.best_step, self.stale = value, step, 0
        return True
