"""Configurations: frozen models; defaults < preset < ``--config`` < ``--set`` < flags."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar, get_args

import tomli_w
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from toolkit.core.errors import ConfigError, closest

# absolute: a run outlives the folder that it was begun in
Place = Annotated[Path, AfterValidator(Path.resolve)]


class Config(BaseModel):
    """Base of all configurations: immutable, unknown keys refused, finite numbers only."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def to_toml(self) -> str:
        """The fully resolved settings as TOML; ``load`` reads them back to an equal object."""
        return tomli_w.dumps(self.model_dump(mode="json", exclude_none=True))


class RunConfig(Config):
    """What every run has, whatever it trains."""

    seed: int = Field(0, ge=0, lt=2**32, description="seed of every random stream")
    steps: int = Field(1000, ge=1, description="units of work until the run is finished")
    schedule_steps: int | None = Field(
        None, ge=1, description="length of the learning-rate schedule; the run's steps if unset"
    )
    evaluate_every: int = Field(200, ge=1, description="steps between evaluations")
    checkpoint_every_s: float = Field(30.0, ge=0, description="seconds between checkpoints")
    keep_checkpoints: int = Field(
        2,
        ge=1,
        description="newest ones kept, besides the best; 1: replays are written whole",
    )
    monitor: str | None = Field(None, description="metric that decides the best checkpoint")
    monitor_mode: Literal["max", "min"] = Field("max", description="which of its values is best")
    patience: int | None = Field(None, ge=1, description="evaluations without a better one")
    device: str = Field("auto", description="auto, cpu, cuda or cuda:N")
    # small networks gain little from a second thread, and on a busy machine lose tenfold
    threads: int = Field(1, ge=0, description="torch threads; 0 = one per available core")
    tensorboard: bool = Field(False, description="also write the metrics for TensorBoard")
    data_dir: Place | None = Field(None, description="folder that holds the data sets")

    @model_validator(mode="after")
    def _stops_on_something(self) -> Self:
        if self.patience is not None and self.monitor is None:
            raise ValueError(f"patience = {self.patience} needs a monitor to wait for")
        return self

    def extended(self, steps: int) -> Self:
        """The same run with a later end; its learning-rate schedule stays where it was."""
        schedule = self.schedule_steps or self.steps
        return self.model_copy(update={"steps": steps, "schedule_steps": schedule})


T = TypeVar("T", bound=Config)
Layer = tuple[str, Mapping[str, Any]]  # where it comes from, nested keys


def load(
    model: type[T],
    *,
    base: Layer | None = None,
    preset: Path | None = None,
    file: Path | None = None,
    sets: Sequence[str] = (),
    flags: Mapping[str, Any] | None = None,
) -> T:
    """Merge the layers, later ones winning, and validate the result.

    ``base`` comes first: settings that follow from what a run builds upon.

    Raises:
        ConfigError: unknown key (with the closest known one), wrong type or range, bad TOML.
    """
    layers: list[Layer] = [] if base is None else [base]
    layers += [(str(path), read_toml(path)) for path in (preset, file) if path]
    layers += [("--set " + text, parse_set(text)) for text in sets]
    given = {key: value for key, value in (flags or {}).items() if value is not None}
    layers += [("--" + key.replace("_", "-"), {key: value}) for key, value in given.items()]
    return validate(model, layers)


def validate(model: type[T], layers: Iterable[Layer]) -> T:
    """Merge ``layers`` into a ``model``; errors name the layer that set the offending key."""
    merged: dict[str, Any] = {}
    origin: dict[tuple[str, ...], str] = {}
    for source, values in layers:
        _merge(merged, values, source, origin, ())
    try:
        # JSON in strict mode: no "12" for 12, yet lists may become tuples and strings paths.
        return model.model_validate_json(json.dumps(merged, default=str), strict=True)
    except ValidationError as error:
        raise _explain(model, error, origin) from error


def _merge(
    into: dict[str, Any],
    values: Mapping[str, Any],
    source: str,
    origin: dict[tuple[str, ...], str],
    prefix: tuple[str, ...],
) -> None:
    for key, value in values.items():
        path = (*prefix, key)
        origin[path] = source
        if isinstance(value, Mapping) and isinstance(into.get(key), dict):
            _merge(into[key], value, source, origin, path)
        else:
            into[key] = json.loads(json.dumps(value, default=str))
            if isinstance(value, Mapping):
                _merge(into[key], value, source, origin, path)


def merged(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """``first`` with ``second`` laid over it, tables key by key; both stay as they are."""
    into: dict[str, Any] = {}
    for values in (first, second):
        _merge(into, values, "", {}, ())
    return into


def _explain(
    model: type[Config], error: ValidationError, origin: Mapping[tuple[str, ...], str]
) -> ConfigError:
    first = error.errors()[0]
    path = tuple(str(part) for part in first["loc"])
    known = next((path[:n] for n in range(len(path), 0, -1) if path[:n] in origin), path)
    where = f"{origin.get(known, model.__name__)}, key {'.'.join(path)!r}"
    if first["type"] == "extra_forbidden":
        fields = _fields_at(model, path[:-1])
        return ConfigError(
            f"unknown key {'.'.join(path)!r}", where=where, hint=closest(path[-1], fields)
        )
    if isinstance(first["input"], Mapping) and first["type"] == "value_error":
        what = first["msg"].removeprefix("Value error, ")  # a rule on several keys, which it names
        where, hint = origin.get(known, "settings"), "change one of them: --set KEY=VALUE"
        return ConfigError(what, where=where, hint=hint)
    what = f"{'.'.join(path)} = {first['input']!r}: {first['msg']}"
    return ConfigError(what, where=where, hint="give a value of the stated type and range")


def _fields_at(model: type[BaseModel], path: Sequence[str]) -> list[str]:
    for part in path:
        field = model.model_fields.get(part)
        kinds = [field.annotation, *get_args(field.annotation)] if field else []
        models = [k for k in kinds if isinstance(k, type) and issubclass(k, BaseModel)]
        if not models:
            return []
        model = models[0]
    return list(model.model_fields)


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises:
        ConfigError: the file is missing or is no TOML; names file and line.
    """
    try:
        return tomllib.loads(path.read_text())
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}", where="--config") from error
    except ValueError as error:
        raise ConfigError(f"not valid TOML: {error}", where=str(path)) from error


def parse_set(text: str) -> dict[str, Any]:
    """``a.b=3`` as ``{"a": {"b": 3}}``; a value that is no TOML is taken as a string."""
    key, equals, value = text.partition("=")
    if not equals or not all(part.strip() for part in key.split(".")):
        raise ConfigError(f"cannot read {text!r}", where="--set", hint="write --set key=value")
    nested: Any = _parse_value(value.strip())
    for part in reversed(key.split(".")):
        nested = {part.strip(): nested}
    return dict(nested)


def _parse_value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def preset_path(folder: Path, name: str) -> Path:
    """The file of preset ``name`` in ``folder``.

    Raises:
        ConfigError: no such preset; suggests the closest one.
    """
    path = folder / f"{name}.toml"
    known = presets(folder)
    if name not in known:
        raise ConfigError(f"unknown preset {name!r}", where="--preset", hint=closest(name, known))
    return path


def presets(folder: Path) -> list[str]:
    """Names of the presets in ``folder``."""
    return sorted(path.stem for path in folder.glob("*.toml"))
