"""Interaction that is killed goes on as if nothing had been; what cannot be is refused."""

from __future__ import annotations

import csv
import os
import pickle
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from commands import answer, call, check_refusal, refused, same, spawn
from gymnasium.envs.registration import registry

from toolkit.core import checkpoint
from toolkit.core.run import Run
from toolkit.rl import offscreen

SMALL = (
    *("hidden=[16]", "dispersion.hidden=[8]", "twin_q.critic_hidden=[16]", "batch_size=8"),
    *("learning_starts=20", "random_steps=10", "updates_per_step=0.5", "episodes=1"),
    *("final_episodes=1", "evaluate_every=60", "replay.capacity=100", "checkpoint_every_s=0"),
)


def running(env: str, steps: int, *changes: str) -> list[object]:
    """The words of a small run whose memory wraps around, saved after every step."""
    sets = [f"--set={text}" for text in (*SMALL, *changes)]
    return ["rl", "run", env, "--steps", steps, "--seed", 1, "--device", "cpu", *sets]


def signalled(number: signal.Signals, after: int) -> str:
    """Statements after which step ``after`` sends the process a signal, before it is taken."""
    return (
        "import os\nfrom toolkit.rl.interaction import Interaction\nstep = Interaction.step\n"
        f"def dying(self, i):\n    if i == {after}: os.kill(os.getpid(), {int(number)})\n"
        "    return step(self, i)\nInteraction.step = dying"
    )


def only_run(folder: Path) -> Path:
    (path,) = (found.parent for found in folder.glob("rl-*/env.json"))
    return path


def mid_episode(path: Path, step: int) -> int:
    """``step``, or the first after it, by twos, at which no episode of the run ``path`` ended."""
    with (path / "episodes.csv").open(newline="") as file:
        ends = {int(row["step"]) for row in csv.DictReader(file)}
    return next(one for one in range(step, step + 100, 2) if not {one - 1, one, one + 1} & ends)


def newest(path: Path) -> int:
    """The step of the newest checkpoint of the run ``path``, 0 without any."""
    folder = path / "checkpoints"
    return max(checkpoint.steps(folder), default=0) if folder.is_dir() else 0


CASES = [  # an environment, the step after which it is killed, its settings
    pytest.param("Hopper-v5", 133, ("preset=acerax",), id="hopper acerax"),
    pytest.param("Ant-v5", 171, ("preset=acerax", "replay.memory_map=true"), id="ant acerax"),
    pytest.param("Ant-v5", 58, ("preset=sac", "environments=2"), id="ant sac"),
    pytest.param("Hopper-v5", 90, ("preset=sacx", "twin_q.critic=batch-norm"), id="hopper sacx"),
]


def words_of(env: str, steps: int, changes: tuple[str, ...]) -> list[object]:
    preset, *rest = changes
    return [*running(env, steps, *rest), "--preset", preset.partition("=")[2]]


@pytest.mark.parametrize(("env", "after", "changes"), CASES)
def test_killed_in_mid_episode_it_goes_on_bit_for_bit(
    env: str, after: int, changes: tuple[str, ...], tmp_path: Path
) -> None:
    words = words_of(env, 200, changes)
    seldom = ("--set", "checkpoint_every_s=30")  # saving often must change nothing either
    whole = Path(answer(*words, *seldom, "--runs-dir", tmp_path / "whole")["run"])
    after = mid_episode(whole, after)
    process = spawn(
        *words, "--runs-dir", tmp_path / "killed", code=signalled(signal.SIGKILL, after)
    )
    process.communicate(timeout=180)
    assert process.returncode == -signal.SIGKILL
    killed = only_run(tmp_path / "killed")
    resumed = call("runs", "resume", killed)
    assert resumed.exit_code == 0, resumed.stderr
    assert f"resumed at step {after}" in resumed.stderr
    assert same(whole, killed)
    returns = [Run(path).result["returns"] for path in (whole, killed)]  # type: ignore[index]
    assert returns[0] == returns[1]


