"""What is reached without learning, on the same operator: to be shown beside every result."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from toolkit.core import rng
from toolkit.core.errors import CheckFailedError, ConfigError, ToolkitError, closest
from toolkit.vqe.actions import Actions, couplings
from toolkit.vqe.annealing import anneal
from toolkit.vqe.archive import CHEMICAL_ACCURACY_HA, Archive, Entry
from toolkit.vqe.circuits import Circuit, Cost, Gate
from toolkit.vqe.compiling import compiling
from toolkit.vqe.config import EnvironmentConfig
from toolkit.vqe.operators.hamiltonian import Hamiltonian, start_bits
from toolkit.vqe.peers.adapt import adapt
from toolkit.vqe.peers.beam import Beam
from toolkit.vqe.peers.ladders import STARTS, best_ladder
from toolkit.vqe.peers.methods import METHODS, Method
from toolkit.vqe.peers.random_search import random_search
from toolkit.vqe.simulator import Simulator
from toolkit.vqe.verification import VARIATIONAL_TOLERANCE_HA

EPISODES = 2000  # of random circuits
BEAM_WIDTH = 500
ANNEALING_MOVES = 60_000  # as many as a search's circuits get in all once it is over
BEAM_GATES = 30  # where the beam gives up, the prepared X gates not counted
_CUT = "; cut short (baseline_share)"
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Baseline:
    """What a method found; without a circuit, ``note`` says why.

    Of methods that try many circuits, ``front`` is the Pareto front, ``tried`` how many those
    were, and ``cut`` tells whether there would have been more.
    """

    method: str
    circuit: Circuit | None
    energy_ha: float | None
    seconds: float = 0.0
    note: str = ""
    front: tuple[Entry, ...] = ()
    tried: int = 0
    cut: bool = False


class _Found(NamedTuple):
    """What a method gives; the fields are those of ``Baseline``."""

    circuit: Circuit
    energy_ha: float
    note: str = ""
    front: tuple[Entry, ...] = ()
    tried: int = 0
    cut: bool = False


@dataclass(frozen=True)
class _Settings:
    environment: EnvironmentConfig
    width: int
    seed: int
    most: float

    @property
    def unmapped(self) -> str:
        """What a method has to say that takes no notice of the coupling map."""
        return "" if self.environment.coupling == "all" else "; regardless of the coupling map"


def run(
    hamiltonian: Hamiltonian,
    methods: Iterable[Method],
    *,
    width: int = BEAM_WIDTH,
    seed: int = 0,
    environment: EnvironmentConfig | None = None,
    most: float = math.inf,
) -> list[Baseline]:
    """Each of ``methods`` (of ``METHODS``); one that is not possible gives its reason instead.

    Args:
        hamiltonian: whose ground state is sought; methods stop at chemical accuracy.
        methods: names.
        width: of the beam.
        seed: of random starts and random circuits.
        environment: coupling map, axes and start of random circuits and the beam.
        most: circuits that random and the beam may each try, to within one episode or the circuits
            that follow one: bounded work, since the clock would give another result each time.

    Raises:
        ConfigError: no such method.
        CheckFailedError: an energy is below the exact one, which no state's can be.
    """
    chosen = list(methods)
    if unknown := [method for method in chosen if method not in METHODS]:
        raise ConfigError(f"no baseline {unknown[0]!r}", hint=closest(unknown[0], METHODS))
    settings = _Settings(environment or EnvironmentConfig(), width, seed, most)
    if set(chosen) - {"hartree-fock"}:
        with compiling():
            _compile()
    return [_checked(_timed(method, hamiltonian, settings), hamiltonian) for method in chosen]


def row(baseline: Baseline, hamiltonian: Hamiltonian) -> dict[str, Any]:
    """The method, error and energy in Hartree, cost, seconds and note; None for what is unknown."""
    circuit, energy_ha = baseline.circuit, baseline.energy_ha
    cost = dict.fromkeys(Cost._fields) if circuit is None else circuit.cost._asdict()
    return {
        "method": baseline.method,
        "error_ha": None if energy_ha is None else energy_ha - hamiltonian.ground_energy,
        "energy_ha": energy_ha,
        **cost,
        "seconds": baseline.seconds,
        "note": baseline.note,
    }


def _timed(method: Method, hamiltonian: Hamiltonian, settings: _Settings) -> Baseline:
    _log.info("baseline %s", method)
    start = time.perf_counter()
    try:
        found = WAYS[method](hamiltonian, settings)
    except ToolkitError as error:
        return Baseline(method, None, None, time.perf_counter() - start, error.what)
    return Baseline(method, seconds=time.perf_counter() - start, **found._asdict())


def _checked(baseline: Baseline, hamiltonian: Hamiltonian) -> Baseline:
    exact, energy = hamiltonian.ground_energy, baseline.energy_ha
    if energy is not None and not energy >= exact - VARIATIONAL_TOLERANCE_HA:
        wrong = f"energy {energy!r} Ha is below the exact {exact!r} Ha"
        raise CheckFailedError(wrong, where=baseline.method)
    return baseline


def _target(hamiltonian: Hamiltonian) -> float:
    return hamiltonian.ground_energy + CHEMICAL_ACCURACY_HA


def _hartree_fock(hamiltonian: Hamiltonian, settings: _Settings) -> _Found:
    bits = start_bits(hamiltonian, "hartree-fock")
    return _Found(Circuit.prepared(bits), hamiltonian.basis_energy(bits))


def _ladder(hamiltonian: Hamiltonian, settings: _Settings) -> _Found:
    found = best_ladder(hamiltonian, _target(hamiltonian), seed=settings.seed)
    note = f"RY and chains of CNOTs, best of {STARTS} random starts" + settings.unmapped
    return _Found(*found, note)


def _random(hamiltonian: Hamiltonian, settings: _Settings) -> _Found:
    config, seed, most = settings.environment, settings.seed, settings.most
    archive, episodes, reached, tried = random_search(hamiltonian, config, EPISODES, seed, most)
    cut = episodes < EPISODES
    note = f"{reached} of {episodes} episodes reach chemical accuracy" + _CUT * cut
    return _Found(*_best(archive, hamiltonian), note, tuple(archive), tried, cut)


def _beam(hamiltonian: Hamiltonian, settings: _Settings) -> _Found:
    config = settings.environment
    axes = tuple(axis for axis in config.rotations if axis == "RY") or config.rotations
    width, most = settings.width, settings.most
    beam = Beam(hamiltonian, width, axes, config.coupling, config.start, most=most)
    archive = beam.search(_target(hamiltonian), BEAM_GATES)
    note = f"width {width}, {' '.join(axes)} and CNOT, {beam.tried} circuits tried"
    note += _CUT * beam.cut
    return _Found(*_best(archive, hamiltonian), note, tuple(archive), beam.tried, beam.cut)


def _annealing(hamiltonian: Hamiltonian, settings: _Settings) -> _Found:
    """What annealing gives without a search: it begins with the ladder."""
    config, target = settings.environment, _target(hamiltonian)
    circuit, _ = best_ladder(hamiltonian, target, seed=settings.seed)
    n = hamiltonian.n_qubits
    gates = Actions(n, config.rotations, couplings(config.coupling, n)).gates
    generator = rng.generator(settings.seed, "annealing")
    found = anneal(circuit, hamiltonian, target, gates, generator, ANNEALING_MOVES)
    note = f"of the ladder, {ANNEALING_MOVES} moves" + settings.unmapped
    return _Found(found.circuit, found.energy_ha, note)


def _adapt(hamiltonian: Hamiltonian, settings: _Settings) -> _Found:
    circuit, energy_ha, note = adapt(hamiltonian, _target(hamiltonian))
    return _Found(circuit, energy_ha, note + settings.unmapped)


def _best(archive: Archive, hamiltonian: Hamiltonian) -> tuple[Circuit, float]:
    best = archive.best(_target(hamiltonian))
    assert best is not None, "at least one circuit was tried"
    return best.circuit, best.energy_ha


@cache
def _compile() -> None:
    """Compile what all methods run, on two qubits, so that no method's seconds include it."""
    toy = Hamiltonian(2, ("XX", "ZI"), np.array([1.0, 0.5]))
    best_ladder(toy, np.inf, 1, 1)
    beam = Beam(toy, 1)
    beam.step()
    beam.step()
    random_search(toy, EnvironmentConfig(max_gates=2), 1, 0)
    Simulator(toy).gradient(Circuit(2, (Gate("RY", (0,), 0.1),)))


WAYS: dict[Method, Callable[[Hamiltonian, _Settings], _Found]] = {
    "hartree-fock": _hartree_fock,
    "ladder": _ladder,
    "random": _random,
    "beam": _beam,
    "annealing": _annealing,
    "adapt": _adapt,
}
