"""Policies as ONNX, for programs that know nothing of torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from toolkit.core import onnx_file, rng
from toolkit.rl.loaded import LoadedPolicy


def export(policy: LoadedPolicy, path: Path) -> dict[str, Any]:
    """Write the deterministic policy as ONNX; says what the file takes and gives.

    Input: raw observations (N, d) float32; output: actions (N, a) in the environment's units.

    Raises:
        UnavailableError: the packages of extra ``onnx`` are missing.
        CheckFailedError: onnxruntime gives something else; nothing is written.
    """
    spaces, seen = policy.spaces, policy.policy.standardisation
    random = rng.generator(0, "examples")
    noise = [random.standard_normal((n, spaces.observation_size)) for n in (2, 1, 64)]
    rows = [seen.mean.numpy() + x * np.sqrt(seen.variance) for x in noise]
    examples = [torch.from_numpy(x.astype(np.float32)) for x in rows]
    facts = {"env": policy.env, "label": policy.label}
    worst = onnx_file.write(path, policy.policy, examples, (0,), facts, unit=policy.policy.reach)
    return {
        "env": policy.env,
        "label": policy.label,
        "file": str(path),
        "largest_difference": worst,
        "observation_size": spaces.observation_size,
        "action_size": spaces.action_size,
    }
