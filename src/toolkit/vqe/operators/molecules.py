"""Molecules: named presets, the active space, and the qubit Hamiltonian.

The orbitals of an active space are a list, never a count. The lowest orbitals of LiH are 1, 2, 3,
of which 3 is half of a 2px/2py pair that takes no part; 1, 2, 5 is the choice of Ostaszewski et
al. 2021, whose energies are lower by 14 / 35 / 70 mHa at 1.2 / 2.2 / 3.4 Å.

The tables published for BeH2 on 6 and H2O on 8 qubits (CRLQAS, TensorRL-QAS) are of compressed
molecules: the ångström of the stated geometry were taken as bohr, and BeH2's orbitals 1, 2, 3 by
count. With Jordan-Wigner, 1.33 bohr = 0.7038 Å and these orbitals give their BeH2
(-14.8615892 Ha), 0.512743 Å their H2O (-73.29411 Ha, lower bound -77.89107 Ha).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from toolkit.core.errors import ConfigError, closest
from toolkit.vqe.operators import operator_cache, operator_files
from toolkit.vqe.operators.geometry import Geometry, read_xyz
from toolkit.vqe.operators.hamiltonian import Hamiltonian, check_qubits
from toolkit.vqe.operators.molecule_config import MoleculeConfig
from toolkit.vqe.operators.problem import Problem

# basis set: (functions of H and He, functions of Li to Ne), as PennyLane ships them
BASES = {"sto-3g": (1, 5), "6-31g": (2, 9), "6-311g": (3, 13), "cc-pvdz": (5, 15)}
_MINIMAL = "sto-3g"


@dataclass(frozen=True)
class Preset:
    """A named molecule: its geometry, and its active orbitals in STO-3G (None: all).

    The bond length is the distance of the first two atoms; another one scales every distance.
    """

    geometry: Geometry
    active_orbitals: tuple[int, ...] | None = None

    @property
    def bond_length_a(self) -> float:
        """The default bond length in ångström."""
        return math.dist(*self.geometry.positions_a[:2])


def _line(symbols: str, spacing_a: float) -> Geometry:
    names = tuple(symbols.split())
    return Geometry(names, tuple((0.0, 0.0, i * spacing_a) for i in range(len(names))))


PRESETS = {
    "H2": Preset(_line("H H", 0.7414)),
    "LiH": Preset(_line("Li H", 2.2), (1, 2, 5)),  # CAS(2e,3o): sigma orbitals, the 1s in the core
    "BeH2": Preset(_line("H Be H", 1.33), (1, 2, 5)),  # CAS(4e,3o): the best three in energy
    "H2O": Preset(  # CAS(4e,4o)
        Geometry(
            ("O", "H", "H"),
            ((0.835, 0.452, 0.0), (-0.021, -0.002, 0.0), (1.477, -0.273, 0.0)),
        ),
        (3, 4, 5, 6),
    ),
    "H4": Preset(_line("H H H H", 1.0)),
}


def hamiltonian(config: MoleculeConfig) -> Hamiltonian:
    """The qubit Hamiltonian that ``config`` describes: of a file, from the cache, or built.

    Raises:
        ConfigError: impossible choices; found before any integral is computed.
        DataError: a geometry or operator file that is wrong, or Hartree-Fock did not converge.
    """
    if config.hamiltonian is not None:
        if config.geometry is not None:
            raise ConfigError("geometry and hamiltonian are both given", hint="give one of them")
        return operator_files.read(config.hamiltonian)
    problem = resolve(config)

    def build() -> Hamiltonian:
        from toolkit.vqe.operators import mappings

        return mappings.build(problem)

    return operator_cache.load_or_build(problem, build)


def resolve(config: MoleculeConfig) -> Problem:
    """Check the choices and fill in what follows from them; computes nothing.

    Raises:
        ConfigError: unknown molecule or basis, an impossible active space, an open shell, or
            more qubits than are simulated.
        DataError: the geometry file is wrong.
    """
    geometry, preset = _geometry(config)
    basis = config.basis.lower()
    if basis not in BASES:
        raise ConfigError(f"unknown basis {config.basis!r}", hint=closest(basis, BASES))
    occupied = _occupied(geometry, config.charge)
    by_preset = config.active_orbitals is None and preset is not None
    active = _active_orbitals(config, geometry, basis, preset)
    core = tuple(i for i in range(occupied) if i not in active)
    electrons = 2 * (occupied - len(core))
    _check_electrons(config, electrons, active, core)
    problem = Problem(
        config.name if preset else geometry.formula, geometry, basis, config.charge,
        core, active, electrons, config.mapping, config.taper, by_preset,
        config.electron_penalty_ha,
    )  # fmt: skip
    check_qubits(problem.n_qubits, _flip_masks(len(active)), f"active orbitals {list(active)}")
    return problem


def _geometry(config: MoleculeConfig) -> tuple[Geometry, Preset | None]:
    if config.geometry is not None:
        if config.bond_length_a is not None:
            raise ConfigError(
                f"bond_length_a = {config.bond_length_a} is given with a geometry",
                where=str(config.geometry),
                hint="the .xyz file has the distances; bond lengths are for named molecules",
            )
        return read_xyz(config.geometry), None
    if config.name not in PRESETS:
        hint = closest(config.name, PRESETS) + "; any other one by --geometry FILE.xyz"
        raise ConfigError(f"unknown molecule {config.name!r}", where="--molecule", hint=hint)
    preset = PRESETS[config.name]
    length = config.bond_length_a or preset.bond_length_a
    if not 0.1 <= length <= 100:
        wrong = f"bond_length_a = {length} is outside 0.1 to 100 Å"
        raise ConfigError(wrong, where=config.name)
    return preset.geometry.scaled(length / preset.bond_length_a), preset


def _occupied(geometry: Geometry, charge: int) -> int:
    """Doubly occupied orbitals of the closed shell."""
    electrons = geometry.nuclear_charge - charge
    where = f"{geometry.formula} with charge {charge}"
    if electrons < 2:
        raise ConfigError(f"{electrons} electrons", where=where, hint="choose another --charge")
    if electrons % 2:
        hint = f"open shells are not supported; --charge {charge + 1} or {charge - 1} closes it"
        raise ConfigError(f"an odd number of electrons: {electrons}", where=where, hint=hint)
    return electrons // 2


def _active_orbitals(
    config: MoleculeConfig, geometry: Geometry, basis: str, preset: Preset | None
) -> tuple[int, ...]:
    n_orbitals = sum(BASES[basis][s not in ("H", "He")] for s in geometry.symbols)
    where = f"{geometry.formula} in {basis}: orbitals 0 to {n_orbitals - 1}"
    if config.active_orbitals is not None:
        _check_orbitals(config.active_orbitals, n_orbitals, where)
        return tuple(sorted(config.active_orbitals))
    if preset is None and config.active_electrons is not None:
        raise ConfigError(
            f"active_electrons = {config.active_electrons} without a list of orbitals",
            where=where,
            hint="which ones matters as much as how many: --active-orbitals-list, such as 1,2,5",
        )
    if preset is None or preset.active_orbitals is None:
        return tuple(range(n_orbitals))
    if basis != _MINIMAL:
        wrong = f"the active orbitals of {config.name} are known in {_MINIMAL} only"
        raise ConfigError(wrong, where=where, hint="name them with --active-orbitals-list")
    return preset.active_orbitals


def _check_orbitals(orbitals: tuple[int, ...], n_orbitals: int, where: str) -> None:
    if len(set(orbitals)) < len(orbitals):
        raise ConfigError(f"active orbitals {list(orbitals)} name one twice", where=where)
    outside = [orbital for orbital in orbitals if not 0 <= orbital < n_orbitals]
    if outside:
        raise ConfigError(
            f"active orbital {outside[0]} does not exist", where=where, hint="orbitals count from 0"
        )


def _check_electrons(
    config: MoleculeConfig, electrons: int, active: tuple[int, ...], core: tuple[int, ...]
) -> None:
    room, given = 2 * len(active), config.active_electrons
    where = f"active orbitals {list(active)}, core {list(core)}"
    if (given or 0) > room:
        wrong = f"{given} electrons do not fit into {len(active)} orbitals"
        raise ConfigError(wrong, where=where, hint=f"at most {room}, or more orbitals")
    if given is not None and given != electrons:
        wrong = f"active_electrons = {given}, but these orbitals hold {electrons}"
        hint = "occupied orbitals that are not active are the core; change the list or the count"
        raise ConfigError(wrong, where=where, hint=hint)
    if electrons == 0 or electrons >= room:
        state = "no electron" if electrons == 0 else "no free orbital"
        hint = "name both occupied and empty orbitals; a larger --basis has more empty ones"
        raise ConfigError(f"{state} in the active space", where=where, hint=hint)


def _flip_masks(n_orbitals: int) -> int:
    """At most so many patterns of X and Y: 0, 1 or 2 excitations among the spins' orbitals."""
    pairs, fours = math.comb(n_orbitals, 2), math.comb(n_orbitals, 4)
    return 1 + 2 * pairs + 2 * fours + pairs**2
