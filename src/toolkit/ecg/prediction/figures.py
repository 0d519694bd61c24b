"""Figures of a prediction: the rate over time, and strips of what was found."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from toolkit.core import plots
from toolkit.core.plots import INK, PALETTE, Strip
from toolkit.ecg.beats import CLASSES
from toolkit.ecg.prediction.analysis import Analysis
from toolkit.ecg.prediction.episodes import KINDS

_EACH = 3  # strips of a kind
_SPAN_S = 8.0
_BINS = 240  # of the trend
_LONG_S = 7200.0  # longer recordings are shown in hours
_SINGLE = {"S": "single supraventricular beat", "V": "single ventricular beat"}


@dataclass(frozen=True)
class StripGroup:
    """Strips of one kind of finding: what, where in the recording, how many there are in all."""

    kind: str
    total: int
    strips: list[Strip]


def draw_trend(path: Path, found: Analysis) -> Path:
    """Write the figure of heart rate and ectopic beats over time; returns ``path``."""
    duration_s = found.signal.n_samples / found.signal.fs_hz
    unit_s, unit = (3600.0, "h") if duration_s > _LONG_S else (60.0, "min")
    edges = np.linspace(0, duration_s, min(_BINS, max(10, int(duration_s / 10))) + 1)
    middle = (edges[:-1] + edges[1:]) / 2 / unit_s
    figure, (rate_ax, count_ax) = plots.canvas(plots.WIDTH_IN + 1, 3.9, 2, 1)
    low, mid, high = _rate_quantiles(found, edges)
    rate_ax.fill_between(middle, low, high, color=PALETTE[0], alpha=0.2, linewidth=0)
    rate_ax.plot(middle, mid, color=PALETTE[0], linewidth=1.2)
    plots.titled(rate_ax, "heart rate: median and 10 to 90 % of beats", "", "beats per minute")
    width = (edges[1] - edges[0]) / unit_s
    bottom = np.zeros(len(middle))
    for name, colour in (("V", PALETTE[1]), ("S", PALETTE[4])):
        times = found.time_s[found.label == CLASSES.index(name)]
        counts = np.histogram(times, edges)[0]
        count_ax.bar(middle, counts, width, bottom=bottom, color=colour, label=name, linewidth=0)
        bottom += counts
    span = f"{edges[1] - edges[0]:.0f} s"
    plots.titled(count_ax, f"ectopic beats in each {span}", unit, "beats")
    for ax in (rate_ax, count_ax):
        ax.set_xlim(0, duration_s / unit_s)
        for first, last in (found.signal.gaps / found.signal.fs_hz / unit_s).tolist():
            ax.axvspan(first, last, color=INK, alpha=0.15, linewidth=0, label="unreadable")
    plots.legend_below(figure)
    return plots.save(figure, path, "Heart rate and ectopic beats over the recording.")


def _rate_quantiles(found: Analysis, edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """10 %, 50 %, 90 % quantiles of the rate in each bin, NaN without beats: (3, bins)."""
    known = np.isfinite(found.rr_s)
    rates, bins = 60 / found.rr_s[known], np.digitize(found.time_s[known], edges) - 1
    out = np.full((3, len(edges) - 1), np.nan)
    starts = np.searchsorted(bins, np.arange(len(edges)))
    for i, (a, b) in enumerate(itertools.pairwise(starts)):
        if b > a:
            out[:, i] = np.quantile(rates[a:b], (0.1, 0.5, 0.9))
    return out


def strip_groups(found: Analysis) -> Iterator[StripGroup]:
    """Up to three strips of each kind of episode and of single ectopic beats, worst first."""
    for kind in KINDS:
        episodes = [e for e in found.episodes if e.kind == kind]
        worst = sorted(episodes, key=lambda e: e.severity, reverse=True)[:_EACH]
        if worst:
            strips = [_strip(found, _centre(e.start_s, e.end_s, kind), e.note) for e in worst]
            yield StripGroup(kind, len(episodes), strips)
    for name, kind in _SINGLE.items():
        rows = _singles(found, CLASSES.index(name))
        if len(rows):
            confidence = found.probabilities[rows, CLASSES.index(name)]
            chosen = rows[np.argsort(-confidence, kind="stable")][:_EACH]
            strips = [
                _strip(found, float(found.time_s[row]), f"p = {found.probabilities[row].max():.2f}")
                for row in chosen.tolist()
            ]
            yield StripGroup(kind, len(rows), strips)


def _singles(found: Analysis, label: int) -> NDArray[np.int64]:
    """Rows of beats of a class that are part of no run, couplet or bigeminy."""
    inside = np.zeros(len(found.label), bool)
    for one in found.episodes:
        if "ventricular" in one.kind:
            inside[one.first : one.last + 1] = True
    return np.flatnonzero((found.label == label) & ~inside)


def _centre(start_s: float, end_s: float, kind: str) -> float:
    if end_s - start_s > _SPAN_S - 2:  # a long one is shown from its beginning
        return start_s + _SPAN_S / 2 - 1
    return (start_s + end_s) / 2


def _strip(found: Analysis, centre_s: float, note: str) -> Strip:
    signal = found.signal
    span = min(round(_SPAN_S * signal.fs_hz), signal.n_samples)
    start = int(np.clip(round(centre_s * signal.fs_hz) - span // 2, 0, signal.n_samples - span))
    millivolts = signal.read(start, start + span)[0]
    rows = np.flatnonzero((found.sample >= start) & (found.sample < start + span))
    marks = [((found.sample[r] - start) / signal.fs_hz, CLASSES[found.label[r]]) for r in rows]
    title = f"{clock(start / signal.fs_hz)}{f': {note}' if note else ''}"
    time_s = np.arange(span) / signal.fs_hz
    return {"time_s": time_s, "millivolts": _centred(millivolts), "marks": marks, "title": title}


def _centred(millivolts: NDArray[np.float32]) -> NDArray[np.float32]:
    """Without the offset that a converter adds, so that strips share one scale."""
    known = millivolts[np.isfinite(millivolts)]
    return millivolts - np.median(known) if len(known) else millivolts


def draw_strips(folder: Path, groups: Sequence[StripGroup]) -> list[tuple[Path, str]]:
    """Write one figure for each group; returns files with captions."""
    drawn = []
    for group in groups:
        path = folder / f"{group.kind.replace(' ', '-')}.png"
        count = len(group.strips)
        shown = "" if count == group.total else f", {count} of {group.total}"
        caption = f"{group.kind.capitalize()}{shown}."
        plots.save(plots.signal_strips(group.strips), path, caption)
        drawn.append((path, caption))
    return drawn


def clock(seconds: float) -> str:
    """``1:02:03.4`` or ``2:03.4`` from the beginning of the recording."""
    minutes, tenths = divmod(round(10 * seconds), 600)
    hours, minutes = divmod(minutes, 60)
    rest = f"{tenths / 10:04.1f}"
    return f"{hours}:{minutes:02d}:{rest}" if hours else f"{minutes}:{rest}"
