from __future__ import annotations

import numpy as np
import pytest

from toolkit.hsi import artificial_labels, synthetic
from toolkit.hsi.config import AugmentationConfig
from toolkit.hsi.examples import IGNORED, Crops, Pixels
from toolkit.hsi.standardisation import statistics

STILL = AugmentationConfig(flips=False)


@pytest.fixture(scope="module")
def scene():
    return synthetic.scene(20, 17, 6, 4, seed=0)


def pixels(scene, patch=5, augmentation=STILL):
    places = np.argwhere(scene.labels > 0)[::7]
    targets = scene.labels[tuple(places.T)].astype(np.int64) - 1
    return Pixels(scene.cube, places, targets, patch, statistics(scene.cube), augmentation)


def crops(scene, crop=8, patch=5, augmentation=STILL, blocks=(4, 3)):
    planes = artificial_labels.make("grid", blocks, 1, scene.cube, np.random.default_rng(0)).planes
    return Crops(scene.cube, planes, crop, patch, statistics(scene.cube), augmentation)


def test_a_window_has_its_own_pixel_in_the_middle_and_its_own_class(scene):
    chosen = pixels(scene)
    (x_BCHW,), targets = chosen.batch(np.arange(10), None)
    assert x_BCHW.shape == (10, 6, 5, 5)
    for i, (row, column) in enumerate(chosen.places[:10]):
        assert x_BCHW[i, :, 2, 2].numpy() == pytest.approx(scene.cube[row, column])
        assert targets[i, 0, 0] == scene.labels[row, column] - 1


@pytest.mark.parametrize("crop", [7, 8])
@pytest.mark.parametrize("patch", [1, 5])
def test_a_crop_lines_up_with_its_targets(scene, crop, patch):
    chosen = crops(scene, crop, patch)
    top, left, margin = 3, 5, patch // 2
    number = top * (17 - crop + 1) + left
    (x_BCHW,), targets_BGHW = chosen.batch(np.array([number]), None)
    assert x_BCHW.shape == (1, 6, crop + 2 * margin, crop + 2 * margin)
    inner = x_BCHW[0, :, margin : margin + crop, margin : margin + crop].permute(1, 2, 0).numpy()
    assert inner == pytest.approx(scene.cube[top : top + crop, left : left + crop])
    planes = chosen.planes[:, top : top + crop, left : left + crop]
    assert targets_BGHW[0].numpy().tolist() == planes.tolist()


def test_flips_turn_a_crop_and_its_targets_alike(scene):
    chosen = crops(scene, 8, 3, AugmentationConfig(flips=True), blocks=(1,))
    numbers = np.arange(40)
    (x_BCHW,), targets_BGHW = chosen.batch(numbers, np.random.default_rng(1))
    (still,), _ = chosen.batch(numbers, None)
    rows, columns = np.unravel_index(targets_BGHW[:, 0].numpy(), (20, 17))  # 1-blocks name pixels
    inner_BHWC = x_BCHW[:, :, 1:-1, 1:-1].permute(0, 2, 3, 1).numpy()
    assert inner_BHWC == pytest.approx(scene.cube[rows, columns])
    assert any(not np.array_equal(a, b) for a, b in zip(x_BCHW.numpy(), still.numpy()))


def test_crops_of_single_pixels_are_not_turned_for_nothing(scene):
    chosen = crops(scene, 8, 1, AugmentationConfig(flips=True))
    (x_BCHW,), targets_BGHW = chosen.batch(np.arange(40), np.random.default_rng(1))
    (still_BCHW,), still_BGHW = chosen.batch(np.arange(40), None)
    assert x_BCHW.equal(still_BCHW) and targets_BGHW.equal(still_BGHW)


def test_a_crop_larger_than_the_scene_ignores_what_is_outside(scene):
    _, targets_BGHW = crops(scene, 30, 1).batch(np.array([0]), None)
    assert (targets_BGHW[0, :, 20:] == IGNORED).all()
    assert (targets_BGHW[0, :, :, 17:] == IGNORED).all()
    assert (targets_BGHW[0, :, :20, :17] >= 0).all()


def test_pixels_outside_the_area_are_ignored(scene):
    area = np.zeros(scene.shape, bool)
    area[:10] = True
    labels = artificial_labels.make(
        "grid", (5,), 1, scene.cube, np.random.default_rng(0), area=area
    )
    chosen = Crops(scene.cube, labels.planes, 20, 1, statistics(scene.cube, area), STILL)
    _, targets_BGHW = chosen.batch(np.array([0]), None)
    assert (targets_BGHW[0, 0, 10:] == IGNORED).all()
    assert (targets_BGHW[0, 0, :10, :17] >= 0).all()


def test_the_same_generator_gives_the_same_batch(scene):
    strong = AugmentationConfig(noise=0.2, gain=0.2, band_dropout=0.5)
    for chosen in (pixels(scene, augmentation=strong), crops(scene, augmentation=strong)):
        (a,), _ = chosen.batch(np.arange(9), np.random.default_rng(3))
        (b,), _ = chosen.batch(np.arange(9), np.random.default_rng(3))
        (c,), _ = chosen.batch(np.arange(9), np.random.default_rng(4))
        assert a.equal(b) and not a.equal(c)


def test_crops_without_anything_to_learn_are_left_out(scene):
    rows, columns = scene.shape
    planes = np.full((2, rows, columns), -1, np.int32)
    planes[0, 2, 3], planes[1, 4, 5] = 0, 0
    chosen = Crops(scene.cube, planes, 4, 3, statistics(scene.cube), STILL)
    _, targets = chosen.batch(np.arange(len(chosen)), None)
    known = (targets.numpy() >= 0).any(axis=(2, 3))
    assert known.all()  # in both labellings
    expected = [
        (top, left)
        for top in range(rows - 3)
        for left in range(columns - 3)
        if top <= 2 < top + 4
        and left <= 3 < left + 4
        and top <= 4 < top + 4
        and left <= 5 < left + 4
    ]
    assert len(chosen) == len(expected) > 0


def test_every_crop_counts_where_the_whole_scene_is_learnt(scene):
    rows, columns = scene.shape
    assert len(crops(scene, crop=8)) == (rows - 7) * (columns - 7)
