"""Which samples of a window are hidden: the three tasks of self-supervised regression."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from toolkit.ecg.config import HidingConfig

Hidden = NDArray[np.bool_]  # (n, samples)

_ROOM_S = 2.0  # a gap in every two seconds of a longer window


def hide(
    n: int,
    width: int,
    fs_hz: float,
    settings: HidingConfig,
    generator: Generator,
    span: tuple[int, int] | None = None,
) -> Hidden:
    """Samples to predict, True, in ``n`` windows of ``width`` samples; the same for all leads.

    forecast hides the end, gap a piece in every two seconds, upsampling all but every k-th sample.
    Gaps lie within the samples ``span`` where it is given.
    """
    t = np.arange(width)
    if settings.target == "forecast":
        return np.broadcast_to(t >= width - round(settings.forecast_s * fs_hz), (n, width)).copy()
    if settings.target == "upsampling":
        step = max(2, round(fs_hz / settings.low_fs_hz))
        first = generator.integers(step, size=(n, 1))
        return np.asarray((t - first) % step != 0)
    length = max(1, round(settings.gap_s * fs_hz))
    first_sample, end = span or (0, width)
    parts = max(1, round((end - first_sample) / fs_hz / _ROOM_S))
    edges = np.linspace(first_sample, end, parts + 1).astype(int)
    hidden = np.zeros((n, width), bool)
    for low, high in pairwise(edges.tolist()):
        # one visible sample at least on either side
        start = low + 1 + generator.integers(max(high - low - length - 1, 1), size=(n, 1))
        hidden |= (t >= start) & (t < start + length)
    return hidden
