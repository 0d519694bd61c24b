"""Whatever is wrong with what is given: one clear error, its exit code, nothing half-written."""

from __future__ import annotations

import json
import os
import pickle
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from commands import answer, call, check_refusal, refused, spawn

from toolkit.core.run import Run
from toolkit.ecg.annotations import Annotations
from toolkit.ecg.records import Record, read_record
from toolkit.ecg.writing import write_record

pytestmark = pytest.mark.usefixtures("quick_baseline")

TRAIN = ("ecg", "train", "--preset", "synthetic", "--threads", 1, "--set", "batch_size=16")


@pytest.fixture
def data(synthetic: Path, tmp_path: Path) -> Path:
    """A copy of the synthetic records that a test may damage."""
    return Path(shutil.copytree(synthetic, tmp_path / "data"))


@pytest.fixture(scope="module")
def made(synthetic: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run and a paused one; not to be changed."""
    folder = tmp_path_factory.mktemp("made")
    words = (*TRAIN, "--data-dir", synthetic)
    answer(*words, "--set", "steps=2", "--run-dir", folder / "finished")
    paused = ("--set", "steps=9", "--max-time", "0.001s", "--run-dir", folder / "paused")
    answer(*words, *paused)
    return folder


def nothing_in(folder: Path) -> bool:
    return not folder.exists() or not list(folder.iterdir())


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["ecg", "train", "--preset", "ec75"], ["ec57"]),
        (["ecg", "train", "--set", "lerning_rate=1"], ["learning_rate"]),
        (["ecg", "train", "--set", "beats.fodl=1"], ["beats.fodl", "fold"]),
        (["ecg", "train", "--prest", "ec57"], ["--preset"]),
        (["ecg", "trian"], ["train"]),
        (["egc"], ["ecg"]),
        (["runs", "shwo"], ["show"]),
        (["ecg", "train", "--set", "steps"], ["key=value"]),
        (["ecg", "train", "--set", "steps=many"], ["steps", "many"]),
        (["ecg", "train", "--set", "steps=0"], ["steps"]),
        (["ecg", "train", "--set", "learning_rate=nan"], ["learning_rate"]),
        (["ecg", "train", "--set", "network.ndim=2"], ["network.ndim"]),
        (["ecg", "train", "--seed", "-1"], ["--seed"]),
        (["ecg", "train", "--max-time", "soon"], ["soon", "5m"]),
        (["ecg", "train", "--config", "/no/such.toml"], ["/no/such.toml"]),
        (["ecg", "train", "--device", "gpu"], ["gpu", "cuda"]),
        (["ecg", "evaluate"], ["RUN"]),
        (["ecg", "evaluate", "x", "--split", "tset"], ["test"]),
        (["data", "verify", "mitbd"], ["mitdb"]),
    ],
)
def test_wrong_words_suggest_the_right_ones(
    words: list[str], says: list[str], tmp_path: Path, synthetic: Path, monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    is_training = words[:2] == ["ecg", "train"] and "--preset" not in words
    given = ["--preset", "synthetic", "--data-dir", synthetic] if is_training else []
    refused(2, *words, *given, says=tuple(says))
    assert nothing_in(tmp_path)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('steps = "many"', "steps"),
        ("steps = 1.5", "steps"),
        ("batch_size = -1", "batch_size"),
        ("lerning_rate = 1", "learning_rate"),
        ("[network]\nchanels = [1]", "channels"),
        ("[beats]\nfold = true", "beats.fold"),
        ("steps = [", "not valid TOML"),
        ("\x00", "not valid TOML"),
    ],
)
def test_a_wrong_settings_file_is_named_with_its_key(text: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    words = ("ecg", "train", "--config", path, "--runs-dir", tmp_path / "runs")
    refused(2, *words, says=(str(path), says))
    assert nothing_in(tmp_path / "runs")


def test_missing_data_name_both_ways_out(tmp_path: Path) -> None:
    words = ("ecg", "train", "--preset", "ec57", "--data-dir", tmp_path / "none")
    helps = ("toolkit data fetch mitdb", "toolkit data synthesize ecg", str(tmp_path / "none"))
    refused(3, *words, "--runs-dir", tmp_path / "runs", says=helps)
    words = (*TRAIN, "--data-dir", tmp_path / "none", "--runs-dir", tmp_path / "runs")
    refused(3, *words, says=("toolkit data synthesize ecg",))
    refused(3, *TRAIN, "--runs-dir", tmp_path / "runs", says=("--data-dir",))
    assert nothing_in(tmp_path / "runs")


def rewrite(folder: Path, **changes: Any) -> None:
    """Replace the last record by another one, valid as WFDB files."""
    record: Record = read_record(folder / "syn003")
    write_record(folder, replace(record, **changes), adc_resolution=11, adc_zero=1024)


def cut_signal(folder: Path) -> None:
    path = folder / "syn003.dat"
    path.write_bytes(path.read_bytes()[:-3])


def turn_bit(folder: Path) -> None:
    path = folder / "syn003.dat"
    content = bytearray(path.read_bytes())
    content[1000] ^= 1
    path.write_bytes(content)


def cut_annotations(folder: Path) -> None:
    path = folder / "syn003.atr"
    path.write_bytes(path.read_bytes()[:-8])


def disorder_annotations(folder: Path) -> None:
    """A turned bit that moves a beat far beyond the record's end."""
    path = folder / "syn003.atr"
    content = bytearray(path.read_bytes())
    content[41] ^= 0xEC  # turns an annotation into a skip
    path.write_bytes(content)


def edit_header(folder: Path, old: str, new: str) -> None:
    path = folder / "syn003.hea"
    first, rest = path.read_text().split("\n", 1)
    assert old in first
    path.write_text(first.replace(old, new, 1) + "\n" + rest)


def mark_missing(folder: Path) -> None:
    adu = read_record(folder / "syn003").signal_adu.copy()
    adu[500:600, 0] = np.iinfo(adu.dtype).min
    rewrite(folder, signal_adu=adu)


def drop_beats(folder: Path) -> None:
    marks = read_record(folder / "syn003").annotations
    assert marks is not None
    rewrite(folder, annotations=replace(marks, symbol=np.full(len(marks.symbol), "+")))


def shorten(folder: Path) -> None:
    record = read_record(folder / "syn003")
    marks, zeros = record.annotations, np.zeros(2, np.int64)
    assert marks is not None
    two = Annotations(np.array([50, 150]), np.array(["N", "N"]), zeros, zeros, zeros, ("", ""))
    rewrite(folder, signal_adu=record.signal_adu[:300], annotations=two)


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (cut_signal, "syn003.dat"),
        (turn_bit, "syn003.dat"),
        (cut_annotations, "syn003.atr"),
        (disorder_annotations, "syn003.atr"),
        (lambda folder: edit_header(folder, " 360 ", " -1 "), "-1"),
        (lambda folder: edit_header(folder, " 360 ", " nan "), "nan"),
        (lambda folder: edit_header(folder, " 21600", " 99999999999"), "99999999999"),
        (lambda folder: edit_header(folder, " 21600", " 4000000000"), "syn003.hea"),
        (lambda folder: edit_header(folder, " 2 ", " 3 "), "syn003.hea"),
        (lambda folder: (folder / "syn003.hea").unlink(), "syn003.hea"),
        (lambda folder: (folder / "syn003.dat").write_bytes(b""), "syn003.dat"),
        (lambda folder: rewrite(folder, leads=("V5", "V1")), "MLII"),
        (lambda folder: rewrite(folder, units=("mmHg", "mV")), "mmHg"),
        (mark_missing, "missing"),
        (drop_beats, "0 beats"),
        (shorten, "window"),
        (lambda folder: (folder / "RECORDS").write_text("syn001\n../syn002\n"), "syn002"),
        (lambda folder: (folder / "RECORDS").write_text("syn001\n"), "split"),
        (lambda folder: (folder / "RECORDS").write_text(""), "toolkit data"),
    ],
)
def test_damaged_records_are_refused_by_name(
    damage: Any, says: str, data: Path, tmp_path: Path
) -> None:
    damage(data)
    words = (*TRAIN, "--set", "steps=2", "--data-dir", data, "--runs-dir", tmp_path / "runs")
    refused(3, *words, says=(says,))
    assert nothing_in(tmp_path / "runs")


