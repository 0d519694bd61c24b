"""One recording through detection, classification and episodes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.core.errors import DataError
from toolkit.ecg.beat_network import decide_beats
from toolkit.ecg.beats import CLASSES
from toolkit.ecg.prediction import episodes, leads, quality
from toolkit.ecg.prediction.classification import BeatModel, classify
from toolkit.ecg.prediction.detection import detect
from toolkit.ecg.prediction.episodes import Episode
from toolkit.ecg.prediction.inputs import Recording, check_amplitude
from toolkit.ecg.prediction.readable import Readable

_Q = CLASSES.index("Q")
NOT_JUDGED, UNSURE = "unreadable or too few beats around", "below --abstain"
_SHORT_S = 300.0
_MUCH = 0.05  # unreadable share worth a warning
_FEWEST_PER_MINUTE = 20.0


@dataclass(frozen=True, eq=False)
class Analysis:
    """What was found in one recording; beats are in order of time, n of them.

    Attributes:
        recording, signal: the recording and its chosen leads.
        sample: (n,) R peaks.
        time_s: (n,) the same in seconds.
        rr_s: (n,) interval before each beat, NaN where it is unknown.
        label: (n,) class ids; Q where no class was given.
        probabilities: (n, 5) NaN where the beat was not judged.
        note: (n,) why a beat has no class, else ``""``.
        episodes: in order of time.
        warnings: what a reader must know.
    """

    recording: Recording
    signal: Readable
    sample: NDArray[np.int64]
    time_s: NDArray[np.float64]
    rr_s: NDArray[np.float64]
    label: NDArray[np.int64]
    probabilities: NDArray[np.float32]
    note: NDArray[np.str_]
    episodes: list[Episode]
    warnings: list[str] = field(default_factory=list)

    def summary(self) -> dict[str, Any]:
        """Counts, burden in % of the judged beats, rate and quality: JSON values."""
        n = np.bincount(self.label, minlength=len(CLASSES))
        judged = max(1, int(n.sum() - n[_Q]))
        rates = 60 / self.rr_s[np.isfinite(self.rr_s)]
        duration_s = self.signal.n_samples / self.signal.fs_hz
        kinds = {kind: sum(e.kind == kind for e in self.episodes) for kind in episodes.KINDS}
        return {
            "duration_s": round(duration_s, 3),
            "fs_hz": self.signal.fs_hz,
            "leads": [self.signal.record.leads[i] for i in self.signal.columns],
            "beats": int(n.sum()),
            "counts": dict(zip(CLASSES, n.tolist())),
            "burden_percent": {k: round(100 * int(n[CLASSES.index(k)]) / judged, 3) for k in "SV"},
            "rate_bpm": _rates(rates, self.rr_s),
            "unreadable_percent": round(100 * _unreadable_share(self.signal), 3),
            "episode_counts": {kind: count for kind, count in kinds.items() if count},
        }


def analyse(
    model: BeatModel, recording: Recording, wanted: Sequence[str], abstain: float
) -> Analysis:
    """Find and classify the beats of ``recording``.

    Args:
        model: the classifier.
        recording: from :func:`toolkit.ecg.prediction.inputs.read_input`.
        wanted: leads by name or number, the main one first; empty for a choice.
        abstain: beats whose class is less probable than this stay Q.

    Raises:
        ConfigError: there is no such lead, or it cannot be in millivolts.
        DataError: nothing can be read, or there is no R peak in it.
    """
    signal, sample, warnings = find_beats(recording, wanted, len(model.config.leads))
    probabilities = classify(model, signal, sample)
    label, note = _decide(probabilities, abstain)
    time_s, rr_s = sample / signal.fs_hz, _intervals(sample, signal)
    found = episodes.find(time_s, label, rr_s)
    warnings += [*_warnings(signal, sample, label), *_model_warnings(model, signal)]
    return Analysis(
        recording, signal, sample, time_s, rr_s, label, probabilities, note, found, warnings
    )


def find_beats(
    recording: Recording, wanted: Sequence[str], count: int
) -> tuple[Readable, NDArray[np.int64], list[str]]:
    """The leads that are read, their R peaks (n,), and what was noticed.

    Args:
        recording: from :func:`toolkit.ecg.prediction.inputs.read_input`.
        wanted: leads by name or number, the main one first; empty for a choice.
        count: leads that the model takes.

    Raises:
        ConfigError: there is no such lead, or it cannot be in millivolts.
        DataError: nothing can be read, or there is no R peak in it.
    """
    record = recording.record
    columns, warnings = leads.choose(record, wanted, count)
    check_amplitude(recording, columns)
    signal = Readable.of(record, columns)
    if quality.length(signal.gaps) == signal.n_samples:
        what = f"nothing in {record.name} can be read: {_causes(signal, 0)}"
        raise DataError(what, where=str(recording.source), hint="choose another lead by --lead")
    sample = detect(signal.read, signal.n_samples, signal.fs_hz)
    if not len(sample):
        what = f"no R peak found in {record.name}, lead {record.leads[columns[0]]}"
        hint = "check lead, unit and sampling frequency: --lead, --unit, --fs-hz"
        raise DataError(what, where=str(recording.source), hint=hint)
    return signal, sample, warnings


def _decide(
    probabilities: NDArray[np.float32], abstain: float
) -> tuple[NDArray[np.int64], NDArray[np.str_]]:
    label = decide_beats(np.nan_to_num(probabilities))
    confidence = np.take_along_axis(probabilities, label[:, None], axis=1)[:, 0]
    unknown, unsure = np.isnan(confidence), confidence < abstain
    note = np.select([unknown, unsure], [NOT_JUDGED, UNSURE], "")
    return np.where(unknown | unsure, _Q, label), note


def _intervals(sample: NDArray[np.int64], signal: Readable) -> NDArray[np.float64]:
    rr_s = np.diff(sample, prepend=sample[0]) / signal.fs_hz
    between = np.stack([sample[:-1], sample[1:]], axis=1)
    rr_s[np.append(True, quality.touched(between, signal.gaps))] = np.nan
    return rr_s


def _rates(rates: NDArray[np.float64], rr_s: NDArray[np.float64]) -> dict[str, float | None]:
    """Mean rate, and the extremes over eight beats; None without enough beats."""
    if len(rates) < episodes.RATE_BEATS:
        return {"mean": None, "lowest": None, "highest": None}
    mean = 60 / float(np.nanmean(rr_s))
    windows = np.lib.stride_tricks.sliding_window_view(rr_s, episodes.RATE_BEATS).mean(axis=1)
    windows = windows[np.isfinite(windows)]
    low, high = (60 / windows.max(), 60 / windows.min()) if len(windows) else (np.nan, np.nan)
    named = {"mean": mean, "lowest": float(low), "highest": float(high)}
    return {k: round(v, 1) if np.isfinite(v) else None for k, v in named.items()}


def _unreadable_share(signal: Readable) -> float:
    return quality.length(signal.gaps) / signal.n_samples


def _causes(signal: Readable, lead: int) -> str:
    found = signal.unreadable[lead]
    seconds = {
        cause: quality.length(getattr(found, cause)) / signal.fs_hz
        for cause in ("missing", "flat", "saturated")
    }
    return ", ".join(f"{cause} for {s:.1f} s" for cause, s in seconds.items() if s)


def _warnings(signal: Readable, sample: NDArray[np.int64], label: NDArray[np.int64]) -> list[str]:
    warnings = []
    duration_s = signal.n_samples / signal.fs_hz
    if duration_s < _SHORT_S:
        warnings.append(
            f"Short recording ({duration_s:.0f} s): beats are judged against few others, where the "
            "model learnt from half an hour."
        )
    for lead, column in enumerate(signal.columns):
        if causes := _causes(signal, lead):
            share = 100 * quality.length(signal.unreadable[lead].all) / signal.n_samples
            name = signal.record.leads[column]
            warnings.append(f"Lead {name} is unreadable for {share:.1f} % ({causes}).")
    readable_min = max(1, signal.n_samples - quality.length(signal.gaps)) / signal.fs_hz / 60
    if len(sample) < _FEWEST_PER_MINUTE * readable_min:
        warnings.append(f"Only {len(sample)} beats in {readable_min:.1f} readable minutes.")
    left = int((label == _Q).sum())
    if left > _MUCH * len(label):
        warnings.append(f"{left} of {len(label)} beats were given no class.")
    return warnings


def _model_warnings(model: BeatModel, signal: Readable) -> list[str]:
    if model.config.source == "synthetic":
        return ["The model learnt from synthetic records: what it says of a patient means nothing."]
    if len(signal.columns) < len(model.config.leads) and not model.config.beats.lead_dropout:
        return ["The model never learnt to do with one lead (beats.lead_dropout = 0)."]
    return []
