"""Integrals of a molecule's active space, from PennyLane's Hartree-Fock."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from pennylane import numpy as autograd_numpy
from pennylane import qchem

from toolkit.core.errors import ConfigError, DataError
from toolkit.vqe.operators.hamiltonian import Floats
from toolkit.vqe.operators.problem import Problem

_CONVERGED_HA = 1e-7  # Fock elements between occupied and empty; the energy errs by their square
_LEVEL_SHIFT_HA = 0.5
_MAX_STEPS = 2000
_DEGENERATE_HA = 1e-5


class Integrals(NamedTuple):
    """In Hartree; ``two`` has the index order of ``qchem.electron_integrals``."""

    constant: float
    one: Floats
    two: Floats

    def fock(self, occupied: tuple[int, ...]) -> Floats:
        """One-electron matrix in the mean field of doubly ``occupied`` orbitals."""
        i = list(occupied)
        direct = np.einsum("ipqi->pq", self.two[i][..., i])
        exchange = np.einsum("ipiq->pq", self.two[i][:, :, i])
        field: Floats = self.one + 2 * direct - exchange
        return field

    def energy(self, occupied: tuple[int, ...]) -> float:
        """Energy of the determinant with doubly ``occupied`` orbitals."""
        field = np.diag(self.one) + np.diag(self.fock(occupied))
        return self.constant + float(field[list(occupied)].sum())

    def rotated(self, rotation: Floats) -> Integrals:
        """The integrals of new orbitals, the columns of ``rotation``."""
        one = rotation.T @ self.one @ rotation
        subscripts = "pqrs,pa,qb,rc,sd->abcd"
        two = np.einsum(subscripts, self.two, *[rotation] * 4, optimize=True)
        return Integrals(self.constant, one, two)

    def folded(self, core: tuple[int, ...], active: tuple[int, ...]) -> Integrals:
        """The integrals among ``active`` orbitals in the field of a frozen ``core``."""
        a = list(active)
        return Integrals(
            self.energy(core), self.fock(core)[np.ix_(a, a)], self.two[np.ix_(a, a, a, a)]
        )


class Solved(NamedTuple):
    """What Hartree-Fock leaves: active integrals, its own energy in Hartree, and warnings."""

    active: Integrals
    hartree_fock_energy_ha: float
    warnings: tuple[str, ...]


def solve(problem: Problem) -> Solved:
    """Hartree-Fock, then the integrals of the problem's active space.

    Raises:
        DataError: Hartree-Fock did not converge.
        ConfigError: a preset's orbitals do not fit this geometry.
    """
    occupied = tuple(range((problem.geometry.nuclear_charge - problem.charge) // 2))
    whole = _relaxed(_integrals(problem), occupied, problem.molecule)
    warnings = _cut_degeneracies(np.diag(whole.fock(occupied)), problem)
    active = whole.folded(problem.core, problem.active)
    return Solved(active, whole.energy(occupied), warnings)


def _integrals(problem: Problem) -> Integrals:
    molecule = qchem.Molecule(
        list(problem.geometry.symbols),
        autograd_numpy.array(problem.geometry.positions_a, requires_grad=False),
        charge=problem.charge,
        basis_name=problem.basis,
        unit="angstrom",
    )
    constant, one, two = qchem.electron_integrals(molecule)()
    return Integrals(float(constant[0]), np.array(one, float), np.array(two, float))


def _relaxed(whole: Integrals, occupied: tuple[int, ...], molecule: str) -> Integrals:
    """Finish Hartree-Fock where PennyLane's plain iteration swings instead of converging.

    Raising the empty orbitals by a level shift makes each step small enough to descend
    (Saunders and Hillier 1973). Orbitals that have converged stay as they are.
    """
    n = len(occupied)
    shift_ha = np.where(np.arange(len(whole.one)) < n, 0.0, _LEVEL_SHIFT_HA)
    for _ in range(_MAX_STEPS):
        fock = whole.fock(occupied)
        gradient_ha = float(np.abs(fock[:n, n:]).max(initial=0.0))
        if gradient_ha <= _CONVERGED_HA:
            return whole
        whole = whole.rotated(np.linalg.eigh(fock + np.diag(shift_ha))[1])
    raise DataError(
        f"Hartree-Fock did not converge: a gradient of {gradient_ha:.2g} Ha remains",
        where=molecule,
        hint="shorter bonds or another basis; stretched bonds are the usual cause",
    )


def _cut_degeneracies(energies_ha: Floats, problem: Problem) -> tuple[str, ...]:
    """Warn where a list of orbitals takes one of several of equal energy, such as of 2px, 2py."""
    others = [q for q in range(len(energies_ha)) if q not in problem.active]
    pairs = [
        f"{p} and {q}"
        for p in problem.active
        for q in others
        if abs(energies_ha[p] - energies_ha[q]) < _DEGENERATE_HA
    ]
    if not pairs:
        return ()
    what = (
        f"the active orbitals {list(problem.active)} part orbitals of equal energy: "
        + ", ".join(pairs)
    )
    if problem.by_preset:
        wrong = "at this bond length the orbitals are in another order: " + what
        raise ConfigError(
            wrong,
            where=problem.molecule,
            hint="take the others: --active-orbitals-list",
        )
    return (what,)
