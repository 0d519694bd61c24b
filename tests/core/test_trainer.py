"""The loop: resuming is exact, and each tiny task learns."""

from __future__ import annotations

import gc
import json
import math
import os
import shutil
import signal
import sys
from pathlib import Path

import pytest
import tiny_tasks
from tiny_tasks import TASKS, equal, fit, new_run, outcome, run_in_child

from toolkit.core import checkpoint
from toolkit.core.errors import (
    ConfigError,
    DivergedError,
    RunError,
)
from toolkit.core.run import Run

pytestmark = pytest.mark.usefixtures("one_thread")

# First 20 losses of the supervised task: a refactor must not move them.
# fmt: off
GOLDEN = [
    0.60108709, 0.71321929, 0.81267726, 0.60632783, 0.69897854,
    0.69488132, 0.53536868, 0.57238865, 0.52546799, 0.49720478,
    0.38726264, 0.38897336, 0.42105728, 0.55182278, 0.41064429,
    0.40632325, 0.48000830, 0.32524747, 0.40214568, 0.36016005,
]
# fmt: on


@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize(
    "death",
    [("step", 3), ("step", 17), ("rename", 2), ("finish", 0)],
    ids=["before the first checkpoint", "between checkpoints", "in a save", "in the ending"],
)
def test_killed_and_resumed_equals_uninterrupted(name, death, uninterrupted, tmp_path):
    path = new_run(tmp_path, name)
    assert run_in_child(path, name, death) == -signal.SIGKILL
    assert run_in_child(path, name) == 0
    assert equal(outcome(path), uninterrupted(name))
    assert not list((path / "checkpoints").glob(".tmp-*"))


@pytest.mark.parametrize("name", TASKS)
def test_killed_again_and_again(name, uninterrupted, tmp_path):
    path = new_run(tmp_path, name)
    for step in (8, 9, 20, 35):
        assert run_in_child(path, name, ("step", step)) == -signal.SIGKILL
    assert run_in_child(path, name) == 0
    assert equal(outcome(path), uninterrupted(name))


def test_averaged_weights_and_weighted_sampling_resume_exactly(tmp_path):
    whole, cut = (new_run(tmp_path, "weighted", average=0.9) for _ in range(2))
    assert run_in_child(whole, "weighted") == 0
    assert run_in_child(cut, "weighted", ("step", 17)) == -signal.SIGKILL
    assert run_in_child(cut, "weighted") == 0
    assert "averaged" in outcome(cut)["state"]
    assert equal(outcome(cut), outcome(whole))


@pytest.mark.parametrize("name", TASKS)
def test_same_seed_same_run_other_seed_another(name, uninterrupted, tmp_path):
    same, other = new_run(tmp_path, name), new_run(tmp_path, name, seed=4)
    fit(same, name)
    fit(other, name)
    assert equal(outcome(same), uninterrupted(name))
    assert not equal(outcome(other)["state"], uninterrupted(name)["state"])


@pytest.mark.parametrize("name", TASKS)
def test_learns(name, tmp_path):
    path = new_run(tmp_path, name, steps=400, evaluate_every=100, checkpoint_every_s=1000)
    result = fit(path, name)
    if name == "supervised":
        assert result["accuracy"] >= 0.95
    elif name == "corridor":
        assert result["right"] == 1.0
    else:
        assert result["best"] == 10 and result["steps"] < 400  # done() ends it


def test_golden_losses(tmp_path):
    path = new_run(tmp_path, "supervised", steps=20, evaluate_every=1)
    fit(path, "supervised")
    losses = [line["train/loss"] for line in Run.open(path).metrics]
    assert losses == pytest.approx(GOLDEN, abs=1e-6)


def test_max_time_pauses_with_a_result_and_resumes_exactly(uninterrupted, tmp_path):
    path = new_run(tmp_path, "corridor")
    result = fit(path, "corridor", max_time_s=15)
    run = Run.open(path)
    assert (result["stopped_by"], result["steps"]) == ("max_time", 15)
    assert (run.status["state"], run.status["step"], run.result) == ("paused", 15, result)
    fit(path, "corridor")
    assert run.status["state"] == "finished"
    assert equal(outcome(path), uninterrupted("corridor"))


def test_max_time_that_runs_out_at_the_end_is_an_end(tmp_path):
    path = new_run(tmp_path, "bits", steps=9)
    assert fit(path, "bits", max_time_s=9)["stopped_by"] == "done"
    assert Run.open(path).status["state"] == "finished"


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_divergence_keeps_the_last_checkpoint(value, tmp_path):
    path = new_run(tmp_path, "corridor")
    with pytest.raises(DivergedError, match="loss = ") as caught:
        fit(path, "corridor", lambda e, n: {"loss": value} if (e, n) == ("step", 10) else None)
    run = Run.open(path)
    assert caught.value.exit_code == 6
    assert run.status["state"] == "failed" and "loss" in run.status["error"]
    assert run.status["step"] == 10  # not that of the last heartbeat
    assert checkpoint.load_newest(run.checkpoints)[0] == 7


