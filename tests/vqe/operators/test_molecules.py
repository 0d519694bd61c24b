"""Molecules: energies of the literature, the trap of counting orbitals, and impossible choices."""

from __future__ import annotations

import itertools

import pytest
from pennylane import qchem

from toolkit.core.errors import ConfigError, DataError
from toolkit.vqe.operators import mappings, molecules, operator_files
from toolkit.vqe.operators.geometry import SYMBOLS, Geometry
from toolkit.vqe.operators.molecule_config import MoleculeConfig

# bond length (Å): ground energy in the active space, Hartree-Fock (Ha); full STO-3G FCI lies
# below them by 1.7 / 0.8 / 0.4 mHa
LIH = {
    1.2: (-7.850698378, -7.835615826),
    2.2: (-7.844879093, -7.807994369),
    3.4: (-7.789088898, -7.670060350),
}


@pytest.mark.parametrize(("mapping", "n_qubits", "n_terms"), [("parity", 4, 100), ("jw", 6, 118)])
@pytest.mark.parametrize("bond_length_a", LIH)
def test_lih_has_the_energies_of_the_literature(
    molecule, bond_length_a, mapping, n_qubits, n_terms
):
    found = molecule("LiH", bond_length_a=bond_length_a, mapping=mapping)
    ground, hartree_fock = LIH[bond_length_a]
    assert (found.n_qubits, len(found.paulis)) == (n_qubits, n_terms)
    assert found.ground_energy == pytest.approx(ground, abs=5e-8)
    assert found.facts["molecule_ground_energy_ha"] == pytest.approx(ground, abs=5e-8)
    assert found.facts["hartree_fock_energy_ha"] == pytest.approx(hartree_fock, abs=1e-6)
    assert found.basis_energy(found.hartree_fock_bits) == pytest.approx(hartree_fock, abs=1e-6)
    assert found.facts["warnings"] == []


@pytest.mark.parametrize(("bond_length_a", "error_mha"), [(1.2, 14), (2.2, 35), (3.4, 70)])
def test_the_lowest_orbitals_by_count_are_a_trap(molecule, bond_length_a, error_mha):
    right = molecule("LiH", bond_length_a=bond_length_a)
    counted = molecule("LiH", bond_length_a=bond_length_a, active_orbitals=(1, 2, 3))
    wrong_mha = 1000 * (counted.ground_energy - right.ground_energy)
    assert wrong_mha == pytest.approx(error_mha, abs=0.5)
    assert "[1, 2, 3] part orbitals of equal energy: 3 and 4" in counted.facts["warnings"][0]


@pytest.mark.parametrize(
    ("name", "settings", "n_qubits", "ground"),
    [
        ("H2", {"mapping": "jw"}, 4, -1.1372701749),
        ("H2", {}, 2, -1.1372701749),
        ("H2O", {"mapping": "jw"}, 8, -74.972335608),
        ("LiH", {"active_orbitals": range(6)}, 10, -7.845683623),
        ("H4", {}, 6, -2.166387449),
        # as published: ångström read as bohr, and orbitals by count
        ("BeH2", {"bond_length_a": 0.70380569, "mapping": "jw", "active_orbitals": (1, 2, 3)},
         6, -14.86158918),
    ],
)  # fmt: skip
def test_other_molecules_have_the_energies_of_the_literature(
    molecule, name, settings, n_qubits, ground
):
    found = molecule(name, **settings)
    assert found.n_qubits == n_qubits
    assert found.ground_energy == pytest.approx(ground, abs=5e-8)


def test_the_published_water_was_compressed(molecule):
    found = molecule("H2O", bond_length_a=0.968944 * 0.529177210903, mapping="jw")
    assert found.lower_bound == pytest.approx(-77.89106685, abs=1e-5)


@pytest.mark.parametrize("name", molecules.PRESETS)
def test_presets_hold_their_default_bond_length(name):
    preset = molecules.PRESETS[name]
    problem = molecules.resolve(MoleculeConfig(name=name))
    assert problem.geometry.to_json() == preset.geometry.to_json()
    assert problem.molecule == name
    doubled = MoleculeConfig(name=name, bond_length_a=2 * preset.bond_length_a)
    x, y = molecules.resolve(doubled).geometry.positions_a[1], preset.geometry.positions_a[1]
    assert x == pytest.approx([2 * value for value in y])


def test_stretched_lih_converges_and_dissociates_smoothly(molecule):
    energies = [molecule("LiH", bond_length_a=r).ground_energy for r in (3.4, 3.6, 4.0, 5.0)]
    steps = [b - a for a, b in itertools.pairwise(energies)]
    assert all(0 < step < 3e-3 for step in steps)


