"""Fixtures of the vqe tests: the published operators, a way to name a molecule, a toy."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from toolkit.vqe.config import EnvironmentConfig
from toolkit.vqe.environment import Environment
from toolkit.vqe.operators import molecules
from toolkit.vqe.operators.hamiltonian import Hamiltonian
from toolkit.vqe.operators.molecule_config import MoleculeConfig

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def operators() -> Path:
    """Folder of the published operators; a test that needs them is skipped where they are not."""
    given = os.environ.get("TOOLKIT_TEST_DATA")
    folder = (Path(given) if given else REPOSITORY.parent / "shared" / "data") / "vqe"
    if not list(folder.glob("LiH_*.npz")):
        pytest.skip(f"no published operators at {folder}; set TOOLKIT_TEST_DATA to run this test")
    return folder


@pytest.fixture
def molecule():
    """``molecule("LiH", mapping="jw")``: its Hamiltonian, from the session's cache after once."""

    def build(name: str = "LiH", **settings: object) -> Hamiltonian:
        return molecules.hamiltonian(MoleculeConfig(name=name, **settings))

    return build


@pytest.fixture(scope="session")
def toy() -> Hamiltonian:
    """H2 at 0.735 Å on two qubits: |00> lies 794 mHa above the ground state, |01> 20 mHa."""
    terms = {"II": -1.0523732, "ZI": -0.3979374, "IZ": 0.3979374, "ZZ": -0.0112801, "XX": 0.1809312}
    return Hamiltonian(2, tuple(terms), np.array(list(terms.values())), hartree_fock_bits=(0, 1))


@pytest.fixture(scope="session")
def toy_environment(toy: Hamiltonian):
    """``toy_environment(max_gates=3, start="hartree-fock")``: episodes on the two qubits."""

    def build(**settings: object) -> Environment:
        return Environment(toy, EnvironmentConfig(**{"max_gates": 6, **settings}))

    return build
