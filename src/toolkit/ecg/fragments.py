"""The 1000 ten-second fragments of MIT-BIH in 17 classes, cut from the records by an index.

The fragments are those of Pławiak, "ECG signals (1000 fragments)", Mendeley Data, 2017
(doi 10.17632/7dybx7wyfn.3). The index ``fragments17.csv`` says which record, lead and first
sample each one is. Nine pairs are the same ten seconds twice and two more share them on another
lead, so a split must keep overlapping fragments together.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from toolkit.core.errors import DataError
from toolkit.ecg.records import Record

CLASSES = (
    *("NSR", "APB", "AFL", "AFIB", "SVTA", "WPW", "PVC", "Bigeminy", "Trigeminy"),
    *("VT", "IVR", "VFL", "Fusion", "LBBB", "RBBB", "SDHB", "PR"),
)
"""Classes in the order of their ids; SDHB is second-degree heart block, PR paced rhythm."""

WIDTH = 3600  # samples: 10 s at 360 Hz
_FS_HZ = 360.0
_SAME_PERSON = {"202": "201"}
_TRIALS = 200


@dataclass(frozen=True, eq=False)
class FragmentIndex:
    """Where each fragment lies; arrays have length n.

    Attributes:
        label: int64, index into :data:`CLASSES`.
        record: record name.
        start: int64, first sample in the record.
        lead: name of the lead.
    """

    label: NDArray[np.int64]
    record: NDArray[np.str_]
    start: NDArray[np.int64]
    lead: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.label)


@dataclass(frozen=True, eq=False)
class Split:
    """Three disjoint, ascending int64 arrays of rows of an index."""

    train: NDArray[np.int64]
    validation: NDArray[np.int64]
    test: NDArray[np.int64]

    def digest(self) -> str:
        """SHA-256 over the three parts: the same split has the same digest anywhere."""
        parts = (self.train, self.validation, self.test)
        return hashlib.sha256("|".join(str(part.tolist()) for part in parts).encode()).hexdigest()


def load_index() -> FragmentIndex:
    """The 1000 rows that come with the package."""
    text = files("toolkit.ecg").joinpath("fragments17.csv").read_text("utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    return FragmentIndex(
        np.array([CLASSES.index(row["class"]) for row in rows], np.int64),
        np.array([row["record"] for row in rows]),
        np.array([int(row["start_sample"]) for row in rows], np.int64),
        np.array([row["lead"] for row in rows]),
    )


def cut(records: Mapping[str, Record], index: FragmentIndex) -> NDArray[np.float32]:
    """The fragments of ``index``: (n, 3600) mV.

    Raises:
        DataError: a record is absent, too short, not at 360 Hz, or lacks the lead.
    """
    out = np.empty((len(index), WIDTH), np.float32)
    rows = zip(index.record.tolist(), index.lead.tolist(), index.start.tolist())
    for row, (name, lead, start) in enumerate(rows):
        record = records.get(name)
        if record is None:
            raise DataError(f"fragment {row} needs record {name}", hint="toolkit data fetch mitdb")
        if record.fs_hz != _FS_HZ or record.n_samples < start + WIDTH:
            what = f"record {name} has {record.n_samples} samples at {record.fs_hz:g} Hz"
            raise DataError(f"{what}; fragment {row} needs {start + WIDTH} at 360 Hz", where=name)
        out[row] = record.millivolts((lead,), start, start + WIDTH)[0]
    return out


def overlap_groups(index: FragmentIndex) -> NDArray[np.int64]:
    """A group id per fragment: (n,); fragments that share a sample, or a chain of them, share it.

    Leads do not matter: the same seconds on another lead are the same heartbeats.
    """
    order = np.lexsort((index.start, index.record))
    record, start = index.record[order], index.start[order]
    is_new = np.ones(len(order), bool)
    is_new[1:] = (record[1:] != record[:-1]) | (np.diff(start) >= WIDTH)
    groups = np.empty(len(order), np.int64)
    groups[order] = np.cumsum(is_new) - 1
    return groups


def split_by_fragment(
    index: FragmentIndex, seed: int, fractions: tuple[float, float, float] = (0.7, 0.15, 0.15)
) -> Split:
    """Random split stratified by class; overlapping fragments stay on one side.

    Patients occur on both sides, so accuracies on it are not those on new patients.
    A part may exceed its share of a class by the size of one group, less one.
    """
    rng = np.random.default_rng(seed)
    side = np.zeros(len(index), np.int64)  # 0 train, 1 validation, 2 test
    groups = overlap_groups(index)
    firsts = np.unique(groups, return_index=True)[1]  # a group counts to its first row's class
    for label in range(len(CLASSES)):
        own = rng.permutation(groups[firsts][index.label[firsts] == label])
        total = np.isin(groups, own).sum()
        ends = np.cumsum([round(total * fraction) for fraction in fractions[:0:-1]])
        taken = np.cumsum([0, *(np.sum(groups == group) for group in own)])[:-1]
        for group, before in zip(own, taken):
            side[groups == group] = 2 - np.searchsorted(ends, before, "right")
    return _split(side, np.ones(len(index), bool))


def split_by_record(
    index: FragmentIndex, seed: int, fractions: tuple[float, float, float] = (0.7, 0.15, 0.15)
) -> Split:
    """Random split by patient, over the 13 classes that two patients or more have.

    Each of these classes occurs in training and in test; validation may lack some. Records
    201 and 202 are one patient. Of many random assignments that satisfy this, the one whose
    shares of each class come closest to ``fractions`` is taken.
    """
    patient_names = [_SAME_PERSON.get(name, name) for name in index.record.tolist()]
    patients, patient = np.unique(patient_names, return_inverse=True)
    counts = np.zeros((len(CLASSES), len(patients)))
    np.add.at(counts, (index.label, patient), 1)
    is_kept = (counts > 0).sum(axis=1) >= 2
    counts = counts[is_kept]
    rng = np.random.default_rng(seed)
    trials = [_assign(counts, rng, fractions) for _ in range(_TRIALS)]
    valid = [sides for sides in trials if sides is not None]
    if not valid:
        raise DataError("no assignment of patients puts every class in training and test")
    best = min(valid, key=lambda sides: _imbalance(counts, sides, fractions))
    return _split(best[patient], is_kept[index.label])


def _assign(
    counts: NDArray[np.float64], rng: np.random.Generator, fractions: tuple[float, float, float]
) -> NDArray[np.int64] | None:
    """A side for each patient, or None when this draw leaves a class without train or test."""
    sides = np.full(counts.shape[1], -1)
    for row in np.argsort((counts > 0).sum(axis=1), kind="stable"):  # rarest class first
        own = rng.permutation(np.flatnonzero(counts[row]))
        for needed in (2, 0):
            free = own[sides[own] == -1]
            if not (sides[own] == needed).any():
                if not len(free):
                    return None
                sides[free[0]] = needed
    undecided = sides == -1
    sides[undecided] = rng.choice(3, undecided.sum(), p=fractions)
    return sides


def _imbalance(
    counts: NDArray[np.float64], sides: NDArray[np.int64], fractions: tuple[float, float, float]
) -> float:
    shares = counts @ np.eye(3)[sides] / counts.sum(axis=1, keepdims=True)
    return float(np.square(shares - fractions).sum())


def _split(side: NDArray[np.int64], kept: NDArray[np.bool_]) -> Split:
    return Split(*(np.flatnonzero(kept & (side == part)) for part in range(3)))
