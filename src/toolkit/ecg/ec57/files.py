"""Pairs of annotation files, checked to be of the same record, and their comparison."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.core.errors import ConfigError, DataError
from toolkit.ecg.annotations import Annotations, read_annotations
from toolkit.ecg.ec57.counting import LEARNING_S, Comparison, compare, summary
from toolkit.ecg.ec57.labels import BeatLabels, of_annotations
from toolkit.ecg.header import read_header

REFERENCE_SUFFIX = ".atr"
_NOT_ANNOTATIONS = {".hea", ".dat", ".csv", ".html", ".json", ".mat", ".npy", ".png", ".txt"}
_FEW = 0.5  # share of reference beats that a test of the same record would hardly miss


@dataclass(frozen=True)
class Period:
    """What is compared: from ``start_s`` up to ``stop_s``, by default the end of the record.

    ``fs_hz`` is the sampling frequency of records without a header.
    """

    start_s: float = LEARNING_S
    stop_s: float | None = None
    fs_hz: float | None = None


def evaluate_files(paths: Sequence[Path], period: Period) -> dict[str, Any]:
    """Compare reference and test annotations given in turn: files, or folders of them.

    Returns:
        ``records`` with the figures of each, ``gross``, ``average`` (see
        :func:`toolkit.ecg.ec57.counting.summary`), the period, and ``warnings``.

    Raises:
        ConfigError: no pairs, an ambiguous folder, an unknown sampling frequency, an empty period,
            or no record that lasts until it.
        DataError: a file is missing, damaged, without beats or of another record.
    """
    warnings: list[str] = []
    parts: dict[str, Comparison] = {}
    short: list[str] = []
    for reference, test in _pairs(paths, warnings):
        name = reference.stem
        name = f"{name} ({test})" if name in parts else name
        found = _compare(reference, test, period, warnings)
        if found is None:
            short.append(name)
        else:
            parts[name] = found
    if short:
        what = f"over before {period.start_s:g} s, so not compared: {', '.join(short)}"
        if not parts:
            hint = "--from 0:00 compares records that end within EC57's first five minutes"
            raise ConfigError(what, where="--from", hint=hint)
        warnings.append(what)
    if period.start_s != LEARNING_S or period.stop_s is not None:
        warnings.append("not EC57's test period, which is from 5:00 to the end of the record")
    limits = {"from_s": period.start_s, "to_s": period.stop_s}
    return {**limits, **summary(parts), "warnings": warnings}


def _pairs(paths: Sequence[Path], warnings: list[str]) -> list[tuple[Path, Path]]:
    if not paths or len(paths) % 2:
        raise ConfigError(
            f"{len(paths)} paths are no pairs of reference and test annotations",
            where="--annotations",
            hint="toolkit ecg evaluate --annotations REF.atr TEST.ann",
        )
    found: list[tuple[Path, Path]] = []
    for reference, test in zip(paths[::2], paths[1::2]):
        if reference.is_dir() != test.is_dir():
            what = f"{reference} and {test} must both be files, or both be folders"
            raise ConfigError(what, where="--annotations")
        found += (
            _of_folders(reference, test, warnings) if reference.is_dir() else [(reference, test)]
        )
    return found


def _of_folders(reference: Path, test: Path, warnings: list[str]) -> list[tuple[Path, Path]]:
    ours = sorted(reference.glob(f"*{REFERENCE_SUFFIX}"))
    names = {path.stem for path in ours}
    theirs = [path for path in sorted(test.iterdir()) if path.stem in names and path.suffix]
    avoided = _NOT_ANNOTATIONS | ({REFERENCE_SUFFIX} if reference.samefile(test) else set())
    theirs = [path for path in theirs if path.suffix not in avoided]
    suffixes = sorted({path.suffix for path in theirs})
    if len(suffixes) > 1:
        raise ConfigError(
            f"several annotators in {test}: {', '.join(suffixes)}",
            where="--annotations",
            hint="give pairs of files: REF.atr TEST.ann REF.atr TEST.ann",
        )
    of_record = {path.stem: path for path in theirs}
    if not of_record:
        what = f"no record has *{REFERENCE_SUFFIX} in {reference} and test annotations in {test}"
        raise DataError(what, where="--annotations")
    absent = [path.stem for path in ours if path.stem not in of_record]
    if absent:
        warnings.append(f"no test annotations, so not compared: {', '.join(absent)}")
    return [(path, of_record[path.stem]) for path in ours if path.stem in of_record]


def _compare(reference: Path, test: Path, period: Period, warnings: list[str]) -> Comparison | None:
    """None where the record is over before the period begins."""
    _check_names(reference, test)
    fs_hz, n_samples = _sampling(reference, test, period.fs_hz)
    ours = _read(reference, fs_hz, n_samples, warnings)
    theirs = _read(test, fs_hz, n_samples, warnings)
    end = n_samples if n_samples is not None else int(ours.sample[-1]) + 1
    end_s = end / fs_hz
    if end_s <= period.start_s:
        return None
    stop_s = end_s if period.stop_s is None else min(period.stop_s, end_s)
    found = compare(ours, theirs, fs_hz, start_s=period.start_s, stop_s=stop_s)
    beats, matched = found.counts[:5].sum(), found.counts[:5, :5].sum()
    if matched < _FEW * beats:
        few = f"{test.name} matches {matched} of the {beats} beats of {reference.name}"
        warnings.append(f"{few}: is it of another record?")
    return found


def _check_names(reference: Path, test: Path) -> None:
    """A test file that bears the name of another record at hand is of that record."""
    for folder in (reference.parent, test.parent):
        if test.stem != reference.stem and (folder / f"{test.stem}.hea").is_file():
            raise DataError(
                f"{test.name} is of record {test.stem}, {reference.name} of {reference.stem}",
                where=str(test),
                hint="give the reference and the test annotations of one record",
            )


def _sampling(reference: Path, test: Path, fs_hz: float | None) -> tuple[float, int | None]:
    """Sampling frequency and length in samples (None if no header says) of the record."""
    for folder in (reference.parent, test.parent):
        path = folder / f"{reference.stem}.hea"
        if path.is_file():
            header = read_header(path)
            return header.fs_hz, header.n_samples
    if fs_hz is None:
        what = f"no header {reference.stem}.hea beside the annotations gives a sampling frequency"
        raise ConfigError(what, where="--fs-hz", hint="give it, such as --fs-hz 360")
    return fs_hz, None


def _read(path: Path, fs_hz: float, n_samples: int | None, warnings: list[str]) -> BeatLabels:
    found = read_annotations(path, fs_hz=fs_hz, keep_unknown=True)
    last = int(found.sample[-1]) if len(found) else -1
    if n_samples is not None and last >= n_samples:
        raise DataError(
            f"{path.name} annotates sample {last}, but the record has {n_samples}",
            where=str(path),
            hint="give the annotations of this record",
        )
    labels = of_annotations(found, fs_hz)
    if not len(labels.sample):
        raise DataError(f"{path.name} has no beat annotations", where=str(path))
    warnings += _unknown(path, found)
    return labels


def _unknown(path: Path, found: Annotations) -> list[str]:
    strange = [str(symbol) for symbol in found.symbol[np.char.str_len(found.symbol) > 1]]
    named = ", ".join(f"code {name} × {n}" for name, n in sorted(Counter(strange).items()))
    return [f"{path.name}: unknown annotations ignored: {named}"] if strange else []
