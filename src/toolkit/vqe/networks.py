"""Q networks: how a circuit becomes numbers, and what the numbers become."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from toolkit.core.convnet import Encoder, pool
from toolkit.core.mlp import mlp
from toolkit.vqe.config import AgentConfig
from toolkit.vqe.environment import Environment

# (B, L) actions and layers, -1 beyond the circuit; (B, S + actions) scalars and looks ahead
Inputs = tuple[Tensor, Tensor, Tensor]
N_SCALARS = 3  # of an observation, as Agent makes them


class OneHot(nn.Module):
    """One-hot gates at their places, as the sum of embedded rows; then an MLP."""

    def __init__(self, environment: Environment, config: AgentConfig) -> None:
        super().__init__()
        self.n_actions = len(environment.actions)
        places = environment.max_gates * self.n_actions
        width = config.hidden[0]
        self.gates = nn.Embedding(places + 1, width)  # the last row stands for no gate
        bound = environment.max_gates**-0.5
        nn.init.uniform_(self.gates.weight, -bound, bound)
        self.scalars = nn.Linear(N_SCALARS + self.n_actions, width)
        self.rest = mlp([*config.hidden, self.n_actions])

    def forward(self, actions: Tensor, layers: Tensor, scalars: Tensor) -> Tensor:
        place = torch.arange(actions.shape[1], device=actions.device) * self.n_actions
        rows = torch.where(actions >= 0, place + actions, self.gates.num_embeddings - 1)
        table, none = self.gates.weight, self.gates.num_embeddings - 1
        summed = F.embedding_bag(rows, table, mode="sum", padding_idx=none)
        values: Tensor = self.rest(F.relu(summed + self.scalars(scalars)))
        return values


class Moments(nn.Module):
    """The binary tensor of moments x (n + 3) x n (Patel et al. 2024), read by the ConvNet.

    In each moment row t of the first n holds the controls of CNOTs onto target t, the last three
    rows the wires of rotations about x, y and z; moments are the axis that is convolved.
    """

    def __init__(self, environment: Environment, config: AgentConfig) -> None:
        super().__init__()
        n = environment.hamiltonian.n_qubits
        self.channels = (n + 3) * n
        self.depth = environment.max_gates + environment.start.cost.depth
        self.register_buffer("cells", _cells(environment), persistent=False)
        self.encoder = Encoder(
            config.network.model_copy(update={"ndim": 1, "in_channels": self.channels})
        )
        width = 2 * self.encoder.out_channels + N_SCALARS + len(environment.actions)
        self.rest = mlp([width, *config.hidden, len(environment.actions)])

    def forward(self, actions: Tensor, layers: Tensor, scalars: Tensor) -> Tensor:
        batch = torch.arange(len(actions), device=actions.device)[:, None].expand_as(actions)
        there = actions >= 0
        x_BCT = scalars.new_zeros(len(actions), self.channels, self.depth)
        cells: Any = self.cells
        x_BCT[batch[there], cells[actions[there]], layers[there]] = 1.0
        features = pool(self.encoder(x_BCT), "avg+max")
        values: Tensor = self.rest(torch.cat([features, scalars], dim=1))
        return values


def _cells(environment: Environment) -> Tensor:
    """The channel (actions,) of each action in a moment."""
    n = environment.hamiltonian.n_qubits
    rows = {"RX": n, "RY": n + 1, "RZ": n + 2}
    cells = [
        g.wires[1] * n + g.wires[0] if g.name == "CNOT" else rows[g.name] * n + g.wires[0]
        for g in environment.actions.gates
    ]
    return torch.tensor(cells)


class Paper(nn.Module):
    """Four integers a gate, as published: control, target offset, rotated wire, axis; and energy.

    What is not there is n for wires and 0 for offset and axis.
    """

    def __init__(self, environment: Environment, config: AgentConfig) -> None:
        super().__init__()
        self.register_buffer("table", _table(environment), persistent=False)
        sizes = [4 * environment.max_gates + 1, *config.hidden, len(environment.actions)]
        self.rest = mlp(sizes, "leaky_relu")

    def forward(self, actions: Tensor, layers: Tensor, scalars: Tensor) -> Tensor:
        table: Any = self.table
        rows = table[actions]  # -1, no gate, is the table's last row
        values: Tensor = self.rest(torch.cat([rows.flatten(1), scalars[:, :1]], dim=1))
        return values


def _table(environment: Environment) -> Tensor:
    n, axes = environment.hamiltonian.n_qubits, {"RX": 1, "RY": 2, "RZ": 3}
    rows = [
        (g.wires[0], (g.wires[1] - g.wires[0]) % n, n, 0)
        if g.name == "CNOT"
        else (n, 0, g.wires[0], axes[g.name])
        for g in environment.actions.gates
    ]
    return torch.tensor([*rows, (n, 0, n, 0)], dtype=torch.float32)


NETWORKS: dict[str, Callable[[Environment, AgentConfig], nn.Module]] = {
    "one-hot": OneHot,
    "moments": Moments,
    "paper": Paper,
}
