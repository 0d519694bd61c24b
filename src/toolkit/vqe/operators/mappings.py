"""From a molecule to qubits: PennyLane's mappings, then symmetries drop qubits.

Spin orbitals are in block order, all alpha then all beta, as in the published operators. In each
mapping a Slater determinant is a basis state whose bits are sums modulo 2 of occupations.
"""

from __future__ import annotations

import itertools
from importlib.metadata import version
from typing import Any, NamedTuple

import numpy as np
import pennylane as qml
from numpy.typing import NDArray
from pennylane import qchem
from pennylane.fermi import FermiSentence, FermiWord

from toolkit.core.errors import DataError
from toolkit.vqe.operators import integrals
from toolkit.vqe.operators.hamiltonian import Floats, Hamiltonian, check_qubits
from toolkit.vqe.operators.molecule_config import Mapping
from toolkit.vqe.operators.problem import Problem

_SMALL_HA = 1e-12  # smaller coefficients are rounding
_MAX_IMAGINARY_HA = 1e-10
_SAME_HA = 1e-8
_DENSE_STATES = 1000
_ENCODINGS = {"jw": "occupation_number", "parity": "parity", "bravyi-kitaev": "bravyi_kitaev"}
_TIMES_Z = {"I": (1, "Z"), "Z": (1, "I"), "X": (-1j, "Y"), "Y": (1j, "X")}  # letter times Z
Bits = NDArray[np.int64]
Terms = dict[str, float]


class Symmetry(NamedTuple):
    """Z on all ``wires`` has the eigenvalue ``sign``, so the qubit ``pivot`` of them is spare."""

    pivot: int
    wires: tuple[int, ...]
    sign: int


def build(problem: Problem) -> Hamiltonian:
    """Compute integrals, map them to qubits and drop the qubits that symmetries make spare.

    Raises:
        DataError: Hartree-Fock did not converge, or the operator is not real.
        ConfigError: a preset's orbitals do not fit this geometry.
    """
    solved = integrals.solve(problem)
    n_spin = 2 * len(problem.active)
    sentence = _mapped(_fermions(solved.active), problem.mapping, n_spin)
    if problem.electron_penalty_ha > 0:
        sentence += problem.electron_penalty_ha * _excess_squared(problem, n_spin)
    terms = real_terms(sentence, n_spin)
    states = _determinants(n_spin, problem.active_electrons, problem.mapping)
    symmetries = _symmetries(terms, states[0], problem)
    spare = [symmetry.pivot for symmetry in symmetries]
    terms = _restricted(terms, symmetries)
    hartree_fock = tuple(int(bit) for bit in np.delete(states[0], spare))
    flips = {pauli.translate(str.maketrans("ZY", "IX")) for pauli in terms}
    check_qubits(len(hartree_fock), len(flips), problem.molecule)
    coefficients = np.array([*terms.values()])
    plain = Hamiltonian(len(hartree_fock), tuple(terms), coefficients, hartree_fock)
    sector_ha = _lowest(plain, np.delete(_within(states, symmetries), spare, axis=1))
    ions = _warn_of_ions(plain.ground_energy, sector_ha)
    facts = _facts(problem, solved.hartree_fock_energy_ha, sector_ha, [*solved.warnings, *ions])
    facts["molecule_is_lowest"] = not ions
    return Hamiltonian(plain.n_qubits, plain.paulis, coefficients, hartree_fock, facts)


def _facts(
    problem: Problem, hartree_fock_ha: float, sector_ha: float, warnings: list[str]
) -> dict[str, Any]:
    return {
        "molecule": problem.molecule,
        "geometry": problem.geometry.to_json(),
        "charge": problem.charge,
        "basis": problem.basis,
        "core_orbitals": list(problem.core),
        "active_orbitals": list(problem.active),
        "active_electrons": problem.active_electrons,
        "mapping": problem.mapping,
        "tapered": problem.taper,
        "electron_penalty_ha": problem.electron_penalty_ha,
        "exact_in": problem.space,
        "hartree_fock_energy_ha": hartree_fock_ha,
        "molecule_ground_energy_ha": sector_ha,
        "warnings": warnings,
        "made_by": f"PennyLane {version('pennylane')}",
    }