def test_a_nan_in_a_batch_never_reaches_the_weights(tmp_path):
    settings = tiny_tasks.SETTINGS
    task = tiny_tasks.build("supervised", settings)
    task.step(0)
    before = {k: v.clone() for k, v in task.model.named_parameters()}
    task.problem.train.x[:] = float("nan")
    assert task.step(1)["loss"] != task.step(1)["loss"]
    assert equal(before, dict(task.model.named_parameters()))


class Scripted:
    """A task whose score is read from a list; its state is the number of steps it did."""

    def __init__(self, scores):
        self.scores, self.did, self.evaluated_at_end = scores, 0, None

    def step(self, i):
        self.did += 1
        return {}

    def evaluate(self, i):
        return {"score": self.scores[i - 1]}

    def done(self, i):
        return False

    def state_dict(self):
        return {"did": self.did}

    def load_state_dict(self, state):
        self.did = state["did"]

    def finish(self, run):
        return {"did": self.did}


def scripted(tmp_path, scores, **settings):
    base = {"steps": len(scores), "evaluate_every": 1, "monitor": "score"}
    path = new_run(tmp_path, "scripted", **{**base, "checkpoint_every_s": 1000, **settings})
    run = Run.open(path)
    config = run.config(tiny_tasks.SupervisedConfig)
    return run, tiny_tasks.Trainer(run, config).fit(Scripted(scores))


def test_best_checkpoint_is_kept_and_judged(tmp_path):
    run, result = scripted(tmp_path, [1, 5, 2, 3, 4], checkpoint_every_s=0, keep_checkpoints=2)
    assert (result["did"], result["model_step"], result["steps"]) == (2, 2, 5)
    assert checkpoint.steps(run.checkpoints) == [2, 4, 5]


def test_smallest_can_be_best(tmp_path):
    _, result = scripted(tmp_path, [3, 1, 2], monitor_mode="min")
    assert result["model_step"] == 2


def test_patience_stops_early_and_saves(tmp_path):
    run, result = scripted(tmp_path, [1, 3, 2, 2, 2, 9], patience=3)
    assert (result["stopped_by"], result["steps"], result["did"]) == ("patience", 5, 2)
    assert checkpoint.steps(run.checkpoints) == [2, 5]
    assert run.status["state"] == "finished"


def test_an_undefined_score_is_never_the_best(tmp_path):
    nan = float("nan")
    _, result = scripted(tmp_path, [nan, 1, nan, 2, nan])
    assert result["model_step"] == 4


def test_a_damaged_best_checkpoint_does_not_lose_the_run(tmp_path):
    path = new_run(tmp_path, "scripted", steps=3, evaluate_every=1, monitor="score")
    run = Run.open(path)
    config = run.config(tiny_tasks.SupervisedConfig)
    tiny_tasks.Trainer(run, config).fit(Scripted([5, 1, 1]))
    (run.checkpoints / checkpoint.name_of(1) / "state.json").write_text("{}")
    notes = []
    watcher = tiny_tasks.Trainer(run, config)
    watcher.progress.note = notes.append
    assert watcher.fit(Scripted([5, 1, 1]))["model_step"] == 3
    assert any("damaged" in note for note in notes)


def test_a_monitor_that_is_no_metric_is_named(tmp_path):
    with pytest.raises(ConfigError, match="'skore'") as caught:
        scripted(tmp_path, [1, 2], monitor="skore")
    assert "score" in caught.value.hint


def test_means_are_over_the_steps_that_gave_the_figure(tmp_path):
    path = new_run(tmp_path, "corridor", steps=2, evaluate_every=2)
    rewards = []
    task = tiny_tasks.Corridor(tiny_tasks.SETTINGS.seed)
    rewards = [task.step(i).get("reward") for i in range(2)]
    fit(path, "corridor")
    assert Run.open(path).metrics[0]["train/reward"] == rewards[1]


@pytest.mark.parametrize("name", ["supervised", "corridor"])
def test_extended_run_equals_one_planned_longer(name, uninterrupted, tmp_path):
    path = new_run(tmp_path, name, steps=24, schedule_steps=40)
    fit(path, name)
    run = Run.open(path)
    run.rewrite_config(run.config(tiny_tasks.SupervisedConfig).extended(40))
    fit(path, name)
    assert equal(outcome(path), uninterrupted(name))


