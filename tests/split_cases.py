"""Label maps that splits are tried on."""

from __future__ import annotations

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st

# pixels of each class
INDIAN_PINES = [46, 1428, 830, 237, 483, 730, 28, 478, 20, 972, 2455, 593, 205, 1265, 386, 93]


def generator(seed=0):
    return np.random.default_rng(seed)


def patchy(seed, rows, columns, classes=4, side=6, labelled=0.8):
    """A map of square fields of random classes, some pixels unlabelled."""
    fields = generator(seed).integers(0, classes + 1, (rows // side + 1, columns // side + 1))
    labels = fields.repeat(side, 0).repeat(side, 1)[:rows, :columns]
    labels = np.where(generator(seed).random((rows, columns)) < labelled, labels, 0)
    labels[0, :2] = 1
    return labels.astype(np.int32)


def counts(labels, n):
    return np.bincount(labels.ravel(), minlength=n + 1)[1:].tolist()


maps = st.builds(
    patchy, st.integers(0, 999), st.integers(8, 40), st.integers(8, 40), side=st.integers(1, 9)
)
steady = settings(max_examples=60)
