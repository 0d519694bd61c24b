"""Settings of ``toolkit vqe``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from toolkit.core.config import Config, RunConfig
from toolkit.core.convnet import ConvNetConfig
from toolkit.vqe.curriculum import CurriculumConfig
from toolkit.vqe.operators.molecule_config import MoleculeConfig
from toolkit.vqe.peers.methods import METHODS, Method

PRESETS = Path(__file__).parent / "presets"


class AnglesConfig(Config):
    """How angles are found once a gate is appended."""

    method: Literal["bfgs", "cobyla", "rotosolve"] = Field(
        "bfgs", description="bfgs with exact gradients; the others as published"
    )
    tolerance: float = Field(1e-5, gt=0, description="bfgs: largest derivative, Ha per radian")
    iterations: int = Field(200, ge=1, description="iterations of bfgs or cobyla, rotosolve sweeps")
    last: int | None = Field(None, ge=1, description="move only the last angles; all if unset")


class NoiseConfig(Config):
    """What the search measures instead of the exact energy of a state."""

    shots: int | None = Field(
        None, ge=1, description="shots for each measured group; exact if unset"
    )
    depolarising_1: float = Field(0.0, ge=0, le=1, description="probability after one-qubit gates")
    depolarising_2: float = Field(0.0, ge=0, le=1, description="probability after each CNOT")


class EnvironmentConfig(Config):
    """The Markov decision process."""

    max_gates: int | None = Field(
        None, ge=1, le=200, description="L: gates that an episode may append; 4 a qubit if unset"
    )
    rotations: tuple[Literal["RX", "RY", "RZ"], ...] = Field(
        ("RX", "RY", "RZ"), min_length=1, description="axes of the rotations that may be appended"
    )
    coupling: str = Field("all", description="all, line, ring, star, or pairs such as 0-1,1-2")
    start: Literal["zero", "hartree-fock"] = Field(
        "zero", description="state before the first gate"
    )
    look_ahead: bool = Field(
        False, description="every gate that may come next is tried, archived, shown to the agent"
    )
    in_order: bool = Field(True, description="gates that commute are appended in one order only")
    e_min: Literal["known", "lower-bound"] = Field(
        "known", description="rewards measure from the exact energy, or from a bound below it"
    )
    success_reward: float = Field(5.0, gt=0, description="for an error below the threshold")
    failure_reward: float = Field(-5.0, le=0, description="for max_gates without it")
    depth_cost: float = Field(0.0, ge=0, description="reward taken for each new layer")
    cnot_cost: float = Field(0.0, ge=0, description="reward taken for each CNOT")
    halting: Literal["none", "negative-binomial", "shrinking"] = Field(
        "none",
        description="length of episodes: max_gates; random (CRLQAS); near the shortest success",
    )
    halting_p: float = Field(0.573, gt=0, lt=1, description="p of NegBin(max_gates, p)")
    halting_min: int = Field(25, ge=1, description="shortest random length")
    halting_slack: int = Field(4, ge=0, description="gates beyond the shortest success")
    angles: AnglesConfig = AnglesConfig()
    noise: NoiseConfig = NoiseConfig()


_OVER_MOMENTS: dict[str, Any] = {
    "ndim": 1,
    "stem_channels": 64,
    "stem_kernel": 3,
    "channels": (64, 64),
    "kernel": 3,
    "norm": "none",
}


class AgentConfig(Config):
    """Double DQN with n-step returns (van Hasselt et al. 2016; Mnih et al. 2015)."""

    encoding: Literal["one-hot", "moments", "paper"] = Field(
        "one-hot", description="how the network sees a circuit; moments uses the ConvNet"
    )
    network: ConvNetConfig = Field(
        ConvNetConfig(**_OVER_MOMENTS),
        description="the ConvNet over moments; its in_channels follow from the qubits",
    )
    hidden: tuple[int, ...] = Field((256, 256), min_length=1, description="hidden widths")
    learning_rate: float = Field(5e-4, gt=0)
    discount: float = Field(0.88, gt=0, le=1, description="γ; n-step targets use γ to the n")
    n_step: int = Field(3, ge=1, description="steps of a return before the target network")
    batch_size: int = Field(128, ge=1)
    replay: int = Field(20_000, ge=1, description="transitions kept")
    elite_share: float = Field(
        0.0, ge=0, lt=1, description="share of a batch drawn from episodes that succeeded"
    )
    update_every: int = Field(2, ge=1, description="environment steps between updates")
    target_every: int = Field(500, ge=1, description="updates between copies to the target")
    warmup: int = Field(500, ge=1, description="transitions before the first update")
    epsilon_end: float = Field(0.05, ge=0, le=1, description="share of random actions in the end")
    epsilon_decay: float = Field(0.9997, gt=0, le=1, description="factor of ε at each update")
    return_share: float = Field(
        0.5, ge=0, lt=1, description="episodes that begin with part of an archived circuit"
    )
    return_epsilon: float = Field(
        0.25, ge=0, le=1, description="ε after such a beginning, at least"
    )

    @field_validator("network", mode="before")
    @classmethod
    def _rest_as_here(cls, given: Any) -> Any:
        """What is not given of the network stays as it is here, not as the ConvNet's own."""
        if not isinstance(given, Mapping):
            return given
        whole = {**_OVER_MOMENTS, **given}
        return {key: tuple(v) if isinstance(v, list) else v for key, v in whole.items()}


