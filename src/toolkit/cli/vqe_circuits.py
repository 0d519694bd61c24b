"""What ``toolkit vqe`` does with a circuit that was found: verify, draw, export."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from toolkit.cli.molecules import molecule_config, molecule_flags, molecule_options
from toolkit.cli.options import emit, json_option, runs_dir_option

if TYPE_CHECKING:
    from toolkit.vqe.operators.hamiltonian import Hamiltonian
    from toolkit.vqe.stored import Stored

_out = click.Path(path_type=Path)


@click.command()
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
    result["warnings"] = operator.facts.get("warnings", [])
    result |= _noisy(kept, operator, shots, p1, p2, seed)
    emit({"circuit": source, **result}, as_json)
    if result["agrees"] is False:
        raise CheckFailedError(
            f"PennyLane gives {result['energy_ha']!r} Ha, the file says {document.energy_ha!r}",
            where=source,
            hint="is it another molecule, bond length or mapping?",
        )


@click.command()
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
    from toolkit.vqe import stored
    from toolkit.vqe.pictures import drawing

    circuit = stored.read(source, runs_dir).document.circuit
    if out is None:
        click.echo(drawing.text(circuit))
    else:
        click.echo(drawing.save(circuit, out))


@click.command()
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


def _operator(kept: Stored, source: str, options: dict[str, Any]) -> Hamiltonian:
    """The operator that the options name, or the one beside the circuit."""
    from toolkit.core.errors import ConfigError
    from toolkit.vqe.operators import molecules

    if not molecule_flags(options) and kept.hamiltonian is not None:
        return kept.hamiltonian
    if not molecule_flags(options):
        hint = "such as --molecule LiH --bond-length 2.2 --mapping parity, or --hamiltonian FILE"
        raise ConfigError("which operator is this circuit for?", where=source, hint=hint)
    return molecules.hamiltonian(molecule_config(options, kept.molecule))


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
        measured = noise.shots(circuit, operator, shots, seed, p1 or 0.0, p2 or 0.0)
        found["from_shots"] = measured._asdict()
    if p1 is not None or p2 is not None:
        energy = noise.depolarising(circuit, operator, p1 or 0.0, p2 or 0.0)
        error = energy - operator.ground_energy
        found["depolarised"] = {"p1": p1 or 0.0, "p2": p2 or 0.0, "energy_ha": energy}
        found["depolarised"]["error_ha"] = error
    return found
