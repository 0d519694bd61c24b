"""A classifier under noise, through the command."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from commands import SMALL, answer, call, refused
from PIL import Image

pytestmark = pytest.mark.usefixtures("quick_baseline")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A classifier of synthetic records of seven minutes, and the records."""
    folder = tmp_path_factory.mktemp("stress")
    data = folder / "records"
    call("data", "synthesize", "ecg", data, "--records", 2, "--minutes", 7, "--seed", 4)
    line = ("--preset", "synthetic", "--data-dir", data, *SMALL, "--set", "steps=30")
    answer("ecg", "train", *line, "--run-dir", folder / "run")
    return folder / "run", data


def test_noise_costs_what_is_found(model: tuple[Path, Path], tmp_path: Path) -> None:
    run, data = model
    line = ("ecg", "stress", run, "--data-dir", data, "--snr", "24,-6", "--kinds", "em,ma")
    found = answer(*line, "--out", tmp_path)
    told = [(row["noise"], row["snr_db"]) for row in found["rows"]]
    assert told == [(None, None), ("em", 24), ("em", -6), ("ma", 24), ("ma", -6)]
    f1 = [_f1(row["detected"]["qrs"]) for row in found["rows"]]
    assert f1[0] > 0.95 and f1[1] > 0.95 and min(f1[2], f1[4]) < f1[0]
    beats = [row["reference_beats"]["veb"] for row in found["rows"]]
    assert len({one["tp"] + one["fn"] for one in beats}) == 1  # all of the reference's are judged
    assert json.loads((tmp_path / "stress.json").read_text())["rows"] == found["rows"]
    with Image.open(tmp_path / "stress.png") as image:
        assert image.width > image.height
    assert answer(*line, "--out", tmp_path)["rows"] == found["rows"]
    shown = call(*line, "--out", tmp_path)
    assert "under noise" in shown.stdout
    assert "Synthetic records" in found["warnings"][0] and "Synthetic records" in shown.stderr


def _f1(scores: dict[str, int]) -> float:
    return 2 * scores["tp"] / (2 * scores["tp"] + scores["fp"] + scores["fn"])


@pytest.mark.parametrize(
    ("code", "words", "says"),
    [
        (2, ("--kinds", "em,mu"), "unknown kind of noise 'mu'"),
        (2, ("--snr", "24,loud"), "no list of dB"),
        (2, ("--snr", "900"), "within 60 dB"),
        (3, ("--noise", "nowhere"), "no noise record em.hea"),
    ],
)
def test_what_cannot_be_added_is_refused(
    code: int, words: tuple[str, ...], says: str, model: tuple[Path, Path], tmp_path: Path
) -> None:
    run, data = model
    refused(code, "ecg", "stress", run, "--data-dir", data, "--out", tmp_path, *words, says=(says,))
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_to_is_missed_before_the_work(
    model: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from toolkit.ecg.stress import trial

    monkeypatch.setattr(trial, "stress", lambda *_: pytest.fail("worked in vain"))
    (tmp_path / "file").write_text("")
    line = ("ecg", "stress", model[0], "--data-dir", model[1], "--out", tmp_path / "file" / "OUT")
    refused(4, *line, says=("cannot write", "file"))


def test_a_model_that_learnt_from_every_record_is_refused(
    model: tuple[Path, Path], tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(model[0], run)
    settings = (run / "config.toml").read_text()
    (run / "config.toml").write_text(settings.replace('"ec57"', '"intra"'))
    line = ("ecg", "stress", run, "--data-dir", model[1], "--out", tmp_path / "OUT")
    refused(2, *line, says=("learnt from beats of every record", "--preset ec57"))
    assert not (tmp_path / "OUT").exists()


def test_records_that_are_over_too_soon_are_refused(
    model: tuple[Path, Path], synthetic: Path, tmp_path: Path
) -> None:
    line = ("ecg", "stress", model[0], "--data-dir", synthetic, "--out", tmp_path)
    refused(3, *line, says=("five minutes",))
