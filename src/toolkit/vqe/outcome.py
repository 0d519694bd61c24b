"""The verdict on a finished search: its best circuit, the front, the baselines beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from toolkit.core import rng
from toolkit.core.run import Run
from toolkit.vqe import stored
from toolkit.vqe.annealing import anneal, grown
from toolkit.vqe.archive import CHEMICAL_ACCURACY_HA, Archive, Entry
from toolkit.vqe.circuits import Circuit
from toolkit.vqe.config import VqeSearchConfig
from toolkit.vqe.operators.hamiltonian import Hamiltonian
from toolkit.vqe.peers import baseline_cache, published
from toolkit.vqe.pictures import figures
from toolkit.vqe.search import Search

_LAST = 20  # greedy episodes that the success rate is taken over
_HEADLINE = (
    *("error_mha", "best.depth", "best.gates", "best.cnot"),
    *("greedy_success_rate", "training_steps_per_s"),
)


def judge(search: Search, run: Run) -> dict[str, Any]:
    """The result of ``run``; here, and not before, an unknown E_min is compared with the truth."""
    config, hamiltonian = search.config, search.environment.hamiltonian
    entries, exact = _entries(search), hamiltonian.ground_energy
    shown = entries["best"]
    processed = shown is entries.get("shortened")
    circuits_tried = search.steps + search.tried
    most = max(1, round(config.baseline_share * circuits_tried))
    compared = baseline_cache.compare(hamiltonian, config.baselines, config.environment, most)
    front = _front(search, shown)
    pareto = [row_of(entry.circuit, entry.energy_ha, exact) for entry in front]
    stored.write(run.path, hamiltonian, shown, front)
    _draw(search, run, shown.circuit, pareto, compared)
    return {
        "title": f"{_name(hamiltonian)} on {hamiltonian.n_qubits} qubits",
        "headline": list(_HEADLINE),
        "error_mha": 1e3 * (shown.energy_ha - exact),
        **_greedy_rate(_greedy_lines(run), exact - search.environment.e_min),
        "training_steps_per_s": search.steps / max(search.trained_s, 1e-9),
        **_head(hamiltonian, config),
        **{name: row_of(entry.circuit, entry.energy_ha, exact) for name, entry in entries.items()},
        "chemical_accuracy": shown.energy_ha - exact < CHEMICAL_ACCURACY_HA,
        **_how(search),
        "exact_energy_ha": exact,
        "post_processed": processed,
        "circuits_tried": circuits_tried,
        "pareto": pareto,
        "baselines": compared,
        "warnings": list(hamiltonian.facts.get("warnings", [])),
        "notes": _notes(hamiltonian, config, processed),
    }


def _entries(search: Search) -> dict[str, Entry]:
    """The circuit to show, and those that it was chosen from."""
    greedy = _take_greedy(search)
    target = _target(search)
    best, shortened = _best(search.archive, target), _shortened(search, target)
    if shortened is None:
        return {"best": best, "best_of_search": best, "greedy": greedy}
    shown = shortened if search.config.post_process else best
    return {"best": shown, "best_of_search": best, "greedy": greedy, "shortened": shortened}


def _front(search: Search, shown: Entry) -> Archive:
    """What nothing beats of all that the search found, shortened circuits and the shown one too."""
    front = Archive()
    for entry in (*search.archive, *search.shortened, shown):
        front.add(entry)
    return front


def _draw(
    search: Search,
    run: Run,
    circuit: Circuit,
    pareto: Sequence[Mapping[str, Any]],
    compared: Sequence[Mapping[str, Any]],
) -> None:
    hamiltonian = search.environment.hamiltonian
    figures.draw(
        run,
        np.array(search.history, np.float64).reshape(-1, 3),
        _greedy_lines(run),
        circuit,
        pareto,
        compared,
        published=published.of(hamiltonian),
        e_min_below_ha=hamiltonian.ground_energy - search.environment.e_min,
    )


def _how(search: Search) -> dict[str, Any]:
    """What the search did and was told."""
    return {
        "training_steps": search.steps,
        "compile_s": search.environment.compile_s,
        "e_min_mode": search.config.environment.e_min,
        "e_min_ha": search.environment.e_min,
        "final_threshold_ha": search.threshold.value_ha,
        "shortened_in_search": search.config.shorten,
    }


def row_of(circuit: Circuit, energy_ha: float, exact_ha: float) -> dict[str, Any]:
    """Cost, error and energy (Hartree) of a circuit, as results show them."""
    energies = {"error_ha": energy_ha - exact_ha, "energy_ha": energy_ha}
    return {**circuit.cost._asdict(), **energies}


def _take_greedy(search: Search) -> Entry:
    """The circuit of the final greedy episode with the lowest energy; archived like all others."""
    steps, circuits = search.greedy()
    entries = [Entry(step.energy, c, len(search.history)) for step, c in zip(steps, circuits)]
    for entry in entries:
        search.archive.add(entry)
    return min(entries, key=lambda entry: entry.energy_ha)


def _target(search: Search) -> float:
    """Energy below which a circuit counts as good, in Hartree.

    Chemical accuracy where the exact energy is known. Otherwise half of it above the lowest energy
    that the search has seen: the other half is left for what that one lacks itself.
    """
    if search.config.environment.e_min == "known":
        return search.environment.e_min + CHEMICAL_ACCURACY_HA
    return min(entry.energy_ha for entry in search.archive) + CHEMICAL_ACCURACY_HA / 2


def _best(archive: Archive, target_ha: float) -> Entry:
    best = archive.best(target_ha)
    assert best is not None, "the start itself is archived"
    return best


def _shortened(search: Search, target_ha: float) -> Entry | None:
    """The cheapest circuit once some of the search's are annealed; None if none is good."""
    environment = search.environment
    found = [*search.archive, *search.shortened]
    good = sorted((e for e in found if e.energy_ha < target_ha), key=lambda e: e.price)
    if not good:
        return None
    gates, moves = environment.actions.gates, search.config.annealing_moves
    generator = rng.generator(search.config.seed, "annealing")
    deepest = min(good, key=lambda e: e.energy_ha)
    cheaper = Archive()
    for entry in good:
        cheaper.add(entry)  # annealing weighs layers against gates, and may end deeper
    for start in (good[0].circuit, grown(good[0].circuit, gates), grown(deepest.circuit, gates)):
        changed = anneal(start, environment.hamiltonian, target_ha, gates, generator, moves)
        cheaper.add(Entry(changed.energy_ha, changed.circuit, good[0].episode))
    return cheaper.best(target_ha)


