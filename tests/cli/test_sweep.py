"""``toolkit sweep``: refusals before anything starts, and cells that really train."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from toolkit.cli.main import cli
from toolkit.core.finding import find_all
from toolkit.core.run import Run
from toolkit.ecg.synthetic import write_records


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    folder = tmp_path_factory.mktemp("records")
    write_records(folder, records=4, minutes=1.0)
    return folder


def sweep(*arguments: object):
    return CliRunner().invoke(cli, ["sweep", *map(str, arguments)])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("ecgg train --seeds 0", "did you mean 'ecg'?"),
        ("ecg trian --seeds 0", "did you mean 'train'?"),
        ("ecg train", "--seeds"),
        ("ecg train --seeds 3-1", "no list such as 0-9"),
        ("ecg train --seeds 0 --grid learning_rate", "--grid key=a,b,c"),
        ("ecg train --seeds 0 --presett x", "--preset"),
        ("ecg train --seeds 0 --preset synthetix", "did you mean 'synthetic'?"),
        ("ecg train --seeds 0 --seed 3", "--seed is set by the sweep"),
        ("ecg train --seeds 0 --threads=2", "--threads is set by the sweep"),
        ("ecg train --seeds 0 --workers 0", "--workers"),
        ("ecg train --seeds 0 --executor slurm", "--executor"),
        (
            "rl run Pendulum-v1 --seeds 0 --grid env=Pendulum-v1,Hopper-v5",
            "another option sets env",
        ),
        ("rl run Pendulum-v1 --seeds 0 --grid seed=3,4", "another option sets seed"),
        ("rl run Pendulum-v1 --steps 9 --seeds 0 --grid steps=8", "another option sets steps"),
        (
            "vqe search --seeds 0 --bond-length 1 --grid molecule.bond_length_a=1,2",
            "another option sets molecule.bond_length_a",
        ),
        ("rl run Pendulum-v1 --seeds 0 --address 1.2.3.4:6379", "add --executor ray"),
    ],
)
def test_bad_input_is_refused_before_anything_starts(tmp_path, arguments, said):
    ended = sweep(*arguments.split(), "--runs-dir", tmp_path / "runs")
    assert ended.exit_code == 2
    assert said in ended.stderr
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("grid", ["learning_rat=1,2", "batch_size=8,0"])
def test_a_grid_that_the_verb_would_refuse_is_refused_at_once(tmp_path, records, grid):
    given = ("--preset", "synthetic", "--data-dir", records, "--runs-dir", tmp_path / "runs")
    ended = sweep("ecg", "train", *given, "--seeds", "0-1", "--grid", grid)
    assert ended.exit_code == 2
    assert grid.partition("=")[0] in ended.stderr
    assert not (tmp_path / "runs").exists()


def test_missing_data_is_said_once(tmp_path):
    given = ("--preset", "synthetic", "--data-dir", tmp_path / "none")
    ended = sweep("ecg", "train", *given, "--seeds", "0-9", "--runs-dir", tmp_path / "runs")
    assert ended.exit_code == 3
    assert not (tmp_path / "runs").exists()


def test_cells_train_go_on_and_are_summed_up(tmp_path, records):
    file, runs_dir = tmp_path / "settings.toml", tmp_path / "runs"
    file.write_text('source = "synthetic"\nsteps = 3\nbatch_size = 16\n')
    given = ("ecg", "train", "--config", file, f"--data-dir={records}", "--json")

    early = sweep(*given, "--seeds=0", "--max-time=0.001", f"--runs-dir={runs_dir}")
    assert early.exit_code == 0, early.output
    cell = json.loads(early.stdout)["cells"][0]
    assert cell["state"] == "unfinished"
    assert Run.open(Path(cell["run"])).status["step"] == 1

    ended = sweep(f"--runs-dir={runs_dir}", "--seeds=0-1", "--workers=2", *given)
    assert ended.exit_code == 0, ended.output
    printed = json.loads(ended.stdout)
    assert printed["cells"][0]["run"] == cell["run"]
    assert [row["state"] for row in printed["cells"]] == ["finished"] * 2
    assert printed["summary"]["all"]["accuracy"]["n"] == 2
    assert len(find_all(runs_dir)) == 2
    runs = [Run.open(Path(row["run"])) for row in printed["cells"]]
    assert "resumed at step 1" in Path(cell["log"]).read_text()
    accuracies = [run.result["accuracy"] for run in runs]
    assert [row["scalars"]["accuracy"] for row in printed["cells"]] == accuracies
    assert "threads = 1" in (runs[1].path / "config.toml").read_text()

    file.write_text(file.read_text().replace("steps = 3", "steps = 4"))
    refused = sweep(*given, "--seeds=0-1", f"--runs-dir={runs_dir}")
    assert refused.exit_code == 4
    assert "other settings" in refused.stderr


def test_a_cell_that_was_extended_is_not_counted_among_shorter_ones(tmp_path, records):
    given = ("ecg", "train", "--preset=synthetic", f"--data-dir={records}", "--set=steps=2")
    given = (*given, "--set=batch_size=16", "--seeds=0", f"--runs-dir={tmp_path}", "--json")
    ended = sweep(*given)
    assert ended.exit_code == 0, ended.output
    cell = json.loads(ended.stdout)["cells"][0]["run"]
    assert CliRunner().invoke(cli, ["runs", "resume", cell, "--steps", "3"]).exit_code == 0

    refused = sweep(*given)
    assert refused.exit_code == 4
    assert "taken this cell from 2 to 3 steps" in refused.stderr
