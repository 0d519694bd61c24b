"""The cache of baselines: one computation for an operator, whoever asks."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from toolkit.vqe.config import EnvironmentConfig
from toolkit.vqe.operators.hamiltonian import Hamiltonian
from toolkit.vqe.peers import baseline_cache, baselines

BELL = Hamiltonian(2, ("XX", "ZI"), np.array([1.0, 0.5]), (1, 0))
ALL = EnvironmentConfig(max_gates=4)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TOOLKIT_CACHE", str(tmp_path))
    return tmp_path / "baselines"


@pytest.fixture
def runs(monkeypatch):
    """The methods that were computed."""
    calls, run = [], baselines.run

    def counted(hamiltonian, methods, **given):
        calls.extend(methods)
        return run(hamiltonian, methods, **given)

    monkeypatch.setattr(baselines, "run", counted)
    return calls


def compare(methods=("hartree-fock", "random"), hamiltonian=BELL, environment=ALL, most=math.inf):
    return baseline_cache.compare(hamiltonian, methods, environment, most)


def test_a_baseline_is_computed_once(cache, runs):
    first = compare()
    assert compare() == first  # seconds and all
    assert runs == ["hartree-fock", "random"]
    assert len(list(cache.iterdir())) == 2


def test_what_a_row_depends_on_gives_another_one(cache, runs):
    compare(("random",))
    rewards = ALL.model_copy(update={"depth_cost": 0.5, "e_min": "lower-bound"})
    compare(("random",), environment=rewards)
    assert len(runs) == 1
    compare(("random",), environment=ALL.model_copy(update={"rotations": ("RY",)}))
    compare(("random",), Hamiltonian(2, BELL.paulis, BELL.coefficients * 2, (1, 0)))
    compare(("random",), Hamiltonian(2, BELL.paulis, BELL.coefficients, (0, 1)))
    assert len(runs) == 4


def test_other_code_computes_anew(cache, runs, monkeypatch):
    compare(("hartree-fock",))
    monkeypatch.setattr(baseline_cache, "_code", lambda: "another")
    compare(("hartree-fock",))
    assert len(runs) == 2


def test_a_bound_gives_the_same_row_with_and_without_the_cache(cache, runs):
    cut = compare(("random",), most=5)
    assert "cut short" in cut[0]["note"] and not cache.exists()
    whole = compare(("random",))
    again = compare(("random",), most=5)
    assert [row | {"seconds": 0} for row in again] == [row | {"seconds": 0} for row in cut]
    assert compare(("random",), most=10**6) == whole
    assert len(runs) == 3


def test_a_damaged_file_is_computed_anew(cache, runs):
    first = compare(("hartree-fock",))
    (file,) = cache.iterdir()
    value = json.loads(file.read_text())
    value["content"]["row"]["energy_ha"] -= 1e-6
    file.write_text(json.dumps(value))
    assert compare(("hartree-fock",))[0]["energy_ha"] == first[0]["energy_ha"]
    assert len(runs) == 2


def test_a_reason_why_not_is_no_result_to_keep(cache, runs):
    for _ in range(2):
        (row,) = compare(("adapt",))
        assert row["energy_ha"] is None and "needs jw" in row["note"]
    assert len(runs) == 2 and not cache.exists()


def test_all_code_of_vqe_counts(monkeypatch):
    before, seen = Path.read_bytes, []
    monkeypatch.setattr(Path, "read_bytes", lambda path: seen.append(path.name) or before(path))
    baseline_cache._code.__wrapped__()
    assert {"beam.py", "annealing.py", "simulator.py", "integrals.py"} <= set(seen)
