"""From a run's settings to its search."""

from __future__ import annotations

import numpy as np

from toolkit.core.distributed import Ranks, resolve_device
from toolkit.core.errors import ConfigError
from toolkit.core.run import Run
from toolkit.vqe.config import VqeSearchConfig
from toolkit.vqe.environment import Environment
from toolkit.vqe.operators import molecules
from toolkit.vqe.operators.hamiltonian import Hamiltonian
from toolkit.vqe.outcome import judge
from toolkit.vqe.search import Search


def build(run: Run, config: VqeSearchConfig, ranks: Ranks) -> Search:
    """The task of ``run``: search circuits for the Hamiltonian that ``config`` names.

    Raises:
        ConfigError: impossible choices of molecule, active space or coupling.
        DataError: a geometry or operator file that is wrong.
    """
    if ranks.world > 1:
        hint = "toolkit sweep vqe search --seeds 0-9 --workers N"
        raise ConfigError("a search is one process", where=f"--devices {ranks.world}", hint=hint)
    hamiltonian = molecules.hamiltonian(config.molecule)
    _check_electrons(hamiltonian)
    if ranks.is_main:
        run.record_data({"hamiltonian": hamiltonian.digest, **hamiltonian.facts})
    environment = Environment(hamiltonian, config.environment)
    return Search(environment, config, resolve_device(config.device), judge)


def _check_electrons(hamiltonian: Hamiltonian) -> None:
    """Refuse what would find another ion than was asked for, and call that exact."""
    if not hamiltonian.facts.get("molecule_is_lowest", True):
        raise ConfigError(
            "the lowest state of this operator has another number of electrons than the molecule",
            where="molecule",
            hint="--electron-penalty 1, or more, lifts states of other numbers of electrons",
        )


def tiny_step(config: VqeSearchConfig) -> str:
    """One episode on two qubits: what a self-test says of it.

    Raises:
        ToolkitError: whatever keeps a search from running here.
    """
    hamiltonian = Hamiltonian(2, ("ZZ", "XX", "ZI"), np.array([0.5, 0.25, 0.5]))
    environment = Environment(hamiltonian, config.environment.model_copy(update={"max_gates": 4}))
    figures = Search(environment, config, resolve_device("cpu"), lambda *_: {}).step(0)
    compiled_s = environment.compile_s
    return f"kernel compiled or loaded in {compiled_s:.1f} s, error {figures['error_ha']:.3g} Ha"
