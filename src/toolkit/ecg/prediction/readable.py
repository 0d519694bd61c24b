"""The chosen leads of a recording, read piece by piece, with what cannot be read marked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from toolkit.ecg.prediction import quality
from toolkit.ecg.prediction.quality import Intervals, Unreadable
from toolkit.ecg.records import Record


@dataclass(frozen=True, eq=False)
class Readable:
    """Leads of a record in the order of their parts, the main one first.

    Attributes:
        record: the recording.
        columns: of its leads.
        unreadable: stretches of each of these leads.
        gaps: stretches in which none of them can be read.
    """

    record: Record
    columns: tuple[int, ...]
    unreadable: tuple[Unreadable, ...]
    gaps: Intervals

    @classmethod
    def of(cls, record: Record, columns: Sequence[int]) -> Readable:
        """Look through the whole signal for stretches that cannot be read."""
        found = [
            quality.unreadable(
                np.ascontiguousarray(record.signal_adu[:, column]),
                record.fs_hz,
                record.adu_per_mv(column),
            )
            for column in columns
        ]
        gaps = found[0].all
        for other in found[1:]:
            gaps = quality.common(gaps, other.all)
        return cls(record, tuple(columns), tuple(found), gaps)

    @property
    def n_samples(self) -> int:
        """Samples of each lead."""
        return self.record.n_samples

    @property
    def fs_hz(self) -> float:
        """Sampling frequency."""
        return self.record.fs_hz

    def read(self, start: int, stop: int) -> NDArray[np.float32]:
        """Samples ``start`` to ``stop`` in mV: (leads, n), NaN where they cannot be read."""
        adu = self._filled(start, stop)
        x_LT = np.ascontiguousarray(self.record.to_millivolts(adu, self.columns).T)
        for lead, found in enumerate(self.unreadable):
            for first, last in _within(found.all, start, stop):
                x_LT[lead, first:last] = np.nan
        return x_LT

    def piece(self, start: int, stop: int, names: Sequence[str]) -> Record:
        """Samples ``start`` to ``stop`` as a record whose leads are called ``names``.

        What cannot be read is bridged by straight lines, so that filters can pass over it. A
        lead that the recording lacks is constant.
        """
        adu = self._filled(start, stop, [found.all for found in self.unreadable])
        lacking = len(names) - len(self.columns)
        adu = np.pad(adu, ((0, 0), (0, lacking)))
        columns = [*self.columns, *[self.columns[0]] * lacking]
        return replace(
            self.record,
            leads=tuple(names),
            units=tuple(self.record.units[i] for i in columns),
            gain=tuple(self.record.gain[i] for i in columns),
            baseline=tuple(self.record.baseline[i] for i in columns),
            signal_adu=adu,
        )

    def _filled(self, start: int, stop: int, gaps: Sequence[Intervals] = ()) -> NDArray[np.integer]:
        """Samples with single missing ones, and ``gaps`` of each lead, interpolated."""
        adu = self.record.signal_adu[start:stop, self.columns]
        for lead in range(adu.shape[1]):
            unknown = adu[:, lead] == np.iinfo(adu.dtype).min
            for first, last in _within(gaps[lead], start, stop) if gaps else ():
                unknown[first:last] = True
            if unknown.any():
                known = np.flatnonzero(~unknown)
                values = adu[known, lead] if len(known) else np.zeros(1)
                at = known if len(known) else np.zeros(1)
                adu[unknown, lead] = np.rint(np.interp(np.flatnonzero(unknown), at, values))
        return adu


def _within(intervals: Intervals, start: int, stop: int) -> list[tuple[int, int]]:
    """The parts of ``intervals`` between ``start`` and ``stop``, counted from ``start``."""
    inside = intervals[(intervals[:, 1] > start) & (intervals[:, 0] < stop)]
    return [(a, b) for a, b in np.clip(inside - start, 0, stop - start).tolist()]
