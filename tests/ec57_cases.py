"""Annotations written as short lists, and matrices as the cells that are not zero."""

from __future__ import annotations

import numpy as np

from toolkit.ecg.annotations import Annotations
from toolkit.ecg.ec57.counting import Comparison, compare
from toolkit.ecg.ec57.labels import of_annotations

FS_HZ = 360.0  # 150 ms are 54 samples

Given = list[tuple[int, str] | tuple[int, str, int]]


def annotations(given: Given) -> Annotations:
    """From (sample, symbol) or (sample, symbol, subtype)."""
    rows = [(*row, 0)[:3] for row in given]
    zeros = np.zeros(len(rows), np.int64)
    return Annotations(
        np.array([sample for sample, *_ in rows], np.int64),
        np.array([symbol for _, symbol, _ in rows], "<U4"),
        np.array([subtype for *_, subtype in rows], np.int64),
        zeros,
        zeros,
        ("",) * len(rows),
    )


def compared(reference: Given, test: Given, start_s: float = 0, stop_s: float = 60) -> Comparison:
    ours, theirs = (of_annotations(annotations(given), FS_HZ) for given in (reference, test))
    return compare(ours, theirs, FS_HZ, start_s=start_s, stop_s=stop_s)


def cells(found: Comparison) -> dict[str, int]:
    """``{"Nn": 3, "Vo": 1}``: the cells of the matrix that are not zero."""
    matrix = found.to_json()["matrix"]
    return {row + column: n for row, line in matrix.items() for column, n in line.items() if n}