@pytest.mark.parametrize("name", TASKS)
def test_fitting_a_finished_run_changes_nothing(name, tmp_path):
    path = new_run(tmp_path, name)
    first = fit(path, name)
    before = outcome(path)
    assert fit(path, name, lambda event, _: pytest.fail("a step") if event == "step" else None)
    assert equal(outcome(path), before)
    assert Run.open(path).result == first


def test_a_run_whose_checkpoints_are_gone_does_not_start_over(tmp_path):
    path = new_run(tmp_path, "corridor", steps=24)
    fit(path, "corridor")
    run = Run.open(path)
    before = run.metrics
    checkpoint.prune(run.checkpoints, [])
    run.rewrite_config(run.config(tiny_tasks.SupervisedConfig).extended(40))
    with pytest.raises(RunError, match="are gone"):
        fit(path, "corridor")
    assert run.metrics == before


@pytest.mark.parametrize("end", ["killed", "failed"])
def test_nor_does_one_that_was_killed_or_failed(end, tmp_path):
    path = new_run(tmp_path, "corridor")
    if end == "killed":
        assert run_in_child(path, "corridor", ("step", 17)) == -signal.SIGKILL
    else:
        with pytest.raises(DivergedError):
            fit(path, "corridor", lambda e, n: {"loss": math.inf} if n == 17 else None)
    run = Run.open(path)
    before = run.metrics
    shutil.rmtree(run.checkpoints)
    with pytest.raises(RunError, match="are gone"):
        fit(path, "corridor")
    assert run.metrics == before != []


def test_status_says_running_from_the_first_step(tmp_path):
    path, seen = new_run(tmp_path, "bits", steps=3, checkpoint_every_s=1000), []
    fit(path, "bits", lambda event, n: seen.append(Run.open(path).status["state"]))
    assert set(seen) == {"running"}


@pytest.mark.parametrize("name", TASKS)
def test_damaged_newest_checkpoint_is_passed_over_and_replaced(name, uninterrupted, tmp_path):
    path = new_run(tmp_path, name)
    assert run_in_child(path, name, ("step", 17)) == -signal.SIGKILL
    for damaged in (path / "checkpoints" / checkpoint.name_of(14)).iterdir():
        whole = damaged.read_bytes()
        damaged.unlink()  # a new inode: the one before may share the old
        damaged.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert run_in_child(path, name) == 0
    assert equal(outcome(path), uninterrupted(name))


def test_damaged_frozen_segment_is_never_linked_into_later_checkpoints(uninterrupted, tmp_path):
    path = new_run(tmp_path, "corridor")
    assert run_in_child(path, "corridor", ("step", 17)) == -signal.SIGKILL
    for segment in (path / "checkpoints" / checkpoint.name_of(14)).glob("*.frozen"):
        whole = segment.read_bytes()
        segment.unlink()
        segment.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))  # its manifest still verifies
    assert run_in_child(path, "corridor") == 0
    assert equal(outcome(path), uninterrupted("corridor"))


def test_checkpoint_of_another_task_is_refused(tmp_path):
    path = new_run(tmp_path, "bits", steps=5)
    fit(path, "bits")
    with pytest.raises(RunError, match="does not fit"):
        fit(path, "corridor")


def test_an_error_of_the_task_stays_what_it_is(tmp_path):
    def watch(event, number):
        if event == "step" and number == 2:
            raise FileNotFoundError("a record")

    path = new_run(tmp_path, "bits")
    with pytest.raises(FileNotFoundError, match="a record"):
        fit(path, "bits", watch)
    assert Run.open(path).status["state"] == "failed"


def test_metrics_file_is_json_lines(tmp_path):
    path = new_run(tmp_path, "supervised")
    fit(path, "supervised")
    lines = [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [6, 12, 18, 24, 30, 36, 40]
    assert all({"train/loss", "accuracy", "time_s"} <= line.keys() for line in lines)


def in_use():
    """Python's live blocks, and the process's memory in MiB."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return sys.getallocatedblocks(), pages * os.sysconf("SC_PAGE_SIZE") / 2**20


@pytest.mark.parametrize("name", TASKS[:2])
def test_memory_of_a_thousand_steps_is_flat(name, tmp_path):
    used = {}

    def watch(event, number):
        if event == "step" and number in (200, 999):
            used[number] = in_use()

    path = new_run(tmp_path, name, steps=1000, evaluate_every=50, checkpoint_every_s=200)
    fit(path, name, watch)
    (blocks, memory_mb), (later_blocks, later_memory_mb) = used[200], used[999]
    assert later_blocks - blocks < 800  # less than one a step
    assert later_memory_mb - memory_mb < 30
