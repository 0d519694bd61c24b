"""A cache of built operators: seconds of integrals and mapping once, milliseconds afterwards.

Each file states the identity of what it holds and the SHA-256 of the operator; one that differs
in either, or cannot be read as an operator, is built anew. The cache is never needed: where it
cannot be written, operators are built each time.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Callable
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.core.errors import RunError, ToolkitError
from toolkit.core.files import read_json, write_json
from toolkit.vqe import operator_files
from toolkit.vqe.hamiltonian import Hamiltonian

if TYPE_CHECKING:
    from toolkit.vqe.molecules import Problem

_VERSION = 1  # of what is built and how it is written
_log = logging.getLogger(__name__)


def folder() -> Path:
    """``operators`` in ``$TOOLKIT_CACHE``, or in the user's cache folder of this toolkit."""
    root = os.environ.get("TOOLKIT_CACHE")
    if not root:
        import pooch

        root = str(pooch.os_cache("toolkit"))
    return Path(root) / "operators"


def load_or_build(problem: Problem, build: Callable[[], Hamiltonian]) -> Hamiltonian:
    """The operator of ``problem`` from the cache; else what ``build`` gives, kept for next time."""
    identity = _identity(problem)
    path = folder() / f"{problem.molecule}-{_sha256(identity)[:24]}.json"
    cached = _read(path, identity)
    if cached is not None:
        return cached
    built = build()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        operator = operator_files.to_json(built)
        write_json(path, {"identity": identity, "sha256": _sha256(operator), "operator": operator})
    except (OSError, RunError) as error:
        _log.info("operator is not cached: %s", error)
    return built


def _identity(problem: Problem) -> dict[str, Any]:
    made_by = {"version": _VERSION, "pennylane": version("pennylane")}
    whole: dict[str, Any] = json.loads(json.dumps(made_by | asdict(problem)))  # tuples as lists
    return whole


def _sha256(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _read(path: Path, identity: dict[str, Any]) -> Hamiltonian | None:
    """The cached operator, or None when there is none that is valid."""
    try:
        if not path.is_file():
            return None
        found = read_json(path)
        operator = found.get("operator")
        if found.get("identity") == identity and found.get("sha256") == _sha256(operator):
            return operator_files.from_json(operator, str(path))
        stale = "is damaged or of another molecule"
    except (ToolkitError, OSError) as error:
        stale = f"cannot be read ({getattr(error, 'what', error)})"
    _log.warning("cached operator %s %s; rebuilding it", path, stale)
    return None
