"""Nothing of an update is left on another device, tried on torch's device without numbers."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from toolkit.core.config import load, preset_path
from toolkit.rl.agents import acer, agent, twin_q
from toolkit.rl.config import PRESETS, RlRunConfig
from toolkit.rl.environments import Spaces
from toolkit.rl.replay import Trajectories

CASES = [
    ("acerax", "acer.geometric=0.9"),
    ("acerax", "acer.averaged=true"),
    ("acer", "acer.scaled=false"),
    ("sac", "twin_q.policy_delay=1"),
    ("sacx", "twin_q.critic=simba"),
    ("sacx", "twin_q.bound=mode"),
]


def batch(length: int) -> Trajectories:
    """Four trajectories of three numbers observed and two done."""

    def zeros(*shape: int) -> np.ndarray:
        return np.zeros((4, *shape), np.float32)

    return Trajectories(
        zeros(length + 1, 3),
        *(zeros(length, 2), zeros(length, 2), zeros(length), zeros(length)),
        *(np.zeros((4, length), bool), np.ones((4, length), bool), np.full(4, length)),
    )


@pytest.mark.parametrize(("preset", "change"), CASES)
def test_updates_stay_on_their_device(
    preset: str, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tensor made elsewhere would not go together with those of ``meta``."""
    device = torch.device("meta")
    config = load(RlRunConfig, preset=preset_path(PRESETS, preset), sets=(change, "hidden=[8]"))
    whole = torch.optim.Adam
    monkeypatch.setattr(torch.optim, "Adam", lambda *a, **k: whole(*a, **{**k, "fused": False}))
    for module in (acer, twin_q, agent):
        monkeypatch.setattr(module, "averages", lambda **figures: figures)
    spaces = Spaces(3, -np.ones(2, np.float32), np.ones(2, np.float32), 200)
    kind = acer.Acer if config.backbone == "acer" else twin_q.TwinQ
    one = kind(spaces, config, device)
    found = one.update(batch(one.length), np.random.default_rng(0))
    assert found
    assert all(figure.device == device for figure in found.values())  # type: ignore[attr-defined]
    assert one.value(torch.zeros(5, 3, device=device)).shape == (5,)
