"""Encodings of hand-made circuits, and the networks that read them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from random_operators import random_operator
from torch.nn import functional as F

from toolkit.core.convnet import ConvNetConfig
from toolkit.vqe.config import AgentConfig, EnvironmentConfig
from toolkit.vqe.environment import Environment
from toolkit.vqe.networks import N_SCALARS, NETWORKS

CONVNET = ConvNetConfig(stem_channels=8, stem_kernel=3, channels=(8,), norm="none")
CPU = torch.device("cpu")
BELL_AND_TURNS = [("RY", 0), ("RZ", 2), ("CNOT", 0, 1), ("RX", 2), ("CNOT", 1, 2)]


def environment(**settings):
    given = {"max_gates": 7, "in_order": False, **settings}
    return Environment(random_operator(3, 8, 0), EnvironmentConfig(**given))


def network(place, encoding):
    torch.manual_seed(0)
    config = AgentConfig(encoding=encoding, hidden=(6, 5), network=CONVNET)
    return NETWORKS[encoding](place, config).to(CPU).eval()


def tensors(place, *circuits):
    """Actions and layers of circuits, (B, L) each, and scalars (B, S) made up for them."""
    seen = []
    for gates in circuits:
        place.reset(-1e9)
        for name, *wires in gates:
            place.step(place.actions.number[name, tuple(wires)])
        seen.append(place.observation())
    actions, layers = (
        torch.from_numpy(np.stack(part).astype(np.int64)) for part in list(zip(*seen))[:2]
    )
    n_scalars = N_SCALARS + len(place.actions)
    scalars = torch.arange(float(n_scalars * len(circuits))).reshape(-1, n_scalars) / 70
    return actions, layers, scalars


def read_by(part, net, inputs):
    """What the submodule ``part`` is given when ``net`` reads ``inputs``."""
    got = []
    part.register_forward_pre_hook(lambda _, given: got.append(given[0].detach().clone()))
    with torch.no_grad():
        net(*inputs)
    return got[0]


@pytest.mark.parametrize("encoding", NETWORKS)
@pytest.mark.parametrize("start", ["zero", "hartree-fock"])
def test_every_network_gives_a_value_for_each_action(encoding, start, toy_environment):
    place = toy_environment(start=start)
    values = network(place, encoding)(*tensors(place, [], [("RY", 0)], [("RX", 0), ("RY", 0)]))
    assert values.shape == (3, len(place.actions)) == (3, 8)
    assert torch.isfinite(values).all() and len({tuple(row.tolist()) for row in values}) == 3


def test_embedded_gates_are_the_one_hot_product():
    place = environment()
    net = network(place, "one-hot")
    actions, layers, scalars = tensors(place, [], BELL_AND_TURNS, BELL_AND_TURNS[:2])
    one_hot = torch.zeros(3, 7, len(place.actions))
    for row, column in np.argwhere(actions.numpy() >= 0):
        one_hot[row, column, actions[row, column]] = 1
    assert one_hot.sum(dim=(1, 2)).tolist() == [0, 5, 2]
    hidden = one_hot.flatten(1) @ net.gates.weight[:-1] + net.scalars(scalars)
    torch.testing.assert_close(net(actions, layers, scalars), net.rest(F.relu(hidden)))


def test_the_place_of_no_gate_is_never_learnt():
    place = environment()
    net = network(place, "one-hot")
    net(*tensors(place, [], BELL_AND_TURNS)).sum().backward()
    used = net.gates.weight.grad.abs().sum(1).nonzero().flatten().tolist()
    numbers = [place.actions.number[name, tuple(wires)] for name, *wires in BELL_AND_TURNS]
    assert used == [15 * k + a for k, a in enumerate(numbers)]


def test_moments_by_hand():
    place = environment()
    net = network(place, "moments")
    x_BCT = read_by(net.encoder, net, tensors(place, [], BELL_AND_TURNS))
    assert x_BCT.shape == (2, 6 * 3, 7)
    cube = x_BCT[1].T.reshape(7, 6, 3)  # moment; targets 0, 1, 2, then x, y, z; wire
    expected = torch.zeros(7, 6, 3)
    expected[0, 4, 0] = 1  # RY on 0
    expected[0, 5, 2] = 1  # RZ on 2
    expected[1, 1, 0] = 1  # CNOT from 0 to 1
    expected[1, 3, 2] = 1  # RX on 2
    expected[2, 2, 1] = 1  # CNOT from 1 to 2
    assert torch.equal(cube, expected) and not x_BCT[0].any()


def test_gates_that_commute_in_another_order_make_the_same_moments():
    place = environment()
    net = network(place, "moments")
    order = [1, 0, 3, 2, 4]
    x_BCT = read_by(
        net.encoder, net, tensors(place, BELL_AND_TURNS, [BELL_AND_TURNS[k] for k in order])
    )
    assert torch.equal(x_BCT[0], x_BCT[1]) and x_BCT[0].sum() == 5


def test_moments_have_room_for_gates_behind_a_prepared_state(toy_environment):
    place = toy_environment(start="hartree-fock", max_gates=3)
    net = network(place, "moments")
    inputs = tensors(place, [("RX", 1), ("RY", 1), ("RZ", 1)])
    assert inputs[1].tolist() == [[1, 2, 3]]  # the X is in layer 0
    x_BCT = read_by(net.encoder, net, inputs)
    assert x_BCT.shape == (1, 10, 4) and x_BCT.sum() == 3
    assert network(toy_environment(max_gates=3), "moments").depth == 3


def test_the_published_encoding_has_four_integers_a_gate_and_the_energy():
    place = environment()
    net = network(place, "paper")
    inputs = tensors(place, [], BELL_AND_TURNS)
    read = read_by(net.rest, net, inputs)
    assert read.shape == (2, 4 * 7 + 1)
    none = [3, 0, 3, 0]
    gates = [[3, 0, 0, 2], [3, 0, 2, 3], [0, 1, 3, 0], [3, 0, 2, 1], [1, 1, 3, 0], none, none]
    assert read[1, :-1].reshape(7, 4).tolist() == gates
    assert read[0, :-1].reshape(7, 4).tolist() == [none] * 7
    assert torch.equal(read[:, -1], inputs[2][:, 0])


def test_target_offsets_of_the_published_encoding_go_round():
    place = environment()
    net = network(place, "paper")
    read = read_by(net.rest, net, tensors(place, [("RX", 2), ("CNOT", 2, 0)]))
    assert read[0, 4:8].tolist() == [2, 1, 3, 0]