class VqeSearchConfig(RunConfig):
    """Everything that decides a search; a step is an episode."""

    steps: int = Field(6000, ge=1, description="episodes")
    evaluate_every: int = Field(50, ge=1, description="episodes between greedy ones")
    shorten: bool = Field(
        False, description="anneal circuits that succeed, and return to what that leaves"
    )
    post_process: bool = Field(
        False, description="anneal the best circuits of the search once more, saying so"
    )
    annealing_moves: int = Field(
        30_000, ge=0, description="of each of the three annealings at the end; hours on many qubits"
    )
    baselines: tuple[Method, ...] = Field(METHODS, description="what is computed beside it")
    baseline_share: float = Field(
        0.5,
        gt=0,
        description="circuits that random and beam may each try, as a share of the search's own",
    )
    molecule: MoleculeConfig = MoleculeConfig()
    environment: EnvironmentConfig = EnvironmentConfig()
    curriculum: CurriculumConfig = CurriculumConfig()
    agent: AgentConfig = AgentConfig()

    @model_validator(mode="after")
    def _possible(self) -> Self:
        axes = self.environment.rotations
        if len(set(axes)) < len(axes):
            raise ValueError(f"environment.rotations = {list(axes)} names an axis twice")
        noise, angles = self.environment.noise, self.environment.angles
        if self.environment.look_ahead and (angles.method != "bfgs" or angles.last is not None):
            raise ValueError("environment.look_ahead needs all angles by bfgs")
        noisy = noise.shots or noise.depolarising_1 or noise.depolarising_2
        if noisy and (self.environment.look_ahead or self.shorten):
            wrong = "environment.look_ahead and shorten see no noise: set both to false with it"
            raise ValueError(wrong)
        if self.agent.warmup > self.agent.replay:
            raise ValueError(f"agent.warmup = {self.agent.warmup} exceeds the replay")
        return self


CONFIGS = {"search": VqeSearchConfig}
DEFAULT_PRESETS = {"search": "lih4"}


def prepare(config: VqeSearchConfig) -> None:
    """Refuse at once a molecule, a start or a coupling map that cannot be.

    Raises:
        ConfigError: an impossible choice of molecule, active space, start or coupling.
        DataError: a geometry or operator file that is wrong.
    """
    from toolkit.vqe.actions import couplings
    from toolkit.vqe.operators import molecules
    from toolkit.vqe.operators.hamiltonian import start_bits

    molecule = config.molecule
    if molecule.hamiltonian is not None or molecule.taper:  # the operator alone tells its qubits
        operator = molecules.hamiltonian(molecule)
        start_bits(operator, config.environment.start)
        n_qubits = operator.n_qubits
    else:
        n_qubits = molecules.resolve(molecule).n_qubits
    couplings(config.environment.coupling, n_qubits)
