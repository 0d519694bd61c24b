"""Ways to divide a scene's pixels: random, spatially disjoint, the user's own, or not at all."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.random import Generator

from toolkit.core.errors import ConfigError, DataError
from toolkit.hsi.protocol import spatial_blocks
from toolkit.hsi.protocol.leak import check_patch, prove
from toolkit.hsi.protocol.split import Counts, Split, check_labels, class_counts
from toolkit.hsi.scene import Labels, Mask

__all__ = [
    "Split",
    "disjoint_split",
    "given_split",
    "prove",
    "random_split",
    "validation_part",
    "whole_split",
]

RANDOM_LEAKS = (
    "random split: test pixels neighbour training pixels and share patches with them; "
    "quote the disjoint split"
)
HALVED = "--split all learns from every labelled pixel, and tests none"


def random_split(
    labels: Labels,
    per_class: int,
    generator: Generator,
    *,
    classes: Sequence[str] = (),
    seed: int | None = None,
) -> Split:
    """``per_class`` random pixels of each class to train, the rest to test.

    A class with fewer than ``2 * per_class`` labelled pixels gives half of them, rounded down; one
    with a single pixel cannot be both learnt and tested and is left out. ``notes`` names them.

    Args:
        labels: (rows, columns), 0 = unlabelled.
        per_class: training pixels of each class.
        generator: decides the pixels.
        classes: names in the order of the labels; "class 1" … without.
        seed: of ``generator``, for the record.

    Raises:
        ConfigError: ``per_class`` is below 1.
        DataError: no pixel is labelled, or no class has two.
    """
    names = _names(labels, classes)
    _check_per_class(per_class)
    whole = np.ones(labels.shape, bool)
    train, test, notes = _part(labels, whole, whole, names, per_class, generator)
    halved = (HALVED,) if class_counts(labels, len(names)).min() < 2 * per_class else ()
    notes = (RANDOM_LEAKS, *notes, *halved)
    return Split("random", train, test, names, per_class, seed, notes=notes)


def disjoint_split(
    labels: Labels,
    per_class: int,
    patch: int,
    generator: Generator,
    *,
    block: int | None = None,
    classes: Sequence[str] = (),
    seed: int | None = None,
) -> Split:
    """Training pixels from some spatial blocks of the scene, test pixels from the others.

    No test patch shares a pixel with a training patch (``spatial_blocks``), and this is proved
    before the split is returned. Of a class, as many training pixels as ``random_split`` would
    give, or what its training blocks have; a class without labelled pixels in blocks of both
    kinds is left out. ``notes`` names them.

    Args:
        labels: (rows, columns), 0 = unlabelled.
        per_class: training pixels of each class.
        patch: side of the largest patch of all networks that will be compared, odd.
        generator: decides blocks and pixels.
        block: least side of a block, at least three patch sides, which is the default.
        classes: names in the order of the labels; "class 1" … without.
        seed: of ``generator``, for the record.

    Raises:
        ConfigError: a number is out of range, or the scene has no room for two blocks.
        DataError: no pixel is labelled, or no class lies in blocks of both kinds.
    """
    names = _names(labels, classes)
    _check_per_class(per_class)
    check_patch(patch)
    side = 3 * patch if block is None else block
    if side < 3 * patch:
        raise ConfigError(f"a block of side {side} is below three sides of a patch of {patch}")
    train_area, test_area = spatial_blocks.choose(labels, patch, side, generator)
    train, test, notes = _part(labels, train_area, test_area, names, per_class, generator)
    split = Split("disjoint", train, test, names, per_class, seed, patch, notes, train_area)
    prove(split, patch)
    return split


def given_split(train: Labels, test: Labels, patch: int, *, classes: Sequence[str] = ()) -> Split:
    """The user's own training and test maps, with the same ids.

    Raises:
        ConfigError: ``patch`` is even or below 1.
        DataError: the maps differ in shape, are empty, or share pixels.
    """
    names = _names(np.maximum(train, test) if train.shape == test.shape else train, classes)
    n_train, n_test = (class_counts(part, len(names)) for part in (train, test))
    never = [name for name, a, b in zip(names, n_train, n_test) if b and not a]
    untested = [name for name, a, b in zip(names, n_train, n_test) if a and not b]
    notes = [f"tested but never trained, so always wrong: {', '.join(never)}"] if never else []
    notes += [f"trained but not tested: {', '.join(untested)}"] if untested else []
    split = Split("given", train, test, names, notes=tuple(notes))
    prove(split, patch)
    return split


def whole_split(labels: Labels, *, classes: Sequence[str] = ()) -> Split:
    """Every labelled pixel to train, none to test: for the map, where labels are few.

    Raises:
        DataError: no pixel is labelled.
    """
    names = _names(labels, classes)
    return Split("all", labels, np.zeros_like(labels), names)


def validation_part(split: Split, share: float, generator: Generator) -> tuple[Labels, Labels]:
    """Divide the training pixels to choose settings by; test pixels stay out of it.

    Args:
        split: whose training pixels are divided.
        share: of each class that validates, above 0 and below 1; at least one pixel, but one
            always stays to train, so that a class of one training pixel does not validate.
        generator: decides the pixels.

    Returns:
        Training and validation map, (rows, columns) each.

    Raises:
        ConfigError: ``share`` is out of range.
    """
    if not 0 < share < 1:
        raise ConfigError(f"a validation share of {share:g}; it must lie between 0 and 1")
    counts = class_counts(split.train, len(split.classes))
    wanted = np.maximum(1, np.rint(share * counts).astype(np.int64))
    validation = _draw(split.train, np.clip(wanted, 0, np.maximum(counts - 1, 0)), generator)
    return np.where(validation, 0, split.train).astype(np.int32), validation


def _part(
    labels: Labels,
    train_area: Mask,
    test_area: Mask,
    names: tuple[str, ...],
    per_class: int,
    generator: Generator,
) -> tuple[Labels, Labels, tuple[str, ...]]:
    """Training map, test map and notes of one way to use the scene."""
    learnable = np.where(train_area, labels, 0).astype(np.int32)
    total, in_train, in_test = (
        class_counts(part, len(names)) for part in (labels, learnable, labels[test_area])
    )
    quotas = np.where(in_test, np.minimum(np.minimum(per_class, total // 2), in_train), 0)
    if not quotas.any():
        raise DataError(
            "no class has pixels both to learn from and to test",
            hint="label more pixels, at least two of a class and in several places",
        )
    train = _draw(learnable, quotas, generator)
    used = np.append(False, quotas > 0)[labels]
    test = np.where(test_area & used & (train == 0), labels, 0).astype(np.int32)
    rows = zip(names, quotas.tolist(), total.tolist(), in_train.tolist(), in_test.tolist())
    return train, test, tuple(_note(*row, per_class) for row in rows if row[1] < per_class)


def _note(name: str, quota: int, total: int, in_train: int, in_test: int, per_class: int) -> str:
    if not quota:
        if total < 2:
            why = "to learn and to test takes two"
        else:
            why = (
                f"{in_train} lie in training blocks and {in_test} in test blocks, guards taken off"
            )
        return f"{name} is left out: {total} labelled pixels, {why}"
    why = f"half of its {total} labelled pixels"
    if quota < total // 2:
        why = f"{quota} of its {total} labelled pixels lie in training blocks"
    return f"{name} has {quota} training pixels instead of {per_class}: {why}"


def _draw(labels: Labels, quotas: Counts, generator: Generator) -> Labels:
    """The map of ``quotas[k - 1]`` random pixels of each class k."""
    flat = labels.ravel()
    pixels = generator.permutation(np.flatnonzero(flat))
    pixels = pixels[np.argsort(flat[pixels], kind="stable")]
    ends = np.cumsum(class_counts(labels, len(quotas)))
    rank = np.arange(len(pixels)) - np.append(0, ends)[flat[pixels] - 1]
    chosen = pixels[rank < quotas[flat[pixels] - 1]]
    drawn = np.zeros(labels.size, np.int32)
    drawn[chosen] = flat[chosen]
    return drawn.reshape(labels.shape)


def _names(labels: Labels, classes: Sequence[str]) -> tuple[str, ...]:
    highest = int(labels.max(initial=0))
    names = tuple(classes) or tuple(f"class {k}" for k in range(1, highest + 1))
    check_labels(labels, len(names), "labels")
    return names


def _check_per_class(per_class: int) -> None:
    if per_class < 1:
        raise ConfigError(f"{per_class} training pixels per class; at least 1 is needed")
