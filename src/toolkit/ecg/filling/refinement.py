"""What a regression adds to gaps that were filled from elsewhere in the recording.

A beat's window is made as in training: 120 Hz, 0.5 to 40 Hz, in units of the typical QRS height.

Shapes: B = 1 beat, L leads, T samples of a window.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from toolkit.ecg import morphology
from toolkit.ecg.filling.elsewhere import joins
from toolkit.ecg.filling.model import GapModel
from toolkit.ecg.prediction.detection import detect
from toolkit.ecg.prediction.pieces import FEWEST, beats_of, pieces, with_margin
from toolkit.ecg.prediction.readable import Readable
from toolkit.ecg.regression.beat_windows import BeatWindows

Floats = NDArray[np.float32]
Span = tuple[int, int, int]
"""Column of the record, first sample of a gap and the one after its last."""


def refine(model: GapModel, filled: Readable, gaps: Sequence[Span]) -> None:
    """Add to ``gaps``, in place, what the network says where they lie within a beat's window."""
    peaks = detect(filled.read, filled.n_samples, filled.fs_hz)
    for low, high in pieces(filled):
        first, last = with_margin(filled, low, high)
        at = peaks[(peaks >= first) & (peaks < last)]
        own = [gap for gap in gaps if low <= gap[1] < high]
        if own and len(at) >= FEWEST:
            beats = beats_of(filled, len(model.config.leads), at - first, first, last)
            windows = BeatWindows([beats])
            for gap in own:
                _refine_one(model, filled, windows, at, gap)


def _refine_one(
    model: GapModel, filled: Readable, windows: BeatWindows, at: NDArray[np.int64], gap: Span
) -> None:
    column, start, stop = gap
    beat = int(np.abs(at - (start + stop) / 2).argmin())
    where = np.arange(start - 1, stop + 1)
    inside = (where - at[beat]) * (morphology.FS_HZ / filled.fs_hz) + morphology.BEFORE
    if inside[0] < 0 or inside[-1] > morphology.WIDTH - 1:
        return
    hidden_T = np.zeros(morphology.WIDTH, bool)
    hidden_T[int(np.ceil(inside[0])) : int(inside[-1]) + 1] = True
    added_LT = _added(model, windows, beat, hidden_T, _away(filled, int(at[beat])))
    lead, adu = filled.columns.index(column), filled.record.signal_adu
    added = np.interp(inside, np.arange(morphology.WIDTH), added_LT[lead])
    guide_mv = adu[where, column] / filled.record.adu_per_mv(column) + added
    joins(adu, filled, lead, start, guide_mv)


def _away(filled: Readable, peak: int) -> NDArray[np.bool_]:
    """(L, T) what cannot be read of the window around ``peak`` even now."""
    time = (np.arange(morphology.WIDTH) - morphology.BEFORE) / morphology.FS_HZ
    sample = peak + time * filled.fs_hz
    away = []
    for gaps in (lead.all for lead in filled.unreadable):
        near = gaps[(gaps[:, 1] > sample[0]) & (gaps[:, 0] <= sample[-1])]
        away.append(((sample >= near[:, :1]) & (sample < near[:, 1:])).any(axis=0))
    return np.stack(away)


@torch.no_grad()
def _added(
    model: GapModel,
    windows: BeatWindows,
    beat: int,
    hidden_T: NDArray[np.bool_],
    away_LT: NDArray[np.bool_],
) -> Floats:
    """(L, T) in mV; where a lead cannot be read the network sees that lead's ordinary beat."""
    at, own = np.array([beat]), slice(len(away_LT))  # the leads that the recording has
    x_BLT, ordinary_BLT = windows.signals(at).numpy(), windows.ordinary(at)
    x_BLT[:, own] = np.where(away_LT, ordinary_BLT[:, own], x_BLT[:, own])
    seen_BLT = torch.from_numpy(x_BLT)
    said_BLT = model.network(windows.inputs(seen_BLT, at, hidden_T[None]))
    added_LT: Floats = (said_BLT - seen_BLT)[0].numpy() * windows.millivolts(at)[0][:, None]
    return added_LT
