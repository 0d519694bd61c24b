"""Gaps of 0.2 s cut into the raw signals of DS2's records and filled, against straight lines.

    python tests/benchmarks/ecg_filling.py DATA_DIR [--out FILE]

One gap in both leads in each stretch of two seconds of the first ten minutes, at random. RMSE in mV
of the main lead's hidden samples: by like surroundings alone, with the network, by straight lines.
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
from toolkit.ecg.prediction.readable import Readable
from toolkit.ecg.records import Record, read_record

SECONDS, EVERY_S, GAP_S = 600, 2.0, 0.2
MODEL = "gaps-ec57"


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
    model, rows, pooled = load_gap_model(MODEL, Path("runs")), [], []
    for name in DS2:
        whole = read_record(options.data_dir / "mitdb" / name, annotator=None)
        whole = replace(whole, signal_adu=whole.signal_adu[: round(SECONDS * whole.fs_hz)])
        lacking = with_gaps(whole, int(name))
        main_lead = whole.columns(("MLII",))[0]
        gain = whole.gain[main_lead]
        signal = Readable.of(lacking, (main_lead, 1 - main_lead))
        missing = lacking.signal_adu[:, main_lead] == np.iinfo(lacking.signal_adu.dtype).min
        true = whole.signal_adu[:, main_lead].astype(float)
        line = np.interp(np.flatnonzero(missing), np.flatnonzero(~missing), true[~missing])
        guesses, shares = {"line": line}, []
        for key, used in (("alone", None), ("filled", model)):
            filled, gaps = fill(used, signal, longest_s=0.5)
            guesses[key] = filled.signal_adu[missing, main_lead].astype(float)
            shares.append(np.mean([gap.outcome == FILLED for gap in gaps]))
        assert shares == [1.0, 1.0], f"{name}: {shares} filled"
        errors = {key: (guess - true[missing]) / gain for key, guess in guesses.items()}
        row = {f"{key}_mv": float(np.sqrt(np.square(e).mean())) for key, e in errors.items()}
        own = np.corrcoef(guesses["filled"], true[missing])[0, 1]
        rows.append({"record": name, "correlation": float(own), **row})
        print(name, *(f"{key} {value:.3f}" for key, value in rows[-1].items() if key != "record"))
        pooled.append(np.stack([guesses["filled"], true[missing]]) / gain)
    together = float(np.corrcoef(np.concatenate(pooled, axis=1))[0, 1])
    print(f"all samples of all records: correlation {together:.3f}")
    if options.out:
        command = "python tests/benchmarks/ecg_filling.py DATA_DIR"
        made = {**origin(), "command": command, "model": MODEL, "correlation": together}
        options.out.write_text(json.dumps({**made, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
