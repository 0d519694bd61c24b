"""Gaps of 0.2 s cut into DS2's records and filled, against straight lines.

    python tests/benchmarks/ecg_filling.py DATA_DIR [--out FILE]

One gap in both leads in each stretch of two seconds of the first ten minutes, at random; R peaks
are found by the detector in what is left. RMSE in mV of the main lead's hidden samples.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
from side_by_side import origin

from toolkit.core import rng
from toolkit.ecg.beats import DS2
from toolkit.ecg.filling.fill import FILLED, fill
from toolkit.ecg.filling.model import load_gap_model
from toolkit.ecg.prediction.detection import detect
from toolkit.ecg.prediction.readable import Readable
from toolkit.ecg.records import Record, read_record

SECONDS, EVERY_S, GAP_S = 600, 2.0, 0.2
MODEL = "encoder-ec57"


def with_gaps(record: Record, number: int) -> Record:
    every, gap = round(EVERY_S * record.fs_hz), round(GAP_S * record.fs_hz)
    adu, random = np.array(record.signal_adu), rng.generator(0, "gaps", number)
    for begin in range(every, record.n_samples - every, every):
        start = begin + int(random.integers(every - gap))
        adu[start : start + gap] = np.iinfo(adu.dtype).min
    return replace(record, signal_adu=adu)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data_dir", type=Path)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    model, rows = load_gap_model(MODEL, Path("runs")), []
    for name in DS2:
        whole = read_record(options.data_dir / "mitdb" / name, annotator=None)
        whole = replace(whole, signal_adu=whole.signal_adu[: round(SECONDS * whole.fs_hz)])
        lacking = with_gaps(whole, int(name))
        main_lead = whole.columns(("MLII",))[0]
        signal = Readable.of(lacking, (main_lead, 1 - main_lead))
        at = detect(signal.read, signal.n_samples, signal.fs_hz)
        filled, gaps = fill(model, signal, at, longest_s=0.5)
        missing = lacking.signal_adu[:, main_lead] == np.iinfo(lacking.signal_adu.dtype).min
        true = whole.signal_adu[:, main_lead].astype(float)
        done = missing & (filled.signal_adu[:, main_lead] != np.iinfo(filled.signal_adu.dtype).min)
        line = np.interp(np.flatnonzero(done), np.flatnonzero(~missing), true[~missing])
        rmse = [
            float(np.sqrt(np.square(guess - true[done]).mean()) / whole.gain[main_lead])
            for guess in (filled.signal_adu[done, main_lead], line)
        ]
        share = np.mean([gap.outcome == FILLED for gap in gaps])
        rows.append(
            {"record": name, "rmse_mv": rmse[0], "line_mv": rmse[1], "filled": float(share)}
        )
        print(f"{name}: {rmse[0]:.3f} mV, a straight line {rmse[1]:.3f}; {share:.1%} filled")
    better = sum(row["rmse_mv"] < row["line_mv"] for row in rows)
    both = [float(np.median([row[key] for row in rows])) for key in ("rmse_mv", "line_mv")]
    print(f"better in {better} of {len(rows)}; medians {both[0]:.3f} and {both[1]:.3f} mV")
    if options.out:
        command = "python tests/benchmarks/ecg_filling.py DATA_DIR"
        made = {**origin(), "command": command, "model": MODEL, "rows": rows}
        options.out.write_text(json.dumps(made, indent=1) + "\n")


if __name__ == "__main__":
    main()
