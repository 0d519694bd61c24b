"""Runs found by path, name, prefix, @last and folder."""

import pytest

from toolkit.core.config import RunConfig
from toolkit.core.errors import RunError
from toolkit.core.finding import find_all, resolve, resolve_all
from toolkit.core.run import Run


def make(root, app="ecg"):
    return Run.create(root, app, "train", RunConfig())


def test_resolve_by_path_name_and_prefix(tmp_path):
    run, other = make(tmp_path), make(tmp_path, app="hsi")
    assert resolve(str(run.path), tmp_path / "elsewhere").path == run.path
    assert resolve(run.name, tmp_path).path == run.path
    assert resolve("hsi", tmp_path).path == other.path
    with pytest.raises(RunError, match="no run 'rl'"):
        resolve("rl", tmp_path)


def test_an_ambiguous_prefix_names_the_candidates(tmp_path):
    made = [make(tmp_path) for _ in range(3)]
    with pytest.raises(RunError, match="fits 3 runs") as caught:
        resolve("ecg-train", tmp_path)
    assert str(made[0].path) in caught.value.what


def test_a_whole_name_that_is_also_a_prefix(tmp_path):
    for name in ("a", "ab"):
        Run.create(tmp_path, "ecg", "train", RunConfig(), path=tmp_path / name)
    assert resolve("a", tmp_path).name == "a"


def test_last(tmp_path):
    for word in ("@last", "@last:ecg"):
        with pytest.raises(RunError, match=r"there is no (ecg )?run yet"):
            resolve(word, tmp_path)
    first, second, third = make(tmp_path), make(tmp_path), make(tmp_path, app="hsi")
    assert resolve("@last", tmp_path).path == third.path
    assert resolve("@last:ecg", tmp_path).path == second.path
    assert [run.path for run in find_all(tmp_path)] == [first.path, second.path, third.path]
    with pytest.raises(RunError, match="'@lats'"):
        resolve("@lats", tmp_path)


def test_cells_of_a_sweep_are_found(tmp_path):
    cell = Run.create(tmp_path, "ecg", "train", RunConfig(), path=tmp_path / "sweep-1" / "seed-0")
    assert [run.path for run in find_all(tmp_path)] == [cell.path]


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", "\x00\x00", "[" * 100_000])
def test_a_damaged_run_stands_in_nobodys_way(content, tmp_path):
    good, bad = make(tmp_path), make(tmp_path)
    (bad.path / "env.json").write_text(content)
    assert len(find_all(tmp_path)) == 2
    assert resolve("@last", tmp_path).path == resolve("@last:ecg", tmp_path).path == good.path
    with pytest.raises(RunError):
        Run.open(bad.path)


def test_a_folder_stands_for_all_runs_below_it_and_each_counts_once(tmp_path):
    first, second = make(tmp_path / "sweep"), make(tmp_path / "sweep" / "deep", app="hsi")
    found = resolve_all([str(tmp_path / "sweep"), "sweep", str(first.path)], tmp_path)
    assert {run.path for run in found} == {first.path, second.path}
    assert len(found) == 2
    (tmp_path / "empty").mkdir()
    with pytest.raises(RunError, match="no run below"):
        resolve_all(["empty"], tmp_path)
