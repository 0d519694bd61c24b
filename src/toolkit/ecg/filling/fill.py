"""What a recording lacks for a moment, from the rest of it and from what a regression has learnt.

First a gap gets what stood elsewhere in the recording in surroundings like its own. Then R peaks
are found in what is whole by now, and the network says what is to be added to a gap within the
window of a beat. Both meet what was recorded on either side; slow drifts and noise are not
invented.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from toolkit.ecg.filling.elsewhere import Elsewhere
from toolkit.ecg.filling.model import GapModel
from toolkit.ecg.filling.refinement import refine
from toolkit.ecg.prediction.pieces import pieces
from toolkit.ecg.prediction.quality import Intervals, intervals_of
from toolkit.ecg.prediction.readable import Readable
from toolkit.ecg.records import Record

FILLED, LONG, ALONE, EDGE = "filled", "too long", "nothing like it around", "at an end"
BRIDGED = "bridged"  # by a straight line: too short to hold anything


class Gap(NamedTuple):
    """A stretch of a lead that could not be read: samples from ``start`` to before ``stop``."""

    column: int  # of the record
    start: int
    stop: int
    outcome: str


def fill(model: GapModel | None, signal: Readable, longest_s: float) -> tuple[Record, list[Gap]]:
    """The recording with its gaps filled, and what became of each gap.

    Args:
        model: says what like surroundings do not; without one nothing is added to them.
        signal: the leads that are looked at.
        longest_s: a longer gap stays as it is.
    """
    every = [lead.all for lead in signal.unreadable]
    adu, gaps = _bridged(signal)
    for span in pieces(signal):
        elsewhere = None
        for lead, start, stop in _within(every, *span):
            if stop - start > longest_s * signal.fs_hz:
                outcome = LONG
            elif start == 0 or stop == signal.n_samples:
                outcome = EDGE
            else:
                elsewhere = elsewhere or Elsewhere(signal, *span)
                outcome = FILLED if elsewhere.fill(adu, lead, start, stop) else ALONE
            gaps.append(Gap(signal.columns[lead], start, stop, outcome))
    filled = replace(signal.record, signal_adu=adu)
    done = [gap[:3] for gap in gaps if gap.outcome == FILLED]
    if model and done:
        refine(model, Readable.of(filled, signal.columns), done)
    return filled, sorted(gaps, key=lambda gap: gap[1:3])


def _within(gaps: Sequence[Intervals], low: int, high: int) -> list[tuple[int, int, int]]:
    """Lead, first sample and the one after the last of gaps that begin from ``low`` to ``high``."""
    found = [(lead, *ends) for lead, own in enumerate(gaps) for ends in own.tolist()]
    return [(lead, start, stop) for lead, start, stop in found if low <= start < high]


def _bridged(signal: Readable) -> tuple[NDArray[np.integer], list[Gap]]:
    """All leads (samples, leads); the few samples that are no gap yet are on straight lines."""
    adu, gaps = np.array(signal.record.signal_adu), list[Gap]()
    mark = np.iinfo(adu.dtype).min
    for column, found in zip(signal.columns, signal.unreadable):
        few = adu[:, column] == mark
        for start, stop in found.all.tolist():
            few[start:stop] = False
        at = np.flatnonzero(few)
        ends = np.unique(np.clip(np.concatenate([at - 1, at + 1]), 0, len(adu) - 1))
        known = ends[adu[ends, column] != mark]
        if len(known):
            adu[at, column] = np.rint(np.interp(at, known, adu[known, column]))
            runs = intervals_of(at).tolist()
            gaps += [Gap(column, start, stop, BRIDGED) for start, stop in runs]
    return adu, gaps
