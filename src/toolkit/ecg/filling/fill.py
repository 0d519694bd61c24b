"""What a recording lacks for a moment, predicted from the rest of the beat that it belongs to.

A beat's window is made as in training: 120 Hz, 0.5 to 40 Hz, in units of the typical QRS height.
What the network says of the gap is brought back to the recording's own rate, and shifted so that
it meets what was recorded on both sides; slow drifts and noise are not invented.

Shapes: B beats, L leads, T samples of a window.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from toolkit.ecg import morphology
from toolkit.ecg.beat_examples import BeatSeries
from toolkit.ecg.filling.model import GapModel
from toolkit.ecg.filling.peaks import expected_peaks, fitted
from toolkit.ecg.prediction import quality
from toolkit.ecg.prediction.pieces import FEWEST, beats_of, pieces, with_margin
from toolkit.ecg.prediction.quality import Intervals
from toolkit.ecg.prediction.readable import Readable
from toolkit.ecg.records import Record
from toolkit.ecg.regression.predictors import joined
from toolkit.ecg.regression.windows import BeatWindows

Floats = NDArray[np.float32]
Indices = NDArray[np.int64]

FILLED, LONG, ALONE, EDGE = "filled", "too long", "no beat around", "at an end"


class Gap(NamedTuple):
    """A stretch of a lead that could not be read: samples from ``start`` to before ``stop``."""

    column: int  # of the record
    start: int
    stop: int
    outcome: str


class _Gaps(NamedTuple):
    """Stretches of each lead that are short, to be filled, or long, to stay."""

    short: tuple[Intervals, ...]
    long: tuple[Intervals, ...]


def fill(
    model: GapModel, signal: Readable, at: Indices, longest_s: float
) -> tuple[Record, list[Gap]]:
    """The recording with its gaps filled, and what became of each gap.

    Args:
        model: predicts them.
        signal: the leads that are looked at.
        at: (n,) R peaks that were found.
        longest_s: a longer gap stays as it is.
    """
    every = [lead.all for lead in signal.unreadable]
    is_long = [one[:, 1] - one[:, 0] > longest_s * signal.fs_hz for one in every]
    lengths = list(zip(every, is_long))
    kinds = _Gaps(tuple(one[~long] for one, long in lengths), tuple(i[k] for i, k in lengths))
    adu, gaps = _bridged(signal), []
    for span in pieces(signal):
        gaps += _fill_piece(model, signal, at, span, kinds, adu)
    return replace(signal.record, signal_adu=adu), sorted(gaps, key=lambda gap: gap[1:3])


def _bridged(signal: Readable) -> NDArray[np.integer]:
    """All leads (samples, leads); the few samples that are no gap yet are on straight lines."""
    adu = np.array(signal.record.signal_adu)
    for column, found in zip(signal.columns, signal.unreadable):
        missing = adu[:, column] == np.iinfo(adu.dtype).min
        known, few = np.flatnonzero(~missing), missing.copy()
        for start, stop in found.all.tolist():
            few[start:stop] = False
        if few.any() and len(known):
            values = np.interp(np.flatnonzero(few), known, adu[known, column])
            adu[few, column] = np.rint(values)
    return adu


def _fill_piece(
    model: GapModel,
    signal: Readable,
    peaks: Indices,
    span: tuple[int, int],
    kinds: _Gaps,
    adu: NDArray[np.integer],
) -> list[Gap]:
    """Fill the gaps that begin within ``span``, in place."""
    low, high = with_margin(signal, *span)
    at, leads = peaks[(peaks >= low) & (peaks < high)], len(model.config.leads)
    gaps = [Gap(signal.columns[i], a, b, LONG) for i, a, b in _within(kinds.long, *span)]
    short = _within(kinds.short, *span)
    if not short or len(at) < FEWEST:
        return gaps + [Gap(signal.columns[i], a, b, ALONE) for i, a, b in short]
    beats = beats_of(signal, leads, at - low, low, high)
    hidden = _hidden_peaks(signal, at, beats, kinds, low, high)
    if len(hidden):
        at = np.sort(np.concatenate([at, hidden]))
        beats = beats_of(signal, leads, at - low, low, high)
    windows = BeatWindows([beats])
    for lead, start, stop in short:
        outcome, owner = _owner(signal, at, start, stop)
        if outcome == FILLED:
            mv_T = _predicted(model, windows, owner, *_lost(signal, kinds, int(at[owner])))[lead]
            guide = _at(mv_T, (np.arange(start - 1, stop + 1) - at[owner]) / signal.fs_hz)
            _write(adu, signal, lead, start, stop, guide)
        gaps.append(Gap(signal.columns[lead], start, stop, outcome))
    return gaps


def _hidden_peaks(
    signal: Readable, at: Indices, beats: BeatSeries, kinds: _Gaps, low: int, high: int
) -> Indices:
    """R peaks between samples ``low`` and ``high`` that were not found for a short gap."""
    ratio = morphology.FS_HZ / signal.fs_hz
    guessed = expected_peaks(at, kinds.short[0], kinds.long[0])
    if not len(guessed):
        return guessed
    names = tuple(f"part {i}" for i in range(len(signal.columns)))
    x_LT = morphology.filtered(signal.piece(low, high, names), names)
    own = slice(len(names))
    x_LT = x_LT / beats.height_mv_L[own, None]
    seen_by = quality.union(*kinds.short, kinds.long[0])
    missing = _missing(seen_by, low + np.arange(x_LT.shape[1]) / ratio)
    template_LT = beats.template_LT[own]
    near = [fitted(round((g - low) * ratio), x_LT, template_LT, missing) for g in guessed.tolist()]
    return low + np.round(np.array(near) / ratio).astype(np.int64)


def _within(kind: Sequence[Intervals], low: int, high: int) -> list[tuple[int, int, int]]:
    """Lead, first sample and the one after the last of gaps that begin from ``low`` to ``high``."""
    found = [(lead, *ends) for lead, own in enumerate(kind) for ends in own.tolist()]
    return [(lead, start, stop) for lead, start, stop in found if low <= start < high]


def _owner(signal: Readable, at: Indices, start: int, stop: int) -> tuple[str, int]:
    """What can be done about a gap, and the beat of ``at`` that it belongs to."""
    owner = int(np.abs(at - (start + stop) / 2).argmin())
    if start == 0 or stop == signal.n_samples:
        return EDGE, owner
    before, after = (at[owner] - start + 1) / signal.fs_hz, (stop - at[owner]) / signal.fs_hz
    reach = morphology.BEFORE / morphology.FS_HZ, (morphology.AFTER - 1) / morphology.FS_HZ
    return (FILLED if before <= reach[0] and after <= reach[1] else ALONE), owner


def _lost(signal: Readable, kinds: _Gaps, peak: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """In the window around ``peak``: what short gaps of any lead hide, where a lead is away.

    (1, T) and (L, T): a lead that is away for long hides nothing of the others.
    """
    time_s = (np.arange(morphology.WIDTH) - morphology.BEFORE) / morphology.FS_HZ
    sample = peak + time_s * signal.fs_hz
    away_LT = np.stack([_missing(one, sample) for one in kinds.long])
    return _missing(quality.union(*kinds.short), sample)[None], away_LT


def _missing(gaps: Intervals, sample: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which of ascending instants at 120 Hz, given as samples, lie in ``gaps``."""
    half = 0.5 * (sample[1] - sample[0])  # what an instant stands for
    found = np.zeros(len(sample), bool)
    for start, stop in gaps[(gaps[:, 1] > sample[0]) & (gaps[:, 0] < sample[-1])]:
        found |= (sample > start - half) & (sample < stop - 1 + half)
    return found


