"""Beats as network inputs: the beat, its template, the beat before, rhythm and shape features.

A record's beats see one another only through label-free statistics of that record. S-rich
pseudo-records are made from training records by keeping a few beats either side of every S beat
and computing all features anew: they show the network records in which most beats are premature.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor

from toolkit.core.errors import DataError
from toolkit.ecg import morphology, rhythm
from toolkit.ecg.augmentation import disturbed, random_gain
from toolkit.ecg.beats import CLASSES, aami_classes
from toolkit.ecg.config import AugmentationConfig, BeatsConfig
from toolkit.ecg.records import Record
from toolkit.ecg.study import Floats, Labels

_S = CLASSES.index("S")
_FEWEST = 8  # beats of a pseudo-record


@dataclass(frozen=True, eq=False)
class BeatSeries:
    """The beats of one record or pseudo-record, in order of time.

    Attributes:
        name: the record's name.
        label: (n,) AAMI class ids.
        rr_s: (n,) seconds to the beat before.
        beats_BLT: (m ≥ n, leads, WIDTH) scaled windows of all the record's beats.
        at: (n,) where in ``beats_BLT`` each beat is; the one before it there came before it.
        template_LT: the record's ordinary beat.
        side_BS: (n, side features): rhythm, then shape.
        p_coherence_BL: (n, leads) how alike the P waves around each beat are.
        sample: (n,) R peaks as samples of the record.
        height_mv_L: (leads,) the record's typical QRS height, the unit of ``beats_BLT``.
        signal_mv_LT: (leads, samples) the whole record at 120 Hz.
        peak: (n,) R peaks as samples of ``signal_mv_LT``.
    """

    name: str
    label: Labels
    rr_s: NDArray[np.float64]
    beats_BLT: Floats
    at: Labels
    template_LT: Floats
    side_BS: Floats
    p_coherence_BL: Floats
    sample: Labels
    height_mv_L: Floats
    signal_mv_LT: Floats
    peak: Labels

    def __len__(self) -> int:
        return len(self.label)

    def rows(self, chosen: Labels) -> BeatSeries:
        """Some of the beats, with the features and the beat before that they have among all."""
        return replace(
            self,
            label=self.label[chosen],
            rr_s=self.rr_s[chosen],
            at=self.at[chosen],
            side_BS=self.side_BS[chosen],
            p_coherence_BL=self.p_coherence_BL[chosen],
            sample=self.sample[chosen],
            peak=self.peak[chosen],
        )


def series(record: Record, leads: Sequence[str]) -> BeatSeries:
    """The annotated beats of ``record``.

    Raises:
        DataError: it has no beats, lacks a lead or has missing samples.
    """
    if record.annotations is None:
        raise DataError("the record has no annotations", where=f"record {record.name}")
    label = aami_classes(record.annotations.symbol).astype(np.int64)
    sample, label = record.annotations.sample[label >= 0], label[label >= 0]
    if len(sample) < 2:
        raise DataError(f"the record has {len(sample)} beats", where=f"record {record.name}")
    at = np.round(sample * (morphology.FS_HZ / record.fs_hz)).astype(np.int64)
    x_LT = morphology.filtered(record, leads)
    beats, height_mv_L = morphology.beat_windows(x_LT, at), morphology.qrs_height(x_LT, at)
    rr_s = rhythm.intervals(sample / record.fs_hz)
    return _assemble(record.name, label, rr_s, beats, sample, height_mv_L, x_LT, at)


def _assemble(
    name: str,
    label: Labels,
    rr_s: NDArray[np.float64],
    beats_BLT: Floats,
    sample: Labels,
    height_mv_L: Floats,
    signal_mv_LT: Floats,
    peak: Labels,
) -> BeatSeries:
    ordinary = morphology.template(beats_BLT, rr_s)
    shape = morphology.shape_features(beats_BLT, ordinary)
    side = np.concatenate([rhythm.rhythm_features(rr_s), shape], axis=1)
    return BeatSeries(
        name=name,
        label=label,
        rr_s=rr_s,
        beats_BLT=beats_BLT,
        at=np.arange(len(label)),
        template_LT=ordinary,
        side_BS=side,
        p_coherence_BL=morphology.p_coherence(beats_BLT),
        sample=sample,
        height_mv_L=height_mv_L,
        signal_mv_LT=signal_mv_LT,
        peak=peak,
    )


def pseudo_record(source: BeatSeries, most: int, generator: Generator) -> BeatSeries | None:
    """``source`` cut down to 1 … ``most`` beats either side of each S beat; None if too few."""
    keep = np.zeros(len(source), bool)
    for i in np.flatnonzero(source.label == _S):
        reach = int(generator.integers(1, most + 1))
        keep[max(0, i - reach) : i + reach + 1] = True
    if keep.sum() < _FEWEST:
        return None
    return _assemble(
        source.name,
        source.label[keep],
        source.rr_s[keep],
        source.beats_BLT[source.at[keep]],
        source.sample[keep],
        source.height_mv_L,
        source.signal_mv_LT,
        source.peak[keep],
    )


class BeatExamples:
    """Beats of several series: inputs (n, 3·leads, WIDTH), (n, side) and (n,), targets (n,).

    The signal channels are, for every lead, the beat, then the beat minus the template, then the
    beat before minus the template. The third input is the coherence of the P waves in the lead
    that shows them best.
    """

    def __init__(
        self,
        parts: Sequence[BeatSeries],
        augmentation: AugmentationConfig | None = None,
        settings: BeatsConfig | None = None,
    ) -> None:
        self._beats = torch.from_numpy(np.concatenate([part.beats_BLT for part in parts]))
        self._templates = torch.from_numpy(np.stack([part.template_LT for part in parts]))
        self._side = torch.from_numpy(np.concatenate([part.side_BS for part in parts]))
        self._typical_side = self._side.mean(dim=0)
        self._coherence = torch.from_numpy(np.concatenate([p.p_coherence_BL for p in parts]))
        self._label = torch.from_numpy(np.concatenate([part.label for part in parts]))
        self._owner = torch.from_numpy(np.repeat(np.arange(len(parts)), [*map(len, parts)]))
        first = np.cumsum([0, *(len(part.beats_BLT) for part in parts[:-1])])
        at = [start + part.at for start, part in zip(first, parts)]
        before = [start + np.maximum(part.at - 1, 0) for start, part in zip(first, parts)]
        self._at, self._before = (torch.from_numpy(np.concatenate(i)) for i in (at, before))
        self._augmentation = augmentation or AugmentationConfig()
        self._settings = settings or BeatsConfig()

    def __len__(self) -> int:
        return len(self._label)

    def batch(
        self, indices: Labels, generator: Generator | None
    ) -> tuple[tuple[Tensor, ...], Tensor]:
        """Signals, side features, coherences, and labels; augmented when a generator is given."""
        i = torch.from_numpy(indices)
        beat, before = self._beats[self._at[i]], self._beats[self._before[i]]
        ordinary, side = self._templates[self._owner[i]], self._side[i]
        coherence, best = self._coherence[i], self._coherence[i].amax(dim=1)
        if generator is not None:
            gain = random_gain(len(i), self._augmentation, generator)  # the record's own, so of all
            before, ordinary = before * gain, ordinary * gain
            beat = disturbed(beat * gain, morphology.FS_HZ, self._augmentation, generator)
            noise = generator.standard_normal(side.shape, dtype=np.float32)
            side = side + self._settings.side_noise * torch.from_numpy(noise)
            hidden = torch.from_numpy(generator.random(len(i)) < self._settings.lead_dropout)
            side = self._without_other_leads(side, hidden)
            best = torch.where(hidden, coherence[:, 0], best)
            for signal in (beat, before, ordinary):
                signal[hidden, 1:] = 0
        signal = torch.cat([beat, beat - ordinary, before - ordinary], dim=1)
        return (signal, side, best), self._label[i]

    def _without_other_leads(self, side: Tensor, hidden: Tensor) -> Tensor:
        """``side`` with typical shape features of all leads but the first where ``hidden``."""
        own = rhythm.FEATURES + morphology.FEATURES_PER_LEAD
        others = torch.where(hidden[:, None], self._typical_side[own:], side[:, own:])
        return torch.cat([side[:, :own], others], dim=1)
