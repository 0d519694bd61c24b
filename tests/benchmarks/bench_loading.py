"""Time to load a WFDB database: wfdb-python, the toolkit cold, the toolkit from its cache.

    python tests/benchmarks/bench_loading.py [--data-dir DIR] [--rounds N] [--out FILE.json]

Each loads every record with its ``.atr`` annotations. wfdb reads integers (physical=False) and
checks no hash; the toolkit verifies all hashes that ``SHA256SUMS.txt`` lists, the cache its
own. Rounds are interleaved and the median is reported; the files are in the page cache.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

from toolkit.ecg.cache import list_records, load_database

DATA = Path(os.environ.get("TOOLKIT_TEST_DATA", Path(__file__).parents[3] / "shared" / "data"))


def known_hashes(folder: Path) -> dict[str, str]:
    listing = folder / "SHA256SUMS.txt"
    lines = listing.read_text().splitlines() if listing.is_file() else []
    return {name: digest for digest, name in (line.split() for line in lines)}


def seconds(load: Callable[[], object]) -> float:
    start = time.perf_counter()
    load()
    return time.perf_counter() - start


def measure(folder: Path, cache: Path, rounds: int) -> dict[str, list[float]]:
    import wfdb

    names, expected = list_records(folder), known_hashes(folder)

    def peer() -> None:
        for name in names:
            wfdb.rdrecord(str(folder / name), physical=False)
            wfdb.rdann(str(folder / name), "atr")

    loaders: dict[str, Callable[[], object]] = {
        "wfdb": peer,
        "cold": lambda: load_database(folder, expected=expected, use_cache=False),
        "cached": lambda: load_database(folder, expected=expected, cache_dir=cache),
    }
    for load in loaders.values():  # fills the page cache and the toolkit's
        load()
    times: dict[str, list[float]] = {name: [] for name in loaders}
    for _ in range(rounds):
        for name, load in loaders.items():
            times[name].append(seconds(load))
    return times


def report(folder: Path, times: dict[str, list[float]]) -> dict[str, object]:
    import wfdb

    medians = {name: statistics.median(values) for name, values in times.items()}
    return {
        "command": " ".join([Path(sys.executable).name, *sys.argv]),
        "versions": {
            "python": platform.python_version(),
            "numpy": np.__version__,
            "wfdb": wfdb.__version__,
        },
        "records": len(list_records(folder)),
        "seconds": times,
        "median_s": medians,
        "times_faster_than_wfdb": {name: medians["wfdb"] / medians[name] for name in medians},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", type=Path, default=DATA / "mitdb")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    warnings.simplefilter("ignore")  # wfdb-python calls what pandas 3 deprecates
    with tempfile.TemporaryDirectory() as cache:
        times = measure(options.data_dir, Path(cache), options.rounds)
    result = report(options.data_dir, times)
    print(f"{result['records']} records, median of {options.rounds} interleaved rounds")
    for name, values in times.items():
        median = statistics.median(values)
        ratio = statistics.median(times["wfdb"]) / median
        print(f"{name:8} {median:7.3f} s  ({min(values):.3f}–{max(values):.3f})  {ratio:5.1f}×")
    if options.out:
        options.out.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
