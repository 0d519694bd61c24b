"""Write the tables of README.md and of the model cards from the committed results.

    python tests/benchmarks/readme_tables.py [--check]

A table stands between ``<!-- table NAME -->`` and ``<!-- end -->``; nobody types a number.
"""

from __future__ import annotations

import argparse
import itertools
import re
import statistics
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import hsi_tables
import rl_tables
import speed_tables
from table_parts import MODELS, RESULTS, ROOT, commands, gain, interval, mean_sd, read

from toolkit.vqe.peers import published


def fragments17() -> str:
    by_fragment = read(MODELS / "ecg" / "fragments17" / "results.json")
    by_record = read(MODELS / "ecg" / "fragments17" / "by_record.json")
    lines = [
        "| fragments17, % | seeds | accuracy | 95 % of the mean | balanced accuracy | macro-F1 |",
        "|---|---|---|---|---|---|",
    ]
    boosted = read(RESULTS / "ecg-fragments-boosting.json")
    rows = {
        "split by fragment (as published; patients leak)": by_fragment,
        "the same, gradient boosting": boosted["fragment"],
        "split by record (new patients; 13 classes)": by_record,
        "the same split, gradient boosting": boosted["record"],
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
    results = read(MODELS / "ecg" / "ec57" / "results.json")
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
    gross = [seed["ec57"]["gross"] for seed in results["seeds"]]
    ectopic = [f"{_over(gross, kind, 'se')} / {_over(gross, kind, 'ppv')}" for kind in ECTOPIC]
    lines.append(f"| network, by EC57 from 5:00 on, gross | – | – | {' | '.join(ectopic)} | – |")
    return "\n".join(lines)


ECTOPIC = ("veb", "sveb")


def _beat_cells(rows: list[dict[str, Any]]) -> list[str]:
    return [
        _over(rows, "accuracy"),
        _over(rows, "macro_f1_nsv"),
        f"{_over(rows, 'veb', 'se')} / {_over(rows, 'veb', 'ppv')}",
        f"{_over(rows, 'sveb', 'se')} / {_over(rows, 'sveb', 'ppv')}",
        _over(rows, "sveb", "f1"),
    ]


def _over(rows: list[dict[str, Any]], *path: str) -> str:
    """Mean and deviation in % of what lies at ``path`` in each row."""
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


def transfer() -> str:
    """One row for each share of labels: from scratch, on the encoder, and the paired gain."""
    paths = [MODELS / "ecg" / "encoder-ec57" / "results.json"]
    paths += [RESULTS / "ecg-transfer-fragments17.json"]
    every = [read(path) for path in paths]
    head = "protocol, judged by | labels used | scratch, % | transfer, % | gain | seeds"
    lines = [f"| {head} |", "|" + "---|" * 6]
    for found in every:
        for scratch, own in zip(found["rows"][::2], found["rows"][1::2]):
            judged = own["judged_by"]
            cells = [f"{found['preset']}, {judged}", f"{own['label_fraction']:.0%}"]
            cells += [f"{row[f'{judged}_mean']:.1f} ± {row['sd']:.1f}" for row in (scratch, own)]
            lines.append(f"| {' | '.join([*cells, gain(own), str(own['n_seeds'])])} |")
    return "\n".join([*lines, *commands(every)])


def regression() -> str:
    """What is hidden, predicted by the network and by what needs no learning: means over seeds."""
    found = read(MODELS / "ecg" / "gaps-ec57" / "results.json")
    return "\n".join([*_predictors(found["seeds"]), *commands([found])])


def others() -> str:
    """The other two targets: the ends of beats, and all but every sixth sample."""
    hidden = {"forecast": "the last 0.4 s, DS2", "upsampling": "all but 20 Hz, DS2"}
    found = {target: read(RESULTS / f"ecg-{target}.json") for target in hidden}
    tables = [_predictors(found[target]["seeds"], what) for target, what in hidden.items()]
    return "\n".join([*tables[0], "", *tables[1], *commands(list(found.values()))])


def pretext() -> str:
    """The same of the encoder that classifiers are built on."""
    seeds = read(MODELS / "ecg" / "encoder-ec57" / "results.json")["pretraining"]
    return "\n".join(_predictors(seeds))


def _predictors(seeds: list[dict[str, Any]], hidden: str = "gaps of 0.2 s, DS2") -> list[str]:
    head = f"{hidden} | RMSE, mV | correlation | RMSE within 60 ms of R, mV"
    lines = [f"| {head} | correlation there |", "|" + "---|" * 5]
    for name in seeds[0]["predictors"]:
        cells = []
        for part, key in itertools.product(("whole", "near_r"), ("rmse_mv", "correlation")):
            values = [seed["predictors"][name][part][key] for seed in seeds]
            cells.append(f"{statistics.mean(values):.3f}")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def filling() -> str:
    results = read(RESULTS / "ecg-filling.json")
    rows, cells = results["rows"], []
    for key in ("filled_mv", "alone_mv", "line_mv", "correlation"):
        values = sorted(row[key] for row in rows)
        cells.append(f"{statistics.median(values):.3f} ({values[0]:.3f} to {values[-1]:.3f})")
    head = "gaps of 0.2 s, DS2 | filled, mV | without the network, mV | straight lines, mV"
    own = f"| {len(rows)} records | {' | '.join(cells)} | {results['correlation']:.3f} |"
    heads = [f"| {head} | correlation | of all samples |", "|" + "---|" * 6]
    return "\n".join([*heads, own, *commands([results])])


def stress() -> str:
    """One row for each kind of noise and ratio: gross EC57 scores from 5:00 on."""
    found = read(RESULTS / "ecg-stress.json")
    head = "noise | dB | QRS Se / +P | VEB Se / +P | SVEB Se / +P | given beats: VEB | SVEB"
    lines = [f"| {head} |", "|" + "---|" * 7]
    for row in found["rows"]:
        scores = [row["detected"][key] for key in ("qrs", "veb", "sveb")]
        scores += [row["reference_beats"][key] for key in ("veb", "sveb")]
        pairs = [f"{100 * one['se']:.1f} / {100 * one['ppv']:.1f}" for one in scores]
        ratio = "–" if row["snr_db"] is None else f"{row['snr_db']:g}"
        lines.append(f"| {row['noise'] or 'none'} | {ratio} | {' | '.join(pairs)} |")
    return "\n".join([*lines, *commands([found])])


CIRCUITS = {
    "lih4-1.2": "LiH, 1.2 Å, 4 qubits",
    "lih4-2.2": "LiH, 2.2 Å, 4 qubits",
    "lih4-3.4": "LiH, 3.4 Å, 4 qubits",
    "lih6-2.2": "LiH, 2.2 Å, 6 qubits",
    "beh2-6": "BeH2, 0.7038 Å, 6 qubits",
    "h2o-8": "H2O, 0.512743 Å, 8 qubits",
}
_PLAIN = str.maketrans("-.", "__")  # in the name of a table


def vqe() -> str:
    columns = (
        "molecule | method | error, mHa | depth | gates | CNOT | seeds below 1.6 mHa | seconds"
    )
    lines = [f"| {columns} |", "|" + "---|" * 8]
    for name, molecule in CIRCUITS.items():
        path = MODELS / "vqe" / name / "results.json"
        if path.is_file():
            lines += _circuits(molecule, read(path)["seeds"])
    unknown = read(RESULTS / "vqe-unknown.json")["seeds"]
    ways = _circuits("LiH, 2.2 Å, 4 qubits, E0 not known to it", unknown)[:2]
    return "\n".join([*lines, *ways, *_published()])


def _published() -> list[str]:
    """What papers say of the molecules above; a range of two as 23–31."""
    lines = []
    for row in published.everything():
        molecule = f"{row['molecule']}, {row['bond_length_a']} Å, {row['n_qubits']} qubits"
        if molecule not in CIRCUITS.values():
            continue
        error = f"{1e3 * row['error_ha']:.2f}" if "error_ha" in row else "< 1.6"
        costs = [row.get(key, "–") for key in ("depth", "gates", "cnot")]
        cells = ["–".join(map(str, c)) if isinstance(c, list) else str(c) for c in costs]
        cells = [molecule, row["method"], error, *cells, row.get("seeds", "–")]
        lines.append(f"| {' | '.join(cells)} | – |")
    return lines


def _circuits(molecule: str, seeds: list[dict[str, Any]]) -> list[str]:
    """The search's rows, over seeds, and the baselines', which are the same for every seed."""
    reached = f"{sum(seed['best']['error_ha'] < 1.6e-3 for seed in seeds)} of {len(seeds)}"
    rows = []
    ways = {"search": "best_of_search", "search, annealed": "shortened"}
    for way, key in ways.items():
        found = [seed[key] for seed in seeds if key in seed]
        if len(found) < len(seeds):
            continue
        cells = [_span([1e3 * one["error_ha"] for one in found], ".2f")]
        cells += [_span([one[cost] for one in found], "d") for cost in ("depth", "gates", "cnot")]
        seconds = _span([seed["trained_s"] for seed in seeds], ".0f")
        rows.append([molecule, f"**{way}**", *cells, reached, seconds])
    for one in seeds[0]["baselines"]:
        if one["error_ha"] is not None:
            cells = [
                f"{1e3 * one['error_ha']:.2f}",
                *(str(one[c]) for c in ("depth", "gates", "cnot")),
            ]
            rows.append([molecule, one["method"], *cells, "–", f"{one['seconds']:.1f}"])
    return [f"| {' | '.join(row)} |" for row in rows]


def card(name: str) -> str:
    """One row for each seed of a released search."""
    columns = "seed | error, mHa | depth | gates | CNOT | annealed: depth, gates, CNOT"
    lines = [f"| {columns} | greedy below 1.6 mHa | steps/s | seconds |", "|" + "---|" * 9]
    for seed in read(MODELS / "vqe" / name / "results.json")["seeds"]:
        one, shorter = seed["best_of_search"], seed.get("shortened")
        cells = [str(seed["seed"]), f"{1e3 * one['error_ha']:.3f}"]
        cells += [str(one[cost]) for cost in ("depth", "gates", "cnot")]
        cells += [
            ", ".join(str(shorter[c]) for c in ("depth", "gates", "cnot")) if shorter else "–"
        ]
        cells += [f"{100 * seed['greedy_success_rate']:.0f} %"]
        cells += [f"{seed['training_steps_per_s']:.0f}", f"{seed['trained_s']:.0f}"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _span(values: list[Any], form: str) -> str:
    """One value, or from the lowest to the highest."""
    low, high = format(min(values), form), format(max(values), form)
    return low if low == high else f"{low} to {high}"


TABLES: dict[str, Callable[[], str]] = {
    **{
        f"gains_{path.parent.name.replace('-', '_')}": partial(hsi_tables.gains, path.parent)
        for path in MODELS.glob("hsi/*/gains-residual.json")
    },
    "fragments17": fragments17,
    "ec57": ec57,
    "transfer": transfer,
    "regression": regression,
    "others": others,
    "pretext": pretext,
    "filling": filling,
    "stress": stress,
    "whole": hsi_tables.whole,
    "hsi": hsi_tables.hsi,
    "ablation": hsi_tables.ablation,
    "published_hsi": hsi_tables.published_hsi,
    "returns": rl_tables.strong,
    "claim": rl_tables.claim,
    "peers": rl_tables.peers,
    **{
        f"rl_{path.parent.name.translate(_PLAIN)}": partial(rl_tables.card, path.parent.name)
        for path in MODELS.glob("rl/*/results.json")
    },
    "vqe": vqe,
    "speed": speed_tables.speed,
    **{name.translate(_PLAIN): lambda name=name: card(name) for name in CIRCUITS},
}


def filled(text: str) -> str:
    def table(match: re.Match[str]) -> str:
        return f"<!-- table {match[1]} -->\n{TABLES[match[1]]()}\n<!-- end -->"

    return re.sub(r"<!-- table (\w+) -->\n.*?<!-- end -->", table, text, flags=re.DOTALL)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="exit 1 if a table is out of date")
    options = parser.parse_args()
    stale = []
    for path in (ROOT / "README.md", *MODELS.glob("*/*/README.md")):
        text = path.read_text()
        if filled(text) != text:
            stale.append(path.name)
            if not options.check:
                path.write_text(filled(text))
    if options.check and stale:
        sys.exit(f"out of date: {', '.join(stale)}; run python tests/benchmarks/readme_tables.py")


if __name__ == "__main__":
    main()
