"""How kernels are compiled: by numba, the machine code kept for the next process.

numba takes a kernel for unchanged as long as its own file is, whatever became of the kernels that
it calls; here a change to any file of kernels compiles all of them anew.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numba

from toolkit.vqe.cache import root

_PACKAGE = Path(__file__).parent
_FAST = {"contract", "reassoc", "nsz", "arcp"}
Kernel = TypeVar("Kernel", bound=Callable[..., Any])


def compiled(function: Kernel) -> Kernel:
    """``function`` as machine code; compiled in each process where no folder can be written."""
    settings: Any = numba.config
    before: str = settings.CACHE_DIR
    folder = before or _folder()
    settings.CACHE_DIR = folder
    try:
        made: Any = numba.njit(cache=bool(folder), fastmath=_FAST, nogil=True)(function)
    finally:
        settings.CACHE_DIR = before
    kernel: Kernel = made
    return kernel


@cache
def _folder() -> str:
    """Where machine code of these kernels lies: beside them, or in the user's cache; or nowhere."""
    sources = [path.read_bytes() for path in sorted(_PACKAGE.rglob("*.py"))]
    kernels = b"".join(source for source in sources if b"@compiled" in source)
    name = f"kernels-{hashlib.sha256(kernels).hexdigest()[:16]}"
    beside = _PACKAGE / "__pycache__" / name
    if _can_be_written(beside):
        return str(beside)
    return str(root() / name) if _can_be_written(root() / name) else ""


def _can_be_written(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK)
