"""The table of a comparison: accuracy of each arm, and what it gains over training from scratch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.core import plots, rng, statistics
from toolkit.core.errors import CheckFailedError
from toolkit.core.files import read_json, write_json
from toolkit.core.plots import Band
from toolkit.hsi import tasks
from toolkit.hsi.evaluation import Found, scores
from toolkit.hsi.maps.mapping import ClassMap
from toolkit.hsi.network_config import NetworkConfig
from toolkit.hsi.protocol.compare_config import CompareConfig
from toolkit.hsi.protocol.comparison import Comparison, Point
from toolkit.hsi.protocol.partition import split_of
from toolkit.hsi.protocol.svm import svm_map

_FIGURES = ("oa", "aa", "kappa")
_COLUMNS = 3  # panels in a row
Row = dict[str, Any]
Draws = Sequence[Mapping[str, float]]


def table(comparison: Comparison, rates: Mapping[str, float]) -> list[Row]:
    """One row for each network, number of training pixels, arm and variant, scratch first.

    ``gain_mean`` is the mean over the draws of the row's OA less that of ``gain_over`` on the same
    split, in percentage points: of an arm over scratch, of a variant over its own arm without it.
    ``gain_ci95`` is its BCa bootstrap interval.

    Raises:
        CheckFailedError: a trunk of the arm ``inductive`` has seen pixels that are tested.
    """
    found = {
        point: [dict(cell.result or {}) for cell in comparison.cells(point, rates)]
        for point in comparison.points
    }
    _check_inductive(found)
    rows = []
    for point, draws in found.items():
        base = _base(point)
        paired = found.get(base) if base != point else None
        gain = {**_gain(draws, paired), "gain_over": base.arm if paired else None}
        rows.append(
            {**asdict(point), **_summary(draws), **gain, "learning_rate": rates[point.name]}
        )
    arms, variants = comparison.config.arms, ("", *comparison.config.vary)
    return sorted(
        [*rows, *_svm_rows(comparison)],
        key=lambda row: (
            *(row["network"], row["per_class"], arms.index(row["arm"])),
            variants.index(row["variant"]),
        ),
    )


def _check_inductive(found: Mapping[Point, Sequence[Mapping[str, Any]]]) -> None:
    for point, draws in found.items():
        seen = [draw.get("leak", {}).get("test_pixels_seen_in_pretraining", 0) for draw in draws]
        if point.arm == "inductive" and any(seen):
            raise CheckFailedError(
                f"{max(seen)} test pixels lie in blocks that the inductive trunk was trained on",
                where=point.name,
                hint="blocks of pre-training and training must be the same: leave the settings of "
                "train.split away that only one of them has",
            )


def _base(point: Point) -> Point:
    """What the gain of a point is measured from: its arm without the variant, or scratch."""
    return replace(point, variant="") if point.variant else replace(point, arm="scratch")


def _summary(draws: Draws) -> Row:
    means = {f"{key}_mean": 100 * float(np.mean([d[key] for d in draws])) for key in _FIGURES}
    spread = float(np.std([100 * d["oa"] for d in draws], ddof=1)) if len(draws) > 1 else None
    return {"oa_mean": means.pop("oa_mean"), "oa_sd": spread, **means, "draws": len(draws)}


def _gain(draws: Draws, base: Draws | None) -> Row:
    if base is None:
        return {"gain_mean": None, "gain_ci95": None}
    ours, theirs = ([100 * d["oa"] for d in part] for part in (draws, base))
    interval = statistics.paired_difference(ours, theirs, rng=rng.generator(0, "gain")).to_json()
    ends = None if interval["low"] is None else [interval["low"], interval["high"]]
    return {"gain_mean": interval["estimate"], "gain_ci95": ends}


def _svm_rows(comparison: Comparison) -> list[Row]:
    if "svm" not in comparison.config.arms:
        return []
    rows = []
    for per_class in comparison.config.per_class:
        draws = [_svm(comparison, per_class, d) for d in comparison.config.draw_numbers]
        own = asdict(Point("svm", "svm", per_class))
        rows.append({**own, **_summary(draws), **_gain(draws, None), "learning_rate": None})
    return rows


def _svm(comparison: Comparison, per_class: int, draw: int) -> Mapping[str, float]:
    """OA, AA and kappa of the support-vector machine on one split, computed once."""
    path = comparison.folder / "svm" / f"{per_class}-draw-{draw}.json"
    if path.is_file():
        kept: Mapping[str, float] = read_json(path)
        return kept
    config = comparison.config.train
    scene = tasks.load(config)
    chosen = config.split.model_copy(
        update={"per_class": per_class, "draw": draw, "patch": comparison.patch}
    )
    split = split_of(scene, chosen, NetworkConfig(name="hu2015"), draw)
    classes = svm_map(scene, split.train, split.test > 0, draw)
    found = Found(ClassMap(classes, np.zeros(classes.shape, np.float32)))
    result = scores(found, split.test, scene.classes, split.train)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, {key: result[key] for key in _FIGURES})
    return result


def draw(path: Path, rows: Sequence[Row], config: CompareConfig) -> Path:
    """OA against training pixels a class: a panel for each network, a line for each arm."""
    columns = min(_COLUMNS, len(config.networks))
    lines = -(-len(config.networks) // columns)
    figure, axes = plots.canvas(plots.WIDTH_IN, 2.6 * lines, lines, columns)
    for ax, network in zip(axes, config.networks):
        curves = {arm: _curve(rows, network, arm) for arm in config.arms}
        plots.draw_bands(ax, {arm: curve for arm, curve in curves.items() if curve is not None})
        ax.set(title=network, xlabel="training pixels a class", ylabel="OA, %", xscale="log")
        ax.set_xticks(config.per_class, [str(n) for n in config.per_class])
        ax.minorticks_off()
    for ax in axes[len(config.networks) :]:
        ax.set_axis_off()
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right upper", fontsize=plots.SMALL, frameon=False)
    return plots.save(figure, path, "Overall accuracy: mean and one deviation over the draws.")


def _curve(rows: Sequence[Row], network: str, arm: str) -> Band | None:
    plain = [row for row in rows if not row["variant"]]
    own = [row for row in plain if row["arm"] == arm and row["network"] in (network, "svm")]
    if not own:
        return None
    mean = np.array([row["oa_mean"] for row in own])
    sd = np.array([row["oa_sd"] or 0.0 for row in own])
    return Band([row["per_class"] for row in own], mean, mean - sd, mean + sd)
