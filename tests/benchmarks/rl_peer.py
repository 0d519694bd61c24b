"""Train stable-baselines3's SAC as a run that ``toolkit rl compare`` puts beside ours.

    python tests/benchmarks/rl_peer.py HalfCheetah-v5 --seed 0 --max-time 3000 --runs-dir runs
    toolkit rl compare runs --x time

Its own defaults, one thread; the mode is evaluated from the same starts, at the same steps and
outside the same clock as in ``toolkit rl run``. The run cannot be resumed.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import torch
from stable_baselines3 import SAC
from stable_baselines3.common.logger import configure

from toolkit.core.config import load, preset_path
from toolkit.core.files import write_atomic, write_json
from toolkit.core.run import Run
from toolkit.rl.config import PRESETS, RlRunConfig
from toolkit.rl.environments import make
from toolkit.rl.evaluation import Evaluator

LABEL = "stable-baselines3 SAC"


def settings(options: argparse.Namespace) -> RlRunConfig:
    """Preset ``sac``, whose settings are the peer's defaults, under the peer's name."""
    sets = [f"{key}={getattr(options, key)}" for key in ("env", "seed", "steps", "evaluate_every")]
    sets += [f"env_args.{one}" for one in options.env_arg]
    return load(RlRunConfig, preset=preset_path(PRESETS, "sac"), sets=[*sets, f"label={LABEL}"])


def train(config: RlRunConfig, run: Run, max_time_s: float) -> None:
    """Learn in stretches between evaluations, until the steps or the seconds are used up."""
    model = SAC("MlpPolicy", make(config.env, config.env_args), seed=config.seed, device="cpu")
    model.set_logger(configure(None, []))
    lines: list[str] = []
    trained_s = 0.0
    with Evaluator(config.env, config.env_args, config.episodes, 0) as evaluator:
        while model.num_timesteps < config.steps and trained_s < max_time_s:
            began = time.perf_counter()
            ahead = min(config.evaluate_every, config.steps - model.num_timesteps)
            model.learn(ahead, reset_num_timesteps=False, log_interval=config.steps)
            trained_s += time.perf_counter() - began
            found = evaluator(lambda x: model.predict(x, deterministic=True)[0])
            line = {"step": model.num_timesteps, "time_s": round(trained_s, 3)}
            line["evaluation/return"] = float(found.returns.mean())
            lines.append(json.dumps(line) + "\n")
            write_atomic(run.path / "metrics.jsonl", "".join(lines))
            run.set_status("running", model.num_timesteps)
            print(lines[-1], end="", flush=True)
    rate = model.num_timesteps / trained_s
    facts = {"env": config.env, "preset": LABEL, "seed": config.seed, "steps_per_s": rate}
    write_json(run.path / "result.json", facts | {"return_mean": line["evaluation/return"]})
    run.set_status("finished", model.num_timesteps)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("env")
    parser.add_argument("--env-arg", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=1_000_000)
    parser.add_argument("--evaluate-every", type=int, default=5_000)
    parser.add_argument("--max-time", type=float, default=float("inf"), help="trained seconds")
    parser.add_argument("--runs-dir", type=Path, default=Path("runs"))
    return parser.parse_args()


def main() -> None:
    options = arguments()
    torch.set_num_threads(1)
    config = settings(options)
    command = ["python", f"tests/benchmarks/{Path(__file__).name}", *sys.argv[1:]]
    name = f"peer-{config.env}-seed-{config.seed}"
    path = options.runs_dir / name
    run = Run.create(options.runs_dir, "rl", "run", config, path=path, command=command)
    train(config, run, options.max_time)


if __name__ == "__main__":
    main()
