"""Tables of returns, from the curves of released policies."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.rl.protocol.reference import references

MODELS = Path(__file__).parents[2] / "models" / "rl"
RESULTS = Path(__file__).parent / "results"
_AT = (50_000, 100_000, 1_000_000)
_PEERS = ("SAC",)


def strong() -> str:
    """A row for each sweep, its policy released or not, and budget that its seeds reached."""
    lines = [
        f"| environment | preset | steps | seeds | return of the mode | {_heads()} | σ |",
        f"|{'---|' * (6 + len(_PEERS))}",
    ]
    commands = []
    for path in [
        *sorted(MODELS.glob("*/results.json")),
        *sorted(RESULTS.glob("rl-returns-*.json")),
    ]:
        results = json.loads(path.read_text())
        commands.append(results["command"])
        lines += [_row(results, step) for step in _AT if step in _steps(results)]
    return "\n".join([*lines, "", "```", *commands, "```"])


def card(name: str) -> str:
    """Every seed of one released policy: its last evaluation, and the best one on the way."""
    results = json.loads((MODELS / name / "results.json").read_text())
    lines = [
        "| seed | return, 20 episodes | sd over episodes | best evaluation | σ |",
        "|---|---|---|---|---|",
    ]
    for seed, curve in zip(results["seeds"], results["curves"].values()):
        best = int(np.argmax(curve["return"]))
        cells = [
            str(seed["seed"]),
            f"{seed['return_mean']:.0f}",
            f"{seed['return_sd']:.0f}",
            f"{curve['return'][best]:.0f} at {curve['steps'][best]:,}",
            f"{seed['sigma_mean']:.2f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, "", "```", results["command"], "```"])


def claim() -> str:
    """A row for each environment: σ that adapts, and each fixed σ of the same backbone."""
    found = [json.loads(path.read_text()) for path in sorted(RESULTS.glob("rl-claim-*.json"))]
    grid = [row["final_sigma"] for row in found[0]["rows"] if row["preset"] != "acerax"]
    heads = ["environment, steps", "seeds", "acerax", "its σ", *(f"acer, {x:.1f}" for x in grid)]
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    for one in found:
        own = next(row for row in one["rows"] if row["preset"] == "acerax")
        fixed = [row for row in one["rows"] if row["preset"] != "acerax"]
        cells = [f"{own['env']}, {own['steps']:,}", str(own["n_seeds"]), _interval(own)]
        cells += [f"{own['final_sigma']:.2f}", *map(_interval, fixed)]
        lines.append(f"| {' | '.join(cells)} |")
    commands = [line for one in found for line in one["runs"]]
    return "\n".join([*lines, "", "```", *commands, "```"])


def peers() -> str:
    """A row for each preset beside stable-baselines3's SAC, at equal steps or equal seconds."""
    lines = [
        "| environment | at equal | preset | seeds | return of the mode | steps | seconds |",
        "|---|---|---|---|---|---|---|",
    ]
    commands: dict[str, None] = {}
    for path in sorted(RESULTS.glob("rl-peers-*.json")):
        one = json.loads(path.read_text())
        commands |= dict.fromkeys([*one["runs"], one["command"]])
        for row in one["rows"]:
            cells = [row["env"], one["axis"], row["preset"], str(row["n_seeds"]), _interval(row)]
            cells += [f"{row['steps']:,}", f"{row['trained_s']:,.0f}"]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, "", "```", *commands, "```"])


def _interval(row: dict[str, Any]) -> str:
    if row["ci95"] is None:  # of one seed
        return f"{row['mean']:.0f}"
    return f"{row['mean']:.0f} ({row['ci95'][0]:.0f} to {row['ci95'][1]:.0f})"


def _heads() -> str:
    return " | ".join(f"{peer}, published (v4)" for peer in _PEERS)


def _steps(results: dict[str, Any]) -> set[int]:
    return set.intersection(*(set(curve["steps"]) for curve in results["curves"].values()))


def _row(results: dict[str, Any], step: int) -> str:
    curves = results["curves"].values()
    at = [(one["return"][k], one["sigma"][k]) for one in curves for k in [one["steps"].index(step)]]
    returns, sigmas = np.array(at).T
    spread = f" ± {returns.std(ddof=1):.0f}" if len(returns) > 1 else ""
    first = results["seeds"][0]
    known = {(one.algorithm, one.steps): one.score for one in references(first["env"])}
    peers = [f"{known[key]:.0f}" if (key := (peer, step)) in known else "–" for peer in _PEERS]
    name = first["env"] + (" (as v4)" if "env_args" in first else "")
    cells = [name, first["preset"], f"{step:,}", str(len(returns)), f"{returns.mean():.0f}{spread}"]
    return f"| {' | '.join([*cells, *peers, f'{sigmas.mean():.2f}'])} |"
