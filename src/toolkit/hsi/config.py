"""Settings of ``toolkit hsi``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, NonNegativeInt, model_validator

from toolkit.core.config import Config, Layer, Place, load
from toolkit.core.errors import ConfigError
from toolkit.core.released import Released
from toolkit.core.run import Run
from toolkit.core.supervised import SupervisedConfig
from toolkit.hsi import known_scenes
from toolkit.hsi.network_config import HeadsConfig, NetworkConfig
from toolkit.hsi.recipes import recipe
from toolkit.hsi.stored import read_about

PRESETS = Path(__file__).parent / "presets"


class ArtificialConfig(Config):
    """The labels that pre-training learns to tell apart."""

    kind: Literal["grid", "kmeans", "permuted"] = Field(
        "grid", description="blocks of the image; or a control: clusters, blocks permuted"
    )
    blocks: tuple[int, ...] = Field(
        (9,), min_length=1, description="sides of the blocks in pixels; a head for each"
    )
    shifts: int = Field(1, ge=1, description="copies of each grid, shifted evenly; 1 = itself")


class AugmentationConfig(Config):
    """Random changes of what a network is trained on; amounts in deviations of each band."""

    flips: bool = Field(True, description="mirror and turn patches at random")
    noise: float = Field(0.0, ge=0, description="deviation of white noise")
    gain: float = Field(0.0, ge=0, lt=1, description="relative change of illumination, ±")
    band_dropout: float = Field(
        0.0, ge=0, lt=1, description="share of the bands, neighbours, set to their mean, at most"
    )


class TransductiveConfig(Config):
    """Learning from the scene's unlabelled pixels too, test pixels among them but no label."""

    batch_size: int = Field(0, ge=0, description="unlabelled pixels in a step; 0 = none")
    confidence: float = Field(
        0.95, gt=0, lt=1, description="of the pseudo-labels that are learnt from"
    )
    weight: float = Field(1.0, gt=0, description="of their loss beside the labelled pixels'")


def _placed(scene: str) -> str:
    """A file by its whole path, for a run outlives the folder that it was begun in."""
    is_path = scene not in known_scenes.NAMES and Path(scene).exists()
    return str(Path(scene).resolve()) if is_path else scene


class SceneConfig(SupervisedConfig):
    """What every run on a scene has."""

    scene: Annotated[str, AfterValidator(_placed)] = Field(
        "indian_pines", description="of the registry, or a file with a cube"
    )
    labels: Place | None = Field(
        None, description="label map or list of pixels; a scene's own else"
    )
    variable: str | None = Field(None, description="of a .mat file that holds several")
    labels_variable: str | None = Field(None, description="likewise of the labels")
    classes: tuple[int, ...] | None = Field(
        None, min_length=1, description="ids of the classes to keep; the others' pixels: unlabelled"
    )
    drop_bands: Literal["none", "bad"] | tuple[NonNegativeInt, ...] = Field(
        "none", description="to leave out, numbers from 0; bad: those with NaN or of one value"
    )
    no_data: float | None = Field(
        None, description="value, in every band, of pixels without data; the file's own if unset"
    )
    denoise: tuple[int, int, int] | None = Field(
        None, description="components along rows, columns, bands that the scene is rebuilt from"
    )
    network: NetworkConfig = NetworkConfig()
    augmentation: AugmentationConfig = AugmentationConfig()


class SplitConfig(Config):
    """Which labelled pixels are learnt from and which are tested."""

    kind: Literal["random", "disjoint", "given", "all"] = Field(
        "random",
        description="random leaks neighbours; disjoint is the one to quote; given: two maps; all: "
        "every labelled pixel is learnt from, none tested",
    )
    per_class: int = Field(15, ge=1, description="training pixels of each class, where drawn")
    draw: int | None = Field(None, ge=0, description="seed of the split; the run's if unset")
    patch: int | None = Field(
        None, ge=1, description="largest patch that a disjoint split keeps apart; the network's"
    )
    block: int | None = Field(None, ge=1, description="side of its blocks; three patches if unset")
    train_map: Place | None = Field(None, description="given: map of the training pixels")
    test_map: Place | None = Field(None, description="given: map of the test pixels")
    validation: float = Field(
        0.0, ge=0, lt=1, description="share of the training pixels judged instead of the test"
    )


