"""Operator files: exact round trips, and one clear error for each way to be wrong."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pennylane as qml
import pytest
from random_operators import random_operator

from toolkit.core.errors import ConfigError, DataError
from toolkit.vqe.operators.hamiltonian import Hamiltonian
from toolkit.vqe.operators.operator_files import pauli_terms, read, to_json, write


def test_json_gives_back_every_bit(tmp_path):
    operator = random_operator(4, 50, seed=0)
    whole = Hamiltonian(
        4, operator.paulis, operator.coefficients / 3, (1, 0, 0, 1), {"molecule": "LiH"}
    )
    write(tmp_path / "H.json", whole)
    found = read(tmp_path / "H.json")
    assert found.paulis == whole.paulis
    assert found.coefficients.tobytes() == whole.coefficients.tobytes()
    assert (found.n_qubits, found.hartree_fock_bits) == (4, (1, 0, 0, 1))
    assert found.facts == {"molecule": "LiH"}


def test_the_least_that_a_json_needs(tmp_path):
    terms = [{"pauli": "XX", "coefficient": 1}, {"pauli": "YY", "coefficient": -0.5}]
    (tmp_path / "H.json").write_text(json.dumps({"n_qubits": 2, "terms": terms}))
    found = read(tmp_path / "H.json")
    assert found.hartree_fock_bits is None
    assert found.ground_energy == pytest.approx(-1.5)


@pytest.mark.parametrize("n_qubits", [1, 2, 3, 4])
def test_a_matrix_is_decomposed_as_by_pennylane(n_qubits):
    operator = random_operator(n_qubits, 40, seed=n_qubits)
    expected = qml.pauli_decompose(operator.matrix(), pauli=True)
    letters = {"".join(w[q] for q in range(n_qubits)): c for w, c in expected.items()}
    found = pauli_terms(operator.matrix())
    assert found.keys() == set(operator.paulis) == letters.keys()
    for pauli, coefficient in found.items():
        assert coefficient == pytest.approx(letters[pauli].real, abs=1e-12)


def npz(path, **arrays):
    np.savez(path, **arrays)
    return path


@pytest.mark.parametrize("dtype", [np.complex64, np.complex128, np.float64])
def test_a_dense_matrix_is_read_with_its_shift(tmp_path, dtype):
    operator = random_operator(3, 20, seed=5)
    matrix = operator.matrix().astype(dtype)
    found = read(npz(tmp_path / "H.npz", hamiltonian=matrix, energy_shift=np.array(-6.5)))
    np.testing.assert_allclose(found.matrix(), matrix.real - 6.5 * np.eye(8), atol=1e-6)
    assert found.facts["energy_shift_ha"] == -6.5
    assert len(found.paulis) <= len(operator.paulis) + 1  # rounding makes no terms


def test_published_operators_are_read(operators):
    files = sorted(operators.glob("LiH_*.npz"))
    assert len(files) == 4
    for path in files:
        found = read(path)
        published = np.load(path)
        eigenvalues = np.sort(published["eigvals"].real) + published["energy_shift"]
        np.testing.assert_allclose(np.linalg.eigvalsh(found.matrix()), eigenvalues, atol=5e-7)
        assert len(found.paulis) == (100 if found.n_qubits == 4 else 118)


def term(pauli, coefficient=0.5):
    return {"pauli": pauli, "coefficient": coefficient}


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ([], "n_qubits and terms are needed"),
        ({"n_qubits": 2}, "n_qubits and terms are needed"),
        ({"n_qubits": 2, "terms": []}, "without terms"),
        ({"n_qubits": 2, "terms": {"XX": 1}}, "without terms"),
        ({"n_qubits": True, "terms": [term("X")]}, "no number of qubits"),
        ({"n_qubits": 2.0, "terms": [term("XX")]}, "no number of qubits"),
        ({"n_qubits": 0, "terms": [term("")]}, "no number of qubits"),
        ({"n_qubits": 2, "terms": [term("XX")], "unit": "eV"}, "did you mean 'units'"),
        ({"n_qubits": 2, "terms": [term("XX")], "units": "eV"}, "read in hartree"),
        ({"n_qubits": 2, "terms": [term("XX")], "facts": []}, "facts are no JSON object"),
        ({"n_qubits": 2, "terms": ["XX"]}, "term 0"),
        ({"n_qubits": 2, "terms": [{"pauli": "XX"}]}, "no pauli with a coefficient"),
        ({"n_qubits": 2, "terms": [term("XX"), term("XW")]}, "term 1"),
        ({"n_qubits": 2, "terms": [term("xz")]}, "no string of I, X, Y and Z"),
        ({"n_qubits": 2, "terms": [term(["X", "X"])]}, "no string of I, X, Y and Z"),
        ({"n_qubits": 2, "terms": [term("XXI")]}, "has 3 letters for 2 qubits"),
        ({"n_qubits": 2, "terms": [term("XY")]}, "odd number of Y"),
        ({"n_qubits": 2, "terms": [term("XX"), term("XX")]}, "XX is given twice"),
        ({"n_qubits": 2, "terms": [term("XX", [0.1, 0.2])]}, "no real number"),
        ({"n_qubits": 2, "terms": [term("XX", "0.1")]}, "no real number"),
        ({"n_qubits": 2, "terms": [term("XX", True)]}, "no real number"),
        ({"n_qubits": 2, "terms": [term("XX", float("nan"))]}, "not finite"),
        ({"n_qubits": 2, "terms": [term("XX", float("inf"))]}, "not finite"),
        ({"n_qubits": 2, "terms": [term("XX", 10**400)]}, "not finite"),
        ({"n_qubits": 2, "terms": [term("XX")], "hartree_fock_bits": "1"}, "no 2 bits"),
        ({"n_qubits": 2, "terms": [term("XX")], "hartree_fock_bits": [1, 2]}, "no 2 bits"),
        ({"n_qubits": 2, "terms": [term("XX")], "hartree_fock_bits": 10}, "no 2 bits"),
    ],
)
def test_a_wrong_json_is_refused(tmp_path, value, says):
    path = tmp_path / "H.json"
    path.write_text(json.dumps(value))
    with pytest.raises(DataError) as caught:
        read(path)
    assert says in str(caught.value)
    assert str(path) in caught.value.where


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff\xff", b"[" * 100_000, b"PK", b"PK\x03\x04" * 9]
)
def test_what_is_neither_json_nor_npz_is_refused(tmp_path, content):
    (tmp_path / "H.json").write_bytes(content)
    with pytest.raises(DataError, match=r"neither JSON nor|no readable \.npz"):
        read(tmp_path / "H.json")


def test_missing_files_and_folders_are_refused(tmp_path):
    for path in (tmp_path / "missing.json", tmp_path):
        with pytest.raises(DataError, match="cannot read an operator"):
            read(path)


def test_more_qubits_than_are_simulated_are_refused(tmp_path):
    (tmp_path / "H.json").write_text(json.dumps({"n_qubits": 40, "terms": [term("X" * 40)]}))
    with pytest.raises(ConfigError, match="40 qubits; at most 16"):
        read(tmp_path / "H.json")


X, Y = np.array([[0, 1], [1, 0]]), np.array([[0, -1j], [1j, 0]])
NAN = np.array([[np.nan, 0], [0, 1]])


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        ({"matrix": X}, "no array 'hamiltonian'"),
        ({"hamiltonian": np.ones((2, 3))}, "shape (2, 3)"),
        ({"hamiltonian": np.eye(3)}, "shape (3, 3)"),
        ({"hamiltonian": np.eye(1)}, "shape (1, 1)"),
        ({"hamiltonian": np.ones(4)}, "shape (4,)"),
        ({"hamiltonian": np.zeros((0, 0))}, "shape (0, 0)"),
        ({"hamiltonian": np.ones((2, 2, 2))}, "shape (2, 2, 2)"),
        ({"hamiltonian": np.triu(np.ones((2, 2)))}, "not Hermitian: off by 1"),
        ({"hamiltonian": Y}, "complex-valued: imaginary parts up to 1"),
        ({"hamiltonian": 1j * X}, "not Hermitian: off by 2"),
        ({"hamiltonian": NAN}, "NaN or infinity"),
        ({"hamiltonian": np.array([["a", "b"], ["c", "d"]])}, "not numbers"),
        ({"hamiltonian": np.array([[None, 1], [1, None]])}, "not numbers"),
        ({"hamiltonian": X, "energy_shift": np.array(1j)}, "energy_shift"),
        ({"hamiltonian": X, "energy_shift": np.array(np.inf)}, "energy_shift"),
        ({"hamiltonian": X, "energy_shift": np.ones(2)}, "energy_shift"),
    ],
)
def test_a_wrong_npz_is_refused(tmp_path, arrays, says):
    path = npz(tmp_path / "H.npz", **arrays)
    with pytest.raises(DataError) as caught:
        read(path)
    assert says in str(caught.value)
    assert caught.value.where == str(path)


def test_a_header_that_promises_too_much_is_refused_before_memory_is_taken(tmp_path):
    header = io.BytesIO()
    shape = {"descr": "<f8", "fortran_order": False, "shape": (2**20, 2**20)}
    np.lib.format.write_array_header_1_0(header, shape)
    with zipfile.ZipFile(tmp_path / "H.npz", "w") as archive:
        archive.writestr("hamiltonian.npy", header.getvalue())
    with pytest.raises(DataError, match="too large"):
        read(tmp_path / "H.npz")


def test_large_dense_matrices_are_refused(tmp_path):
    path = npz(tmp_path / "H.npz", hamiltonian=np.zeros((2**13, 2**13), np.int8))
    with pytest.raises(DataError, match="13 qubits; at most 12"):
        read(path)


def test_a_damaged_npz_is_refused_wherever_it_is_cut(tmp_path):
    path = npz(tmp_path / "H.npz", hamiltonian=np.eye(8), energy_shift=np.array(1.0))
    whole = path.read_bytes()
    for length in range(4, len(whole), 7):
        path.write_bytes(whole[:length])
        with pytest.raises(DataError):
            read(path)


def test_to_json_is_strict_json(molecule):
    text = json.dumps(to_json(molecule("H2")), allow_nan=False)
    assert json.loads(text)["hartree_fock_bits"] == "10"


def test_small_terms_of_a_single_precision_operator_are_kept(tmp_path):
    own = read(Path(__file__).parents[3] / "models" / "vqe" / "h2o-8" / "hamiltonian.json")
    matrix = own.matrix().astype(np.complex64)
    found = read(npz(tmp_path / "H.npz", hamiltonian=matrix))
    assert set(found.paulis) == set(own.paulis)
    assert abs(found.ground_energy - own.ground_energy) < 1e-5


def test_damage_inside_a_compressed_npz_is_refused(tmp_path):
    path = tmp_path / "H.npz"
    np.savez_compressed(path, hamiltonian=random_operator(5, 60, seed=1).matrix())
    content = bytearray(path.read_bytes())
    for place in range(120, len(content) - 200, 97):
        damaged = bytearray(content)
        damaged[place] ^= 0x40
        path.write_bytes(damaged)
        with pytest.raises(DataError):
            read(path)
