"""Runs side by side: differing settings, scores, curves."""

import pytest

from toolkit.core.config import RunConfig
from toolkit.core.errors import ConfigError
from toolkit.core.plots import caption_of
from toolkit.core.run import Run
from toolkit.core.run_comparison import compare, draw


def made(folder, seed, score=None, **settings):
    run = Run.create(folder, "tiny", "fit", RunConfig(seed=seed, **settings))
    for step in (1, 2):
        run.log_metrics({"step": step, "loss": seed / step})
    if score is not None:
        run.write_result({"headline": ["score"], "score": score, "n": 3, "title": "t"})
        run.set_status("finished", 2)
    return run


def test_only_what_differs_is_told(tmp_path):
    runs = [
        made(tmp_path, 1, 0.5, device="cpu"),
        made(tmp_path, 2, 0.7, device="cuda", patience=None),
    ]
    found = compare(runs)
    assert found["settings"] == ["seed"]
    assert found["scores"] == ["score"]
    assert [row["settings"] for row in found["runs"]] == [{"seed": 1}, {"seed": 2}]
    assert [row["scores"] for row in found["runs"]] == [{"score": s, "n": 3} for s in (0.5, 0.7)]
    assert [row["state"] for row in found["runs"]] == ["finished", "finished"]


def test_a_setting_that_one_run_lacks_differs(tmp_path):
    found = compare([made(tmp_path, 1), made(tmp_path, 1, monitor="loss")])
    assert [row["settings"] for row in found["runs"]] == [{"monitor": None}, {"monitor": "loss"}]
    assert found["scores"] == []


def test_a_damaged_run_is_told_and_hides_no_other(tmp_path):
    good, bad = made(tmp_path, 1, 0.5), made(tmp_path, 2, 0.6)
    (bad.path / "status.json").write_text("{")
    rows = compare([good, bad])["runs"]
    assert [row["state"] for row in rows] == ["finished", "damaged"]
    assert rows[1]["error"] and rows[0]["scores"]["score"] == 0.5


def test_cells_of_one_name_are_told_by_their_sweeps(tmp_path):
    runs = [
        Run.create(tmp_path, "tiny", "fit", RunConfig(), path=tmp_path / sweep / "seed-0")
        for sweep in ("a", "b")
    ]
    assert [row["name"] for row in compare(runs)["runs"]] == ["a/seed-0", "b/seed-0"]


def test_curves_are_of_the_runs_that_have_the_metric(tmp_path):
    runs = [made(tmp_path, 1), made(tmp_path, 2)]
    path = draw(runs, "loss", ["one", "two"], tmp_path / "out")
    assert path.name == "loss.png"
    assert caption_of(path) == "loss of 2 runs."
    with pytest.raises(ConfigError, match="no metric 'los'") as caught:
        draw(runs, "los", ["one", "two"], tmp_path)
    assert "'loss'" in caught.value.hint
