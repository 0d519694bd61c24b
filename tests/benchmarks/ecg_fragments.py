"""Gradient boosting on the splits that the fragments' network was trained on.

    python tests/benchmarks/ecg_fragments.py DATA_DIR [--out FILE]

The baseline of `toolkit ecg train --preset fragments17` alone, seeds 0 to 9, split by fragment and
by record.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from side_by_side import origin

from toolkit.core.config import load
from toolkit.core.sweep import spread
from toolkit.ecg import database
from toolkit.ecg.config import PRESETS, EcgTrainConfig
from toolkit.ecg.fragment_study import fragment_study

SEEDS = range(10)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data_dir", type=Path)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    rows = {}
    for split_by in ("fragment", "record"):
        seeds = []
        for seed in SEEDS:
            sets = [f"seed={seed}", f"fragments.split_by={split_by}"]
            flags = {"data_dir": options.data_dir}
            config = load(
                EcgTrainConfig, preset=PRESETS / "fragments17.toml", sets=sets, flags=flags
            )
            seeds.append(fragment_study(database.load(config), config).baseline())
            print(split_by, seed, seeds[-1])
        summary = {key: spread([one[key] for one in seeds]) for key in seeds[0]}
        rows[split_by] = {"summary": summary, "seeds": seeds}
    if options.out:
        command = "python tests/benchmarks/ecg_fragments.py DATA_DIR"
        made = {**origin(), "command": command, **rows}
        options.out.write_text(json.dumps(made, indent=1) + "\n")


if __name__ == "__main__":
    main()
