"""The trunks: published layers, parameter counts by hand, and dense maps equal to patches."""

from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError

from toolkit.core import rng
from toolkit.core.config import load
from toolkit.core.errors import ConfigError
from toolkit.hsi.network_config import NAMES, NetworkConfig, ResidualConfig, patch_of
from toolkit.hsi.networks import TRUNKS, Trunk, build

INDIAN_PINES = 200  # bands


def make(name: str, bands: int = 24, **changes: object) -> Trunk:
    with rng.torch_scope(0, "weights"):
        return build(NetworkConfig(name=name, **changes), bands)


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


def parameters(module: torch.nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def settle(trunk: Trunk, bands: int) -> Trunk:
    """Give running statistics that are not those of a fresh network; then evaluate."""
    for _ in range(3):
        trunk(3 + 2 * noise(4, bands, trunk.patch + 2, trunk.patch + 2))
    return trunk.eval()


def test_every_name_has_a_trunk() -> None:
    assert set(TRUNKS) == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("bands", [9, 24, 103])
def test_a_patch_gives_one_vector_and_a_tile_a_map(name: str, bands: int) -> None:
    trunk = make(name, bands)
    p = trunk.patch
    assert p % 2 == 1 and p == patch_of(NetworkConfig(name=name))
    assert trunk(noise(2, bands, p, p)).shape == (2, trunk.features, 1, 1)
    assert trunk(noise(2, bands, p + 3, p + 1)).shape == (2, trunk.features, 4, 2)


@pytest.mark.parametrize("name", NAMES)
def test_dense_equals_patchwise(name: str) -> None:
    trunk = settle(make(name), bands=24).double()  # how sums round is the processor's business
    p = trunk.patch
    tile = 3 + noise(2, 24, p + 4, p + 2).double()
    dense = trunk(tile)
    patches = tile.unfold(2, p, 1).unfold(3, p, 1)  # (B, C, 5, 3, p, p)
    single = trunk(patches.permute(0, 2, 3, 1, 4, 5).flatten(0, 2)).reshape(2, 5, 3, -1)
    torch.testing.assert_close(dense, single.permute(0, 3, 1, 2), atol=1e-12, rtol=1e-10)
    assert dense.std(dim=(2, 3)).max() > 1e-3  # equal, and not because all is one value


@pytest.mark.parametrize("name", NAMES)
def test_a_pixel_sees_its_whole_patch_and_no_more(name: str) -> None:
    trunk = settle(make(name), bands=24)
    p = trunk.patch
    tile = noise(1, 24, p + 4, p + 4).requires_grad_()
    trunk(tile)[0, :, 2, 2].square().sum().backward()
    assert tile.grad is not None
    rows, columns = tile.grad.abs().sum((0, 1)).nonzero(as_tuple=True)
    assert {(r.min().item(), r.max().item()) for r in (rows, columns)} == {(2, p + 1)}


@pytest.mark.parametrize("name", NAMES)
def test_gradients_reach_every_parameter(name: str) -> None:
    trunk = make(name)
    trunk(noise(8, 24, trunk.patch, trunk.patch)).square().sum().backward()
    for label, parameter in trunk.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), label
        assert parameter.grad.abs().max() > 0, label


@pytest.mark.parametrize("name", NAMES)
def test_weights_are_drawn_from_the_current_generator(name: str) -> None:
    first, again = make(name).state_dict(), make(name).state_dict()
    assert all(torch.equal(first[key], again[key]) for key in first)
    with rng.torch_scope(1, "weights"):
        other = build(NetworkConfig(name=name), 24).state_dict()
    assert any(not torch.equal(first[key], other[key]) for key in first)


def test_hu_has_its_published_layers() -> None:
    """DeepHyperX's table for 200 bands: 480 in C1 (20 x 178, pooled 20 x 35), 70,100 in F3."""
    trunk = make("hu2015", INDIAN_PINES)
    convolution = 20 * 23 + 20  # ceil(200 / 9) = 23
    pooled = (200 - 23 + 1) // 5  # ceil(23 / 5) = 5; 35
    hidden = 20 * pooled * 100 + 100
    assert (convolution, pooled, hidden) == (480, 35, 70_100)
    assert parameters(trunk) == convolution + hidden
    assert max(p.abs().max().item() for p in trunk.parameters()) <= 0.05
    assert trunk.patch == 1


def test_lee_has_its_published_layers() -> None:
    trunk = make("lee2017", INDIAN_PINES)
    bank = sum(200 * side * side * 128 + 128 for side in (1, 3, 5))
    second = 384 * 128 + 128
    rest = 6 * (128 * 128 + 128)  # two residual modules of two, layers 7 and 8
    assert bank == 25_728 + 230_528 + 640_128
    assert parameters(trunk) == bank + second + rest == 1_044_736
    convolutions = [m for m in trunk.modules() if isinstance(m, torch.nn.Conv2d)]
    assert len(convolutions) == 3 + 7  # the bank counts as one layer of nine, the head as the last
    assert {m.kernel_size[0] for m in convolutions[3:]} == {1}


def test_lee_pools_the_finer_maps_over_the_patch() -> None:
    """The 1 x 1 branch takes the maximum over the 25 pixels, wherever it lies."""
    trunk = make("lee2017").eval()
    patch = noise(1, 24, 5, 5)
    flipped = patch.flip(2, 3)
    torch.testing.assert_close(trunk.bank1(patch), trunk.bank1(flipped))
    assert not torch.allclose(trunk.bank5(patch), trunk.bank5(flipped))


