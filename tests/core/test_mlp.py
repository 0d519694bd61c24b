"""The MLP builder."""

import pytest
import torch

from toolkit.core.errors import ConfigError
from toolkit.core.mlp import mlp


@pytest.mark.parametrize("norm", ["none", "layer"])
def test_shapes_and_gradients(norm):
    net = mlp((5, 16, 8, 3), "tanh", norm=norm)
    out = net(torch.randn(7, 2, 5))
    assert out.shape == (7, 2, 3)
    out.square().mean().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in net.parameters())


def test_last_layer_is_linear():
    assert isinstance(mlp((4, 3))[-1], torch.nn.Linear)
    assert len(mlp((4, 3))) == 1


def test_orthogonal_gains():
    net = mlp((8, 8, 8), gain=2.0, output_gain=0.01)
    for layer, gain in ((net[0], 2.0), (net[-1], 0.01)):
        torch.testing.assert_close(layer.weight @ layer.weight.T, gain**2 * torch.eye(8))
        assert not layer.bias.any()


def test_same_seed_same_weights():
    def build():
        with torch.random.fork_rng():
            torch.manual_seed(3)
            return mlp((4, 9, 2), gain=1.0)

    assert torch.equal(build()[0].weight, build()[0].weight)


@pytest.mark.parametrize("sizes", [(), (3,), (3, 0)])
def test_bad_sizes(sizes):
    with pytest.raises(ConfigError, match="positive sizes"):
        mlp(sizes)


def test_unknown_activation_suggests():
    with pytest.raises(ConfigError) as error:
        mlp((2, 2), "rleu")
    assert "relu" in str(error.value)