def _name(hamiltonian: Hamiltonian) -> str:
    return str(hamiltonian.facts.get("molecule", "operator file"))


def _head(hamiltonian: Hamiltonian, config: VqeSearchConfig) -> dict[str, Any]:
    facts, bits = hamiltonian.facts, hamiltonian.hartree_fock_bits
    return {
        "seed": config.seed,
        "molecule": _name(hamiltonian),
        "geometry_a": _places(facts.get("geometry") or []),
        "mapping": facts.get("mapping"),
        "n_qubits": hamiltonian.n_qubits,
        "exact_in": facts.get("exact_in", "the operator of the file"),
        "hartree_fock_energy_ha": hamiltonian.basis_energy(bits) if bits else None,
    }


def _places(atoms: Sequence[Sequence[Any]]) -> str:
    """Atoms and their places in ångström on one line."""
    return "; ".join(" ".join(map(str, atom)) for atom in atoms)


def _greedy_lines(run: Run) -> list[dict[str, Any]]:
    return [line for line in run.metrics if "greedy/error_ha" in line]


def _greedy_rate(lines: Sequence[Mapping[str, Any]], offset_ha: float) -> dict[str, Any]:
    """Share of the last greedy episodes that reached chemical accuracy of the true energy.

    ``offset_ha`` is how far the exact energy lies above the E_min that errors were measured from.
    """
    errors = [line["greedy/error_ha"] - offset_ha for line in lines[-_LAST:]]
    rate = float(np.mean([error < CHEMICAL_ACCURACY_HA for error in errors])) if errors else None
    return {"greedy_success_rate": rate, "greedy_episodes_counted": len(errors)}


def _notes(hamiltonian: Hamiltonian, config: VqeSearchConfig, processed: bool) -> list[str]:
    space = hamiltonian.facts.get("exact_in", "operator of the file")
    notes = [
        f"Errors are measured from the lowest eigenvalue of the {space}, not of nature.",
        "A baseline's seconds are those that it took when it was computed for this operator first.",
    ]
    if config.shorten:
        notes.append(
            "Circuits that succeeded were annealed (gates removed, inserted, exchanged, moved at "
            "random), and episodes began with part of what that left (shorten=false does without)."
        )
    if processed:
        notes.append(
            "The best circuit is post-processed: circuits of the search, annealed once more; "
            "best_of_search is what the search itself found."
        )
    else:
        notes.append("shortened: what annealing the search's circuits once more would give.")
    return notes
