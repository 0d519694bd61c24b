"""Help and README: every command is documented, every example runs as written."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from commands import answer, call, commands, examples, parse, readme_commands

pytestmark = pytest.mark.usefixtures("quick_baseline")


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


RL_FEW = ("hidden=[8]", "batch_size=8", "learning_starts=10", "episodes=1", "final_episodes=1")


def _needs(line: str) -> str:
    """What an example needs to run: ``network``, ``real`` data, time (``slow``) or nothing."""
    if line.startswith("toolkit data fetch"):
        return "real" if "--from" in line else "network"
    if any(word in line for word in ("--preset ec57", "--preset fragments17", "--preset intra")):
        return "real"
    if any(word in line for word in ("data verify", "data path", "../shared")):
        return "real"
    if line.startswith("toolkit ecg stress"):
        return "real"
    if line.startswith(("toolkit hsi export", "toolkit rl export", "toolkit ecg export")):
        return "onnx"
    if line.startswith("toolkit rl render") and "Pendulum" not in line:
        return "slow"
    return "slow" if line.startswith("toolkit demo") else ""


def _bounded(line: str) -> list[str]:
    """The words of an example, any training in it cut to two steps and one cell."""
    words = line.split()[1:]
    if words[:2] == ["vqe", "search"]:
        return [*words, "--set", "steps=2", "--set", "baselines=['hartree-fock']"]
    if words[:2] == ["rl", "run"]:
        return [*words, "--steps", "30", *(f"--set={text}" for text in RL_FEW)]
    if words[:3] == ["sweep", "rl", "run"]:
        words += [f"--set={text}" for text in ("steps=30", *RL_FEW)]
    elif words[:2] == ["ecg", "compare"]:
        words += [f"--set={stage}.steps=2" for stage in ("pretrain", "train")]
        words += ["--seeds", "0", "--label-fractions", "0.1"]
    elif words[0] == "sweep" or " ".join(words[:2]) in (
        "ecg train",
        "ecg pretrain",
        "ecg finetune",
    ):
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
    """A folder with a finished search, its ``best.json``, a classifier of a scene, a policy."""
    folder = tmp_path_factory.mktemp("searched")
    few = ("--set", "steps=3", "--set", "baselines=['hartree-fock']")
    answer("vqe", "search", *few, "--runs-dir", folder / "runs")
    (run,) = (folder / "runs").iterdir()
    shutil.copy(run / "best.json", folder)
    answer("hsi", "train", "--network", "hu2015", "--set", "steps=2", "--runs-dir", folder / "runs")
    few = ("--steps", 210, *(f"--set={text}" for text in RL_FEW))
    answer("rl", "run", "Pendulum-v1", *few, "--runs-dir", folder / "runs")
    return folder


@pytest.fixture
def workplace(
    runs: Path, searched: Path, synthetic: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """The current folder of an example: a finished run of each application, and some records."""
    folder = tmp_path / "work"
    shutil.copytree(searched, folder)
    shutil.copytree(runs, folder / "runs", dirs_exist_ok=True)
    for name in ("records", "mine"):
        shutil.copytree(synthetic, folder / name)
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
