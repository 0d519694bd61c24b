"""A cache of baselines: every seed of a sweep is compared with the same ones, computed once."""

from __future__ import annotations

import functools
import hashlib
import logging
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from toolkit.vqe import cache
from toolkit.vqe.config import EnvironmentConfig
from toolkit.vqe.operators.hamiltonian import Hamiltonian
from toolkit.vqe.peers import baselines
from toolkit.vqe.peers.methods import Method
from toolkit.vqe.peers.random_search import plain

_log = logging.getLogger(__name__)


def compare(
    hamiltonian: Hamiltonian,
    methods: Iterable[Method],
    environment: EnvironmentConfig,
    most: float,
) -> list[dict[str, Any]]:
    """One row for each of ``methods``, as ``baselines.run`` finds and ``baselines.row`` shows them.

    Whether a row was in the cache changes nothing but its seconds: they are those it took once.
    Only what was not cut short is kept, and taken only where ``most`` would not cut it short.
    """
    return [_row(hamiltonian, method, environment, most) for method in methods]


def _row(
    hamiltonian: Hamiltonian, method: Method, environment: EnvironmentConfig, most: float
) -> dict[str, Any]:
    identity = _identity(hamiltonian, method, environment)
    path = cache.path_of("baselines", method, identity)
    kept = cache.load(path, identity)
    if kept is not None and kept["tried"] < most:
        _log.info("baseline %s: as computed before", method)
        return dict(kept["row"])
    (found,) = baselines.run(hamiltonian, [method], environment=environment, most=most)
    row = baselines.row(found, hamiltonian)
    if found.circuit is not None and not found.cut:
        cache.save(path, identity, {"tried": found.tried, "row": row})
    return row


def _identity(
    hamiltonian: Hamiltonian, method: Method, environment: EnvironmentConfig
) -> dict[str, Any]:
    """All that a row depends on."""
    bits = hamiltonian.hartree_fock_bits
    return {
        "code": _code(),
        "packages": {name: version(name) for name in ("numpy", "numba", "scipy", "pennylane")},
        "operator": hamiltonian.digest,
        "hartree_fock_bits": None if bits is None else list(bits),
        "facts": {k: hamiltonian.facts.get(k) for k in ("mapping", "tapered", "active_electrons")},
        "method": method,
        "environment": plain(environment).model_dump(mode="json"),
    }


@functools.cache
def _code() -> str:
    """SHA-256 of all sources of vqe: whoever changes a method need not think of a version."""
    sources = sorted(Path(__file__).parents[1].rglob("*.py"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()