def test_a_lead_that_no_record_has_is_named(synthetic: Path, tmp_path: Path) -> None:
    words = (*TRAIN, "--data-dir", synthetic, "--runs-dir", tmp_path / "runs")
    refused(3, *words, "--set", 'leads=["V5"]', says=("V5", "MLII"))
    assert nothing_in(tmp_path / "runs")


def test_more_folds_than_records_are_refused(synthetic: Path, tmp_path: Path) -> None:
    words = (*TRAIN, "--data-dir", synthetic, "--runs-dir", tmp_path / "runs")
    refused(2, *words, "--set", "beats.fold=3", says=("folds",))
    assert nothing_in(tmp_path / "runs")


def test_a_run_in_use_is_refused(paused: Path) -> None:
    before = {path: path.read_bytes() for path in paused.rglob("*") if path.is_file()}
    with Run(paused).locked():
        refused(4, "runs", "resume", paused, says=(str(os.getpid()), str(paused)))
        refused(4, "runs", "resume", paused, "--steps", 20, says=("in use",))
    before.pop(paused / "lock")
    assert all(path.read_bytes() == content for path, content in before.items())


@pytest.mark.parametrize("words", [["ecg", "evaluate"], ["ecg", "plot"], ["runs", "resume"]])
@pytest.mark.parametrize("facts", [{"app": "sonar"}, {"app": "../ecg"}, {"app": "core"}])
def test_runs_of_another_application_are_refused(
    words: list[str], facts: dict[str, str], finished: Path
) -> None:
    environment = json.loads((finished / "env.json").read_text())
    (finished / "env.json").write_text(json.dumps({**environment, **facts}))
    refused(4, *words, finished, says=(facts["app"],))


def test_a_verb_that_this_version_lacks_is_refused(finished: Path) -> None:
    environment = json.loads((finished / "env.json").read_text())
    (finished / "env.json").write_text(json.dumps({**environment, "verb": "dream"}))
    refused(4, "runs", "resume", finished, says=("dream",))


