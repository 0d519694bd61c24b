"""``toolkit data``: list, fetch, verify and synthesize data sets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from toolkit.cli.data_synthesize import synthesize
from toolkit.cli.groups import Group
from toolkit.cli.options import data_dir_option, emit, json_option, print_table

if TYPE_CHECKING:
    from toolkit.data.store import Dataset, Verification

_NAMED_IN_ERROR = 5  # damaged files that an error spells out; the table and --json have all


@click.group(cls=Group)
def data() -> None:
    """List, fetch, verify and synthesize data sets.

    They are searched in --data-dir if given, else in $TOOLKIT_DATA, then in the user's cache.

    \b
    Examples:
      toolkit data list
      toolkit data fetch mitdb
    """


@data.command("list")
@data_dir_option
@json_option
def list_datasets(data_dir: Path | None, as_json: bool) -> None:
    """List the known data sets and where they are.

    \b
    Examples:
      toolkit data list
      toolkit data list --json
    """
    from toolkit.data import store

    rows = [_summary(dataset, _found(name, data_dir)) for name, dataset in store.registry().items()]
    columns = ("name", "application", "title", "files", "MB", "path")
    cells = [
        (r["name"], r["application"], r["title"], r["files"], _mb(r["bytes"]), r["path"] or "-")
        for r in rows
    ]
    emit({"datasets": rows}, as_json, lambda: print_table("", columns, cells))


@data.command()
@click.argument("name")
@data_dir_option
@json_option
def info(name: str, data_dir: Path | None, as_json: bool) -> None:
    """Show title, size, licence, citation and place of a data set.

    \b
    Examples:
      toolkit data info mitdb
      toolkit data info mitdb --json
    """
    from toolkit.data import store

    dataset = store.dataset(name)
    result = _summary(dataset, _found(name, data_dir)) | {
        "page": dataset.page,
        "licence": dataset.licence,
        "citation": list(dataset.citation),
        "data_hash": store.data_hash(name),
    }
    rows = [(key, "\n".join(v) if isinstance(v, list) else v) for key, v in result.items()]
    emit(result, as_json, lambda: print_table("", ("", ""), rows))


@data.command()
@click.argument("name")
@data_dir_option
@json_option
def path(name: str, data_dir: Path | None, as_json: bool) -> None:
    """Print the folder that holds a data set.

    \b
    Examples:
      toolkit data path mitdb
      toolkit data path mitdb --data-dir ../shared/data
    """
    from toolkit.data import store

    folder = str(store.locate(name, data_dir))
    emit({"name": name, "path": folder}, as_json, lambda: click.echo(folder))


@data.command()
@click.argument("name", required=False)
@data_dir_option
@json_option
def verify(name: str | None, data_dir: Path | None, as_json: bool) -> None:
    """Hash every file of a data set and compare with the registry.

    Without NAME, all data sets that are found. Exit code 1 when a file is missing or differs,
    3 when the data set is not there at all.

    \b
    Examples:
      toolkit data verify mitdb
      toolkit data verify mitdb --data-dir ../shared/data --json
      toolkit data verify
    """
    from toolkit.data import store

    names = [name] if name else [n for n in store.registry() if _found(n, data_dir)]
    if not names:
        raise _nothing_found(data_dir)
    checks = [store.verify(each, store.locate(each, data_dir)) for each in names]
    result = checks[0].to_json() if name else _joint(checks)
    emit(result, as_json, lambda: _print_checks(checks))
    for check in checks:
        if not check.ok:
            raise _check_failed(check)


@data.command()
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@click.option("--from", "source", metavar="DIR|URL", help="A mirror: a folder or http(s) address.")
@click.option("--to", "target", type=click.Path(path_type=Path), help="Same as --data-dir.")
@data_dir_option
@json_option
def fetch(
    names: tuple[str, ...],
    source: str | None,
    target: Path | None,
    data_dir: Path | None,
    as_json: bool,
) -> None:
    """Download data sets, verified; what is here stays, what was cut short goes on.

    Each gets its own subfolder of --to, by default of $TOOLKIT_DATA or the user's cache.

    \b
    Examples:
      toolkit data fetch mitdb
      toolkit data fetch mitdb --to data
      toolkit data fetch mitdb --from ../shared/data --to data
    """
    from toolkit.cli.fetch_progress import fetch_progress
    from toolkit.data import store
    from toolkit.data.fetch import fetch as fetch_dataset

    datasets = [store.dataset(name) for name in names]  # a mistyped name stops all before any
    rows = []
    for dataset in datasets:
        with fetch_progress(dataset) as progress:
            folder = fetch_dataset(dataset.name, target or data_dir, source, progress)
        rows.append(_summary(dataset, folder))
    columns = ("name", "files", "MB", "path")
    cells = [(row["name"], row["files"], _mb(row["bytes"]), row["path"]) for row in rows]
    emit({"datasets": rows}, as_json, lambda: print_table("", columns, cells))


def _found(name: str, data_dir: Path | None) -> Path | None:
    from toolkit.core.errors import DataError
    from toolkit.data import store

    try:
        return store.locate(name, data_dir)
    except DataError:
        return None


def _summary(dataset: Dataset, folder: Path | None) -> dict[str, Any]:
    return {
        "name": dataset.name,
        "application": dataset.application,
        "title": dataset.title,
        "files": len(dataset.files),
        "bytes": dataset.size,
        "path": str(folder) if folder else None,
    }


def _mb(size: int) -> str:
    return f"{size / 1e6:.1f}"


def _joint(checks: list[Verification]) -> dict[str, Any]:
    return {
        "ok": all(check.ok for check in checks),
        "files": sum(check.files for check in checks),
        "datasets": [check.to_json() for check in checks],
    }


def _print_checks(checks: list[Verification]) -> None:
    rows = [
        (c.dataset, "intact" if c.ok else "NOT INTACT", c.files, len(c.missing), len(c.damaged))
        for c in checks
    ]
    print_table("", ("name", "state", "files", "missing", "damaged"), rows)
    faults = [(c.dataset, file, "missing") for c in checks for file in c.missing]
    faults += [(c.dataset, damage.file, "damaged") for c in checks for damage in c.damaged]
    if faults:
        print_table("", ("name", "file", "fault"), faults)


def _check_failed(check: Verification) -> Exception:
    from toolkit.core.errors import CheckFailedError

    faults = [f"{d.file} (expected {d.expected[:12]}, found {d.found[:12]})" for d in check.damaged]
    faults += [f"{file} (missing)" for file in check.missing]
    more = f" and {len(faults) - _NAMED_IN_ERROR} more" if len(faults) > _NAMED_IN_ERROR else ""
    return CheckFailedError(
        f"{len(faults)} of {check.files} files of {check.dataset} are damaged or missing: "
        + ", ".join(faults[:_NAMED_IN_ERROR])
        + more,
        where=str(check.folder),
        hint=f"toolkit data fetch {check.dataset} --to {check.folder.parent}",
    )


def _nothing_found(data_dir: Path | None) -> Exception:
    from toolkit.core.errors import DataError
    from toolkit.data import store

    roots = [data_dir] if data_dir else store.default_roots()
    return DataError(
        "no data set of the registry is on this machine",
        where="looked in " + (", ".join(map(str, roots)) or "no folder: none is set or known"),
        hint="toolkit data list; toolkit data fetch NAME; or --data-dir DIR",
    )


data.add_command(synthesize)
