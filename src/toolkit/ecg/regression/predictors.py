"""What a network must beat: predictors of hidden samples without any learning.

Each sees only what the network sees. Arrays are (n, leads, samples), ``hidden`` (n, samples).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from toolkit.ecg.study import Floats

Hidden = NDArray[np.bool_]
_CONTEXT = 24  # visible samples on either side that a spline is laid through


def hold(x_NLT: Floats, hidden_NT: Hidden) -> Floats:
    """The last visible sample; before the first one, that one."""
    t = np.arange(hidden_NT.shape[1])
    last = np.maximum.accumulate(np.where(hidden_NT, -1, t), axis=1)
    first = np.argmin(hidden_NT, axis=1)
    at = np.where(last < 0, first[:, None], last)
    return np.take_along_axis(x_NLT, at[:, None, :], axis=2)


def linear(x_NLT: Floats, hidden_NT: Hidden) -> Floats:
    """Straight lines between visible samples; constant beyond them."""
    out, t = x_NLT.copy(), np.arange(hidden_NT.shape[1])
    for row, hidden in enumerate(hidden_NT):
        at, wanted = t[~hidden], t[hidden]
        for lead in range(x_NLT.shape[1]):
            out[row, lead, wanted] = np.interp(wanted, at, x_NLT[row, lead, at])
    return out


def joined(x_NLT: Floats, hidden_NT: Hidden, guide_NLT: Floats | None) -> Floats:
    """``guide_NLT`` where samples are hidden, shifted so that it meets what is seen at both ends.

    The shift runs in a straight line between the ends; without a guide that line is the answer.
    """
    if guide_NLT is None:
        return linear(x_NLT, hidden_NT)
    return linear(x_NLT - guide_NLT, hidden_NT) + guide_NLT


def spline(x_NLT: Floats, hidden_NT: Hidden) -> Floats:
    """Natural cubic splines through the visible samples nearby, constant beyond them all."""
    out = x_NLT.copy()
    for row, hidden in enumerate(hidden_NT):
        at = np.flatnonzero(~hidden)
        for wanted in _spans(hidden):
            for lead in range(x_NLT.shape[1]):
                out[row, lead, wanted] = _spline(wanted, at, x_NLT[row, lead, at])
    return out


def _spline(wanted: NDArray[np.intp], at: NDArray[np.intp], y: Floats) -> NDArray[np.float64]:
    near = np.abs(at[:, None] - wanted[[0, -1]]).min(axis=1) <= _CONTEXT
    near |= (at > wanted[0]) & (at < wanted[-1])
    if near.sum() < 2:
        return np.interp(wanted, at, y)
    x, values = at[near], y[near]
    found: NDArray[np.float64] = CubicSpline(x, values, bc_type="natural")(
        np.clip(wanted, x[0], x[-1])
    )
    return found


def _spans(hidden: NDArray[np.bool_]) -> list[NDArray[np.intp]]:
    """Hidden stretches; where more is hidden than seen, as in upsampling, all as one."""
    where = np.flatnonzero(hidden)
    if hidden.mean() > 0.5:
        return [where]
    return np.split(where, np.flatnonzero(np.diff(where) > 1) + 1) if len(where) else []


PREDICTORS: Mapping[str, Callable[[Floats, Hidden], Floats]] = {
    "hold": hold,
    "linear": linear,
    "spline": spline,
}