READERS = (
    *(["runs", "show"], ["runs", "resume"], ["runs", "report"]),
    *(["ecg", "evaluate"], ["runs", "verify"], ["runs", "list"]),
)
GARBAGE = (None, b"", b"\xff\xfe\x00", b'{"state": 1, "step": "x"}')


@pytest.mark.parametrize("words", READERS, ids=" ".join)
@pytest.mark.parametrize(
    "name", ["env.json", "config.toml", "status.json", "result.json", "command.txt"]
)
def test_damaged_run_files_never_end_in_a_bug(words: list[str], name: str, finished: Path) -> None:
    whole = (finished / name).read_bytes()
    for content in GARBAGE:
        (finished / name).unlink()
        if content is not None:
            (finished / name).write_bytes(content)
        what = ("--runs-dir", finished.parent) if words[1] == "list" else (finished,)
        result = call(*words, *what)
        assert result.exit_code in (0, 4), (content, result.stderr)
        if result.exit_code:
            check_refusal(result.exit_code, result.stdout, result.stderr, 4)
        (finished / name).write_bytes(whole)


def test_weights_of_another_shape_are_named(finished: Path) -> None:
    path = finished / "model.safetensors"
    weights = safetensors.torch.load_file(path)
    name = sorted(weights)[0]
    safetensors.torch.save_file({**weights, name: torch.zeros(2, 3)}, path)
    refused(4, "ecg", "evaluate", finished, says=(name, "(2, 3)"))


def test_a_checkpoint_of_another_network_is_named(paused: Path) -> None:
    path = paused / "config.toml"
    text = path.read_text()
    path.write_text(re.sub(r"^hidden = \d+$", "hidden = 31", text, flags=re.MULTILINE))
    refused(4, "runs", "resume", paused, says=("tensor", "31"))
    answer("runs", "verify", paused)


class Evil:
    """Pickled, it makes a file as soon as it is loaded."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.canary,)


def test_the_trap_works(tmp_path: Path) -> None:
    pickle.loads(pickle.dumps(Evil(tmp_path / "canary")))  # noqa: S301
    assert (tmp_path / "canary").exists()


def test_no_pickle_is_ever_loaded(finished: Path, paused: Path, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    bait = pickle.dumps(Evil(canary))
    (finished / "model.safetensors").write_bytes(bait)
    refused(4, "ecg", "evaluate", finished, says=("model.safetensors",))
    refused(4, "ecg", "plot", finished)
    (newest,) = (paused / "checkpoints").glob("step-*")
    for path in newest.iterdir():
        whole = path.read_bytes()
        path.write_bytes(bait)
        refused(4, "runs", "resume", paused, says=("damaged",))
        assert call("runs", "verify", paused).exit_code == 1
        path.write_bytes(whole)
    assert not canary.exists()
    assert answer("runs", "resume", paused)["steps"] == 9


LIMITED = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))"


def test_a_full_disk_during_a_save_loses_nothing(paused: Path) -> None:
    kept = answer("runs", "verify", paused)["whole"]
    process = spawn("runs", "resume", paused, code=LIMITED)
    stdout, stderr = process.communicate()
    assert process.returncode == 4, stderr
    assert stdout == ""
    assert "Traceback" not in stderr
    assert str(paused / "checkpoints") in stderr
    assert "MiB free" in stderr
    found = answer("runs", "verify", paused)
    assert (found["ok"], found["whole"]) == (True, kept)
    assert not list(paused.rglob(".tmp-*"))
    assert answer("runs", "resume", paused)["steps"] == 9


@pytest.mark.parametrize("place", ["file", "/proc/toolkit", "/dev/null/runs"])
def test_a_runs_dir_that_cannot_be_written(place: str, synthetic: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    runs = tmp_path / place  # an absolute place stays what it is
    refused(4, *TRAIN, "--data-dir", synthetic, "--runs-dir", runs, says=(str(runs), "free"))
    assert (tmp_path / "file").read_text() == "in the way"


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_missing_device_exits_5(synthetic: Path, tmp_path: Path) -> None:
    words = (*TRAIN, "--data-dir", synthetic, "--runs-dir", tmp_path / "runs")
    refused(5, *words, "--device", "cuda", says=("--device cpu",))
    assert nothing_in(tmp_path / "runs")


def test_divergence_exits_6_and_keeps_the_last_good_checkpoint(
    synthetic: Path, tmp_path: Path
) -> None:
    wild = ("learning_rate=1e30", "grad_clip=1e30", "checkpoint_every_s=0", "steps=50")
    sets = [word for text in wild for word in ("--set", text)]
    words = (*TRAIN, *sets, "--data-dir", synthetic, "--run-dir", tmp_path / "run")
    refused(6, *words, says=("diverged", "learning rate", "step"))
    assert Run(tmp_path / "run").status["state"] == "failed"
    assert answer("runs", "verify", tmp_path / "run")["ok"] is True
    assert not (tmp_path / "run" / "model.safetensors").exists()
    assert not (tmp_path / "run" / "result.json").exists()
