"""The two heads of the beat classifier, their loss and what they decide together."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from toolkit.core import rng
from toolkit.core.config import load
from toolkit.ecg.beat_network import BeatNetwork, beat_loss, beat_probabilities, decide_beats
from toolkit.ecg.beats import CLASSES
from toolkit.ecg.config import PRESETS, EcgTrainConfig

SIDE = 7
N, S, V, F, Q = range(5)
LOGITS = arrays(np.float32, (3, 4), elements=st.floats(-1e4, 1e4, width=32))


def make(**changes: object) -> BeatNetwork:
    config = load(EcgTrainConfig, preset=PRESETS / "synthetic.toml", flags=changes)
    with rng.torch_scope(0, "weights"):
        return BeatNetwork(config, torch.full((SIDE,), 3.0), torch.full((SIDE,), 2.0))


def inputs(leads: int = 1, n: int = 5) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    signal = torch.randn(n, 3 * leads, 168, generator=generator)
    return signal, 3 + 2 * torch.randn(n, SIDE, generator=generator)


@pytest.mark.parametrize("hidden", [0, 1, 2, 16])
@pytest.mark.parametrize("leads", [["MLII"], ["MLII", "V1"]])
def test_logits_have_four_columns_and_reach_every_weight(hidden: int, leads: list[str]) -> None:
    network = make(hidden=hidden, leads=leads)
    out = network(*inputs(len(leads)))
    assert out.shape == (5, 4)
    out.square().sum().backward()
    assert all(p.grad is not None for p in network.parameters())


def test_the_statistics_travel_with_the_weights() -> None:
    state = make().state_dict()
    assert torch.equal(state["mean_S"], torch.full((SIDE,), 3.0))
    assert torch.equal(state["deviation_S"], torch.full((SIDE,), 2.0))


def test_side_features_are_standardised_and_bounded() -> None:
    network = make().eval()
    signal, side = inputs()
    wild, wilder = side + 1e3, side + 1e6
    assert torch.equal(network(signal, wild), network(signal, wilder))
    assert not torch.equal(network(signal, side), network(signal, wild))


def test_an_evaluated_network_treats_every_beat_alone() -> None:
    network = make().eval()
    signal, side = inputs()
    together = network(signal, side)
    alone = torch.cat([network(signal[i : i + 1], side[i : i + 1]) for i in range(5)])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-4)


@given(LOGITS)
def test_any_logits_give_probabilities(logits: np.ndarray) -> None:
    probabilities = beat_probabilities(logits)
    assert probabilities.shape == (3, len(CLASSES))
    assert np.isfinite(probabilities).all()
    assert (probabilities >= 0).all()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_array_equal(probabilities[:, Q], 0)


@pytest.mark.parametrize("size", [8, 500])
@pytest.mark.parametrize(
    ("signs", "decided"),
    [
        ((1, -1, -1, -1), N),
        ((1, -1, -1, 1), S),
        ((-1, 1, -1, -1), V),
        ((-1, 1, -1, 1), V),  # what is ventricular is not asked whether it is early
        ((-1, -1, 1, -1), F),
        ((-1, -1, 1, 1), S),
    ],
)
def test_sure_heads_decide(signs: tuple[int, ...], decided: int, size: float) -> None:
    logits = size * np.array([signs], np.float32)
    assert beat_probabilities(logits).argmax(axis=1) == decided


def test_s_pulls_the_second_head_up_and_n_down() -> None:
    logits = torch.zeros(5, 4, requires_grad=True)
    beat_loss(logits, torch.arange(5), 0.0).backward()
    assert logits.grad is not None
    assert logits.grad[S, 3] < 0 < logits.grad[N, 3]
    assert logits.grad[V, 1] < 0 < logits.grad[N, 1]


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_right_logits_cost_less_than_wrong_ones(smoothing: float) -> None:
    label = torch.arange(4)  # N, S, V, F
    right = torch.tensor([[4, -4, -4, -4], [4, -4, -4, 4], [-4, 4, -4, 0], [-4, -4, 4, -4.0]])
    losses = [beat_loss(x, label, smoothing) for x in (right, 0 * right, -right)]
    assert losses[0] < losses[1] < losses[2]


def test_fusion_and_unknown_are_never_claimed() -> None:
    certain = np.eye(len(CLASSES), dtype=np.float32)
    assert set(decide_beats(certain)[[N, S, V]].tolist()) == {N, S, V}
    assert set(decide_beats(certain).tolist()) <= {N, S, V}