def test_sigterm_saves_exits_75_and_resumes_bit_for_bit(tmp_path: Path) -> None:
    words = running("Hopper-v5", 150, "checkpoint_every_s=1000")
    whole = Path(answer(*words, "--runs-dir", tmp_path / "whole")["run"])
    process = spawn(*words, "--runs-dir", tmp_path / "ended", code=signalled(signal.SIGTERM, 97))
    _, stderr = process.communicate(timeout=120)
    assert process.returncode == 75, stderr
    assert "runs resume" in stderr
    ended = only_run(tmp_path / "ended")
    assert Run(ended).status["state"] == "interrupted"
    answer("runs", "resume", ended)
    assert same(whole, ended)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("env", "preset"), [("Hopper-v5", "acerax"), ("Ant-v5", "acerax"), ("Ant-v5", "sacx")]
)
def test_killed_again_and_again_at_any_instant(env: str, preset: str, tmp_path: Path) -> None:
    """A memory of 1500 rows, wrapped around twice; killed five times, while saving or not."""
    changes = ("replay.capacity=1500", "hidden=[64,64]", "batch_size=64", "evaluate_every=1000")
    more = ("learning_starts=500", "random_steps=500", "checkpoint_every_s=30")
    words = [*running(env, 4000, *changes, *more), "--preset", preset]
    whole = Path(answer(*words, "--runs-dir", tmp_path / "whole")["run"])
    draw, deaths, reached = np.random.default_rng(5), 0, 0
    words += ["--set", "checkpoint_every_s=0.2"]
    process = spawn(*words, "--run-dir", tmp_path / "killed")
    for _ in range(5):
        while process.poll() is None and newest(tmp_path / "killed") <= reached:
            time.sleep(0.02)
        time.sleep(draw.uniform(0, 0.4))
        process.kill()
        process.communicate(timeout=60)
        deaths += process.returncode == -signal.SIGKILL
        reached = newest(tmp_path / "killed")
        process = spawn("runs", "resume", tmp_path / "killed")
    _, stderr = process.communicate(timeout=600)
    assert process.returncode == 0, stderr
    assert deaths >= 3
    assert same(whole, tmp_path / "killed")


@pytest.mark.slow
def test_memory_of_twenty_thousand_steps_is_flat(tmp_path: Path) -> None:
    watch = (
        "import gc, os\nfrom pathlib import Path\n"
        "from toolkit.rl.interaction import Interaction\nstep = Interaction.step\n"
        "def watched(self, i):\n"
        "    if i in (4000, 19999):\n"
        "        gc.collect()\n"
        "        pages = int(Path('/proc/self/statm').read_text().split()[1])\n"
        f"        with open({str(tmp_path / 'memory')!r}, 'a') as file:\n"
        "            print(pages * os.sysconf('SC_PAGE_SIZE') / 2**20, file=file)\n"
        "    return step(self, i)\nInteraction.step = watched"
    )
    changes = ("replay.capacity=2000", "checkpoint_every_s=2", "evaluate_every=1000")
    words = (*running("Pendulum-v1", 20_000, *changes), "--runs-dir", tmp_path)
    process = spawn(*words, code=watch)
    _, stderr = process.communicate(timeout=600)
    assert process.returncode == 0, stderr
    before, after = map(float, (tmp_path / "memory").read_text().split())
    assert after - before < 4  # MiB; a hundred episodes and some lines of metrics are kept


IMPOSSIBLE = [
    (("HalfCheeta-v5",), 2, ("HalfCheetah-v5",)),
    (("HalfCheetah",), 2, ("HalfCheetah-v",)),
    (("CartPole-v1",), 2, ("Discrete(2)", "continuous")),
    (("Pendulum-v1", "--preset", "acerx"), 2, ("acerax",)),
    (("Pendulum-v1", "--env-arg", "nonsense"), 2, ("--env-arg", "nonsense")),
    (("Pendulum-v1", "--set", "replay.capcity=9"), 2, ("replay.capcity", "'capacity'")),
    (("Pendulum-v1", "--set", "dispersion.floor=2"), 2, ("dispersion.floor",)),
    (
        ("Pendulum-v1", "--set", "backbone=acer", "--set", "dispersion.kind=temperature"),
        2,
        ("twin",),
    ),
    (("Pendulum-v1", "--preset", "sac", "--set", "twin_q.bound=mode"), 2, ("twin_q.bound",)),
    (("Pendulum-v1", "--steps", 0), 2, ("--steps",)),
    (("no_such_module:Walk-v0",), 5, ("no_such_module", "PYTHONPATH")),
]


