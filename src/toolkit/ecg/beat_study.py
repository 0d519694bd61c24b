"""The AAMI protocols on beats: between patients (ec57) and, for comparison, within (intra)."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from toolkit.core import rng
from toolkit.core.errors import ConfigError, DataError
from toolkit.core.plots import Strip
from toolkit.ecg import beats, evaluation
from toolkit.ecg.baseline import gradient_boosting
from toolkit.ecg.beat_examples import BeatExamples, BeatSeries, pseudo_record, series
from toolkit.ecg.beat_network import BeatNetwork, beat_loss, beat_probabilities, decide_beats
from toolkit.ecg.beats import CLASSES
from toolkit.ecg.config import EcgTrainConfig
from toolkit.ecg.database import Database
from toolkit.ecg.ec57.counting import LEARNING_S
from toolkit.ecg.ec57.models import evaluate_beats
from toolkit.ecg.label_share import labelled
from toolkit.ecg.records import Record
from toolkit.ecg.study import Labels, Part, Study

_INTRA_TEST = 0.3
_STRIP_S = (2.0, 1.5)  # seconds shown before and after a beat
_INTRA_WARNING = "Not patient-independent: beats of every patient are in training and in test."
_SYNTHETIC_WARNING = "Synthetic records: these figures say nothing about patients."
_WHOLE_NOTE = (
    "Scored on the reference beats of whole records, as the literature does; ec57 has the same "
    "decisions scored from 5:00 on by EC57."
)


def beat_study(database: Database, config: EcgTrainConfig) -> Study:
    """The study of the beats of some records, split by record or, for ``intra``, by beat."""
    train_names, test_name, test_names = _split(database, config)
    chosen = [n for n in database.records if n in {*train_names, *test_names}]
    table = {name: series(database.records[name], config.leads) for name in chosen}
    if config.protocol == "intra":
        train, test = _by_beat([table[name] for name in chosen], config.seed)
    else:
        train = [table[name] for name in train_names]
        test = [table[name] for name in test_names]
    if config.label_fraction < 1:
        train = _few(train, config)
    pseudo = _pseudo_records(train, config)
    weights = _weights(train, pseudo, config)
    learnt = BeatExamples([*train, *pseudo], config.augmentation, config.beats)
    parts = {"train": _part(train), test_name: _part(test)}
    if config.beats.fold is not None and (rich := _pseudo_records(test, config)):
        parts["s_rich"] = _part(rich)  # plain folds mislead about S: no record of DS1 is full of it
    mean, deviation = _side_statistics(train)
    synthetic = " (synthetic records)" if database.synthetic else ""
    return Study(
        title=f"AAMI beat classes, {config.protocol}{synthetic}",
        classes=CLASSES,
        parts=parts,
        learnt=learnt,
        weights=weights,
        network=lambda: BeatNetwork(config, mean, deviation),
        loss=lambda out, label: beat_loss(out, label, config.label_smoothing),
        probabilities=beat_probabilities,
        decide=decide_beats,
        score=lambda truth, decided, record: evaluation.aami(truth, decided, record, config.seed),
        strips=lambda name, rows: _strips(
            database, config.leads[0], train if name == "train" else test, rows
        ),
        facts={**database.facts, "split": _digest(train, test)},
        baseline=(lambda: gradient_boosting([*train, *pseudo], weights, test, config.seed))
        if config.baseline
        else None,
        standard=None
        if config.protocol == "intra"
        else lambda name, decided: _by_ec57(database, train if name == "train" else test, decided),
        warnings=warnings_of(database, config),
        notes=(_WHOLE_NOTE,),
    )


def judged_names(database: Database, config: EcgTrainConfig) -> Sequence[str]:
    """The records that a classifier of these settings is tested on, or validated for a fold.

    Raises:
        ConfigError: it learnt from beats of each of them.
    """
    if config.protocol == "intra":
        what = "a classifier of protocol intra learnt from beats of every record"
        hint = "take ec57 or a run of toolkit ecg train --preset ec57"
        raise ConfigError(what, where="MODEL", hint=hint)
    return _split(database, config)[2]


def _split(database: Database, config: EcgTrainConfig) -> tuple[Sequence[str], str, Sequence[str]]:
    """Training records, what the other part is called, and its records."""
    names = sorted(database.records)
    if database.synthetic:
        train, test = tuple(names[: len(names) // 2]), tuple(names[len(names) // 2 :])
    elif config.protocol == "intra":
        train = test = tuple(name for name in names if name not in beats.PACED)
    else:
        train, test = beats.DS1, beats.DS2
    missing = [name for name in (*train, *test) if name not in database.records]
    if missing:
        raise DataError(f"records are missing: {', '.join(missing)}", where="RECORDS")
    if not train:
        raise DataError(f"{len(names)} records cannot be split into training and test")
    if config.beats.fold is None:
        return train, "test", test
    if config.beats.folds > len(train):
        what = f"beats.folds = {config.beats.folds}, but there are {len(train)} training records"
        raise ConfigError(what, where="beats.folds", hint="use fewer folds or more records")
    order = rng.generator(0, "folds").permutation(len(train))  # the folds are part of no seed
    held = {train[i] for i in order[config.beats.fold :: config.beats.folds]}
    return [n for n in train if n not in held], "validation", [n for n in train if n in held]


def _by_beat(
    all_series: Sequence[BeatSeries], seed: int
) -> tuple[list[BeatSeries], list[BeatSeries]]:
    train, test = [], []
    for i, one in enumerate(all_series):
        to_test = rng.generator(seed, "intra", i).random(len(one)) < _INTRA_TEST
        train.append(one.rows(np.flatnonzero(~to_test)))
        test.append(one.rows(np.flatnonzero(to_test)))
    return train, test


def _part(parts: Sequence[BeatSeries]) -> Part:
    examples = BeatExamples(parts)
    truth = np.concatenate([part.label for part in parts])
    record = np.repeat([part.name for part in parts], [len(part) for part in parts])
    return Part(examples, truth, record)


def _few(train: Sequence[BeatSeries], config: EcgTrainConfig) -> list[BeatSeries]:
    """The beats whose labels are used; their features are still those among all beats."""
    rows = labelled(
        np.concatenate([one.label for one in train]), config.label_fraction, config.seed
    )
    edges = np.cumsum([0, *(len(one) for one in train)])
    kept = [
        one.rows(rows[(rows >= low) & (rows < high)] - low)
        for one, (low, high) in zip(train, itertools.pairwise(edges))
    ]
    return [one for one in kept if len(one)]


def _by_ec57(database: Database, parts: Sequence[BeatSeries], decided: Labels) -> dict[str, Any]:
    """VEB and SVEB from 5:00 on, by record, gross and average; QRS are the reference's own."""
    edges = np.cumsum([len(part) for part in parts])[:-1]
    of_record = zip(parts, np.split(decided, edges))
    found = evaluate_beats(
        database.records, {part.name: (part.sample, label) for part, label in of_record}
    )
    if not found:
        return {}
    scores = ("veb", "sveb")
    return {
        "from_s": LEARNING_S,
        "records": {k: {key: v[key] for key in scores} for k, v in found["records"].items()},
        "gross": {key: found["gross"][key] for key in ("matrix", *scores)},
        "average": {key: found["average"][key] for key in scores},
    }


