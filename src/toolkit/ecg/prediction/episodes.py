"""What beats make up: runs, couplets, bigeminy and trigeminy, pauses, slow and fast rhythm.

The definitions are those of ambulatory monitoring; thresholds are the constants below.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.ecg.beats import CLASSES
from toolkit.ecg.prediction.quality import Intervals, intervals_of

Labels = NDArray[np.int64]
Floats = NDArray[np.float64]

_S, _V = CLASSES.index("S"), CLASSES.index("V")
RUN = 3  # beats of a run
TACHYCARDIA_BPM = 100.0  # of a ventricular run; slower is an idioventricular rhythm
CYCLES = 3  # ectopic beats of bigeminy and trigeminy
PAUSE_S = 2.0
SLOW_BPM, FAST_BPM, RATE_BEATS = 50.0, 100.0, 8  # rate over so many intervals

KINDS = (
    "ventricular run",
    "pause",
    "supraventricular run",
    "ventricular couplet",
    "ventricular bigeminy",
    "ventricular trigeminy",
    "bradycardia",
    "tachycardia",
)
"""Kinds of episode in the order in which a reader should see them."""


@dataclass(frozen=True)
class Episode:
    """One episode from its first to its last beat.

    Attributes:
        kind: one of :data:`KINDS`.
        start_s, end_s: from the beginning of the recording.
        first, last: rows of its beats.
        beats: how many of them it counts; of a run and of bigeminy the ectopic ones.
        rate_bpm: mean rate; None for a pause.
        longest_rr_s: of its intervals.
        note: what else there is to say.
        extreme_bpm: lowest or highest rate over :data:`RATE_BEATS` of a slow or fast rhythm.
    """

    kind: str
    start_s: float
    end_s: float
    first: int
    last: int
    beats: int
    rate_bpm: float | None
    longest_rr_s: float
    note: str = ""
    extreme_bpm: float | None = None

    @property
    def severity(self) -> tuple[float, float]:
        """Greater is worse, within one kind."""
        if self.kind == "pause":
            return self.longest_rr_s, 0.0
        rate = self.rate_bpm or 0.0
        if self.kind in ("bradycardia", "tachycardia"):
            extreme = self.extreme_bpm or 0.0
            return (-extreme if self.kind == "bradycardia" else extreme), float(self.beats)
        if self.kind == "ventricular run" and rate < TACHYCARDIA_BPM:
            return 0.0, float(self.beats)  # after every tachycardia
        return float(self.beats), rate

    def to_json(self) -> dict[str, Any]:
        """All fields, numbers rounded for reading."""
        found = asdict(self)
        return {k: round(v, 3) if isinstance(v, float) else v for k, v in found.items()}


def find(time_s: Floats, label: Labels, rr_s: Floats) -> list[Episode]:
    """All episodes, in order of time.

    Args:
        time_s: (n,) times of the beats.
        label: (n,) class ids; a beat without class is Q.
        rr_s: (n,) interval before each beat, NaN where it is unknown: at the start and across
            what cannot be read. No episode reaches over an unknown interval.
    """
    beats = _Beats(time_s, label, rr_s)
    found = [
        *beats.runs(_V, "ventricular run"),
        *beats.runs(_S, "supraventricular run"),
        *beats.couplets(),
        *beats.alternating(2, "ventricular bigeminy"),
        *beats.alternating(3, "ventricular trigeminy"),
        *beats.pauses(),
        *beats.rates(slow=True),
        *beats.rates(slow=False),
    ]
    return sorted(found, key=lambda one: (one.start_s, KINDS.index(one.kind)))


@dataclass(frozen=True)
class _Beats:
    time_s: Floats
    label: Labels
    rr_s: Floats

    def runs(self, label: int, kind: str) -> list[Episode]:
        spans = [span for span in self._runs_of(label) if span[1] - span[0] >= RUN]
        found = [self._episode(kind, a, b - 1, b - a) for a, b in spans]
        return [_named_by_rate(one) for one in found] if label == _V else found

    def couplets(self) -> list[Episode]:
        spans = [span for span in self._runs_of(_V) if span[1] - span[0] == 2]
        return [self._episode("ventricular couplet", a, b - 1, 2) for a, b in spans]

    def alternating(self, period: int, kind: str) -> list[Episode]:
        """Every ``period``-th beat V, the others not, :data:`CYCLES` times or more."""
        ventricular = self.label == _V
        is_cycle = ventricular.copy()  # one that ends in this V beat
        for back in range(1, period):
            is_cycle &= ~_shifted(ventricular, back, True)
        for back in range(period - 1):
            is_cycle &= ~_shifted(np.isnan(self.rr_s), back, True)
        ends, found = np.flatnonzero(is_cycle), []
        linked = (np.diff(ends) == period) & ~np.isnan(self.rr_s[ends[1:] - period + 1])
        for a, b in _true_runs(linked):
            count = b - a + 1
            if count >= CYCLES:
                found.append(self._episode(kind, ends[a] - period + 1, ends[b], count))
        return found

    def pauses(self) -> list[Episode]:
        with np.errstate(invalid="ignore"):
            rows = np.flatnonzero(self.rr_s > PAUSE_S)
        return [self._episode("pause", row - 1, row, 1) for row in rows.tolist()]

    def rates(self, slow: bool) -> list[Episode]:
        """Stretches in which the rate over :data:`RATE_BEATS` intervals is beyond a limit.

        Those that share beats are one.
        """
        if len(self.rr_s) <= RATE_BEATS:
            return []
        windows = np.lib.stride_tricks.sliding_window_view(self.rr_s, RATE_BEATS)
        with np.errstate(invalid="ignore"):
            rate = 60 / windows.mean(axis=1)
            beyond = rate < SLOW_BPM if slow else rate > FAST_BPM
        kind, found = "bradycardia" if slow else "tachycardia", []
        for a, b in _joined(_true_runs(beyond), RATE_BEATS):
            # the interval of beat a began at the beat before
            first, last = a - 1, b + RATE_BEATS - 2
            extreme = rate[a:b].min() if slow else rate[a:b].max()
            note = f"{'lowest' if slow else 'highest'} {extreme:.0f} bpm over {RATE_BEATS} beats"
            one = self._episode(kind, max(first, 0), last, last - first + 1, note)
            found.append(replace(one, extreme_bpm=float(extreme)))
        return found

    def _runs_of(self, label: int) -> list[tuple[int, int]]:
        """First and one after the last row of runs of one class without a gap in them."""
        is_label = self.label == label
        follows = is_label & _shifted(is_label, 1, False) & ~np.isnan(self.rr_s)
        return [(a - 1, b) for a, b in _true_runs(follows)]

    def _episode(self, kind: str, first: int, last: int, beats: int, note: str = "") -> Episode:
        first, last = int(first), int(last)
        start, end = float(self.time_s[first]), float(self.time_s[last])
        rate = None if kind == "pause" else 60 * (last - first) / (end - start)
        longest = float(self.rr_s[first + 1 : last + 1].max())
        return Episode(kind, start, end, first, last, int(beats), rate, longest, note)


def _named_by_rate(run: Episode) -> Episode:
    fast = (run.rate_bpm or 0) >= TACHYCARDIA_BPM
    note = "ventricular tachycardia" if fast else "idioventricular rhythm"
    sustained = ", sustained" if fast and run.end_s - run.start_s >= 30 else ""
    return replace(run, note=note + sustained)


def _shifted(values: NDArray[np.bool_], by: int, fill: bool) -> NDArray[np.bool_]:
    """``values`` of the beat ``by`` places before."""
    return np.concatenate([np.full(by, fill), values])[: len(values)]


def _joined(spans: list[tuple[int, int]], closer_than: int) -> list[tuple[int, int]]:
    """``spans`` in order, those less than ``closer_than`` apart as one."""
    joined: list[tuple[int, int]] = []
    for a, b in spans:
        if joined and a - joined[-1][1] < closer_than:
            a = joined.pop()[0]
        joined.append((a, b))
    return joined


def _true_runs(values: NDArray[np.bool_]) -> list[tuple[int, int]]:
    spans: Intervals = intervals_of(np.flatnonzero(values))
    return [(a, b) for a, b in spans.tolist()]
