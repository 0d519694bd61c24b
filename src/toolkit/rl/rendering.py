"""Videos of a policy at work, drawn without a window, and a strip of stills beside each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from toolkit.core import plots
from toolkit.core.errors import ConfigError, ToolkitError, UnavailableError, closest
from toolkit.rl import environments, offscreen, video
from toolkit.rl.environment_making import blaming
from toolkit.rl.evaluation import Act, Rollout
from toolkit.rl.video import Frame

_FPS = 30.0  # of environments that do not say it
_STILLS = 6
_SHADOW = 2048  # texels a side: half of a frame's time goes into 4096 without a graphics card
_PLANE, _GOES_ALONG = 0, 1  # mujoco.mjtGeom.mjGEOM_PLANE, mjtCamLight.mjCAMLIGHT_TRACK
_FOLLOWING = "track"  # what MuJoCo's walkers call the camera that goes with them


def record(
    act: Act,
    env_id: str,
    env_args: Mapping[str, Any],
    path: Path,
    *,
    episodes: int = 1,
    seed: int = 0,
    width: int = 480,
    height: int = 480,
    steps: int | None = None,
    camera: str | None = None,
) -> dict[str, Any]:
    """Write a video of ``episodes`` from ``reset(seed=seed + k)``, and stills as ``path``.png.

    Args:
        act: observations (1, d) to actions (1, a) in the environment's units.
        env_id: a gymnasium id.
        env_args: arguments of the environment.
        path: ends in .mp4 (each step a frame) or .gif (at most 25 frames a second).
        episodes: shown one after the other.
        seed: of the first one's start.
        width: pixels; an odd one is made even.
        height: likewise.
        steps: of each episode, at most.
        camera: of the environment's model; the one that follows, where there is one.

    Returns:
        Files, frames, their rate, returns and lengths.

    Raises:
        ConfigError: no such environment, camera or kind of video.
        UnavailableError: nothing here can draw it, or there is no ffmpeg.
        DivergedError: an action, observation or reward that is not finite.
        RunError: the file cannot be written.
    """
    video.stride(path, _FPS)  # a wrong name is refused before anything is opened
    size = (width + width % 2, height + height % 2)  # half the colour's resolution must be whole
    with closing(_drawn(env_id, env_args, size, camera)) as env:
        fps = float(env.metadata.get("render_fps") or _FPS)
        stride = video.stride(path, fps)
        show = _Show(env, act, size, stride, steps)
        video.write(path, show.frames(range(seed, seed + episodes)), fps / stride)
    poster = path.with_suffix(".png")
    _draw_stills(show.stills(), fps, poster, f"{env_id}: {_STILLS} moments of {path.name}")
    return {
        "file": str(path),
        "poster": str(poster),
        "frames": show.count,
        "fps": fps / stride,
        "returns": [one.total for one in show.rollouts],
        "lengths": [one.length for one in show.rollouts],
        "terminated": [one.terminated for one in show.rollouts],
    }


def _drawn(
    env_id: str, env_args: Mapping[str, Any], size: tuple[int, int], camera: str | None
) -> environments.Env:
    """The environment, ready to draw frames."""
    offscreen.quiet_pygame()
    env = environments.make(env_id, env_args, render_mode="rgb_array")
    try:
        if hasattr(env.unwrapped, "mujoco_renderer"):
            offscreen.prepare()
            _aim(env.unwrapped, size, camera)
        elif camera is not None:
            raise ConfigError(f"{env_id} has no cameras", where="--camera", hint="leave it out")
    except ToolkitError:
        env.close()
        raise
    return env


def _aim(world: Any, size: tuple[int, int], camera: str | None) -> None:
    """Set what gymnasium's MujocoEnv ``world`` is seen by, before it draws for the first time.

    Its own camera stands still where the model's ``track`` goes along, and a cheetah runs out of
    the picture; and its floor ends in the drawing alone, where one walks on over nothing.
    """
    model, renderer = world.model, world.mujoco_renderer
    cameras = [model.camera(i).name for i in range(model.ncam)]
    if camera is not None and camera not in cameras:
        what = f"{world.spec.id} has no camera {camera!r}"
        raise ConfigError(what, where="--camera", hint=closest(camera, cameras))
    if camera is not None:
        renderer.camera_id = cameras.index(camera)
    elif renderer.camera_id < 0 and _FOLLOWING in cameras:
        renderer.camera_id = cameras.index(_FOLLOWING)
    _endless(model)
    renderer.width, renderer.height = size
    whole, quality = model.vis.global_, model.vis.quality
    whole.offwidth, whole.offheight = max(whole.offwidth, size[0]), max(whole.offheight, size[1])
    quality.shadowsize = min(quality.shadowsize, _SHADOW)


def _endless(model: Any) -> None:
    """Let the drawn floor and the light's shadows go on as far as one walks."""
    for geom in np.flatnonzero(model.geom_type == _PLANE):
        size, material = model.geom_size[geom, :2].copy(), model.geom_matid[geom]
        if material >= 0 and size.all() and not model.mat_texuniform[material]:
            model.mat_texrepeat[material] /= 2 * size  # of an endless one: squares a metre
            model.mat_texuniform[material] = True
        model.geom_size[geom, :2] = 0
    if model.nbody > 1:
        own = model.light_bodyid == 0
        model.light_bodyid[own], model.light_mode[own] = 1, _GOES_ALONG


