"""Tables of hyperspectral classifiers: gains of artificial labels, ablations, whole runs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from table_parts import MODELS, RESULTS, commands, gain, mean_sd, read


def whole() -> str:
    """CPU seconds from an unlabelled scene of 128 x 128 x 48 to its map."""
    found = read(RESULTS / "hsi-whole.json")
    head = "128×128×48, CPU seconds | pre-training | fine-tuning | map | whole"
    lines = [f"| {head} |", "|" + "---|" * 5]
    for name, row in found["cpu_s"].items():
        cells = [f"{row[key]:.0f}" for key in ("pretrain", "finetune", "map", "whole")]
        lines.append(f"| {name}, {row['kind']} | {' | '.join(cells)} |")
    return "\n".join([*lines, *commands([found])])


def gains(folder: Path) -> str:
    """One row for each network, number of training pixels and arm of a model's comparisons."""
    head = "network | pre-training | pixels a class | arm | OA, % | AA, % | kappa"
    lines = [f"| {head} | gain over scratch, points | draws |", "|" + "---|" * 9]
    found = [read(path) for path in sorted(folder.glob("gains*.json"))]
    for one in found:
        lines += [_gains_row(row, one) for row in one["rows"] if not row.get("variant")]
    return "\n".join([*lines, *commands(found)])


def _settings(found: dict[str, Any]) -> str:
    """What a table adds to the name of a network that a comparison set up otherwise."""
    own, said = found["settings"]["train"], []
    if (stages := len(own["network"]["residual"]["channels"])) != 2:
        said.append(f"{stages} stage{'s' * (stages > 1)}")
    if (heads := own.get("heads", {}).get("count", 1)) > 1:
        said.append(f"{heads} heads")
    if own.get("regularise"):
        said.append("smoothed")
    if share := re.search(r"finetune\.trunk_rate=(\S+)", found["command"]):
        said.append(f"trunk's rate × {share[1]}")
    return "".join(f", {one}" for one in said)


def _pretraining(row: dict[str, Any], found: dict[str, Any]) -> str:
    if row["arm"] in ("scratch", "svm"):
        return "–"
    name = f"{row['network']}-{row['arm']}"
    own = found["pretraining"][name]
    share = found.get("training", {}).get(name, {}).get("trunk_rate", 1)
    slower = "" if share == 1 else f"; trunk's rate × {share:g}"
    return f"{own['steps']} steps, side {', '.join(map(str, own['blocks']))}{slower}"


def _gains_row(row: dict[str, Any], found: dict[str, Any]) -> str:
    spread = "" if row["oa_sd"] is None else f" ± {row['oa_sd']:.1f}"
    name = row["network"] + ("" if row["arm"] == "svm" else _settings(found))
    cells = [name, _pretraining(row, found), str(row["per_class"]), row["arm"]]
    cells += [f"{row['oa_mean']:.1f}{spread}", f"{row['aa_mean']:.1f}"]
    cells += [f"{row['kappa_mean']:.1f}", gain(row), str(row["draws"])]
    return f"| {' | '.join(cells)} |"


def ablation() -> str:
    """One row for each setting that was varied by itself: what it gains over the plain arm."""
    found = read(RESULTS / "hsi-ablation.json")
    numbers = sorted({row["per_class"] for row in found["rows"]})
    plain = {row["per_class"]: row for row in found["rows"] if not row["variant"]}
    said = " / ".join(f"{plain[n]['oa_mean']:.1f}" for n in numbers)
    head = " | ".join(f"gain at {n} pixels a class" for n in numbers)
    lines = [f"| varied by itself (plain: {said} %) | {head} |", "|" + "---|" * (1 + len(numbers))]
    for variant in dict.fromkeys(row["variant"] for row in found["rows"] if row["variant"]):
        own = {row["per_class"]: row for row in found["rows"] if row["variant"] == variant}
        lines.append(f"| `{variant}` | {' | '.join(gain(own[n]) for n in numbers)} |")
    return "\n".join([*lines, *commands([found])])


SCENES = {
    "indian_pines": "Indian Pines",
    "houston2018_cut": "Houston, cut",
    "jasper_ridge": "Jasper Ridge",
    "samson": "Samson",
}


ARMS = ("scratch", "grid", "inductive", "permuted")
PLAIN = (("scratch", "oa_mean"), ("permuted", "gain_mean"))


def hsi() -> str:
    """One row for each scene, split and network: what the blocks add, in short."""
    paths = sorted((MODELS / "hsi" / "indian-pines").glob("gains*.json"))
    found = [read(path) for path in paths + sorted(RESULTS.glob("hsi_*.json"))]
    head = "scene, split | network | pixels a class | SVM | scratch | blocks | gain of the blocks"
    lines = [f"| {head} | gain of the control |", "|" + "---|" * 8]
    svm = {
        (one["scene"], one["split"], row["per_class"]): row["oa_mean"]
        for one in found
        for row in one["rows"]
        if row["arm"] == "svm"
    }
    for (place, name), cells in _cells(found).items():
        own = sorted({n for n, _ in cells})
        arms = {arm: [cells.get((n, arm)) for n in own] for arm in ARMS}
        scratch, control = (_column(arms[arm], key) for arm, key in PLAIN)
        scene, split = place
        start = [_slashed([svm.get((*place, n)) for n in own]), scratch]
        for arm in ("grid", "inductive"):
            if any(arms[arm]):
                said = [
                    f"{SCENES[scene]}, {split}",
                    name + (", inductive" if arm != "grid" else ""),
                ]
                said += [" / ".join(map(str, own)), *start, _column(arms[arm], "oa_mean")]
                said += ["; ".join(gain(row) if row else "–" for row in arms[arm]), control]
                lines.append(f"| {' | '.join(said)} |")
    return "\n".join([*lines, *commands(found)])


def _cells(found: list[dict[str, Any]]) -> dict[tuple[tuple[str, str], str], dict[Any, Any]]:
    """Rows by scene and split, network with its settings, then pixels a class and arm."""
    cells: dict[tuple[tuple[str, str], str], dict[Any, Any]] = {}
    for one in found:
        for row in one["rows"]:
            if row["arm"] != "svm":
                key = (one["scene"], one["split"]), row["network"] + _settings(one)
                cells.setdefault(key, {}).setdefault((row["per_class"], row["arm"]), row)
    return cells


def _column(rows: list[dict[str, Any] | None], key: str) -> str:
    return _slashed([row and row[key] for row in rows], "+.1f" if key == "gain_mean" else ".1f")


PUBLISHED = {  # overall accuracy on Indian Pines as the papers give it
    "hu2015": ("200 pixels of each of 8 classes", "90.16"),
    "lee2017": ("200 pixels of each of 8 classes", "93.61"),
    "li2017": ("half of all labelled pixels", "99.07"),
}


def published_hsi() -> str:
    """The published networks under their papers' protocols: ours, and what the papers say."""
    lines = ["| network | learnt from | OA here, % | published | seeds |", "|" + "---|" * 5]
    found = {name: read(RESULTS / f"hsi-published-{name}.json") for name in PUBLISHED}
    for name, (protocol, theirs) in PUBLISHED.items():
        seeds = found[name]["summary"]["oa"]["n"]
        lines.append(f"| {name} | {protocol} | {mean_sd(found[name], 'oa')} | {theirs} | {seeds} |")
    return "\n".join([*lines, *commands(list(found.values()))])


def _slashed(values: list[float | None], form: str = ".1f") -> str:
    """Values one after another; one dash where there is none at all."""
    if not any(value is not None for value in values):
        return "–"
    return " / ".join("–" if value is None else format(value, form) for value in values)