@pytest.mark.parametrize(("words", "code", "says"), IMPOSSIBLE)
def test_what_cannot_be_is_refused_before_anything_is_made(
    words: tuple[object, ...], code: int, says: tuple[str, ...], tmp_path: Path
) -> None:
    stderr = refused(code, "rl", "run", *words, "--runs-dir", tmp_path / "runs", says=says)
    assert "try:" in stderr or "Try" in stderr or "range" in stderr
    assert not (tmp_path / "runs").exists()


def test_an_argument_that_the_environment_does_not_know_is_named(tmp_path: Path) -> None:
    words = ("rl", "run", "Pendulum-v1", "--env-arg", "gravity=1", "--runs-dir", tmp_path / "runs")
    result = call(*words)
    assert result.exit_code == 2
    for text in ("'gravity'", "env_args", "constructor"):
        assert text in result.stderr
    assert not (tmp_path / "runs").exists()


MODULE = """
import gymnasium
import numpy as np
from gymnasium.spaces import Box


class Bad(gymnasium.Env):
    action_space = Box(-1, 1, (1,))

    def __init__(self, bad="", at=40, image=False, size=2):
        shape = (8, 8, 3) if image else (size,)
        self.observation_space = Box(-9, 9, shape)
        self.bad, self.at = bad, at

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.t = 0
        return np.zeros(self.observation_space.shape, np.float32), {}

    def step(self, action):
        self.t += 1
        broken = self.t == self.at
        if broken and self.bad == "step":
            raise KeyError("left knee")
        seen = np.full(self.observation_space.shape, 0.1 * self.t, np.float32)
        seen[0] = np.nan if broken and self.bad == "observation" else seen[0]
        reward = np.nan if broken and self.bad == "reward" else -float(action[0] ** 2)
        seen = seen.tolist() if self.bad == "list" else seen
        return seen, reward, False, self.t >= 50, {}


gymnasium.register("BadTester-v0", Bad)
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Somebody's own environments, as they are named on the command line."""
    (tmp_path / "own_environments.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    yield "own_environments:BadTester-v0"
    sys.modules.pop("own_environments", None)
    registry.pop("BadTester-v0", None)


@pytest.mark.parametrize("bad", ["reward", "observation"])
def test_nan_stops_the_run_with_its_step_and_keeps_the_last_checkpoint(
    bad: str, module: str, tmp_path: Path
) -> None:
    words = running(module, 120, "learning_starts=5")
    arguments = ("--env-arg", f"bad={bad}", "--env-arg", "at=40")
    where = ("--runs-dir", tmp_path / "runs")
    result = call(*words, *arguments, *where)
    check_refusal(result.exit_code, result.stdout, result.stderr[result.stderr.index("Error") :], 6)
    for text in (f"gave the {bad}", "nan", "step 40", "try:"):
        assert text in result.stderr
    path = only_run(tmp_path / "runs")
    assert Run(path).status["state"] == "failed"
    assert Run(path).status["step"] == 39
    assert [one.name for one in (path / "checkpoints").iterdir() if "39" in one.name]


def test_an_environment_that_fails_is_blamed_and_the_last_checkpoint_kept(
    module: str, tmp_path: Path
) -> None:
    words = running(module, 120, "learning_starts=5")
    result = call(*words, "--env-arg", "bad=step", "--runs-dir", tmp_path / "runs")
    check_refusal(result.exit_code, result.stdout, result.stderr[result.stderr.index("Error") :], 2)
    for text in (
        "BadTester-v0",
        "failed in its step",
        "'left knee' (KeyError)",
        "--debug",
        " of the run",
    ):
        assert text in result.stderr
    path = only_run(tmp_path / "runs")
    assert [one.name for one in (path / "checkpoints").iterdir() if "39" in one.name]


def test_observations_may_be_lists_and_a_missing_time_limit_is_told(
    module: str, tmp_path: Path
) -> None:
    words = running(module, 70, "learning_starts=5")
    result = call(*words, "--env-arg", "bad=list", "--runs-dir", tmp_path / "runs")
    assert result.exit_code == 0, result.stderr
    assert "without a time limit" in result.stderr and "max_episode_steps=1000" in result.stderr


def test_a_module_that_cannot_be_imported_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_environments.py").write_text("gymnasium.register('X-v0')\n")
    monkeypatch.syspath_prepend(tmp_path)
    says = ("broken_environments", "NameError", "gymnasium")
    refused(2, "rl", "run", "broken_environments:X-v0", "--runs-dir", tmp_path / "r", says=says)


def test_images_are_refused(module: str, tmp_path: Path) -> None:
    words = ("rl", "run", module, "--env-arg", "image=true", "--runs-dir", tmp_path / "runs")
    refused(2, *words, says=("observations", "(8, 8, 3)", "one-dimensional Box", "Flatten"))
    assert not (tmp_path / "runs").exists()


def test_missing_mujoco_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.startswith("gymnasium.envs.mujoco")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "mujoco", None)
    words = ("rl", "run", "Hopper-v5", "--runs-dir", tmp_path / "runs")
    refused(5, *words, says=("mujoco", "pip install"))
    assert not (tmp_path / "runs").exists()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished hopper and a paused pendulum; not to be changed."""
    folder = tmp_path_factory.mktemp("made")
    answer(*running("Hopper-v5", 60), "--run-dir", folder / "finished")
    paused = ("--max-time", "0.001s", "--run-dir", folder / "paused")
    answer(*running("Pendulum-v1", 1000, "evaluate_every=1"), *paused)
    return folder


def test_a_machine_that_cannot_draw_says_what_to_install(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MUJOCO_GL", raising=False)
    monkeypatch.setattr(offscreen, "_complaint", lambda way: f"no library of {way}")
    out = tmp_path / "walk.mp4"
    says = ("egl: no library of egl", "osmesa", "libegl1")
    refused(5, "rl", "render", finished, "--out", out, says=says)
    monkeypatch.setenv("MUJOCO_GL", "glfw")
    refused(5, "rl", "render", finished, "--out", out, says=("glfw", "unset MUJOCO_GL"))
    assert not out.exists()


def test_films_that_cannot_be_are_refused(finished: Path, tmp_path: Path) -> None:
    refused(2, "rl", "render", finished, "--out", tmp_path / "walk.avi", says=(".mp4", ".gif"))
    words = ("rl", "render", finished, "--out", tmp_path / "walk.mp4")
    refused(2, *words, "--camera", "trak", says=("track",))
    (tmp_path / "file").write_text("")
    refused(4, "rl", "render", finished, "--out", tmp_path / "file" / "a.gif", "--steps", 2)


def test_fewer_steps_than_done_are_refused(finished: Path) -> None:
    refused(2, "runs", "resume", finished, "--steps", 30, says=("60", "30"))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('env = "Pendulum-v1"', 'env = "MountainCarContinuous-v0"'),
        ("environments = 1", "environments = 2"),
        ("capacity = 100", "capacity = 200"),
        ("hidden = [\n    16,\n]", "hidden = [\n    8,\n]"),
    ],
    ids=["environment", "environments", "capacity", "network"],
)
def test_resuming_what_is_another_run_is_refused(paused: Path, old: str, new: str) -> None:
    path = paused / "config.toml"
    text = path.read_text()
    assert old in text, text
    path.write_text(text.replace(old, new, 1))
    before = sorted(one.name for one in (paused / "checkpoints").iterdir())
    result = call("runs", "resume", paused)
    assert result.exit_code in (2, 4), result.stderr
    assert "Error: " in result.stderr and "Traceback" not in result.stderr
    assert "a bug" not in result.stderr
    assert sorted(one.name for one in (paused / "checkpoints").iterdir()) == before


def test_resuming_with_observations_of_another_size_is_refused(module: str, tmp_path: Path) -> None:
    path = tmp_path / "run"
    words = running(module, 100, "evaluate_every=1", "env_args.size=2")
    answer(*words, "--max-time", "0.001s", "--run-dir", path)
    config = path / "config.toml"
    config.write_text(config.read_text().replace("size = 2", "size = 3"))
    result = call("runs", "resume", path)
    assert result.exit_code == 4, result.stderr
    assert "Error: " in result.stderr and "a bug" not in result.stderr


def test_sweeps_that_cannot_be_are_refused(tmp_path: Path) -> None:
    sweep = ("sweep", "rl", "run", "Pendulum-v1", "--runs-dir", tmp_path / "runs")
    grid = ("--seeds", "0", "--grid")
    refused(2, *sweep, *grid, "dispersion.sdt=0.1,0.2", says=("dispersion.sdt", "'std'"))
    refused(2, *sweep, *grid, "dispersion.std=0.1,-0.2", says=("dispersion.std", "-0.2"))
    refused(2, *sweep, "--seeds", "3-1", says=("3-1",))
    refused(2, "sweep", "rl", "run", "Pendulm-v1", "--seeds", "0", says=("Pendulum-v1",))
    assert not (tmp_path / "runs").exists()


READERS = {"evaluate": (), "render": ("--out", "walk.mp4"), "export": ("policy.onnx",)}


@pytest.mark.parametrize("verb", READERS)
def test_only_policies_are_read(
    verb: str, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rest = READERS[verb]
    (finished / "model.json").unlink()
    refused(4, "rl", verb, finished, *rest, says=("no policy yet", "runs resume"))
    refused(4, "rl", verb, "rl-run-1999", *rest, says=("rl-run-1999",))
    assert not (tmp_path / "walk.mp4").exists() and not (tmp_path / "policy.onnx").exists()


@pytest.mark.parametrize("verb", READERS)
def test_runs_of_other_applications_are_no_policies(
    verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    search = ("vqe", "search", "--molecule", "H2", "--mapping", "parity", "--set", "steps=1")
    more = ("--set", "baselines=['hartree-fock']", "--set", "agent.hidden=[4]")
    other = answer(*search, *more, "--run-dir", tmp_path / "other")["run"]
    refused(4, "rl", verb, other, *READERS[verb], says=("vqe",))
    refused(4, "rl", "compare", other, says=("rl",))


class Canary:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {self.path}",)


@pytest.mark.parametrize("name", ["model.safetensors", "model.json", "config.toml"])
def test_files_that_would_run_code_are_refused(name: str, finished: Path, tmp_path: Path) -> None:
    (finished / name).write_bytes(pickle.dumps(Canary(tmp_path / "canary")))
    if name != "config.toml":  # a policy needs no settings of the run
        refused(4, "rl", "evaluate", finished, says=(name,))
    result = call("runs", "resume", finished, "--steps", 100)
    assert result.exit_code in (0, 4), result.stderr
    assert not (tmp_path / "canary").exists()


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('"observation_size": 11', '"observation_size": 12', "(16, 12)"),
        ('"activation": "relu"', '"activation": "rleu"', "relu"),
        ('"low": [', '"lower": [', "low: Field required"),
        ('"env": "Hopper-v5"', '"env": "Hoper-v5"', "Hopper-v5"),
    ],
)
def test_damaged_descriptions_are_refused(old: str, new: str, says: str, finished: Path) -> None:
    path = finished / "model.json"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    result = call("rl", "evaluate", finished)
    check_refusal(result.exit_code, result.stdout, result.stderr, 2 if "env" in old else 4, (says,))
