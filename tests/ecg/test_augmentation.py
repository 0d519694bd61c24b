"""Augmentation: bounded, drawn from the given generator alone, never in place."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from toolkit.ecg.augmentation import disturbed, random_gain
from toolkit.ecg.config import AugmentationConfig

FS_HZ = 100.0
ALL = AugmentationConfig(gain=0.3, noise=0.1, wander=0.2, shift_s=0.5)


def signals() -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(6, 2, 300, generator=generator)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_no_augmentation_is_the_identity() -> None:
    none = AugmentationConfig()
    assert torch.equal(disturbed(signals(), FS_HZ, none, rng()), signals())
    assert torch.equal(random_gain(4, none, rng()), torch.ones(4, 1, 1))


def test_the_same_generator_gives_the_same_signals() -> None:
    a, b, c = (disturbed(signals(), FS_HZ, ALL, rng(seed)) for seed in (1, 1, 2))
    assert torch.equal(a, b)
    assert not torch.equal(a, c)
    assert a.dtype == torch.float32
    assert a.shape == signals().shape


def test_torchs_own_random_state_is_left_alone() -> None:
    before = torch.get_rng_state()
    disturbed(signals(), FS_HZ, ALL, rng())
    random_gain(3, ALL, rng())
    assert torch.equal(torch.get_rng_state(), before)


def test_inputs_are_not_changed() -> None:
    x = signals()
    disturbed(x, FS_HZ, ALL, rng())
    assert torch.equal(x, signals())


def test_gain_stays_within_its_bounds() -> None:
    gains = random_gain(1000, ALL, rng())
    assert gains.min() >= 0.7
    assert gains.max() <= 1.3
    assert gains.std() > 0.1


@pytest.mark.parametrize("shift_s", [0.01, 0.5])
def test_shifts_are_circular_and_bounded(shift_s: float) -> None:
    x = torch.arange(300.0).expand(50, 1, 300)
    out = disturbed(x, FS_HZ, AugmentationConfig(shift_s=shift_s), rng())
    starts = out[:, 0, 0]
    shift = torch.minimum(starts, 300 - starts)
    assert shift.max() <= round(shift_s * FS_HZ)
    assert len(shift.unique()) > 1
    assert torch.equal(out.sort(dim=-1).values, x)


def test_leads_shift_together() -> None:
    x = torch.arange(300.0).expand(8, 3, 300)
    out = disturbed(x, FS_HZ, AugmentationConfig(shift_s=1.0), rng())
    assert torch.equal(out[:, 0], out[:, 1])
    assert torch.equal(out[:, 0], out[:, 2])


def test_wander_and_noise_are_as_large_as_asked() -> None:
    zero = torch.zeros(200, 1, 3000)
    wander = disturbed(zero, FS_HZ, AugmentationConfig(wander=0.2), rng())
    noise = disturbed(zero, FS_HZ, AugmentationConfig(noise=0.1), rng())
    assert 0.1 < wander.abs().max() <= 0.2
    assert 0.08 < noise.std(dim=-1).max() < 0.11


def test_a_shift_that_does_not_wrap_brings_zeros_in() -> None:
    signal = torch.ones(50, 1, 100)
    settings = AugmentationConfig(shift_s=0.1, shift_wraps=False)
    shifted = disturbed(signal, 100.0, settings, np.random.default_rng(0))
    zeros = (shifted == 0).sum(dim=-1).flatten()
    assert zeros.max() == 10
    assert zeros.min() == 0
    assert (shifted[:, :, 10:90] == 1).all()
    wrapped = disturbed(signal, 100.0, AugmentationConfig(shift_s=0.1), np.random.default_rng(0))
    assert (wrapped == 1).all()
