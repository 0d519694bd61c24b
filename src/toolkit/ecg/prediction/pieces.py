"""A long recording in pieces as long as the records that models learnt from."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from toolkit.ecg.annotations import Annotations
from toolkit.ecg.beat_examples import BeatSeries, series
from toolkit.ecg.prediction.readable import Readable

_PIECE_S, MARGIN_S = 1805.6, 60.0  # the length of MIT-BIH's records; seen on either side
FEWEST = 3  # beats of a piece without which there is no rhythm to compare with


def pieces(signal: Readable) -> Iterator[tuple[int, int]]:
    """First sample and the one after the last of pieces of about half an hour."""
    count = max(1, round(signal.n_samples / signal.fs_hz / _PIECE_S))
    edges = np.linspace(0, signal.n_samples, count + 1).astype(np.int64).tolist()
    yield from itertools.pairwise(edges)


def with_margin(signal: Readable, start: int, stop: int) -> tuple[int, int]:
    """A piece with a minute on either side, as far as the recording goes."""
    margin = round(MARGIN_S * signal.fs_hz)
    return max(0, start - margin), min(signal.n_samples, stop + margin)


def beats_of(
    signal: Readable, leads: int, at: NDArray[np.int64], low: int, high: int
) -> BeatSeries:
    """The beats at ``at``, samples from ``low`` on, of samples ``low`` to ``high``.

    ``leads`` of them; a lead that the recording lacks is constant.
    """
    zeros = np.zeros(len(at), np.int64)
    beats = Annotations(at, np.full(len(at), "N"), zeros, zeros, zeros, ("",) * len(at))
    names = tuple(f"part {i}" for i in range(leads))
    piece = signal.piece(low, high, names)
    return series(replace(piece, annotations=beats), names)
