"""``toolkit ecg``: train and evaluate arrhythmia classifiers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from toolkit.cli.ecg_annotations import annotation_options, evaluate_annotations
from toolkit.cli.ecg_compare import compare
from toolkit.cli.ecg_predict import predict
from toolkit.cli.ecg_stress import stress
from toolkit.cli.groups import Group
from toolkit.cli.options import data_dir_option, emit, json_option, run_options, runs_dir_option
from toolkit.core.errors import ConfigError


@click.group(cls=Group)
def ecg() -> None:
    """Arrhythmia classification and regression of ECG (Grabowski et al. 2022)."""


label_fraction_option = click.option(
    "--label-fraction",
    type=click.FloatRange(0, 1, min_open=True),
    metavar="SHARE",
    help="Share of the training labels to use, of each class [default: 1].",
)


@ecg.command()
@click.option(
    "--target",
    type=click.Choice(["gap", "forecast", "upsampling"]),
    help="What has to be predicted [default: gap].",
)
@run_options
def pretrain(**options: Any) -> None:
    """Learn to predict hidden parts of signals; no class is used.

    Presets: ec57 (DS1's records, judged on DS2's), fragments17 (all records but ten seconds around
    test fragments), synthetic. The result compares the network with holding the last sample,
    straight lines, splines and the beat before.

    \b
    Examples:
      toolkit ecg pretrain --preset ec57 --target gap --seed 0
      toolkit ecg pretrain --preset ec57 --target upsampling --set steps=300 --json
    """
    from toolkit.cli import execution

    execution.start("ecg", "pretrain", **flags("pretrain", options))


@ecg.command()
@click.argument("source", metavar="FROM")
@label_fraction_option
@run_options
def finetune(**options: Any) -> None:
    """Train a classifier on the encoder of FROM and score it on its test part.

    FROM is a run of toolkit ecg pretrain (path, prefix or @last:ecg) or a released encoder's name.
    Its pool must have left out the test part: protocol, and for fragments17 the seed, are the same.

    \b
    Examples:
      toolkit ecg finetune encoder-ec57 --preset ec57 --label-fraction 0.1 --seed 0
    """
    from toolkit.cli import execution

    execution.start("ecg", "finetune", **flags("finetune", options))


def flags(verb: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of ``verb`` with those that name nested settings put where they belong.

    Raises:
        RunError: there is nothing to fine-tune.
    """
    from toolkit.core.released import find
    from toolkit.ecg.transfer import inherited, preset_of

    rest = dict(options)
    if (target := rest.pop("target", None)) is not None:
        rest["hiding"] = {"target": target}
    if (source := rest.pop("source", None)) is not None:
        path = find(source, "ecg", rest["runs_dir"]).path.resolve()
        rest |= {"base": inherited(path), "encoder": path}
        rest["preset"] = rest["preset"] or preset_of(path)
    return rest


@ecg.command()
@label_fraction_option
@run_options
def train(**options: Any) -> None:
    """Train a classifier and score it on its test part.

    Presets: ec57 (inter-patient, AAMI classes), intra (the same, patients shared),
    fragments17 (ten-second fragments), synthetic (records made by toolkit data synthesize).

    \b
    Examples:
      toolkit ecg train --preset ec57 --seed 0
      toolkit ecg train --preset fragments17 --set fragments.split_by=record
      toolkit ecg train --preset ec57 --set steps=120 --max-time 5m --json
    """
    from toolkit.cli import execution

    execution.start("ecg", "train", **options)


@ecg.command()
@click.argument("names", metavar="RUN | REF TEST...", nargs=-1, required=True)
@click.option(
    "--split",
    type=click.Choice(["test", "validation", "train"]),
    default="test",
    show_default=True,
    help="Part of the protocol's split to score.",
)
@annotation_options
@data_dir_option
@runs_dir_option
@json_option
def evaluate(names: tuple[str, ...], as_json: bool, **options: Any) -> None:
    """Score a run, or a released model, anew; or compare annotation files.

    RUN is a path, a unique prefix of a run's name, @last:ecg, or a released model's name.

    With --annotations, test annotations are compared with the reference beat by beat after
    ANSI/AAMI EC57, by the documented rules of WFDB's bxb: two files, several pairs, or two
    folders (REF holds .atr).

    \b
    Examples:
      toolkit ecg evaluate @last:ecg
      toolkit ecg evaluate @last:ecg --split train --json
      toolkit ecg evaluate --annotations records/syn000.atr mine/syn000.atr --from 0:00
    """
    if options["annotations"]:
        evaluate_annotations(names, options, as_json)
        return
    given = [f"--{name}" for name in ("from", "to") if options[f"{name}_s"] is not None]
    given += ["--fs-hz"] if options["fs_hz"] is not None else []
    if given or len(names) > 1:
        what = f"{given[0]} applies to annotation files" if given else f"{len(names)} runs given"
        raise ConfigError(what, where="RUN", hint="one RUN, or --annotations REF TEST")
    _evaluate_run(names[0], options, as_json)


def _evaluate_run(run_name: str, options: Mapping[str, Any], as_json: bool) -> None:
    from toolkit.core.released import find
    from toolkit.ecg import tasks
    from toolkit.ecg.transfer import classifier

    model = find(run_name, "ecg", options["runs_dir"])
    config = classifier(model)
    if options["data_dir"] is not None:
        config = config.model_copy(update={"data_dir": options["data_dir"]})
    scores = tasks.evaluate(model.path, config, options["split"])
    emit({"run": str(model.path), **scores}, as_json)


@ecg.command()
@click.argument("run_name", metavar="RUN")
@runs_dir_option
@json_option
def plot(run_name: str, runs_dir: Path, as_json: bool) -> None:
    """Draw a run's figures anew and name the files.

    \b
    Examples:
      toolkit ecg plot @last:ecg
    """
    from toolkit.core.errors import RunError
    from toolkit.core.released import Released, find
    from toolkit.ecg import tasks
    from toolkit.ecg.transfer import classifier

    run = find(run_name, "ecg", runs_dir)
    if isinstance(run, Released):
        raise RunError(f"{run_name} is a released model; only runs have figures", where="RUN")
    tasks.plot(run, classifier(run))
    files = sorted(str(path) for path in run.figures.glob("*.png"))
    emit({"run": str(run.path), "figures": files}, as_json, lambda: click.echo("\n".join(files)))


@ecg.command()
@click.argument("run_name", metavar="MODEL")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="File, .onnx.")
@runs_dir_option
@json_option
def export(run_name: str, out: Path, runs_dir: Path, as_json: bool) -> None:
    """Write a classifier or an encoder's regression as ONNX; what it gives is compared first.

    MODEL is a run (path, prefix, @last:ecg) or a released model's name. Beats: signal and side
    features in, probabilities of N, S, V, F, Q out; fragments: mV in, logits out.

    \b
    Examples:
      toolkit ecg export ec57 --out ec57.onnx
    """
    from toolkit.core.released import find
    from toolkit.ecg import exporting

    emit(exporting.export(find(run_name, "ecg", runs_dir), out), as_json)


ecg.add_command(predict)
ecg.add_command(compare)
ecg.add_command(stress)
