"""The beat classifier: the shared trunk for morphology, rhythm joined before two heads.

Whether a beat is ventricular is a question of its shape, and the trunk reads the signal for it.
Whether it is supraventricular is one of its time and its P wave, which the side features state:
that head sees nothing else. V is decided first, S among what is left. Where there are no P waves,
as in atrial fibrillation, every interval is irregular and a short one says nothing: no beat is
called supraventricular there, and the head learns nothing from there.
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
_STEP = 0.02  # of coherence: how sharply its threshold divides
_RARE = 1e-6  # probabilities nearer to 0 or 1 are taken to be as far
_OPEN = 20.0  # logit of P waves where nothing is asked of them


class BeatNetwork(nn.Module):
    """Logits (n, 5) from signals (n, 3·leads, samples), side features (n, side), coherences (n,).

    Columns 0–2: rest, ventricular, fusion; column 3: supraventricular, given not ventricular and
    that there are P waves; column 4: that there are, by a threshold on their coherence. In training
    the answers of several heads come one after the other, (heads x n, 5); else as their mean.
    """

    def __init__(self, config: EcgTrainConfig, mean_S: Tensor, deviation_S: Tensor) -> None:
        super().__init__()
        trunk = config.network.model_copy(update={"in_channels": 3 * len(config.leads)})
        self.encoder = Encoder(trunk)
        self.pooling = config.pooling
        features = self.encoder.out_channels * (2 if "+" in config.pooling else 1)
        self.least_coherence = config.beats.p_coherence
        self.mean_S, self.deviation_S = nn.Buffer(mean_S), nn.Buffer(deviation_S)
        self.heads = nn.ModuleList(
            _Heads(features, len(mean_S), config) for _ in range(config.beats.heads)
        )

    def forward(self, x_BCT: Tensor, side_BS: Tensor, p_coherence_B: Tensor) -> Tensor:
        standard_BS = ((side_BS - self.mean_S) / self.deviation_S).clamp(-_LIMIT, _LIMIT)
        features_BF = pool(self.encoder(x_BCT), self.pooling)
        answers_HB4 = torch.stack([heads(features_BF, standard_BS) for heads in self.heads])
        answers_HB4 = answers_HB4 if self.training else _mean(answers_HB4)
        p_waves_HB1 = self._p_waves(p_coherence_B)[:, None].expand(len(answers_HB4), -1, -1)
        return torch.cat([answers_HB4, p_waves_HB1], dim=2).flatten(0, 1)

    def _p_waves(self, coherence_B: Tensor) -> Tensor:
        if self.least_coherence == 0:
            return torch.full_like(coherence_B, _OPEN)
        return (coherence_B - self.least_coherence) / _STEP


class _Heads(nn.Module):
    """Logits (n, 4): whether a beat is ventricular, whether supraventricular."""

    def __init__(self, features: int, side: int, config: EcgTrainConfig) -> None:
        super().__init__()
        hidden, dropout = config.hidden, config.head_dropout
        self.side_dropout = nn.Dropout(config.beats.side_dropout)
        self.shape = nn.Sequential(nn.Linear(features, 32), nn.ReLU(), nn.Dropout(dropout))
        self.ventricular = _head([32 + side, hidden, 3], dropout)
        self.supraventricular = _head([side, hidden, hidden // 2, 1], dropout)

    def forward(self, features_BF: Tensor, side_BS: Tensor) -> Tensor:
        side_BS = self.side_dropout(side_BS)
        first = self.ventricular(torch.cat([self.shape(features_BF), side_BS], dim=1))
        return torch.cat([first, self.supraventricular(side_BS)], dim=1)


def _mean(answers_HB4: Tensor) -> Tensor:
    """Logits of the mean probabilities, (1, n, 4)."""
    if len(answers_HB4) == 1:
        return answers_HB4
    first = answers_HB4[..., :3].log_softmax(dim=2).logsumexp(dim=0, keepdim=True)
    second = answers_HB4[..., 3:].sigmoid().mean(dim=0, keepdim=True).logit(_RARE)
    return torch.cat([first, second], dim=2)


def _head(widths: list[int], dropout: float) -> nn.Sequential:
    """Linear layers between ``widths``, those of width 0 left out; dropout after the first."""
    first, *hidden, last = (width for width in widths if width)
    layers: list[nn.Module] = []
    for before, width in itertools.pairwise([first, *hidden]):
        layers += [nn.Linear(before, width), nn.ReLU()]
    layers[2:2] = [nn.Dropout(dropout)] if hidden else []
    return nn.Sequential(*layers, nn.Linear([first, *hidden][-1], last))


def beat_loss(logits_B5: Tensor, label_B: Tensor, smoothing: float) -> Tensor:
    """Cross-entropy of the first head plus that of S against all other beats with P waves.

    The mean over several heads, whose logits come one after the other.
    """
    label_B = label_B.repeat(len(logits_B5) // len(label_B))
    shape_B = _SHAPE_OF_CLASS.to(label_B.device)[label_B]
    first = functional.cross_entropy(logits_B5[:, :3], shape_B, label_smoothing=smoothing)
    target_B = (label_B == _S).float() * (1 - smoothing) + smoothing / 2
    p_waves_B = logits_B5[:, 4].sigmoid().detach()  # nothing to learn
    second = functional.binary_cross_entropy_with_logits(logits_B5[:, 3], target_B, p_waves_B)
    return first + second


def beat_probabilities(logits_B5: Floats) -> Floats:
    """Probabilities (n, 5) of N, S, V, F, Q; Q is never claimed (8 beats to learn it from)."""
    probabilities: Floats = probabilities_of(torch.from_numpy(logits_B5)).numpy()
    return probabilities


def probabilities_of(logits_B5: Tensor) -> Tensor:
    """As :func:`beat_probabilities`, of and as tensors."""
    first, second = logits_B5[:, :3].softmax(dim=1), logits_B5[:, 3:].sigmoid().prod(dim=1)
    ventricular = first[:, _VENTRICULAR]
    others = 1 - ventricular
    fusion_of_rest = (logits_B5[:, _FUSION] - logits_B5[:, _REST]).sigmoid()
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
