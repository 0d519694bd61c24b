"""The options that say which molecule or operator, and what they mean."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from toolkit.cli.options import IntRanges

if TYPE_CHECKING:
    from toolkit.vqe.operators.molecule_config import MoleculeConfig

F = TypeVar("F", bound=Callable[..., Any])
_FIELDS = {  # option: field of MoleculeConfig
    "molecule": "name",
    "bond_length": "bond_length_a",
    "geometry": "geometry",
    "hamiltonian": "hamiltonian",
    "basis": "basis",
    "charge": "charge",
    "active_electrons": "active_electrons",
    "active_orbitals_list": "active_orbitals",
    "mapping": "mapping",
    "electron_penalty": "electron_penalty_ha",
    "taper": "taper",
}
MOLECULE_OPTIONS = tuple(_FIELDS)
_SOURCES = ("molecule", "geometry", "hamiltonian")


def molecule_options(function: F) -> F:
    """The options that say which operator; none has a default, so that presets may."""
    path = click.Path(path_type=Path, resolve_path=True)  # a run outlives the folder it began in
    options = [
        click.option("--molecule", metavar="NAME", help="LiH, H2, H4, BeH2 or H2O [default: LiH]."),
        click.option("--bond-length", type=float, metavar="ANGSTROM", help="Of a named molecule."),
        click.option("--geometry", type=path, metavar="FILE.xyz", help="Instead of a name."),
        click.option("--hamiltonian", type=path, metavar="FILE", help="Operator, JSON or .npz."),
        click.option("--basis", help="sto-3g, 6-31g, 6-311g or cc-pvdz [default: sto-3g]."),
        click.option("--charge", type=int, help="Total charge [default: 0]."),
        click.option("--active-electrons", type=int, help="Checked against the orbitals' list."),
        click.option(
            "--active-orbitals-list",
            type=IntRanges(),
            metavar="LIST",
            help="Such as 1,2,5; orbitals count from 0, by energy.",
        ),
        click.option(
            "--mapping",
            type=click.Choice(["jw", "parity", "bravyi-kitaev"]),
            help="Fermions to qubits; parity drops two qubits [default: parity].",
        ),
        click.option(
            "--electron-penalty",
            type=click.FloatRange(0),
            metavar="HARTREE",
            help="For each squared electron too many or too few; ions need it [default: 0].",
        ),
        click.option("--taper/--no-taper", default=None, help="Drop what symmetries make spare."),
    ]
    for option in reversed(options):
        function = option(function)
    return function


def molecule_flags(options: Mapping[str, Any]) -> dict[str, Any]:
    """``{"molecule": {…}}`` of the molecule's options that were given, for ``core.config.load``.

    Raises:
        ConfigError: two sources of the operator, or choices that an operator file has made.
    """
    from toolkit.core.errors import ConfigError

    given = {name: options[name] for name in _FIELDS if options.get(name) is not None}
    sources = [name for name in _SOURCES if name in given]
    if len(sources) > 1:
        raise ConfigError(
            " and ".join(map(_option, sources)) + " are both given", hint="give one of them"
        )
    if sources == ["hamiltonian"] and len(given) > 1:
        other = next(name for name in given if name != "hamiltonian")
        raise ConfigError(
            f"{_option(other)} has no meaning with --hamiltonian", hint="leave it out"
        )
    fields = {_FIELDS[name]: value for name, value in given.items()}
    return {"molecule": fields} if fields else {}


def molecule_config(
    options: Mapping[str, Any], base: MoleculeConfig | None = None
) -> MoleculeConfig:
    """The molecule that the options describe; the rest is of ``base``, or the defaults.

    Another source of the operator leaves nothing of ``base``.

    Raises:
        ConfigError: as ``molecule_flags``, or a value out of range.
    """
    from toolkit.core.config import validate
    from toolkit.core.errors import ConfigError
    from toolkit.vqe.operators.molecule_config import MoleculeConfig

    given = molecule_flags(options)
    layers: list[tuple[str, Mapping[str, Any]]] = []
    if base is not None and not any(options.get(name) is not None for name in _SOURCES):
        if given and base.hamiltonian is not None:
            wrong = f"the circuit's operator is a file, {base.hamiltonian}: it has no options"
            raise ConfigError(wrong, hint="name a --molecule, a --geometry or a --hamiltonian")
        layers = [("the circuit's run", base.model_dump(mode="json", exclude_none=True))]
    layers += [
        (_option(name), {field: options[name]})
        for name, field in _FIELDS.items()
        if options.get(name) is not None
    ]
    return validate(MoleculeConfig, layers)


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")
