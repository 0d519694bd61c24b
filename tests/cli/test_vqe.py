"""``toolkit vqe hamiltonian`` and the options that name a molecule."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import answer, call, refused

from toolkit.cli.vqe import molecule_config, molecule_flags
from toolkit.core.errors import ConfigError
from toolkit.vqe.operators.molecule_config import MoleculeConfig

BUILD = ("vqe", "hamiltonian")


def test_the_plain_call_gives_four_qubits_and_says_what_is_exact():
    found = answer(*BUILD, "--molecule", "LiH", "--bond-length", 2.2, "--mapping", "parity")
    assert (found["molecule"], found["basis"], found["mapping"]) == ("LiH", "sto-3g", "parity")
    assert found["geometry"] == [["Li", 0.0, 0.0, 0.0], ["H", 0.0, 0.0, 2.2]]
    assert (found["n_qubits"], found["n_terms"]) == (4, 100)
    assert (found["active_electrons"], found["active_orbitals"]) == (2, [1, 2, 5])
    assert found["exact_in"] == "active space of 2 electrons in 3 orbitals, basis sto-3g"
    assert found["ground_energy_ha"] == pytest.approx(-7.844879093, abs=5e-8)
    assert found["hartree_fock_energy_ha"] == pytest.approx(-7.807994369, abs=1e-6)
    assert found["lower_bound_ha"] == pytest.approx(-10.0604, abs=1e-4)
    assert found["warnings"] == []


def test_the_table_has_energies_to_the_nanohartree():
    shown = call(*BUILD, "--molecule", "H2").stdout
    assert "-1.137270175" in shown
    assert "active space of 2 electrons in 2 orbitals" in shown


def test_an_operator_written_is_read_again(tmp_path):
    first = answer(*BUILD, "--molecule", "H2", "--mapping", "jw", "--out", tmp_path / "H.json")
    again = answer(*BUILD, "--hamiltonian", tmp_path / "H.json")
    assert first.pop("out") == str(tmp_path / "H.json")
    assert again == first


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("--molecule", "LiHH"), 2, "did you mean 'LiH'"),
        (("--molecule", "LiH", "--geometry", "a.xyz"), 2, "--molecule and --geometry"),
        (("--hamiltonian", "H.json", "--mapping", "jw"), 2, "--mapping has no meaning"),
        (("--bond-length", -1), 2, "--bond-length, key 'bond_length_a'"),
        (("--bond-length", "nan"), 2, "--bond-length"),
        (("--active-orbitals-list", "1,2,9"), 2, "orbital 9 does not exist"),
        (("--active-electrons", 4), 2, "these orbitals hold 2"),
        (("--charge", 1), 2, "odd number of electrons"),
        (("--geometry", "missing.xyz"), 3, "cannot read a geometry"),
        (("--hamiltonian", "missing.json"), 3, "cannot read an operator"),
    ],
)
def test_each_wrong_choice_gives_one_clear_error(words, code, says):
    refused(code, *BUILD, *words, says=(says,))


def test_a_circuits_own_molecule_is_what_options_change():
    own = MoleculeConfig(name="BeH2", bond_length_a=1.2)
    assert molecule_config({"mapping": "jw"}, own) == own.model_copy(update={"mapping": "jw"})
    assert molecule_config({}, own) == own
    assert molecule_config({"molecule": "H2"}, own) == MoleculeConfig(name="H2")
    with pytest.raises(ConfigError, match="is a file"):
        molecule_config({"mapping": "jw"}, MoleculeConfig(hamiltonian=Path("H.json")))


def test_only_given_options_reach_the_configuration():
    assert molecule_flags({"molecule": None, "taper": None}) == {}
    given = {"molecule": "LiH", "bond_length": 1.2, "active_orbitals_list": [1, 2], "taper": False}
    fields = {"name": "LiH", "bond_length_a": 1.2, "active_orbitals": [1, 2], "taper": False}
    assert molecule_flags({**given, "steps": 3}) == {"molecule": fields}
    assert molecule_config(given) == MoleculeConfig(**{**fields, "active_orbitals": (1, 2)})
    with pytest.raises(ConfigError, match="has no meaning"):
        molecule_flags({"hamiltonian": "H.json", "taper": False})
