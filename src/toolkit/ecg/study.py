"""What a protocol is to the trainer and to the evaluation: examples, network, loss, decision."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from toolkit.core.plots import Strip
from toolkit.core.supervised import Examples

Labels = NDArray[np.int64]
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Part:
    """The training, validation or test part: examples with their truth.

    Attributes:
        examples: network inputs by index.
        truth: (n,) class ids.
        record: (n,) name of the record that each example comes from.
    """

    examples: Examples
    truth: Labels
    record: NDArray[np.str_]


@dataclass(frozen=True)
class Study:
    """One protocol on one database.

    Attributes:
        title: what reports are headed with; says so when records are synthetic.
        classes: class names in the order of their ids.
        parts: by name: train, and validation and test where the protocol has them; for scoring.
        learnt: what the network learns from: the training part with augmentation.
        weights: (n,) how often each learnt example is drawn, or None for once an epoch.
        network: makes the untrained network.
        loss: maps (outputs, targets) to a mean loss.
        probabilities: maps outputs (n, …) to class probabilities (n, classes).
        decide: maps class probabilities to class ids (n,).
        score: maps (truth, decisions, records) to the protocol's own figures.
        strips: example signals of a part with given indices, for figures.
        baseline: fits and scores what the network must beat, where there is such a thing.
        standard: scores the decisions of a part as EC57 does, where it has all beats of records.
        facts: hashes of data and split for the run's ``data.json``.
        warnings: what must be known before a figure is quoted.
        notes: how the figures came about.
    """

    title: str
    classes: tuple[str, ...]
    parts: Mapping[str, Part]
    learnt: Examples
    weights: NDArray[np.float64] | None
    network: Callable[[], nn.Module]
    loss: Callable[[Tensor, Tensor], Tensor]
    probabilities: Callable[[Floats], Floats]
    decide: Callable[[Floats], Labels]
    score: Callable[[Labels, Labels, NDArray[np.str_]], dict[str, Any]]
    strips: Callable[[str, Labels], list[Strip]]
    facts: Mapping[str, Any]
    baseline: Callable[[], dict[str, Any]] | None = None
    standard: Callable[[str, Labels], dict[str, Any]] | None = None
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
