"""The report of one prediction as a page for people."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from toolkit.core import report
from toolkit.core.report import Report, Section, Table
from toolkit.ecg.prediction import figures
from toolkit.ecg.prediction.analysis import Analysis
from toolkit.ecg.prediction.classification import BeatModel
from toolkit.ecg.prediction.episodes import KINDS
from toolkit.ecg.prediction.figures import clock

NO_DEVICE = (
    "Not a medical device: for research and teaching. Nothing here has been checked by a person; "
    "it must not guide diagnosis or treatment."
)
_LISTED = 40  # episodes on the page; episodes.csv has all
_ALWAYS = (
    "Atrial fibrillation, block, paced beats, flutter and ST changes are not looked for; "
    "detections during ventricular flutter or fibrillation mean nothing.",
    "Episodes follow from the classes beat by beat, and inherit their errors.",
)


def write_page(path: Path, model: BeatModel, found: Analysis, summary: dict[str, Any]) -> Path:
    """Draw the figures beside ``path`` and write the page; returns ``path``."""
    folder = path.parent / "figures"
    trend = figures.draw_trend(folder / "trend.png", found)
    strips = figures.draw_strips(folder, list(figures.strip_groups(found)))
    record = found.recording.record
    page = Report(
        f"ECG {record.name}: beats and episodes",
        subtitle=f"{_length(summary['duration_s'])} at {record.fs_hz:g} Hz, "
        f"leads {', '.join(summary['leads'])}; model {model.name}",
        sections=[
            _overview(found, summary),
            Section("Over time", figures=[(trend, _trend_caption(found))]),
            _episodes(found),
            Section("Strips", text=_strip_text(summary, bool(strips)), figures=strips),
            _limits(model, found),
        ],
    )
    return report.write(page, path)


def _length(duration_s: float) -> str:
    return clock(duration_s) + (" h" if duration_s >= 3600 else " min")


def _overview(found: Analysis, summary: dict[str, Any]) -> Section:
    rate, burden = summary["rate_bpm"], summary["burden_percent"]
    names = {
        "N": "N  normal and bundle branch block",
        "S": "S  supraventricular ectopic",
        "V": "V  ventricular ectopic",
        "Q": "Q  no class given",
    }
    counts = summary["counts"]
    rows = [
        [name, counts[key], _percent(counts[key], summary["beats"])] for key, name in names.items()
    ]
    return Section(
        "Overview",
        headline={
            "beats": summary["beats"],
            "mean rate, bpm": rate["mean"],
            "V, % of beats": burden["V"],
            "S, % of beats": burden["S"],
            "unreadable, %": summary["unreadable_percent"],
        },
        table=Table(("class (AAMI)", "beats", "%"), rows),
        warnings=[NO_DEVICE, *found.warnings],
        notes=[_rates(rate), *found.recording.notes],
    )


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.2f}" if whole else "–"


def _rates(rate: dict[str, float | None]) -> str:
    if rate["lowest"] is None or rate["highest"] is None:
        return "Too few intervals for a rate."
    return f"Rate over eight beats from {rate['lowest']:.0f} to {rate['highest']:.0f} bpm."


def _trend_caption(found: Analysis) -> str:
    return "Heart rate and ectopic beats" + (
        "; grey: no lead can be read." if len(found.signal.gaps) else "."
    )


def _episodes(found: Analysis) -> Section:
    """How many of each kind, then the worst of them."""
    if not found.episodes:
        return Section(
            "Episodes", text="None: no runs, couplets, bigeminy, pauses or unusual rates."
        )
    order = sorted(found.episodes, key=lambda e: (KINDS.index(e.kind), *(-x for x in e.severity)))
    kinds = {kind: sum(e.kind == kind for e in order) for kind in KINDS}
    text = "; ".join(f"{kind}: {count}" for kind, count in kinds.items() if count) + "."
    share = max(3, _LISTED // max(1, sum(map(bool, kinds.values()))))
    shown = [e for kind in KINDS for e in [x for x in order if x.kind == kind][:share]]
    rows = [
        [
            e.kind,
            clock(e.start_s),
            f"{e.end_s - e.start_s:.1f}",
            None if e.kind == "pause" else str(e.beats),
            None if e.rate_bpm is None else f"{e.rate_bpm:.0f}",
            f"{e.longest_rr_s:.2f}",
            e.note,
        ]
        for e in shown
    ]
    header = ("kind", "at", "s", "beats", "bpm", "longest RR, s", "")
    left = len(order) - len(shown)
    notes = [f"{left} more are in episodes.csv."] if left else []
    caption = "Worst of each kind first."
    return Section("Episodes", text=text, table=Table(header, rows, caption), notes=notes)


def _strip_text(summary: dict[str, Any], found: bool) -> str:
    if not found:
        return "No ectopic beat and no episode to show."
    lead = summary["leads"][0]
    return f"Lead {lead}, the worst or surest of each kind; a letter above each beat is its class."


def _limits(model: BeatModel, found: Analysis) -> Section:
    card = [f"Model {model.name}: {model.card}"] if model.card else []
    return Section("What this cannot tell", notes=[NO_DEVICE, *_ALWAYS, *card])
