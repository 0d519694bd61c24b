"""``toolkit rl evaluate``, ``render`` and ``export``: what a trained policy does."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from toolkit.cli.options import cell, emit, json_option, print_table, runs_dir_option

_FILE = click.Path(path_type=Path, dir_okay=False)
_seed_option = click.option(
    "--seed",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Episode k starts from reset(seed=SEED + k).",
)


@click.command()
@click.argument("run_name", metavar="RUN")
@click.option("--episodes", type=click.IntRange(1), default=10, show_default=True)
@_seed_option
@click.option("--stochastic", is_flag=True, help="Also with exploration, its σ as at the end.")
@runs_dir_option
@json_option
def evaluate(
    run_name: str, episodes: int, seed: int, stochastic: bool, runs_dir: Path, as_json: bool
) -> None:
    """Returns of a trained policy over whole episodes, from the same starts every time.

    RUN is a path, a unique prefix of a run's name, @last:rl, or a released policy's name. The
    interval is of the mean over starts of this one policy; seeds of training are compared by
    "toolkit rl compare".

    \b
    Examples:
      toolkit rl evaluate @last:rl
      toolkit rl evaluate @last:rl --episodes 20 --stochastic --json
    """
    from toolkit.core import rng
    from toolkit.rl.evaluation import Evaluator
    from toolkit.rl.loaded import load_policy

    policy = load_policy(run_name, runs_dir)
    random = rng.generator(seed, "exploration")
    with Evaluator(policy.env, policy.env_args, episodes, seed) as evaluator:
        result = {
            "env": policy.env,
            "label": policy.label,
            "episodes": episodes,
            "seed": seed,
            **evaluator(policy).summary(),
        }
        if stochastic:
            explored = evaluator(lambda rows: policy(rows, deterministic=False, random=random))
            result["stochastic"] = {"sigma": list(policy.about.sigma), **explored.summary()}
    emit(result, as_json, lambda: _print_returns(result))


def _print_returns(result: Mapping[str, Any]) -> None:
    """One row for the mode, and one for exploration if asked for."""
    plural = "s" if result["episodes"] > 1 else ""
    title = f"{result['label']} on {result['env']}, {result['episodes']} episode{plural}"
    columns = ("actions", "mean", "95 %", "sd", "lowest", "highest", "steps", "terminated")
    found = {"mode": result, "with exploration": result.get("stochastic")}
    rows = [(name, *_cells(part)) for name, part in found.items() if part]
    print_table(f"{title} from seed {result['seed']}", columns, rows)


def _cells(part: Mapping[str, Any]) -> list[Any]:
    returns, lengths = part["returns"], part["lengths"]
    ends = " … ".join(map(cell, part["return_ci95"] or ()))
    shares = (sum(lengths) / len(lengths), sum(part["terminated"]) / len(lengths))
    return [part["return_mean"], ends, part["return_sd"], min(returns), max(returns), *shares]


@click.command()
@click.argument("run_name", metavar="RUN")
@click.option("--out", required=True, type=_FILE, help="Video, .mp4 or .gif.")
@click.option("--episodes", type=click.IntRange(1), default=1, show_default=True)
@_seed_option
@click.option("--width", type=click.IntRange(64, 4096), default=480, show_default=True)
@click.option("--height", type=click.IntRange(64, 4096), default=480, show_default=True)
@click.option("--steps", type=click.IntRange(1), help="Of each episode, at most.")
@click.option("--camera", metavar="NAME", help="Of MuJoCo's model [default: one that follows].")
@runs_dir_option
@json_option
def render(run_name: str, out: Path, runs_dir: Path, as_json: bool, **view: Any) -> None:
    """Film a trained policy, without a window; a strip of stills (.png) goes beside the video.

    RUN is as for "toolkit rl evaluate". MuJoCo draws by whatever works here (EGL, OSMesa);
    MUJOCO_GL in the environment chooses one.

    \b
    Examples:
      toolkit rl render @last:rl --out walk.mp4
      toolkit rl render @last:rl --out walk.gif --steps 200 --width 240 --height 240 --json
    """
    from toolkit.rl.loaded import load_policy
    from toolkit.rl.rendering import record

    policy = load_policy(run_name, runs_dir)
    shown = record(policy, policy.env, policy.env_args, out, **view)
    emit({"env": policy.env, "label": policy.label, **shown}, as_json)


@click.command()
@click.argument("run_name", metavar="RUN")
@click.argument("out", type=_FILE)
@runs_dir_option
@json_option
def export(run_name: str, out: Path, runs_dir: Path, as_json: bool) -> None:
    """Write a policy as ONNX, for other runtimes; what it gives is compared first.

    Input: raw observations (N, d); output: actions (N, a) in the environment's units, without
    exploration.

    \b
    Examples:
      toolkit rl export @last:rl policy.onnx
      toolkit rl export @last:rl policy.onnx --json
    """
    from toolkit.rl import exporting
    from toolkit.rl.loaded import load_policy

    emit(exporting.export(load_policy(run_name, runs_dir), out), as_json)
