"""Training and test pixels of a scene, and the file that keeps them."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from toolkit.core.errors import DataError
from toolkit.core.files import write_atomic
from toolkit.hsi.scene import Labels, Mask

Kind = Literal["random", "disjoint", "given", "all"]
Counts = NDArray[np.int64]

_UNREADABLE = (
    OSError,
    EOFError,
    ValueError,
    TypeError,
    KeyError,
    AttributeError,
    NotImplementedError,
    MemoryError,
    zipfile.BadZipFile,
    zlib.error,
)


@dataclass(frozen=True, eq=False)
class Split:
    """Which pixels are learnt from and which are tested.

    Attributes:
        name: how it was made.
        train: (rows, columns) 0 = not used, k = class.
        test: likewise; empty where all are learnt from.
        classes: names in the order of the labels.
        per_class: training pixels asked for of each class; None for the user's own maps.
        seed: of the generator that drew it; None where unknown.
        patch: side of the patches that it keeps apart; None where it keeps none apart.
        notes: what a reader of its figures must know: classes that got fewer pixels, and why.
        train_area: (rows, columns) of a disjoint split, the training blocks without their guard:
            what inductive pre-training may see. None else.
    """

    name: Kind
    train: Labels
    test: Labels
    classes: tuple[str, ...]
    per_class: int | None = None
    seed: int | None = None
    patch: int | None = None
    notes: tuple[str, ...] = ()
    train_area: Mask | None = None

    def __post_init__(self) -> None:
        if self.train.shape != self.test.shape or self.train.ndim != 2:
            raise DataError(
                f"a training map of {self.train.shape} and a test map of {self.test.shape}",
                where=f"{self.name} split",
                hint="both need the rows and columns of the scene",
            )
        check_labels(self.train, len(self.classes), f"{self.name} split, training map")
        if self.name != "all":
            check_labels(self.test, len(self.classes), f"{self.name} split, test map")

    def digest(self) -> str:
        """SHA-256 of shape, training and test map."""
        hashed = hashlib.sha256(np.array(self.train.shape, "<i8").tobytes())
        for labels in (self.train, self.test):
            hashed.update(np.ascontiguousarray(labels, "<i4").tobytes())
        return hashed.hexdigest()

    def summary(self) -> dict[str, Any]:
        """JSON-ready account: how it was made, digest, and counts of each class."""
        n_train, n_test = (
            class_counts(part, len(self.classes)) for part in (self.train, self.test)
        )
        rows = zip(self.classes, n_train.tolist(), n_test.tolist())
        return {
            **self._made(),
            "n_train": int(n_train.sum()),
            "n_test": int(n_test.sum()),
            "counts": [{"class": name, "train": train, "test": test} for name, train, test in rows],
            "sha256": self.digest(),
        }

    def save(self, path: Path) -> None:
        """Write an ``.npz`` of train, test, train_area and the rest as JSON text in ``made``.

        Raises:
            RunError: ``path`` cannot be written.
        """
        area = np.zeros((0, 0), bool) if self.train_area is None else self.train_area
        made = np.frombuffer(json.dumps(self._made()).encode(), np.uint8)
        content = io.BytesIO()
        np.savez_compressed(content, train=self.train, test=self.test, train_area=area, made=made)
        write_atomic(path, content.getvalue())

    @classmethod
    def load(cls, path: Path) -> Split:
        """Read what ``save`` wrote.

        Raises:
            DataError: the file is missing, damaged or something else.
        """
        try:
            with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
                made = json.loads(file["made"].tobytes())
                train, test = (file[part].astype(np.int32) for part in ("train", "test"))
                area = file["train_area"].astype(bool)
            made |= {key: tuple(made[key]) for key in ("classes", "notes")}
            return cls(train=train, test=test, train_area=area if area.size else None, **made)
        except _UNREADABLE as error:
            raise DataError(f"this is no split: {error}", where=str(path)) from error

    def _made(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "per_class": self.per_class,
            "seed": self.seed,
            "patch": self.patch,
            "classes": list(self.classes),
            "notes": list(self.notes),
        }


def class_counts(labels: Labels, n: int) -> Counts:
    """Pixels of each class, (n,)."""
    return np.bincount(labels.ravel(), minlength=n + 1)[1:].astype(np.int64)


def check_labels(labels: Labels, n: int, where: str) -> None:
    low, high = int(labels.min(initial=0)), int(labels.max(initial=0))
    if high == 0:
        raise DataError("no pixel is labelled", where=where, hint="0 means unlabelled")
    if low < 0 or high > n:
        raise DataError(f"labels of {low} to {high} for {n} classes", where=where)
