"""Settings that decide nothing are named, those that decide are not."""

from __future__ import annotations

import pytest

from toolkit.core.config import load, preset_path, presets
from toolkit.rl.config import PRESETS, RlRunConfig
from toolkit.rl.idle_settings import idle


def loaded(preset: str, *sets: str) -> RlRunConfig:
    return load(RlRunConfig, preset=preset_path(PRESETS, preset), sets=sets)


@pytest.mark.parametrize("name", presets(PRESETS))
def test_a_preset_sets_nothing_that_is_not_read(name: str) -> None:
    assert idle(loaded(name)) == []


@pytest.mark.parametrize(
    ("preset", "setting", "is_idle"),
    [
        ("sac", "acer.bound=9.0", True),
        ("sac", "dispersion.std=0.01", True),
        ("sac", "twin_q.reach=2.0", True),
        ("sac", "twin_q.target_entropy=-2.0", False),
        ("acer", "dispersion.alpha=9.0", True),
        ("acer", "dispersion.std=0.2", False),
        ("acer", "twin_q.critic_hidden=[8]", True),
        ("acerax", "dispersion.alpha=9.0", False),
        ("sacx", "twin_q.reach=2.0", False),
        ("sacx", "twin_q.target_entropy=-2.0", True),
        ("sacx", "twin_q.penalty=2.0", True),
    ],
)
def test_what_decides_nothing_is_named(preset: str, setting: str, is_idle: bool) -> None:
    key = setting.partition("=")[0]
    assert [one.partition(" ")[0] for one in idle(loaded(preset, setting))] == [key] * is_idle
