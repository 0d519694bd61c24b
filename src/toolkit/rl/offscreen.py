"""OpenGL without a window: which of MuJoCo's ways to it works on this machine."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import lru_cache

from toolkit.core.errors import UnavailableError

_WAYS = ("egl", "osmesa", "glfw")  # the last one needs a display
_PACKAGES = (
    "apt-get install libegl1 libgl1 libgl1-mesa-dri (MUJOCO_GL=egl), "
    "or libosmesa6 (MUJOCO_GL=osmesa)"
)
_PATIENCE_S = 120
_PROBE = """
import gymnasium
env = gymnasium.make("InvertedPendulum-v5", render_mode="rgb_array", width=64, height=64)
env.reset(seed=0)
assert env.render().any(), "the picture is black"
env.close()
"""


def prepare() -> str:
    """Choose how MuJoCo draws, unless ``MUJOCO_GL`` says it; returns the way taken.

    Raises:
        UnavailableError: none works here.
    """
    given = os.environ.get("MUJOCO_GL")
    complaints = {}
    for way in [given] if given else _WAYS:
        complaints[way] = _complaint(way)
        if not complaints[way]:
            os.environ["MUJOCO_GL"] = way
            return way
    raise UnavailableError(
        "no off-screen OpenGL works here: " + "; ".join(map(": ".join, complaints.items())),
        where="MUJOCO_GL",
        hint="unset MUJOCO_GL, so that all ways are tried" if given else _PACKAGES,
    )


@lru_cache
def _complaint(way: str) -> str:
    """What a process of its own says that tries to draw; a driver that crashes takes only that."""
    environment = {**os.environ, "MUJOCO_GL": way}
    command = [sys.executable, "-W", "ignore", "-c", _PROBE]
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=_PATIENCE_S
        )
    except subprocess.TimeoutExpired:
        return f"no picture in {_PATIENCE_S} s"
    said = done.stderr.strip().splitlines() or [f"ended with {done.returncode}"]
    return said[-1] if done.returncode else ""


def quiet_pygame() -> None:
    """Let pygame draw without a window, and without its greeting on stdout."""
    os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
