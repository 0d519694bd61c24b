"""``toolkit rl``: actor-critic with experience replay and adaptive action dispersion."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from toolkit.cli.groups import Group
from toolkit.cli.options import given_settings, run_options
from toolkit.cli.rl_compare import compare
from toolkit.cli.rl_policy import evaluate, export, render


@click.group(cls=Group)
def rl() -> None:
    """Actor-critic with replay and adaptive action dispersion (Wawrzyński et al. 2022)."""


for _command in (evaluate, render, compare, export):
    rl.add_command(_command)


@rl.command()
@click.argument("env", required=False)
@click.option(
    "--env-arg",
    "env_args",
    multiple=True,
    metavar="KEY=VALUE",
    help="Argument of the environment, such as contact_cost_weight=0.",
)
@click.option("--steps", type=click.IntRange(1), help="Environment steps.")
@run_options
def run(**options: Any) -> None:
    """Learn to act in ENV, a gymnasium id with a continuous box of actions.

    Presets: acerax (default: adaptive dispersion), acerax-paper (as published), acer (fixed σ),
    sac (stable-baselines3's SAC), sacx (modern twin critics, adaptive dispersion). Where ENV is
    Pendulum-v1, acerax and acer have a γ, widths and a number of updates of its own
    (--print-config shows them).

    \b
    Examples:
      toolkit rl run Pendulum-v1 --steps 15000 --seed 0
      toolkit rl run HalfCheetah-v5 --preset sac --steps 50000 --json
      toolkit rl run Ant-v5 --env-arg include_cfrc_ext_in_observation=false
      toolkit rl run Hopper-v5 --preset acer --set dispersion.std=0.2
    """
    from toolkit.cli import execution

    execution.start("rl", "run", **flags("run", options))


def flags(verb: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of ``verb`` as settings: arguments of the environment are parsed as TOML.

    Raises:
        ConfigError: one of them is no KEY=VALUE.
    """
    given = dict(options)
    parsed = [_argument(text) for text in given.pop("env_args")]
    merged = {key: value for one in parsed for key, value in one.items()}
    return {**given, "env_args": merged or None, "base": _settled(given)}


def _settled(given: Mapping[str, Any]) -> tuple[str, dict[str, Any]] | None:
    """What an environment settles for the presets of backbone acer that are not published."""
    from toolkit.rl.config import SETTLED

    own = given.get("preset") in (None, "acerax", "acer") and given.get("config_file") is None
    env = str(given.get("env") or given_settings(given).get("env"))
    if not own or env not in SETTLED:
        return None
    return f"what {env} settles", SETTLED[env]


def _argument(text: str) -> dict[str, Any]:
    from toolkit.core.config import parse_set
    from toolkit.core.errors import ConfigError

    try:
        return parse_set(text)
    except ConfigError as error:
        hint = "write --env-arg key=value"
        raise ConfigError(error.what, where="--env-arg", hint=hint) from error
