"""Several heads on one trunk: what many say of a pixel is steadier than what one does.

After multi-sample dropout (Inoue 2019, arXiv 1905.09788), but every head has weights of its own.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

Loss = Callable[[Tensor, Tensor], Tensor]


class Heads(nn.ModuleList):
    """Linear heads, each of which sees the features through a dropout of its own.

    In training the heads' logits come one head after the other, (count x B, K, H, W), so that each
    has a loss of its own (:func:`mean_over_heads`); else the logarithm of their mean probability,
    (B, K, H, W).

    Args:
        features: that the trunk gives.
        classes: outputs of each head, K.
        count: of heads.
        dropout: share of the features that a head does not see in a training step.
    """

    def __init__(self, features: int, classes: int, count: int, dropout: float) -> None:
        super().__init__(nn.Conv2d(features, classes, 1) for _ in range(count))
        self.dropout = dropout
        self.out_channels = classes

    def forward(self, x_BFHW: Tensor) -> Tensor:
        drop = nn.functional.dropout
        logits = [head(drop(x_BFHW, self.dropout, self.training)) for head in self]
        if self.training:
            return torch.cat(logits)
        return torch.stack(logits).log_softmax(2).logsumexp(0)


def mean_over_heads(logits_NKHW: Tensor, targets_BHW: Tensor, loss: Loss) -> Tensor:
    """The mean of the heads' own losses, for one head or for several."""
    parts = torch.split(logits_NKHW, len(targets_BHW))
    return torch.stack([loss(part, targets_BHW) for part in parts]).mean()
