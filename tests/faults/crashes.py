"""Saving processes that die: at a numbered point of a save, or whenever somebody kills them."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import torch

from toolkit.core import checkpoint, hashed_files
from toolkit.core.checkpoint import Frozen


def processes() -> Any:
    """Fresh processes that start fast: forked from one that has imported torch and nothing else."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        ["toolkit.core.supervised", "toolkit.core.trainer", "torch._dynamo"]
    )
    return context


def state_of(step: int) -> dict[str, Any]:
    """A state that tells its step in every file, one segment being that of two saves before."""
    numbers = range(step // 10 - 2, step // 10 + 1)
    rows = {n: {"rows": np.full((64, 8), n, np.float32)} for n in numbers}
    return {
        "model": {"weight": torch.full((200, 50), float(step))},
        "memory": {"full": [Frozen(f"segment-{n}", rows[n]) for n in numbers]},
        "step": step,
    }


def whole(step: int, state: dict[str, Any]) -> bool:
    """Whether ``state`` is what ``state_of`` gave at ``step``."""
    segments = [part.arrays["rows"] for part in state["memory"]["full"]]
    expected = [part.arrays["rows"] for part in state_of(step)["memory"]["full"]]
    weights = bool((state["model"]["weight"] == step).all())
    return state["step"] == step and weights and bool(np.array_equal(segments, expected))


def save_and_prune(folder: Path, step: int) -> None:
    """What the trainer does at a checkpoint, keeping two."""
    checkpoint.save(folder, step, state_of(step))
    checkpoint.prune(folder, checkpoint.steps(folder)[-2:])


class Points:
    """Counts the dangerous moments of a save and dies at the ``fatal`` one."""

    def __init__(self, fatal: int) -> None:
        self.fatal, self.count, self.seen = fatal, 0, []

    def pass_one(self, name: str) -> bool:
        self.count += 1
        self.seen.append(name)
        return self.count == self.fatal

    def around(self, owner: Any, name: str, when: str = "both") -> None:
        real = getattr(owner, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            if self.pass_one(f"before {name}"):
                os._exit(9)
            result = real(*args, **kwargs)
            if when == "both" and self.pass_one(f"after {name}"):
                os._exit(9)
            return result

        setattr(owner, name, call)

    def in_mid_file(self) -> None:
        real = hashed_files.write_synced

        def write(path: Path, content: bytes) -> None:
            if self.pass_one("mid-file"):
                path.write_bytes(content[: len(content) // 2])
                os._exit(9)
            real(path, content)

        hashed_files.write_synced = write

    def arm(self) -> None:
        self.in_mid_file()
        self.around(os, "fsync")
        self.around(Path, "rename")
        self.around(Path, "hardlink_to")
        self.around(Path, "mkdir")
        self.around(os, "unlink", "before")  # what shutil.rmtree calls: mid-prune
        self.around(os, "rmdir", "before")


def die_at(folder: Path, fatal: int, again: bool) -> tuple[int, list[str]]:
    """Save step 30 over 10 and 20 in a fork that dies at point ``fatal``.

    Returns:
        The last acknowledged step, and the points passed (all of them if it lived).
    """
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        points = Points(fatal)
        points.arm()
        checkpoint.save(folder, 20 if again else 30, state_of(20 if again else 30))
        os.write(writing, b"saved\n")
        checkpoint.prune(folder, checkpoint.steps(folder)[-2:])
        os.write(writing, "\n".join(points.seen).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        said = pipe.read().splitlines()
    os.waitpid(pid, 0)
    return (30 if said and not again else 20), said[1:]


def crash_everywhere(folder: Path, again: bool, pipe: Any) -> None:
    """Try every point; report what is wrong, and the points there are."""
    torch.set_num_threads(1)
    problems: list[str] = []
    for fatal in itertools.count(1):
        place = folder / str(fatal)
        for step in (10, 20):
            checkpoint.save(place, step, state_of(step))
        acknowledged, points = die_at(place, fatal, again)
        problems += [f"point {fatal}: {text}" for text in judge(place, acknowledged, again)]
        shutil.rmtree(place)
        if points:
            pipe.send((problems, points))
            return


def judge(folder: Path, acknowledged: int, again: bool) -> list[str]:
    """What is wrong with ``folder`` after a crash."""
    found = checkpoint.load_newest(folder)
    if found is None:
        return ["nothing is left"]
    step, state = found
    least = 10 if again else acknowledged  # replacing a step may lose it for an instant
    problems = [] if step >= least else [f"step {step}, but {acknowledged} was acknowledged"]
    problems += [] if whole(step, state) else [f"step {step} holds another state"]
    save_and_prune(folder, 40)  # life goes on
    step, state = checkpoint.load_newest(folder) or (0, {})
    problems += [] if step == 40 and whole(step, state) else ["cannot go on"]
    left = [path.name for path in folder.iterdir() if path.name.startswith(".tmp-")]
    return problems + [f"left over: {name}" for name in left]


def save_forever(folder: Path, pipe: Any) -> None:
    """Save as fast as the disk allows, acknowledging each step after it is saved."""
    torch.set_num_threads(1)
    newest = checkpoint.load_newest(folder)
    checkpoint.clean(folder)
    for step in itertools.count((newest[0] if newest else 0) + 10, 10):
        checkpoint.save(folder, step, state_of(step))
        pipe.send(step)
        checkpoint.prune(folder, checkpoint.steps(folder)[-2:])
