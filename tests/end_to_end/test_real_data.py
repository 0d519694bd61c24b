"""The protocols on the real MIT-BIH records: who is in them, and that they are verified."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import answer, call, strict_json

from toolkit.core.run import Run

pytestmark = pytest.mark.real_data

COUNTS = {
    "train": {"N": 45866, "S": 944, "V": 3788, "F": 415, "Q": 8},
    "test": {"N": 44259, "S": 1837, "V": 3221, "F": 388, "Q": 7},
}
SHORT = ("--set", "steps=2", "--set", "batch_size=16", "--threads", 1, "--device", "cpu")
COMMON = {
    *("protocol", "split", "n", "accuracy", "balanced_accuracy", "macro_f1", "classes"),
    *("confusion", "interval"),
}


@pytest.fixture(scope="module")
def ec57(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the inter-patient protocol, cut short; without its baseline, which takes longer."""
    words = ("--preset", "ec57", "--data-dir", real_data, *SHORT)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("toolkit.ecg.beat_study.gradient_boosting", lambda *_: {})
        found = answer("ecg", "train", *words, "--runs-dir", tmp_path_factory.mktemp("runs"))
    return Path(found["run"])


@pytest.mark.parametrize("split", ["train", "test"])
def test_ec57_has_the_published_counts(ec57: Path, split: str) -> None:
    found = answer("ecg", "evaluate", ec57, "--split", split)
    assert {name: row["n"] for name, row in found["classes"].items()} == COUNTS[split]
    assert found["n"] == sum(COUNTS[split].values())
    assert found["counts"] == COUNTS
    assert len(found["per_record"]) == 22
    extra = {"macro_f1_nsv", "veb", "sveb", "per_record"}
    assert found.keys() >= COMMON | extra
    by_standard = found["ec57"]
    assert by_standard["from_s"] == 300 and len(by_standard["records"]) == 22
    gross = by_standard["gross"]["veb"]
    assert 0 < gross["tp"] + gross["fn"] < COUNTS[split]["V"]  # the first five minutes are left out
    if split == "test":
        assert found.keys() >= {"without_202", "without_232"}
        assert found == {**found, **{k: (Run(ec57).result or {})[k] for k in found if k != "run"}}


def test_fragments17_can_be_evaluated(real_data: Path, tmp_path: Path) -> None:
    words = ("--preset", "fragments17", "--data-dir", real_data, *SHORT)
    found = answer("ecg", "train", *words, "--runs-dir", tmp_path)
    again = answer("ecg", "evaluate", "@last:ecg", "--runs-dir", tmp_path)
    assert again.keys() >= COMMON
    assert len(again["classes"]) == 17
    assert 140 <= again["n"] <= 160
    assert {key: found[key] for key in again} == again
    parts = [
        answer("ecg", "evaluate", found["run"], "--split", part)["n"]
        for part in ("train", "validation")
    ]
    assert sum(parts) + again["n"] == 1000


def linked(real_data: Path, tmp_path: Path, changed: str, offset: int) -> Path:
    """A tree like the real one, with one bit of one file turned."""
    folder = tmp_path / "data" / "mitdb"
    folder.mkdir(parents=True)
    for path in (real_data / "mitdb").iterdir():
        if path.is_file():
            (folder / path.name).symlink_to(path.resolve())
    content = bytearray((folder / changed).read_bytes())
    content[offset] ^= 2
    (folder / changed).unlink()
    (folder / changed).write_bytes(content)
    return folder.parent


def test_the_database_is_intact(real_data: Path) -> None:
    found = answer("data", "verify", "mitdb", "--data-dir", real_data)
    assert (found["ok"], found["files"]) == (True, 146)


@pytest.mark.parametrize("name", ["207.atr", "100.dat", "234.hea"])
def test_one_turned_bit_is_found_by_verify_and_by_training(
    real_data: Path, tmp_path: Path, name: str
) -> None:
    data = linked(real_data, tmp_path, name, offset=20)
    result = call("data", "verify", "mitdb", "--data-dir", data, "--json")
    assert result.exit_code == 1
    assert name in result.stderr
    report = strict_json(result.stdout)
    assert report["ok"] is False
    assert [row["file"] for row in report["damaged"]] == [name]
    words = ("--preset", "ec57", "--data-dir", data, *SHORT, "--runs-dir", tmp_path / "runs")
    training = call("ecg", "train", *words)
    assert training.exit_code == 3, training.stderr
    assert name in training.stderr
    assert not list((tmp_path / "runs").iterdir())
