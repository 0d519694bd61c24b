"""Actor-critic with experience replay and adaptation of action dispersion, beside its peers.

``from toolkit.rl import load_policy`` gives trained policies to other programs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from toolkit.rl.loaded import load_policy

__all__ = ["load_policy"]


def __getattr__(name: str) -> Any:
    """``load_policy``, imported at its first use: settings must not cost an import of torch."""
    if name == "load_policy":
        from toolkit.rl.loaded import load_policy

        return load_policy
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
