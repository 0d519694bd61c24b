"""Fragments as network inputs: centred, augmented on request, blended on request."""

from __future__ import annotations

import numpy as np
import torch

from toolkit.ecg.config import AugmentationConfig
from toolkit.ecg.fragment_study import FragmentExamples

SIGNAL = np.random.default_rng(0).standard_normal((6, 3600)).astype(np.float32) + 3
LABEL = np.array([0, 1, 2, 0, 1, 2])
ROWS = np.array([5, 0, 3])


def test_fragments_lie_around_their_median() -> None:
    (x,), label = FragmentExamples(SIGNAL, LABEL, AugmentationConfig()).batch(ROWS, None)
    assert x.shape == (3, 1, 3600)
    assert label.tolist() == [2, 0, 0]
    torch.testing.assert_close(x.median(dim=-1).values, torch.zeros(3, 1), atol=1e-3, rtol=0)


def test_blended_targets_are_probabilities_that_favour_the_own_class() -> None:
    examples = FragmentExamples(SIGNAL, LABEL, AugmentationConfig(), mixup=0.4)
    (x,), target = examples.batch(ROWS, np.random.default_rng(1))
    assert x.shape == (3, 1, 3600)
    assert target.shape == (3, 3)
    torch.testing.assert_close(target.sum(dim=1), torch.ones(3))
    own = target[torch.arange(3), torch.tensor([2, 0, 0])]
    assert (own >= 0.5).all()
    (plain,), label = examples.batch(ROWS, None)
    assert label.ndim == 1
    assert not torch.equal(plain, x)