def _pseudo_records(train: Sequence[BeatSeries], config: EcgTrainConfig) -> list[BeatSeries]:
    if config.beats.pseudo_share == 0 or config.label_fraction < 1:
        return []  # the neighbours of S beats would have to be labelled
    made = [
        pseudo_record(one, config.beats.pseudo_reach, rng.generator(config.seed, "pseudo", i, j))
        for i, one in enumerate(train)
        for j in range(config.beats.pseudo_records)
    ]
    return [one for one in made if one is not None]


def _weights(
    train: Sequence[BeatSeries], pseudo: Sequence[BeatSeries], config: EcgTrainConfig
) -> NDArray[np.float64]:
    """How often each beat is drawn: classes by their shares, records by the root of their size."""
    weights = [_by_record(train, np.ones(len(CLASSES)), config.beats.class_shares)]
    share = config.beats.pseudo_share if pseudo else 0.0
    if pseudo:
        known = np.ones(len(CLASSES))
        known[CLASSES.index("Q")] = 0
        weights.append(_by_record(pseudo, known, None))
    return np.concatenate([w * s for w, s in zip(weights, (1 - share, share))])


def _by_record(
    parts: Sequence[BeatSeries],
    allowed: NDArray[np.float64],
    shares: Sequence[float] | None,
) -> NDArray[np.float64]:
    label = np.concatenate([part.label for part in parts])
    owner = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    groups = [(allowed[label] > 0, 1.0)]
    if shares is not None:
        groups = [(label == k, share) for k, share in enumerate(shares)]
    weights = np.zeros(len(label))
    for inside, share in groups:
        n = np.bincount(owner[inside], minlength=len(parts))
        of_record = np.where(n > 0, np.sqrt(np.maximum(n, 8)), 0)
        if inside.any():
            per_beat = of_record / of_record.sum() / np.maximum(n, 1)
            weights[inside] = share * per_beat[owner[inside]]
    if not weights.any():
        what = f"beats.class_shares = {list(shares or ())} draws none of the beats that there are"
        raise ConfigError(what, where="beats.class_shares", hint="give N a share, such as 0.6")
    normalised: NDArray[np.float64] = weights / weights.sum()
    return normalised


def _side_statistics(train: Sequence[BeatSeries]) -> tuple[torch.Tensor, torch.Tensor]:
    side = torch.from_numpy(np.concatenate([one.side_BS for one in train]))
    return side.mean(dim=0), side.std(dim=0) + 1e-3


def _strips(
    database: Database, lead: str, parts: Sequence[BeatSeries], rows: Labels
) -> list[Strip]:
    owner = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    sample = np.concatenate([part.sample for part in parts])
    return [
        _strip(database.records[parts[owner[row]].name], lead, int(sample[row])) for row in rows
    ]


def _strip(record: Record, lead: str, at: int) -> Strip:
    start = max(0, at - int(_STRIP_S[0] * record.fs_hz))
    stop = min(record.n_samples, at + int(_STRIP_S[1] * record.fs_hz))
    millivolts = record.millivolts((lead,), start, stop)[0]
    time_s = (np.arange(start, stop) - at) / record.fs_hz
    minutes, seconds = divmod(at / record.fs_hz, 60)
    where = f"{record.name} at {minutes:.0f}:{seconds:04.1f}"
    marks = [(0.0, "▾")]
    return {"time_s": time_s, "millivolts": millivolts, "marks": marks, "title": where}


def _digest(train: Sequence[BeatSeries], test: Sequence[BeatSeries]) -> str:
    digest = hashlib.sha256()
    for parts in (train, test):
        for part in parts:
            digest.update(f"{part.name}:".encode() + part.sample.tobytes())
        digest.update(b"|")
    return digest.hexdigest()


def warnings_of(database: Database, config: EcgTrainConfig) -> tuple[str, ...]:
    """What must be known of figures on these records before they are quoted."""
    intra = (_INTRA_WARNING,) if config.protocol == "intra" else ()
    return (*intra, *((_SYNTHETIC_WARNING,) if database.synthetic else ()))
