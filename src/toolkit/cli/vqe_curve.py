"""``toolkit vqe curve``: circuits that were found, carried along a bond."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from toolkit.cli.molecules import molecule_config, molecule_options
from toolkit.cli.options import Spaced, emit, json_option, runs_dir_option

RELEASED = {"parity": "lih4-2.2", "jw": "lih6-2.2"}  # whose circuits a curve of LiH is made of


@click.command()
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
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("curve"),
    show_default=True,
    help="Folder.",
)
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


def _followed(
    source: str, lengths: list[float], runs_dir: Path, options: dict[str, Any]
) -> list[dict[str, Any]]:
    from toolkit.cli.progress import for_stderr
    from toolkit.core.errors import ConfigError
    from toolkit.vqe import curve as curves
    from toolkit.vqe import stored

    for option in ("hamiltonian", "bond_length"):
        if options.get(option) is not None:
            named = "--" + option.replace("_", "-")
            raise ConfigError(f"a curve has no {named}", hint="--bond-lengths FIRST:LAST:STEP")
    kept = stored.read(source, runs_dir)
    molecule = molecule_config(options, kept.molecule)
    progress = for_stderr()
    rows = []
    for row in curves.points(molecule, lengths, kept.front):
        progress.note(f"{row['bond_length_a']:.2f} Å: error {row['error_ha'] * 1e3:.3f} mHa")
        rows.append(row)
    return rows
