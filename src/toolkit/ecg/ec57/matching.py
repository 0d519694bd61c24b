"""Which test beat belongs to which reference beat (ANSI/AAMI EC57)."""

from __future__ import annotations

from math import inf

import numpy as np
from numpy.typing import NDArray

from toolkit.ecg.ec57.labels import Samples


def match(reference: Samples, test: Samples, window: int) -> NDArray[np.int64]:
    """Pair beats in time order.

    The earlier of the two next beats, one of each annotator, is decided on. It and its counterpart
    pair if they are at most ``window`` apart and if the counterpart is nearer to it than to the
    next beat of its own kind, or that next beat has a nearer counterpart itself. Otherwise it is
    alone. So a tie between two candidates goes to the later one, unless that one is better placed.

    Args:
        reference, test: (n,) and (m,) sample indices in order.
        window: largest distance of a pair in samples.

    Returns:
        (n + m - pairs, 2) rows of reference and test indices in order of time, −1 for none.
    """
    ref_at, test_at = [*reference.tolist(), inf, inf], [*test.tolist(), inf, inf]
    i = j = 0
    rows = []
    while i < len(reference) or j < len(test):
        here, there = (test_at, ref_at) if test_at[j] < ref_at[i] else (ref_at, test_at)
        own, other = (j, i) if here is test_at else (i, j)
        if _belong(here, own, there, other, window):
            rows.append((i, j))
            i, j = i + 1, j + 1
        elif here is test_at:
            rows.append((-1, j))
            j += 1
        else:
            rows.append((i, -1))
            i += 1
    return np.array(rows, np.int64).reshape(-1, 2)


def _belong(here: list[float], own: int, there: list[float], other: int, window: int) -> bool:
    """Whether beat ``own`` of ``here``, the earlier one, pairs with beat ``other`` of ``there``."""
    counterpart, rival = there[other], here[own + 1]
    distance, to_rival = counterpart - here[own], abs(counterpart - rival)
    if distance > window:
        return False
    return distance < to_rival or abs(there[other + 1] - rival) < to_rival
