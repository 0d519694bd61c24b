"""Settings of ``toolkit rl``."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from toolkit.core.config import Config, RunConfig

PRESETS = Path(__file__).parent / "presets"

# What acerax and acer start from where one setting does not serve: the pendulum has few steps to
# learn from, and nothing beyond a second matters in it.
SETTLED: dict[str, dict[str, Any]] = {
    "Pendulum-v1": {
        "updates_per_step": 1.0,
        "discount": 0.95,
        "hidden": [64, 64],
        "reward_scale": 0.1,
    }
}

Backbone = Literal["acer", "twin-q"]
Dispersion = Literal["adaptive", "fixed", "temperature"]


class ReplayConfig(Config):
    """The memory of what was done."""

    capacity: int = Field(10_000, ge=2, description="rows kept, of all environments together")
    memory_map: bool = Field(
        False, description="keep the rows on the disk of the run's folder, not in memory"
    )


class DispersionConfig(Config):
    """How wide the action distribution is; actions are scaled so that the box is [-1, 1]."""

    kind: Dispersion = Field(
        "adaptive",
        description="adaptive: so that replayed actions stay probable; fixed; temperature: SAC's",
    )
    std: float = Field(0.4, gt=0, description="σ at the beginning, or for good where fixed")
    floor: float = Field(0.05, gt=0, description="adaptive: σ is never below")
    ceiling: float = Field(1.0, gt=0, description="adaptive: σ is never above")
    alpha: float = Field(
        3.0, ge=0, description="adaptive: weight of actions against modes; more keeps σ wider"
    )
    learning_rate: float = Field(3e-4, gt=0)
    latest: int | None = Field(
        None, ge=1, description="adaptive: rows that σ is learnt from; all of the replay if unset"
    )
    hidden: tuple[int, ...] = Field((64, 64), min_length=1, description="adaptive: widths of η")


class AcerConfig(Config):
    """Actor and V-critic on replayed trajectories (Wawrzyński 2009)."""

    trajectory: int = Field(4, ge=1, description="L: rows that an advantage is estimated from")
    geometric: float | None = Field(
        None, gt=0, lt=1, description="λ: lengths are drawn with weight λ^l, at most trajectory"
    )
    averaged: bool = Field(
        False,
        description="mean over the lengths 1 to trajectory, weighted as geometric draws them",
    )
    truncation: Literal["soft", "hard"] = Field(
        "soft", description="of density ratios: b tanh(ρ/b), or min(ρ, b)"
    )
    bound: float = Field(3.0, gt=0, description="b")
    actor_rate: float = Field(1e-4, gt=0)
    critic_rate: float = Field(1e-3, gt=0)
    target_share: float = Field(
        0.02, gt=0, le=1, description="Polyak share of the target critic; 1: V is its own target"
    )
    penalty: float = Field(1.0, ge=0, description="β of modes beyond the box")
    anchor: float = Field(
        0.05, ge=0, description="c: likelihood of replayed modes, which keeps the actor near them"
    )
    scaled: bool = Field(True, description="divide the actor's advantages by their running RMS")
    clip: float = Field(3.0, gt=0, description="bound of the scaled advantages")


class TwinQConfig(Config):
    """Reparametrised actor under two Q-critics (Haarnoja et al. 2018)."""

    critic: Literal["plain", "layer-norm", "batch-norm", "simba"] = Field(
        "plain",
        description="batch-norm: without target (CrossQ); simba: residual, layer-normalised",
    )
    adam_beta: float = Field(0.9, ge=0, lt=1, description="β₁ of Adam")
    critic_hidden: tuple[int, ...] = Field((256, 256), min_length=1)
    learning_rate: float = Field(3e-4, gt=0)
    target_share: float = Field(0.005, gt=0, le=1, description="Polyak share of target critics")
    policy_delay: int = Field(1, ge=1, description="critic updates for each one of the actor")
    bound: Literal["action", "mode", "penalty"] = Field(
        "action",
        description="tanh on drawn actions (SAC); on modes, or a penalty on them: actions clipped",
    )
    reach: float = Field(1.0, gt=0, description="of modes bounded by tanh, in halves of the box")
    penalty: float = Field(0.1, ge=0, description="of modes beyond the box where it bounds them")
    pull: float = Field(
        0.0, ge=0, description="of modes beyond the box before their tanh, beside Q / mean |Q|"
    )
    target_entropy: float | None = Field(
        None, description="temperature: nats aimed at; minus the number of actions if unset"
    )


class RlRunConfig(RunConfig):
    """Everything that decides a run; a step is one of the environment."""

    steps: int = Field(100_000, ge=1, description="environment steps")
    evaluate_every: int = Field(5_000, ge=1, description="environment steps between evaluations")
    label: str = Field("custom", description="what tables and figures call this configuration")
    env: str = Field("HalfCheetah-v5", min_length=1, description="a gymnasium id")
    env_args: dict[str, Any] = Field({}, description="arguments of the environment")
    environments: int = Field(1, ge=1, description="stepped in turn, one policy for all")
    standardise: bool = Field(True, description="observations by running mean and deviation")
    episodes: int = Field(5, ge=1, description="of each evaluation, the same starts every time")
    final_episodes: int = Field(20, ge=1, description="of the last evaluation")
    backbone: Backbone = "acer"
    discount: float = Field(0.99, ge=0, lt=1, description="γ")
    reward_scale: float = Field(1.0, gt=0, description="factor of rewards in learning")
    hidden: tuple[int, ...] = Field((256, 256), min_length=1, description="of actor and V-critic")
    activation: Literal["relu", "tanh", "elu", "silu"] = "relu"
    batch_size: int = Field(64, ge=1)
    learning_starts: int = Field(1_000, ge=0, description="steps before the first update")
    random_steps: int = Field(0, ge=0, description="first steps of uniformly random actions")
    random_episodes: int | None = Field(
        None, ge=1, description="no more random steps once so many episodes have ended"
    )
    updates_per_step: float = Field(0.4, gt=0, description="c: updates for each environment step")
    updates_growth: float | None = Field(
        None, gt=0, description="c0: after t steps at most round(c0 t) updates a step"
    )
    policy_share: float = Field(
        1.0,
        gt=0,
        le=1,
        description="what the policy, which is evaluated and stored, takes up of the actor, which "
        "explores and learns, at each step; 1: they are one",
    )
    products: Literal["float32", "bfloat16"] = Field(
        "float32", description="of matrices; bfloat16 is faster where the processor knows it"
    )
    replay: ReplayConfig = ReplayConfig()
    dispersion: DispersionConfig = DispersionConfig()
    acer: AcerConfig = AcerConfig()
    twin_q: TwinQConfig = TwinQConfig()

    @model_validator(mode="after")
    def _possible(self) -> Self:
        spread = self.dispersion
        if self.backbone == "acer" and spread.kind == "temperature":
            raise ValueError("dispersion.kind = temperature needs backbone = twin-q")
        if spread.kind == "temperature" and self.twin_q.bound != "action":
            raise ValueError("dispersion.kind = temperature needs twin_q.bound = action")
        if spread.kind == "adaptive" and not spread.floor <= spread.std <= spread.ceiling:
            range_ = f"dispersion.floor = {spread.floor} and ceiling = {spread.ceiling}"
            raise ValueError(f"dispersion.std = {spread.std} is not between {range_}")
        widths = self.twin_q.critic_hidden
        if self.twin_q.critic == "simba" and len(set(widths)) > 1:
            raise ValueError(
                f"twin_q.critic_hidden = {list(widths)}: blocks of simba are of one width"
            )
        rows = self.acer.trajectory + 1 if self.backbone == "acer" else 1
        if self.replay.capacity < rows * self.environments:
            raise ValueError(
                f"replay.capacity = {self.replay.capacity} is less than {rows} rows for each of "
                f"{self.environments} environments"
            )
        return self


CONFIGS = {"run": RlRunConfig}
DEFAULT_PRESETS = {"run": "acerax"}


def prepare(config: RlRunConfig) -> None:
    """Refuse at once an environment that is not there or that no policy here can act in.

    Raises:
        ConfigError: an unknown id or argument, or spaces other than boxes.
        UnavailableError: a package that the environment needs is missing.
    """
    from toolkit.rl import environments

    environments.make(config.env, config.env_args).close()
