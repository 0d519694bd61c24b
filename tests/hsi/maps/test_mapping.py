from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from toolkit.core.errors import ConfigError, DataError
from toolkit.hsi.maps.mapping import ClassMap, decide, predict, tile_side
from toolkit.hsi.model import HsiModel
from toolkit.hsi.network_config import NAMES, NetworkConfig
from toolkit.hsi.reading import windows

BANDS, CLASSES = 12, 5
CUBE = np.random.default_rng(0).integers(0, 9000, (23, 17, BANDS)).astype(">u2")


def made(name: str = "residual") -> HsiModel:
    torch.manual_seed(0)
    config = NetworkConfig.model_validate(
        {"name": name, "residual": {"stem_channels": 8, "channels": (8, 8)}}
    )
    model = HsiModel(config, BANDS, CLASSES)
    model.set_statistics(CUBE.mean((0, 1)), CUBE.std((0, 1)))
    torch.nn.init.normal_(model.head.weight, std=0.2)
    return model.eval()


@torch.inference_mode()
def pixel_by_pixel(model: HsiModel) -> np.ndarray:
    rows, columns = (index.ravel() for index in np.indices(CUBE.shape[:2]))
    patches = torch.from_numpy(windows(CUBE, rows, columns, model.patch)).permute(0, 3, 1, 2)
    return model(patches).softmax(1).numpy().reshape(*CUBE.shape[:2], CLASSES)


def equal(a: ClassMap, b: ClassMap) -> None:
    np.testing.assert_array_equal(a.classes, b.classes)
    np.testing.assert_allclose(a.confidence, b.confidence, atol=1e-5)
    if a.probabilities is not None:
        np.testing.assert_allclose(a.probabilities, b.probabilities, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_a_map_is_what_the_network_says_of_each_pixels_own_patch(name: str) -> None:
    model = made(name)
    expected = decide(pixel_by_pixel(model))
    assert len(np.unique(expected.classes)) > 1
    equal(predict(model, CUBE, keep_probabilities=True), expected)


@pytest.mark.parametrize("tile", [1, 4, 16, 17, 22, 1000])
def test_a_map_does_not_depend_on_its_tiles(tile: int) -> None:
    model = made()
    equal(predict(model, CUBE, tile=tile, keep_probabilities=True), decide(pixel_by_pixel(model)))


def test_the_same_map_comes_out_bit_by_bit_again() -> None:
    first, second = (predict(made(), CUBE, tile=8) for _ in range(2))
    np.testing.assert_array_equal(first.classes, second.classes)
    np.testing.assert_array_equal(first.confidence, second.confidence)


def test_types_are_the_small_ones() -> None:
    found = predict(made("hu2015"), CUBE)
    assert (found.classes.dtype, found.confidence.dtype) == (np.int16, np.float32)
    assert found.probabilities is None
    assert (found.confidence >= 1 / CLASSES).all()


def test_only_wanted_pixels_are_classified_and_other_tiles_are_skipped() -> None:
    model, where = made(), np.zeros(CUBE.shape[:2], bool)
    where[[0, 22], [3, 16]] = True
    seen = Counting()
    found = predict(model, CUBE, where=where, tile=6, keep_probabilities=True, progress=seen)
    whole = predict(model, CUBE, keep_probabilities=True)
    assert seen.heard == [(0, 2), 1, 2, "stop"]
    np.testing.assert_array_equal(found.classes, np.where(where, whole.classes, -1))
    assert found.probabilities is not None
    assert not found.probabilities[~where].any()
    assert not found.confidence[~where].any()


class Counting:
    def __init__(self) -> None:
        self.heard: list[object] = []

    def start(self, step: int, total: int) -> None:
        self.heard.append((step, total))

    def update(self, step: int, metrics: object) -> None:
        self.heard.append(step)

    def note(self, text: str) -> None: ...

    def stop(self) -> None:
        self.heard.append("stop")


@pytest.mark.parametrize("name", NAMES)
def test_only_patches_with_a_value_that_is_not_finite_are_undecided(name: str) -> None:
    model, cube = made(name), CUBE.astype(np.float32)
    cube[10, 8, 3] = np.nan
    found, reach = predict(model, cube, tile=9), model.patch // 2
    near = np.zeros(CUBE.shape[:2], bool)
    near[10 - reach : 11 + reach, 8 - reach : 9 + reach] = True
    np.testing.assert_array_equal(found.classes < 0, near)
    assert not found.confidence[near].any()


def test_tiles_shrink_to_the_budget_and_hungry_networks_get_smaller_ones() -> None:
    sides = [tile_side(made(), BANDS, budget) for budget in (0.001, 1, 4, 64)]
    assert sides[0] == 1
    assert sides == sorted(set(sides))
    assert tile_side(made("hamida2018"), BANDS, 8) < tile_side(made(), BANDS, 8) / 2


def test_a_tile_without_pixels_is_refused() -> None:
    with pytest.raises(ConfigError, match="side 0"):
        predict(made(), CUBE, tile=0)


def test_a_scene_of_another_sensor_is_refused() -> None:
    with pytest.raises(DataError, match=r"11 bands.*12"):
        predict(made(), CUBE[:, :, 1:])


PEAK = """
import sys
from pathlib import Path
import numpy as np
import torch
from toolkit.hsi.maps.mapping import predict
from toolkit.hsi.model import HsiModel
from toolkit.hsi.network_config import NetworkConfig
def peak_mb():  # getrusage would count the parent's peak too
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024

torch.set_num_threads(1)
model = HsiModel(NetworkConfig(name=sys.argv[1]), 103, 9).eval()
cube = np.ones((610, 340, 103), np.float32)
model(torch.zeros(1, 103, 16, 16))
before = peak_mb()
predict(model, cube)
print(peak_mb() - before, peak_mb())
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's /proc")
@pytest.mark.parametrize("name", ["residual", "hu2015"])
def test_memory_stays_bounded(name: str) -> None:
    """At once, the activations of a scene of Pavia University's size take from 0.2 to 1.5 GB."""
    command = [sys.executable, "-c", PEAK, name]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    grown_mb, whole_mb = map(float, done.stdout.split())
    assert grown_mb < 150
    assert whole_mb < 600
