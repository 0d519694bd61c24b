"""One training step: the core's supervised task against a plain DataLoader loop.

Same network, batch size, optimiser and augmentation-free data; the plain loop is what a script
with ``torch.utils.data`` does: a Dataset item by item, collated, zero_grad, loss, backward, step.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from side_by_side import arguments, compare
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

from toolkit.core.config import load
from toolkit.core.convnet import Encoder
from toolkit.core.heads import ConvClassifier
from toolkit.core.supervised import Problem, Supervised
from toolkit.ecg.config import PRESETS, AugmentationConfig, EcgTrainConfig
from toolkit.ecg.fragment_study import FragmentExamples

STEPS, CLASSES = 5, 17


class Items(Dataset):  # type: ignore[type-arg]
    def __init__(self, signal: np.ndarray, label: np.ndarray) -> None:
        self.signal, self.label = signal, label

    def __len__(self) -> int:
        return len(self.label)

    def __getitem__(self, i: int) -> tuple[np.ndarray, int]:
        x = self.signal[i] - np.median(self.signal[i])
        return x[None], int(self.label[i])


def main() -> None:
    options = arguments(__doc__)
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    signal = rng.standard_normal((700, 3600)).astype(np.float32)
    label = rng.integers(0, CLASSES, 700)
    config = load(EcgTrainConfig, preset=PRESETS / "fragments17.toml")

    def network() -> ConvClassifier:
        return ConvClassifier(Encoder(config.network), CLASSES, pooling=config.pooling)

    plain_model = network()
    optimizer = torch.optim.AdamW(plain_model.parameters(), lr=1e-3)
    loader = DataLoader(Items(signal, label), batch_size=config.batch_size, shuffle=True)

    def endless() -> Iterator[list[torch.Tensor]]:
        while True:
            yield from (batch for batch in loader if len(batch[1]) == config.batch_size)

    batches = endless()

    def plain() -> None:
        for _ in range(STEPS):
            x, y = next(batches)
            optimizer.zero_grad()
            functional.cross_entropy(plain_model(x), y).backward()
            torch.nn.utils.clip_grad_norm_(plain_model.parameters(), 1.0)
            optimizer.step()

    examples = FragmentExamples(signal, label, AugmentationConfig())
    problem = Problem(network(), examples, functional.cross_entropy, lambda _: {}, lambda *_: {})
    bare = config.model_copy(update={"average": 0.0})
    task = Supervised(problem, bare, torch.device("cpu"))

    def ours() -> None:
        for i in range(STEPS):
            task.step(i)

    compare({"plain loop": plain, "training step": ours}, "plain loop", options, steps=STEPS)


if __name__ == "__main__":
    main()
