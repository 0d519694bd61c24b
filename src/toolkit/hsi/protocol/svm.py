"""The classical reference: a support-vector machine with an RBF kernel on single spectra.

Melgani and Bruzzone 2004, IEEE TGRS 42(8) 1778 (doi 10.1109/TGRS.2004.831865).
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.hsi.scene import Labels, Scene
from toolkit.hsi.standardisation import statistics

_C = (1.0, 10.0, 100.0, 1000.0)
_GAMMAS = (1e-4, 1e-3, 1e-2, 1e-1)
_FOLDS = 3
_UNTRIED = {"C": 100.0, "gamma": "auto"}  # where a pixel a class leaves none to try them on


def svm_map(scene: Scene, train: Labels, where: NDArray[np.bool_], seed: int) -> NDArray[np.int16]:
    """Class ids from 0 of the pixels ``where`` (rows, columns), -1 elsewhere.

    C and gamma come from a grid by cross-validation on the training pixels alone, in as many folds
    as the largest class has pixels, 3 at most.
    """
    from sklearn.model_selection import GridSearchCV, StratifiedKFold
    from sklearn.svm import SVC

    mean, deviation = statistics(scene.cube, scene.valid)
    spectra = (scene.cube[train > 0].astype(np.float64) - mean) / deviation
    classes = train[train > 0]
    parts = min(_FOLDS, int(np.bincount(classes).max()))
    search: Any = SVC(**_UNTRIED)
    if parts > 1:
        folds = StratifiedKFold(parts, shuffle=True, random_state=seed)
        search = GridSearchCV(SVC(), {"C": _C, "gamma": _GAMMAS}, cv=folds)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of classes with fewer pixels than folds
        search.fit(spectra, classes)
    found = np.full(train.shape, -1, np.int16)
    wanted = (scene.cube[where].astype(np.float64) - mean) / deviation
    found[where] = search.predict(wanted) - 1
    return found
