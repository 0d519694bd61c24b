"""ECG networks as ONNX, for programs that know nothing of torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from toolkit.core import onnx_file, rng, weights
from toolkit.core.released import Released
from toolkit.core.run import Run
from toolkit.core.supervised import load_weights
from toolkit.ecg import beats, fragments, morphology, rhythm
from toolkit.ecg.beat_network import BeatNetwork, probabilities_of
from toolkit.ecg.config import EcgPretrainConfig, EcgTrainConfig
from toolkit.ecg.fragment_study import fragment_network
from toolkit.ecg.regression.pretraining import network as regressor
from toolkit.ecg.transfer import classifier

_SIZES = (4, 1, 7)  # batches that are compared


class _BeatProbabilities(nn.Module):
    """Probabilities (n, 5) of N, S, V, F, Q."""

    def __init__(self, network: BeatNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, signal: Tensor, side: Tensor, p_coherence: Tensor) -> Tensor:
        return probabilities_of(self.network(signal, side, p_coherence))


def export(model: Run | Released, path: Path) -> dict[str, Any]:
    """Write a classifier, or a regression of signals, as ONNX; says what the file takes and gives.

    Beats: ``signal`` (n, 3·leads, 168), ``side`` (n, features) and ``p_coherence`` (n,) as the
    toolkit computes them, to probabilities (n, 5). Fragments: ``input`` (n, 1, 3600) mV around
    their median, to logits.
    Regression: ``input`` with hidden samples bridged as ``HiddenExamples`` does, to signals
    (n, leads, T).

    Raises:
        RunError: no finished model is there, or it does not fit its settings.
        UnavailableError: the packages of extra ``onnx`` are missing.
        CheckFailedError: onnxruntime gives something else; nothing is written.
    """
    tensors = weights.read(model.path)
    if "hiding" in model.settings:
        network, sizes, facts = _regression(model.config(EcgPretrainConfig))
    else:
        network, sizes, facts = _classification(classifier(model), tensors)
    load_weights(network, tensors)
    names = tuple(sizes)
    with rng.torch_scope(0, "examples"):
        examples = [tuple(torch.randn(n, *size) for size in sizes.values()) for n in _SIZES]
    served = _BeatProbabilities(network) if isinstance(network, BeatNetwork) else network
    worst = onnx_file.write(path, served.eval(), examples, (0,), facts, names)
    shapes = {name: list(size) for name, size in sizes.items()}
    return {"model": str(model.path), "file": str(path), "inputs": shapes} | {
        "largest_difference": worst,
        **facts,
    }


_Made = tuple[nn.Module, dict[str, tuple[int, ...]], dict[str, str]]


def _classification(config: EcgTrainConfig, tensors: dict[str, Tensor]) -> _Made:
    if config.protocol == "fragments17":
        last = max(k for k in tensors if k.startswith("head.layers.") and k.endswith("weight"))
        network = fragment_network(config, len(tensors[last]))
        names = fragments.CLASSES if len(tensors[last]) == len(fragments.CLASSES) else ()
        return network, {"input": (1, fragments.WIDTH)}, {"classes": ", ".join(names)}
    side = rhythm.FEATURES + morphology.FEATURES_PER_LEAD * len(config.leads)
    sizes = {
        "signal": (3 * len(config.leads), morphology.WIDTH),
        "side": (side,),
        "p_coherence": (),
    }
    made = BeatNetwork(config, torch.zeros(side), torch.ones(side))
    return made, sizes, {"classes": ", ".join(beats.CLASSES)}


def _regression(config: EcgPretrainConfig) -> _Made:
    whole = config.protocol == "fragments17"
    channels = 1 if whole else 3 * len(config.leads)
    width = fragments.WIDTH if whole else morphology.WIDTH
    return regressor(config), {"input": (channels, width)}, {"target": config.hiding.target}
