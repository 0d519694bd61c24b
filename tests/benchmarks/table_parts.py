"""What all tables of the documents are made of."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "tests" / "benchmarks" / "results"
MODELS = ROOT / "models"


def read(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(path.read_text())
    return loaded


def mean_sd(results: dict[str, Any], key: str, scale: float = 100) -> str:
    row = results["summary"][key]
    spread = "" if row["sd"] is None else f" ± {row['sd'] * scale:.1f}"
    return f"{row['mean'] * scale:.1f}{spread}"


def interval(results: dict[str, Any], key: str) -> str:
    row = results["summary"][key]
    return f"{row['low'] * 100:.1f} to {row['high'] * 100:.1f}"


def commands(found: list[dict[str, Any]]) -> list[str]:
    return ["", "```", *(one["command"] for one in found), "```"]


def gain(row: dict[str, Any]) -> str:
    if row["gain_mean"] is None:
        return "–"
    low, high = row["gain_ci95"] or (None, None)
    return f"{row['gain_mean']:+.1f}" + ("" if low is None else f" ({low:+.1f} to {high:+.1f})")
