"""A share of the training labels: what few labels can do, from scratch or on a trained encoder."""

from __future__ import annotations

import numpy as np

from toolkit.core import rng
from toolkit.ecg.study import Labels


def labelled(label: Labels, fraction: float, seed: int) -> Labels:
    """Rows whose labels are used, ascending: of each class its share, one at least."""
    order = rng.generator(seed, "labels").permutation(len(label))
    rows = []
    for one in np.unique(label):
        own = order[label[order] == one]
        rows.append(own[: max(1, round(fraction * len(own)))])
    return np.sort(np.concatenate(rows))
