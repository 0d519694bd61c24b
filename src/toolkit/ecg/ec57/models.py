"""A model's beats scored as EC57 scores a device's, beside the whole-record scores."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.core.errors import DataError
from toolkit.ecg.ec57.counting import LEARNING_S, compare, summary
from toolkit.ecg.ec57.labels import Samples, of_annotations, of_beats
from toolkit.ecg.records import Record


def evaluate_beats(
    records: Mapping[str, Record],
    predicted: Mapping[str, tuple[Samples, NDArray[np.integer]]],
    start_s: float = LEARNING_S,
) -> dict[str, Any]:
    """Compare predicted beats with their records' annotations, from ``start_s`` to the end.

    Args:
        records: records with reference annotations.
        predicted: for each record to score, sample indices and AAMI class ids, (n,) each; found
            by a detector or taken from the reference.
        start_s: seconds; records that end before it are left out.

    Returns:
        As :func:`toolkit.ecg.ec57.counting.summary`; empty if no record is long enough.

    Raises:
        DataError: a record was read without annotations.
    """
    parts = {}
    for name, (sample, label) in predicted.items():
        record = records[name]
        if record.annotations is None:
            raise DataError(f"record {name} was read without annotations", where=name)
        stop_s = record.n_samples / record.fs_hz
        if stop_s > start_s:
            reference = of_annotations(record.annotations, record.fs_hz)
            test = of_beats(sample, label)
            parts[name] = compare(reference, test, record.fs_hz, start_s=start_s, stop_s=stop_s)
    return summary(parts) if parts else {}
