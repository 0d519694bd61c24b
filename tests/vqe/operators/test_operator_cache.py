"""The cache of operators: used when whole, rebuilt when not, never needed."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from dataclasses import replace

import pytest

from toolkit.vqe.operators import mappings, molecules, operator_cache
from toolkit.vqe.operators.molecule_config import MoleculeConfig


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TOOLKIT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "operators"


@pytest.fixture
def builds(monkeypatch):
    """The problems that were built."""
    calls, build = [], mappings.build
    monkeypatch.setattr(mappings, "build", lambda problem: calls.append(problem) or build(problem))
    return calls


def test_an_operator_is_built_once(cache, builds, molecule):
    first, second = molecule("H2"), molecule("H2")
    assert len(builds) == 1
    assert first.paulis == second.paulis
    assert first.coefficients.tobytes() == second.coefficients.tobytes()
    assert first.hartree_fock_bits == second.hartree_fock_bits
    assert first.facts == second.facts
    (file,) = cache.iterdir()
    assert file.name.startswith("H2-")


def damage_coefficient(content):
    value = json.loads(content)
    value["content"]["terms"][0]["coefficient"] += 1e-9
    return json.dumps(value).encode()


def claim_another(content):
    value = json.loads(content)
    value["identity"]["pennylane"] = "0.1"
    return json.dumps(value).encode()


def hold_none(content):
    """Whole, but no operator."""
    text = json.dumps({"n_qubits": 2}, sort_keys=True)
    value = json.loads(content) | {"content": json.loads(text)}
    return json.dumps(value | {"sha256": hashlib.sha256(text.encode()).hexdigest()}).encode()


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[: len(content) // 2],
        lambda content: b"[]",
        lambda content: b"\xff" * 100,
        lambda content: b"[" * 100_000,
        damage_coefficient,
        claim_another,
        hold_none,
    ],
)
def test_a_damaged_or_foreign_file_is_rebuilt(cache, builds, molecule, damage):
    first = molecule("H2")
    (file,) = cache.iterdir()
    file.write_bytes(damage(file.read_bytes()))
    again = molecule("H2")
    assert len(builds) == 2
    assert again.coefficients.tobytes() == first.coefficients.tobytes()
    molecule("H2")
    assert len(builds) == 2  # it was mended


def test_a_file_of_another_molecule_is_not_taken(cache, builds, molecule):
    molecule("H2")
    (first,) = cache.iterdir()
    molecule("H2", mapping="jw")
    (second,) = set(cache.iterdir()) - {first}
    second.write_bytes(first.read_bytes())
    assert molecule("H2", mapping="jw").n_qubits == 4
    assert len(builds) == 3


def test_all_that_decides_an_operator_is_in_its_identity(monkeypatch):
    problem = molecules.resolve(MoleculeConfig(name="LiH"))
    others = [
        replace(problem, geometry=problem.geometry.scaled(1 + 1e-15)),
        replace(problem, basis="6-31g"),
        replace(problem, charge=2),
        replace(problem, core=()),
        replace(problem, active=(1, 2, 3)),
        replace(problem, active_electrons=4),
        replace(problem, mapping="jw"),
        replace(problem, taper=True),
    ]
    identities = [json.dumps(operator_cache._identity(p)) for p in (problem, *others)]
    monkeypatch.setattr(operator_cache, "version", lambda name: "another")
    identities.append(json.dumps(operator_cache._identity(problem)))
    assert len(set(identities)) == len(others) + 2


def test_where_no_cache_can_be_made_operators_are_built_each_time(
    tmp_path, monkeypatch, builds, molecule
):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TOOLKIT_CACHE", str(tmp_path / "file"))
    assert molecule("H2").n_qubits == molecule("H2").n_qubits == 2
    assert len(builds) == 2


READ_AGAIN = """
import sys
from toolkit.vqe.operators import molecules
from toolkit.vqe.operators.molecule_config import MoleculeConfig
assert molecules.hamiltonian(MoleculeConfig(name="H2")).ground_energy < -1.137
heavy = {"pennylane", "numba", "torch", "scipy", "matplotlib"} & set(sys.modules)
assert not heavy, heavy
"""


def test_a_cached_operator_imports_nothing_heavy(cache, molecule):
    molecule("H2")
    done = subprocess.run(
        [sys.executable, "-c", READ_AGAIN], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
