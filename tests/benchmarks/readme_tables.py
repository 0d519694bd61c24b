"""Write the tables of README.md and of the model cards from the committed results.

    python tests/benchmarks/readme_tables.py [--check]

A table stands between ``<!-- table NAME -->`` and ``<!-- end -->``; nobody types a number.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "tests" / "benchmarks" / "results"
MODELS = ROOT / "models" / "ecg"


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


def fragments17() -> str:
    by_fragment = read(MODELS / "fragments17" / "results.json")
    by_record = read(MODELS / "fragments17" / "by_record.json")
    lines = [
        "| fragments17, % | seeds | accuracy | 95 % of the mean | balanced accuracy | macro-F1 |",
        "|---|---|---|---|---|---|",
    ]
    rows = {
        "split by fragment (as published; patients leak)": by_fragment,
        "split by record (new patients; 13 classes)": by_record,
    }
    for name, results in rows.items():
        cells = [
            str(results["summary"]["accuracy"]["n"]),
            mean_sd(results, "accuracy"),
            interval(results, "accuracy"),
            mean_sd(results, "balanced_accuracy"),
            mean_sd(results, "macro_f1"),
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    lines.append("| Grabowski et al. 2022 (their 87.33 / 80.54) | – | 87.3 | – | 80.5 | – |")
    return "\n".join(lines)


def ec57() -> str:
    results = read(MODELS / "ec57" / "results.json")
    lines = [
        "| ec57, DS2, % | accuracy | macro-F1 (N, S, V) | VEB Se / +P | SVEB Se / +P | SVEB F1 |",
        "|---|---|---|---|---|---|",
    ]
    parts = {
        "network": "",
        "network, without 202": "without_202",
        "network, without 232": "without_232",
    }
    parts |= {"gradient boosting, same features": "baseline"}
    for name, key in parts.items():
        rows = [seed[key] if key else seed for seed in results["seeds"] if not key or key in seed]
        if rows:
            lines.append(f"| {name} | {' | '.join(_beat_cells(rows))} |")
    return "\n".join(lines)


def _beat_cells(rows: list[dict[str, Any]]) -> list[str]:
    def figure(*path: str) -> str:
        values = []
        for row in rows:
            value: Any = row
            for key in path:
                value = value[key]
            values.append(100 * value)
        mean = sum(values) / len(values)
        if len(values) == 1:
            return f"{mean:.1f}"
        sd = (sum((v - mean) ** 2 for v in values) / (len(values) - 1)) ** 0.5
        return f"{mean:.1f} ± {sd:.1f}"

    return [
        figure("accuracy"),
        figure("macro_f1_nsv"),
        f"{figure('veb', 'se')} / {figure('veb', 'ppv')}",
        f"{figure('sveb', 'se')} / {figure('sveb', 'ppv')}",
        figure("sveb", "f1"),
    ]


def speed() -> str:
    lines = ["| what | peer | times faster | command |", "|---|---|---|---|"]
    notes: list[str] = []
    for path in sorted(RESULTS.glob("bench_*.json")):
        result = read(path)
        key = next(k for k in result if k.startswith("times_faster_than_"))
        peer = key.removeprefix("times_faster_than_")
        for name, ratio in result[key].items():
            if name != peer:
                lines.append(f"| {name} | {peer} | {ratio:.2f} | `{result['command']}` |")
        if "beats_per_s" in result:
            notes.append(f"Beats classified in a second on one thread: {result['beats_per_s']:,}.")
    lines += ["", *notes]
    return "\n".join(lines)


TABLES: dict[str, Callable[[], str]] = {"fragments17": fragments17, "ec57": ec57, "speed": speed}


def filled(text: str) -> str:
    def table(match: re.Match[str]) -> str:
        return f"<!-- table {match[1]} -->\n{TABLES[match[1]]()}\n<!-- end -->"

    return re.sub(r"<!-- table (\w+) -->\n.*?<!-- end -->", table, text, flags=re.DOTALL)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="exit 1 if a table is out of date")
    options = parser.parse_args()
    stale = []
    for path in (ROOT / "README.md", *MODELS.glob("*/README.md")):
        text = path.read_text()
        if filled(text) != text:
            stale.append(path.name)
            if not options.check:
                path.write_text(filled(text))
    if options.check and stale:
        sys.exit(f"out of date: {', '.join(stale)}; run python tests/benchmarks/readme_tables.py")


if __name__ == "__main__":
    main()
