"""What self-supervised regression is worth: classifiers from scratch against those built on it.

Both arms of a seed have the same labels, split and settings but for the encoder's first weights.
Each cell is an ordinary run directory; a stopped comparison goes on where it was.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, Literal

import numpy as np
from scipy import stats

from toolkit.core import plots
from toolkit.core.cells import Cell, Workshop
from toolkit.core.config import Config, RunConfig, load, preset_path
from toolkit.core.errors import ConfigError
from toolkit.core.executor import Executor
from toolkit.core.files import saving
from toolkit.core.plots import Band
from toolkit.core.progress import Progress
from toolkit.core.run import Run
from toolkit.ecg.config import CONFIGS, PRESETS, prepare

Arm = Literal["scratch", "transfer"]
ARMS: tuple[Arm, ...] = ("scratch", "transfer")
_STAGES = ("pretrain", "train")
_JUDGED = {"fragments17": "accuracy"}  # the others by macro-F1 over N, S and V
_FIGURES = ("accuracy", "balanced_accuracy", "macro_f1_nsv")


class CompareConfig(Config):
    """Which classifiers are compared.

    Attributes:
        preset: of ``ecg pretrain`` and ``ecg train``.
        label_fractions: shares of the training labels.
        seeds: of pre-training, split, labels and training.
        sets: ``pretrain.KEY=VALUE`` and ``train.KEY=VALUE``.
        data_dir: folder of the records.
    """

    preset: str
    label_fractions: tuple[float, ...]
    seeds: tuple[int, ...]
    sets: tuple[str, ...] = ()
    data_dir: Path | None = None


@dataclass(frozen=True)
class Point:
    """One arm at one share of labels."""

    arm: Arm
    label_fraction: float


class Comparison:
    """The cells of ``config`` below ``folder``.

    Raises:
        ConfigError: an unknown preset or setting.
        DataError: the records are not there.
    """

    def __init__(self, folder: Path, config: CompareConfig) -> None:
        self.folder, self.config = folder.resolve(), config
        self.points = [Point(*p) for p in product(ARMS, sorted(config.label_fractions)[::-1])]
        for text in config.sets:
            if text.partition(".")[0] not in _STAGES:
                hint = "such as --set pretrain.steps=500 or --set train.steps=200"
                raise ConfigError(f"{text!r} is of neither stage", where="--set", hint=hint)
        cells = [cell for point in self.points for cell in self.cells(point)]  # said before work
        prepare(cells[0].config)  # type: ignore[arg-type]

    def run(self, executor: Executor, progress: Progress, workers: int) -> None:
        """Run every cell that is not finished.

        Raises:
            CheckFailedError: a cell failed; names its log.
            InterruptedRunError: a signal came; the same command goes on.
        """
        with saving(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        work = Workshop(self.folder, "ecg", progress, workers).work
        with Run(self.folder).locked():
            work(executor, "pre-training", [self._pretraining(seed) for seed in self.config.seeds])
            work(executor, "arms", [cell for p in self.points for cell in self.cells(p)])

    def cells(self, point: Point) -> list[Cell]:
        """The cells of a point, one a seed."""
        return [self._cell(point, seed) for seed in self.config.seeds]

    def _pretraining(self, seed: int) -> Cell:
        return self._made(f"pretrain/seed-{seed}", "pretrain", {"seed": seed})

    def _cell(self, point: Point, seed: int) -> Cell:
        own: dict[str, Any] = {"seed": seed, "label_fraction": point.label_fraction}
        own["baseline"] = False
        name = f"arms/{point.arm}-{point.label_fraction:g}-seed-{seed}"
        if point.arm == "scratch":
            return self._made(name, "train", own)
        return self._made(name, "finetune", {**own, "encoder": self._pretraining(seed).path})

    def _made(self, name: str, verb: str, own: Mapping[str, Any]) -> Cell:
        stage = "pretrain" if verb == "pretrain" else "train"
        folder = PRESETS / "pretrain" if verb == "pretrain" else PRESETS
        start = f"{stage}."
        sets = [text.removeprefix(start) for text in self.config.sets if text.startswith(start)]
        config: RunConfig = load(
            CONFIGS[verb],
            preset=preset_path(folder, self.config.preset),
            sets=sets,
            flags={**own, "data_dir": self.config.data_dir},
        )
        return Cell(self.folder / name, verb, config)


def table(comparison: Comparison) -> list[dict[str, Any]]:
    """A row for each share of labels and arm: means in %, and the paired gain of transfer.

    ``gain_mean`` is that of ``judged_by`` in percentage points, ``gain_ci95`` its interval.
    """
    found = {
        point: [dict(cell.result or {}) for cell in comparison.cells(point)]
        for point in comparison.points
    }
    rows = []
    for point, seeds in sorted(found.items(), key=lambda item: -item[0].label_fraction):
        judged = _JUDGED.get(seeds[0]["protocol"], "macro_f1_nsv")
        keys = [key for key in _FIGURES if key in seeds[0]]
        means = {f"{key}_mean": 100 * float(np.mean([one[key] for one in seeds])) for key in keys}
        values = [100 * one[judged] for one in seeds]
        sd = float(np.std(values, ddof=1)) if len(values) > 1 else None
        base = [100 * one[judged] for one in found[Point("scratch", point.label_fraction)]]
        gain = _gain(values, base) if point.arm == "transfer" else {}
        row = {"label_fraction": point.label_fraction, "arm": point.arm, "judged_by": judged}
        rows.append({**row, **means, "sd": sd, **gain, "n_seeds": len(seeds), "seeds": values})
    return rows


def _gain(ours: Sequence[float], theirs: Sequence[float]) -> dict[str, Any]:
    """By Student's t: a bootstrap of so few seeds is too narrow."""
    gains = np.subtract(ours, theirs)
    ends = None
    if len(gains) > 1:
        interval = stats.ttest_1samp(gains, 0.0).confidence_interval(0.95)
        ends = [float(interval.low), float(interval.high)]
    return {"gain_mean": float(gains.mean()), "gain_ci95": ends}


def draw(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    """The judged figure against the share of labels, a line for each arm."""
    figure, (ax,) = plots.canvas(4.6, 3.2)
    curves: dict[str, Band] = {}
    for arm in ARMS:
        own = sorted((r for r in rows if r["arm"] == arm), key=lambda row: row["label_fraction"])
        mean = np.array([np.mean(row["seeds"]) for row in own])
        sd = np.array([row["sd"] or 0.0 for row in own])
        shares = [100 * row["label_fraction"] for row in own]
        curves[arm] = Band(shares, mean, mean - sd, mean + sd)
    plots.draw_bands(ax, curves)
    ax.set(xscale="log", xlabel="labels used, %", ylabel=f"{rows[0]['judged_by']}, %")
    shares = sorted({100 * row["label_fraction"] for row in rows})
    ax.set_xticks(shares, [f"{share:g}" for share in shares])
    ax.minorticks_off()
    handles, labels = ax.get_legend_handles_labels()
    ax.legend(handles, labels, fontsize=plots.SMALL, frameon=False)
    return plots.save(figure, path, "Mean and one deviation over seeds, scored on the test part.")
