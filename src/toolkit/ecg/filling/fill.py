"""What a recording lacks for a moment, predicted from the rest of the beat that it belongs to.

A beat's window is made as in training: 120 Hz, 0.5 to 40 Hz, in units of the typical QRS height.
What the network says of the gap is brought back to the recording's own rate, and shifted so that
it meets what was recorded on both sides; slow drifts and noise are not invented.

Shapes: B beats, L leads, T samples of a window.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from toolkit.core import weights
from toolkit.core.errors import ConfigError
from toolkit.core.released import find
from toolkit.core.supervised import load_weights
from toolkit.ecg import morphology
from toolkit.ecg.beat_examples import BeatSeries
from toolkit.ecg.config import EcgPretrainConfig
from toolkit.ecg.filling.peaks import expected_peaks, fitted
from toolkit.ecg.prediction.pieces import FEWEST, beats_of, pieces, with_margin
from toolkit.ecg.prediction.readable import Readable
from toolkit.ecg.records import Record
from toolkit.ecg.regression.predictors import joined
from toolkit.ecg.regression.pretraining import Restorer, network
from toolkit.ecg.regression.windows import BeatWindows

Floats = NDArray[np.float32]
Indices = NDArray[np.int64]

FILLED, LONG, ALONE, EDGE = "filled", "too long", "no beat around", "at an end"


@dataclass(frozen=True, eq=False)
class GapModel:
    """A self-supervised regression of gaps in beats."""

    name: str
    config: EcgPretrainConfig
    network: Restorer


class Gap(NamedTuple):
    """A stretch of a lead that could not be read: samples from ``start`` to before ``stop``."""

    column: int  # of the record
    start: int
    stop: int
    outcome: str


def load_gap_model(spec: str, runs_dir: Path) -> GapModel:
    """A released encoder or a run of ``toolkit ecg pretrain`` that learnt to fill gaps of beats.

    Raises:
        ConfigError: it classifies, or learnt something else.
        RunError: there is none, it is unfinished or damaged.
    """
    found = find(spec, "ecg", runs_dir)
    hint = "encoder-ec57, or a run of toolkit ecg pretrain --preset ec57 --target gap"
    if "hiding" not in found.settings:
        raise ConfigError("a classifier predicts no signal", where=str(found.path), hint=hint)
    config = found.config(EcgPretrainConfig)
    if config.protocol == "fragments17" or config.hiding.target != "gap":
        what = f"it learnt {config.hiding.target} under {config.protocol}, not gaps of beats"
        raise ConfigError(what, where=str(found.path), hint=hint)
    made = network(config)
    load_weights(made, weights.read(found.path))
    made.eval()
    return GapModel(spec, config, made)


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
    adu, gaps = _bridged(signal), []
    for span in pieces(signal):
        gaps += _fill_piece(model, signal, at, span, longest_s, adu)
    return replace(signal.record, signal_adu=adu), sorted(gaps, key=lambda gap: gap[1:3])


def _bridged(signal: Readable) -> NDArray[np.integer]:
    """All leads (samples, leads); the few samples that are no gap yet are on straight lines."""
    adu = np.array(signal.record.signal_adu)
    for column, found in zip(signal.columns, signal.unreadable):
        missing = adu[:, column] == np.iinfo(adu.dtype).min
        known, few = np.flatnonzero(~missing), missing.copy()
        for start, stop in found.all.tolist():
            few[start:stop] = False
        values = np.interp(np.flatnonzero(few), known, adu[known, column])
        adu[few, column] = np.rint(values)
    return adu


def _fill_piece(
    model: GapModel,
    signal: Readable,
    peaks: Indices,
    span: tuple[int, int],
    longest_s: float,
    adu: NDArray[np.integer],
) -> list[Gap]:
    """Fill the gaps that begin within ``span``, in place."""
    low, high = with_margin(signal, *span)
    at, leads = peaks[(peaks >= low) & (peaks < high)], len(model.config.leads)
    found = list(_gaps(signal, *span))
    if not found or len(at) < FEWEST:
        return [Gap(signal.columns[lead], start, stop, ALONE) for lead, start, stop in found]
    beats = beats_of(signal, leads, at - low, low, high)
    hidden = _hidden_peaks(signal, at, beats, low, high)
    if len(hidden):
        at = np.sort(np.concatenate([at, hidden]))
        beats = beats_of(signal, leads, at - low, low, high)
    windows, gaps = BeatWindows([beats]), []
    for lead, start, stop in found:
        outcome, owner = _owner(signal, at, start, stop, longest_s)
        if outcome == FILLED:
            mv_T = _predicted(model, windows, owner, _hidden(signal, int(at[owner])))[lead]
            guide = _at(mv_T, (np.arange(start - 1, stop + 1) - at[owner]) / signal.fs_hz)
            _write(adu, signal, lead, start, stop, guide)
        gaps.append(Gap(signal.columns[lead], start, stop, outcome))
    return gaps


def _hidden_peaks(signal: Readable, at: Indices, beats: BeatSeries, low: int, high: int) -> Indices:
    """R peaks between samples ``low`` and ``high`` that were not found for a gap."""
    ratio, gaps = morphology.FS_HZ / signal.fs_hz, signal.unreadable[0].all
    guessed = expected_peaks(at, gaps)
    if not len(guessed):
        return guessed
    names = tuple(f"part {i}" for i in range(len(signal.columns)))
    x_LT = morphology.filtered(signal.piece(low, high, names), names)
    own = slice(len(names))
    x_LT = x_LT / beats.height_mv_L[own, None]
    missing = _missing(signal, low + np.arange(x_LT.shape[1]) / ratio)
    template_LT = beats.template_LT[own]
    near = [fitted(round((g - low) * ratio), x_LT, template_LT, missing) for g in guessed.tolist()]
    return low + np.round(np.array(near) / ratio).astype(np.int64)


def _gaps(signal: Readable, low: int, high: int) -> Iterator[tuple[int, int, int]]:
    """Lead, first sample and the one after the last of gaps that begin from ``low`` to ``high``."""
    for lead, found in enumerate(signal.unreadable):
        for start, stop in found.all.tolist():
            if low <= start < high:
                yield lead, start, stop


def _owner(
    signal: Readable, at: Indices, start: int, stop: int, longest_s: float
) -> tuple[str, int]:
    """What can be done about a gap, and the beat of ``at`` that it belongs to."""
    owner = int(np.abs(at - (start + stop) / 2).argmin())
    if start == 0 or stop == signal.n_samples:
        return EDGE, owner
    if stop - start > longest_s * signal.fs_hz:
        return LONG, owner
    before, after = (at[owner] - start + 1) / signal.fs_hz, (stop - at[owner]) / signal.fs_hz
    reach = morphology.BEFORE / morphology.FS_HZ, (morphology.AFTER - 1) / morphology.FS_HZ
    return (FILLED if before <= reach[0] and after <= reach[1] else ALONE), owner


def _hidden(signal: Readable, peak: int) -> NDArray[np.bool_]:
    """(1, T) which samples of the window around ``peak`` some lead lacks."""
    time_s = (np.arange(morphology.WIDTH) - morphology.BEFORE) / morphology.FS_HZ
    return _missing(signal, peak + time_s * signal.fs_hz)[None]


def _missing(signal: Readable, sample: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which of ascending instants at 120 Hz, given as samples, some lead lacks."""
    half = 0.5 * signal.fs_hz / morphology.FS_HZ  # what an instant stands for
    found = np.zeros(len(sample), bool)
    for lead in signal.unreadable:
        for start, stop in lead.all[(lead.all[:, 1] > sample[0]) & (lead.all[:, 0] < sample[-1])]:
            found |= (sample > start - half) & (sample < stop - 1 + half)
    return found


@torch.no_grad()
def _predicted(
    model: GapModel, windows: BeatWindows, owner: int, hidden_BT: NDArray[np.bool_]
) -> Floats:
    """(L, T) in mV: the beat's window with what the network says of its hidden samples."""
    at = np.array([owner])
    x_BLT = windows.signals(at).numpy()
    bridged_BLT = torch.from_numpy(joined(x_BLT, hidden_BT, windows.ordinary(at)))
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
    guide = guide_mv * signal.adu_per_mv(lead)
    made = line + guide - np.interp(where, ends, guide[[0, -1]])
    limits = np.iinfo(adu.dtype)
    adu[start:stop, column] = np.clip(np.rint(made[1:-1]), limits.min + 1, limits.max)
