"""Every command as a user types it, on small synthetic records."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from commands import answer, call, commands, examples, parse, readme_commands, spawn, strict_json

from toolkit.cli import demo
from toolkit.core.files import read_json
from toolkit.core.run import Run
from toolkit.ecg import config as ecg_config
from toolkit.ecg import synthetic as ecg_synthetic

pytestmark = pytest.mark.usefixtures("quick_baseline")

SMALL = ("--set", "batch_size=32", "--threads", 1, "--device", "cpu", "--seed", 3)
SCORES = {
    *("protocol", "split", "n", "accuracy", "balanced_accuracy", "macro_f1", "classes"),
    *("confusion", "interval", "macro_f1_nsv", "veb", "sveb", "per_record"),
}


def training(data: Path, steps: int, **sets: object) -> list[object]:
    """The words of a small training run."""
    words: list[object] = ["ecg", "train", "--preset", "synthetic", "--data-dir", data, *SMALL]
    for key, value in {"steps": steps, **sets}.items():
        words += ["--set", f"{key}={value}"]
    return words


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, synthetic: Path) -> Path:
    """A folder with one finished run; tests may add to it."""
    folder = tmp_path_factory.mktemp("work") / "runs"
    answer(*training(synthetic, 4), "--runs-dir", folder)
    return folder


@pytest.fixture
def finished(runs: Path, tmp_path: Path) -> Path:
    """A copy of the finished run that a test may change."""
    (source,) = (path.parent for path in runs.glob("*/env.json"))
    return Path(shutil.copytree(source, tmp_path / "runs" / source.name))


def same(a: Path, b: Path) -> bool:
    """Whether two runs ended with the same weights and the same curve."""
    curves = [
        [{k: v for k, v in line.items() if k != "time_s"} for line in Run(path).metrics]
        for path in (a, b)
    ]
    weights = [(path / "model.safetensors").read_bytes() for path in (a, b)]
    return curves[0] == curves[1] and weights[0] == weights[1]


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


@pytest.fixture
def quick_demo(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Fewer records and steps; everything else as it is."""
    write, presets = (
        ecg_synthetic.write_records,
        shutil.copytree(ecg_config.PRESETS, tmp_path / "presets"),
    )
    monkeypatch.setattr(
        ecg_synthetic, "write_records", lambda out, records, minutes, seed: write(out, 2, 0.5, seed)
    )
    path = presets / "synthetic.toml"
    text = path.read_text().replace("batch_size = 256", "batch_size = 32\nthreads = 1")
    lines = ["steps = 2" if line.startswith("steps") else line for line in text.splitlines()]
    path.write_text("\n".join(lines))
    monkeypatch.setattr(ecg_config, "PRESETS", presets)
    monkeypatch.setattr(demo, "VQE_S", 1.0)
    tiny = ("network.residual.stem_channels=8", "network.residual.channels=[8]", "steps=2")
    monkeypatch.setattr(demo, "HSI_PRETRAIN", tiny)
    monkeypatch.setattr(demo, "HSI_FINETUNE", ("steps=2",))


@pytest.mark.usefixtures("quick_demo")
def test_demo_ends_in_one_page(tmp_path: Path) -> None:
    found = answer("demo", "--out", tmp_path / "demo")
    page = Path(found["page"])
    assert page == (tmp_path / "demo" / "demo.html").resolve()
    text = page.read_text()
    assert "Synthetic records" in text
    assert "data:image/png;base64" in text
    assert "LiH on 4 qubits" in text and "Pre-training on indian_pines" in text
    states = [Run.open(Path(run)).status["state"] for run in found["runs"]]
    assert states == [*["finished"] * 3, "paused"]  # the search stops at its time


@pytest.mark.slow
def test_the_whole_demo(tmp_path: Path) -> None:
    found = answer("demo", "--out", tmp_path / "demo")
    ecg, _, hsi, vqe = (Run(Path(run)).result for run in found["runs"])
    assert ecg is not None and hsi is not None and vqe is not None
    assert hsi["oa"] > 0.7  # of a map regularised in space
    assert ecg["macro_f1_nsv"] > 0.9  # synthetic beats are easy to tell apart
    assert vqe["best"]["error_ha"] < 1.6e-3


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