class _Show:
    """Episodes as frames; what they gave is known once the frames are used up."""

    def __init__(
        self,
        env: environments.Env,
        act: Act,
        size: tuple[int, int],
        stride: int,
        steps: int | None,
    ) -> None:
        self._env, self._act, self._size = env, act, size
        self._stride, self._steps = stride, steps
        self._name = env.spec.id if env.spec else str(env)
        self.rollouts: list[Rollout] = []
        self.count = 0
        self._kept: list[tuple[int, Frame]] = []
        self._every = 1

    def frames(self, seeds: range) -> Iterator[Frame]:
        """Every ``stride``-th step of the episodes from ``seeds``, each start included."""
        for seed in seeds:
            one = Rollout(self._env, seed, f"{self._name}, seed {seed}")
            self.rollouts.append(one)
            yield self._frame()
            while one.goes_on and one.length != self._steps:
                one.step(self._act(one.observation[None])[0])
                if one.length % self._stride == 0:
                    yield self._frame()

    def stills(self) -> list[tuple[int, Frame]]:
        """Frames evenly spread over what was shown, each with the steps before it."""
        chosen = np.linspace(0, len(self._kept) - 1, min(_STILLS, len(self._kept)))
        return [self._kept[round(i)] for i in chosen]

    def _frame(self) -> Frame:
        with blaming(self._env, "render"):
            picture = self._env.render()
        if not isinstance(picture, np.ndarray):
            raise UnavailableError("the environment draws no pictures", where=self._name)
        frame = _fitted(picture, self._size)
        self._keep(frame)
        self.count += 1
        return frame

    def _keep(self, frame: Frame) -> None:
        """Remember few of many frames, though nobody knows yet how many there will be."""
        if self.count % self._every == 0:
            self._kept.append((self.count * self._stride, frame))
        if len(self._kept) == 8 * _STILLS:
            self._kept, self._every = self._kept[::2], 2 * self._every


def _fitted(picture: NDArray[Any], size: tuple[int, int]) -> Frame:
    """``picture`` (h, w, 3) inside (width, height), undistorted."""
    if picture.shape[1::-1] == size:
        return picture
    return np.asarray(ImageOps.pad(Image.fromarray(picture), size, color="white"))


def _draw_stills(stills: list[tuple[int, Frame]], fps: float, path: Path, caption: str) -> None:
    rows, columns, _ = stills[0][1].shape
    width_in = plots.WIDTH_IN / _STILLS
    height_in = width_in * rows / columns + 0.25
    figure, axes = plots.canvas(width_in * len(stills), height_in, 1, len(stills))
    for ax, (step, frame) in zip(axes, stills):
        ax.imshow(frame)
        ax.set_axis_off()
        ax.set_title(f"{step / fps:.1f} s", fontsize=plots.SMALL, color=plots.INK)
    plots.save(figure, path, caption)
