"""What stood elsewhere in a recording where the surroundings were most like those of a gap.

The method of analogues (Lorenz 1969, Journal of the Atmospheric Sciences 26, 636): a heart repeats
itself, and nothing knows its beats better than the recording. No R peak has to be known.

Shapes: L leads, T samples, S samples at the rate at which surroundings are compared, N stretches.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Hidden = NDArray[np.bool_]

REACH_S = 300.0  # how far away like stretches are sought
_ENOUGH_HZ = 120.0  # surroundings are compared at about this rate
_AROUND_S = 0.3  # on either side of a gap, and of a like stretch, in which all is seen:
_DECAY_S = 1 / 15  # the nearest samples count most, e-fold
_ALONE_S, _ALONE_DECAY_S = 0.8, 0.2  # the same where one side alone is seen, as in a forecast
_BEST = 80  # stretches are mixed,
_SOFTNESS = 0.5  # with shares e-fold down for a cost higher by so many times the lowest
_STIFFNESS = 2.0  # of these shares against what fits the surroundings best


def analogue(x_LT: Floats, start: int, stop: int, hidden_LT: Hidden, fs_hz: float) -> Floats | None:
    """A mixture of the stretches most like what samples ``start`` … ``stop`` - 1 must have been.

    Args:
        x_LT: in one unit, finite and free of baseline wander; what is hidden is not looked at.
        start: first sample of the gap; ``stop`` is the one after its last.
        hidden_LT: what cannot be read, the gap itself included; what other leads show counts.
        fs_hz: sampling frequency.

    Returns:
        (L, stop - start + 2), a sample on either side of the gap included; None where nothing
        like it is within :data:`REACH_S`.
    """
    if start < 1 or stop >= x_LT.shape[1]:
        return None
    step = max(1, round(fs_hz / _ENOUGH_HZ))
    phase, first, length = start % step, start // step, -(-(stop - start) // step)
    x_LS, hidden_LS = np.ascontiguousarray(x_LT[:, phase::step]), hidden_LT[:, phase::step]
    around_s, decay_s = _surroundings(hidden_LT, start, stop, fs_hz)
    reach, around = round(REACH_S * fs_hz / step), round(around_s * fs_hz / step)
    offsets = np.arange(-min(around, first), min(length + around, x_LS.shape[1] - first))
    far = np.maximum(np.maximum(-offsets, offsets - length + 1), 0)
    weights = np.exp(-far * step / (decay_s * fs_hz)).astype(np.float32)
    weights_LC = weights * ~hidden_LS[:, first + offsets]
    low, high = max(around, first - reach), min(x_LS.shape[1] - length - around, first + reach)
    if high - low < 3 or not weights_LC.any():
        return None
    costs_N = np.empty(high - low, np.float32)
    _compare(x_LS, offsets, weights_LC, first, low, costs_N)
    hidden_before = np.concatenate([[0], np.cumsum(hidden_LS.any(axis=0))])
    at = np.arange(low, high)
    costs_N[hidden_before[at + length + around] > hidden_before[at - around]] = np.inf
    best = _likest(costs_N)
    if not len(best):
        return None
    root_LC1 = np.sqrt(weights_LC)[:, :, None]
    near_LCN = x_LS[:, low + best + offsets[:, None]] * root_LC1
    own_LC1 = x_LS[:, first + offsets, None] * root_LC1
    share_N = _shares(costs_N[best], near_LCN.reshape(-1, len(best)), own_LC1.ravel())
    inside = phase + (low + best) * step + np.arange(-1, stop - start + 1)[:, None]
    mixed_LT: Floats = (x_LT[:, inside] @ share_N).astype(np.float32)
    return mixed_LT


def _surroundings(hidden_LT: Hidden, start: int, stop: int, fs_hz: float) -> tuple[float, float]:
    """How far surroundings reach, and their decay, in seconds: farther where one side is hidden."""
    around = round(_AROUND_S * fs_hz)
    sides = hidden_LT[:, max(0, start - around) : start], hidden_LT[:, stop : stop + around]
    alone = any(side.all() for side in sides)
    return (_ALONE_S, _ALONE_DECAY_S) if alone else (_AROUND_S, _DECAY_S)


@numba.njit(cache=True, fastmath={"contract", "reassoc", "nsz", "arcp"}, nogil=True)
def _compare(
    x_LS: Floats,
    offsets: NDArray[np.int64],
    weights_LC: Floats,
    own: int,
    low: int,
    costs_N: Floats,
) -> None:
    """Weighted squared differences of what is around ``own`` from what is around ``low`` on."""
    costs_N[:] = 0
    for first in range(0, len(costs_N), 2048):  # what fits the cache
        costs = costs_N[first : first + 2048]
        for k in range(len(offsets)):
            for lead in range(len(x_LS)):
                weight, value = weights_LC[lead, k], x_LS[lead, own + offsets[k]]
                if weight > 0:
                    begin = low + first + offsets[k]
                    there = x_LS[lead, begin : begin + len(costs)]
                    for i in range(len(costs)):
                        difference = there[i] - value
                        costs[i] += weight * difference * difference


def _likest(costs_N: Floats) -> NDArray[np.intp]:
    """Where the costs have their deepest valleys, the deepest first."""
    middle = costs_N[1:-1]
    valley = (middle <= costs_N[:-2]) & (middle <= costs_N[2:]) & np.isfinite(middle)
    at = 1 + np.flatnonzero(valley)
    if len(at) > _BEST:
        at = at[np.argpartition(costs_N[at], _BEST)[:_BEST]]
    return at[np.argsort(costs_N[at], kind="stable")]


def _shares(costs_N: Floats, near_CN: Floats, own_C: Floats) -> NDArray[np.float64]:
    """How much of each stretch goes into the mixture, 1 in all; some may be negative.

    Likeness alone gives the first shares. They are then moved so that the mixture of the
    surroundings comes near the gap's own, as in locally linear embedding (Roweis and Saul 2000,
    Science 290, 2323), with a ridge that holds them back.
    """
    share_N = np.exp((costs_N[0] - costs_N.astype(np.float64)) / (_SOFTNESS * costs_N[0] + 1e-9))
    share_N /= share_N.sum()
    mean_C = near_CN @ share_N
    off_CN = near_CN - mean_C[:, None]
    products_NN = off_CN.T @ off_CN
    ridge = _STIFFNESS * np.trace(products_NN) / len(share_N) + 1e-9
    system_NN = products_NN + ridge * np.eye(len(share_N))
    moved_N = np.linalg.solve(system_NN, off_CN.T @ (own_C - mean_C))
    shares: NDArray[np.float64] = share_N + moved_N - moved_N.sum() * share_N
    return shares


def within_reach(start: int, stop: int, n_samples: int, fs_hz: float) -> tuple[int, int]:
    """First sample, and the one after the last, of what :func:`analogue` looks at for a gap."""
    margin = round((REACH_S + 2 * _ALONE_S) * fs_hz)
    return max(0, start - margin), min(n_samples, stop + margin)


def fill_window(guide_LT: Floats, x_LT: Floats, first: int, hidden_T: Hidden, fs_hz: float) -> None:
    """Put the analogue of each gap of a window into ``guide_LT``, a sample on either side included.

    What comes after a window whose end is hidden is not looked at.

    Args:
        guide_LT: (L, samples of the window), stays as it is where there is no analogue.
        x_LT: the recording.
        first: sample of ``x_LT`` that the window begins at; the window may reach beyond its ends.
        hidden_T: (samples of the window,) what is not seen of the recording.
        fs_hz: of both.
    """
    edges = np.flatnonzero(np.diff(hidden_T, prepend=False, append=False)).reshape(-1, 2)
    width = len(hidden_T)
    low, high = within_reach(first, first + width, x_LT.shape[1], fs_hz)
    own = np.arange(first, first + width) - low
    there = (own >= 0) & (own < high - low)
    hidden_LT = np.zeros((len(x_LT), high - low), bool)
    hidden_LT[:, own[there]] = hidden_T[there]
    if hidden_T[-1]:
        future = first + width - low
        hidden_LT[:, max(0, future) : max(0, future + round(_ALONE_S * fs_hz))] = True
    for start, stop in edges.tolist():
        ends = start + first - low, stop + first - low
        found_LT = analogue(x_LT[:, low:high], *ends, hidden_LT, fs_hz)
        if found_LT is not None and start > 0:
            guide_LT[:, start - 1 : stop + 1] = found_LT[:, : width - start + 1]
