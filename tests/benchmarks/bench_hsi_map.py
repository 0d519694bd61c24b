"""Mapping Indian Pines: tiles against a window slid in Python, same network, one thread.

The peer is done as DeepHyperX does it (github.com/nshaud/DeepHyperX, ``sliding_window`` and
``grouper`` of its utils.py, ``test`` of its models.py): a generator of windows of a float32 cube,
batches of 100, outputs put into the map one by one. It leaves out a border of half a window, the
tiles do not. Memory and time by scene size are those of processes of their own, uint16 cubes of
noise in memory, except Pavia University's size in float32.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from side_by_side import arguments, compare

from toolkit.hsi import scenes
from toolkit.hsi.maps.mapping import predict
from toolkit.hsi.model import HsiModel
from toolkit.hsi.network_config import NAMES, NetworkConfig
from toolkit.hsi.standardisation import statistics

PEER, OURS = "sliding window", "tiles"
BATCH = 100
SIZES = [
    ("residual", 610, 340, 103, "float32"),
    *((name, 610, 340, 103, "uint16") for name in NAMES),
    ("residual", 1000, 1000, 100, "uint16"),
    ("residual", 2000, 2000, 100, "uint16"),
]
PROCESS = """
import json, sys, time
from pathlib import Path
import numpy as np
import torch
from toolkit.hsi.maps.mapping import predict
from toolkit.hsi.model import HsiModel
from toolkit.hsi.network_config import NetworkConfig
name, rows, columns, bands, dtype = json.loads(sys.argv[1])
torch.set_num_threads(1)
line = np.random.default_rng(0).integers(0, 9000, (columns, bands)).astype(dtype)
cube = np.empty((rows, columns, bands), dtype)
for row in cube:
    row[:] = line
model = HsiModel(NetworkConfig(name=name), bands, 9)
start = time.perf_counter()
predict(model, cube)
seconds = time.perf_counter() - start
status = Path("/proc/self/status").read_text()  # getrusage would count the parent's peak too
peak_mb = int(status.split("VmHWM:")[1].split()[0]) / 1024
print(json.dumps({"seconds": seconds, "peak_mb": peak_mb, "cube_mb": cube.nbytes / 2**20}))
"""


def windows(cube: NDArray[np.float32], side: int) -> Iterator[tuple[NDArray[np.float32], int, int]]:
    rows, columns, _ = cube.shape
    for top in range(rows - side + 1):
        for left in range(columns - side + 1):
            yield cube[top : top + side, left : left + side], top + side // 2, left + side // 2


@torch.no_grad()
def slide(model: HsiModel, cube: NDArray[np.float32]) -> NDArray[np.float32]:
    model.eval()
    scores = np.zeros((*cube.shape[:2], model.classes), np.float32)
    stream = windows(cube, model.patch)
    while batch := list(islice(stream, BATCH)):
        data = torch.from_numpy(np.stack([window for window, _, _ in batch]).transpose(0, 3, 1, 2))
        for (_, row, column), output in zip(batch, model(data)[:, :, 0, 0].numpy()):
            scores[row, column] += output
    return scores


def main() -> None:
    options = arguments(__doc__)
    torch.set_num_threads(1)
    scene = scenes.load("indian_pines")
    cube, alone = scene.cube.astype(np.float32), argparse.Namespace(rounds=options.rounds, out=None)
    found: dict[str, Any] = {}
    for name in NAMES:
        model = HsiModel(NetworkConfig(name=name), scene.bands, len(scene.classes))
        model.set_statistics(*statistics(cube))
        inner = (slice(model.patch // 2, -(model.patch // 2) or None),) * 2
        same = slide(model, cube).argmax(-1)[inner] == predict(model, cube).classes[inner]
        print(f"{name}: {100 * same.mean():.3f} % of pixels get the same class")
        ways = {PEER: lambda m=model: slide(m, cube), OURS: lambda m=model: predict(m, scene.cube)}
        found[name] = compare(ways, PEER, alone, clock=time.process_time)
    sizes = [measure(*size) for size in SIZES]
    if options.out:
        origin = {key: found[NAMES[0]].pop(key) for key in ("command", "versions")}
        rows = {
            name: {k: v for k, v in each.items() if k not in origin} for name, each in found.items()
        }
        text = json.dumps({**origin, "networks": rows, "sizes": sizes}, indent=2)
        options.out.write_text(text + "\n")


def measure(*size: Any) -> dict[str, Any]:
    command = [sys.executable, "-c", PROCESS, json.dumps(size)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    figures = json.loads(done.stdout)
    print(*size, {key: round(value, 1) for key, value in figures.items()})
    return {"scene": list(size), **figures}


if __name__ == "__main__":
    main()
