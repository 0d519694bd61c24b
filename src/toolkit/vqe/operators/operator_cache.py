"""A cache of built operators: seconds of integrals and mapping once, milliseconds afterwards."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

from toolkit.core.errors import ToolkitError
from toolkit.vqe import cache
from toolkit.vqe.operators import operator_files
from toolkit.vqe.operators.hamiltonian import Hamiltonian
from toolkit.vqe.operators.problem import Problem

_VERSION = 2  # of what is built and how it is written
_log = logging.getLogger(__name__)


def load_or_build(problem: Problem, build: Callable[[], Hamiltonian]) -> Hamiltonian:
    """The operator of ``problem`` from the cache; else what ``build`` gives, kept for next time."""
    identity = _identity(problem)
    path = cache.path_of("operators", problem.molecule, identity)
    cached = cache.load(path, identity)
    if cached is not None:
        try:
            return operator_files.from_json(cached, str(path))
        except ToolkitError as error:
            _log.warning("cached operator %s is none (%s); rebuilding it", path, error.what)
    _log.info("building the operator of %s", problem.molecule)
    built = build()
    cache.save(path, identity, operator_files.to_json(built))
    return built


def _identity(problem: Problem) -> dict[str, Any]:
    made_by = {"version": _VERSION, "pennylane": version("pennylane")}
    whole: dict[str, Any] = json.loads(json.dumps(made_by | asdict(problem)))  # tuples as lists
    return whole
