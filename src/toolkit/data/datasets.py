"""Which datasets there are: the registry beside this file, as objects."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

from toolkit.core.errors import ConfigError, closest


@dataclass(frozen=True)
class File:
    """One file of a dataset: its name below the dataset's folder, hash, size in bytes, address."""

    name: str
    url: str
    sha256: str | None = None
    size: int | None = None


@dataclass(frozen=True)
class Dataset:
    """A dataset of the registry; ``files`` by name, ``archive`` when they come in one."""

    name: str
    title: str
    application: str
    folder: str
    page: str
    licence: str
    citation: tuple[str, ...]
    base_url: str
    files: Mapping[str, File]
    archive: File | None = None

    @property
    def size(self) -> int:
        """Bytes of all files whose size is known."""
        return sum(file.size or 0 for file in self.files.values())


@functools.cache
def registry() -> Mapping[str, Dataset]:
    """All known datasets by name."""
    tables = _packaged_toml("registry.toml")
    return MappingProxyType({name: _parse(name, table) for name, table in tables.items()})


def dataset(name: str) -> Dataset:
    """The dataset of this name.

    Raises:
        ConfigError: there is none; the message names the closest.
    """
    if name not in registry():
        raise ConfigError(
            f"no dataset is called {name!r}; {closest(name, registry())}",
            where="the registry of datasets",
            hint="toolkit data list",
        )
    return registry()[name]


def _packaged_toml(file: str) -> dict[str, Any]:
    return tomllib.loads(resources.files(__package__).joinpath(file).read_text(encoding="utf-8"))


def _parse(name: str, table: Mapping[str, Any]) -> Dataset:
    fields = dict(table)
    base_url, archive = fields["base_url"], fields.pop("archive", None)
    files = fields.pop("files")
    entries = _packaged_toml(files) if isinstance(files, str) else files
    return Dataset(
        name=name,
        citation=tuple(fields.pop("citation")),
        files=MappingProxyType(
            {
                file: File(**{"name": file, "url": base_url + quote(file), **e})
                for file, e in entries.items()
            }
        ),
        archive=File(**{"url": base_url + quote(archive["name"]), **archive}) if archive else None,
        **fields,
    )
