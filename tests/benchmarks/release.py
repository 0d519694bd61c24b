"""Turn a finished sweep into a released model: one seed's weights or circuit, all seeds' figures.

    python tests/benchmarks/release.py SWEEP_DIR models/APPLICATION/NAME|FILE.json
    python tests/benchmarks/release.py COMPARISON_DIR|STRESS_DIR FILE.json   (of hsi, rl; of ecg)
    python tests/benchmarks/release.py TRANSFER_DIR models/ecg/NAME

Writes config.toml and the weights (of the first seed) or circuits (of the seed whose best one is
the cheapest: depth, CNOTs, gates), and results.json; the card, README.md, is written by hand around
the table that readme_tables.py makes.
"""

from __future__ import annotations

import argparse
import json
import re
import shlex
import shutil
import tomllib
from pathlib import Path
from typing import Any

import tomli_w
from side_by_side import origin

RELEASED = ("model.safetensors", "model.json", "best.json", "hamiltonian.json", "pareto.json")
COST = ("depth", "cnot", "gates", "error_ha")
LOCAL = ("run", "trained_s", "steps", "stopped_by", "model_step")  # of the machine, not the method
LONG = ("pareto",)  # in a file of its own
RUN_ONLY = ("data_dir", "device", "threads")


def results(sweep: Path) -> dict[str, Any]:
    """Every seed's result with the command, versions and data that made it."""
    report = json.loads((sweep / "sweep.json").read_text())
    seeds = [
        json.loads((Path(cell["run"]) / "result.json").read_text()) for cell in report["cells"]
    ]
    first = _chosen(report)
    environment = json.loads((first / "env.json").read_text())
    return {
        "command": _said(report["command"]),
        "python": environment["python"],
        "toolkit": environment["toolkit"],
        "packages": environment["packages"],
        **_data(first),
        "summary": _summary(report["summary"]),
        "seeds": [_kept(seed) for seed in seeds],
        **({"curves": _curves(report)} if "return_mean" in seeds[0] else {}),
    }


def _data(run: Path) -> dict[str, Any]:
    """What it learnt from, where that is not an environment."""
    path = run / "data.json"
    return {"data": json.loads(path.read_text())} if path.is_file() else {}


def _curves(report: dict[str, Any]) -> dict[str, Any]:
    """What every evaluation of every seed said: steps, mean return of the mode, mean σ."""
    found = {}
    for cell in report["cells"]:
        lines = (Path(cell["run"]) / "metrics.jsonl").read_text().splitlines()
        rows = [row for row in map(json.loads, lines) if "evaluation/return" in row]
        keys = {"step": "steps", "evaluation/return": "return", "sigma/mean": "sigma"}
        found[cell["name"]] = {name: [row[key] for row in rows] for key, name in keys.items()}
    return found


def _returns(report: dict[str, Any]) -> str:
    """Every return of every evaluation episode of every seed, as CSV."""
    lines = ["seed,step,episode,return,length"]
    for cell in report["cells"]:
        seed = json.loads((Path(cell["run"]) / "result.json").read_text())["seed"]
        rows = (Path(cell["run"]) / "evaluations.csv").read_text().splitlines()[1:]
        lines += [f"{seed},{row}" for row in rows]
    return "\n".join(lines) + "\n"


def _made(folder: Path) -> dict[str, Any]:
    if (folder / "sweep.json").is_file():
        return results(folder)
    if (folder / "stress.json").is_file():
        return stress(folder)
    report = json.loads((folder / "result.json").read_text())
    if "axis" in report:
        return returns(report)
    return transfer(folder) if "label_fraction" in report["rows"][0] else comparison(folder)


def returns(report: dict[str, Any]) -> dict[str, Any]:
    """The rows of ``rl compare``, with the sweeps and single runs that it compared."""
    made = _origins([Path(word) for word in report["command"].split()])
    env = json.loads((made[0][0] / "env.json").read_text())
    versions = {key: env[key] for key in ("python", "toolkit", "packages")}
    commands = [_said(words) for _, words in made]
    kept = {key: report[key] for key in ("axis", "rows", "improvement")}
    return (
        {"command": _said(shlex.split(report["command"])[1:]), "runs": commands} | versions | kept
    )


def _origins(folders: list[Path]) -> list[tuple[Path, list[str]]]:
    """A run of each sweep and each single run in ``folders``, with the command that made it."""
    found = []
    for folder in folders:
        if (folder / "sweep.json").is_file():
            report = json.loads((folder / "sweep.json").read_text())
            found.append((Path(report["cells"][0]["run"]), report["command"]))
        elif (folder / "command.txt").is_file():
            words = shlex.split((folder / "command.txt").read_text())
            found.append((folder, words if words[0] == "python" else words[1:]))
        elif folder.is_dir():
            found += _origins(sorted(folder.iterdir()))
    return found


def stress(folder: Path) -> dict[str, Any]:
    """The table of a noise stress test with the command and versions that made it."""
    found = json.loads((folder / "stress.json").read_text())
    kept = {key: found[key] for key in ("model", "noise", "records", "rows")}
    return {**origin(), "command": _said(found["command"]), **kept}


