"""Words that commands of ``toolkit hsi`` are given in tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

SMALL = ("--set", "network.residual.stem_channels=16", "--set", "network.residual.channels=[16]")
CLOCKS = {"trained_s", "run"}


def truth(scene: Path) -> Path:
    """The label map beside a synthetic scene."""
    return scene.with_name(f"{scene.stem}_gt.hdr")


def timeless(result: dict[str, Any]) -> dict[str, Any]:
    """``result`` without clocks and places."""
    return {key: value for key, value in result.items() if key not in CLOCKS}
