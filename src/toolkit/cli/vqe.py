"""``toolkit vqe``: search short circuits for the ground states of molecules."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from toolkit.cli.molecules import (
    MOLECULE_OPTIONS,
    molecule_config,
    molecule_flags,
    molecule_options,
)
from toolkit.cli.options import (
    Spaced,
    cell,
    emit,
    json_option,
    print_table,
    run_options,
    runs_dir_option,
)

if TYPE_CHECKING:
    from toolkit.vqe.hamiltonian import Hamiltonian
    from toolkit.vqe.stored import Stored

METHODS = ("hartree-fock", "ladder", "random", "beam", "adapt")
RELEASED = {"parity": "lih4-2.2"}  # whose circuits a curve of LiH is made of
_out = click.Path(path_type=Path)


@click.group()
def vqe() -> None:
    """Short circuits for ground states by reinforcement learning (Ostaszewski et al. 2021)."""


@vqe.command()
@molecule_options
@click.option("--out", type=click.Path(path_type=Path), help="Also write the operator as JSON.")
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
    from toolkit.vqe import molecules, operator_files

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

    molecule = molecule_flags(options).get("molecule")
    rest = {key: value for key, value in options.items() if key not in MOLECULE_OPTIONS}
    execution.start("vqe", "search", molecule=molecule, **rest)


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
    method: str, width: int, seed: int, out: Path | None, as_json: bool, **options: Any
) -> None:
    """What is reached without learning: ladders, random circuits, beam search, ADAPT.

    \b
    Examples:
      toolkit vqe baseline --molecule H2 --method ladder
      toolkit vqe baseline --molecule LiH --bond-length 2.2 --method beam --width 20 --json
    """
    from toolkit.cli.progress import for_stderr
    from toolkit.vqe import baselines, export, molecules

    found = molecules.hamiltonian(molecule_config(options))
    chosen = METHODS if method == "all" else (method,)
    results = baselines.run(found, chosen, width=width, seed=seed, progress=for_stderr())
    for one in results:
        if out is not None and one.circuit is not None and one.energy_ha is not None:
            document = export.Document.of(one.circuit, found, one.energy_ha)
            export.write(document, out / f"{one.method}.json", "json")
    rows = [baselines.row(one, found) for one in results]
    emit({**_summary(found), "baselines": rows}, as_json, lambda: _print_rows(rows))


@vqe.command()
@click.argument("source", metavar="RUN|MODEL|FILE")
@molecule_options
@click.option("--shots", type=click.IntRange(1), help="Also estimate from so many shots a group.")
@click.option("--p1", type=click.FloatRange(0, 1), help="Depolarising after one-qubit gates.")
@click.option("--p2", type=click.FloatRange(0, 1), help="Depolarising after CNOTs.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the shots.")
@runs_dir_option
@json_option
def verify(
    source: str,
    shots: int | None,
    p1: float | None,
    p2: float | None,
    seed: int,
    runs_dir: Path,
    as_json: bool,
    **options: Any,
) -> None:
    """Recompute a circuit's energy with PennyLane, which has no part in the search.

    Without options about the molecule, the operator is the one that lies beside the circuit.

    \b
    Examples:
      toolkit vqe verify @last:vqe
      toolkit vqe verify lih4-2.2 --shots 10000 --p1 0.001 --p2 0.01 --json
      toolkit vqe verify best.json --molecule LiH --bond-length 2.2
    """
    from toolkit.core.errors import CheckFailedError
    from toolkit.vqe import stored, verification

    kept = stored.read(source, runs_dir)
    operator = _operator(kept, source, options)
    document = kept.document
    result = verification.verify(document.circuit, operator, document.energy_ha)
    result["exact_in"] = operator.facts.get("exact_in", "the operator of the file")
    result |= _noisy(kept, operator, shots, p1, p2, seed)
    emit({"circuit": source, **result}, as_json)
    if result["agrees"] is False:
        raise CheckFailedError(
            f"PennyLane gives {result['energy_ha']!r} Ha, the file says {document.energy_ha!r}",
            where=source,
            hint="is it another molecule, bond length or mapping?",
        )


@vqe.command()
@click.argument("source", metavar="RUN|MODEL|FILE")
@click.option("--out", type=_out, help="A .txt, .svg or .png file instead of the terminal.")
@runs_dir_option
def draw(source: str, out: Path | None, runs_dir: Path) -> None:
    """Draw a circuit.

    \b
    Examples:
      toolkit vqe draw @last:vqe
      toolkit vqe draw lih4-2.2 --out circuit.svg
    """
    from toolkit.vqe import drawing, stored

    circuit = stored.read(source, runs_dir).document.circuit
    if out is None:
        click.echo(drawing.text(circuit))
    else:
        click.echo(drawing.save(circuit, out))


@vqe.command()
@click.argument("source", metavar="RUN|MODEL|FILE")
@click.option(
    "--format",
    "form",
    type=click.Choice(["json", "qasm2", "qasm3"]),
    default="qasm3",
    show_default=True,
    help="JSON that verify reads, or OpenQASM.",
)
@click.option("--out", type=_out, help="File to write; stdout without it.")
@runs_dir_option
def export(source: str, form: Any, out: Path | None, runs_dir: Path) -> None:
    """Write a circuit with its angles for other tools.

    \b
    Examples:
      toolkit vqe export @last:vqe --format qasm3 --out best.qasm
      toolkit vqe export lih4-2.2 --format json
    """
    from toolkit.vqe import export as files
    from toolkit.vqe import stored

    document = stored.read(source, runs_dir).document
    if out is None:
        click.echo(files.render(document, form), nl=False)
    else:
        click.echo(files.write(document, out, form))


@vqe.command()
@molecule_options
@click.option(
    "--bond-lengths",
    type=Spaced(),
    default="1.0:3.6:0.2",
    show_default=True,
    metavar="FIRST:LAST:STEP",
    help="In ångström.",
)
@click.option(
    "--from",
    "source",
    metavar="RUN|MODEL|FILE",
    help="Whose circuits are carried along the curve [default: the released LiH model].",
)
@click.option("--out", type=_out, default=Path("curve"), show_default=True, help="Folder.")
@runs_dir_option
@json_option
def curve(
    bond_lengths: list[float],
    source: str | None,
    out: Path,
    runs_dir: Path,
    as_json: bool,
    **options: Any,
) -> None:
    """Potential energy curve: one search's circuits, angles fitted at each bond length.

    \b
    Examples:
      toolkit vqe curve --molecule LiH --mapping parity --bond-lengths 1.2:2.2:0.5
      toolkit vqe curve --from @last:vqe --bond-lengths 2.0:2.4:0.2 --out CURVE --json
    """
    from toolkit.vqe import curve as curves

    source = source or _released(options)
    rows = _followed(source, bond_lengths, runs_dir, options)
    files = curves.write(rows, out)
    result = {
        "circuits": source,
        "exact_in": "the active space of each point",
        "points": rows,
        "files": [str(path) for path in files],
    }
    emit(result, as_json)


def _released(options: dict[str, Any]) -> str:
    """The released model whose circuits fit a curve of LiH."""
    from toolkit.core.errors import ConfigError

    mapping = options.get("mapping") or "parity"
    if options.get("molecule") not in (None, "LiH") or mapping not in RELEASED:
        what = f"no released circuits for {options.get('molecule') or 'LiH'} with {mapping}"
        hint = "toolkit vqe search for one length, then --from @last:vqe"
        raise ConfigError(what, where="--from", hint=hint)
    return RELEASED[mapping]


def _operator(kept: Stored, source: str, options: dict[str, Any]) -> Hamiltonian:
    """The operator that the options name, or the one beside the circuit."""
    from toolkit.core.errors import ConfigError
    from toolkit.vqe import molecules

    if not molecule_flags(options) and kept.hamiltonian is not None:
        return kept.hamiltonian
    if not molecule_flags(options):
        hint = "such as --molecule LiH --bond-length 2.2 --mapping parity, or --hamiltonian FILE"
        raise ConfigError("which operator is this circuit for?", where=source, hint=hint)
    return molecules.hamiltonian(molecule_config(options))


def _noisy(
    kept: Stored,
    operator: Hamiltonian,
    shots: int | None,
    p1: float | None,
    p2: float | None,
    seed: int,
) -> dict[str, Any]:
    from toolkit.vqe import noise

    circuit, found = kept.document.circuit, {}
    if shots is not None:
        found["from_shots"] = noise.shots(circuit, operator, shots, seed)._asdict()
    if p1 is not None or p2 is not None:
        energy = noise.depolarising(circuit, operator, p1 or 0.0, p2 or 0.0)
        error = energy - operator.ground_energy
        found["depolarised"] = {"p1": p1 or 0.0, "p2": p2 or 0.0, "energy_ha": energy}
        found["depolarised"]["error_ha"] = error
    return found


def _followed(
    source: str, lengths: list[float], runs_dir: Path, options: dict[str, Any]
) -> list[dict[str, Any]]:
    from toolkit.cli.progress import for_stderr
    from toolkit.core.errors import ConfigError
    from toolkit.core.released import find
    from toolkit.vqe import curve as curves
    from toolkit.vqe import stored
    from toolkit.vqe.config import VqeSearchConfig

    for option in ("hamiltonian", "bond_length"):
        if options.get(option) is not None:
            named = "--" + option.replace("_", "-")
            raise ConfigError(f"a curve has no {named}", hint="--bond-lengths FIRST:LAST:STEP")
    kept = stored.read(source, runs_dir)
    if molecule_flags(options) or kept.folder is None:
        molecule = molecule_config(options)
    else:
        molecule = find(source, "vqe", runs_dir).config(VqeSearchConfig).molecule
    progress = for_stderr()
    rows = []
    for row in curves.points(molecule, lengths, kept.front):
        progress.note(f"{row['bond_length_a']:.2f} Å: error {row['error_ha'] * 1e3:.3f} mHa")
        rows.append(row)
    return rows


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
