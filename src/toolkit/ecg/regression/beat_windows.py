"""Windows around the R peaks of records, as the beat classifier sees them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from toolkit.core import rng
from toolkit.core.supervised import Indices
from toolkit.ecg import morphology
from toolkit.ecg.beat_examples import BeatSeries
from toolkit.ecg.regression.analogues import fill_window
from toolkit.ecg.regression.hiding import Hidden
from toolkit.ecg.regression.windows import NEAR_S
from toolkit.ecg.study import Floats


class BeatWindows:
    """Beats around their R peak with what the classifier sees of them: template, beat before.

    The channels are those of :class:`toolkit.ecg.beat_examples.BeatExamples`: through its own
    difference from the template a beat shows the template where it is hidden itself.

    Args:
        parts: the beats of each record.
        loose_s: windows lie so far from their R peak, at random but always the same for a beat:
            what is hidden has no known instant.
    """

    fs_hz = float(morphology.FS_HZ)
    # the beat itself: its neighbours' peaks have windows of their own
    span: tuple[int, int] | None = (
        morphology.BEFORE - round(0.35 * morphology.FS_HZ),
        morphology.BEFORE + round(0.5 * morphology.FS_HZ),
    )

    def __init__(self, parts: Sequence[BeatSeries], loose_s: float = 0.0) -> None:
        most = round(loose_s * self.fs_hz)
        random = rng.generator(0, "loose windows")
        self._off = np.concatenate([random.integers(-most, most + 1, len(one)) for one in parts])
        where = np.split(self._off, np.cumsum([len(one) for one in parts])[:-1])
        cut = [
            morphology.scaled_windows(one.signal_mv_LT, one.peak + off, one.height_mv_L)
            for one, off in zip(parts, where)
        ]
        self._beats = torch.from_numpy(np.concatenate(cut))
        self._before = torch.from_numpy(np.concatenate([_before(one) for one in parts]))
        self._templates = torch.from_numpy(np.stack([one.template_LT for one in parts]))
        self._owner = np.repeat(np.arange(len(parts)), [len(one) for one in parts])
        self._heights = np.stack([one.height_mv_L for one in parts])
        self._peaks_s = np.concatenate([_neighbours(one.rr_s) for one in parts])
        self._records = [one.signal_mv_LT / one.height_mv_L[:, None] for one in parts]
        peaks = np.concatenate([one.peak for one in parts])
        self._first = peaks + self._off - morphology.BEFORE

    def __len__(self) -> int:
        return len(self._beats)

    def signals(self, at: Indices) -> Tensor:
        return self._beats[torch.from_numpy(at)]

    def inputs(
        self, seen_BLT: Tensor, at: Indices, hidden_BT: Hidden, gain: Tensor | None = None
    ) -> Tensor:
        template, before = self._templates[self._owner[at]], self._before[torch.from_numpy(at)]
        shown_B1T = torch.from_numpy(self._shown_before(at, hidden_BT))[:, None]
        before = torch.where(shown_B1T, template, before)
        if gain is not None:
            template, before = template * gain, before * gain
        return torch.cat([seen_BLT, seen_BLT - template, before - template], dim=1)

    def ordinary(self, at: Indices) -> Floats:
        """The template where the R peak is, wherever the window lies."""
        return self._on_peak(self._templates[self._owner[at]], at)

    def alike(self, at: Indices, hidden_BT: Hidden) -> Floats:
        guide_BLT: Floats = self._templates[self._owner[at]].numpy()
        for row, i in enumerate(at):
            signal_LT, first = self._records[self._owner[i]], int(self._first[i])
            fill_window(guide_BLT[row], signal_LT, first, hidden_BT[row], self.fs_hz)
        return guide_BLT

    def previous(self, at: Indices) -> Floats:
        """The beat before, its R peak where this beat's is."""
        return self._on_peak(self._before[torch.from_numpy(at)], at)

    def _on_peak(self, x_BLT: Tensor, at: Indices) -> Floats:
        inside_BT = np.arange(morphology.WIDTH) + self._off[at, None]
        inside_BT = np.clip(inside_BT, 0, morphology.WIDTH - 1)
        found: Floats = np.take_along_axis(x_BLT.numpy(), inside_BT[:, None], axis=2)
        return found

    def near(self, at: Indices) -> Hidden:
        time_s = (np.arange(morphology.WIDTH) - morphology.BEFORE) / self.fs_hz
        peaks_s = np.concatenate([np.zeros((len(at), 1)), self._peaks_s[at]], axis=1)
        peaks_s -= self._off[at, None] / self.fs_hz
        return np.asarray((np.abs(time_s - peaks_s[:, :, None]) <= NEAR_S).any(axis=1))

    def millivolts(self, at: Indices) -> Floats:
        heights: Floats = self._heights[self._owner[at]]
        return heights

    def _shown_before(self, at: Indices, hidden_BT: Hidden) -> Hidden:
        """(B, T) where the window of the beat before shows what is hidden in this one.

        The windows overlap in time when beats come fast. Peaks are known to a sample, hence the
        neighbours of hidden samples too.
        """
        later_B1 = np.round(-self._peaks_s[at, :1] * self.fs_hz)
        later_B1 = np.where(np.isfinite(later_B1), later_B1, 2 * morphology.WIDTH)
        later_B1 += self._off[at, None]
        source_BT = np.arange(morphology.WIDTH) - later_B1.astype(np.int64)
        found = np.zeros(hidden_BT.shape, bool)
        for near in (-1, 0, 1):
            there = (source_BT + near >= 0) & (source_BT + near < morphology.WIDTH)
            inside = np.clip(source_BT + near, 0, morphology.WIDTH - 1)
            found |= there & np.take_along_axis(hidden_BT, inside, axis=1)
        return found


def _before(part: BeatSeries) -> Floats:
    """(n, L, T) the beat before each; before a record's first beat, its ordinary one."""
    before = part.beats_BLT[np.maximum(part.at - 1, 0)]
    before[part.at == 0] = part.template_LT
    return before


def _neighbours(rr_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, 2) when the R peaks before and after come, in seconds from the beat's own."""
    return np.stack([-rr_s, np.append(rr_s[1:], np.inf)], axis=1)
