"""Classes of detected beats from a model that was trained on annotated ones.

The inputs are made by the training's own code. Its statistics (the mean interval, the ordinary
beat, typical heights) are those of records of half an hour, so a longer recording is taken in
stretches of about that length: the model sees what it learnt from, the slower rhythm of the night
is not judged by the day's, and memory does not grow with the recording.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from toolkit.core import supervised, weights
from toolkit.core.errors import RunError
from toolkit.core.released import Released, find
from toolkit.ecg import morphology, rhythm
from toolkit.ecg.beat_examples import BeatExamples, BeatSeries
from toolkit.ecg.beat_network import BeatNetwork, beat_probabilities
from toolkit.ecg.beats import CLASSES
from toolkit.ecg.config import EcgTrainConfig
from toolkit.ecg.prediction import quality
from toolkit.ecg.prediction.pieces import FEWEST, beats_of, pieces, with_margin
from toolkit.ecg.prediction.readable import Readable
from toolkit.ecg.transfer import classifier

Floats = NDArray[np.float32]
Indices = NDArray[np.int64]

_AROUND_S = (0.26, 0.45)  # before and after the R peak: what the shape features look at
_LOST = 0.02  # of a stretch: a second lead unreadable for more is left out of it
_BATCH = 512


@dataclass(frozen=True, eq=False)
class BeatModel:
    """A trained beat classifier.

    Attributes:
        name: what it was asked for by.
        config: its settings; ``leads`` are the parts that leads of a recording play.
        network: its weights.
        card: the paragraph on limits of its model card, empty for a run.
    """

    name: str
    config: EcgTrainConfig
    network: BeatNetwork
    card: str = ""


def load_model(spec: str, runs_dir: Path) -> BeatModel:
    """A released model or a run of ``toolkit ecg train`` on beats.

    Raises:
        RunError: there is none, it is unfinished or damaged, or it classifies no beats.
    """
    found = find(spec, "ecg", runs_dir)
    config = classifier(found)
    if config.protocol == "fragments17":
        what = f"{spec} classifies ten-second fragments (protocol {config.protocol}), not beats"
        raise RunError(what, where=str(found.path), hint="use ec57 or a run of --preset ec57")
    tensors = weights.read(found.path)
    width = rhythm.FEATURES + morphology.FEATURES_PER_LEAD * len(config.leads)
    network = BeatNetwork(config, torch.zeros(width), torch.ones(width))
    supervised.load_weights(network, tensors)
    card = _limits(found.path / "README.md") if isinstance(found, Released) else ""
    return BeatModel(spec, config, network.eval(), card)


def _limits(card: Path) -> str:
    text = card.read_text() if card.is_file() else ""
    paragraph = text.partition("**Limits.**")[2].partition("\n\n")[0]
    return " ".join(paragraph.split())


def classify(model: BeatModel, signal: Readable, at: Indices) -> Floats:
    """Probabilities (n, 5) of N, S, V, F, Q for the beats at ``at``; NaN where there are none.

    A beat gets none where a lead that is used cannot be read around it, or where too few others
    are near to compare it with.
    """
    found = np.full((len(at), len(CLASSES)), np.nan, np.float32)
    for start, stop in pieces(signal):
        own = np.flatnonzero((at >= start) & (at < stop))
        if len(own):
            found[own] = _classify_stretch(model, signal, at, own, start, stop)
    return found


def _classify_stretch(
    model: BeatModel, signal: Readable, at: Indices, own: Indices, start: int, stop: int
) -> Floats:
    low, high = with_margin(signal, start, stop)
    rows = np.flatnonzero((at >= low) & (at < high))
    readable = [lead for lead in range(len(signal.columns)) if _is_used(signal, lead, low, high)]
    if len(rows) < FEWEST or 0 not in readable:
        return np.full((len(own), len(CLASSES)), np.nan, np.float32)
    beats = beats_of(signal, len(model.config.leads), at[rows] - low, low, high)
    beats = _with_known_intervals(beats, signal, low)
    beats = _without_leads(beats, model, set(range(len(model.config.leads))) - set(readable))
    probabilities = _forward(model.network, beats, own - rows[0])
    lost = [quality.touched(_spans(at[own], signal), signal.unreadable[i].all) for i in readable]
    probabilities[np.any(lost, axis=0)] = np.nan
    return probabilities


def _is_used(signal: Readable, lead: int, low: int, high: int) -> bool:
    """Whether a lead is there for nearly all of a stretch; the main one for half of it."""
    inside = np.clip(signal.unreadable[lead].all, low, high)
    allowed = _LOST if lead else 0.5
    return quality.length(inside) <= allowed * (high - low)


def _with_known_intervals(beats: BeatSeries, signal: Readable, low: int) -> BeatSeries:
    """An interval across a gap says nothing: it is taken to be like the next one."""
    between = np.stack([beats.sample[:-1], beats.sample[1:]], axis=1) + low
    unknown = np.append(False, quality.touched(between, signal.gaps))
    if not unknown.any() or unknown[1:].all():
        return beats
    unknown[0] = True  # the first interval repeats the second, which may be one of them
    known = np.flatnonzero(~unknown)
    following = known[np.minimum(np.searchsorted(known, np.arange(len(unknown))), len(known) - 1)]
    rr_s = beats.rr_s[following]
    shape = beats.side_BS[:, rhythm.FEATURES :]
    side = np.concatenate([rhythm.rhythm_features(rr_s), shape], axis=1)
    return replace(beats, rr_s=rr_s, side_BS=side)


def _without_leads(beats: BeatSeries, model: BeatModel, hidden: set[int]) -> BeatSeries:
    """Leads that are not there as the training hid them: no signal, typical shape features."""
    if not hidden:
        return beats
    signals, ordinary, side = beats.beats_BLT, beats.template_LT, beats.side_BS.copy()
    coherence = beats.p_coherence_BL.copy()
    typical, width = model.network.mean_S.numpy(), morphology.FEATURES_PER_LEAD
    for lead in hidden:
        signals[:, lead], ordinary[lead], coherence[:, lead] = 0, 0, 0
        columns = slice(rhythm.FEATURES + lead * width, rhythm.FEATURES + (lead + 1) * width)
        side[:, columns] = typical[columns]
    return replace(
        beats, beats_BLT=signals, template_LT=ordinary, side_BS=side, p_coherence_BL=coherence
    )


def _forward(network: nn.Module, beats: BeatSeries, rows: Indices) -> Floats:
    with torch.inference_mode():
        examples = BeatExamples([beats.rows(rows)])
        return beat_probabilities(supervised.predict(network, examples, batch_size=_BATCH))


def _spans(at: Indices, signal: Readable) -> Indices:
    before, after = (round(seconds * signal.fs_hz) for seconds in _AROUND_S)
    return np.stack([at - before, at + after], axis=1)
