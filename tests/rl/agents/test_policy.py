from __future__ import annotations

from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from toolkit.core import onnx_file
from toolkit.core.errors import CheckFailedError
from toolkit.rl.agents.policy import Policy
from toolkit.rl.agents.standardisation import Standardisation
from toolkit.rl.environments import Spaces

LOW, HIGH = np.array([-2.0, 0.1], np.float32), np.array([2.0, 0.3], np.float32)
SPACES = Spaces(3, LOW, HIGH, None)


def policy(squash, gain=1.0):
    torch.manual_seed(0)
    actor = nn.Linear(3, 2)
    with torch.no_grad():
        actor.weight *= gain
    standardisation = Standardisation(3)
    standardisation.update(np.random.default_rng(0).normal(5.0, 2.0, (100, 3)))
    return Policy(SPACES, actor, standardisation, squash)


def rows(n=50):
    return torch.from_numpy(np.random.default_rng(1).normal(5.0, 4.0, (n, 3)))


@pytest.mark.parametrize("squash", [False, True])
def test_actions_are_bounded_modes_in_the_environments_units(squash):
    one = policy(squash)
    modes = one.actor(one.standardisation(rows()))
    bounded = modes.tanh() if squash else modes.clamp(-1, 1)
    expected = LOW + (bounded.detach().numpy() + 1) / 2 * (HIGH - LOW)
    np.testing.assert_allclose(one(rows()).detach().numpy(), expected, atol=1e-6)


@pytest.mark.parametrize("squash", [False, True])
def test_no_action_leaves_the_box_by_even_one_bit(squash):
    actions = policy(squash, gain=100.0)(rows(2000)).detach().numpy()
    assert (actions >= LOW).all() and (actions <= HIGH).all()
    assert (actions == LOW).any(0).all() and (actions == HIGH).any(0).all()


@pytest.mark.parametrize("squash", [False, True])
def test_samples_scatter_around_the_mode_by_sigma(squash):
    one = policy(squash, gain=0.0)  # modes are the biases
    noise = torch.from_numpy(np.random.default_rng(2).standard_normal((20_000, 2), np.float32))
    sampled = one.sample(rows(1).expand(20_000, 3), torch.tensor([0.05, 0.1]), noise)
    scaled = (sampled.numpy() - LOW) / (HIGH - LOW) * 2 - 1
    unbounded = np.arctanh(scaled) if squash else scaled
    np.testing.assert_allclose(unbounded.std(0), [0.05, 0.1], rtol=0.03)
    np.testing.assert_allclose(unbounded.mean(0), one.actor.bias.detach().numpy(), atol=0.003)


def test_without_noise_a_sample_is_the_mode():
    one = policy(squash=False)
    sampled = one.sample(rows(), torch.ones(2), torch.zeros(50, 2))
    assert sampled.equal(one(rows()).detach())


def test_weights_and_statistics_are_all_that_is_stored():
    names = {"count", "mean", "m2"}
    expected = {"actor.weight", "actor.bias", *(f"standardisation.{name}" for name in names)}
    assert policy(True).state_dict().keys() == expected


@pytest.mark.parametrize("squash", [False, True])
def test_onnx_takes_raw_observations_in_batches_of_any_size(tmp_path, squash):
    runtime = pytest.importorskip("onnxruntime")
    one, path = policy(squash), tmp_path / "policy.onnx"
    onnx_file.write(path, one, [rows(2).float(), rows(7).float()], (0,), {"env": "none"})
    found = runtime.InferenceSession(path).run(None, {"input": rows(9).float().numpy()})[0]
    np.testing.assert_allclose(found, one(rows(9)).detach().numpy(), atol=1e-5)


def test_onnx_is_compared_in_the_unit_of_each_output(tmp_path, monkeypatch):
    pytest.importorskip("onnxscript", reason="extra onnx is not installed")

    class Session:
        """A runtime that is off by ``error`` of the first output's unit, and of the second's."""

        def __init__(self, error):
            self.error = error

        def run(self, names, fed):
            return [fed["input"] * UNIT.numpy() + np.float32(self.error) * UNIT.numpy()]

    class Times(torch.nn.Module):
        def forward(self, x):
            return x * UNIT

    x = torch.linspace(-1, 1, 10).reshape(5, 2)
    write = partial(onnx_file.write, tmp_path / "a.onnx", Times(), [x], (0,), {}, unit=UNIT)
    for error in ((1e-5, 1e-5), (1e-1, 0.0), (0.0, 1e-1)):
        runtime = SimpleNamespace(InferenceSession=lambda _, error=error: Session(error))
        monkeypatch.setattr(onnx_file, "_runtime", lambda runtime=runtime: runtime)
        if max(error) < 1e-3:
            assert write() > 0
        else:
            with pytest.raises(CheckFailedError, match="differs from its source"):
                write()


UNIT = torch.tensor([1e-6, 1e6])
