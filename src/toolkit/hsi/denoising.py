"""Noise taken off a scene by a low-rank Tucker decomposition, before anything is learnt.

Signal is shared by neighbouring pixels and bands, noise is not, so that few components along each
axis hold the one and little of the other (Renard et al. 2008, IEEE GRSL 5(2) 138,
doi 10.1109/LGRS.2008.915736). An option: it changes the data, and results say so.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from toolkit.core.errors import ConfigError
from toolkit.hsi.scene import Cube, Mask
from toolkit.hsi.standardisation import statistics

_ITERATIONS = 5  # of alternating least squares; more change little after the first


def denoised(
    cube: Cube, ranks: tuple[int, int, int], valid: Mask | None = None
) -> NDArray[np.float32]:
    """The cube rebuilt from ``ranks`` components along rows, columns and bands.

    Bands are standardised for it, so that bright ones do not take all components. The whole cube is
    held in memory, twice, as double precision.

    Args:
        cube: (rows, columns, bands), finite.
        ranks: components along each axis, at most as many as it is long.
        valid: (rows, columns) the pixels with data, whose mean the others hold; None = all.

    Raises:
        ConfigError: a rank is out of range.
    """
    from tensorly import tucker_to_tensor
    from tensorly.decomposition import tucker

    if any(not 1 <= rank <= n for rank, n in zip(ranks, cube.shape)):
        raise ConfigError(
            f"denoise = {list(ranks)} for a cube of {' x '.join(map(str, cube.shape))}",
            where="denoise",
            hint="one number for rows, columns and bands each, from 1 to that many",
        )
    mean, deviation = statistics(cube, valid)
    standard = (np.asarray(cube, np.float64) - mean) / deviation
    parts = tucker(standard, rank=list(ranks), n_iter_max=_ITERATIONS, init="svd")
    rebuilt: NDArray[np.float32] = (tucker_to_tensor(parts) * deviation + mean).astype(np.float32)
    dead = cube.min((0, 1)) == cube.max((0, 1))
    rebuilt[:, :, dead] = cube[:, :, dead]  # what rounding made of them would not be dead
    return rebuilt
