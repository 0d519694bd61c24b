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
from toolkit.ecg.beat_network import (
    BeatNetwork,
    beat_loss,
    beat_probabilities,
    decide_beats,
    probabilities_of,
)
from toolkit.ecg.beats import CLASSES
from toolkit.ecg.config import PRESETS, EcgTrainConfig

SIDE = 7
N, S, V, F, Q = range(5)
LOGITS = arrays(np.float32, (3, 5), elements=st.floats(-1e4, 1e4, width=32))


def make(**changes: object) -> BeatNetwork:
    config = load(EcgTrainConfig, preset=PRESETS / "synthetic.toml", flags=changes)
    with rng.torch_scope(0, "weights"):
        return BeatNetwork(config, torch.full((SIDE,), 3.0), torch.full((SIDE,), 2.0))


def inputs(leads: int = 1, n: int = 5) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    signal = torch.randn(n, 3 * leads, 168, generator=generator)
    side = 3 + 2 * torch.randn(n, SIDE, generator=generator)
    return signal, side, torch.linspace(0, 0.8, n)


@pytest.mark.parametrize("hidden", [0, 1, 2, 16])
@pytest.mark.parametrize("leads", [["MLII"], ["MLII", "V1"]])
def test_logits_have_five_columns_and_reach_every_weight(hidden: int, leads: list[str]) -> None:
    network = make(hidden=hidden, leads=leads)
    out = network(*inputs(len(leads)))
    assert out.shape == (5, 5)
    out.square().sum().backward()
    assert all(p.grad is not None for p in network.parameters())


def test_several_heads_learn_apart_and_answer_by_their_mean() -> None:
    network = make(beats={"heads": 3}, head_dropout=0.0)
    given = inputs()
    apart = network(*given)
    assert apart.shape == (15, 5)
    label = torch.arange(5)
    losses = [beat_loss(part, label, 0.1) for part in apart.split(5)]
    torch.testing.assert_close(beat_loss(apart, label, 0.1), torch.stack(losses).mean())
    assert len(set(losses)) == 3
    network.eval()
    alone = make(beats={"heads": 1}).eval()
    alone.load_state_dict(
        {k: v for k, v in network.state_dict().items() if "heads" not in k}, False
    )
    answers = []
    for head in network.heads:
        alone.heads[0] = head
        answers.append(probabilities_of(alone(*given)))
    found = probabilities_of(network(*given))
    ventricular = torch.stack(answers)[..., V]
    torch.testing.assert_close(found[:, V], ventricular.mean(dim=0))
    supraventricular = (torch.stack(answers)[..., S] / (1 - ventricular)).mean(dim=0)
    torch.testing.assert_close(found[:, S], supraventricular * (1 - found[:, V]))


def test_the_statistics_travel_with_the_weights() -> None:
    state = make().state_dict()
    assert torch.equal(state["mean_S"], torch.full((SIDE,), 3.0))
    assert torch.equal(state["deviation_S"], torch.full((SIDE,), 2.0))


def test_side_features_are_standardised_and_bounded() -> None:
    network = make().eval()
    signal, side, p = inputs()
    wild, wilder = side + 1e3, side + 1e6
    assert torch.equal(network(signal, wild, p), network(signal, wilder, p))
    assert not torch.equal(network(signal, side, p), network(signal, wild, p))


def test_an_evaluated_network_treats_every_beat_alone() -> None:
    network = make().eval()
    given = inputs()
    together = network(*given)
    alone = torch.cat([network(*(x[i : i + 1] for x in given)) for i in range(5)])
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
    logits = size * np.array([(*signs, 1)], np.float32)
    assert beat_probabilities(logits).argmax(axis=1) == decided


def test_s_pulls_the_second_head_up_and_n_down() -> None:
    logits = torch.zeros(5, 5, requires_grad=True)
    beat_loss(logits, torch.arange(5), 0.0).backward()
    assert logits.grad is not None
    assert logits.grad[S, 3] < 0 < logits.grad[N, 3]
    assert logits.grad[V, 1] < 0 < logits.grad[N, 1]


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_right_logits_cost_less_than_wrong_ones(smoothing: float) -> None:
    label = torch.arange(4)  # N, S, V, F
    wanted = [[4, -4, -4, -4, 0], [4, -4, -4, 4, 0], [-4, 4, -4, 0, 0], [-4, -4, 4, -4, 0]]
    right = torch.tensor(wanted, dtype=torch.float32)
    losses = [beat_loss(x, label, smoothing) for x in (right, 0 * right, -right)]
    assert losses[0] < losses[1] < losses[2]


def test_nothing_is_supraventricular_nor_learnt_of_it_without_p_waves() -> None:
    logits = torch.tensor([[4.0, -4, -4, 4, -30], [4, -4, -4, 4, 30]], requires_grad=True)
    decided = beat_probabilities(logits.detach().numpy()).argmax(axis=1)
    assert decided.tolist() == [N, S]
    beat_loss(logits, torch.tensor([N, N]), 0.0).backward()
    assert logits.grad is not None
    assert abs(logits.grad[0, 3]) < 1e-9 < 0.1 < logits.grad[1, 3]


@pytest.mark.parametrize(("least", "asked"), [(0.0, False), (0.1, True)])
def test_p_waves_are_asked_for_by_a_threshold(least: float, asked: bool) -> None:
    network = make(beats={"p_coherence": least}).eval()
    signal, side, _ = inputs()
    logit = network(signal, side, torch.tensor([-0.02, 0.05, 0.1, 0.15, 0.9]))[:, 4]
    if asked:
        assert (logit[:2] < -2).all() and abs(logit[2]) < 1e-5 and (logit[3:] > 2).all()
    else:
        assert (logit > 10).all()


def test_fusion_and_unknown_are_never_claimed() -> None:
    certain = np.eye(len(CLASSES), dtype=np.float32)
    assert set(decide_beats(certain)[[N, S, V]].tolist()) == {N, S, V}
    assert set(decide_beats(certain).tolist()) <= {N, S, V}
