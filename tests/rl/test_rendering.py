from __future__ import annotations

import subprocess

import numpy as np
import pytest
import torch
from commands import answer, refused, spawn, strict_json
from imageio_ffmpeg import get_ffmpeg_exe
from PIL import Image

from toolkit.core import plots
from toolkit.core.errors import ConfigError, DivergedError, RunError, UnavailableError
from toolkit.core.run import Run
from toolkit.rl import environments, offscreen, rendering, video
from toolkit.rl.agents.networks import Actor
from toolkit.rl.agents.policy import Policy
from toolkit.rl.agents.standardisation import Standardisation
from toolkit.rl.config import RlRunConfig
from toolkit.rl.evaluation import Evaluator
from toolkit.rl.rendering import record
from toolkit.rl.stored import save_policy


def still(rows):
    return np.zeros((len(rows), 1), np.float32)


def hopping(rows):
    return np.tile(np.array([0.2, -0.1, 0.3], np.float32), (len(rows), 1))


@pytest.fixture(scope="module")
def drawing():
    """MuJoCo can draw here."""
    try:
        return offscreen.prepare()
    except UnavailableError as error:
        pytest.skip(error.what)


def frames_of(path, height, width):
    """Frames (n, height, width, 3) as ffmpeg itself reads them, and what it says of the file."""
    command = [get_ffmpeg_exe(), "-i", path, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    done = subprocess.run(command, capture_output=True, check=True)
    frames = np.frombuffer(done.stdout, np.uint8).reshape(-1, height, width, 3)
    return frames.astype(int), done.stderr.decode()


def test_a_pendulum_becomes_an_mp4_with_every_step_and_its_start(tmp_path):
    path = tmp_path / "new" / "swing.mp4"
    said = record(still, "Pendulum-v1", {}, path, steps=40, seed=3, width=160, height=120)
    frames, facts = frames_of(path, 120, 160)
    assert len(frames) == said["frames"] == 41 and said["fps"] == 30
    assert " 160x120" in facts and " 30 fps" in facts
    assert said["lengths"] == [40] and said["terminated"] == [False]
    assert np.abs(frames[0] - frames[-1]).max() > 100, "the pendulum moved"
    assert not [*path.parent.glob(".tmp-*")]


def test_a_gif_is_thinned_to_what_browsers_show_and_repeats(tmp_path):
    path = tmp_path / "swing.gif"
    said = record(still, "Pendulum-v1", {}, path, steps=40, seed=3, width=100, height=100)
    with Image.open(path) as image:
        times = [image.seek(i) or image.info["duration"] for i in range(image.n_frames)]
        assert image.info["loop"] == 0 and image.size == (100, 100)
    assert (said["frames"], said["fps"]) == (21, 15)
    assert sum(times) == 21 * 70  # a frame like the one before only makes that one last longer


def test_stills_are_spread_over_the_whole_episode(tmp_path):
    path = tmp_path / "swing.mp4"
    said = record(still, "Pendulum-v1", {}, path, width=64, height=64)
    assert said["poster"] == str(tmp_path / "swing.png") and said["lengths"] == [200]
    assert "swing.mp4" in plots.caption_of(tmp_path / "swing.png")


@pytest.mark.parametrize("count", [1, 4, 47, 48, 49, 1001])
def test_few_frames_are_remembered_of_any_number(monkeypatch, count):
    monkeypatch.setattr(rendering, "_fitted", lambda picture, size: picture)
    env = environments.make("Pendulum-v1", {}, render_mode="rgb_array")
    monkeypatch.setattr(env.unwrapped, "render", lambda: np.zeros((2, 2, 3), np.uint8))
    show = rendering._Show(env, still, (2, 2), 3, None)
    env.reset(seed=0)
    for _ in range(count):
        show._frame()
    steps = [step for step, _ in show.stills()]
    assert len(steps) == min(count, 6) and steps[0] == 0
    assert steps[-1] > 0.9 * 3 * (count - 1) or count == 1
    gaps = np.diff(steps)
    assert count < 6 or gaps.max() < 2 * gaps.min()
    assert len(show._kept) < 48
    env.close()


def test_returns_are_those_of_an_evaluation(tmp_path):
    said = record(still, "Pendulum-v1", {"g": 5.0}, tmp_path / "a.gif", episodes=2, seed=4)
    found = Evaluator("Pendulum-v1", {"g": 5.0}, 2, seed=4)(still)
    assert said["returns"] == found.returns.tolist()


def test_a_picture_is_fitted_without_being_distorted():
    circle = np.zeros((100, 200, 3), np.uint8)
    fitted = rendering._fitted(circle, (80, 80))
    assert fitted.shape == (80, 80, 3)
    dark = (fitted.sum(-1) < 100).sum(0)
    assert dark.tolist() == [40] * 80


def test_odd_sides_become_even(tmp_path):
    said = record(still, "Pendulum-v1", {}, tmp_path / "a.mp4", steps=2, width=65, height=71)
    frames, facts = frames_of(said["file"], 72, 66)
    assert len(frames) == 3 and " 66x72" in facts


@pytest.mark.parametrize("name", ["walk", "walk.avi", "walk.MP4.txt"])
def test_a_file_that_is_no_video_is_refused_before_anything_is_made(tmp_path, monkeypatch, name):
    monkeypatch.setattr(environments, "make", lambda *_, **__: pytest.fail("made"))
    with pytest.raises(ConfigError, match=name):
        record(still, "Pendulum-v1", {}, tmp_path / name)


def test_a_folder_that_cannot_be_is_one_clear_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match="cannot write"):
        record(still, "Pendulum-v1", {}, tmp_path / "file" / "a.gif", steps=1)


