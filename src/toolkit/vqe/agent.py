"""Double DQN with true n-step targets over circuits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from toolkit.core import rng
from toolkit.core.supervised import load_weights
from toolkit.vqe.config import AgentConfig
from toolkit.vqe.environment import Environment, Observation
from toolkit.vqe.networks import NETWORKS, Inputs
from toolkit.vqe.replay import Batch

_TEMPERATURE = 0.25  # decades of error


class Agent:
    """Chooses gates by their Q values and learns those from replay.

    Args:
        environment: for the number of gates, actions and qubits, and the scale of energies.
        config: network and learning.
        seed: of the initial weights.
        device: where the network lives.
    """

    def __init__(
        self, environment: Environment, config: AgentConfig, seed: int, device: torch.device
    ) -> None:
        self.config, self.device = config, device
        self._zero, self._scale = environment.e_min, _scale(environment)
        make = NETWORKS[config.encoding]
        with rng.torch_scope(seed, "weights"):
            self.network = make(environment, config).to(device)
            self.target = make(environment, config).to(device)
        self.target.load_state_dict(self.network.state_dict())
        self.optimizer = torch.optim.Adam(
            self.network.parameters(), lr=config.learning_rate, fused=True
        )
        self.updates = 0

    @property
    def epsilon(self) -> float:
        """Share of random actions: decays from 1 with every update."""
        return max(self.config.epsilon_end, self.config.epsilon_decay**self.updates)

    def inputs(self, seen: Observation) -> Inputs:
        """Tensors of one observation, or of a batch of them."""
        actions = torch.from_numpy(np.atleast_2d(seen.actions).astype(np.int64))
        layers = torch.from_numpy(np.atleast_2d(seen.layers).astype(np.int64))
        error = (np.atleast_1d(seen.energy) - self._zero) / self._scale
        threshold = np.atleast_1d(seen.threshold) / self._scale
        scalars = [error, _decades(error - threshold), _decades(threshold)]
        seen_ahead = np.atleast_2d(seen.ahead)
        scaled = np.concatenate([np.stack(scalars, axis=1), seen_ahead], axis=1, dtype=np.float32)
        seen_as = torch.from_numpy(scaled).to(self.device)
        return actions.to(self.device), layers.to(self.device), seen_as

    @torch.inference_mode()
    def best(self, seen: Observation, legal: NDArray[np.bool_]) -> int:
        """The legal action (actions,) with the highest Q."""
        self.network.eval()
        values = self.network(*self.inputs(seen))[0].cpu().numpy()
        return int(np.where(legal, values, -np.inf).argmax())

    def act(
        self,
        seen: Observation,
        legal: NDArray[np.bool_],
        epsilon: float,
        random: np.random.Generator,
    ) -> int:
        """A random legal action with probability ``epsilon``, else the best.

        Where energies ahead are known, random actions are likelier the lower theirs is.
        """
        if random.random() < epsilon:
            weights = np.where(legal, np.exp(seen.ahead / _TEMPERATURE, dtype=np.float64), 0.0)
            return int(random.choice(len(legal), p=weights / weights.sum()))
        return self.best(seen, legal)

    def update(self, batch: Batch) -> float:
        """One step of Adam on the Smooth-L1 loss; returns the loss.

        y = R_n + gamma^n Q_target(s', argmax over legal a of Q(s', a)): van Hasselt et al. 2016,
        arXiv 1509.06461, eq. 4, with n-step returns.
        """
        self.network.train()
        with torch.no_grad():
            target = self._target(batch)
        action = torch.from_numpy(batch.action).to(self.device)[:, None]
        value = self.network(*self.inputs(batch.now)).gather(1, action)[:, 0]
        loss = F.smooth_l1_loss(value, target)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        self.updates += 1
        if self.updates % self.config.target_every == 0:
            self.target.load_state_dict(self.network.state_dict())
        return float(loss.detach())

    def _target(self, batch: Batch) -> Tensor:
        later = self.inputs(batch.later)
        illegal = torch.from_numpy(~batch.legal).to(self.device)
        chosen = self.network(*later).masked_fill(illegal, -torch.inf).argmax(1, keepdim=True)
        value = self.target(*later).gather(1, chosen)[:, 0]
        reward, discount = (
            torch.from_numpy(x).to(self.device) for x in (batch.reward, batch.discount)
        )
        target: Tensor = reward + discount * value
        return target

    def state_dict(self) -> dict[str, Any]:
        """Both networks, the optimiser and the count that decides ε and the next copy."""
        return {
            "network": self.network.state_dict(),
            "target": self.target.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "updates": self.updates,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what ``state_dict`` gave."""
        load_weights(self.network, state["network"])
        load_weights(self.target, state["target"])
        self.optimizer.load_state_dict(dict(state["optimizer"]))
        self.updates = int(state["updates"])


def _decades(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Logarithms of small errors, from -1 (a millionth) to 0."""
    return np.asarray(np.log10(np.maximum(values, 1e-6)) / 6)


def _scale(environment: Environment) -> float:
    """Hartree that the start lies above E_min: energies are read in units of it."""
    return max(environment.start_energy - environment.e_min, 1e-6)
