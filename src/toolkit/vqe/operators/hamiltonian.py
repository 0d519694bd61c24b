"""Qubit Hamiltonians: real sums of Pauli strings, and what is exact about them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.core.errors import ConfigError

MAX_QUBITS = 16
_DENSE_QUBITS = 8  # up to here the dense matrix is diagonalised whole
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Hamiltonian:
    """``sum_k coefficients[k] * paulis[k]`` in Hartree, real symmetric as a matrix.

    Strings such as ``"XZIY"`` are distinct, qubit 0 leftmost, each with an even number of Y (so
    that the matrix is real). ``facts`` tell where it comes from; ``hartree_fock_bits`` (qubit 0
    first) is None where no Hartree-Fock state is known.
    """

    n_qubits: int
    paulis: tuple[str, ...]
    coefficients: Floats
    hartree_fock_bits: tuple[int, ...] | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def diagonals(self) -> tuple[NDArray[np.int64], Floats]:
        """Flip masks (M,) and diagonals (M, 2**n): H = sum_m X^mask_m diag(d_m), all real.

        (H v)[i] = sum_m d_m[i] v[i ^ mask_m]: one row for each distinct pattern of X and Y.
        """
        flips = [_mask(pauli, "XY") for pauli in self.paulis]
        masks = sorted(set(flips))
        row_of = {mask: row for row, mask in enumerate(masks)}
        spectra = np.zeros((len(masks), 2**self.n_qubits))
        for pauli, flip, coefficient in zip(self.paulis, flips, self.coefficients):
            # <i| Y |i ^ 1> is -i where i is 0 and +i where it is 1; two of them are real
            phase = (-1.0) ** (pauli.count("Y") // 2)
            spectra[row_of[flip], _mask(pauli, "YZ")] += phase * coefficient
        return np.array(masks, np.int64), walsh_hadamard(spectra)

    def matrix(self) -> Floats:
        """The dense matrix (2**n, 2**n)."""
        masks, diagonals = self.diagonals
        states = np.arange(2**self.n_qubits)
        dense = np.zeros((len(states), len(states)))
        for mask, diagonal in zip(masks, diagonals):
            dense[states, states ^ mask] = diagonal
        return dense

    @cached_property
    def ground_energy(self) -> float:
        """Lowest eigenvalue in Hartree: exact in the active space, not in nature."""
        return exact_energy(self)

    @property
    def digest(self) -> str:
        """SHA-256 of the terms, whatever their order: equal operators, bit by bit, share it."""
        terms = sorted(zip(self.paulis, map(float.hex, map(float, self.coefficients))))
        return hashlib.sha256(repr(terms).encode()).hexdigest()

    @property
    def identity(self) -> float:
        """Coefficient of the identity: the energy shift."""
        return float(sum(c for p, c in zip(self.paulis, self.coefficients) if set(p) == {"I"}))

    @property
    def lower_bound(self) -> float:
        """A bound below every eigenvalue that needs no diagonalisation: shift - sum |c_j|."""
        return self.identity - float(
            sum(abs(c) for p, c in zip(self.paulis, self.coefficients) if set(p) != {"I"})
        )

    def basis_energy(self, bits: tuple[int, ...]) -> float:
        """Energy of the basis state ``bits`` (qubit 0 first)."""
        state = int("".join(map(str, bits)), 2)
        signs = (
            (-1) ** (state & _mask(pauli, "Z")).bit_count() if set(pauli) <= {"I", "Z"} else 0
            for pauli in self.paulis
        )
        return float(sum(sign * c for sign, c in zip(signs, self.coefficients)))


def _mask(pauli: str, letters: str) -> int:
    return int("".join("1" if letter in letters else "0" for letter in pauli), 2)


def walsh_hadamard(rows: Floats) -> Floats:
    """(R, 2**n) -> (R, 2**n): out[r, i] = sum_z (-1)^popcount(i & z) rows[r, z]; its own inverse
    up to 2**n. It takes the coefficients of Z strings to the diagonal of their sum.
    """
    n_rows, size = rows.shape
    out, width = rows, 1
    while width < size:
        pairs = out.reshape(n_rows, -1, 2, width)
        low, high = pairs[:, :, 0], pairs[:, :, 1]
        out = np.stack([low + high, low - high], axis=2)
        width *= 2
    return out.reshape(n_rows, size)


def exact_energy(hamiltonian: Hamiltonian) -> float:
    """Lowest eigenvalue, by dense diagonalisation up to 8 qubits and Lanczos above."""
    if hamiltonian.n_qubits <= _DENSE_QUBITS:
        return float(np.linalg.eigvalsh(hamiltonian.matrix())[0])
    from scipy.sparse.linalg import LinearOperator, eigsh

    masks, diagonals = hamiltonian.diagonals
    states = np.arange(2**hamiltonian.n_qubits)

    def apply(vector: Floats) -> Floats:
        flat, product = vector.ravel(), np.zeros(len(states))
        for mask, diagonal in zip(masks, diagonals):
            product += diagonal * flat[states ^ mask]
        return product

    operator = LinearOperator((len(states), len(states)), matvec=apply, dtype=np.float64)
    start = np.random.default_rng(0).normal(size=len(states))
    return float(eigsh(operator, k=1, which="SA", v0=start, return_eigenvectors=False)[0])


def check_qubits(n_qubits: int, n_masks: int, where: str) -> None:
    """Refuse what the simulator cannot hold.

    Args:
        n_qubits: qubits of the operator.
        n_masks: its distinct patterns of X and Y; each needs a diagonal of 2**n_qubits floats.
        where: what the error names.

    Raises:
        ConfigError: more than ``MAX_QUBITS``; says how much memory that would take.
    """
    if n_qubits > MAX_QUBITS:
        gib = 8 * n_masks * 2 ** min(n_qubits, 60) // 2**30
        raise ConfigError(
            f"{n_qubits} qubits; at most {MAX_QUBITS} are simulated: this operator alone would take"
            f" {'more than ' * (n_qubits > 60)}{gib:,} GiB"
            f" (2^{n_qubits} x {n_masks} flip masks x 8 bytes)",
            where=where,
            hint="a smaller active space (--active-orbitals-list), --mapping parity or --taper",
        )


def start_bits(hamiltonian: Hamiltonian, start: str) -> tuple[int, ...]:
    """The basis state that a search begins in, qubit 0 first.

    Raises:
        ConfigError: it shall be Hartree-Fock's, but the operator's file does not give it.
    """
    if start == "zero":
        return (0,) * hamiltonian.n_qubits
    if hamiltonian.hartree_fock_bits is None:
        raise ConfigError(
            "no Hartree-Fock state is known for this operator",
            where="environment.start",
            hint="--set environment.start=zero, or hartree_fock_bits in the operator's file",
        )
    return hamiltonian.hartree_fock_bits
