from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from toolkit.hsi import synthetic
from toolkit.hsi.config import AugmentationConfig, TransductiveConfig
from toolkit.hsi.examples import Pixels
from toolkit.hsi.standardisation import statistics
from toolkit.hsi.transductive import Unlabelled, consistency_loss

SURE = TransductiveConfig(batch_size=2, confidence=0.9, weight=2.0)


def test_a_batch_is_labelled_then_weak_then_strong():
    scene = synthetic.scene(12, 12, 5, 3, seed=1)
    places = np.argwhere(scene.labels > 0)
    targets = scene.labels[tuple(places.T)].astype(np.int64) - 1
    own = Pixels(
        scene.cube, places, targets, 3, statistics(scene.cube), AugmentationConfig(flips=False)
    )
    (x_BCHW,), marks = Unlabelled(own, 4).batch(np.arange(6), np.random.default_rng(0))
    assert x_BCHW.shape == (14, 5, 3, 3)
    assert marks[:6, 0, 0].tolist() == targets[:6].tolist()
    assert marks[6:, 0, 0].tolist() == [-1] * 4 + [-2] * 4
    spectra = {tuple(row) for row in scene.cube.reshape(-1, 5).astype(np.float32)}
    assert all(tuple(x.numpy()) in spectra for x in x_BCHW[6:10, :, 1, 1])
    assert not x_BCHW[6:10].equal(x_BCHW[10:])
    rows = (x_BCHW[start : start + 4].diff(dim=2) for start in (6, 10))
    weak, strong = (row.flatten(1) for row in rows)  # unturned, as flips are off: much alike
    assert min(np.corrcoef(a, b)[0, 1] for a, b in zip(weak, strong)) > 0.3
    (plain,), _ = Unlabelled(own, 4).batch(np.arange(6), None)
    assert plain.shape == (6, 5, 3, 3)


def test_unlabelled_pixels_are_of_the_area_alone():
    scene = synthetic.scene(12, 12, 5, 3, seed=1)
    area = np.zeros((12, 12), bool)
    area[3, 4] = area[7, 8] = True
    places = np.argwhere(scene.labels > 0)
    targets = np.zeros(len(places), np.int64)
    figures = statistics(scene.cube)
    own = Pixels(scene.cube, places, targets, 1, figures, AugmentationConfig(flips=False))
    (x_BCHW,), _ = Unlabelled(own, 30, area).batch(np.arange(2), np.random.default_rng(0))
    found = {tuple(x.tolist()) for x in x_BCHW[2:32, :, 0, 0].numpy()}
    assert found == {tuple(x.tolist()) for x in scene.cube[area].astype(np.float32)}


def test_only_sure_guesses_teach_and_teach_the_strong_view_alone():
    logits = torch.zeros(5, 2, 1, 1)
    logits[0, 1] = 3.0  # labelled 1
    logits[1, 0] = 9.0  # weak and sure of 0
    logits[2, 0] = 0.1  # weak and unsure
    logits.requires_grad_()
    marks = torch.tensor([1, -1, -1, -2, -2])[:, None, None]
    loss = consistency_loss(logits, marks, SURE)
    expected = F.cross_entropy(torch.tensor([[0.0, 3.0]]), torch.tensor([1])) + np.log(2)
    assert loss.item() == pytest.approx(expected.item())  # weight 2, one of two pixels is sure
    loss.backward()
    assert logits.grad[1:3].abs().max() == 0 and logits.grad[4].abs().max() == 0
    assert logits.grad[3].abs().max() > 0


def test_the_labelled_pixels_have_the_loss_that_is_given():
    logits = torch.tensor([[1.0, 3.0], [9.0, 0.0], [0.0, 0.0]])[:, :, None, None]
    marks = torch.tensor([1, -1, -2])[:, None, None]
    smooth = partial(F.cross_entropy, label_smoothing=0.2)
    found = consistency_loss(logits, marks, SURE, smooth) - consistency_loss(logits, marks, SURE)
    own = logits[:1, :, 0, 0], torch.tensor([1])
    assert found.item() == pytest.approx((smooth(*own) - F.cross_entropy(*own)).item())
    assert found.item() > 0.1
