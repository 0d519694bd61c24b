"""What the packages log while they work, as lines for whoever watches."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from toolkit.cli.progress import Lines


class _Notes(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self._lines = Lines()

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.note(record.getMessage())


@contextmanager
def noted(name: str) -> Iterator[None]:
    """Print what the loggers of package ``name`` say meanwhile on stderr, a line each."""
    logger, notes = logging.getLogger(name), _Notes()
    level = logger.level
    logger.addHandler(notes)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(notes)
        logger.setLevel(level)
