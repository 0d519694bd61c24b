"""Configurations: layers, errors that name key and file, TOML round trips."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field

from toolkit.core import config
from toolkit.core.config import Config, RunConfig
from toolkit.core.errors import ConfigError


class Layers(Config):
    width: int = Field(8, ge=1, le=64)
    rate: float = Field(0.1, gt=0)
    sizes: tuple[int, ...] = (1, 2)


class Example(RunConfig):
    name: str = "plain"
    kind: Annotated[str, Field(pattern="^(a|b)$")] = "a"
    fast: bool = False
    network: Layers = Layers()
    spare: Layers | None = None


@pytest.fixture
def toml(tmp_path):
    def write(text, name="given.toml"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


def test_later_layers_win(toml):
    preset = toml(
        "seed = 1\nsteps = 1\nname = 'preset'\n[network]\nwidth = 2\nrate = 0.2", "p.toml"
    )
    file = toml("seed = 2\nsteps = 2\n[network]\nwidth = 3")
    given_sets = ["steps=3", "network.sizes=[4, 5]"]
    flags = {"seed": 4, "device": None}
    got = config.load(Example, preset=preset, file=file, sets=given_sets, flags=flags)
    assert (got.name, got.steps, got.seed, got.device) == ("preset", 3, 4, "auto")
    assert got.network == Layers(width=3, rate=0.2, sizes=(4, 5))


def test_places_stay_where_they_are(tmp_path, monkeypatch, toml):
    """A run is gone on with from other folders than the one it was begun in."""
    (tmp_path / "begun").mkdir()
    monkeypatch.chdir(tmp_path / "begun")
    for layers in ({"sets": ["data_dir=../records"]}, {"file": toml("data_dir = '../records'")}):
        assert config.load(Example, **layers).data_dir == tmp_path / "records"


def test_later_set_wins():
    assert config.load(Example, sets=["seed=1", "seed=2"]).seed == 2


def test_defaults():
    assert config.load(Example) == Example()


@pytest.mark.parametrize(
    ("text", "key", "hint"),
    [
        ("sede = 1", "sede", "did you mean 'seed'?"),
        ("[network]\nwitdh = 1", "network.witdh", "did you mean 'width'?"),
        ("[spare]\nwitdh = 1", "spare.witdh", "did you mean 'width'?"),
        ("[network]\nqqq = 1", "network.qqq", "known: rate, sizes, width"),
    ],
)
def test_unknown_key_names_itself_its_file_and_the_closest(text, key, hint, toml):
    path = toml(text)
    with pytest.raises(ConfigError, match="unknown key") as caught:
        config.load(Example, file=path)
    error = caught.value
    assert error.exit_code == 2
    assert repr(key) in error.what and str(path) in error.where and error.hint == hint


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("seed = 'one'", "seed"),
        ("seed = '1'", "seed"),
        ("seed = -1", "seed"),
        ("seed = 4294967296", "seed"),
        ("steps = 1.5", "steps"),
        ("steps = 0", "steps"),
        ("steps = true", "steps"),
        ("fast = 1", "fast"),
        ("name = 3", "name"),
        ("kind = 'c'", "kind"),
        ("monitor_mode = 'biggest'", "monitor_mode"),
        ("checkpoint_every_s = -1", "checkpoint_every_s"),
        ("checkpoint_every_s = nan", "checkpoint_every_s"),
        ("checkpoint_every_s = inf", "checkpoint_every_s"),
        ("network = 3", "network"),
        ("[network]\nwidth = 65", "network.width"),
        ("[network]\nsizes = [1, 'x']", "network.sizes.1"),
    ],
)
def test_wrong_type_or_range_names_key_value_and_file(text, key, toml):
    path = toml(text)
    with pytest.raises(ConfigError) as caught:
        config.load(Example, file=path)
    assert key in caught.value.what and repr(key) in caught.value.where
    assert str(path) in caught.value.where and caught.value.hint


def test_the_layer_that_set_the_bad_key_is_named(toml):
    path = toml("steps = 5")
    with pytest.raises(ConfigError) as caught:
        config.load(Example, file=path, sets=["steps=0"])
    assert "--set steps=0" in caught.value.where
    with pytest.raises(ConfigError) as caught:
        config.load(Example, file=path, flags={"checkpoint_every_s": -1})
    assert "--checkpoint-every-s" in caught.value.where


@pytest.mark.parametrize("content", [b"seed = ", b"[a\n", b"\xff\xfe", b"seed = 1\nseed = 2"])
def test_what_is_no_toml_is_refused_with_its_name(content, tmp_path):
    path = tmp_path / "bad.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match="not valid TOML") as caught:
        config.load(Example, file=path)
    assert str(path) in caught.value.where


def test_missing_file(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.toml"):
        config.load(Example, file=tmp_path / "none.toml")


def test_frozen():
    with pytest.raises(ValueError, match="frozen"):
        Example().seed = 3


finite = {"allow_nan": False, "allow_infinity": False}
texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=20)
layers = st.builds(
    Layers,
    width=st.integers(1, 64),
    rate=st.floats(0, exclude_min=True, **finite),
    sizes=st.lists(st.integers(-(2**63), 2**63 - 1), max_size=4).map(tuple),
)
common = {
    "seed": st.integers(0, 2**32 - 1),
    "steps": st.integers(1, 2**62),
    "schedule_steps": st.none() | st.integers(1, 10**6),
    "checkpoint_every_s": st.floats(0, **finite),
    "monitor_mode": st.sampled_from(["max", "min"]),
    "data_dir": st.none() | st.sampled_from([Path("data"), Path("/a b/ü"), Path()]),
    "name": texts,
    "fast": st.booleans(),
    "network": layers,
    "spare": st.none() | layers,
}
patience = st.none() | st.integers(1, 100)
examples = st.builds(Example, monitor=texts, patience=patience, **common) | st.builds(
    Example, monitor=st.none(), patience=st.none(), **common
)


@settings(max_examples=150)
@given(value=examples)
def test_toml_round_trip(value, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "round.toml"
    path.write_text(value.to_toml())
    assert config.load(Example, file=path) == value


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("a=3", {"a": 3}),
        ("a = 1e-3", {"a": 1e-3}),
        ("a.b.c=true", {"a": {"b": {"c": True}}}),
        ("a=[1, 2]", {"a": [1, 2]}),
        ("a=plain words", {"a": "plain words"}),
        ("a='quoted'", {"a": "quoted"}),
        ("a=x=y", {"a": "x=y"}),
        ("a=", {"a": ""}),
        ("a=cuda:0", {"a": "cuda:0"}),
    ],
)
def test_set_is_parsed(text, parsed):
    assert config.parse_set(text) == parsed


@pytest.mark.parametrize("text", ["", "a", "=3", ".a=3", "a..b=3", " =3"])
def test_set_without_key_or_value_is_refused(text):
    with pytest.raises(ConfigError, match="cannot read"):
        config.parse_set(text)


def test_extended_moves_the_end_and_nothing_else():
    before = Example(steps=100, seed=5)
    after = before.extended(300)
    assert (after.steps, after.schedule_steps) == (300, 100)
    assert after.extended(500).schedule_steps == 100
    changed = {"steps": 100, "schedule_steps": None}
    assert after.model_copy(update=changed) == before


def test_preset_that_is_not_there_suggests(tmp_path):
    (tmp_path / "aami.toml").touch()
    assert config.preset_path(tmp_path, "aami") == tmp_path / "aami.toml"
    with pytest.raises(ConfigError, match="'ammi'") as caught:
        config.preset_path(tmp_path, "ammi")
    assert caught.value.hint == "did you mean 'aami'?"
    with pytest.raises(ConfigError):
        config.preset_path(tmp_path, "../aami")


def test_patience_needs_something_to_wait_for():
    with pytest.raises(ConfigError, match="patience = 3 needs a monitor"):
        config.load(RunConfig, sets=["patience=3"])
    assert config.load(RunConfig, sets=["patience=3", "monitor=val/loss"]).patience == 3