def test_a_preset_whose_orbitals_change_their_order_says_so(molecule):
    with pytest.raises(ConfigError, match="in another order") as caught:
        molecule("BeH2", bond_length_a=2.5)
    assert "--active-orbitals-list" in caught.value.hint


def test_an_xyz_file_gives_what_the_name_gives(molecule, tmp_path):
    path = tmp_path / "lih.xyz"
    path.write_text("2\n\nLi 0 0 0\nH 0 0 2.2\n")
    found = molecule(geometry=path, active_orbitals=(1, 2, 5), active_electrons=2)
    named = molecule("LiH", bond_length_a=2.2)
    assert found.paulis == named.paulis
    assert found.coefficients.tolist() == pytest.approx(named.coefficients.tolist(), abs=1e-12)
    assert found.facts["molecule"] == "LiH"
    assert found.facts["geometry"][1] == ["H", 0.0, 0.0, 2.2]


def test_an_operator_file_is_taken_as_it_is(molecule, tmp_path):
    operator_files.write(tmp_path / "H.json", molecule("H2"))
    assert molecule(hamiltonian=tmp_path / "H.json").paulis == molecule("H2").paulis


@pytest.mark.parametrize("basis", molecules.BASES)
def test_the_sizes_of_basis_sets_are_pennylanes(basis):
    import pennylane.numpy as qnp

    for symbol in SYMBOLS:
        position = qnp.zeros((1, 3), requires_grad=False)
        atom = qchem.Molecule([symbol], position, basis_name=basis, mult=1)
        assert molecules.BASES[basis][symbol not in ("H", "He")] == atom.n_orbitals


@pytest.fixture
def no_long_work(monkeypatch):
    def build(problem):
        raise AssertionError("integrals were computed")

    monkeypatch.setattr(mappings, "build", build)


WATER = Geometry(("O", "H", "H"), ((0.0, 0.0, 0.0), (0.0, 0.757, 0.586), (0.0, -0.757, 0.586)))


@pytest.fixture
def water(tmp_path):
    rows = [" ".join(map(str, row)) for row in WATER.to_json()]
    path = tmp_path / "water.xyz"
    path.write_text("3\n\n" + "\n".join(rows) + "\n")
    return path


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"name": "LiHH"}, "did you mean 'LiH'"),
        ({"basis": "sto3g"}, "did you mean 'sto-3g'"),
        ({"basis": "q"}, "known: 6-311g, 6-31g, cc-pvdz, sto-3g"),
        ({"charge": 1}, "odd number of electrons: 3"),
        ({"charge": 4}, "0 electrons"),
        ({"charge": 2}, "no electron in the active space"),
        ({"name": "H2", "charge": -2}, "no free orbital"),
        ({"bond_length_a": 0.01}, "outside 0.1 to 100"),
        ({"active_electrons": 4}, "active_electrons = 4, but these orbitals hold 2"),
        ({"active_electrons": 8}, "8 electrons do not fit into 3 orbitals"),
        ({"active_orbitals": (1, 2, 6)}, "active orbital 6 does not exist"),
        ({"active_orbitals": (-1, 1, 2)}, "active orbital -1 does not exist"),
        ({"active_orbitals": (1, 2, 2)}, "name one twice"),
        ({"active_orbitals": (2, 3)}, "no electron"),
        ({"active_orbitals": (0, 1)}, "no free orbital"),
        ({"basis": "6-31g"}, "known in sto-3g only"),
        ({"name": "H2", "basis": "cc-pvdz", "mapping": "jw"}, "20 qubits; at most 16"),
        ({"name": "H2", "basis": "cc-pvdz"}, "18 qubits; at most 16"),
    ],
)
@pytest.mark.usefixtures("no_long_work")
def test_impossible_choices_are_refused_before_long_work(molecule, settings, says):
    with pytest.raises(ConfigError) as caught:
        molecule(**settings)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"bond_length_a": 1.0}, "bond_length_a = 1.0 is given with a geometry"),
        ({"hamiltonian": "H.json"}, "geometry and hamiltonian are both given"),
        ({"active_electrons": 4}, "without a list of orbitals"),
        ({"basis": "6-31g"}, "24 qubits; at most 16"),
    ],
)
@pytest.mark.usefixtures("no_long_work")
def test_geometries_refuse_what_cannot_go_with_them(molecule, water, settings, says):
    with pytest.raises(ConfigError) as caught:
        molecule(geometry=water, **settings)
    assert says in str(caught.value)


@pytest.mark.usefixtures("no_long_work")
def test_a_wrong_geometry_is_refused_before_long_work(molecule, tmp_path):
    with pytest.raises(DataError, match="cannot read a geometry"):
        molecule(geometry=tmp_path / "missing.xyz")
