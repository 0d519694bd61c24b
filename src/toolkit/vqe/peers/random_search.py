"""Random legal circuits: what appending gates reaches without learning which."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from toolkit.vqe.archive import CHEMICAL_ACCURACY_HA, Archive, Entry
from toolkit.vqe.config import EnvironmentConfig
from toolkit.vqe.environment import Environment
from toolkit.vqe.operators.hamiltonian import Hamiltonian


class Found(NamedTuple):
    """The Pareto front over all circuits of random episodes.

    ``reached`` counts the ``episodes`` that came to chemical accuracy, ``tried`` the circuits.
    """

    archive: Archive
    episodes: int
    reached: int
    tried: int


def random_search(
    hamiltonian: Hamiltonian, config: EnvironmentConfig, n: int, seed: int, most: float = math.inf
) -> Found:
    """``n`` episodes of random legal gates, angles minimised by BFGS after each.

    No episode begins once ``most`` circuits were tried.
    """
    environment, rng = Environment(hamiltonian, plain(config)), np.random.default_rng(seed)
    archive, episodes, reached, tried = Archive(), 0, 0, 0
    while episodes < n and tried < most:
        environment.reset(CHEMICAL_ACCURACY_HA)
        done = False
        while not done:
            step = environment.step(int(rng.choice(np.flatnonzero(environment.legal()))))
            if archive.wants(environment.cost, step.energy):
                archive.add(Entry(step.energy, environment.circuit(), episodes))
            done, reached, tried = step.done, reached + step.success, tried + 1
        episodes += 1
    return Found(archive, episodes, reached, tried)


def plain(config: EnvironmentConfig) -> EnvironmentConfig:
    """What is left of a search's environment where nothing is learnt; the exact energy counts."""
    names = ("max_gates", "rotations", "coupling", "start", "in_order")
    return EnvironmentConfig(**{name: getattr(config, name) for name in names})
