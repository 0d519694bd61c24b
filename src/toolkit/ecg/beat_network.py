"""The beat classifier: the shared trunk for morphology, rhythm joined before two heads.

Whether a beat is ventricular is a question of its shape, and the trunk reads the signal for it.
Whether it is supraventricular is one of its time and its P wave, which the side features state:
that head sees nothing else. V is decided first, S among what is left.
"""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn
from torch.nn import functional

from toolkit.core.convnet import Encoder, pool
from toolkit.ecg.beats import CLASSES
from toolkit.ecg.config import EcgTrainConfig
from toolkit.ecg.study import Floats, Labels

_S, _V = CLASSES.index("S"), CLASSES.index("V")
_REST, _VENTRICULAR, _FUSION = range(3)  # classes of the first head
_SHAPE_OF_CLASS = torch.tensor([_REST, _REST, _VENTRICULAR, _FUSION, _REST])
_LIMIT = 5.0  # standardised side features are clipped to this


class BeatNetwork(nn.Module):
    """Logits (n, 4) from signals (n, 3·leads, samples) and side features (n, side).

    Columns 0–2: rest, ventricular, fusion; column 3: supraventricular, given not ventricular.
    """

    def __init__(self, config: EcgTrainConfig, mean_S: Tensor, deviation_S: Tensor) -> None:
        super().__init__()
        trunk = config.network.model_copy(update={"in_channels": 3 * len(config.leads)})
        self.encoder = Encoder(trunk)
        self.pooling = config.pooling
        features = self.encoder.out_channels * (2 if "+" in config.pooling else 1)
        side, hidden, dropout = len(mean_S), config.hidden, config.head_dropout
        self.mean_S, self.deviation_S = nn.Buffer(mean_S), nn.Buffer(deviation_S)
        self.side_dropout = nn.Dropout(config.beats.side_dropout)
        self.shape = nn.Sequential(nn.Linear(features, 32), nn.ReLU(), nn.Dropout(dropout))
        self.ventricular = _head([32 + side, hidden, 3], dropout)
        self.supraventricular = _head([side, hidden, hidden // 2, 1], dropout)

    def forward(self, x_BCT: Tensor, side_BS: Tensor) -> Tensor:
        standard_BS = ((side_BS - self.mean_S) / self.deviation_S).clamp(-_LIMIT, _LIMIT)
        standard_BS = self.side_dropout(standard_BS)
        features_BF = pool(self.encoder(x_BCT), self.pooling)
        first = self.ventricular(torch.cat([self.shape(features_BF), standard_BS], dim=1))
        second = self.supraventricular(standard_BS)
        return torch.cat([first, second], dim=1)


def _head(widths: list[int], dropout: float) -> nn.Sequential:
    """Linear layers between ``widths``, those of width 0 left out; dropout after the first."""
    first, *hidden, last = (width for width in widths if width)
    layers: list[nn.Module] = []
    for before, width in itertools.pairwise([first, *hidden]):
        layers += [nn.Linear(before, width), nn.ReLU()]
    layers[2:2] = [nn.Dropout(dropout)] if hidden else []
    return nn.Sequential(*layers, nn.Linear([first, *hidden][-1], last))


def beat_loss(logits_B4: Tensor, label_B: Tensor, smoothing: float) -> Tensor:
    """Cross-entropy of the first head plus that of S against all other beats."""
    shape_B = _SHAPE_OF_CLASS.to(label_B.device)[label_B]
    first = functional.cross_entropy(logits_B4[:, :3], shape_B, label_smoothing=smoothing)
    target_B = (label_B == _S).float() * (1 - smoothing) + smoothing / 2
    second = functional.binary_cross_entropy_with_logits(logits_B4[:, 3], target_B)
    return first + second


def beat_probabilities(logits_B4: Floats) -> Floats:
    """Probabilities (n, 5) of N, S, V, F, Q; Q is never claimed (8 beats to learn it from)."""
    probabilities: Floats = probabilities_of(torch.from_numpy(logits_B4)).numpy()
    return probabilities


def probabilities_of(logits_B4: Tensor) -> Tensor:
    """As :func:`beat_probabilities`, of and as tensors."""
    first, second = logits_B4[:, :3].softmax(dim=1), logits_B4[:, 3].sigmoid()
    ventricular = first[:, _VENTRICULAR]
    others = 1 - ventricular
    fusion_of_rest = (logits_B4[:, _FUSION] - logits_B4[:, _REST]).sigmoid()
    supraventricular, rest = second * others, (1 - second) * others
    fusion, normal = fusion_of_rest * rest, (1 - fusion_of_rest) * rest
    columns = [normal, supraventricular, ventricular, fusion, torch.zeros_like(rest)]
    return torch.stack(columns, dim=1)


def decide_beats(probabilities: Floats) -> Labels:
    """The likeliest of N, S and V, (n,).

    F is learnt, so that V need not answer for it, but never claimed: in cross-validation over
    DS1 nearly every claim was wrong, as almost all fusion beats there are one patient's (208).
    """
    decided: Labels = probabilities[:, : _V + 1].argmax(axis=1)
    return decided
