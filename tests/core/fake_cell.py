"""A cell that trains nothing: ``fake_cell.py RUN SEED LR MANNER`` writes a run's files.

MANNER is ``well``, ``fail`` (exit code 6), ``die`` (kills itself the first time) or ``wait`` (until
SIGTERM, then exit code 75). Every call adds a line to ``RUN.calls``.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path

path, seed, lr, manner = Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), sys.argv[4]


def write(name: str, value: dict) -> None:
    (path / name).write_text(json.dumps(value))


def status(state: str, step: int) -> None:
    beat = {"pid": os.getpid(), "heartbeat_s": time.time()}
    write("status.json", {"state": state, "step": step, **beat})


with Path(f"{path}.calls").open("a") as file:
    file.write("called\n")
first = not path.exists()
path.mkdir(exist_ok=True)
write("env.json", {"app": "fake", "verb": "train"})
status("running", 1)
if manner == "fail":
    print("the reason", file=sys.stderr)
    sys.exit(6)
if manner == "die" and first:
    os.kill(os.getpid(), signal.SIGKILL)
if manner == "wait" and first:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(75))
    (path / "ready").touch()
    while True:
        time.sleep(0.05)
result = {"score": seed * lr, "veb": {"f1": seed + lr, "note": "x"}, "seed": seed, "title": "t"}
(path / "config.toml").write_text("[world]\ndrag = 2\n")
result["world"] = {"drag": 2}
write("result.json", {**result, "nothing": None, "sure": True, "deep": {"a": {"b": 1}}})
status("finished", 2)
