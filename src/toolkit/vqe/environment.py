"""The search as a Markov decision process: one gate a step, angles re-optimised each time."""

from __future__ import annotations

import time
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from toolkit.core.errors import ConfigError
from toolkit.vqe.actions import Actions, costs_after, couplings, legal
from toolkit.vqe.angles import Angles
from toolkit.vqe.circuits import CODES, Circuit, Cost, Gate
from toolkit.vqe.compiling import compiling
from toolkit.vqe.config import EnvironmentConfig
from toolkit.vqe.noise import noisy_energy
from toolkit.vqe.operators.hamiltonian import Hamiltonian, start_bits
from toolkit.vqe.simulator import Simulator

_CNOT = CODES["CNOT"]


class Observation(NamedTuple):
    """What the agent sees of a circuit: enough for every encoding.

    ``actions`` (max_gates,) and ``layers`` (max_gates,) of the gates appended so far, -1 beyond;
    energy and the threshold of success in Hartree; ``ahead`` (actions,): decades that each action
    lowers the error by, 0 where unknown. In a batch all of them have an axis more.
    """

    actions: NDArray[np.int16]
    layers: NDArray[np.int16]
    energy: float | NDArray[np.float64]
    threshold: float | NDArray[np.float64]
    ahead: NDArray[np.float32]


class Step(NamedTuple):
    """What a step gave, in Hartree.

    ``energy`` is that of the state itself; ``error`` that of the measured energy above E_min, known
    or bound. They differ where the device is noisy.
    """

    energy: float
    error: float
    reward: float
    done: bool
    success: bool


