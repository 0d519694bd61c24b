"""Settings of ``toolkit ecg``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from toolkit.core.config import Config
from toolkit.core.convnet import ConvNetConfig, Pooling
from toolkit.core.errors import DataError
from toolkit.core.supervised import SupervisedConfig
from toolkit.data import store

PRESETS = Path(__file__).parent / "presets"
_Share = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class AugmentationConfig(Config):
    """Random changes of a training signal; each is the half-width or maximum of a uniform draw.

    Amplitudes are in the signal's own unit: mV for fragments, typical QRS heights for beats.
    """

    gain: float = Field(0.0, ge=0, lt=1, description="relative change of amplitude, ±")
    noise: float = Field(0.0, ge=0, description="standard deviation of white noise")
    wander: float = Field(0.0, ge=0, description="amplitude of baseline wander")
    shift_s: float = Field(0.0, ge=0, description="shift in time, ±")
    shift_wraps: bool = Field(
        True, description="what leaves at one end enters at the other; else zeros do"
    )


class FragmentsConfig(Config):
    """The 17-class protocol on ten-second fragments."""

    split_by: Literal["fragment", "record"] = Field(
        "fragment", description="fragment: as published, leaks patients; record: does not"
    )
    mixup: float = Field(
        0.0, ge=0, description="Beta(a, a) of how two training fragments are blended; 0 = not"
    )


class BeatsConfig(Config):
    """The AAMI protocols on beats."""

    folds: int = Field(5, ge=2, description="parts of the training records for cross-validation")
    fold: int | None = Field(
        None, ge=0, description="hold out this part of the training records instead of testing"
    )
    class_shares: tuple[_Share, _Share, _Share, _Share] = Field(
        (0.62, 0.06, 0.28, 0.04), description="how often N, S, V and F beats are drawn"
    )
    pseudo_share: float = Field(
        0.2, ge=0, lt=1, description="share of draws from S-rich pseudo-records"
    )
    pseudo_records: int = Field(4, ge=0, description="pseudo-records made from each record")
    pseudo_reach: int = Field(4, ge=1, description="most beats kept either side of an S beat")
    heads: int = Field(1, ge=1, le=64, description="pairs of heads whose answers are averaged")
    p_coherence: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="least likeness of the P waves around a beat that is called S; 0 = any",
    )
    side_noise: float = Field(0.05, ge=0, description="noise on rhythm and shape features")
    lead_dropout: float = Field(
        0.0, ge=0, lt=1, description="how often all leads but the first are hidden in training"
    )
    side_dropout: float = Field(0.1, ge=0, lt=1, description="dropout of those features")

    @model_validator(mode="after")
    def _some_beats(self) -> Self:
        if not any(self.class_shares):
            raise ValueError("class_shares are all 0: no beat would be drawn")
        return self


class HidingConfig(Config):
    """What self-supervised regression has to predict."""

    target: Literal["gap", "forecast", "upsampling"] = Field(
        "gap", description="what is hidden: spans, the end, or all but every k-th sample"
    )
    gap_s: float = Field(0.2, gt=0, description="length of a gap; one in every two seconds")
    start: Literal["ordinary", "alike"] | None = Field(
        None,
        description="what the network starts from: the record's ordinary beat (straight lines "
        "where that is unknown) or what stood elsewhere in like surroundings; None: for a "
        "forecast the latter, else the former",
    )
    loose_s: float = Field(
        0.0,
        ge=0,
        le=0.2,
        description="windows of beats lie so far from their R peaks, ±: a hidden one's instant is "
        "not known",
    )
    forecast_s: float = Field(0.4, gt=0, description="length of the hidden end")
    low_fs_hz: float = Field(20.0, ge=1, description="sampling rate of what upsampling sees")

    @model_validator(mode="after")
    def _of_gaps(self) -> Self:
        if self.start == "alike" and self.target == "upsampling":
            raise ValueError("start = 'alike': what upsampling hides has no surroundings")
        return self

    @property
    def is_alike(self) -> bool:
        """Whether the network starts from like surroundings."""
        return (self.start or ("alike" if self.target == "forecast" else "ordinary")) == "alike"


class EcgConfig(SupervisedConfig):
    """What every ECG run has: records, leads and the encoder."""

    protocol: Literal["fragments17", "ec57", "intra"] = "ec57"
    source: Literal["mitdb", "synthetic"] = Field(
        "mitdb", description="the real database, or WFDB records that the toolkit synthesised"
    )
    leads: tuple[str, ...] = Field(("MLII",), min_length=1, description="leads by name")
    network: ConvNetConfig = ConvNetConfig()
    augmentation: AugmentationConfig = AugmentationConfig()
    fragments: FragmentsConfig = FragmentsConfig()

    @model_validator(mode="after")
    def _a_signal(self) -> Self:
        if self.protocol == "fragments17" and self.source == "synthetic":
            raise ValueError("fragments17 are cut from mitdb; synthetic records have none")
        if self.network.ndim != 1:
            raise ValueError(f"network.ndim = {self.network.ndim}: a signal has one axis")
        if self.protocol == "fragments17" and self.network.in_channels != 1:
            raise ValueError(f"network.in_channels = {self.network.in_channels}: fragments have 1")
        return self


class EcgPretrainConfig(EcgConfig):
    """Everything that decides a self-supervised regression."""

    hiding: HidingConfig = HidingConfig()
    lateral: bool = Field(
        True,
        description="the decoder sees the encoder's finer levels too: sharper, and less for "
        "the coarsest to hold",
    )
    judged: int = Field(4000, ge=1, description="windows of held-out patients that are scored")

    @model_validator(mode="after")
    def _something_seen(self) -> Self:
        window_s = 10.0 if self.protocol == "fragments17" else 1.4
        if self.hiding.forecast_s > window_s - 0.1:
            what = f"hiding.forecast_s = {self.hiding.forecast_s}"
            raise ValueError(f"{what} leaves nothing to see of windows of {window_s:g} s")
        return self

    @model_validator(mode="after")
    def _apart(self) -> Self:
        if self.protocol == "fragments17" and self.hiding.is_alike:
            what = "hiding.start must be 'ordinary' under fragments17"
            raise ValueError(f"{what}: like surroundings would be sought in test fragments too")
        if self.monitor is not None:
            what = f"monitor = {self.monitor!r}: what is watched here are the test records"
            raise ValueError(f"{what}, which may decide nothing; set steps instead")
        return self


class EcgTrainConfig(EcgConfig):
    """Everything that decides a supervised ECG run."""

    label_fraction: float = Field(
        1.0, gt=0, le=1, description="share of the training labels that is used, of each class"
    )
    baseline: bool = Field(True, description="gradient boosting beside the network")
    pooling: Pooling = "avg+max"
    hidden: int = Field(0, ge=0, description="width of a hidden layer before the classes; 0 = none")
    head_dropout: float = Field(0.2, ge=0, lt=1)
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    beats: BeatsConfig = BeatsConfig()

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.beats.fold is not None and self.beats.fold >= self.beats.folds:
            raise ValueError(f"fold {self.beats.fold} of {self.beats.folds}: folds count from 0")
        if self.protocol == "intra" and self.beats.fold is not None:
            raise ValueError("intra splits beats, not records: it has no folds")
        return self


class EcgFinetuneConfig(EcgTrainConfig):
    """Everything that decides a classifier on a pre-trained encoder."""

    encoder: Path = Field(description="folder of the self-supervised regression")
    encoder_rate: float = Field(
        1.0, ge=0, description="learning rate of the encoder, share of the head's"
    )


CONFIGS: dict[str, type[EcgConfig]] = {
    "train": EcgTrainConfig,
    "pretrain": EcgPretrainConfig,
    "finetune": EcgFinetuneConfig,
}
DEFAULT_PRESETS = dict.fromkeys(CONFIGS, "ec57")


def prepare(config: EcgConfig) -> None:
    """Refuse at once what lacks its data.

    Raises:
        DataError: the records are not where they were looked for.
    """
    folder(config)


def folder(config: EcgConfig) -> Path:
    """The folder of the run's records.

    Raises:
        DataError: they are not there; says which commands help.
    """
    if config.source == "mitdb":
        return store.locate("mitdb", config.data_dir)
    if config.data_dir is None or not (config.data_dir / "RECORDS").is_file():
        raise DataError(
            "no synthetic records",
            where=f"--data-dir {config.data_dir}",
            hint="toolkit data synthesize ecg OUT, then --data-dir OUT",
        )
    return config.data_dir
