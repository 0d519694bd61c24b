"""A model under noise: beats found by the detector, and beats given, scored by EC57."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.core import plots, rng
from toolkit.core.errors import DataError
from toolkit.core.progress import Progress
from toolkit.ecg.beat_network import decide_beats
from toolkit.ecg.beats import aami_classes
from toolkit.ecg.ec57.models import evaluate_beats
from toolkit.ecg.prediction.classification import BeatModel, classify
from toolkit.ecg.prediction.detection import detect
from toolkit.ecg.prediction.readable import Readable
from toolkit.ecg.records import Record
from toolkit.ecg.stress.noise import recorded, synthetic
from toolkit.ecg.stress.protocol import stressed

_DETECTED, _GIVEN = "detected", "reference_beats"
_WAYS: Mapping[str, tuple[str, ...]] = {_DETECTED: ("qrs", "veb", "sveb"), _GIVEN: ("veb", "sveb")}

Beats = tuple[NDArray[np.int64], NDArray[np.int64]]


def stress(
    model: BeatModel,
    records: Mapping[str, Record],
    noise: str,
    kinds: Sequence[str],
    snr_db: Sequence[float],
    progress: Progress,
) -> list[dict[str, Any]]:
    """One row without noise, then one for each kind and ratio: gross EC57 scores from 5:00 on.

    Args:
        model: classifies the beats.
        records: of its test part, with annotations.
        noise: ``synthetic``, or a folder of noise records.
        kinds: of :data:`toolkit.ecg.stress.noise.KINDS`.
        snr_db: ratios in dB.
        progress: told of each row.

    Raises:
        DataError: noise records are missing, or no record outlasts EC57's five minutes.
    """
    source = {kind: _source(noise, kind) for kind in kinds}  # what is missing is missed at once
    rows = [{"noise": None, "snr_db": None, **_scores(model, records, records)}]
    for kind in kinds:
        made = {
            name: source[kind](i, one.n_samples, one.fs_hz)
            for i, (name, one) in enumerate(sorted(records.items()))
        }
        for ratio in snr_db:
            progress.note(f"{kind} at {ratio:g} dB")
            heard = {name: stressed(one, made[name], ratio) for name, one in records.items()}
            rows.append({"noise": kind, "snr_db": ratio, **_scores(model, records, heard)})
    return rows


def _source(noise: str, kind: str) -> Callable[[int, int, float], NDArray[np.float64]]:
    """Gives noise (2, n) at a sampling rate for the i-th record, the same at every ratio."""
    if noise == "synthetic":
        return lambda i, n, fs_hz: synthetic(kind, n, fs_hz, rng.generator(0, f"noise {kind}", i))
    found = recorded(Path(noise), kind)
    return lambda i, n, fs_hz: found.fitted(n, fs_hz)


def _scores(
    model: BeatModel, records: Mapping[str, Record], heard: Mapping[str, Record]
) -> dict[str, Any]:
    """Gross scores of what the model says of ``heard`` against the annotations of ``records``."""
    said: dict[str, dict[str, Beats]] = {_DETECTED: {}, _GIVEN: {}}
    for name, record in heard.items():
        signal = Readable.of(record, record.columns(model.config.leads))
        found = detect(signal.read, signal.n_samples, signal.fs_hz)
        for way, at in ((_DETECTED, found), (_GIVEN, _reference(record))):
            said[way][name] = at, decide_beats(np.nan_to_num(classify(model, signal, at)))
    scores = {}
    for way, kinds in _WAYS.items():
        result = evaluate_beats(records, said[way])
        if not result:
            what = "no record is longer than the five minutes that EC57 leaves out"
            raise DataError(what, where="records", hint="take longer records")
        scores[way] = {key: result["gross"][key] for key in kinds}
    return scores


def _reference(record: Record) -> NDArray[np.int64]:
    if record.annotations is None:
        raise DataError("the record has no annotations", where=f"record {record.name}")
    return record.annotations.sample[aami_classes(record.annotations.symbol) >= 0]


def draw(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    """Sensitivity and positive predictivity against the ratio: a panel for each kind of beat."""
    figure, axes = plots.canvas(plots.WIDTH_IN, 2.7, 1, 3)
    kinds = list(dict.fromkeys(row["noise"] for row in rows if row["noise"]))
    for ax, score in zip(axes, ("qrs", "veb", "sveb")):
        for colour, kind in zip(plots.PALETTE, kinds):
            own = sorted((r for r in rows if r["noise"] == kind), key=lambda row: row["snr_db"])
            ratio = [row["snr_db"] for row in own]
            for key, style in (("se", "-"), ("ppv", "--")):
                values = [
                    np.nan if (v := row[_DETECTED][score][key]) is None else 100 * v for row in own
                ]
                label = f"{kind}, {'Se' if key == 'se' else '+P'}"
                ax.plot(ratio, values, style, color=colour, marker="o", ms=3, lw=1.1, label=label)
        for key, style in (("se", "-"), ("ppv", "--")):
            clean = rows[0][_DETECTED][score][key]
            if clean is not None:
                ax.axhline(100 * clean, color=plots.INK, lw=0.7, ls=style)
        ax.set(xlabel="signal to noise, dB", title=score.upper(), ylim=(-3, 103))
        ax.invert_xaxis()
    axes[0].set(ylabel="%")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, fontsize=plots.SMALL)
    caption = (
        "Noise stress: gross EC57 scores from 5:00 on, noise in two of every four minutes; beats "
        "found by the detector. Black: without noise."
    )
    return plots.save(figure, path, caption)