class Environment:
    """Circuits for one Hamiltonian, built gate by gate.

    Args:
        hamiltonian: whose ground state is searched for.
        config: actions, rewards and angles.

    Raises:
        ConfigError: the start is not known, or no action changes it.

    ``e_min`` is the exact energy only in the known mode; in the other it is never computed here.
    ``compile_s`` is what it took to be ready: many seconds where numba must compile its kernels
    first, a fraction of one where its cache holds them.
    """

    def __init__(self, hamiltonian: Hamiltonian, config: EnvironmentConfig) -> None:
        began = time.perf_counter()
        self.config, self.hamiltonian = config, hamiltonian
        self.simulator = Simulator(hamiltonian)
        n = hamiltonian.n_qubits
        self.max_gates = config.max_gates or 4 * n
        self.actions = Actions(n, config.rotations, couplings(config.coupling, n))
        bits = start_bits(hamiltonian, config.start)
        self.start = Circuit.prepared(bits)
        self._start_bits = np.array(bits, np.int64)
        known = config.e_min == "known"
        self.e_min = hamiltonian.ground_energy if known else hamiltonian.lower_bound
        self.start_energy = hamiltonian.basis_energy(bits)
        self._angles = Angles(self.simulator, self.start, self.max_gates, config.angles)
        self._chosen = np.full(self.max_gates, -1, np.int16)
        self._layers = np.full(self.max_gates, -1, np.int16)
        with compiling():
            self._begin()
        self.compile_s = time.perf_counter() - began

    def _begin(self) -> None:
        """Two steps, which compile all that a search calls."""
        self.reset(0.0)
        if not self.legal().any():
            bits = "".join(map(str, self._start_bits))
            raise ConfigError(
                f"no action changes {bits}, where every episode begins",
                where="environment.rotations",
                hint="--set environment.rotations=RX,RY,RZ",
            )
        while self.n_gates < min(2, self.max_gates) and self.legal().any():
            self.step(int(np.flatnonzero(self.legal())[-1]))
        self.reset(0.0)

    def reset(
        self,
        threshold: float,
        length: int | None = None,
        random: np.random.Generator | None = None,
    ) -> Observation:
        """Begin an episode of at most ``length`` gates; an error below ``threshold`` ends it.

        Shots are drawn from ``random``; without it energies are expectation values.
        """
        self._random = random
        self.threshold, self.length = threshold, length or self.max_gates
        self.n_gates, self.n_cnot = 0, 0
        self.energy = self.start_energy
        self._free = [1 if bit else 0 for bit in self._start_bits]
        self._chosen[:], self._layers[:] = -1, -1
        self._angles.reset()
        self._look()
        return self.observation()

    def observation(self) -> Observation:
        """The circuit as the agent sees it."""
        ahead = self._ahead.astype(np.float32)
        return Observation(
            self._chosen.copy(), self._layers.copy(), self.energy, self.threshold, ahead
        )

    @property
    def chosen(self) -> list[int]:
        """The actions so far."""
        return [int(action) for action in self._chosen[: self.n_gates]]

    def _look(self) -> None:
        """Find out which actions may come next and, if asked for, what each would give."""
        self._legal = self._find_legal()
        self._ahead = np.zeros(len(self.actions))
        self.energies_ahead = np.full(len(self.actions), np.nan)
        if self.config.look_ahead and self.n_gates < self.max_gates:
            self.energies_ahead = self._angles.ahead(self.actions.rows, self._legal)
            errors = np.maximum(self.energies_ahead - self.e_min, 1e-6)
            decades = np.log10(max(self.energy - self.e_min, 1e-6) / errors)
            self._ahead = np.where(self._legal, np.clip(decades, -2, 2), 0.0)

    def costs_ahead(self) -> NDArray[np.int64]:
        """Depth, gates and CNOTs (actions, 3) after each action."""
        cost = self.cost
        return costs_after(self.actions.rows, np.array(self._free), cost.gates, cost.cnot)

    def circuit_ahead(self, action: int) -> Circuit:
        """The circuit with ``action`` appended, which it is not."""
        gate = self.actions.gates[action]
        gates = (*self.circuit().gates, Gate(gate.name, gate.wires, gate.angle))
        angles = self._angles.after(self.actions.rows[action])
        return Circuit(self.start.n_qubits, gates).with_angles(angles)

    def legal(self) -> NDArray[np.bool_]:
        """Which actions (actions,) may come next."""
        return self._legal

    def _find_legal(self) -> NDArray[np.bool_]:
        chosen = self._chosen[: self.n_gates].astype(np.int64)
        return legal(self.actions.rows, chosen, self._start_bits, self.config.in_order)

    def step(self, action: int) -> Step:
        """Append ``action``, re-optimise the angles, reward."""
        before, depth = self.energy, self.cost.depth
        self._append(action)
        ideal = self._angles.append(self.actions.rows[action])
        self.energy = self._measured(ideal)
        error = self.energy - self.e_min
        self._look()
        success = error < self.threshold
        full = self.n_gates >= self.length
        stuck = not success and not full and not self.legal().any()
        reward = self._reward(before, success, full or stuck)
        reward -= self.config.depth_cost * (self.cost.depth - depth)
        reward -= self.config.cnot_cost * (self.actions.rows[action, 0] == _CNOT)
        return Step(ideal, error, float(reward), success or full or stuck, success)

    def _append(self, action: int) -> None:
        wires = self.actions.gates[action].wires
        layer = max(self._free[wire] for wire in wires)
        for wire in wires:
            self._free[wire] = layer + 1
        self._chosen[self.n_gates], self._layers[self.n_gates] = action, layer
        self.n_gates += 1
        self.n_cnot += len(wires) == 2

    def _measured(self, ideal: float) -> float:
        noise = self.config.noise
        shots = noise.shots if self._random is not None else None
        if shots is None and not (noise.depolarising_1 or noise.depolarising_2):
            return ideal
        seen = noise.model_copy(update={"shots": shots})
        return noisy_energy(self.circuit(), self.hamiltonian, seen, self._random)

    def _reward(self, before: float, success: bool, over: bool) -> float:
        """The reward of Ostaszewski et al. 2021, eq. 2."""
        if success:
            return self.config.success_reward
        if over:
            return self.config.failure_reward
        gap = max(abs(before - self.e_min), 1e-12)
        return min(max((before - self.energy) / gap, -1.0), 1.0)

    @property
    def cost(self) -> Cost:
        """Cost of the circuit so far, its preparation included."""
        prepared = len(self.start.gates)
        gates = prepared + self.n_gates
        rotations = self.n_gates - self.n_cnot
        return Cost(max(self._free), gates, self.n_cnot, rotations)

    def actions_of(self, circuit: Circuit) -> list[int]:
        """The actions that append the gates of ``circuit`` behind the prepared state.

        There are none for a circuit that does not begin with it.
        """
        if circuit.gates[: len(self.start.gates)] != self.start.gates:
            return []
        appended = circuit.gates[len(self.start.gates) :]
        return [self.actions.number[gate.name, gate.wires] for gate in appended]

    def circuit(self) -> Circuit:
        """The circuit so far with its angles."""
        chosen = [self.actions.gates[action] for action in self._chosen[: self.n_gates]]
        gates = (*self.start.gates, *(Gate(g.name, g.wires, g.angle) for g in chosen))
        return Circuit(self.start.n_qubits, gates).with_angles(self._angles.values)
