"""Times several ways to do one thing in interleaved rounds: ratios hold on a noisy machine."""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

DATA = Path(os.environ.get("TOOLKIT_TEST_DATA", Path(__file__).parents[3] / "shared" / "data"))
PACKAGES = (
    *("toolkit", "torch", "numpy", "scipy", "numba", "wfdb", "click"),
    *("pennylane", "qulacs"),
    *("stable-baselines3", "gymnasium", "mujoco"),
)


def arguments(description: str) -> argparse.Namespace:
    """The options that every benchmark takes."""
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("--data-dir", type=Path, default=DATA)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    return parser.parse_args()


def compare(
    ways: Mapping[str, Callable[[], object]],
    peer: str,
    options: argparse.Namespace,
    clock: Callable[[], float] = time.perf_counter,
    **facts: Any,
) -> dict[str, Any]:
    """Time ``ways`` (after one warm-up each), print and return medians and ratios to ``peer``.

    ``time.process_time`` as the ``clock`` is for ways of one thread that read no files: what else
    runs on the machine then falls out, which hits a long round more often than a short one.
    """
    for way in ways.values():
        way()
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(options.rounds):
        for name, way in ways.items():
            start = clock()
            way()
            times[name].append(clock() - start)
    medians = {name: statistics.median(values) for name, values in times.items()}
    ratios = {name: medians[peer] / median for name, median in medians.items()}
    for name, median in medians.items():
        low, high = min(times[name]), max(times[name])
        print(f"{name:40} {median:9.4f} s  ({low:.4f}-{high:.4f})  {ratios[name]:6.2f}x {peer}")
    result = {
        **origin(),
        "clock": clock.__name__,
        **facts,
        "median_s": medians,
        f"times_faster_than_{peer}": ratios,
    }
    if options.out:
        options.out.write_text(json.dumps(result, indent=2) + "\n")
    return result


def origin() -> dict[str, Any]:
    """The command and the versions that made a figure."""
    versions = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    script = Path(sys.argv[0]).name
    return {"command": f"python tests/benchmarks/{script}", "versions": versions}
