from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from pydantic import ValidationError

from toolkit.core.distributed import Ranks
from toolkit.core.run import Run
from toolkit.hsi import pretraining, synthetic
from toolkit.hsi.config import ArtificialConfig, HsiPretrainConfig, SplitConfig
from toolkit.hsi.examples import IGNORED
from toolkit.hsi.network_config import NetworkConfig


def config(**settings: object) -> HsiPretrainConfig:
    return HsiPretrainConfig(network=NetworkConfig(name="hu2015"), crop=6, **settings)


def problem(tmp_path, scene, **settings):
    run = Run(tmp_path)
    return pretraining.problem(scene, config(**settings), run, Ranks())


def test_the_loss_is_the_mean_over_the_labellings():
    logits = torch.randn(2, 7, 3, 3)
    targets = torch.stack([torch.randint(0, 3, (2, 3, 3)), torch.randint(0, 4, (2, 3, 3))], 1)
    first = F.cross_entropy(logits[:, :3], targets[:, 0])
    second = F.cross_entropy(logits[:, 3:], targets[:, 1])
    found = pretraining.block_loss(logits, targets, (3, 4))
    assert found.item() == pytest.approx(((first + second) / 2).item())


def test_ignored_pixels_teach_nothing():
    logits = torch.randn(1, 3, 2, 2, requires_grad=True)
    targets = torch.tensor([[[[0, IGNORED], [1, 2]]]])
    pretraining.block_loss(logits, targets, (3,)).backward()
    assert logits.grad[0, :, 0, 1].abs().max() == 0
    assert logits.grad[0, :, 0, 0].abs().max() > 0


def test_the_head_has_a_part_for_each_labelling(tmp_path):
    scene = synthetic.scene(20, 20, 12, 3, seed=0)
    found = problem(tmp_path, scene, artificial=ArtificialConfig(blocks=(5, 10), shifts=2))
    assert found.model.classes == 16 + 25 + 4 + 9
    assert (tmp_path / "figures" / "blocks.png").is_file()


def test_no_true_label_is_looked_at(tmp_path):
    scene = synthetic.scene(20, 20, 12, 3, seed=0)
    blind = synthetic.scene(20, 20, 12, 3, seed=0).__class__(scene.name, scene.cube)
    seen, unseen = (problem(tmp_path, s) for s in (scene, blind))
    (a,), x = seen.train.batch(np.arange(4), np.random.default_rng(0))
    (b,), y = unseen.train.batch(np.arange(4), np.random.default_rng(0))
    assert a.equal(b) and x.equal(y)


def test_inductive_pretraining_sees_training_blocks_alone(tmp_path):
    scene = synthetic.scene(40, 40, 12, 3, seed=0)
    inductive = SplitConfig(kind="disjoint", per_class=3, patch=5)
    found = problem(tmp_path, scene, inductive=inductive)
    assert scene.labels is not None
    from toolkit.hsi.protocol.splits import Split

    area = Split.load(tmp_path / "split.npz").train_area
    assert area is not None and 0 < area.sum() < 1600
    assert (found.train.planes[:, ~area] < 0).all()
    assert (found.train.planes[:, area] >= 0).all()
    mean = scene.cube[area].mean(0)
    assert found.model.mean.numpy() == pytest.approx(mean, rel=1e-4)


def test_inductive_crops_show_nothing_beyond_the_training_blocks(tmp_path):
    scene = synthetic.scene(40, 40, 12, 3, seed=0)
    inductive = SplitConfig(kind="disjoint", per_class=3, patch=5)
    one = problem(tmp_path, scene, inductive=inductive)
    from toolkit.hsi.protocol.splits import Split

    area = Split.load(tmp_path / "split.npz").train_area
    changed = np.where(area[:, :, None], scene.cube, scene.cube[::-1, ::-1] + 7)
    other = problem(tmp_path, replace(scene, cube=changed), inductive=inductive)
    for k in range(0, len(one.train), 7):
        (a,), x = one.train.batch(np.array([k]), np.random.default_rng(0))
        (b,), y = other.train.batch(np.array([k]), np.random.default_rng(0))
        assert a.equal(b) and x.equal(y)


def test_pixels_without_data_are_in_no_block(tmp_path):
    scene = synthetic.scene(40, 40, 12, 3, seed=0)
    valid = np.arange(40) >= np.arange(40)[:, None]
    found = problem(tmp_path, replace(scene, valid=valid))
    assert np.array_equal(found.train.planes[0] >= 0, valid)
    assert found.model.mean.numpy() == pytest.approx(scene.cube[valid].mean(0), rel=1e-4)


def test_inductive_needs_a_split_that_has_training_blocks():
    with pytest.raises(ValueError, match="disjoint"):
        config(inductive=SplitConfig(kind="random"))


def test_inductive_settings_leave_the_noise_of_other_blocks_alone():
    with pytest.raises(ValidationError, match="whole scene"):
        HsiPretrainConfig(inductive={"kind": "disjoint"}, denoise=(9, 9, 5))