class HsiPretrainConfig(SceneConfig):
    """Everything that decides a pre-training."""

    steps: int = Field(1000, ge=1, description="batches: about two minutes on one core")
    batch_size: int = Field(8, ge=1, description="crops in a batch")
    learning_rate: float = Field(2e-3, gt=0, description="peak learning rate of AdamW")
    crop: int = Field(12, ge=1, description="side of a crop in pixels, all of which are learnt")
    artificial: ArtificialConfig = ArtificialConfig()
    inductive: SplitConfig | None = Field(
        None, description="see the training blocks of this disjoint split alone"
    )

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.inductive is not None and self.inductive.kind != "disjoint":
            raise ValueError("inductive.kind must be disjoint: only that has training blocks")
        if self.inductive is not None and self.denoise is not None:
            raise ValueError("denoise looks at the whole scene, which inductive must not")
        return self


class HsiTrainConfig(SceneConfig):
    """Everything that decides a classifier, trained from scratch."""

    steps: int = Field(150, ge=1, description="batches")
    batch_size: int = Field(64, ge=1, description="labelled pixels in a batch")
    evaluate_every: int = Field(25, ge=1, description="steps between evaluations")
    split: SplitConfig = SplitConfig()
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    heads: HeadsConfig = HeadsConfig()
    transductive: TransductiveConfig = TransductiveConfig()
    regularise: float = Field(
        0.0, ge=0, description="strength of the map's spatial regularisation; 0 = none"
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        maps = (self.split.train_map, self.split.test_map)
        if (self.split.kind == "given") != (None not in maps):
            raise ValueError("split.kind = given and both split.train_map and test_map go together")
        return self


class TrunkConfig(Config):
    """How a pre-trained trunk is taken over."""

    restandardise: bool = Field(
        False, description="mean and deviation of this scene instead of the trunk's"
    )
    trunk_rate: float = Field(
        1.0, ge=0, description="learning rate of the trunk, share of the head's"
    )


class HsiFinetuneConfig(HsiTrainConfig, TrunkConfig):
    """Everything that decides a classifier on a pre-trained trunk."""

    trunk: Path = Field(description="folder of the pre-trained model")


CONFIGS: dict[str, type[SceneConfig]] = {
    "pretrain": HsiPretrainConfig,
    "train": HsiTrainConfig,
    "finetune": HsiFinetuneConfig,
}
DEFAULT_PRESETS: dict[str, str] = {}  # the defaults are ours; recipes.toml has the other networks'


_OF_THE_FILES = ("scene", "labels", "variable", "labels_variable", "classes", "no_data")


def pretrained(folder: Path, scene: str | None = None) -> Layer:
    """What a classifier on the pre-trained trunk in ``folder`` inherits of its settings.

    On another ``scene`` than the trunk's, how that one's files are read is not among them.

    Raises:
        RunError: no pre-training is there.
    """
    config = load(HsiPretrainConfig, file=folder / "config.toml")
    is_elsewhere = scene is not None and _placed(scene) != config.scene
    kept = {"drop_bands", "denoise", "network", "data_dir"}
    kept |= set() if is_elsewhere else {*_OF_THE_FILES}
    own = config.model_dump(mode="json", include=kept, exclude_none=True)
    if config.drop_bands == "bad":  # those of its scene: on another one the same are left out
        own["drop_bands"] = list(read_about(folder).dropped)
    return str(folder), {**recipe(config.network.name, "finetune")[1], **own}


def classifier(model: Run | Released) -> HsiTrainConfig:
    """The settings of a classifier, fine-tuned or trained from scratch.

    Raises:
        ConfigError: it is a pre-trained trunk, which has no classes of its own.
        RunError: its settings are missing or damaged.
    """
    settings = model.settings
    if "artificial" in settings:
        raise ConfigError(
            "a pre-trained trunk has no classes yet",
            where=str(model.path),
            hint=f"toolkit hsi finetune {model.path} --per-class 15",
        )
    return model.config(HsiFinetuneConfig if "trunk" in settings else HsiTrainConfig)
