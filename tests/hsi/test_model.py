"""Trunk, head and standardisation as one classifier."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from toolkit.core import rng
from toolkit.core.errors import DataError, RunError
from toolkit.hsi.model import HsiModel
from toolkit.hsi.network_config import NAMES, NetworkConfig, ResidualConfig

BANDS = 12
SMALL = ResidualConfig(stem_channels=6, channels=(6,))


def make(
    name: str = "residual", bands: int = BANDS, classes: int | tuple[int, ...] = 4, seed: int = 0
) -> HsiModel:
    with rng.torch_scope(seed, "weights"):
        return HsiModel(NetworkConfig(name=name, residual=SMALL), bands, classes)


def raw(*shape: int) -> torch.Tensor:
    """Values such as a sensor gives: thousands, each band at its own height."""
    noise = torch.randn(*shape, generator=torch.Generator().manual_seed(1))
    return 3000 + 100 * torch.arange(shape[1])[:, None, None] + 50 * noise


@pytest.mark.parametrize("name", NAMES)
def test_logits_of_patches_and_tiles(name: str) -> None:
    model = make(name)
    p = model.patch
    assert model(raw(3, BANDS, p, p)).shape == (3, 4, 1, 1)
    assert model(raw(1, BANDS, p + 5, p + 2)).shape == (1, 4, 6, 3)
    assert model.features(raw(2, BANDS, p, p)).shape == (2, model.trunk.features, 1, 1)


@pytest.mark.parametrize("name", NAMES)
def test_a_map_of_a_raw_tile_equals_the_map_of_its_patches(name: str) -> None:
    model = make(name).eval()
    tile = raw(1, BANDS, model.patch + 2, model.patch + 1)
    model.set_statistics(tile.mean((0, 2, 3)), tile.std((0, 2, 3)))
    dense = model(tile)
    p = model.patch
    for i, j in np.ndindex(3, 2):
        patch = tile[:, :, i : i + p, j : j + p]
        torch.testing.assert_close(
            dense[:, :, i : i + 1, j : j + 1], model(patch), atol=1e-5, rtol=1e-5
        )


def test_the_statistics_standardise_raw_values() -> None:
    model, plain = make().eval(), make().eval()
    tile = raw(1, BANDS, 7, 7)
    mean, deviation = 3000 + 100 * np.arange(BANDS), np.full(BANDS, 50.0)
    model.set_statistics(mean, deviation)
    ready = (tile - torch.tensor(mean)[:, None, None].float()) / 50
    torch.testing.assert_close(model(tile), plain(ready))
    assert not torch.allclose(model(tile), plain(tile))


def test_the_statistics_travel_with_the_weights() -> None:
    model = make()
    model.set_statistics(np.arange(BANDS), np.arange(BANDS) + 1.0)
    state = model.state_dict()
    assert state["mean"].tolist() == list(range(BANDS))
    assert state["deviation"].tolist() == list(range(1, BANDS + 1))
    assert not any(name in dict(model.named_parameters()) for name in ("mean", "deviation"))


def test_a_band_that_never_varies_is_only_shifted() -> None:
    model = make().eval()
    tile = raw(1, BANDS, 5, 5)
    tile[:, 3] = 7.0
    deviation = tile.std((0, 2, 3))
    deviation[3] = 0.0
    model.set_statistics(tile.mean((0, 2, 3)), deviation)
    assert model(tile).isfinite().all()
    assert model.deviation[3] == 1


@pytest.mark.parametrize(
    ("mean", "deviation", "message"),
    [
        (np.zeros(11), np.ones(12), "mean of 11 bands for a model of 12"),
        (np.zeros(12), np.ones(13), "deviation of 13 bands for a model of 12"),
        (np.full(12, np.nan), np.ones(12), "mean of band 0 is nan"),
        (np.zeros(12), np.r_[np.ones(11), -1], "a deviation of -1 in band 11"),
    ],
)
def test_bad_statistics_are_refused_and_change_nothing(
    mean: np.ndarray, deviation: np.ndarray, message: str
) -> None:
    model = make()
    with pytest.raises(DataError, match=message):
        model.set_statistics(mean, deviation)
    assert not model.mean.any() and (model.deviation == 1).all()


def test_another_number_of_bands_is_refused_with_both_numbers() -> None:
    with pytest.raises(DataError, match="the scene has 103 bands, the trained model 12"):
        make()(raw(1, 103, 9, 9))


def test_a_tile_smaller_than_the_patch_is_refused() -> None:
    with pytest.raises(DataError, match=r"4 x 20 pixels is smaller than .* 5 x 5"):
        make()(raw(1, BANDS, 4, 20))


def test_the_head_has_the_classes_of_all_groups() -> None:
    model = make(classes=(5, 7))
    assert model.classes == 12
    assert model(raw(2, BANDS, 5, 5)).shape == (2, 12, 1, 1)


def test_a_new_head_leaves_the_trunk() -> None:
    model = make()
    before = copy.deepcopy(model.trunk_state())
    with rng.torch_scope(0, "head"):
        model.replace_head(9)
    after = model.trunk_state()
    assert after.keys() == before.keys()
    assert all(torch.equal(after[key], before[key]) for key in before)
    assert model(raw(2, BANDS, 5, 5)).shape == (2, 9, 1, 1)


@pytest.mark.parametrize("name", NAMES)
def test_a_trunk_moves_to_another_head(name: str) -> None:
    pretrained, model = make(name, classes=(20, 30)), make(name, classes=4, seed=1)
    pretrained.set_statistics(np.full(BANDS, 3000.0), np.full(BANDS, 50.0))
    tile = raw(4, BANDS, pretrained.patch, pretrained.patch)
    pretrained(tile)  # moves running statistics where there are some
    head = model.head.weight.clone()
    model.load_trunk(pretrained.trunk_state())
    pretrained.eval(), model.eval()
    assert torch.equal(model.features(tile), pretrained.features(tile))
    assert torch.equal(model.head.weight, head)


def test_a_trunk_of_other_bands_is_refused_with_both_numbers() -> None:
    with pytest.raises(DataError, match="this model has 12 bands, the trained model 20"):
        make().load_trunk(make(bands=20).trunk_state())


def test_a_trunk_of_another_network_is_refused_by_tensor() -> None:
    with pytest.raises(RunError, match=r"tensor 'trunk\.encoder"):
        make().load_trunk(make("lee2017").trunk_state())


def test_same_seed_same_model() -> None:
    first, again, other = (make(seed=s).state_dict() for s in (0, 0, 1))
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert not torch.equal(first["head.weight"], other["head.weight"])


@pytest.mark.parametrize("name", NAMES)
def test_learns_to_tell_two_spectra_apart(name: str) -> None:
    """Raw values, two materials that differ in where their spectrum peaks."""
    with rng.torch_scope(0, "learning"):
        model = HsiModel(NetworkConfig(name=name, residual=SMALL, dropout=0.0), BANDS, 2)
        label = torch.arange(64) % 2
        peaks = torch.stack([torch.linspace(0, 1, BANDS), torch.linspace(1, 0, BANDS)])
        spectra = 3000 + 500 * peaks[label] + 300 * torch.randn(64, BANDS)
        tiles = spectra[:, :, None, None].expand(-1, -1, model.patch, model.patch)
        model.set_statistics(spectra.mean(0), spectra.std(0))
        optimiser = torch.optim.Adam(model.parameters(), lr=0.01)
        for _ in range(60):
            optimiser.zero_grad()
            logits = model(tiles).flatten(1)
            torch.nn.functional.cross_entropy(logits, label).backward()
            optimiser.step()
    assert (logits.argmax(1) == label).float().mean() > 0.95