def test_help_is_there_for_every_command_and_imports_no_torch() -> None:
    code = (
        "import sys\nsys.path.insert(0, sys.argv[1])\n"
        "from commands import call, commands\n"
        "for words in commands():\n"
        "    result = call(*words, '--help')\n"
        "    assert result.exit_code == 0 and 'Usage: ' in result.stdout, words\n"
        "sys.exit('torch was imported' if 'torch' in sys.modules else 0)"
    )
    tests = Path(__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", code, tests], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_every_command_has_examples() -> None:
    told = {words: command.help or "" for words, command in commands().items()}
    groups = {words[:-1] for words in told}
    lacking = [words for words, text in told.items() if "Examples:" not in text]
    assert [words for words in lacking if words not in groups] == []


@pytest.mark.parametrize("line", examples())
def test_every_example_can_be_read(line: str) -> None:
    parse(line)


@pytest.mark.parametrize("line", ["toolkit ecg train --sed 1", "toolkit runs shw", "toolkit sweep"])
def test_a_wrong_example_would_be_found(line: str) -> None:
    with pytest.raises(Exception, match=r"No such|Missing|Got unexpected"):
        parse(line)


def _needs(line: str) -> str:
    """What an example needs to run: ``network``, ``real`` data, time (``slow``) or nothing."""
    if line.startswith("toolkit data fetch"):
        return "real" if "--from" in line else "network"
    if any(word in line for word in ("--preset ec57", "--preset fragments17", "--preset intra")):
        return "real"
    if any(word in line for word in ("data verify", "data path", "../shared")):
        return "real"
    if line.startswith("toolkit hsi export"):
        return "onnx"
    return "slow" if line.startswith("toolkit demo") else ""


def _bounded(line: str) -> list[str]:
    """The words of an example, any training in it cut to two steps and one cell."""
    words = line.split()[1:]
    if words[:2] == ["vqe", "search"]:
        return [*words, "--set", "steps=2", "--set", "baselines=['hartree-fock']"]
    if words[:2] == ["ecg", "train"] or words[0] == "sweep":
        words += ["--set", "steps=2", "--set", "batch_size=16"]
    if words[0] == "hsi" and words[1] in ("pretrain", "train", "finetune"):
        words += ["--set", "steps=2"]
    if words[:2] == ["hsi", "compare"]:
        few = ("rates=[1e-3]", "pretrain.steps=2", "train.steps=2", "networks=['hu2015']")
        words = [word for word in words if word not in ("--networks", "all")]
        words += ["--draws", "1", *(f"--set={text}" for text in few)]
    if words[:2] == ["runs", "resume"] and "--steps" in words:
        words[words.index("--steps") + 1] = "5"
    return [*words, "--seeds", "0", "--workers", "1"] if words[0] == "sweep" else words


def _examples(*kinds: str) -> list[str]:
    return [line for line in examples() if _needs(line) in kinds]


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished search, its ``best.json``, and a finished classifier of a scene."""
    folder = tmp_path_factory.mktemp("searched")
    few = ("--set", "steps=3", "--set", "baselines=['hartree-fock']")
    answer("vqe", "search", *few, "--runs-dir", folder / "runs")
    (run,) = (folder / "runs").iterdir()
    shutil.copy(run / "best.json", folder)
    answer("hsi", "train", "--network", "hu2015", "--set", "steps=2", "--runs-dir", folder / "runs")
    return folder


@pytest.fixture
def workplace(runs: Path, searched: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder of an example: it holds a finished run of each application."""
    folder = tmp_path / "work"
    shutil.copytree(searched, folder)
    shutil.copytree(runs, folder / "runs", dirs_exist_ok=True)
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.parametrize("line", _examples(""))
def test_examples_run(line: str, workplace: Path) -> None:
    result = call(*_bounded(line))
    assert result.exit_code == 0, result.stderr


@pytest.mark.slow
@pytest.mark.parametrize("line", _examples("slow"))
@pytest.mark.usefixtures("quick_demo")
def test_slow_examples_run(line: str, workplace: Path) -> None:
    result = call(*_bounded(line))
    assert result.exit_code == 0, result.stderr


@pytest.mark.parametrize("line", _examples("onnx"))
def test_examples_of_an_extra_run(line: str, workplace: Path) -> None:
    pytest.importorskip("onnxruntime", reason="extra onnx is not installed")
    assert call(*_bounded(line)).exit_code == 0


@pytest.mark.slow
@pytest.mark.real_data
@pytest.mark.parametrize("line", _examples("real"))
def test_examples_run_on_real_data(
    line: str, workplace: Path, real_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOOLKIT_DATA", str(real_data))
    (workplace.parent / "shared").mkdir()
    (workplace.parent / "shared" / "data").symlink_to(real_data)
    result = call(*_bounded(line))
    if line == "toolkit data verify" and not (real_data / "hsi" / "PaviaU.mat").is_file():
        assert result.exit_code == 1  # a truth without its cube is a part of a data set
        assert "1 of 2 files of pavia_university" in result.stderr
        return
    assert result.exit_code == 0, result.stderr


def _readme() -> list[Any]:
    lines = [line for line in readme_commands() if line.startswith("toolkit ")]
    return [pytest.param(line, id=line) for line in lines]


@pytest.mark.parametrize("line", _readme())
def test_the_readmes_commands_can_be_read(line: str) -> None:
    parse(line)


@pytest.fixture(scope="module")
def reading(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One current folder for all of the README's commands: the later ones need the earlier."""
    before = Path.cwd()
    os.chdir(tmp_path_factory.mktemp("readme"))
    yield Path.cwd()
    os.chdir(before)


@pytest.mark.slow
@pytest.mark.real_data
@pytest.mark.parametrize("line", _readme())
def test_the_readmes_commands_run(
    line: str, reading: Path, real_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if _needs(line) == "network":
        pytest.skip("downloads; its example is read, and fetching is tested on a local server")
    monkeypatch.setenv("TOOLKIT_DATA", str(real_data))
    result = call(*_bounded(line))
    assert result.exit_code == 0, result.stderr


def test_blocks_of_a_readme_are_found(tmp_path: Path) -> None:
    path = tmp_path / "README.md"
    path.write_text("a\n```sh\n# no\nmake demo\ntoolkit a \\\n  --b  # why\n```\n```py\nno\n```\n")
    assert readme_commands(path) == ["make demo", "toolkit a    --b"]


def test_status_is_one_of_the_documented_files(finished: Path) -> None:
    assert read_json(finished / "status.json")["state"] == "finished"
