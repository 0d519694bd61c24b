"""How well hidden samples are predicted, in mV: whole, and where the QRS complexes are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.core.supervised import Indices
from toolkit.ecg.regression.hiding import Hidden
from toolkit.ecg.regression.predictors import PREDICTORS, joined
from toolkit.ecg.regression.windows import HiddenExamples
from toolkit.ecg.study import Floats

NETWORK, PREVIOUS = "network", "previous beat"
ORDINARY, JOINED, ALIKE = "ordinary beat", "ordinary beat, joined", "like surroundings, joined"


def score(
    examples: HiddenExamples, at: Indices, predicted_BLT: Floats
) -> dict[str, dict[str, dict[str, float | None]]]:
    """RMSE in mV, PRD in % and correlation over the hidden samples of windows ``at``.

    Args:
        examples: of held-out patients.
        at: (B,) windows.
        predicted_BLT: what the network says of them.

    Returns:
        By predictor, then ``whole`` and ``near_r`` (within 60 ms of an R peak).
    """
    windows = examples.windows
    true_BLT: Floats = windows.signals(at).numpy()
    hidden_BT = examples.hidden(at, true_BLT.shape[-1], None)
    scale_BL1 = windows.millivolts(at)[:, :, None]
    near_BT = hidden_BT & windows.near(at)
    found = {}
    for name, guess_BLT in _guesses(examples, at, true_BLT, hidden_BT, predicted_BLT).items():
        pair = true_BLT * scale_BL1, guess_BLT * scale_BL1
        found[name] = {"whole": _figures(*pair, hidden_BT), "near_r": _figures(*pair, near_BT)}
    return found


def _guesses(
    examples: HiddenExamples,
    at: Indices,
    true_BLT: Floats,
    hidden_BT: Hidden,
    predicted_BLT: Floats,
) -> Mapping[str, Floats]:
    guesses = {NETWORK: predicted_BLT}
    guesses |= {name: guess(true_BLT, hidden_BT) for name, guess in PREDICTORS.items()}
    ordinary = examples.windows.ordinary(at)
    if ordinary is not None:
        guesses[ORDINARY] = ordinary
        guesses[JOINED] = joined(true_BLT, hidden_BT, ordinary)
    if examples.hiding.target != "upsampling":
        guesses[ALIKE] = joined(true_BLT, hidden_BT, examples.windows.alike(at, hidden_BT))
    previous = examples.windows.previous(at)
    if previous is not None and examples.hiding.target != "upsampling":
        guesses[PREVIOUS] = previous  # of a sparsely seen signal the beat before is sparse too
    return guesses


def _figures(
    true_BLT: Floats, guess_BLT: Floats, where_BT: NDArray[np.bool_]
) -> dict[str, float | None]:
    true, guess = (
        x.transpose(0, 2, 1)[where_BT].ravel().astype(float) for x in (true_BLT, guess_BLT)
    )
    if not len(true):
        return {"rmse_mv": None, "prd_percent": None, "correlation": None}
    error, power = np.square(true - guess).mean(), np.square(true - true.mean()).mean()
    spread = float(np.std(true) * np.std(guess))
    together = float(((true - true.mean()) * (guess - guess.mean())).mean())
    return {
        "rmse_mv": float(np.sqrt(error)),
        "prd_percent": float(100 * np.sqrt(error / power)) if power else None,
        "correlation": together / spread if spread else None,
    }


def headline(scores: Mapping[str, Any]) -> dict[str, float | str | None]:
    """The network's figures, and which other predictor comes closest near R."""
    near = {name: one["near_r"]["rmse_mv"] for name, one in scores.items()}
    own = near.pop(NETWORK)
    others = {name: value for name, value in near.items() if value is not None}
    best = min(others, key=others.__getitem__, default=None)
    return {
        "rmse_mv": scores[NETWORK]["whole"]["rmse_mv"],
        "correlation": scores[NETWORK]["whole"]["correlation"],
        "rmse_near_r_mv": own,
        "best_other_near_r_mv": others[best] if best else None,
        "best_other": best,
    }


def remarks(summary: Mapping[str, Any]) -> list[str]:
    """What a reader of :func:`headline` must not overlook."""
    own, other = summary["rmse_near_r_mv"], summary["best_other_near_r_mv"]
    if own is None or other is None or own <= other:
        return []
    return [
        f"Near R peaks {summary['best_other']} is better than the network ({other:.3f} mV against "
        f"{own:.3f}): its encoder may serve as a start for finetune, not to fill gaps."
    ]
