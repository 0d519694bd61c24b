"""Saving: an atomic, fsynced, hashed checkpoint against torch.save in place.

The peer is what scripts do; it damages its only file when it is killed half-way. The ratio is the
price of not losing anything.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import torch
from side_by_side import arguments, compare

from toolkit.core import checkpoint

MEGABYTES = 40


def main() -> None:
    options = arguments(__doc__)
    generator = torch.Generator().manual_seed(0)
    weights = {
        f"layer{i}": torch.randn(1024, 1024, generator=generator) for i in range(MEGABYTES // 4)
    }
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        single = Path(folder) / "peer.pt"
        steps = iter(range(10**6))

        def in_place() -> None:
            torch.save({"model": weights}, single)

        def in_place_synced() -> None:
            with single.open("wb") as file:
                torch.save({"model": weights}, file)
                os.fsync(file.fileno())

        def atomic() -> None:
            step = next(steps)
            checkpoint.save(Path(folder) / "checkpoints", step, {"model": weights})
            checkpoint.prune(Path(folder) / "checkpoints", {step})

        ways = {
            "torch.save": in_place,
            "torch.save and fsync": in_place_synced,
            "saving, atomic and verified": atomic,
            "loading, verified": lambda: checkpoint.load_newest(Path(folder) / "checkpoints"),
        }
        compare(ways, "torch.save", options, megabytes=MEGABYTES)


if __name__ == "__main__":
    main()
