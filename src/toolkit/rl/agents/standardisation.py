"""Running mean and deviation of observations, by which networks see all of them on one scale."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

CLIP = 10.0
_EPSILON = 1e-8  # of the variance
_STATISTICS = ("count", "mean", "m2")


class Standardisation(nn.Module):
    """clip((x - mean) / √(variance + ε), ±10), of everything that ``update`` has seen.

    Statistics are float64 and stay in main memory wherever the module is moved; what ``forward``
    multiplies by is float32 and follows the module.

    Args:
        size: numbers in an observation, d.
        enabled: without it observations pass as they are, and nothing is counted.
    """

    count: Tensor
    mean: Tensor
    m2: Tensor
    shift: Tensor
    scale: Tensor

    def __init__(self, size: int, enabled: bool = True) -> None:
        super().__init__()
        self.enabled = enabled
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))
        self.register_buffer("mean", torch.zeros(size, dtype=torch.float64))
        self.register_buffer("m2", torch.zeros(size, dtype=torch.float64))
        self.register_buffer("shift", torch.zeros(size), persistent=False)
        self.register_buffer("scale", torch.ones(size), persistent=False)
        self.register_load_state_dict_post_hook(lambda module, _: module.renew())  # type: ignore[no-untyped-call]

    @property
    def variance(self) -> NDArray[np.float64]:
        """Of each number (d,), divided by the count; 1 before there are two observations."""
        count = int(self.count)
        return self.m2.numpy() / count if count > 1 else np.ones(len(self.m2))

    def update(self, observations: NDArray[Any]) -> None:
        """Count observations (N, d) in.

        Moments of two samples joined (Chan, Golub & LeVeque 1983): exact for any N, and the same
        bits for the same calls.
        """
        if not self.enabled:
            return
        count, mean, m2 = self.count.numpy(), self.mean.numpy(), self.m2.numpy()
        rows = np.asarray(observations, np.float64)
        n, before = len(rows), int(count)
        centre = rows[0]
        if n > 1:
            centre = rows.mean(0)
            m2 += ((rows - centre) ** 2).sum(0)
        change = centre - mean
        mean += change * (n / (before + n))
        m2 += change * change * (before * n / (before + n))
        count += n
        self.renew()

    def renew(self) -> None:
        """Bring what ``forward`` reads up to date."""
        self.shift.copy_(self.mean)
        self.scale.copy_(torch.from_numpy(1 / np.sqrt(self.variance + _EPSILON)))

    def forward(self, observations: Tensor) -> Tensor:
        """Standardised observations (..., d), float32."""
        if not self.enabled:
            return observations.float()
        scaled = (observations.float() - self.shift) * self.scale
        return scaled.clamp(-CLIP, CLIP)

    def array(self, observations: NDArray[Any]) -> NDArray[np.float32]:
        """The same of NumPy's arrays, for acting."""
        standardised: NDArray[np.float32] = (
            self(torch.as_tensor(observations, device=self.shift.device)).cpu().numpy()
        )
        return standardised

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Move or convert all but the statistics, which ``update`` needs where they are."""
        kept = {name: self._buffers[name] for name in _STATISTICS}
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        self._buffers.update(kept)
        return self
