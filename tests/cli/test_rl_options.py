"""What an environment settles for the presets comes with it however it is named."""

from __future__ import annotations

import pytest

from toolkit.cli.rl import flags
from toolkit.rl.config import SETTLED


@pytest.mark.parametrize("way", [{"env": "Pendulum-v1"}, {"sets": ("env='Pendulum-v1'",)}])
def test_the_pendulum_brings_its_settings(way):
    for preset in (None, "acer"):
        found = flags("run", {"env_args": (), "preset": preset, **way})
        assert found["base"] == ("what Pendulum-v1 settles", SETTLED["Pendulum-v1"])
    assert flags("run", {"env_args": (), "preset": "sac", **way})["base"] is None
    assert flags("run", {"env_args": (), "sets": ("env=[1]",)})["base"] is None
