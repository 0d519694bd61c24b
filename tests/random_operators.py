"""Random real operators, for the tests of what acts on them."""

from __future__ import annotations

import itertools

import numpy as np

from toolkit.vqe.operators.hamiltonian import Hamiltonian


def random_operator(n_qubits, n_terms, seed):
    """Distinct real Pauli strings, at most ``n_terms``, with normal coefficients."""
    rng = np.random.default_rng(seed)
    real = ["".join(s) for s in itertools.product("IXYZ", repeat=n_qubits) if s.count("Y") % 2 == 0]
    chosen = rng.choice(real, size=min(n_terms, len(real)), replace=False)
    return Hamiltonian(n_qubits, tuple(map(str, chosen)), rng.normal(size=len(chosen)))
