"""From an unlabelled scene to a class map, 128 x 128 x 48: CPU seconds of the commands themselves.

    python tests/benchmarks/bench_hsi_whole.py

Pre-training, fine-tuning on five pixels a class and mapping of a synthetic scene, each network
with its own settings, one thread. Seconds are of the processor, as those of a busy machine say
nothing; they include the start of Python three times over.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from side_by_side import arguments, origin

NETWORKS = {"residual": "2-D, patch 9 x 9", "lee2017": "2-D, patch 5 x 5", "hu2015": "1-D"}


def run(*words: str | Path) -> float:
    """CPU seconds of ``toolkit`` with these words."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-m", "toolkit", *map(str, words)], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def whole(scene: Path, network: str, folder: Path) -> dict[str, float]:
    labels = scene.with_name("synthetic_gt.hdr")
    trunk, tuned = folder / f"{network}-trunk", folder / f"{network}-tuned"
    few = ("--labels", labels, "--per-class", "5")
    return {
        "pretrain": run("hsi", "pretrain", "--scene", scene, "--network", network, *at(trunk)),
        "finetune": run("hsi", "finetune", trunk, *few, *at(tuned)),
        "map": run("hsi", "map", tuned, scene, "--labels", labels, "--out", folder / network),
    }


def at(folder: Path) -> tuple[str | Path, ...]:
    return "--run-dir", folder


def main() -> None:
    options = arguments(__doc__)
    found = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        size = ("--rows", "128", "--columns", "128", "--bands", "48")
        run("data", "synthesize", "hsi", folder / "scene", *size)
        for network, kind in NETWORKS.items():
            seconds = whole(folder / "scene" / "synthetic.hdr", network, folder)
            found[network] = {"kind": kind, **seconds, "whole": sum(seconds.values())}
            print(network, {key: round(value, 1) for key, value in seconds.items()})
    if options.out:
        options.out.write_text(json.dumps({**origin(), "cpu_s": found}, indent=2) + "\n")


if __name__ == "__main__":
    main()