def _fermions(active: integrals.Integrals) -> Any:
    return qchem.fermionic_observable(np.array([active.constant]), active.one, active.two)


def _excess_squared(problem: Problem, n_spin: int) -> Any:
    """(N - n)² as a PauliSentence: the electrons too many or too few of a state, squared."""
    number = FermiSentence({FermiWord({(0, p): "+", (1, p): "-"}): 1.0 for p in range(n_spin)})
    excess = _mapped(number, problem.mapping, n_spin)
    excess += qml.pauli.PauliSentence({qml.pauli.PauliWord({}): -float(problem.active_electrons)})
    return excess @ excess


def _mapped(fermions: Any, mapping: Mapping, n_spin: int) -> Any:
    """The PauliSentence of a FermiSentence of the active space."""
    blocks = FermiSentence(
        {
            # PennyLane alternates spins: orbital p is 2p for alpha, 2p + 1 for beta
            FermiWord({(i, o // 2 + o % 2 * n_spin // 2): sign for (i, o), sign in word.items()}): c
            for word, c in fermions.items()
        }
    )
    if mapping == "jw":
        return qml.jordan_wigner(blocks, ps=True)
    transform = qml.parity_transform if mapping == "parity" else qml.bravyi_kitaev
    return transform(blocks, n_spin, ps=True)


def real_terms(sentence: Any, n_qubits: int) -> Terms:
    """Strings and real coefficients of a PauliSentence; negligible ones are left out.

    Raises:
        DataError: a coefficient or the matrix is complex.
    """
    terms = {"".join(word[q] for q in range(n_qubits)): c for word, c in sentence.items()}
    for pauli, coefficient in terms.items():
        if abs(np.imag(coefficient)) > _MAX_IMAGINARY_HA:
            raise DataError(f"complex coefficient {coefficient} of {pauli}", where="mapping")
        if pauli.count("Y") % 2 and abs(coefficient) > _MAX_IMAGINARY_HA:
            raise DataError(f"{pauli} makes the matrix complex", where="mapping")
    return {
        pauli: float(np.real(coefficient))
        for pauli, coefficient in sorted(terms.items())
        if abs(coefficient) > _SMALL_HA and pauli.count("Y") % 2 == 0
    }


def _determinants(n_spin: int, n_electrons: int, mapping: Mapping) -> Bits:
    """(determinants, n_spin) bits of those with as many alpha as beta, Hartree-Fock's first."""
    n_orbitals = n_spin // 2
    choices = list(itertools.combinations(range(n_orbitals), n_electrons // 2))
    occupations = np.zeros((len(choices) ** 2, n_spin), np.int64)
    for row, (alpha, beta) in zip(occupations, itertools.product(choices, choices)):
        row[[*alpha, *(orbital + n_orbitals for orbital in beta)]] = 1
    filled = [qchem.hf_state(k, n_spin, basis=_ENCODINGS[mapping]) for k in range(1, n_spin + 1)]
    columns = np.diff(filled, axis=0, prepend=0)  # what one more occupation changes
    bits: Bits = occupations @ columns % 2
    return bits


def _symmetries(terms: Terms, hartree_fock: Bits, problem: Problem) -> list[Symmetry]:
    """Those to drop qubits by: all for tapering, else the electron numbers' with parity."""
    n = len(hartree_fock)
    masks: list[int] = []
    if problem.taper:
        masks = _commuting(terms, n)
    elif problem.mapping == "parity":
        masks = [1 << n // 2, 1]  # these two qubits hold the parity of alpha, and of all
    found = []
    for pivot, mask in _independent(masks)[: n - 1]:
        wires = tuple(q for q in range(n) if mask >> (n - 1 - q) & 1)
        found.append(Symmetry(n - 1 - pivot, wires, int((-1) ** hartree_fock[list(wires)].sum())))
    return found


def _commuting(terms: Terms, n_qubits: int) -> list[int]:
    """Every product of Z, as a mask, that commutes with all terms (Bravyi et al. 2017)."""
    masks = np.arange(2**n_qubits)
    for flip in {int("".join("01"[letter in "XY"] for letter in pauli), 2) for pauli in terms}:
        masks = masks[np.bitwise_count(masks & flip) % 2 == 0]
    return [int(mask) for mask in masks]


def _independent(masks: list[int]) -> list[tuple[int, int]]:
    """(pivot bit, mask) that generate ``masks``, each pivot bit in one mask only."""
    basis: list[tuple[int, int]] = []
    for mask in masks:
        for pivot, other in basis:
            mask ^= other if mask >> pivot & 1 else 0
        if mask:
            new = mask.bit_length() - 1
            basis = [(p, other ^ (mask if other >> new & 1 else 0)) for p, other in basis]
            basis.append((new, mask))
    return basis


def _restricted(terms: Terms, symmetries: list[Symmetry]) -> Terms:
    """The operator in the sector of ``symmetries``, without their pivot qubits."""
    spare = {symmetry.pivot for symmetry in symmetries}
    found: Terms = {}
    for pauli, coefficient in terms.items():
        letters, factor = list(pauli), complex(coefficient)
        for pivot, wires, sign in symmetries:
            if letters[pivot] in "ZY":  # times the symmetry, which is its sign: I or X is left
                factor *= sign
                for q in wires:
                    phase, letters[q] = _TIMES_Z[letters[q]]
                    factor *= phase
        kept = "".join(letter for q, letter in enumerate(letters) if q not in spare)
        found[kept] = found.get(kept, 0.0) + factor.real
    return {pauli: c for pauli, c in sorted(found.items()) if abs(c) > _SMALL_HA}


def _within(states: Bits, symmetries: list[Symmetry]) -> Bits:
    """The states (rows of bits) of the sector."""
    for symmetry in symmetries:
        signs = 1 - 2 * (states[:, symmetry.wires].sum(axis=1) % 2)
        states = states[signs == symmetry.sign]
    return states


def _lowest(hamiltonian: Hamiltonian, states: Bits) -> float:
    """Lowest eigenvalue among superpositions of basis ``states`` (rows of bits)."""
    from scipy.sparse import coo_array
    from scipy.sparse.linalg import eigsh

    numbers = states @ (1 << np.arange(hamiltonian.n_qubits)[::-1])
    row_of = np.full(2**hamiltonian.n_qubits, -1)
    row_of[numbers] = np.arange(len(numbers))
    rows: list[Bits] = []
    columns: list[Bits] = []
    values: list[Floats] = []
    for mask, diagonal in zip(*hamiltonian.diagonals):
        other = row_of[numbers ^ mask]
        here = np.flatnonzero(other >= 0)
        rows.append(here)
        columns.append(other[here])
        values.append(diagonal[numbers[here]])
    entries = (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns)))
    block = coo_array(entries, shape=(len(numbers), len(numbers))).tocsr()
    if len(numbers) <= _DENSE_STATES:
        return float(np.linalg.eigvalsh(block.toarray())[0])
    start = np.random.default_rng(0).normal(size=len(numbers))
    return float(eigsh(block, k=1, which="SA", v0=start, return_eigenvectors=False)[0])


def _warn_of_ions(lowest_ha: float, molecule_ha: float) -> list[str]:
    if lowest_ha > molecule_ha - _SAME_HA:
        return []
    return [
        f"the lowest eigenvalue, {lowest_ha:.9f} Ha, belongs to another number of electrons;"
        f" the molecule's own is {molecule_ha:.9f} Ha: --electron-penalty 1, or more, lifts others"
    ]
