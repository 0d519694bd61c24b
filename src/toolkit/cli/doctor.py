"""``toolkit doctor``: check versions, devices, data and disk."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from toolkit.cli.options import data_dir_option, emit, json_option, print_table, runs_dir_option

if TYPE_CHECKING:
    from toolkit.core.doctor import Check


@click.command()
@data_dir_option
@runs_dir_option
@json_option
def doctor(data_dir: Path | None, runs_dir: Path, as_json: bool) -> None:
    """Check versions, devices, data, disk and a tiny step of each application.

    Warnings tell what is missing but not needed by everything; only failures end in exit code 1.

    \b
    Examples:
      toolkit doctor
      toolkit doctor --json
    """
    from toolkit.core import doctor as core
    from toolkit.core.errors import CheckFailedError

    checks = [
        core.guarded("versions", core.versions),
        core.guarded("threads", core.threads),
        core.guarded("cuda", core.cuda),
        core.guarded("runs", lambda: core.disk("runs", runs_dir)),
        core.guarded("cache", _cache),
        *_data(data_dir),
        *core.extras(),
        *_steps(),
    ]
    failed = [check.name for check in checks if check.state == "fail"]
    rows = [(check.name, check.state, check.found, check.hint) for check in checks]
    emit(
        {"ok": not failed, "checks": [asdict(check) for check in checks]},
        as_json,
        lambda: print_table("", ("check", "state", "found", "try"), rows),
    )
    if failed:
        raise CheckFailedError(f"{len(failed)} of {len(checks)} checks failed: {', '.join(failed)}")


def _cache() -> Check:
    import pooch

    from toolkit.core import doctor as core

    folder = Path(os.environ.get("TOOLKIT_CACHE") or pooch.os_cache("toolkit"))
    if not folder.is_absolute():
        return core.Check("cache", "warn", "this user has no home folder", "set TOOLKIT_CACHE")
    return core.disk("cache", folder, needed=False)


def _data(data_dir: Path | None) -> Iterable[Check]:
    from toolkit.core.doctor import Check
    from toolkit.core.errors import DataError
    from toolkit.data.store import locate, registry

    for name in registry():
        try:
            yield Check(f"data {name}", "ok", str(locate(name, data_dir)))
        except DataError as error:
            hint = f"toolkit data fetch {name}, or --data-dir DIR"
            yield Check(f"data {name}", "warn", f"{error.what}; {error.where}", hint)


def _steps() -> Iterable[Check]:
    from toolkit.cli.execution import applications
    from toolkit.core import doctor as core
    from toolkit.core.config import load, preset_path
    from toolkit.core.convnet import ConvNetConfig

    def step(app: str) -> Check:
        module = importlib.import_module(f"toolkit.{app}.config")
        verb = next(iter(module.CONFIGS))
        preset = module.DEFAULT_PRESETS.get(verb)
        path = preset_path(module.PRESETS, preset) if preset else None
        config = load(module.CONFIGS[verb], preset=path)
        network = getattr(config, "network", None)
        if isinstance(network, ConvNetConfig):
            return core.training_step(f"step of {app}", network)
        found = importlib.import_module(f"toolkit.{app}.tasks").tiny_step(config)
        return core.Check(f"step of {app}", "ok", found)

    for app in applications():
        yield core.guarded(f"step of {app}", lambda app=app: step(app))  # type: ignore[misc]