@pytest.mark.parametrize("kind", ["mp4", "gif"])
def test_nothing_is_left_of_a_video_that_failed(tmp_path, kind):
    def failing(rows):
        failing.calls += 1
        return still(rows) if failing.calls < 5 else still(rows) * np.nan

    failing.calls = 0
    with pytest.raises(DivergedError, match="action"):
        record(failing, "Pendulum-v1", {}, tmp_path / f"a.{kind}")
    assert not [*tmp_path.iterdir()]


def test_a_camera_where_there_is_none_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="no cameras"):
        record(still, "Pendulum-v1", {}, tmp_path / "a.gif", camera="track")


def test_without_ffmpeg_a_gif_is_suggested(tmp_path, monkeypatch):
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", "")
    monkeypatch.setattr("imageio_ffmpeg.get_ffmpeg_exe", failing_with(RuntimeError("none")))
    with pytest.raises(UnavailableError, match="ffmpeg") as caught:
        record(still, "Pendulum-v1", {}, tmp_path / "a.mp4", steps=1)
    assert ".gif" in caught.value.hint


def failing_with(error):
    def function(*_, **__):
        raise error

    return function


def test_a_hopper_is_filmed_by_a_camera_that_goes_along(tmp_path, drawing):
    path = tmp_path / "hop.gif"
    said = record(hopping, "Hopper-v5", {}, path, steps=10, width=96, height=64)
    assert said["fps"] == 25 and said["frames"] == 3
    with Image.open(path) as image:
        assert image.size == (96, 64) and np.asarray(image.convert("RGB")).std() > 10


def test_a_mujoco_camera_is_chosen_by_name_or_refused(drawing):
    with pytest.raises(ConfigError, match="trakc") as caught:
        rendering._drawn("Hopper-v5", {}, (64, 64), "trakc")
    assert "'track'" in caught.value.hint
    env = rendering._drawn("Hopper-v5", {}, (64, 64), "track")
    assert env.unwrapped.mujoco_renderer.camera_id == 0
    env.close()


@pytest.fixture
def probing(monkeypatch):
    """Replaces the attempts: ``probing["egl"] = ""`` works; all that are not named fail."""
    complaints = {}
    monkeypatch.setattr(offscreen, "_complaint", lambda way: complaints.get(way, "no luck"))
    monkeypatch.setenv("MUJOCO_GL", "")  # so that what is set now is restored
    monkeypatch.delenv("MUJOCO_GL")
    return complaints