def test_li_has_its_published_layers() -> None:
    """2 kernels of 3 x 3 x 7; 4 of 3 x 3 x 3 over each of 2 cubes: 8 cubes of 192 values."""
    trunk = make("li2017", INDIAN_PINES)
    first, second = 2 * (3 * 3 * 7 + 1), 4 * (3 * 3 * 3 + 1)
    hidden = 8 * (200 - 7 + 1 - 3 + 1) * 128 + 128
    assert (first, second, hidden) == (128, 112, 196_736)
    assert parameters(trunk) == first + second + hidden


def test_li_treats_both_cubes_alike() -> None:
    """With C1's two kernels made equal, both halves of what enters F1 are equal."""
    trunk = make("li2017")
    with torch.no_grad():
        trunk.conv1.weight[1], trunk.conv1.bias[1] = trunk.conv1.weight[0], trunk.conv1.bias[0]
    seen = []
    trunk.hidden.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    trunk(noise(3, 24, 5, 5))
    assert seen[0].shape == (3, 8 * (24 - 8), 1, 1)
    torch.testing.assert_close(*seen[0].chunk(2, dim=1))


def test_hamida_has_its_published_layers() -> None:
    trunk = make("hamida2018", INDIAN_PINES)
    counts = [
        1 * 20 * 27 + 20,  # 3 x 3 x 3: 198 bands left
        20 * 20 * 3 + 20,  # pools: 99
        20 * 35 * 27 + 35,  # 99
        35 * 35 * 3 + 35,  # pools: 50
        35 * 35 * 3 + 35,  # 50
        35 * 35 * 2 + 35,  # 26
    ]
    layers = [m for m in trunk.modules() if isinstance(m, torch.nn.Conv3d)]
    assert [parameters(layer) for layer in layers] == counts
    assert parameters(trunk) == sum(counts) == 30_620
    assert trunk.features == 35 * 26


@pytest.mark.parametrize("bands", range(3, 20))
def test_hamida_knows_its_features_at_any_number_of_bands(bands: int) -> None:
    trunk = make("hamida2018", bands)
    assert trunk(noise(1, bands, 5, 5)).shape == (1, trunk.features, 1, 1)


@pytest.mark.parametrize("bands", range(1, 30))
def test_hu_takes_any_number_of_bands(bands: int) -> None:
    assert make("hu2015", bands)(noise(1, bands, 1, 1)).shape == (1, 100, 1, 1)


def test_residual_default() -> None:
    trunk = make("residual", INDIAN_PINES)
    stem = 200 * 128 + 2 * 128  # no bias before a batch normalisation
    block = 2 * (128 * 128 * 9 + 2 * 128)
    assert parameters(trunk) == stem + 2 * block
    assert (trunk.patch, trunk.features) == (9, 128)


@pytest.mark.parametrize(
    ("settings", "patch"),
    [
        ({"channels": (8,)}, 5),
        ({"channels": (8, 6), "blocks_per_stage": 2}, 17),
        ({"channels": (8,), "kernel": 5}, 9),
        ({"channels": (8,), "kernel": 1}, 1),
    ],
)
def test_the_patch_of_residual_follows_from_its_settings(
    settings: dict[str, object], patch: int
) -> None:
    config = NetworkConfig(residual=ResidualConfig(stem_channels=4, **settings))
    assert patch_of(config) == patch
    trunk = build(config, 5).eval()
    assert trunk(noise(1, 5, patch, patch + 1)).shape == (1, trunk.features, 1, 2)


@pytest.mark.parametrize(("name", "least"), [("li2017", 9), ("hamida2018", 3)])
def test_too_few_bands_are_refused(name: str, least: int) -> None:
    make(name, least)
    with pytest.raises(ConfigError, match=f"{name} needs {least} bands or more.*{least - 1}"):
        make(name, least - 1)


@pytest.mark.parametrize("name", NAMES)
def test_dropout_is_as_published_unless_set(name: str) -> None:
    published = 0.5 if name == "lee2017" else 0.0
    for given, rate in ((None, published), (0.25, 0.25)):
        trunk = make(name, dropout=given)
        rates = {m.p for m in trunk.modules() if isinstance(m, torch.nn.Dropout)}
        assert rates == {rate}


@pytest.mark.parametrize("name", NAMES)
def test_dropout_is_off_in_evaluation(name: str) -> None:
    trunk = make(name, dropout=0.5).eval()
    patch = noise(1, 24, trunk.patch, trunk.patch)
    assert torch.equal(trunk(patch), trunk(patch))


def test_settings_round_trip_and_refusals() -> None:
    config = NetworkConfig(name="li2017", residual=ResidualConfig(channels=(8, 4)), dropout=0.1)
    assert NetworkConfig.model_validate_json(config.model_dump_json()) == config
    assert load(NetworkConfig, sets=["residual.channels=[8, 4]"]).residual.channels == (8, 4)
    for bad in ({"kernel": 2}, {"channels": ()}, {"norm": "group"}, {"squeeze_excite": True}):
        with pytest.raises(ValidationError):
            ResidualConfig(**bad)
    with pytest.raises(ConfigError, match="resnet"):
        load(NetworkConfig, flags={"name": "resnet"})
