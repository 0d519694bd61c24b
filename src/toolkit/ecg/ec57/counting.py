"""EC57's table of reference against test labels, and the figures that follow from it.

Rows are reference labels N S V F Q O X, columns test labels n s v f q o x. O and o stand for no
beat, X and x for none while that annotator had shut down.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.core.errors import ConfigError
from toolkit.ecg.beats import CLASSES
from toolkit.ecg.ec57.labels import BeatLabels, Samples, match_window
from toolkit.ecg.ec57.matching import match

ROWS = (*CLASSES, "O", "X")
COLUMNS = tuple(name.lower() for name in ROWS)
LEARNING_S = 300.0
"""The first five minutes are for learning and are not compared."""

_BEATS = len(CLASSES)
_NONE, _SHUT = ROWS.index("O"), ROWS.index("X")
# Reference labels from which a beat of the class is falsely called; F and Q are none of V's.
_FALSE_POSITIVES = {"V": "NSOX", "S": "NVFOX"}


@dataclass(frozen=True, eq=False)
class Comparison:
    """What was counted in one record, or in several together.

    Attributes:
        counts: (7, 7) int64, :data:`ROWS` by :data:`COLUMNS`.
        rr_squares_ms2: sum of squared differences of RR intervals whose two beats both match.
        rr_intervals: number of those intervals.
        reference_shutdown_s, test_shutdown_s: time that each annotator had shut down.
    """

    counts: NDArray[np.int64]
    rr_squares_ms2: float
    rr_intervals: int
    reference_shutdown_s: float
    test_shutdown_s: float

    def to_json(self) -> dict[str, Any]:
        """The matrix, QRS, VEB and SVEB scores, RMS RR error and shutdown; None if undefined."""
        return {
            "matrix": {
                row: dict(zip(COLUMNS, self.counts[i].tolist())) for i, row in enumerate(ROWS)
            },
            "qrs": _qrs(self.counts),
            "veb": _ectopic(self.counts, "V"),
            "sveb": _ectopic(self.counts, "S"),
            "rr_rms_ms": (
                float(np.sqrt(self.rr_squares_ms2 / self.rr_intervals))
                if self.rr_intervals
                else None
            ),
            "rr_intervals": self.rr_intervals,
            "shutdown": {
                "reference_s": self.reference_shutdown_s,
                "test_s": self.test_shutdown_s,
                "missed": int(self.counts[:_BEATS, _SHUT].sum()),
                "extra": int(self.counts[_SHUT, :_BEATS].sum()),
            },
        }


def compare(
    reference: BeatLabels,
    test: BeatLabels,
    fs_hz: float,
    *,
    start_s: float = LEARNING_S,
    stop_s: float,
) -> Comparison:
    """Compare two annotators of one record from ``start_s`` up to, not including, ``stop_s``.

    Beats outside are as if they had not been annotated, also where their counterpart lies inside.

    Raises:
        ConfigError: the period is empty.
    """
    if not 0 <= start_s < stop_s:
        raise ConfigError(
            f"nothing lies between {start_s:g} s and {stop_s:g} s",
            where="--from",
            hint="--from 0:00 compares a record that ends within EC57's first five minutes",
        )
    start, stop = round(start_s * fs_hz), round(stop_s * fs_hz)
    ours, theirs = reference.within(start, stop), test.within(start, stop)
    rows = match(ours.sample, theirs.sample, match_window(fs_hz))
    errors_ms = _rr_errors(rows, ours, theirs) * 1000 / fs_hz
    return Comparison(
        _tally(rows, ours, theirs),
        float(np.square(errors_ms).sum()),
        len(errors_ms),
        _duration(ours.shutdown) / fs_hz,
        _duration(theirs.shutdown) / fs_hz,
    )


def gross(parts: Sequence[Comparison]) -> Comparison:
    """All records as one: each beat has the same weight."""
    return Comparison(
        np.sum([part.counts for part in parts], axis=0),
        sum(part.rr_squares_ms2 for part in parts),
        sum(part.rr_intervals for part in parts),
        sum(part.reference_shutdown_s for part in parts),
        sum(part.test_shutdown_s for part in parts),
    )


def average(parts: Sequence[Comparison]) -> dict[str, Any]:
    """Means over records, which have the same weight; a record counts where it has a figure."""
    found = [part.to_json() for part in parts]
    scores: dict[str, Any] = {
        name: {key: _mean([one[name][key] for one in found]) for key in ("se", "ppv")}
        for name in ("qrs", "veb", "sveb")
    }
    return {**scores, "rr_rms_ms": _mean([one["rr_rms_ms"] for one in found])}


def summary(parts: Mapping[str, Comparison]) -> dict[str, Any]:
    """Every record, their gross and their average figures, ready for JSON."""
    together = list(parts.values())
    return {
        "records": {name: part.to_json() for name, part in parts.items()},
        "gross": gross(together).to_json(),
        "average": average(together),
    }


def _tally(rows: NDArray[np.int64], reference: BeatLabels, test: BeatLabels) -> NDArray[np.int64]:
    i, j = rows.T
    missed, extra = i[j < 0], j[i < 0]
    row, column = np.full(len(rows), _NONE), np.full(len(rows), _NONE)
    row[i >= 0] = reference.label[i[i >= 0]]
    column[j >= 0] = test.label[j[j >= 0]]
    column[j < 0] = np.where(_inside(reference.sample[missed], test.shutdown), _SHUT, _NONE)
    row[i < 0] = np.where(_inside(test.sample[extra], reference.shutdown), _SHUT, _NONE)
    counts = np.zeros((len(ROWS), len(COLUMNS)), np.int64)
    np.add.at(counts, (row, column), 1)
    return counts


def _inside(sample: Samples, intervals: Samples) -> NDArray[np.bool_]:
    start, stop = intervals[:, :1], intervals[:, 1:]
    return np.asarray(((start <= sample) & (sample < stop)).any(axis=0))


def _rr_errors(
    rows: NDArray[np.int64], reference: BeatLabels, test: BeatLabels
) -> NDArray[np.int64]:
    """Differences of RR intervals, in samples, between pairs that follow one another."""
    paired = (rows[:, 0] >= 0) & (rows[:, 1] >= 0)
    following = paired[1:] & paired[:-1]
    i, j = rows[1:][following].T
    clean = ~reference.after_flutter[i] & ~test.after_flutter[j]
    i, j = i[clean], j[clean]
    ours, theirs = reference.sample, test.sample
    errors: NDArray[np.int64] = (ours[i] - ours[i - 1]) - (theirs[j] - theirs[j - 1])
    return errors


def _duration(intervals: Samples) -> int:
    return int((intervals[:, 1] - intervals[:, 0]).sum())


def _qrs(counts: NDArray[np.int64]) -> dict[str, Any]:
    tp = counts[:_BEATS, :_BEATS].sum()
    return _scores(int(tp), int(counts[:_BEATS].sum() - tp), int(counts[_BEATS:].sum()))


def _ectopic(counts: NDArray[np.int64], name: str) -> dict[str, Any]:
    own = ROWS.index(name)
    tp = int(counts[own, own])
    fp = sum(int(counts[ROWS.index(other), own]) for other in _FALSE_POSITIVES[name])
    return _scores(tp, int(counts[own].sum()) - tp, fp)


def _scores(tp: int, fn: int, fp: int) -> dict[str, Any]:
    se, ppv = (tp / n if n else None for n in (tp + fn, tp + fp))
    return {"se": se, "ppv": ppv, "tp": tp, "fn": fn, "fp": fp}


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
