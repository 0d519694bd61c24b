"""The convolutional trunk and its heads."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from toolkit.core.convnet import ConvNetConfig, Encoder, pool
from toolkit.core.errors import ConfigError
from toolkit.core.heads import ClassifierHead, ConvClassifier, ConvRegressor

SMALL = {"stem_channels": 4, "stem_kernel": 3, "channels": (4, 6)}


@pytest.fixture(autouse=True)
def seeded_on_one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # networks this small wait for the second thread on a busy machine
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield
    torch.set_num_threads(threads)


def config(**changes):
    return ConvNetConfig(**{**SMALL, **changes})


@pytest.mark.parametrize("ndim", [1, 2, 3])
@pytest.mark.parametrize("norm", ["batch", "group", "none"])
@pytest.mark.parametrize("squeeze_excite", [False, True])
def test_classifier_shapes_and_gradients(ndim, norm, squeeze_excite):
    encoder = Encoder(
        config(ndim=ndim, in_channels=2, norm=norm, squeeze_excite=squeeze_excite, dropout=0.1)
    )
    net = ConvClassifier(encoder, classes=5, pooling="avg+max", side=3, hidden=8)
    size = (9, 8, 7)[:ndim]
    x = torch.randn(4, 2, *size)
    expected = tuple(math.ceil(n / s) for n, s in zip(size, encoder.total_stride))
    assert encoder(x).shape == (4, encoder.out_channels, *expected)
    logits = net(x, torch.randn(4, 3))
    assert logits.shape == (4, 5)
    torch.nn.functional.cross_entropy(logits, torch.arange(4)).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters())
    assert encoder.stem[0].weight.grad.abs().sum() > 0


def test_strides_per_stage_and_axis():
    encoder = Encoder(
        config(ndim=3, stem_stride=(2, 1, 1), stage_stride=((2, 1, 1), 1), kernel=(3, 1, 1))
    )
    assert encoder.total_stride == (4, 1, 1)
    assert encoder(torch.randn(2, 1, 10, 5, 5)).shape == (2, 6, 3, 5, 5)


@settings(max_examples=40)
@given(
    length=st.integers(1, 97),
    stem_stride=st.integers(1, 4),
    stage_stride=st.integers(1, 3),
    lateral=st.booleans(),
)
def test_decoder_returns_the_exact_length(length, stem_stride, stage_stride, lateral):
    encoder = Encoder(config(norm="group", stem_stride=stem_stride, stage_stride=stage_stride))
    net = ConvRegressor(encoder, out_channels=2, lateral=lateral)
    assert net(torch.randn(2, 1, length)).shape == (2, 2, length)


@pytest.mark.parametrize("size", [(7, 10), (5, 6, 9)])
def test_decoder_in_more_dimensions(size):
    net = ConvRegressor(Encoder(config(ndim=len(size))), lateral=True)
    out = net(torch.randn(2, 1, *size))
    assert out.shape == (2, 1, *size)
    out.square().mean().backward()
    assert all(p.grad is not None for p in net.parameters())


def test_decoder_output_stays_above_its_input():
    """A change of one sample moves only the output around it, at every stride and length."""
    net = ConvRegressor(Encoder(config(norm="none", stem_stride=2))).eval()
    x = torch.randn(1, 1, 203)
    moved = x.clone()
    moved[..., 100] += 1
    where = (net(x) - net(moved)).abs().squeeze().nonzero()
    assert where.min() > 40 and where.max() < 160
    assert abs(where.float().mean() - 100) < 10


def test_valid_padding_makes_dense_equal_patchwise():
    encoder = Encoder(config(ndim=2, in_channels=3, channels=(6,), padding="valid", stage_stride=1))
    net = ConvClassifier(encoder, classes=4, pooling="avg+max").eval()
    scene = torch.randn(1, 3, 12, 11)
    dense = net.dense(scene)
    assert dense.shape == (1, 4, 6, 5)  # a 7 × 7 receptive field
    patch = net(scene[:, :, 2:9, 1:8])
    torch.testing.assert_close(dense[:, :, 2, 1], patch)


def test_valid_residual_is_aligned_under_stride():
    encoder = Encoder(config(channels=(4,), padding="valid", stage_stride=2))
    block = encoder.stages[0][0]
    assert block(torch.randn(1, 4, 31)).shape == (1, 4, 13)


def test_dense_averages_to_the_pooled_logits():
    net = ConvClassifier(Encoder(config(ndim=2, stage_stride=1)), classes=3).eval()
    x = torch.randn(2, 1, 6, 5)
    torch.testing.assert_close(net.dense(x).mean((2, 3)), net(x))


def test_pooling_kinds():
    x = torch.arange(24.0).reshape(1, 2, 3, 4)
    assert pool(x, "avg").tolist() == [[5.5, 17.5]]
    assert pool(x, "max").tolist() == [[11, 23]]
    assert pool(x, "avg+max").tolist() == [[5.5, 17.5, 11, 23]]
    assert pool(x, "centre").tolist() == [[6, 18]]


def test_trunk_moves_from_regression_to_classification():
    pretrained = ConvRegressor(Encoder(config()))
    classifier = ConvClassifier(Encoder(config()), classes=3)
    classifier.encoder.load_state_dict(pretrained.encoder.state_dict())
    x = torch.randn(2, 1, 20)
    pretrained.eval(), classifier.eval()
    assert torch.equal(pretrained.encoder(x), classifier.encoder(x))


def test_same_seed_same_weights():
    def build():
        with torch.random.fork_rng():
            torch.manual_seed(1)
            return Encoder(config()).state_dict()

    first, second = build(), build()
    assert all(torch.equal(first[k], second[k]) for k in first)


def test_learns_a_tiny_problem():
    """Rising against falling ramps: solvable only by looking at more than one sample."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = ConvClassifier(Encoder(config()), classes=2)
        y = torch.arange(64) % 2
        ramp = torch.linspace(-1, 1, 16) * (2.0 * y[:, None] - 1)
        x = (ramp + 0.2 * torch.randn(64, 16))[:, None]
    optimiser = torch.optim.Adam(net.parameters(), lr=0.02)
    for _ in range(40):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(net(x), y).backward()
        optimiser.step()
    assert (net(x).argmax(1) == y).float().mean() > 0.97


def test_config_round_trip_and_refusals():
    c = config(stage_stride=((2,), (1,)))
    assert ConvNetConfig.model_validate_json(c.model_dump_json()) == c
    for bad in (
        {"kernel": 4},
        {"stem_kernel": (3, 3)},
        {"stage_stride": (1, 2, 3)},
        {"channels": ()},
        {"dropout": 1.0},
        {"ndim": 4},
        {"stride": 2},
    ):
        with pytest.raises(ValidationError):
            config(**bad)


def test_side_features_are_checked():
    with pytest.raises(ConfigError, match="takes 2 side features, not 0"):
        ClassifierHead(4, 3, side=2)(torch.zeros(1, 4))


def test_decoder_refuses_valid_padding():
    with pytest.raises(ConfigError, match="padding"):
        ConvRegressor(Encoder(config(padding="valid")))
