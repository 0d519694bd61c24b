"""Frames as mp4 or GIF, written as they come."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from toolkit.core.errors import ConfigError, UnavailableError
from toolkit.core.files import saving

Frame = NDArray[np.uint8]  # (height, width, 3)
_GIF_FPS = 25  # more is slowed down by browsers, and only larger
_COLOURS = 128


def stride(path: Path, fps: float) -> int:
    """Every how many frames one is written.

    Raises:
        ConfigError: the name ends neither in .mp4 nor in .gif.
    """
    if path.suffix not in _WRITERS:
        raise ConfigError(
            f"{path.name!r} names no kind of video", where="--out", hint="end it in .mp4 or .gif"
        )
    return math.ceil(fps / _GIF_FPS) if path.suffix == ".gif" else 1


def write(path: Path, frames: Iterator[Frame], fps: float) -> None:
    """Write ``frames`` of one even size; the file appears under its name when whole.

    Raises:
        UnavailableError: there is no ffmpeg for mp4.
        RunError: the file cannot be written.
    """
    temporary = path.with_name(f".tmp-{path.name}")
    with saving(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            _WRITERS[path.suffix](temporary, frames, fps)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def _mp4(path: Path, frames: Iterator[Frame], fps: float) -> None:
    import imageio.v2 as imageio
    import imageio_ffmpeg

    try:
        imageio_ffmpeg.get_ffmpeg_exe()
    except RuntimeError as error:
        hint = "pip install -c constraints.txt imageio-ffmpeg; or --out FILE.gif"
        raise UnavailableError("there is no ffmpeg", where=str(path), hint=hint) from error
    writer: Any = imageio.get_writer(path, fps=fps, quality=7, macro_block_size=2)
    with writer:
        for frame in frames:
            writer.append_data(frame)


def _gif(path: Path, frames: Iterator[Frame], fps: float) -> None:
    """One palette for all frames: what stands still neither flickers nor costs anything."""
    start = next(frames)
    palette = _palette(start)
    first = Image.fromarray(start).quantize(palette=palette, dither=Image.Dither.NONE)

    def rest() -> Iterator[Image.Image]:
        for frame in frames:
            yield Image.fromarray(frame).quantize(palette=palette, dither=Image.Dither.NONE)

    hundredths = max(2, round(100 / fps))  # the format's unit
    first.save(path, save_all=True, append_images=rest(), duration=10 * hundredths, loop=0)


def _palette(frame: Frame) -> Image.Image:
    """Colours of ``frame``, each counting by the root of its pixels.

    By the pixels themselves sky and floor would take all, and small limbs turn grey.
    """
    pixels = frame.reshape(-1, 3)
    _, where, counts = np.unique(pixels >> 2, axis=0, return_index=True, return_counts=True)
    weighted = np.repeat(pixels[where], np.sqrt(counts).astype(int), axis=0)
    return Image.fromarray(weighted[None]).quantize(_COLOURS)


_WRITERS: dict[str, Callable[[Path, Iterator[Frame], float], None]] = {".mp4": _mp4, ".gif": _gif}
