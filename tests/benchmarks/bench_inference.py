"""Classifying beats: batches from views against one beat at a time, same network, one thread.

And how many beats a second all cores classify.
"""

from __future__ import annotations

import os
import timeit

import numpy as np
import torch
from side_by_side import arguments, compare

from toolkit.core.config import load
from toolkit.core.supervised import predict
from toolkit.ecg import synthetic
from toolkit.ecg.beat_examples import BeatExamples, series
from toolkit.ecg.beat_network import BeatNetwork
from toolkit.ecg.config import PRESETS, EcgTrainConfig

LOOP_BEATS = 200


def main() -> None:
    options = arguments(__doc__)
    torch.set_num_threads(1)
    config = load(EcgTrainConfig, preset=PRESETS / "ec57.toml")
    records = [synthetic.synthesize(seed, minutes=30, name=f"b{seed}") for seed in range(4)]
    parts = [series(record, config.leads) for record in records]
    examples = BeatExamples(parts)
    width = parts[0].side_BS.shape[1]
    network = BeatNetwork(config, torch.zeros(width), torch.ones(width)).eval()

    @torch.no_grad()
    def one_by_one() -> None:
        for i in range(LOOP_BEATS):
            inputs, _ = examples.batch(np.array([i]), None)
            network(*inputs)

    rates = {threads: rate(network, examples, threads) for threads in (1, os.cpu_count() or 1)}
    torch.set_num_threads(1)
    first = BeatExamples([parts[0].rows(np.arange(LOOP_BEATS))])
    ways = {
        "one beat at a time": one_by_one,
        "classifying a batch": lambda: predict(network, first),
    }
    compare(ways, "one beat at a time", options, beats=LOOP_BEATS, beats_per_s=rates)


def rate(network: BeatNetwork, examples: BeatExamples, threads: int) -> int:
    """Beats a second in batches of 1024, the best of five rounds: of a machine left alone."""
    torch.set_num_threads(threads)
    times = timeit.repeat(lambda: predict(network, examples), number=1, repeat=6)
    found = round(len(examples) / min(times))
    print(f"{found:,} beats/s on {threads} threads ({len(examples)} beats)")
    return found


if __name__ == "__main__":
    main()
