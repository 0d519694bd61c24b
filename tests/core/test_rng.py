"""Random streams: pure, independent, restorable, and without a trace in global state."""

import json

import numpy as np
import pytest
import torch

from toolkit.core import rng


def drawn(*arguments):
    return rng.generator(*arguments).integers(2**62)


def test_a_generator_is_a_pure_function():
    assert drawn(3, "order", 7) == drawn(3, "order", 7)


def test_other_arguments_give_other_numbers():
    arguments = [(s, n, *i) for s in (0, 1) for n in ("a", "b") for i in ((), (0,), (1,), (0, 0))]
    assert len({drawn(*one) for one in arguments}) == len(arguments)


def test_steps_are_independent():
    draws = np.array([rng.generator(0, "order", i).standard_normal(50) for i in range(200)])
    between = np.corrcoef(draws)[np.triu_indices(200, 1)]
    assert abs(between.mean()) < 0.01 and np.abs(between).max() < 0.8


def test_a_torch_scope_seeds_and_leaves_no_trace():
    before = torch.get_rng_state()
    with rng.torch_scope(1, "layers", 5):
        first = torch.rand(3)
    assert torch.equal(torch.get_rng_state(), before)
    torch.rand(1)
    with rng.torch_scope(1, "layers", 5):
        assert torch.equal(torch.rand(3), first)
    with rng.torch_scope(1, "layers", 6):
        assert not torch.equal(torch.rand(3), first)


def test_torch_scopes_leave_nothing_queued_for_accelerators_that_are_not_in_use():
    if torch.cuda.is_initialized():
        pytest.skip("CUDA is in use: nothing waits for it")
    before = len(torch.cuda._queued_calls), len(torch.xpu._queued_calls)
    for i in range(3):
        with rng.torch_scope(1, "layers", i):
            pass
    assert (len(torch.cuda._queued_calls), len(torch.xpu._queued_calls)) == before


def test_a_torch_scope_restores_after_an_error():
    before = torch.get_rng_state()
    with pytest.raises(ValueError, match="x"), rng.torch_scope(1, "layers"):
        torch.rand(3)
        raise ValueError("x")
    assert torch.equal(torch.get_rng_state(), before)


def test_seeds_fit_torch():
    seeds = [rng.torch_seed(0, "x", i) for i in range(100)]
    assert len(set(seeds)) == 100 and all(0 <= seed < 2**63 for seed in seeds)


def test_streams_continue_through_json():
    streams = rng.Streams(3)
    streams.numpy("a").integers(3, size=5, dtype=np.int8)
    streams.numpy("b").random(7)
    state = json.loads(json.dumps(streams.state_dict()))
    again = rng.Streams(3)
    again.load_state_dict(state)
    for name in ("a", "b", "c"):
        assert np.array_equal(streams.numpy(name).random(4), again.numpy(name).random(4))


def test_a_saved_state_does_not_move_on():
    streams = rng.Streams(3)
    streams.numpy("a")
    state = streams.state_dict()
    first = streams.numpy("a").random(3)
    streams.load_state_dict(state)
    assert np.array_equal(streams.numpy("a").random(3), first)


def test_going_back_also_undoes_streams_that_came_later():
    streams = rng.Streams(3)
    state, held = streams.state_dict(), streams.numpy("late")
    first = held.random(3)
    streams.load_state_dict(state)
    assert np.array_equal(held.random(3), first)


def test_streams_differ_by_name_and_seed():
    draws = {rng.Streams(s).numpy(n).integers(2**62) for s in (0, 1) for n in ("a", "b")}
    assert len(draws) == 4
