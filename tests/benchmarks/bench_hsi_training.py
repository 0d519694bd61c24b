"""Pre-training on every pixel: crops, gathered windows, and a DataLoader of patches as DeepHyperX.

    python tests/benchmarks/bench_hsi_training.py

One network, the same pixels of Indian Pines, forward, backward and update each. The peer's data set
cuts one patch at a time in Python and collates them, as DeepHyperX's ``HyperX`` does
(github.com/nshaud/DeepHyperX, datasets.py), in its batches of 100; Hu's network is there, as here
for the peer, made of 1-D layers. The peer's AdamW is torch's default, ours the trainer's. Crops
train on all their pixels at once, which a network without padding allows; they are as large as the
network's recipe has them. ``--out FILE`` has the default network; the others' go to FILE with the
network's name before its suffix.
"""

from __future__ import annotations

import time

import numpy as np
import torch
from side_by_side import arguments, compare
from torch import nn
from torch.utils.data import DataLoader, Dataset

from toolkit.core.config import validate
from toolkit.hsi import artificial_labels, scenes
from toolkit.hsi.config import AugmentationConfig, HsiPretrainConfig
from toolkit.hsi.examples import Crops, Pixels
from toolkit.hsi.model import HsiModel
from toolkit.hsi.network_config import NAMES, NetworkConfig
from toolkit.hsi.networks.hu import HIDDEN, KERNELS
from toolkit.hsi.pretraining import block_loss
from toolkit.hsi.recipes import recipe
from toolkit.hsi.standardisation import statistics

PEER = "DataLoader of patches"
BATCH = 100
PIXELS = 2304  # 16 crops of the default side
STILL = AugmentationConfig(flips=False)


class Patches(Dataset):
    """One patch and label at a time."""

    def __init__(self, cube, labels, places, patch):
        reach = patch // 2
        self.padded = np.pad(cube, [(reach, reach), (reach, reach), (0, 0)], mode="reflect")
        self.labels, self.places, self.patch = labels, places, patch

    def __len__(self):
        return len(self.places)

    def __getitem__(self, i):
        row, column = self.places[i]
        data = self.padded[row : row + self.patch, column : column + self.patch]
        data = np.asarray(np.copy(data).transpose(2, 0, 1), dtype="float32")
        return torch.from_numpy(data), torch.tensor(int(self.labels[row, column]))


class Hu1d(nn.Module):
    """Hu's layers with torch's own 1-D ones: spectra (B, bands, 1, 1) to logits (B, K, 1, 1)."""

    def __init__(self, model, classes):
        super().__init__()
        self.mean, self.deviation = model.mean, model.deviation
        kernel, pool = model.trunk.conv.kernel_size[1], model.trunk.pool.kernel_size[1]
        hidden = model.trunk.hidden
        self.layers = nn.Sequential(
            *(nn.Conv1d(1, KERNELS, kernel), nn.MaxPool1d(pool), nn.Tanh(), nn.Flatten()),
            *(nn.Linear(hidden.in_features, HIDDEN), nn.Tanh(), nn.Linear(HIDDEN, classes)),
        )

    def forward(self, x):
        x = (x[:, :, 0, 0] - self.mean) / self.deviation
        return self.layers(x[:, None])[:, :, None, None]


def ways(network, scene, blocks, figures):
    torch.manual_seed(0)
    model = HsiModel(NetworkConfig(name=network), scene.bands, blocks.class_counts)
    model.set_statistics(*figures)
    model.train()
    plain = Hu1d(model, sum(blocks.class_counts)) if network == "hu2015" else model
    fused = torch.optim.AdamW(model.parameters(), 1e-3, fused=True)
    default = torch.optim.AdamW(plain.parameters(), 1e-3)
    places = np.random.default_rng(0).integers((145, 145), size=(PIXELS, 2))
    plane = blocks.planes[0]
    settings = validate(HsiPretrainConfig, [recipe(network, "pretrain")])
    side, count = settings.crop, settings.batch_size
    crops = Crops(scene.cube, blocks.planes, side, model.patch, figures, STILL)
    targets = plane[tuple(places.T)].astype(np.int64)
    pixels = Pixels(scene.cube, places, targets, model.patch, figures, STILL)
    loader = DataLoader(Patches(scene.cube, plane, places, model.patch), BATCH, shuffle=True)

    def update(x, y, model=model, optimizer=fused):
        optimizer.zero_grad()
        block_loss(model(x), y, blocks.class_counts).backward()
        optimizer.step()

    def by_loader():
        for x, y in loader:
            update(x, y[:, None, None, None], plain, default)

    def by_window():
        for start in range(0, PIXELS, BATCH):
            (x,), y = pixels.batch(np.arange(start, min(start + BATCH, PIXELS)), None)
            update(x, y[:, None])

    def by_crop():
        numbers = np.random.default_rng(1).integers(len(crops), size=PIXELS // side**2)
        for part in np.split(numbers, len(numbers) // count):
            (x,), y = crops.batch(part, None)
            update(x, y)

    return {f"crops, {network}": by_crop, f"windows, {network}": by_window, PEER: by_loader}


def main() -> None:
    torch.set_num_threads(1)
    options = arguments(__doc__)
    scene = scenes.load("indian_pines")
    blocks = artificial_labels.make("grid", (5,), 1, scene.cube, np.random.default_rng(0))
    figures, out = statistics(scene.cube), options.out
    for network in NAMES:
        if out is not None and network != NAMES[0]:
            options.out = out.with_name(f"{out.stem}_{network}{out.suffix}")
        chosen = ways(network, scene, blocks, figures)
        compare(chosen, PEER, options, time.process_time, pixels=PIXELS)


if __name__ == "__main__":
    main()
