"""What is reached without learning, on the same operator: to be shown beside every result."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from toolkit.core.errors import CheckFailedError, ConfigError, ToolkitError, closest
from toolkit.core.progress import Progress, Silent
from toolkit.vqe.adapt import adapt
from toolkit.vqe.archive import CHEMICAL_ACCURACY_HA, Archive, Entry
from toolkit.vqe.beam import Beam
from toolkit.vqe.circuits import Circuit, Cost
from toolkit.vqe.config import AnglesConfig, EnvironmentConfig, NoiseConfig
from toolkit.vqe.environment import Environment, start_bits
from toolkit.vqe.hamiltonian import Hamiltonian
from toolkit.vqe.ladders import STARTS, best_ladder
from toolkit.vqe.verification import VARIATIONAL_TOLERANCE_HA

EPISODES = 2000  # of random circuits
BEAM_WIDTH = 500
BEAM_GATES = 30  # where the beam gives up, the prepared X gates not counted


@dataclass(frozen=True)
class Baseline:
    """What a method found; without a circuit, ``note`` says why.

    ``front`` is the Pareto front of methods that try many circuits.
    """

    method: str
    circuit: Circuit | None
    energy_ha: float | None
    seconds: float = 0.0
    note: str = ""
    front: tuple[Entry, ...] = ()


@dataclass(frozen=True)
class _Settings:
    environment: EnvironmentConfig
    width: int
    seed: int
    progress: Progress

    @property
    def unmapped(self) -> str:
        """What a method has to say that takes no notice of the coupling map."""
        return "" if self.environment.coupling == "all" else "; regardless of the coupling map"


def compare(
    hamiltonian: Hamiltonian, methods: Iterable[str], environment: EnvironmentConfig
) -> list[dict[str, Any]]:
    """One row for each of ``methods``, as ``run`` finds and ``row`` shows them."""
    return [row(one, hamiltonian) for one in run(hamiltonian, methods, environment=environment)]


def run(
    hamiltonian: Hamiltonian,
    methods: Iterable[str],
    *,
    width: int = BEAM_WIDTH,
    seed: int = 0,
    environment: EnvironmentConfig | None = None,
    progress: Progress | None = None,
) -> list[Baseline]:
    """Each of ``methods`` (of ``METHODS``); one that is not possible gives its reason instead.

    Args:
        hamiltonian: whose ground state is sought; methods stop at chemical accuracy.
        methods: names.
        width: of the beam.
        seed: of random starts and random circuits.
        environment: coupling map, axes and start of random circuits and the beam.
        progress: told what runs.

    Raises:
        ConfigError: no such method.
        CheckFailedError: an energy is below the exact one, which no state's can be.
    """
    chosen = list(methods)
    if unknown := [method for method in chosen if method not in METHODS]:
        raise ConfigError(f"no baseline {unknown[0]!r}", hint=closest(unknown[0], METHODS))
    settings = _Settings(environment or EnvironmentConfig(), width, seed, progress or Silent())
    if {"ladder", "random", "beam"} & set(chosen):
        settings.progress.note("baselines: compiling")
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


def random_circuits(
    hamiltonian: Hamiltonian, config: EnvironmentConfig, n: int, seed: int
) -> tuple[Archive, int]:
    """``n`` episodes of random legal gates, angles minimised after each gate as in the search.

    Returns:
        The Pareto front over all circuits on the way, and how many episodes reached chemical
        accuracy.
    """
    exact = config.model_copy(
        update={
            "e_min": "known",
            "noise": NoiseConfig(),
            "look_ahead": False,
            "angles": AnglesConfig(),
        }
    )
    environment, rng = Environment(hamiltonian, exact), np.random.default_rng(seed)
    archive, reached = Archive(), 0
    for episode in range(n):
        environment.reset(CHEMICAL_ACCURACY_HA)
        done = False
        while not done:
            step = environment.step(int(rng.choice(np.flatnonzero(environment.legal()))))
            if archive.wants(environment.cost, step.energy):
                archive.add(Entry(step.energy, environment.circuit(), episode))
            done, reached = step.done, reached + step.success
    return archive, reached


def _timed(method: str, hamiltonian: Hamiltonian, settings: _Settings) -> Baseline:
    settings.progress.note(f"baselines: {method}")
    start = time.perf_counter()
    try:
        circuit, energy_ha, note, *front = METHODS[method](hamiltonian, settings)
    except ToolkitError as error:
        return Baseline(method, None, None, time.perf_counter() - start, error.what)
    seconds = time.perf_counter() - start
    return Baseline(method, circuit, energy_ha, seconds, note, tuple(front))


def _checked(baseline: Baseline, hamiltonian: Hamiltonian) -> Baseline:
    exact, energy = hamiltonian.ground_energy, baseline.energy_ha
    if energy is not None and not energy >= exact - VARIATIONAL_TOLERANCE_HA:
        wrong = f"energy {energy!r} Ha is below the exact {exact!r} Ha"
        raise CheckFailedError(wrong, where=baseline.method)
    return baseline


def _target(hamiltonian: Hamiltonian) -> float:
    return hamiltonian.ground_energy + CHEMICAL_ACCURACY_HA


def _hartree_fock(hamiltonian: Hamiltonian, settings: _Settings) -> tuple[Any, ...]:
    bits = start_bits(hamiltonian, "hartree-fock")
    return Circuit.prepared(bits), hamiltonian.basis_energy(bits), ""


def _ladder(hamiltonian: Hamiltonian, settings: _Settings) -> tuple[Any, ...]:
    found = best_ladder(hamiltonian, _target(hamiltonian), seed=settings.seed)
    return *found, f"RY and chains of CNOTs, best of {STARTS} random starts" + settings.unmapped


def _random(hamiltonian: Hamiltonian, settings: _Settings) -> tuple[Any, ...]:
    found = random_circuits(hamiltonian, settings.environment, EPISODES, settings.seed)
    archive, reached = found
    note = f"{reached} of {EPISODES} episodes reach chemical accuracy"
    return *_best(archive, hamiltonian), note, *archive


def _beam(hamiltonian: Hamiltonian, settings: _Settings) -> tuple[Any, ...]:
    config, progress = settings.environment, settings.progress
    axes = tuple(axis for axis in config.rotations if axis == "RY") or config.rotations
    beam = Beam(hamiltonian, settings.width, axes, config.coupling, config.start)
    archive = beam.search(_target(hamiltonian), BEAM_GATES, progress=progress)
    note = f"width {settings.width}, {' '.join(axes)} and CNOT, {beam.tried} circuits tried"
    return *_best(archive, hamiltonian), note, *archive


def _adapt(hamiltonian: Hamiltonian, settings: _Settings) -> tuple[Any, ...]:
    circuit, energy_ha, note = adapt(hamiltonian, _target(hamiltonian))
    return circuit, energy_ha, note + settings.unmapped


def _best(archive: Archive, hamiltonian: Hamiltonian) -> tuple[Circuit, float]:
    best = archive.best(_target(hamiltonian))
    assert best is not None, "at least one circuit was tried"
    return best.circuit, best.energy_ha


def _compile() -> None:
    """Compile what all methods run, on two qubits, so that no method's seconds include it."""
    toy = Hamiltonian(2, ("XX", "ZI"), np.array([1.0, 0.5]))
    best_ladder(toy, np.inf, 1, 1)
    Beam(toy, 1).search(-np.inf, 2)
    random_circuits(toy, EnvironmentConfig(max_gates=2), 1, 0)


METHODS: dict[str, Callable[[Hamiltonian, _Settings], tuple[Any, ...]]] = {
    "hartree-fock": _hartree_fock,
    "ladder": _ladder,
    "random": _random,
    "beam": _beam,
    "adapt": _adapt,
}