def test_the_first_way_that_works_is_taken(probing):
    probing |= {"osmesa": "", "glfw": ""}
    assert offscreen.prepare() == "osmesa"
    assert offscreen.os.environ["MUJOCO_GL"] == "osmesa"


def test_a_way_that_was_asked_for_is_the_only_one_tried(probing, monkeypatch):
    probing |= {"egl": ""}
    monkeypatch.setenv("MUJOCO_GL", "osmesa")
    with pytest.raises(UnavailableError, match="osmesa: no luck") as caught:
        offscreen.prepare()
    assert "unset MUJOCO_GL" in caught.value.hint


def test_where_nothing_works_packages_are_named(probing):
    with pytest.raises(UnavailableError, match="egl: no luck; osmesa") as caught:
        offscreen.prepare()
    assert "libegl1" in caught.value.hint and caught.value.exit_code == 5


def test_an_attempt_that_fails_says_why():
    assert "nonsense" in offscreen._complaint("nonsense")


def test_a_gif_never_plays_faster_than_browsers_allow():
    assert [video.stride(rendering.Path("a.gif"), fps) for fps in (20, 25, 30, 125)] == [1, 1, 2, 5]
    assert video.stride(rendering.Path("a.mp4"), 125) == 1


@pytest.fixture
def run(tmp_path):
    env = environments.make("Pendulum-v1", {})
    torch.manual_seed(0)
    spaces = environments.spaces_of(env)
    policy = Policy(spaces, Actor([3, 8, 1], "relu"), Standardisation(3), squash=False)
    env.close()
    config = RlRunConfig(env="Pendulum-v1", label="acer", hidden=(8,), activation="relu")
    made = Run.create(tmp_path, "rl", "run", config)
    save_policy(made.path, policy, config, [0.5])
    return made


def test_the_command_films_a_run(run, tmp_path):
    said = answer("rl", "render", run.path, "--out", tmp_path / "a.gif", "--steps", 5)
    assert (said["env"], said["frames"], said["lengths"]) == ("Pendulum-v1", 3, [5])


def test_a_fresh_process_prints_nothing_but_its_json(run, tmp_path):
    process = spawn("rl", "render", run.path, "--out", tmp_path / "a.mp4", "--steps", 1, "--json")
    stdout, stderr = process.communicate(timeout=300)
    assert process.returncode == 0, stderr
    assert strict_json(stdout)["frames"] == 2 and stderr == ""


def test_the_command_refuses_what_is_no_video(run, tmp_path):
    words = ("rl", "render", run.path, "--out", tmp_path / "walk.avi")
    refused(2, *words, says=("walk.avi", ".mp4 or .gif"))


def test_one_frame_is_a_video_too(tmp_path):
    assert record(still, "Pendulum-v1", {}, tmp_path / "a.gif", steps=1)["frames"] == 1


def test_a_small_limb_keeps_its_colour_in_a_gif(tmp_path):
    sky = np.linspace([60, 80, 100], [180, 200, 180], 200)[:, None]
    frame = np.broadcast_to(sky + np.linspace(0, 60, 200)[:, None], (200, 200, 3)).astype(np.uint8)
    frame[100:130, 100:105] = np.linspace([160, 20, 140], [200, 40, 180], 5)  # shaded
    path = tmp_path / "a.gif"
    video.write(path, iter([frame, frame[::-1].copy()]), 10)
    with Image.open(path) as image:
        limb = np.asarray(image.convert("RGB"))[101, 104].astype(int)
    assert np.abs(limb - (200, 40, 180)).max() < 25  # 51 where each pixel counts the same


def test_a_cheetah_far_away_still_has_a_floor_and_a_shadow(drawing):
    env = rendering._drawn("HalfCheetah-v5", {}, (96, 96), None)
    try:
        env.reset(seed=0)
        world, pictures = env.unwrapped, []
        for x in (0.0, 300.0):  # the floor of the model ends at 40
            world.set_state(np.r_[x, world.data.qpos[1:]], world.data.qvel)
            pictures.append(np.asarray(env.render()).astype(int))
    finally:
        env.close()
    assert all(picture[60:].std() > 30 for picture in pictures), "squares, lit and dark"
