"""What is refused before a run directory is made."""

from __future__ import annotations

import pytest

from toolkit.core.config import load
from toolkit.core.distributed import Ranks
from toolkit.core.errors import ConfigError
from toolkit.core.run import Run
from toolkit.vqe import tasks
from toolkit.vqe.config import VqeSearchConfig, prepare
from toolkit.vqe.operators import operator_files
from toolkit.vqe.operators.hamiltonian import Hamiltonian


def config(environment=None, **molecule):
    return VqeSearchConfig(molecule=molecule, environment=environment or {})


def test_a_coupling_map_must_fit_the_qubits_that_tapering_leaves(molecule):
    left = molecule("LiH", mapping="jw", taper=True).n_qubits
    assert left < 6
    for mapping in ("jw", "parity"):
        tapered = {"name": "LiH", "mapping": mapping, "taper": True}
        prepare(config({"coupling": f"0-{left - 1}"}, **tapered))
        with pytest.raises(ConfigError, match=f"of {left} qubits"):
            prepare(config({"coupling": f"0-{left}"}, **tapered))
    prepare(config({"coupling": "0-5"}, name="LiH", mapping="jw"))
    with pytest.raises(ConfigError, match="of 6 qubits"):
        prepare(config({"coupling": "0-6"}, name="LiH", mapping="jw"))


def test_a_start_at_hartree_fock_needs_its_bits_in_the_file(toy, tmp_path):
    hartree_fock = {"start": "hartree-fock"}
    operator_files.write(tmp_path / "with.json", toy)
    operator_files.write(tmp_path / "without.json", Hamiltonian(2, toy.paulis, toy.coefficients))
    prepare(config(hartree_fock, hamiltonian=tmp_path / "with.json"))
    prepare(config(hamiltonian=tmp_path / "without.json"))
    with pytest.raises(ConfigError, match="no Hartree-Fock state"):
        prepare(config(hartree_fock, hamiltonian=tmp_path / "without.json"))


def test_what_is_not_given_of_the_network_stays_the_searchs_own():
    sets = ("agent.network.stem_channels=32",)
    network = load(VqeSearchConfig, sets=sets).agent.network
    own = VqeSearchConfig().agent.network
    assert network == own.model_copy(update={"stem_channels": 32}) and own.norm == "none"


def test_a_rule_on_several_keys_is_told_without_all_settings():
    with pytest.raises(ConfigError) as caught:
        load(VqeSearchConfig, sets=("environment.noise.shots=9", "environment.look_ahead=true"))
    assert str(caught.value).startswith("environment.look_ahead and shorten see no noise")
    assert "VqeSearchConfig" not in str(caught.value)


def test_an_operator_whose_lowest_state_is_another_ion_is_not_searched(tmp_path):
    def build(**penalty):
        ion = config(name="H4", charge=2, **penalty)
        return tasks.build(Run.create(tmp_path, "vqe", "search", ion), ion, Ranks())

    with pytest.raises(ConfigError, match="another number of electrons") as caught:
        build()
    assert "--electron-penalty 1" in caught.value.hint
    build(electron_penalty_ha=1.0)
