"""Random legal circuits."""

from __future__ import annotations

import numpy as np
import pytest

from toolkit.vqe import verification
from toolkit.vqe.archive import CHEMICAL_ACCURACY_HA
from toolkit.vqe.config import EnvironmentConfig
from toolkit.vqe.operators.hamiltonian import Hamiltonian
from toolkit.vqe.peers.random_search import random_search

BELL = Hamiltonian(2, ("XX", "ZI"), np.array([1.0, 0.5]), (1, 0))
BELL_HA = -np.sqrt(1.25)  # by hand


def test_random_circuits_are_the_same_for_a_seed_and_count_their_successes():
    config = EnvironmentConfig(max_gates=4)
    archive, _, reached, tried = random_search(BELL, config, 40, seed=1)
    again = random_search(BELL, config, 40, seed=1).archive
    assert archive.state_dict() == again.state_dict()
    assert 0 < reached < 40 <= tried <= 160
    lowest = min(entry.energy_ha for entry in archive)
    assert BELL_HA - 1e-9 <= lowest < BELL_HA + CHEMICAL_ACCURACY_HA
    for entry in archive:
        assert verification.verify(entry.circuit, BELL, entry.energy_ha)["agrees"]


def test_random_circuits_are_judged_by_the_exact_energy_even_in_the_other_mode():
    bound = EnvironmentConfig(max_gates=4, e_min="lower-bound")
    known = EnvironmentConfig(max_gates=4)
    reached = [random_search(BELL, config, 20, 1).reached for config in (bound, known)]
    assert reached[0] == reached[1] > 0


@pytest.mark.parametrize(("most", "episodes"), [(1, 1), (10**6, 7)])
def test_no_episode_begins_once_enough_circuits_were_tried(most, episodes):
    found = random_search(BELL, EnvironmentConfig(max_gates=4), 7, seed=1, most=most)
    assert found.episodes == episodes <= found.tried
