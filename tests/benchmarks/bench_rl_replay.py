"""The replay memory: sampling against stable-baselines3's buffer, adding, and saving.

    python tests/benchmarks/bench_rl_replay.py

A million rows of the sizes of HalfCheetah and Ant, an episode's end every 1000, one environment.
Sampling is in CPU time, batches of 256 that end as torch tensors, from memories of equal float32
rows; the peer knows no trajectories, so it is to be compared with ours of one row. Both keep
observation and successor. Saving is in seconds of the clock, fsync included: the first checkpoint
writes all rows, and so does the second; the third one links all but what 5000 rows before each have
changed, for neighbours share no file.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gymnasium.spaces import Box
from side_by_side import arguments, compare
from stable_baselines3.common.buffers import ReplayBuffer

from toolkit.core import checkpoint
from toolkit.rl.replay import Replay, Rows

SIZES = {"HalfCheetah": (17, 6), "Ant": (105, 8)}
CAPACITY, BATCH, REPEATS, FURTHER = 1_000_000, 256, 200, 5_000
PEER = "stable-baselines3, one row"


def box(size: int) -> Box:
    return Box(-1, 1, (size,), np.float32)


def random_rows(d: int, a: int) -> Rows:
    random = np.random.default_rng(0)
    shapes = ((1, d), (1, a), (1, a), (1,), (1,), (1, d))
    numbers = [random.normal(size=shape).astype(np.float32) for shape in shapes]
    return Rows(*numbers, np.zeros(1, bool), np.zeros(1, bool))


def add(replay: Replay, rows: Rows, steps: int) -> float:
    """Add ``steps`` time steps; returns the CPU time of one in seconds."""
    last = rows._replace(ended=np.ones(1, bool))
    start = time.process_time()
    for step in range(1, steps + 1):
        replay.add(rows if step % 1000 else last)
    return (time.process_time() - start) / steps


def peer_of(d: int, a: int) -> ReplayBuffer:
    """A full buffer of the peer, filled in one go."""
    buffer = ReplayBuffer(CAPACITY, box(d), box(a), device="cpu")
    for array in (buffer.observations, buffer.next_observations, buffer.actions, buffer.rewards):
        array[:] = 1.0
    buffer.full = True
    return buffer


def repeat_peer(buffer: ReplayBuffer) -> None:
    for _ in range(REPEATS):
        buffer.sample(BATCH)


def repeat_ours(replay: Replay, length: int, random: np.random.Generator) -> None:
    for _ in range(REPEATS):
        for field in replay.sample(BATCH, length, random):
            torch.from_numpy(field)


def save(folder: Path, step: int, replay: Replay) -> dict[str, float]:
    """Seconds and bytes of a checkpoint; linked files are not written again."""
    start, cpu = time.perf_counter(), time.process_time()
    path = checkpoint.save(folder, step, {"replay": replay.state_dict()})
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    files = [file.stat() for file in path.iterdir()]
    whole = sum(one.st_size for one in files)
    written = sum(one.st_size for one in files if one.st_nlink == 1)
    found = {"seconds": seconds, "cpu_s": cpu, "written_bytes": written, "whole_bytes": whole}
    print(f"  saved: {seconds:.2f} s, {cpu:.2f} s of CPU, {written:,} of {whole:,} bytes written")
    return found


def measure(name: str, d: int, a: int, rounds: int) -> dict[str, Any]:
    replay, rows = Replay(CAPACITY, d, a), random_rows(d, a)
    add(replay, rows, CAPACITY)
    seconds = add(replay, rows, CAPACITY // 10)  # the pages of a ring gone round are there
    print(f"{name}: add {1e6 * seconds:.2f} µs")
    peer, random = peer_of(d, a), np.random.default_rng(0)
    ways = {
        PEER: lambda: repeat_peer(peer),
        "one row": lambda: repeat_ours(replay, 1, random),
        "trajectories of 8 rows": lambda: repeat_ours(replay, 8, random),
    }
    alone = argparse.Namespace(rounds=rounds, out=None)
    found = compare(ways, PEER, alone, clock=time.process_time, samples=REPEATS)
    for way, median in found["median_s"].items():
        print(f"  {way}: {1e6 * median / REPEATS:.0f} µs a batch")
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        first = save(Path(folder), 1, replay)
        for number in (2, 3):  # the first that links anything is the third
            add(replay, rows, FURTHER)
            later = save(Path(folder), number, replay)
    return {**found, "add_s": seconds, "first_save": first, f"save_after_{FURTHER}_rows": later}


def main() -> None:
    options = arguments(__doc__)
    torch.set_num_threads(1)
    found = {name: measure(name, *sizes, options.rounds) for name, sizes in SIZES.items()}
    if options.out:
        for one in found.values():
            origin = {key: one.pop(key) for key in ("command", "versions")}
        origin["versions"]["stable-baselines3"] = importlib.metadata.version("stable-baselines3")
        facts = {**origin, "rows": CAPACITY, "batch": BATCH, "sizes": found}
        options.out.write_text(json.dumps(facts, indent=2) + "\n")


if __name__ == "__main__":
    main()