def transfer(folder: Path) -> dict[str, Any]:
    """The table of ``ecg compare``, and what its pre-trainings reached by themselves."""
    report = json.loads((folder / "result.json").read_text())
    environment = json.loads(next(folder.glob("arms/*/env.json")).read_text())
    versions = {key: environment[key] for key in ("python", "toolkit", "packages")}
    trained = sorted(folder.glob("pretrain/*/result.json"))
    learnt = [_kept(json.loads(path.read_text())) for path in trained]
    own = {"preset": report["preset"], "pretraining": learnt, "rows": report["rows"]}
    return {"command": _said(report["command"]), **versions, **own}


def comparison(folder: Path) -> dict[str, Any]:
    """The table of a comparison with the command, versions and settings that made it."""
    report = json.loads((folder / "result.json").read_text())
    environment = json.loads(next(folder.glob("arms/*/env.json")).read_text())
    kept = {key: report[key] for key in ("scene", "split", "rows")}
    versions = {key: environment[key] for key in ("python", "toolkit", "packages")}
    settings = tomllib.loads((folder / "config.toml").read_text())
    for part in ("pretrain", "train"):
        settings[part] = {k: v for k, v in settings[part].items() if k not in RUN_ONLY}
    trunks = sorted(folder.glob("pretrain/*-seed-0/config.toml"))
    learnt = {path.parent.name.removesuffix("-seed-0"): _pretraining(path) for path in trunks}
    own = {"settings": settings, "pretraining": learnt, "training": _training(folder)}
    return {"command": _said(report["command"]), **versions, **own, **kept}


def _pretraining(path: Path) -> dict[str, Any]:
    """What a network's recipe and a variant made of the settings of a trunk."""
    config = tomllib.loads(path.read_text())
    return {"steps": config["steps"], "blocks": config["artificial"]["blocks"]}


def _training(folder: Path) -> dict[str, Any]:
    """Likewise of each network and arm that learns true classes."""
    found = {}
    for path in sorted(folder.glob("arms/*/config.toml")):
        name, config = path.parent.name, tomllib.loads(path.read_text())
        arm = re.sub(r"-\d+(-[0-9a-f]{10})?-draw-\d+$", "", name)
        found[arm] = {key: config[key] for key in ("steps", "trunk_rate") if key in config}
    return found


def _said(words: list[str]) -> str:
    """The command without what only decides where it runs and how it answers."""
    kept = [word for word in words if word != "--json"]
    for option in ("--runs-dir", "--run-dir", "--workers", "--data-dir", "--out"):
        while option in kept:
            place = kept.index(option)
            del kept[place : place + 2]
    program = [] if kept[0] == "python" else ["toolkit"]
    return " ".join(f"'{word}'" if " " in word else word for word in [*program, *kept])


def _kept(seed: dict[str, Any]) -> dict[str, Any]:
    """A seed's figures; of a search its seconds too, for time is what it is bought with."""
    kept = {k: v for k, v in seed.items() if k not in (*LOCAL, *LONG)}
    return {**kept, "trained_s": seed["trained_s"]} if "best" in seed else kept


def _chosen(report: dict[str, Any]) -> Path:
    """The run whose model is released."""
    runs = [Path(cell["run"]) for cell in report["cells"]]
    found = [json.loads((run / "result.json").read_text()).get("best") for run in runs]
    if not all(found):
        return runs[0]
    costs = [(best["error_ha"] >= 1.6e-3, *(best[key] for key in COST)) for best in found]
    return runs[costs.index(min(costs))]


def _first(folder: Path) -> Path:
    """The run whose files are released: of a comparison of transfer its first encoder."""
    if (folder / "sweep.json").is_file():
        return _chosen(json.loads((folder / "sweep.json").read_text()))
    return sorted((folder / "pretrain").iterdir())[0]


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
    parser.add_argument("--cell", help="the one whose weights are released, such as seed-1")
    options = parser.parse_args()
    made = _made(options.sweep)
    if options.target.suffix == ".json":
        options.target.parent.mkdir(parents=True, exist_ok=True)
        options.target.write_text(json.dumps(made, indent=1) + "\n")
        return
    options.target.mkdir(parents=True, exist_ok=True)
    (options.target / "results.json").write_text(json.dumps(made, indent=1) + "\n")
    first = options.sweep / options.cell if options.cell else _first(options.sweep)
    for name in RELEASED:
        if (first / name).is_file():
            shutil.copy(first / name, options.target / name)
    if "curves" in made:
        report = json.loads((options.sweep / "sweep.json").read_text())
        (options.target / "returns.csv").write_text(_returns(report))
    config = tomllib.loads((first / "config.toml").read_text())
    kept = {key: value for key, value in config.items() if key not in RUN_ONLY}
    (options.target / "config.toml").write_text(tomli_w.dumps(kept))


if __name__ == "__main__":
    main()
