"""Hamiltonians as matrices, bounds and exact energies, against PennyLane and dense algebra."""

from __future__ import annotations

import itertools

import numpy as np
import pennylane as qml
import pytest
from random_operators import random_operator

from toolkit.core.errors import ConfigError
from toolkit.vqe.operators import hamiltonian as module
from toolkit.vqe.operators.hamiltonian import MAX_QUBITS, Hamiltonian, check_qubits, walsh_hadamard


def by_pennylane(operator):
    words = [qml.pauli.string_to_pauli_word(p) for p in operator.paulis]
    sum_ = qml.dot(operator.coefficients, words)
    return qml.matrix(sum_, wire_order=range(operator.n_qubits))


CASES = [(1, 3), (2, 10), (3, 30), (4, 40), (5, 60)]


@pytest.mark.parametrize(("n_qubits", "n_terms"), CASES)
@pytest.mark.parametrize("seed", range(3))
def test_the_matrix_is_pennylanes(n_qubits, n_terms, seed):
    operator = random_operator(n_qubits, n_terms, seed)
    np.testing.assert_allclose(operator.matrix(), by_pennylane(operator), atol=1e-12)


def test_diagonals_have_one_row_for_each_flip_and_multiply_vectors():
    operator = random_operator(4, 60, seed=1)
    masks, diagonals = operator.diagonals
    assert len(set(masks.tolist())) == len(masks) == len(diagonals)
    states, vector = np.arange(16), np.random.default_rng(0).normal(size=16)
    product = sum(d * vector[states ^ mask] for mask, d in zip(masks, diagonals))
    np.testing.assert_allclose(product, by_pennylane(operator).real @ vector, atol=1e-12)


def test_the_walsh_hadamard_transform_is_its_own_inverse():
    rows = np.random.default_rng(0).normal(size=(3, 32))
    np.testing.assert_allclose(walsh_hadamard(walsh_hadamard(rows)) / 32, rows, atol=1e-12)
    assert walsh_hadamard(np.eye(4)[[3]]).tolist() == [[1, -1, -1, 1]]  # ZZ


@pytest.mark.parametrize("seed", range(5))
def test_exact_energy_and_its_bounds(seed):
    operator = random_operator(4, 40, seed)
    lowest = np.linalg.eigvalsh(by_pennylane(operator))[0]
    assert operator.ground_energy == pytest.approx(lowest, abs=1e-12)
    assert operator.lower_bound <= lowest
    for bits in itertools.product((0, 1), repeat=4):
        index = int("".join(map(str, bits)), 2)
        energy = operator.basis_energy(bits)
        assert energy == pytest.approx(by_pennylane(operator)[index, index].real, abs=1e-12)
        assert energy >= lowest - 1e-12


def test_the_lower_bound_leaves_the_identity_alone():
    operator = Hamiltonian(2, ("II", "ZI", "XX"), np.array([-3.0, 0.5, -0.25]))
    assert operator.identity == -3.0
    assert operator.lower_bound == -3.75


def test_lanczos_and_dense_diagonalisation_agree(monkeypatch):
    operators = [random_operator(6, 80, seed) for seed in range(3)]
    dense = [module.exact_energy(operator) for operator in operators]
    monkeypatch.setattr(module, "_DENSE_QUBITS", 0)
    lanczos = [module.exact_energy(operator) for operator in operators]
    np.testing.assert_allclose(lanczos, dense, atol=1e-10)


def test_too_many_qubits_say_how_much_memory_and_what_to_do():
    check_qubits(MAX_QUBITS, 1000, "LiH")
    with pytest.raises(ConfigError) as caught:
        check_qubits(MAX_QUBITS + 4, 1024, "LiH")
    assert "20 qubits; at most 16" in str(caught.value)
    assert "8 GiB (2^20 x 1024 flip masks x 8 bytes)" in str(caught.value)
    with pytest.raises(ConfigError, match="more than"):
        check_qubits(2000, 3, "a long operator")
    assert "--taper" in caught.value.hint


def test_the_digest_sees_every_bit_but_not_the_order():
    paulis, coefficients = ("XX", "ZI"), np.array([0.1, 0.2])
    digest = Hamiltonian(2, paulis, coefficients).digest
    assert Hamiltonian(2, paulis[::-1], coefficients[::-1]).digest == digest
    assert Hamiltonian(2, paulis, np.nextafter(coefficients, 1)).digest != digest
    assert Hamiltonian(2, ("XX", "IZ"), coefficients).digest != digest
