"""A second view of ``metrics.jsonl`` for those who watch with TensorBoard."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from toolkit.core.errors import UnavailableError


class TensorBoard:
    """Writes each metrics line as scalars below ``folder``.

    Raises:
        UnavailableError: the tensorboard package is not installed.
    """

    def __init__(self, folder: Path) -> None:
        try:
            from torch.utils.tensorboard.writer import SummaryWriter
        except ImportError as error:
            raise UnavailableError(
                "tensorboard is not installed",
                where="setting tensorboard = true",
                hint="pip install 'toolkit[tensorboard]'",
            ) from error
        self._writer = SummaryWriter(str(folder))

    def log(self, line: Mapping[str, float]) -> None:
        """Add the figures of one line at its step."""
        for key, value in line.items():
            if key != "step":
                self._writer.add_scalar(key, value, int(line["step"]))
        self._writer.flush()
