"""Truths of real scenes."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.io import loadmat


@pytest.fixture(scope="session")
def indian_pines():
    from tensorly.datasets import load_indian_pines

    return np.asarray(load_indian_pines().ticks[0]).astype(np.int32)


@pytest.fixture(scope="session")
def real_maps(hsi_data):
    """Reads a label map of the folder of real scenes by file name."""

    def read(name):
        content = loadmat(hsi_data / "hsi" / name)
        arrays = [value for key, value in content.items() if key[0] != "_"]
        return next(one for one in arrays if one.ndim == 2).astype(np.int32)

    return read
