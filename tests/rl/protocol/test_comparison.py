"""Runs compared: what is grouped, what is left out, and numbers that can be done by hand."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from commands import strict_json

from toolkit.cli.rl_compare import compare as command
from toolkit.core import config as configs
from toolkit.core import rng
from toolkit.core.errors import ConfigError, RunError
from toolkit.core.run import Run
from toolkit.core.statistics import seeds_interval
from toolkit.rl.config import RlRunConfig
from toolkit.rl.protocol import aggregates
from toolkit.rl.protocol.comparison import Comparison, compare
from toolkit.rl.protocol.curves import curves

Making = Callable[..., Run]


@pytest.fixture
def made(tmp_path: Path) -> Making:
    """Makes a run that was evaluated every 1000 steps, each in ten seconds."""

    def make(
        returns: Sequence[float | None],
        env: str = "Hopper-v5",
        label: str = "acerax",
        seed: int = 0,
        pace_s: float = 10.0,
        folder: str = "runs",
        finished: bool = True,
        **settings: Any,
    ) -> Run:
        flags = {"env": env, "label": label, "seed": seed, "steps": 1000 * len(returns)}
        config = configs.load(RlRunConfig, flags={**flags, **settings})
        run = Run.create(tmp_path / folder, "rl", "run", config)
        for i, value in enumerate(returns, 1):
            line = {"step": 1000 * i, "time_s": pace_s * i, "sigma/mean": 0.4 / i}
            run.log_metrics(line | ({} if value is None else {"evaluation/return": value}))
        if finished:
            run.write_result({"seed": seed, "steps_per_s": 100.0})
        return run

    return make


@pytest.fixture
def compared(tmp_path: Path) -> Callable[..., Comparison]:
    """Compares everything that ``made`` made, or what is named."""

    def call(*specs: object, **options: Any) -> Comparison:
        names = [str(spec) for spec in specs or [tmp_path / "runs"]]
        return compare(names, tmp_path / "runs", **options)

    return call


def names(found: Comparison) -> list[tuple[str, str, int]]:
    return [(row["env"], row["preset"], row["n_seeds"]) for row in found.rows()]


def test_runs_are_grouped_by_environment_and_preset(made: Making, compared: Any) -> None:
    for env in ("Hopper-v5", "Ant-v5"):
        for label, seeds in (("acerax", 3), ("sac", 2)):
            for seed in range(seeds):
                made([1.0, 2.0], env, label, seed, steps=2000 + seed, threads=seed)
    expected = [("Ant-v5", "acerax", 3), ("Ant-v5", "sac", 2)]
    expected += [("Hopper-v5", "acerax", 3), ("Hopper-v5", "sac", 2)]
    assert names(compared()) == expected


def test_a_row_has_the_intervals_of_its_seeds(made: Making, compared: Any) -> None:
    scores = [10.0, 40.0, 20.0, 90.0, 30.0]
    for seed, score in enumerate(scores):
        made([0.0, score], seed=seed)
    (row,) = compared().rows()
    for kind, key, ends in (("mean", "mean", "ci95"), ("iqm", "iqm", "iqm_ci95")):
        expected = seeds_interval([scores], kind, rng=rng.generator(0, "compare seeds"))
        assert row[key] == expected.estimate
        assert row[ends] == [expected.low, expected.high]
    assert (row["mean"], row["iqm"]) == (38.0, 30.0)
    assert row["sd"] == pytest.approx(np.std(scores, ddof=1))
    assert (row["best_seed"], row["best"]) == (3, 90.0)
    assert dict(zip(row["seeds"], row["returns"]))[3] == 90.0
    assert (row["final_sigma"], row["steps_per_s"]) == (0.2, 100.0)
    assert (row["steps"], row["trained_s"]) == (2000, 20.0)


def test_settings_that_differ_within_a_preset_become_part_of_its_name(
    made: Making, compared: Any
) -> None:
    for std in (0.2, 0.4):
        for seed in range(2):
            made([1.0], label="acer", seed=seed, dispersion={"kind": "fixed", "std": std})
    made([1.0], "Ant-v5", "acer", dispersion={"kind": "fixed", "std": 0.2})
    made([1.0], "Ant-v5", "acerax")
    assert names(compared()) == [
        ("Ant-v5", "acer dispersion.std=0.2", 1),
        ("Ant-v5", "acerax", 1),
        ("Hopper-v5", "acer dispersion.std=0.2", 2),
        ("Hopper-v5", "acer dispersion.std=0.4", 2),
    ]


def test_settings_of_an_environment_alone_do_not_split_a_preset(
    made: Making, compared: Any
) -> None:
    made([1.0], "Ant-v5", dispersion={"floor": 0.2})
    made([1.0], "Hopper-v5", dispersion={"floor": 0.3})
    assert names(compared()) == [("Ant-v5", "acerax", 1), ("Hopper-v5", "acerax", 1)]


def test_a_setting_that_one_run_leaves_out_is_called_none(made: Making, compared: Any) -> None:
    made([1.0], replay={"capacity": 500})
    made([1.0], seed=1, replay={"capacity": 500}, updates_growth=0.1)
    presets = compared().presets
    assert presets == ["acerax updates_growth=0.1", "acerax updates_growth=none"]


def test_a_run_from_before_a_setting_existed_is_of_the_same_preset(
    made: Making, compared: Any
) -> None:
    before, now = made([1.0]), made([1.0], seed=1)
    path = before.path / "config.toml"
    text = path.read_text()
    path.write_text(text.replace("policy_share = 1.0\n", ""))
    assert path.read_text() != text and "policy_share = 1.0\n" in (now.path / path.name).read_text()
    made([1.0], seed=2, monitor="evaluation/return")
    assert names(compared()) == [("Hopper-v5", "acerax", 3)]


def test_arguments_of_an_environment_tell_it_from_others(made: Making, compared: Any) -> None:
    made([1.0], "Ant-v5")
    made([1.0], "Ant-v5", seed=1, env_args={"contact_cost_weight": 0})
    found = compared()
    assert [row["env"] for row in found.rows()] == [
        "Ant-v5 contact_cost_weight=0",
        "Ant-v5 contact_cost_weight=none",
    ]
    assert {group.env_id for group in found.groups} == {"Ant-v5"}


def test_runs_of_one_environment_stand_at_the_steps_that_all_reached(
    made: Making, compared: Any
) -> None:
    made([1.0, 2.0, 3.0, 4.0], seed=0)
    made([1.0, 2.0, 3.0], seed=1)
    made([5.0, 6.0], label="sac")
    made([1.0, 2.0, 3.0, 4.0], "Ant-v5")
    assert [(r["env"], r["steps"], r["mean"]) for r in compared().rows()] == [
        ("Ant-v5", 4000, 4.0),
        ("Hopper-v5", 2000, 2.0),
        ("Hopper-v5", 2000, 6.0),
    ]


def test_at_leaves_out_what_did_not_get_there(made: Making, compared: Any) -> None:
    made([1.0, 2.0, 3.0, 4.0], seed=0)
    short = made([1.0, 2.0], seed=1)
    found = compared(at=2500)
    assert [(row["n_seeds"], row["mean"]) for row in found.rows()] == [(1, 2.5)]
    assert any(str(short.path) in text and "not at 2500" in text for text in found.warnings)
    with pytest.raises(ConfigError, match="9999") as refusal:
        compared(at=9999)
    assert "4000" in refusal.value.hint


def test_equal_time_compares_trained_seconds(made: Making, compared: Any) -> None:
    made([1.0, 2.0, 3.0, 4.0], label="slow", pace_s=20)
    made([1.0, 2.0, 3.0, 4.0], label="fast", pace_s=10)
    rows = compared(axis="time").rows()
    found = [(r["preset"], r["trained_s"], r["steps"], r["mean"]) for r in rows]
    assert found == [("fast", 40.0, 4000, 4.0), ("slow", 40.0, 2000, 2.0)]


def test_a_curve_ends_where_its_first_seed_ends(made: Making, compared: Any) -> None:
    made([1.0, 2.0, 3.0, 4.0], seed=0)
    made([3.0, None, 5.0], seed=1)
    (found,) = curves(compared().groups, "steps")
    assert found.n == 2
    assert found.grid.tolist() == [1000, 2000, 3000]
    assert found.curve.middle.tolist() == [2.0, 3.0, 4.0]
    (sigma,) = curves(compared().groups, "steps", "sigma/mean")
    assert sigma.curve.middle == pytest.approx([0.4, (0.2 + 0.4 * 2 / 3) / 2, 0.4 / 3])
    assert curves(compared().groups, "steps", "value_bias") == []


def test_long_curves_are_thinned(made: Making, compared: Any) -> None:
    made([float(i) for i in range(500)])
    (found,) = curves(compared().groups, "steps")
    assert len(found.grid) == 200 and found.curve.middle == pytest.approx(found.grid / 1000 - 1)


def test_runs_without_an_evaluation_or_of_another_kind_are_named(
    made: Making, compared: Any, tmp_path: Path
) -> None:
    empty = made([None], seed=1)
    other = Run.create(tmp_path / "runs", "vqe", "search", RlRunConfig())
    with pytest.raises(RunError, match="no run of toolkit rl"):
        compared()
    made([1.0])
    found = compared()
    assert names(found) == [("Hopper-v5", "acerax", 1)]
    text = "\n".join(found.warnings)
    assert f"{empty.path} is left out: it has no evaluation yet" in text
    assert f"{other.path} is left out: it is a run of vqe search" in text


def test_an_unfinished_run_is_told(made: Making, compared: Any) -> None:
    run = made([1.0, 2.0], steps=9000, pace_s=5, finished=False)
    assert f"{run.path} is unfinished: its last evaluation is at step 2000" in compared().warnings
    (row,) = compared().rows()
    assert row["steps_per_s"] == 200  # as measured: 2000 steps in 10 s


def test_a_seed_counts_once(made: Making, compared: Any) -> None:
    short = made([1.0])
    made([5.0, 6.0])
    made([3.0, 4.0], seed=1)
    found = compared()
    assert [(row["n_seeds"], row["mean"]) for row in found.rows()] == [(2, 5.0)]
    assert any("seed 0 of acerax is there twice" in text for text in found.warnings)
    assert any(str(short.path) in text for text in found.warnings)


def test_runs_are_named_by_path_prefix_last_or_folder(
    made: Making, compared: Any, tmp_path: Path
) -> None:
    first = made([1.0])
    made([2.0], seed=1, folder="runs/sweep-1")
    last = made([3.0], seed=2)
    assert compared(first.path, first.name, "@last:rl").rows()[0]["n_seeds"] == 2
    assert compared("sweep-1").rows()[0]["mean"] == 2.0
    assert compared("@last").rows()[0]["mean"] == 3.0
    assert compared(tmp_path / "runs", last.path).rows()[0]["n_seeds"] == 3
    (tmp_path / "nothing").mkdir()
    with pytest.raises(RunError, match="no run below"):
        compared(tmp_path / "nothing")
    with pytest.raises(RunError, match="no run 'rl-9'"):
        compared("rl-9")


def test_one_seed_has_no_interval(made: Making, compared: Any) -> None:
    made([1.0])
    made([2.0], label="sac")
    found = aggregates.summary(compared())
    assert all(row["ci95"] is row["iqm_ci95"] is row["sd"] is None for row in found["rows"])
    assert all(row["iqm_ci95"] is None for row in found["aggregate"]["presets"])
    assert found["improvement"][0]["ci95"] is None
    assert "One seed alone has no interval." in found["notes"]


def test_scores_are_normalised_by_sac_over_the_environments_in_common(
    made: Making, compared: Any
) -> None:
    for seed in range(2):
        for env, one in (("Hopper-v5", 2787), ("Ant-v5", 5734)):
            made([0.5 * one], env, "acerax", seed)
            made([1.0 * one], env, "sac", seed)
        made([9000.0], "Walker2d-v5", "sac", seed)
        made([-100.0], "Pendulum-v1", "sac", seed)
        made([-100.0], "Pendulum-v1", "acerax", seed)
    found = aggregates.summary(compared())
    overall = found["aggregate"]
    assert [row["env"] for row in overall["environments"]] == ["Ant-v5", "Hopper-v5"]
    assert [(r["preset"], r["iqm"], r["n_runs"]) for r in overall["presets"]] == [
        ("acerax", pytest.approx(0.5), 4),
        ("sac", pytest.approx(1.0), 4),
    ]
    thresholds, shares = overall["profile"].values()
    assert thresholds[0] == 0
    assert shares["sac"] == [float(t < 1) for t in thresholds]
    assert all(np.diff(share).max() <= 0 for share in shares.values())
    assert "Not in the aggregate: Pendulum-v1, Walker2d-v5" in "\n".join(found["notes"])
    (pair,) = found["improvement"]
    assert pair["environments"] == ["Ant-v5", "Hopper-v5", "Pendulum-v1"]
    assert pair["probability"] == pytest.approx((0 + 0 + 0.5) / 3)


def test_without_a_common_environment_there_is_no_aggregate(made: Making, compared: Any) -> None:
    made([1.0], "Hopper-v5")
    made([1.0], "Ant-v5", "sac")
    found = aggregates.summary(compared())
    assert found["aggregate"] == {} and found["improvement"] == []


def test_the_command_writes_its_files_and_one_object(made: Making, tmp_path: Path) -> None:
    for seed in range(3):
        made([10.0 * seed, 100.0 + seed], seed=seed)
        made([20.0 * seed, 90.0 + seed], label="sac", seed=seed)
    words = [str(tmp_path / "runs"), "--runs-dir", str(tmp_path / "runs")]
    result = CliRunner().invoke(command, [*words, "--json"], catch_exceptions=False)
    assert result.exit_code == 0
    found = strict_json(result.stdout)
    assert found.keys() >= {"rows", "aggregate", "improvement", "files", "notes", "warnings"}
    row_keys = {"env", "preset", "n_seeds", "steps", "mean", "iqm", "ci95", "iqm_ci95", "sd"}
    assert all(row.keys() >= row_keys for row in found["rows"])
    files = [Path(name) for name in found["files"]]
    assert {path.name for path in files} == {
        *("returns-Hopper-v5.png", "sigma-Hopper-v5.png", "aggregate.png", "profile.png"),
        *("improvement.png", "curves.csv", "report.html"),
    }
    assert all(path.stat().st_size > 100 for path in files)
    (folder,) = {path.parent for path in files}
    assert folder.parent == tmp_path / "runs" and folder.name.startswith("compare-rl-")
    assert json.loads((folder / "result.json").read_text())["rows"] == found["rows"]
    table = list(csv.DictReader((folder / "curves.csv").read_text().splitlines()))
    assert [row["iqm"] for row in table if row["preset"] == "sac"] == ["20.0", "91.0"]
    again = CliRunner().invoke(command, [*words, "--json"], catch_exceptions=False)
    assert again.stdout == result.stdout


def test_the_command_prints_a_table_and_warnings_apart(made: Making, tmp_path: Path) -> None:
    made([1234.5, 2345.6])
    made([None], seed=1)
    words = [str(tmp_path / "runs"), "--out", str(tmp_path / "out"), "--x", "time", "--at", "15"]
    result = CliRunner().invoke(command, words, catch_exceptions=False)
    assert result.exit_code == 0
    assert "Hopper-v5" in result.stdout and "1790" in result.stdout
    assert "no evaluation yet" in result.stderr and "warning" not in result.stdout
    assert (tmp_path / "out" / "report.html").is_file()
