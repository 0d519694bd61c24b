"""Every command as a user types it, on small synthetic records."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from commands import answer, call, same, spawn, strict_json, training

from toolkit.core.files import read_json
from toolkit.core.run import Run

pytestmark = pytest.mark.usefixtures("quick_baseline")

SCORES = {
    *("protocol", "split", "n", "accuracy", "balanced_accuracy", "macro_f1", "classes"),
    *("confusion", "interval", "macro_f1_nsv", "veb", "sveb", "per_record"),
}


def test_train_prints_pure_json_and_names_its_run(tmp_path: Path, synthetic: Path) -> None:
    result = call(*training(synthetic, 3), "--runs-dir", tmp_path, "--json")
    assert result.exit_code == 0, result.stderr
    found = strict_json(result.stdout)
    run = Run.open(Path(found["run"]))
    assert run.path.parent == tmp_path
    assert found.keys() >= SCORES
    assert run.result == found
    assert run.status["state"] == "finished"
    names = {path.name for path in run.path.iterdir()}
    wanted = "config.toml command.txt env.json data.json status.json metrics.jsonl checkpoints"
    assert {*wanted.split(), "result.json", "figures", "report.html", "lock"} <= names
    assert "step 0 of 3" in result.stderr
    assert not list(tmp_path.glob(".tmp-*"))


def test_a_table_has_no_control_characters(tmp_path: Path, synthetic: Path) -> None:
    result = call(*training(synthetic, 2), "--runs-dir", tmp_path)
    assert result.exit_code == 0, result.stderr
    for text in (result.stdout, result.stderr):
        assert "\x1b" not in text
        assert "\r" not in text
    assert "accuracy" in result.stdout
    assert "syn003" in result.stdout
    assert str(tmp_path) in result.stdout


def test_two_runs_of_one_seed_are_the_same(tmp_path: Path, synthetic: Path, runs: Path) -> None:
    found = answer(*training(synthetic, 4), "--runs-dir", tmp_path)
    (first,) = (path.parent for path in runs.glob("ecg-*/env.json"))
    assert same(Path(found["run"]), first)


def test_config_toml_repeats_a_run(finished: Path, tmp_path: Path) -> None:
    settings = ("--config", finished / "config.toml", "--runs-dir", tmp_path)
    assert same(Path(answer("ecg", "train", *settings)["run"]), finished)


def test_evaluate_gives_the_runs_own_scores(finished: Path, synthetic: Path) -> None:
    where = ("--runs-dir", finished.parent)
    found = answer("ecg", "evaluate", "@last:ecg", "--data-dir", synthetic, *where)
    own = Run(finished).result
    assert own is not None
    assert found.keys() >= SCORES
    assert {key: own[key] for key in SCORES} == {key: found[key] for key in SCORES}
    assert found["run"] == str(finished)
    for row in found["classes"].values():
        assert row.keys() >= {"n", "se", "ppv", "f1"}
    train = answer("ecg", "evaluate", finished, "--split", "train")
    assert (train["split"], found["split"]) == ("train", "test")
    table = call("ecg", "evaluate", finished.name[:14], *where)
    assert "balanced_accuracy" in table.stdout


def test_a_released_model_is_found_by_name(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, synthetic: Path
) -> None:
    model = tmp_path / "models" / "ecg" / "small"
    model.mkdir(parents=True)
    for name in ("config.toml", "model.safetensors"):
        shutil.copy(finished / name, model / name)
    monkeypatch.setattr("toolkit.core.released.folder", lambda: tmp_path / "models")
    found = answer("ecg", "evaluate", "small", "--data-dir", synthetic)
    assert found["run"] == str(model)
    result = call("ecg", "evaluate", "smal", "--runs-dir", tmp_path)
    assert result.exit_code == 4
    assert "small" in result.stderr
    assert call("ecg", "plot", "small").exit_code == 4


def test_plot_draws_the_figures_anew(finished: Path) -> None:
    shutil.rmtree(finished / "figures")
    found = answer("ecg", "plot", finished)
    assert {Path(name).name for name in found["figures"]} >= {"confusion.png", "examples.png"}
    assert all(Path(name).stat().st_size > 1000 for name in found["figures"])


def test_runs_are_listed_and_shown(finished: Path) -> None:
    where = ("--runs-dir", finished.parent)
    (row,) = answer("runs", "list", *where)["runs"]
    assert (row["name"], row["state"], row["step"]) == (finished.name, "finished", 4)
    assert finished.name in call("runs", "list", *where).stdout
    shown = answer("runs", "show", "@last", *where)
    assert shown["config"]["seed"] == 3
    assert shown["result"]["steps"] == 4
    assert call("runs", "show", "@last", *where).exit_code == 0
    assert answer("runs", "list", "--runs-dir", finished / "none") == {"runs": []}


def test_report_is_one_self_contained_page(finished: Path) -> None:
    (finished / "report.html").unlink()
    path = Path(answer("runs", "report", finished)["report"])
    page = path.read_text()
    assert path == finished / "report.html"
    assert "synthetic" in page
    assert "data:image/png;base64" in page
    assert 'src="http' not in page


def test_the_page_of_a_finished_run_does_not_call_it_running(runs: Path) -> None:
    for path in runs.glob("*/report.html"):
        assert "running at step" not in path.read_text()


def test_verify_checks_every_checkpoint(finished: Path) -> None:
    found = answer("runs", "verify", finished)
    assert found["ok"] is True
    assert found["whole"] == [4]
    (newest,) = (finished / "checkpoints").glob("step-*")
    content = bytearray((newest / "model.safetensors").read_bytes())
    content[-1] ^= 1
    (newest / "model.safetensors").write_bytes(content)
    result = call("runs", "verify", finished, "--json")
    assert result.exit_code == 1
    assert strict_json(result.stdout)["ok"] is False
    assert "model.safetensors" in result.stderr


def test_resuming_a_finished_run_changes_nothing(finished: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in finished.rglob("*") if path.is_file()}
    found = answer("runs", "resume", finished)
    after = {path: path.stat().st_mtime_ns for path in finished.rglob("*") if path.is_file()}
    assert before == after
    assert found["run"] == str(finished)
    assert found["steps"] == 4


def test_steps_move_the_end_of_a_run(finished: Path) -> None:
    assert answer("runs", "resume", finished, "--steps", 6)["steps"] == 6
    assert Run(finished).settings["steps"] == 6
    assert Run(finished).settings["schedule_steps"] == 4
    result = call("runs", "resume", finished, "--steps", 2)
    assert result.exit_code == 2
    assert "6 steps done" in result.stderr


def test_max_time_pauses_and_resume_finishes(tmp_path: Path, synthetic: Path) -> None:
    whole = answer(*training(synthetic, 8), "--run-dir", tmp_path / "whole")
    paused = answer(*training(synthetic, 8), "--run-dir", tmp_path / "cut", "--max-time", "0.001s")
    assert (paused["steps"], paused["stopped_by"]) == (1, "max_time")
    assert Run(tmp_path / "cut").status["state"] == "paused"
    found = answer("runs", "resume", tmp_path / "cut")
    assert (found["steps"], found["stopped_by"]) == (8, "done")
    assert same(tmp_path / "whole", tmp_path / "cut")
    assert found["accuracy"] == whole["accuracy"]


def test_the_same_run_dir_goes_on_and_never_starts_over(tmp_path: Path, synthetic: Path) -> None:
    words = (*training(synthetic, 4), "--run-dir", tmp_path / "run")
    answer(*words, "--max-time", "0.001s")
    assert answer(*words)["steps"] == 4
    assert answer(*words)["steps"] == 4
    other = call(*training(synthetic, 4, learning_rate=1), "--run-dir", tmp_path / "run")
    assert other.exit_code == 4
    assert "other settings" in other.stderr


def wait_for(path: Path, step: int, process: subprocess.Popen[str]) -> None:
    """Until the run at ``path`` has saved ``step``, or its process is gone."""
    while process.poll() is None:
        try:
            if Run(path).status["step"] >= step:
                return
        except Exception:  # not there yet
            pass
        time.sleep(0.005)
    pytest.fail(f"ended before step {step}: {process.communicate()[1]}")


def test_killed_at_three_points_and_resumed_equals_uninterrupted(
    tmp_path: Path, synthetic: Path
) -> None:
    often = {"checkpoint_every_s": 0, "evaluate_every": 7, "average": 0.9}
    words = training(synthetic, 40, **often)
    answer(*words, "--run-dir", tmp_path / "whole")
    cut = tmp_path / "cut"
    for step in (3, 12, 24):
        process = spawn(*words, "--run-dir", cut)
        wait_for(cut, step, process)
        process.kill()
        process.communicate()
        assert process.returncode == -signal.SIGKILL
        assert not (cut / "model.safetensors").exists()
    assert answer("runs", "resume", cut)["steps"] == 40
    assert same(tmp_path / "whole", cut)
    assert not list(cut.rglob(".tmp-*"))


def test_sigterm_saves_and_exits_75(tmp_path: Path, synthetic: Path) -> None:
    process = spawn(
        *training(synthetic, 5000, checkpoint_every_s=0), "--run-dir", tmp_path / "run", "--json"
    )
    wait_for(tmp_path / "run", 2, process)
    process.terminate()
    stdout, stderr = process.communicate()
    assert process.returncode == 75, stderr
    assert stdout == ""
    assert f"toolkit runs resume {tmp_path / 'run'}" in stderr
    assert "Traceback" not in stderr
    run = Run(tmp_path / "run")
    assert run.status["state"] == "interrupted"
    assert answer("runs", "verify", run.path)["whole"][-1] == run.status["step"]
    assert answer("runs", "resume", run.path, "--max-time", "0.001s")["stopped_by"] == "max_time"


@pytest.mark.parametrize("n", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_sweep_over_seeds_skips_what_is_finished(tmp_path: Path, synthetic: Path, n: int) -> None:
    words = ["sweep", *training(synthetic, 2)[:-2], "--set", "steps=2"]
    words = [str(w) for w in words]
    for flag in ("--seed", "--threads"):  # a sweep gives them itself
        at = words.index(flag)
        del words[at : at + 2]
    words += ["--seeds", f"0-{n - 1}", "--workers", str(n), "--runs-dir", str(tmp_path)]
    found = answer(*words)
    assert [cell["state"] for cell in found["cells"]] == ["finished"] * n
    assert found["summary"]["all"]["accuracy"]["n"] == n
    again = answer(*words)
    assert [cell["exit_code"] for cell in again["cells"]] == [None] * n
    assert len(answer("runs", "list", "--runs-dir", tmp_path)["runs"]) == n


def test_doctor_checks_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = call("doctor", "--json")
    assert result.exit_code in (0, 1), result.stderr
    assert "torch" in str(strict_json(result.stdout))
    table = call("doctor")
    assert table.exit_code == result.exit_code
    assert "\x1b" not in table.stdout


def test_the_same_seed_synthesizes_the_same_bytes(tmp_path: Path, synthetic: Path) -> None:
    words = ("--records", 4, "--minutes", 1, "--seed", 0)
    found = answer("data", "synthesize", "ecg", tmp_path / "out", *words)
    assert found["records"] == 4
    for path in synthetic.iterdir():
        assert path.read_bytes() == (tmp_path / "out" / path.name).read_bytes()
    assert call("data", "synthesize", "ecg", tmp_path / "out", *words).exit_code == 2


def test_status_is_one_of_the_documented_files(finished: Path) -> None:
    assert read_json(finished / "status.json")["state"] == "finished"
