"""The search as a task of the core: a step is an episode."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import torch

from toolkit.core.rng import Streams
from toolkit.core.run import Run
from toolkit.vqe.agent import Agent
from toolkit.vqe.annealing import anneal
from toolkit.vqe.archive import Archive, Entry
from toolkit.vqe.config import VqeSearchConfig
from toolkit.vqe.curriculum import Threshold
from toolkit.vqe.environment import Environment, Observation, Step
from toolkit.vqe.replay import Moment, Replay, joined

_ANNEALED = 1  # circuits of an episode, the cheapest, that are annealed
_MOVES = 2000  # of it


class Search:
    """Episodes of an agent in an environment; everything that they leave is its state.

    Args:
        environment: the Markov decision process.
        config: of the agent, the curriculum and the run.
        device: where the network lives.
        judge: makes the run's result of the finished search.
    """

    def __init__(
        self,
        environment: Environment,
        config: VqeSearchConfig,
        device: torch.device,
        judge: Callable[[Search, Run], Mapping[str, Any]],
    ) -> None:
        self.environment, self.config, self.judge = environment, config, judge
        self.agent = Agent(environment, config.agent, config.seed, device)
        n_gates, n_actions = environment.max_gates, len(environment.actions)
        self.replay = Replay(config.agent.replay, n_gates, n_actions)
        self.elite = Replay(max(1, config.agent.replay // 4), n_gates, n_actions)
        self.shortened = Archive()
        self.streams = Streams(config.seed)
        self.threshold = Threshold(config.curriculum.threshold_ha)
        self.archive = Archive()
        start = Entry(environment.start_energy, environment.start, -1)
        self.archive.add(start)
        self.shortest = environment.max_gates  # gates of the shortest success so far
        self.tried = 0  # circuits looked at ahead
        self.steps = 0  # of the environment, in training
        self.trained_s = 0.0
        self.history: list[tuple[float, float, int]] = []  # lowest error, threshold, gates

    def step(self, i: int) -> dict[str, float]:
        """Episode ``i``: act, learn, archive, move the threshold."""
        began = time.perf_counter()
        figures = self._episode(i)
        self.trained_s += time.perf_counter() - began
        return figures

    def _episode(self, i: int) -> dict[str, float]:
        value = self.threshold.value_ha
        seen = self.environment.reset(value, self._length(), self.streams.numpy("shots"))
        begun = self._beginning()
        epsilon = max(self.agent.epsilon, self.config.agent.return_epsilon if begun else 0.0)
        moments: list[Moment] = []
        losses: list[float] = []
        lowest, reward, step = np.inf, 0.0, None  # lowest error
        while step is None or not step.done:
            returned = self._taken_next(begun)
            action = self._act(seen, epsilon) if returned is None else returned
            step = self.environment.step(action)
            moments.append(Moment(seen, action, step.reward, self.environment.legal()))
            seen = self.environment.observation()
            self._remember(step, i)
            error = max(step.error, step.energy - self.environment.e_min)  # luck of shots aside
            lowest, reward = min(lowest, error), reward + step.reward
            losses += self._learn()
        if self.config.shorten:
            self._shorten(i)
        agent = self.config.agent
        self.replay.add_episode(moments, seen, agent.n_step, agent.discount)
        if step.success and agent.elite_share:
            self.elite.add_episode(moments, seen, agent.n_step, agent.discount)
        final = self.threshold.is_final(self.config.curriculum)  # this one succeeded below
        self.threshold = self.threshold.after(lowest, step.success, self.config.curriculum)
        if step.success and final and error < value:
            self.shortest = min(self.shortest, len(moments))
        self.history.append((lowest, value, len(moments)))
        figures = {"error_ha": lowest, "threshold_ha": value, "reward": reward}
        figures |= {"gates": len(moments), "success": step.success, "epsilon": self.agent.epsilon}
        return {**figures, **({"loss": float(np.mean(losses))} if losses else {})}

    def _beginning(self) -> list[int]:
        """Actions that return to a circuit worth going on from; often none.

        "First return, then explore" (Ecoffet et al. 2021, Nature 590): the Pareto front is the
        archive, and a random part of one of its circuits the place returned to; every other time
        one of those that succeed, if any does.
        """
        random, most = self.streams.numpy("returns"), self.environment.length - 1
        if random.random() >= self.config.agent.return_share:
            return []
        entries = list(self.archive)
        good = [*self._good(self.archive), *self._good(self.shortened)]
        pool = good if good and random.random() < 0.5 else entries
        chosen = self.environment.actions_of(pool[random.integers(len(pool))].circuit)
        return chosen[: random.integers(min(len(chosen), most) + 1)]

    def _taken_next(self, begun: list[int]) -> int | None:
        """The next action of those to return by, taken off them; None once there is none.

        Gates on other wires may come before a gate that is not legal yet, so that a circuit from
        elsewhere is built in an order that the masks allow; what fits nowhere is left out.
        """
        legal, gates = self.environment.legal(), self.environment.actions.gates
        while begun:
            used: set[int] = set()
            for k, action in enumerate(begun):
                if legal[action] and used.isdisjoint(gates[action].wires):
                    return begun.pop(k)
                used.update(gates[action].wires)
            begun.pop(0)
        return None

    def _good(self, archive: Archive) -> list[Entry]:
        below = self.environment.e_min + self.threshold.value_ha
        return [entry for entry in archive if entry.energy_ha < below]

    def _shorten(self, episode: int) -> None:
        """Anneal the cheapest circuits of this episode that succeed."""
        environment, generator = self.environment, self.streams.numpy("annealing")
        new = [entry for entry in self._good(self.archive) if entry.episode == episode]
        below, gates = environment.e_min + self.threshold.value_ha, environment.actions.gates
        for entry in new[:_ANNEALED]:
            found = anneal(entry.circuit, environment.hamiltonian, below, gates, generator, _MOVES)
            self.shortened.add(Entry(found.energy_ha, found.circuit, episode))

    def _act(self, seen: Observation, epsilon: float) -> int:
        legal = self.environment.legal()
        return self.agent.act(seen, legal, epsilon, self.streams.numpy("actions"))

    def _length(self) -> int:
        """Gates of the coming episode: all, or random (Patel et al. 2024, section 3.3)."""
        config, most = self.config.environment, self.environment.max_gates
        random = self.streams.numpy("lengths")
        final = self.threshold.is_final(self.config.curriculum)
        if config.halting == "none" or (config.halting == "shrinking" and not final):
            return most
        if config.halting == "shrinking":
            near = random.integers(self.shortest - 1, self.shortest + config.halting_slack + 1)
            return max(1, min(int(near), most))
        drawn = int(random.negative_binomial(most, config.halting_p))
        return max(min(config.halting_min, most), min(drawn, most))

    def _remember(self, step: Step, episode: int) -> None:
        if self.archive.wants(self.environment.cost, step.energy):
            self.archive.add(Entry(step.energy, self.environment.circuit(), episode))
        if not self.config.environment.look_ahead:
            return
        energies = self.environment.energies_ahead
        self.tried += int(np.isfinite(energies).sum())
        for action in self.archive.wanted(self.environment.costs_ahead(), energies):
            circuit = self.environment.circuit_ahead(action)
            # its own angles', which are those looked at only where both are by BFGS
            energy = self.environment.simulator.energy(circuit)
            self.archive.add(Entry(energy, circuit, episode))

    def _learn(self) -> list[float]:
        self.steps += 1
        agent, random = self.config.agent, self.streams.numpy("replay")
        if len(self.replay) < agent.warmup or self.steps % agent.update_every:
            return []
        elite = int(agent.elite_share * agent.batch_size) if len(self.elite) else 0
        batch = self.replay.sample(agent.batch_size - elite, random)
        if elite:
            batch = joined(batch, self.elite.sample(elite, random))
        return [self.agent.update(batch)]

    def greedy(self) -> tuple[list[Step], list[Any]]:
        """An episode of the best actions alone: its steps, and the circuit after each."""
        seen: Observation = self.environment.reset(self.threshold.value_ha)
        steps: list[Step] = []
        circuits = []
        while not steps or not steps[-1].done:
            steps.append(self.environment.step(self.agent.best(seen, self.environment.legal())))
            circuits.append(self.environment.circuit())
            seen = self.environment.observation()
        return steps, circuits

    def evaluate(self, i: int) -> dict[str, float]:
        """A greedy episode: where the policy stands without chance."""
        steps, circuits = self.greedy()
        lowest = min(range(len(steps)), key=lambda k: steps[k].error)
        cost = circuits[lowest].cost
        scores = {"error_ha": steps[lowest].error, "depth": cost.depth, "gates": cost.gates}
        return {f"greedy/{key}": float(value) for key, value in scores.items()}

    def done(self, i: int) -> bool:
        """Never before the last episode."""
        return False

    def state_dict(self) -> dict[str, Any]:
        """Agent, replay, random streams, threshold, archive, history."""
        return {
            "agent": self.agent.state_dict(),
            "replay": self.replay.state_dict(),
            "elite": self.elite.state_dict(),
            "streams": self.streams.state_dict(),
            "threshold": asdict(self.threshold),
            "archive": self.archive.state_dict(),
            "shortened": self.shortened.state_dict(),
            "shortest": self.shortest,
            "steps": self.steps,
            "tried": self.tried,
            "trained_s": self.trained_s,
            "history": np.array(self.history).reshape(-1, 3),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what ``state_dict`` gave."""
        self.agent.load_state_dict(state["agent"])
        self.replay.load_state_dict(state["replay"])
        self.elite.load_state_dict(state["elite"])
        self.streams.load_state_dict(state["streams"])
        self.threshold = Threshold(**state["threshold"])
        self.archive.load_state_dict(state["archive"])
        self.shortened.load_state_dict(state["shortened"])
        self.shortest = int(state["shortest"])
        self.tried = int(state["tried"])
        self.steps = int(state["steps"])
        self.trained_s = float(state["trained_s"])
        self.history = [(float(e), float(t), int(n)) for e, t, n in state["history"]]

    def take_model(self, state: Mapping[str, Any]) -> None:
        """Take over the agent of ``state``; what this search found since stays."""
        self.agent.load_state_dict(state["agent"])

    def finish(self, run: Run) -> Mapping[str, Any]:
        """The verdict."""
        return self.judge(self, run)
