"""Beats of a database: AAMI classes, the inter-patient split and windows around R peaks.

Classes follow ANSI/AAMI EC57; the split of the MIT-BIH records into DS1 and DS2 is that of
de Chazal, O'Dwyer and Reilly (IEEE Trans. Biomed. Eng. 51, 2004).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from toolkit.core.errors import DataError
from toolkit.ecg.records import Record

CLASSES = ("N", "S", "V", "F", "Q")
"""AAMI classes in the order of their ids: normal, supraventricular, ventricular, fusion, other."""

SYMBOLS_OF_CLASS: Mapping[str, str] = {
    # B, n, r and ? do not occur in MIT-BIH.
    "N": "NLRejB",
    "S": "AaJSn",
    "V": "VEr",
    "F": "F",
    "Q": "/fQ?",
}

_DS1 = "101 106 108 109 112 114 115 116 118 119 122 124 201 203 205 207 208 209 215 220 223 230"
_DS2 = "100 103 105 111 113 117 121 123 200 202 210 212 213 214 219 221 222 228 231 232 233 234"
DS1, DS2 = tuple(_DS1.split()), tuple(_DS2.split())
PACED = ("102", "104", "107", "217")

_CLASS_OF_SYMBOL = {
    symbol: label for label, name in enumerate(CLASSES) for symbol in SYMBOLS_OF_CLASS[name]
}
_CLASS_OF_ORDINAL = np.full(128, -1, np.int8)
_CLASS_OF_ORDINAL[[ord(symbol) for symbol in _CLASS_OF_SYMBOL]] = list(_CLASS_OF_SYMBOL.values())


def aami_classes(symbol: NDArray[np.str_]) -> NDArray[np.int8]:
    """AAMI class id of each annotation symbol: (n,), −1 where it is not a beat."""
    ordinals = np.ascontiguousarray(symbol, "<U1").view(np.uint32)
    return _CLASS_OF_ORDINAL[np.minimum(ordinals, 127)]


@dataclass(frozen=True, eq=False)
class BeatTable:
    """Every beat of some records, record by record in time order; arrays have length n.

    Attributes:
        names: records that ``record`` points into.
        record: int64, index into ``names``.
        sample: int64, sample index of the R peak.
        symbol: annotation symbol.
        label: int8, AAMI class id, an index into :data:`CLASSES`.
        rr_previous_s, rr_next_s: float32, seconds to the beat before and after in the same
            record. A record's first beat takes its next interval as its previous one and the
            last beat the reverse; the only beat of a record has NaN.
    """

    names: tuple[str, ...]
    record: NDArray[np.int64]
    sample: NDArray[np.int64]
    symbol: NDArray[np.str_]
    label: NDArray[np.int8]
    rr_previous_s: NDArray[np.float32]
    rr_next_s: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.sample)

    def counts(self) -> dict[str, int]:
        """Beats of each AAMI class."""
        return dict(zip(CLASSES, np.bincount(self.label, minlength=len(CLASSES)).tolist()))

    def rows_of(self, names: Sequence[str]) -> NDArray[np.int64]:
        """Rows of the beats of some records."""
        wanted = [name in set(names) for name in self.names]
        return np.flatnonzero(np.array(wanted, bool)[self.record])


def beat_table(records: Mapping[str, Record], names: Sequence[str] | None = None) -> BeatTable:
    """The beats of ``names`` (all records when None), non-beat annotations left out.

    Raises:
        DataError: a record is absent or has no annotations.
    """
    chosen = tuple(records if names is None else names)
    if not chosen:
        raise DataError("no records to take beats from")
    parts = [_beats_of(records, name) for name in chosen]
    record = np.repeat(np.arange(len(chosen)), [len(sample) for sample, *_ in parts])
    sample, symbol, previous, following = (np.concatenate(column) for column in zip(*parts))
    return BeatTable(chosen, record, sample, symbol, aami_classes(symbol), previous, following)


def windows(
    records: Mapping[str, Record],
    table: BeatTable,
    rows: NDArray[np.integer],
    *,
    leads: Sequence[str] = ("MLII",),
    before: int,
    after: int,
) -> NDArray[np.float32]:
    """Cut windows around the R peaks of the beats ``rows``, and only those, from the signals.

    Args:
        records: holds every record of the table; signals may be memory-mapped.
        table: the beats.
        rows: (n,) rows of the table, in any order.
        leads: leads by name; :data:`toolkit.ecg.records.ANY_OTHER` takes whichever is left.
        before, after: samples before the R peak, and from it on.

    Returns:
        (n, n_leads, before + after) mV; beyond its ends a record repeats its end sample.

    Raises:
        DataError: a record lacks a lead.
    """
    offsets = np.arange(-before, after)
    out = np.empty((len(rows), len(leads), before + after), np.float32)
    owners = table.record[rows]
    for owner in np.unique(owners).tolist():
        record, here = records[table.names[owner]], np.flatnonzero(owners == owner)
        columns = record.columns(leads)
        at = np.clip(table.sample[rows[here], None] + offsets, 0, record.n_samples - 1)
        adu = record.signal_adu[at[..., None], columns]
        out[here] = record.to_millivolts(adu, columns).transpose(0, 2, 1)
    return out


_Beats = tuple[NDArray[np.int64], NDArray[np.str_], NDArray[np.float32], NDArray[np.float32]]


def _beats_of(records: Mapping[str, Record], name: str) -> _Beats:
    record = records.get(name)
    if record is None or record.annotations is None:
        problem = "is not loaded" if record is None else "was read without annotations"
        raise DataError(f"record {name} {problem}", where=name, hint="load it with its beats")
    is_beat = aami_classes(record.annotations.symbol) >= 0
    sample = record.annotations.sample[is_beat]
    previous, following = _rr_intervals(sample / record.fs_hz)
    return sample, record.annotations.symbol[is_beat], previous, following


def _rr_intervals(time_s: NDArray[np.float64]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    if len(time_s) < 2:
        unknown = np.full(len(time_s), np.nan, np.float32)
        return unknown, unknown.copy()
    rr = np.diff(time_s).astype(np.float32)
    return np.concatenate((rr[:1], rr)), np.concatenate((rr, rr[-1:]))
