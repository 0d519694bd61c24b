"""Settings of runs: what is refused, and what an environment settles."""

from __future__ import annotations

import pytest

from toolkit.cli.execution import settings
from toolkit.cli.rl import flags
from toolkit.core.config import load, preset_path, presets
from toolkit.core.errors import ConfigError
from toolkit.rl.config import PRESETS, RlRunConfig


@pytest.mark.parametrize("name", presets(PRESETS))
def test_presets_are_whole_and_named_after_themselves(name: str) -> None:
    config = load(RlRunConfig, preset=preset_path(PRESETS, name))
    assert config.label == name


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("dispersion.kind=temperature", "twin-q"),
        ("dispersion.floor=0.5", "not between dispersion.floor"),
        ("replay.capacity=4", "less than 5 rows for each of 1 environments"),
        ("replay.capacity=20000 environments=5000", "less than 5 rows for each of 5000"),
        ("discount=1.0", "discount"),
        ("acer.ancor=1", "anchor"),
    ],
)
def test_impossible_settings_are_refused(text: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(RlRunConfig, preset=preset_path(PRESETS, "acerax"), sets=tuple(text.split()))
    assert says in str(caught.value)


def test_an_environment_settles_what_is_left_open_and_nothing_else() -> None:
    def loaded(preset: str | None, *sets: str) -> RlRunConfig:
        options = {"preset": preset, "env": "Pendulum-v1", "env_args": ()}
        given = {key: flags("run", options)[key] for key in ("base", "env")}
        found = settings("rl", "run", config_file=None, sets=sets, preset=preset, **given)
        assert isinstance(found, RlRunConfig)
        return found

    for preset in (None, "acerax", "acer"):
        assert loaded(preset).updates_per_step == 1.0
        assert loaded(preset).hidden == (64, 64)
    assert loaded(None, "discount=0.9").discount == 0.9
    for preset in ("sac", "acerax-paper"):
        assert loaded(preset).discount == 0.99
