"""Random changes of training signals, drawn from the generator that is given."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor

from toolkit.ecg.config import AugmentationConfig

_WANDER_HZ = (0.05, 0.6)


def random_gain(n: int, settings: AugmentationConfig, generator: Generator) -> Tensor:
    """Factors (n, 1, 1), one for each example."""
    return _tensor(1 + settings.gain * generator.uniform(-1, 1, (n, 1, 1)))


def disturbed(
    x_BLT: Tensor, fs_hz: float, settings: AugmentationConfig, generator: Generator
) -> Tensor:
    """Signals with baseline wander, noise and a shift in time; drawn anew for each example.

    Args:
        x_BLT: (examples, leads, samples); not changed.
        fs_hz: sampling frequency.
        settings: how far each change may go.
        generator: source of every random number.

    Returns:
        A new tensor of the same shape and unit.
    """
    n, leads, width = x_BLT.shape
    out = x_BLT
    if settings.wander:
        out = out + _tensor(_wander(n, leads, width, fs_hz, settings.wander, generator))
    if settings.noise:
        scale = settings.noise * generator.uniform(0, 1, (n, 1, 1))
        noise = generator.standard_normal((n, leads, width), dtype=np.float32)
        out = out + _tensor(scale) * torch.from_numpy(noise)
    return _shifted(out, round(settings.shift_s * fs_hz), settings.shift_wraps, generator)


def _tensor(values: NDArray[Any]) -> Tensor:
    return torch.from_numpy(values.astype(np.float32))


def _wander(
    n: int, leads: int, width: int, fs_hz: float, amplitude: float, generator: Generator
) -> NDArray[np.float64]:
    hz = generator.uniform(*_WANDER_HZ, (n, leads, 1))
    phase = generator.uniform(0, 2 * np.pi, (n, leads, 1))
    height = generator.uniform(0, amplitude, (n, leads, 1))
    wander: NDArray[np.float64] = height * np.sin(2 * np.pi * hz * np.arange(width) / fs_hz + phase)
    return wander


def _shifted(x_BLT: Tensor, most: int, wraps: bool, generator: Generator) -> Tensor:
    if most == 0:
        return x_BLT
    width = x_BLT.shape[-1]
    source = np.arange(width) - generator.integers(-most, most + 1, (len(x_BLT), 1, 1))
    shifted = x_BLT.gather(-1, torch.from_numpy(source % width).expand_as(x_BLT))
    inside = (source >= 0) & (source < width)
    return shifted if wraps else shifted * torch.from_numpy(inside)
