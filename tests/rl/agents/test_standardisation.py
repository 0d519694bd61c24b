from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from toolkit.core.supervised import load_weights
from toolkit.rl.agents.standardisation import CLIP, Standardisation


@pytest.fixture
def seen():
    return np.random.default_rng(0).normal([1e4, -2.0, 0.0], [1e-2, 3.0, 1e3], (500, 3))


def updated(*batches):
    module = Standardisation(3)
    for batch in batches:
        module.update(batch)
    return module


@pytest.mark.parametrize("cuts", [[], [1], [1, 2, 3, 400], range(1, 500)], ids=len)
def test_moments_are_those_of_all_rows_however_they_came(seen, cuts):
    module = updated(*np.split(seen, cuts))
    assert int(module.count) == 500
    np.testing.assert_allclose(module.mean.numpy(), seen.mean(0), rtol=1e-12)
    np.testing.assert_allclose(module.variance, seen.var(0), rtol=1e-6)


def test_forward_is_what_the_formula_says_and_is_clipped(seen):
    module = updated(seen)
    rows = np.array([[1e4, 0.0, 500.0], [1e4, 900.0, -9e5]])
    expected = (rows - seen.mean(0)) / np.sqrt(seen.var(0) + 1e-8)
    found = module(torch.from_numpy(rows))
    assert found.dtype == torch.float32
    # the first column is 1e4 ± 1e-2, where float32 has steps of 1e-3
    np.testing.assert_allclose(found.numpy()[:, 1:], np.clip(expected, -CLIP, CLIP)[:, 1:], 1e-5)
    assert found.abs().max() == CLIP


def test_arrays_and_tensors_agree(seen):
    module = updated(seen)
    rows = seen.astype(np.float32)
    np.testing.assert_array_equal(module.array(rows), module(torch.from_numpy(rows)).numpy())
    assert module.array(rows).dtype == np.float32


def test_forward_sees_every_update_at_once(seen):
    module = updated(seen)
    before = module.array(seen[:1])
    module.update(seen + 50)
    assert not np.array_equal(module.array(seen[:1]), before)


def test_the_same_calls_give_the_same_bits(seen):
    first, second = (updated(seen[:1], seen[1:7], seen[7:]) for _ in range(2))
    assert first.m2.equal(second.m2) and first.mean.equal(second.mean)


def test_a_state_comes_back_to_the_bit_and_goes_on_alike(seen):
    module, again = updated(seen[:100]), Standardisation(3)
    load_weights(again, module.state_dict())
    for one in (module, again):
        one.update(seen[100:101])
    assert all(again.state_dict()[k].equal(v) for k, v in module.state_dict().items())
    np.testing.assert_array_equal(again.array(seen), module.array(seen))


def test_loading_takes_effect_without_another_update(seen):
    module, again = updated(seen), Standardisation(3)
    again.load_state_dict(module.state_dict())
    np.testing.assert_array_equal(again.array(seen), module.array(seen))


def test_a_copy_goes_its_own_way(seen):
    module = updated(seen)
    other = copy.deepcopy(module)
    other.update(seen + 50)
    assert int(module.count) == 500 and int(other.count) == 1000
    assert not np.array_equal(module.array(seen), other.array(seen))


def test_conversion_of_a_network_leaves_statistics_exact(seen):
    module = torch.nn.Sequential(updated(seen)).to(torch.float32)[0]
    assert module.mean.dtype == torch.float64
    module.update(seen)
    assert int(module.count) == 1000


def test_disabled_it_is_the_identity_and_counts_nothing(seen):
    module = Standardisation(3, enabled=False)
    module.update(seen)
    np.testing.assert_array_equal(module.array(seen), seen.astype(np.float32))
    assert int(module.count) == 0


def test_before_two_observations_the_scale_is_one(seen):
    module = Standardisation(3)
    assert module.array(np.array([[1.0, -2.0, 3.0]])).tolist() == [[1.0, -2.0, 3.0]]
    module.update(np.array([[1.0, 1.0, 1.0]]))
    assert module.array(np.array([[2.0, -2.0, 3.0]])).tolist() == [[1.0, -3.0, 2.0]]


def test_a_number_that_never_changed_stays_in_bounds():
    module = updated(np.zeros((50, 3)))
    assert module.array(np.array([[0.0, 1e-3, -5.0]])).tolist() == [[0.0, CLIP, -CLIP]]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
def test_on_a_gpu_it_gives_the_same(seen):
    module, moved = updated(seen), updated(seen).to("cuda")
    moved.update(seen), module.update(seen)
    found = moved(torch.from_numpy(seen).to("cuda")).cpu().numpy()
    np.testing.assert_allclose(found, module.array(seen), atol=1e-6)
