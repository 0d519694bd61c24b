"""Settings printed with what they mean."""

import tomllib
from importlib import import_module

import pytest
from pydantic import Field

from toolkit.core.config import Config, load, presets
from toolkit.core.explained import explained

APPLICATIONS = ("ecg", "hsi", "rl", "vqe")


def configurations():
    """Every verb of every application with each of its presets."""
    for app in APPLICATIONS:
        module = import_module(f"toolkit.{app}.config")
        for verb, model in module.CONFIGS.items():
            own = module.PRESETS / verb
            folder = own if own.is_dir() else module.PRESETS
            names = presets(folder) if own.is_dir() or len(module.CONFIGS) == 1 else []
            for path in [None, *(folder / f"{name}.toml" for name in names)]:
                yield pytest.param(model, path, id=f"{app} {verb} {path.stem if path else ''}")


@pytest.mark.parametrize(("model", "preset"), list(configurations()))
def test_what_is_printed_reads_back_and_names_every_setting(model, preset, tmp_path):
    required = [name for name, field in model.model_fields.items() if field.is_required()]
    config = load(model, preset=preset, sets=[f"{name}=something" for name in required])
    text = explained(config)
    path = tmp_path / "config.toml"
    path.write_text(text)
    assert load(model, file=path) == config
    lines = [line.removeprefix("# ") for line in text.splitlines()]
    for name in model.model_fields:
        assert any(line.startswith((f"{name} =", f"[{name}]")) for line in lines), name


class Inner(Config):
    """What lies within. And more."""

    size: int = Field(3, ge=1, lt=9)


class Outer(Config):
    """All of it."""

    name: str = Field('a "b"', description="what it is called")
    limit: float | None = Field(None, gt=0, description="at most")
    free: dict[str, float] = Field({"x": 1.5})
    inner: Inner = Inner()


def test_meaning_bounds_and_what_is_unset():
    text = explained(Outer())
    assert text.splitlines() == [
        'name = "a \\"b\\""  # what it is called',
        "# limit =  # at most; > 0",
        "",
        "[free]",
        "x = 1.5",
        "",
        "[inner]  # What lies within. And more.",
        "size = 3  # ≥ 1, < 9",
    ]
    assert tomllib.loads(text) == {"name": 'a "b"', "free": {"x": 1.5}, "inner": {"size": 3}}
