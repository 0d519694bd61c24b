"""Where the windows of a protocol come from, and the proof that no test signal is learnt from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.core.errors import DataError
from toolkit.ecg import beats, fragments
from toolkit.ecg.beat_examples import series
from toolkit.ecg.beats import aami_classes
from toolkit.ecg.config import EcgPretrainConfig
from toolkit.ecg.database import Database
from toolkit.ecg.records import Record
from toolkit.ecg.regression.beat_windows import BeatWindows
from toolkit.ecg.regression.record_windows import RecordWindows
from toolkit.ecg.regression.windows import Windows
from toolkit.ecg.study import Floats

GUARD_S = 10.0  # around test fragments nothing is learnt from
_STRIDE_S = 2.0
_FS_HZ = 360.0


@dataclass(frozen=True)
class Pool:
    """What is learnt from and what is judged, proved to be apart.

    Attributes:
        learnt, judged: windows.
        facts: who is in them, for ``data.json`` and for what is built on this encoder.
        names: (n judged,) record of each judged window.
    """

    learnt: Windows
    judged: Windows
    facts: Mapping[str, Any]
    names: NDArray[np.str_]


def pool(database: Database, config: EcgPretrainConfig) -> Pool:
    """The windows of ``config``'s protocol.

    Raises:
        DataError: records are missing or unfit, or learnt and judged signals are not apart.
    """
    if config.protocol == "fragments17":
        return _around_fragments(database, config.seed)
    names = sorted(database.records)
    if database.synthetic:
        learnt, judged = names[: len(names) // 2], names[len(names) // 2 :]
    elif config.protocol == "intra":
        learnt, judged = names, []
    else:
        learnt, judged = list(beats.DS1), list(beats.DS2)
    if not learnt or not judged or set(learnt) & set(judged):
        what = f"protocol {config.protocol} leaves no records to learn from and others to judge by"
        raise DataError(what, where="protocol", hint="--preset ec57, fragments17 or synthetic")
    parts = [
        [series(database.records[name], config.leads) for name in part] for part in (learnt, judged)
    ]
    facts = {"learnt_records": learnt, "judged_records": judged}
    owners = np.repeat(judged, [len(one) for one in parts[1]])
    first, second = (BeatWindows(part, config.hiding.loose_s) for part in parts)
    return Pool(first, second, facts, owners)


def _around_fragments(database: Database, seed: int) -> Pool:
    index = fragments.load_index()
    fragments.cut(database.records, index)  # says what a record lacks
    test = fragments.split_by_fragment(index, seed).test
    names = sorted(database.records)
    records = [database.records[name] for name in names]
    signals, peaks = [_first_lead(one) for one in records], [_peaks(one) for one in records]
    held = [np.sort(index.start[test][index.record[test] == name]) for name in names]
    starts = [_free(one.n_samples, own) for one, own in zip(records, held)]
    for name, free, own in zip(names, starts, held):
        prove(name, free, own)
    owner = np.repeat(np.arange(len(names)), [len(free) for free in starts])
    learnt = RecordWindows(signals, peaks, owner, np.concatenate(starts), fragments.WIDTH, _FS_HZ)
    of_test = np.array([names.index(name) for name in index.record[test].tolist()])
    judged = RecordWindows(signals, peaks, of_test, index.start[test], fragments.WIDTH, _FS_HZ)
    facts = {
        "learnt_windows": len(owner),
        "judged_windows": len(of_test),
        "guard_s": GUARD_S,
        "test_fragments": np.sort(test).tolist(),
    }
    return Pool(learnt, judged, facts, index.record[test])


def _first_lead(record: Record) -> Floats:
    lead = "MLII" if "MLII" in record.leads else record.leads[0]
    signal_mv: Floats = record.millivolts((lead,))[0]
    return signal_mv


def _peaks(record: Record) -> NDArray[np.int64]:
    if record.annotations is None:
        raise DataError("the record has no annotations", where=f"record {record.name}")
    return record.annotations.sample[aami_classes(record.annotations.symbol) >= 0]


def _free(n_samples: int, held: NDArray[np.int64]) -> NDArray[np.int64]:
    """First samples of windows that keep ``GUARD_S`` from the test fragments."""
    every = np.arange(0, n_samples - fragments.WIDTH + 1, round(_STRIDE_S * _FS_HZ))
    apart = fragments.WIDTH + round(GUARD_S * _FS_HZ)
    near = (np.abs(every[:, None] - held) < apart).any(axis=1)
    free: NDArray[np.int64] = every[~near]
    return free


def prove(name: str, starts: Sequence[int] | NDArray[np.int64], held: NDArray[np.int64]) -> None:
    """Raise a DataError unless every window lies ``GUARD_S`` or more from every test fragment."""
    for start in held.tolist():
        gap = np.abs(np.asarray(starts) - start) - fragments.WIDTH
        if len(gap) and gap.min() < GUARD_S * _FS_HZ:
            what = f"a window of record {name} lies {gap.min() / _FS_HZ:.1f} s from a test fragment"
            raise DataError(what, where=f"record {name}", hint=f"{GUARD_S:g} s must lie between")
