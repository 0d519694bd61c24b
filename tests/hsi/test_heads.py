from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from toolkit.core import rng
from toolkit.hsi import stored, synthetic
from toolkit.hsi.heads import Heads, mean_over_heads
from toolkit.hsi.model import HsiModel
from toolkit.hsi.network_config import HeadsConfig, NetworkConfig

SMALL = NetworkConfig(name="hu2015")


def made(count: int = 3, dropout: float = 0.5) -> Heads:
    with rng.torch_scope(0, "heads"):
        return Heads(6, 4, count, dropout)


def test_several_heads_say_the_mean_of_their_probabilities() -> None:
    heads, x = made().eval(), torch.randn(2, 6, 3, 1)
    each = torch.stack([head(x).softmax(1) for head in heads])
    torch.testing.assert_close(heads(x).softmax(1), each.mean(0))
    assert each.std(0).max() > 1e-3  # they differ


def test_in_training_each_head_has_its_own_loss_and_sees_other_features() -> None:
    heads, x = made().train(), torch.ones(2, 6, 1, 1)
    torch.manual_seed(0)
    logits, targets = heads(x), torch.tensor([1, 3])[:, None, None]
    assert logits.shape == (6, 4, 1, 1)
    expected = np.mean([F.cross_entropy(part, targets).item() for part in logits.split(2)])
    loss = mean_over_heads(logits, targets, F.cross_entropy)
    assert loss.item() == pytest.approx(expected)
    loss.backward()
    seen = [tuple((head.weight.grad.abs().sum((0, 2, 3)) > 0).tolist()) for head in heads]
    assert len(set(seen)) > 1


def test_one_head_has_the_plain_loss() -> None:
    logits, targets = torch.randn(3, 4, 1, 1), torch.tensor([0, 1, 2])[:, None, None]
    loss = mean_over_heads(logits, targets, F.cross_entropy)
    assert loss.item() == pytest.approx(F.cross_entropy(logits, targets).item())


def test_heads_are_stored_with_their_model(tmp_path: Path) -> None:
    scene, asked = synthetic.scene(12, 12, 40, 3, seed=0), HeadsConfig(count=2)
    with rng.torch_scope(0, "weights"):
        model = HsiModel(SMALL, scene.bands, 3, asked).eval()
    assert model.classes == 3
    stored.save_model(tmp_path, model, scene, scene.classes)
    read, _ = stored.load_model(tmp_path, SMALL, asked)
    tile = torch.randn(1, scene.bands, 2, 2)
    assert torch.equal(read(tile), model(tile))
