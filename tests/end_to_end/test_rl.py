"""``toolkit rl`` as somebody types it who wants to see a pendulum swing and a hopper hop."""

from __future__ import annotations

import csv
import re
import shutil
import subprocess
from pathlib import Path

import gymnasium
import numpy as np
import pytest
from commands import answer, call, refused, same
from imageio_ffmpeg import get_ffmpeg_exe

from toolkit.core.run import Run
from toolkit.rl import load_policy

TINY = (
    *("hidden=[8]", "dispersion.hidden=[8]", "twin_q.critic_hidden=[8]", "batch_size=8"),
    *("learning_starts=10", "random_steps=0", "episodes=1", "final_episodes=2"),
    *("evaluate_every=100", "replay.capacity=250", "replay.memory_map=false"),
)
KEYS = {
    *("env", "preset", "seed", "steps", "return_mean", "return_last10", "final_sigma"),
    *("steps_per_s", "updates_per_s"),
}


def sets(*changes: str) -> tuple[str, ...]:
    return tuple(f"--set={text}" for text in (*TINY, *changes))


def running(env: str, steps: int, *changes: str) -> list[object]:
    """The words of a small run; an episode of the pendulum has 200 steps."""
    return ["rl", "run", env, "--steps", steps, "--seed", 3, "--device", "cpu", *sets(*changes)]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one finished run; not to be changed."""
    folder = tmp_path_factory.mktemp("rl")
    answer(*running("Pendulum-v1", 450), "--runs-dir", folder)
    return folder


@pytest.fixture(scope="module")
def finished(runs: Path) -> Path:
    (path,) = (found.parent for found in runs.glob("rl-*/env.json"))
    return path


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_run_says_what_was_asked_and_leaves_every_return(finished: Path) -> None:
    result = Run(finished).result
    assert result is not None and result.keys() >= KEYS
    facts = {key: result[key] for key in ("env", "preset", "seed", "steps")}
    assert facts == {"env": "Pendulum-v1", "preset": "acerax", "seed": 3, "steps": 450}
    assert -2000 < result["return_mean"] < 0
    (sigma,) = result["final_sigma"]
    assert 0.1 <= sigma <= 1
    assert result["steps_per_s"] > result["updates_per_s"] > 0
    training = rows(finished / "episodes.csv")
    assert [row["step"] for row in training] == ["200", "400"]
    last = np.mean([float(row["return"]) for row in training])
    assert result["return_last10"] == pytest.approx(last)
    evaluated = rows(finished / "evaluations.csv")
    assert [row["step"] for row in evaluated] == ["100", "200", "300", "400", "450"]


def test_metrics_show_return_sigma_and_whether_learning_is_sound(finished: Path) -> None:
    lines = Run(finished).metrics
    assert [line["step"] for line in lines] == [100, 200, 300, 400, 450]
    keys = {"evaluation/return", "sigma/0", "sigma/mean", "train/value", "train/mode_distance"}
    assert all(line.keys() >= keys for line in lines)
    assert lines[1].keys() >= {"training/return", "value/expected", "value/observed", "value/bias"}


def test_the_report_shows_return_and_sigma_first(finished: Path) -> None:
    page = (finished / "report.html").read_text()
    large = re.findall(r"<dt>(.*?)</dt>\s*<dd>", page.partition("</dl>")[0])
    assert large[:3] == ["return_mean", "return_last10", "sigma_mean"]
    first, second = "standard deviation σ of actions", "Whether learning is sound"
    assert 0 < page.index(first) < page.index(second)


def test_one_seed_gives_one_run(finished: Path, tmp_path: Path) -> None:
    again = Path(answer(*running("Pendulum-v1", 450), "--runs-dir", tmp_path)["run"])
    assert same(finished, again)
    other = running("Pendulum-v1", 450)
    other[other.index("--seed") + 1] = 4
    assert not same(finished, Path(answer(*other, "--runs-dir", tmp_path)["run"]))


@pytest.mark.parametrize("preset", ["acerax", "acerax-paper", "acer", "sac", "sacx"])
def test_every_preset_runs(preset: str, tmp_path: Path) -> None:
    words = [*running("Pendulum-v1", 60), "--preset", preset, "--runs-dir", tmp_path]
    found = answer(*words)
    assert found["preset"] == preset
    assert found["updates"] > 0
    assert np.isfinite([found["return_mean"], *found["final_sigma"]]).all()


@pytest.mark.parametrize("critic", ["plain", "layer-norm", "batch-norm", "simba"])
@pytest.mark.parametrize("kind", ["adaptive", "temperature"])
def test_every_critic_runs(critic: str, kind: str, tmp_path: Path) -> None:
    bound = "action" if kind == "temperature" else "mode"
    changes = (f"twin_q.critic={critic}", f"dispersion.kind={kind}", f"twin_q.bound={bound}")
    changes = (*changes, "twin_q.policy_delay=2", "updates_per_step=1")
    words = [*running("Pendulum-v1", 60, *changes), "--preset", "sacx", "--runs-dir", tmp_path]
    found = answer(*words)
    assert found["updates"] == 50
    assert found["final_sigma"] != [pytest.approx(0.4, abs=1e-6)]


def test_arguments_reach_the_environment(tmp_path: Path) -> None:
    arguments = ("--env-arg", "g=0.0", "--env-arg", "max_episode_steps=50")
    found = answer(*running("Pendulum-v1", 60), *arguments, "--runs-dir", tmp_path)
    assert found["env_args"] == {"g": 0.0, "max_episode_steps": 50}
    assert found["lengths"] == [50, 50]
    assert load_policy(found["run"]).env_args == found["env_args"]
    assert answer("rl", "evaluate", found["run"], "--episodes", 2)["lengths"] == [50, 50]


def test_several_environments_share_the_steps(tmp_path: Path) -> None:
    found = answer(*running("Pendulum-v1", 630, "environments=3"), "--runs-dir", tmp_path)
    assert found["training_episodes"] == 3
    ended = rows(Path(found["run"]) / "episodes.csv")
    assert {row["environment"] for row in ended} == {"0", "1", "2"}


def test_a_mapped_memory_changes_nothing(finished: Path, tmp_path: Path) -> None:
    changes = ("replay.memory_map=true",)
    found = answer(*running("Pendulum-v1", 450, *changes), "--runs-dir", tmp_path)
    assert same(finished, Path(found["run"]))


def test_evaluation_repeats_the_runs_verdict_and_a_policy_in_python_agrees(finished: Path) -> None:
    result = Run(finished).result
    assert result is not None
    found = answer("rl", "evaluate", finished, "--episodes", 2)
    assert found["returns"] == pytest.approx(result["returns"], rel=1e-9)
    policy = load_policy(finished)
    with gymnasium.make("Pendulum-v1") as env:
        for k, expected in enumerate(found["returns"]):
            observation, _ = env.reset(seed=k)
            total, over = 0.0, False
            while not over:
                observation, reward, terminated, over, _ = env.step(policy(observation))
                assert not terminated
                total += float(reward)
            assert total == pytest.approx(expected, rel=1e-4)  # one row a call: other last bits


def test_exploration_is_judged_beside_the_mode(finished: Path) -> None:
    words = ("rl", "evaluate", finished, "--episodes", 3, "--stochastic")
    found = answer(*words)
    assert found["stochastic"]["returns"] != found["returns"]
    assert found["stochastic"]["sigma"] == Run(finished).result["final_sigma"]  # type: ignore[index]
    told = call(*words).stdout
    for part in (found, found["stochastic"]):
        assert f"{part['return_mean']:.4g}" in told  # a reader without --json sees both


@pytest.mark.parametrize(("name", "frames"), [("swing.mp4", 21), ("swing.gif", 11)])
def test_a_pendulum_is_filmed(finished: Path, tmp_path: Path, name: str, frames: int) -> None:
    path = tmp_path / name
    view = ("--steps", 20, "--width", 96, "--height", 64)
    found = answer("rl", "render", finished, "--out", path, *view)
    assert found["frames"] == frames
    raw_frames = ("-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "rgb24", "-")
    command = [get_ffmpeg_exe(), "-v", "error", "-i", path, *raw_frames]
    raw = subprocess.run(command, capture_output=True, check=True).stdout
    pictures = np.frombuffer(raw, np.uint8).reshape(-1, 64, 96, 3).astype(int)
    assert len(pictures) == frames
    assert pictures.std() > 5  # something is seen
    assert (pictures[0] != pictures[-1]).any()  # and moves
    assert Path(found["poster"]).stat().st_size > 1000


def test_a_policy_is_exported(finished: Path, tmp_path: Path) -> None:
    runtime = pytest.importorskip("onnxruntime", reason="extra onnx is not installed")
    found = answer("rl", "export", finished, tmp_path / "policy.onnx")
    assert found["largest_difference"] < 1e-5
    session = runtime.InferenceSession(found["file"])
    seen = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    (actions,) = session.run(None, {session.get_inputs()[0].name: seen})
    assert actions == pytest.approx(load_policy(finished)(seen), abs=1e-5)


def test_a_swept_run_is_compared_over_its_seeds(tmp_path: Path) -> None:
    words = ("sweep", "rl", "run", "Pendulum-v1", "--seeds", "0-1", "--workers", 2)
    swept = answer(*words, "--steps", 120, *sets(), "--runs-dir", tmp_path)
    assert [one["seed"] for one in swept["cells"]] == [0, 1]
    found = answer("rl", "compare", swept["sweep"], "--out", tmp_path / "compared")
    (row,) = found["rows"]
    assert row.keys() >= {"n_seeds", "mean", "iqm", "ci95"}
    assert (row["env"], row["preset"], row["n_seeds"]) == ("Pendulum-v1", "acerax", 2)
    means = [Run(path.parent).metrics[-1] for path in Path(swept["sweep"]).glob("*/env.json")]
    assert row["mean"] == pytest.approx(np.mean([line["evaluation/return"] for line in means]))
    low, high = row["ci95"]
    assert low <= row["mean"] <= high
    page = (tmp_path / "compared" / "report.html").read_text()
    assert "Pendulum-v1" in page and 'src="http' not in page


def test_presets_are_compared(finished: Path, tmp_path: Path) -> None:
    other = answer(*running("Pendulum-v1", 450), "--preset", "sac", "--runs-dir", tmp_path)
    found = answer("rl", "compare", finished, other["run"], "--out", tmp_path / "compared")
    assert [row["preset"] for row in found["rows"]] == ["acerax", "sac"]
    told = call("rl", "compare", finished, other["run"], "--out", tmp_path / "compared")
    assert told.exit_code == 0 and "IQM" in told.stdout


def test_a_run_is_extended(finished: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(finished, tmp_path / finished.name))
    found = answer("runs", "resume", copy, "--steps", 600)
    assert found["steps"] == 600
    lines = Run(copy).metrics
    assert [line["step"] for line in lines] == [100, 200, 300, 400, 450, 500, 600]
    assert [row["step"] for row in rows(copy / "episodes.csv")] == ["200", "400", "600"]


def test_a_run_cut_by_time_before_its_first_evaluation_has_a_result(tmp_path: Path) -> None:
    words = running("Pendulum-v1", 10**6, "evaluate_every=1000000")
    found = answer(*words, "--max-time", "0.5s", "--runs-dir", tmp_path)
    assert found["stopped_by"] == "max_time"
    assert found["steps"] > 0 and found["steps_per_s"] > 0
    assert 0.1 <= found["final_sigma"][0] <= 1
    assert Run(Path(found["run"])).status["state"] == "paused"
    refused(4, "rl", "compare", found["run"], says=("with an evaluation",))


def test_a_run_that_ends_before_learning_begins_says_so(tmp_path: Path) -> None:
    found = answer(*running("Pendulum-v1", 5), "--runs-dir", tmp_path)
    assert found["updates"] == 0
    assert any("learning_starts = 10" in note for note in found["notes"])
    assert not any("random_steps" in note for note in found["notes"])


def test_a_run_of_random_actions_alone_says_so(tmp_path: Path) -> None:
    found = answer(*running("Pendulum-v1", 20, "random_steps=20"), "--runs-dir", tmp_path)
    assert any("random_steps = 20" in note for note in found["notes"])


def test_names_find_the_newest_run(runs: Path, finished: Path) -> None:
    found = answer("rl", "evaluate", "@last:rl", "--episodes", 1, "--runs-dir", runs)
    assert found["returns"] == answer("rl", "evaluate", finished, "--episodes", 1)["returns"]


def test_hoppers_hop(tmp_path: Path) -> None:
    found = answer(*running("Hopper-v5", 120), "--preset", "sacx", "--runs-dir", tmp_path)
    assert len(found["final_sigma"]) == 3
    assert found["training_episodes"] == len(rows(Path(found["run"]) / "episodes.csv")) > 0
    assert answer("rl", "evaluate", found["run"], "--episodes", 2)["returns"] == found["returns"]
