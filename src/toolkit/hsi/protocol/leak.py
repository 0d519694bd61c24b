"""Proof that no test pixel was learnt from, and how much of what was learnt the test sees again."""

from __future__ import annotations

import numpy as np

from toolkit.core.errors import ConfigError, DataError
from toolkit.hsi.protocol.split import Split


def prove(split: Split, patch: int) -> dict[str, int]:
    """Count what training and test share; to be called wherever a split is used.

    Two windows of side ``patch`` overlap where their centres are less than ``patch`` apart in
    the chessboard distance, and a centre lies in the other's window up to ``patch // 2``.

    Args:
        split: train and test maps, (rows, columns).
        patch: side of the network's window in pixels, odd; 1 for a network of spectra.

    Returns:
        ``train_test_pixels``: pixels in both parts, 0;
        ``test_pixels_in_train_patches``: test pixels inside the window of a training pixel, 0
        for a disjoint split;
        ``test_patches_sharing_pixels``: test pixels whose window overlaps a training pixel's.

    Raises:
        ConfigError: ``patch`` is even or below 1.
        DataError: a pixel is in both parts, or a disjoint split is not disjoint at this patch.
    """
    from scipy.ndimage import distance_transform_cdt

    check_patch(patch)
    _check_shared(split)
    gap = distance_transform_cdt(split.train == 0, metric="chessboard")[split.test > 0]
    leak = {
        "train_test_pixels": int(np.count_nonzero(gap == 0)),
        "test_pixels_in_train_patches": int(np.count_nonzero(gap <= patch // 2)),
        "test_patches_sharing_pixels": int(np.count_nonzero(gap < patch)),
    }
    if split.name == "disjoint" and leak["test_pixels_in_train_patches"]:
        raise DataError(
            f"{leak['test_pixels_in_train_patches']} test pixels lie in training patches of side "
            f"{patch}; the split was made for patches of side {split.patch}",
            where="disjoint split",
            hint=f"make the split anew for a patch of {patch}, the largest of all networks",
        )
    return leak


def check_patch(patch: int) -> None:
    """Raise a ConfigError unless ``patch`` is the side of a window with a centre."""
    if patch < 1 or patch % 2 == 0:
        raise ConfigError(
            f"a patch of side {patch} has no centre pixel", hint="give an odd side: 1, 3, 5, …"
        )


def _check_shared(split: Split) -> None:
    shared = np.argwhere((split.train > 0) & (split.test > 0))
    if len(shared):
        first = ", ".join(f"({row}, {column})" for row, column in shared[:3].tolist())
        raise DataError(
            f"{len(shared)} pixels are in the training and in the test map",
            where=f"{split.name} split; first (row, column): {first}",
            hint="take them out of one of the two maps",
        )
