"""``toolkit vqe``: search short circuits for the ground states of molecules."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from toolkit.cli.groups import Group
from toolkit.cli.molecules import (
    MOLECULE_OPTIONS,
    molecule_config,
    molecule_flags,
    molecule_options,
)
from toolkit.cli.options import cell, emit, json_option, print_table, run_options
from toolkit.cli.vqe_circuits import draw, export, verify
from toolkit.cli.vqe_curve import curve
from toolkit.vqe.peers.methods import METHODS

if TYPE_CHECKING:
    from toolkit.vqe.operators.hamiltonian import Hamiltonian

_out = click.Path(path_type=Path)


@click.group(cls=Group)
def vqe() -> None:
    """Short circuits for ground states by reinforcement learning (Ostaszewski et al. 2021)."""


for _command in (verify, draw, export, curve):
    vqe.add_command(_command)


@vqe.command()
@molecule_options
@click.option("--out", type=_out, help="Also write the operator as JSON.")
@json_option
def hamiltonian(out: Path | None, as_json: bool, **options: Any) -> None:
    """Build a molecule's qubit Hamiltonian, and say what is exact about it.

    "Exact" is exact in the active space, not in nature. The orbitals of an active space are
    named one by one, for which ones matters as much as how many.

    \b
    Examples:
      toolkit vqe hamiltonian --molecule LiH --bond-length 2.2 --mapping parity
      toolkit vqe hamiltonian --molecule LiH --active-orbitals-list 1,2,3 --mapping jw --json
      toolkit vqe hamiltonian --molecule H2 --taper --out H2.json
    """
    from toolkit.vqe.operators import molecules, operator_files

    found = molecules.hamiltonian(molecule_config(options))
    if out is not None:
        operator_files.write(out, found)
    result = _summary(found) | ({} if out is None else {"out": str(out)})
    rows = [(key, _cell(value)) for key, value in result.items() if value not in (None, [])]
    emit(result, as_json, lambda: print_table("", ("", ""), rows))


@vqe.command()
@molecule_options
@run_options
def search(**options: Any) -> None:
    """Search short circuits with a double DQN that appends one gate at a time.

    Presets: lih4 (default: LiH at 2.2 Å on 4 qubits), lih6 (the same on 6), unknown (rewards
    from a lower bound of the energy), paper and paper6 (network, optimiser and curriculum as
    published; slow).

    \b
    Examples:
      toolkit vqe search --seed 0 --max-time 1m
      toolkit vqe search --molecule H2 --set steps=300 --json
      toolkit vqe search --preset unknown --bond-length 1.2 --set steps=60
    """
    from toolkit.cli import execution

    execution.start("vqe", "search", **flags("search", options))


def flags(verb: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of ``verb`` with those of the molecule put where they belong.

    Raises:
        ConfigError: two sources of the operator, or choices that an operator file has made.
    """
    rest = {key: value for key, value in options.items() if key not in MOLECULE_OPTIONS}
    return {**rest, **molecule_flags(options)}


@vqe.command()
@molecule_options
@click.option(
    "--method",
    type=click.Choice([*METHODS, "all"]),
    default="all",
    show_default=True,
    help="Which baseline.",
)
@click.option("--width", type=click.IntRange(1), default=500, show_default=True, help="Of beam.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--out", type=_out, help="Also write each circuit as JSON into this folder.")
@json_option
def baseline(
    method: Any, width: int, seed: int, out: Path | None, as_json: bool, **options: Any
) -> None:
    """What is reached without learning: ladders, random circuits, beam search, ADAPT.

    \b
    Examples:
      toolkit vqe baseline --molecule H2 --method ladder
      toolkit vqe baseline --molecule LiH --bond-length 2.2 --method beam --width 20 --json
    """
    from toolkit.cli.notes import noted
    from toolkit.vqe import export
    from toolkit.vqe.operators import molecules
    from toolkit.vqe.peers import baselines

    found = molecules.hamiltonian(molecule_config(options))
    chosen = METHODS if method == "all" else (method,)
    with noted("toolkit.vqe"):
        results = baselines.run(found, chosen, width=width, seed=seed)
    for one in results:
        if out is not None and one.circuit is not None and one.energy_ha is not None:
            document = export.Document.of(one.circuit, found, one.energy_ha)
            export.write(document, out / f"{one.method}.json", "json")
    rows = [baselines.row(one, found) for one in results]
    for warning in found.facts.get("warnings", []):
        click.echo(f"Warning: {warning}", err=True)
    emit({**_summary(found), "baselines": rows}, as_json, lambda: _print_rows(rows))


def _print_rows(rows: list[dict[str, Any]]) -> None:
    columns = list(dict.fromkeys(key for row in rows for key in row))
    print_table(
        "", columns, [[cell(row.get(column), column) for column in columns] for row in rows]
    )


def _summary(found: Hamiltonian) -> dict[str, Any]:
    facts, bits = found.facts, found.hartree_fock_bits
    names = ("molecule", "geometry", "basis", "charge", "core_orbitals", "active_orbitals")
    return {
        **{name: facts.get(name) for name in (*names, "active_electrons", "mapping", "tapered")},
        "n_qubits": found.n_qubits,
        "n_terms": len(found.paulis),
        "ground_energy_ha": found.ground_energy,
        "exact_in": facts.get("exact_in", "the operator of the file"),
        "hartree_fock_energy_ha": None if bits is None else found.basis_energy(bits),
        "hartree_fock_bits": None if bits is None else "".join(map(str, bits)),
        "lower_bound_ha": found.lower_bound,
        "molecule_ground_energy_ha": facts.get("molecule_ground_energy_ha"),
        "warnings": facts.get("warnings", []),
    }


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.9f}"
    if not isinstance(value, list):
        return str(value)
    if all(isinstance(item, int) for item in value):
        return " ".join(map(str, value))
    return "\n".join(" ".join(map(str, v)) if isinstance(v, list) else str(v) for v in value)
