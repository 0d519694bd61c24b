"""Say that kernels are being compiled, if they are."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_PATIENCE_S = 2.0  # kernels that numba's cache holds are loaded in less
_log = logging.getLogger(__name__)


@contextmanager
def compiling(patience_s: float = _PATIENCE_S) -> Iterator[None]:
    """What is done inside calls kernels for the first time; it is said once that takes long.

    Whether numba has to compile is known to its cache alone, which has no question for it.
    """
    text = "compiling kernels, once for this version; about half a minute"
    timer = threading.Timer(patience_s, _log.info, [text])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
