"""Which runs there are, and which of them a name on the command line means."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from toolkit.core.errors import RunError
from toolkit.core.files import is_file, is_folder
from toolkit.core.run import Run


def find_all(root: Path) -> list[Run]:
    """Every run below ``root``, sweeps' cells included, oldest first."""
    paths = [*root.glob("*/env.json"), *root.glob("sweep-*/*/env.json")]
    runs = [Run(path.parent) for path in paths if not path.parent.name.startswith(".")]
    return sorted(runs, key=lambda run: _fact(run, "created"))


def _fact(run: Run, key: str) -> str:
    try:
        return str(run.environment[key])
    except RunError:  # damaged: listed, never the last one
        return ""


def resolve(spec: str, root: Path) -> Run:
    """The run that ``spec`` names: a path, a unique prefix, ``@last`` or ``@last:app``.

    Raises:
        RunError: nothing or more than one fits.
    """
    if is_file(Path(spec) / "env.json"):
        return Run.open(Path(spec))
    runs = find_all(root)
    if spec.startswith("@"):
        return _latest(spec, runs, root)
    matches = [run for run in runs if run.name.startswith(spec)]
    exact = [run for run in matches if run.name == spec]
    if len(matches) == 1 or len(exact) == 1:
        return Run.open((exact or matches)[0].path)
    if matches:
        paths = ", ".join(str(run.path) for run in matches[:4])
        what = f"{spec!r} fits {len(matches)} runs: {paths}"
        raise RunError(what, where=str(root), hint="name one by its path")
    hint = "toolkit runs list shows the runs there are; --runs-dir names another folder"
    raise RunError(f"no run {spec!r}", where=str(root), hint=hint)


def resolve_all(specs: Iterable[str], root: Path) -> list[Run]:
    """The runs that ``specs`` name, each once: as in :func:`resolve`, or all those below a folder.

    Raises:
        RunError: a name that fits nothing, or a folder without a run.
    """
    found = [run for spec in specs for run in _named(spec, root)]
    return list({run.path.resolve(): run for run in found}.values())


def _named(spec: str, root: Path) -> list[Run]:
    for folder in (Path(spec), root / spec):
        if is_folder(folder) and not is_file(folder / "env.json"):
            paths = [path.parent for path in sorted(folder.rglob("env.json"))]
            below = [Run(path) for path in paths if not path.name.startswith(".")]
            if not below:
                hint = "toolkit runs list shows the runs there are"
                raise RunError("no run below the folder", where=str(folder), hint=hint)
            return below
    return [resolve(spec, root)]


def _latest(spec: str, runs: Sequence[Run], root: Path) -> Run:
    last, _, app = spec.partition(":")
    if last != "@last":
        raise RunError(f"unknown run name {spec!r}", where=str(root), hint="@last or @last:ecg")
    fitting = [run for run in runs if not app or _fact(run, "app") == app]
    if not fitting:
        kind = f"{app} run" if app else "run"
        raise RunError(f"there is no {kind} yet", where=str(root), hint="start one, or --runs-dir")
    return Run.open(fitting[-1].path)