@torch.no_grad()
def _predicted(
    model: GapModel,
    windows: BeatWindows,
    owner: int,
    hidden_BT: NDArray[np.bool_],
    away_LT: NDArray[np.bool_],
) -> Floats:
    """(L, T) in mV: the beat's window with what the network says of its hidden samples.

    Where a lead is away for long the network sees that lead's ordinary beat.
    """
    at = np.array([owner])
    x_BLT, ordinary_BLT = windows.signals(at).numpy(), windows.ordinary(at)
    own = slice(len(away_LT))  # of the leads that the recording has
    x_BLT[:, own] = np.where(away_LT, ordinary_BLT[:, own], x_BLT[:, own])
    bridged_BLT = torch.from_numpy(joined(x_BLT, hidden_BT, ordinary_BLT))
    said_BLT = model.network(windows.inputs(bridged_BLT, at, hidden_BT)).numpy()
    whole_BLT = np.where(hidden_BT[:, None], said_BLT, x_BLT)
    in_mv: Floats = whole_BLT[0] * windows.millivolts(at)[0][:, None]
    return in_mv


def _at(x_T: Floats, time_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """A window's lead at times from its R peak on."""
    inside = time_s * morphology.FS_HZ + morphology.BEFORE
    return np.interp(inside, np.arange(len(x_T)), x_T)


def _write(
    adu: NDArray[np.integer],
    signal: Readable,
    lead: int,
    start: int,
    stop: int,
    guide_mv: NDArray[np.float64],
) -> None:
    """Put ``guide_mv``, of the gap and a sample on either side, between what was recorded."""
    column, where = signal.columns[lead], np.arange(start - 1, stop + 1)
    ends = [start - 1, stop]
    line = np.interp(where, ends, adu[ends, column])
    guide = guide_mv * signal.record.adu_per_mv(column)
    made = line + guide - np.interp(where, ends, guide[[0, -1]])
    limits = np.iinfo(adu.dtype)
    adu[start:stop, column] = np.clip(np.rint(made[1:-1]), limits.min + 1, limits.max)
