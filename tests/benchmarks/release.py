"""Turn a finished sweep into a released model: seed 0's weights, every seed's figures.

    python tests/benchmarks/release.py SWEEP_DIR models/ecg/NAME|FILE.json

Writes model.safetensors and config.toml (of the first seed) and results.json; the card, README.md,
is written by hand around the table that readme_tables.py makes.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tomllib
from pathlib import Path
from typing import Any

import tomli_w

LOCAL = ("run", "trained_s", "steps", "stopped_by", "model_step")  # of the machine, not the method
RUN_ONLY = ("data_dir", "device", "threads")


def results(sweep: Path) -> dict[str, Any]:
    """Every seed's result with the command, versions and data that made it."""
    report = json.loads((sweep / "sweep.json").read_text())
    seeds = [
        json.loads((Path(cell["run"]) / "result.json").read_text()) for cell in report["cells"]
    ]
    first = Path(report["cells"][0]["run"])
    environment = json.loads((first / "env.json").read_text())
    return {
        "command": "toolkit " + " ".join(report["command"]),
        "python": environment["python"],
        "toolkit": environment["toolkit"],
        "packages": environment["packages"],
        "data": json.loads((first / "data.json").read_text()),
        "summary": _summary(report["summary"]),
        "seeds": [{k: v for k, v in seed.items() if k not in LOCAL} for seed in seeds],
    }


def _summary(points: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Means over seeds: those of the one grid point there is, or by grid point."""
    kept = {
        point: {k: v for k, v in means.items() if k not in LOCAL} for point, means in points.items()
    }
    return next(iter(kept.values())) if len(kept) == 1 else kept


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sweep", type=Path)
    parser.add_argument("target", type=Path, help="a model's folder, or a JSON file for figures")
    options = parser.parse_args()
    made = results(options.sweep)
    if options.target.suffix == ".json":
        options.target.parent.mkdir(parents=True, exist_ok=True)
        options.target.write_text(json.dumps(made, indent=1) + "\n")
        return
    options.target.mkdir(parents=True, exist_ok=True)
    (options.target / "results.json").write_text(json.dumps(made, indent=1) + "\n")
    report = json.loads((options.sweep / "sweep.json").read_text())
    first = Path(report["cells"][0]["run"])
    shutil.copy(first / "model.safetensors", options.target / "model.safetensors")
    config = tomllib.loads((first / "config.toml").read_text())
    kept = {key: value for key, value in config.items() if key not in RUN_ONLY}
    (options.target / "config.toml").write_text(tomli_w.dumps(kept))


if __name__ == "__main__":
    main()
