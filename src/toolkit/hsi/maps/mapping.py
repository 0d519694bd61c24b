"""A map of a whole scene: the fully convolutional network over tiles, in bounded memory.

Neighbouring pixels share almost all of their patches' computation, so a tile costs little more
than its pixels, where a loop over patches repeats everything as often as a patch has pixels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from toolkit.core.errors import ConfigError
from toolkit.core.progress import Progress, Silent
from toolkit.hsi.model import HsiModel
from toolkit.hsi.reading import tile as read_tile
from toolkit.hsi.scene import Cube, Mask

CPU_BUDGET_MB, GPU_BUDGET_MB = 16.0, 1024.0  # on a CPU larger tiles leave its caches: no faster
_PROBE = 8  # side, in map pixels, of the tile that memory is estimated on
_OVERHEAD = 2  # a convolution copies into a layout of its own what goes in and comes out

Spot = tuple[slice, slice]  # rows and columns of a tile


@dataclass(frozen=True, eq=False)
class ClassMap:
    """What a model says of each pixel.

    Attributes:
        classes: (rows, columns) 0 … K - 1; -1 where it was not asked, or where the patch has a
            value that is not finite.
        confidence: (rows, columns) the largest class probability; 0 where ``classes`` is -1.
        probabilities: (rows, columns, K) where asked for; 0 where ``classes`` is -1.
    """

    classes: NDArray[np.int16]
    confidence: NDArray[np.float32]
    probabilities: NDArray[np.float32] | None = None


def decide(probabilities: NDArray[np.float32]) -> ClassMap:
    """The likeliest class of each pixel.

    Args:
        probabilities: (rows, columns, K); a pixel of zeros or NaN is left undecided.
    """
    known = np.nan_to_num(probabilities)
    confidence = known.max(axis=-1)
    classes = np.where(confidence > 0, known.argmax(axis=-1), -1).astype(np.int16)
    return ClassMap(classes, confidence, known)


def predict(
    model: HsiModel,
    cube: Cube,
    *,
    where: Mask | None = None,
    tile: int | None = None,
    keep_probabilities: bool = False,
    progress: Progress | None = None,
) -> ClassMap:
    """Classify a scene, or some of its pixels, on the device that the model is on.

    A pixel gets what the model says of its own patch, mirrored at the border, however the scene
    is cut into tiles. Beside cube and result memory is one tile's. With all probabilities the
    result takes 4 K bytes a pixel more.

    Args:
        model: is put into evaluation mode.
        cube: (rows, columns, bands); may be a memory map.
        where: (rows, columns) the pixels that are wanted; tiles without any are skipped.
        tile: side in pixels; by default as large as ``tile_side`` says.
        keep_probabilities: of all classes, as regularisation needs them.
        progress: told of every tile.

    Raises:
        ConfigError: a tile below 1.
        DataError: the cube has another number of bands than the model.
    """
    model.eval()
    side = tile_side(model, cube.shape[2]) if tile is None else tile
    if side < 1:
        raise ConfigError(f"a tile of side {side}", hint="a side of 1 or more; 64 is usual")
    found = _empty(cube.shape[:2], model.classes, keep_probabilities)
    spots = [s for s in _spots(cube.shape[:2], side) if where is None or where[s].any()]
    progress = progress or Silent()
    progress.start(0, len(spots))
    try:
        for done, spot in enumerate(spots, 1):
            _fill(found, spot, decide(_probabilities(model, cube, spot)))
            progress.update(done, {})
    finally:
        progress.stop()
    return found if where is None else _only(found, where)


@torch.inference_mode()
def tile_side(model: HsiModel, bands: int, budget_mb: float | None = None) -> int:
    """Side of the largest tile whose activations fit into ``budget_mb`` MiB, at least 1.

    Estimated on a small tile: a module needs what goes in and what comes out at once, and the
    most demanding module decides. 3-D networks need 10 to 100 times as much as 2-D ones. The
    libraries' own buffers come on top, so that a process may grow by a few times the budget.

    Args:
        model: in evaluation mode.
        bands: of the scene.
        budget_mb: by default 16 on a CPU, where larger tiles leave the caches, and 1024 on a GPU.

    Raises:
        DataError: the scene has another number of bands than the model.
    """
    device = model.mean.device
    if budget_mb is None:
        budget_mb = CPU_BUDGET_MB if device.type == "cpu" else GPU_BUDGET_MB
    input_side = _PROBE + model.patch - 1
    per_pixel = _peak_bytes(model, torch.zeros(1, bands, input_side, input_side, device=device))
    per_pixel /= input_side**2
    return max(1, math.isqrt(int(budget_mb * 2**20 / per_pixel)) - model.patch + 1)


def _peak_bytes(model: nn.Module, x_BCHW: Tensor) -> float:
    needed = [0]

    def note(_: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        needed.append(sum(t.nbytes for t in (*inputs, output)))

    hooks = [m.register_forward_hook(note) for m in model.modules() if not [*m.children()]]
    try:
        model(x_BCHW)
    finally:
        for hook in hooks:
            hook.remove()
    return float(_OVERHEAD * max(needed))


def _spots(shape: tuple[int, ...], side: int) -> list[Spot]:
    """Tiles of one size, as a new size costs a convolution's set-up; the last ones may overlap."""
    rows, columns = (_spans(n, side) for n in shape)
    return [(r, c) for r in rows for c in columns]


def _spans(n: int, side: int) -> list[slice]:
    parts = math.ceil(n / side)
    even = math.ceil(n / parts)
    return [slice(s, s + even) for s in (min(i * even, n - even) for i in range(parts))]


@torch.inference_mode()
def _probabilities(model: HsiModel, cube: Cube, spot: Spot) -> NDArray[np.float32]:
    """(rows of the tile, columns of the tile, K)."""
    (top, bottom), (left, right) = ((s.start, s.stop) for s in spot)
    x_HWC = read_tile(cube, top, left, bottom - top, right - left, model.patch // 2)
    x_BCHW = torch.from_numpy(x_HWC).permute(2, 0, 1)[None].to(model.mean.device)
    p_KHW: Tensor = model(x_BCHW)[0].softmax(0)
    return np.asarray(p_KHW.permute(1, 2, 0).cpu().numpy())


def _empty(shape: tuple[int, ...], classes: int, keep_probabilities: bool) -> ClassMap:
    kept = np.zeros((*shape, classes), np.float32) if keep_probabilities else None
    return ClassMap(np.full(shape, -1, np.int16), np.zeros(shape, np.float32), kept)


def _fill(found: ClassMap, spot: Spot, part: ClassMap) -> None:
    found.classes[spot], found.confidence[spot] = part.classes, part.confidence
    if found.probabilities is not None:
        found.probabilities[spot] = part.probabilities


def _only(found: ClassMap, where: Mask) -> ClassMap:
    found.classes[~where] = -1
    found.confidence[~where] = 0
    if found.probabilities is not None:
        found.probabilities[~where] = 0
    return found
