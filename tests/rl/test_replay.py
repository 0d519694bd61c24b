"""Replay against plain lists; its checkpoints against what they may cost."""

import errno
import os
import resource
import shutil
import signal
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from scipy.stats import chisquare

from toolkit.core import checkpoint
from toolkit.core.errors import ConfigError, RunError
from toolkit.rl import segments
from toolkit.rl.replay import Replay, Rows

SIZES = OBSERVED, DONE = 3, 2
ROW_BYTES = 4 * (2 * OBSERVED + 2 * DONE + 2) + 2


def step(rng, environments, ending=0.2):
    """A time step of random numbers; each environment may end by chance, one way or the other."""

    def numbers(*shape):
        return rng.normal(size=(environments, *shape)).astype(np.float32)

    ended = rng.random(environments) < ending
    return Rows(
        *(numbers(OBSERVED), numbers(DONE), numbers(DONE), numbers(), numbers()),
        *(numbers(OBSERVED), ended & (rng.random(environments) < 0.5), ended),
    )


def filled(steps, capacity, environments=1, seed=0, **options):
    """A memory after ``steps`` time steps."""
    rng, replay = np.random.default_rng(seed), Replay(capacity, *SIZES, environments, **options)
    for _ in range(steps):
        replay.add(step(rng, environments))
    return replay


def rows_from(history, environment, start, length):
    """The rows of a trajectory, from the definition: until an end or the last step."""
    rows = []
    for rows_then in history[start : start + length]:
        rows.append(Rows(*(field[environment] for field in rows_then)))
        if rows[-1].ended:
            break
    return rows


def assert_is(batch, i, rows):
    """Trajectory ``i`` of ``batch`` has just these rows, and finite numbers beyond them."""
    n = len(rows)
    assert batch.lengths[i] == n
    assert list(batch.mask[i]) == [k < n for k in range(batch.mask.shape[1])]
    observations = [row.observations for row in rows] + [rows[-1].next_observations]
    assert np.array_equal(batch.observations[i, : n + 1], observations)
    for name in ("actions", "modes", "log_probs", "rewards", "terminated"):
        assert np.array_equal(getattr(batch, name)[i, :n], [getattr(row, name) for row in rows])
    assert all(np.isfinite(field[i]).all() for field in batch)


def assert_same(one, other):
    assert all(map(np.array_equal, one, other))


class AgainstLists(RuleBasedStateMachine):
    """Every start of every length, whatever was added, saved and loaded before."""

    @initialize(
        capacity=st.integers(3, 24),
        environments=st.integers(1, 3),
        seed=st.integers(0, 999),
        mapped=st.booleans(),
    )
    def begin(self, capacity, environments, seed, mapped):
        self.folder = Path(tempfile.mkdtemp())
        self.path = self.folder / "mapped" if mapped else None
        self.capacity, self.environments = capacity, environments
        self.rng, self.history = np.random.default_rng(seed), []
        self.replay = self.new()

    def new(self):
        return Replay(self.capacity, *SIZES, self.environments, self.path)

    def oldest(self):
        return max(0, len(self.history) - self.capacity // self.environments)

    @rule(steps=st.integers(1, 9), ending=st.sampled_from([0.0, 0.2, 0.9]))
    def add(self, steps, ending):
        for _ in range(steps):
            self.history.append(step(self.rng, self.environments, ending))
            self.replay.add(self.history[-1])

    @rule(length=st.integers(1, 30))
    def every_start_gives_the_rows_of_its_definition(self, length):
        starts = [
            (t, e)
            for t in range(self.oldest(), len(self.history))
            for e in range(self.environments)
        ]
        if starts:
            batch = self.replay.gather(*np.array(starts).T, length)
            for i, (t, e) in enumerate(starts):
                assert_is(batch, i, rows_from(self.history, e, t, length))

    @rule(length=st.integers(1, 5), seed=st.integers(0, 999))
    def samples_are_among_what_is_there(self, length, seed):
        if self.history:
            batch = self.replay.sample(20, length, np.random.default_rng(seed))
            there = {
                self.history[t].rewards[e]: (t, e)
                for t in range(self.oldest(), len(self.history))
                for e in range(self.environments)
            }
            for i in range(20):
                t, e = there[batch.rewards[i, 0]]
                assert_is(batch, i, rows_from(self.history, e, t, length))

    @rule(length=st.integers(1, 12))
    def a_checkpoint_of_it_goes_on_the_same(self, length):
        saved = checkpoint.save(
            self.folder, len(self.history), {"replay": self.replay.state_dict()}
        )
        before, self.replay = self.replay, self.new()
        self.replay.load_state_dict(checkpoint.load(saved)[1]["replay"])
        if self.history:
            samples = [
                one.sample(9, length, np.random.default_rng(5)) for one in (before, self.replay)
            ]
            assert_same(*samples)  # what lies beyond the lengths included

    @invariant()
    def it_counts_what_it_has(self):
        if hasattr(self, "replay"):
            assert self.replay.steps == len(self.history)
            assert self.replay.oldest == self.oldest()
            assert len(self.replay) == (len(self.history) - self.oldest()) * self.environments
            assert len(self.replay) <= self.capacity

    def teardown(self):
        if hasattr(self, "folder"):
            shutil.rmtree(self.folder)


TestAgainstLists = AgainstLists.TestCase
TestAgainstLists.settings = settings(
    max_examples=30,
    stateful_step_count=20,
    suppress_health_check=[HealthCheck.too_slow],
)


def test_every_row_of_every_environment_is_as_likely_a_start():
    replay = filled(100, capacity=60, environments=3)
    draws = 30_000
    rewards = replay.sample(draws, 4, np.random.default_rng(1)).rewards[:, 0]
    _, counts = np.unique(rewards, return_counts=True)
    assert len(counts) == 60
    assert chisquare(counts).pvalue > 1e-3


@pytest.mark.parametrize("environments", [1, 2])
def test_the_latest_rows_alone_are_drawn_where_asked(environments):
    replay = filled(50, 30 * environments, environments)
    history = replay.gather(
        np.repeat(np.arange(45, 50), environments), np.tile(np.arange(environments), 5), 1
    )
    wanted = {tuple(row) for row in history.observations[:, 0].tolist()}
    drawn = replay.sample(500, 1, np.random.default_rng(0), latest=5 * environments)
    assert {tuple(row) for row in drawn.observations[:, 0].tolist()} == wanted


def test_capacity_is_shared_evenly_and_rounded_down():
    assert len(filled(50, capacity=20, environments=3)) == 18


def test_no_trajectory_goes_on_in_old_rows_of_a_full_ring():
    replay = Replay(8, *SIZES)
    rng = np.random.default_rng(0)
    for _ in range(50):
        replay.add(step(rng, 1, ending=0))
    starts = np.arange(42, 50)
    batch = replay.gather(starts, np.zeros(8, np.int64), 100)
    assert list(batch.lengths) == list(50 - starts)


@pytest.mark.parametrize("start", [41, 50])
def test_starts_that_are_not_there_are_refused(start):
    with pytest.raises(IndexError, match="from 42 to 49"):
        filled(50, capacity=8).gather(np.array([start]), np.array([0]), 4)


def test_an_empty_memory_gives_no_sample():
    with pytest.raises(ValueError):
        Replay(8, *SIZES).sample(1, 1, np.random.default_rng(0))


def test_a_sample_is_a_copy():
    replay = filled(4, capacity=4)
    batch = replay.sample(8, 2, np.random.default_rng(0))
    before = [field.copy() for field in batch]
    rng = np.random.default_rng(1)
    for _ in range(20):
        replay.add(step(rng, 1))
    assert_same(batch, before)


def test_rows_of_another_shape_are_refused():
    replay, rows = Replay(8, *SIZES), step(np.random.default_rng(0), 1)
    with pytest.raises(ValueError):
        replay.add(rows._replace(actions=np.zeros((1, DONE + 1), np.float32)))


# Checkpoints


def save(folder, number, replay):
    path = checkpoint.save(folder, number, {"replay": replay.state_dict()})
    return {file.name: file.stat() for file in path.iterdir()}


def more(replay, steps, seed=7):
    rng = np.random.default_rng(seed)
    for _ in range(steps):
        replay.add(step(rng, replay.environments))


def test_a_later_checkpoint_writes_only_what_is_new(tmp_path):
    replay = filled(1950, capacity=1000)  # in segments of 100
    first, _ = save(tmp_path, 1, replay), save(tmp_path, 2, replay)
    more(replay, 60)
    third = save(tmp_path, 3, replay)
    names = [name for name in third if name.endswith(".frozen")]
    assert sorted(names) == [f"replay-{j}.frozen" for j in range(10, 20)]
    linked = {name for name in names if name in first and first[name].st_ino == third[name].st_ino}
    assert linked == {f"replay-{j}.frozen" for j in range(10, 19)}
    written = sum(facts.st_size for name, facts in third.items() if name not in linked)
    assert written < (100 + 10) * ROW_BYTES + 10_000  # the segment filled meanwhile, and the rest


def test_what_is_no_longer_kept_leaves_the_checkpoint(tmp_path):
    replay = filled(1950, capacity=1000)
    before, _ = save(tmp_path, 1, replay), save(tmp_path, 2, replay)
    more(replay, 1100)
    after = save(tmp_path, 3, replay)
    assert not {name for name in before if name.endswith(".frozen")} & set(after)


def test_saving_what_was_loaded_writes_the_same_bytes(tmp_path):
    replay, again = (filled(n, capacity=200, environments=2) for n in (333, 20))
    path = checkpoint.save(tmp_path / "one", 1, {"replay": replay.state_dict()})
    again.load_state_dict(checkpoint.load(path)[1]["replay"])
    copy = checkpoint.save(tmp_path / "two", 1, {"replay": again.state_dict()})
    assert (path / "manifest.json").read_bytes() == (copy / "manifest.json").read_bytes()


def test_a_resumed_memory_saves_as_if_it_had_never_stopped(tmp_path):
    """Segments linked from before the interruption have what an uninterrupted run writes."""
    straight, broken = (filled(333, capacity=200) for _ in range(2))
    path = checkpoint.save(tmp_path / "broken", 1, {"replay": broken.state_dict()})
    checkpoint.save(tmp_path / "broken", 2, {"replay": broken.state_dict()})
    resumed = Replay(200, *SIZES)
    resumed.load_state_dict(checkpoint.load(path)[1]["replay"])
    for one in (straight, resumed):
        more(one, 162)  # the oldest segment, linked in one, is about to be overwritten
    save(tmp_path / "straight", 3, straight)
    save(tmp_path / "broken", 3, resumed)
    manifests = [
        tmp_path / name / checkpoint.name_of(3) / "manifest.json" for name in ("straight", "broken")
    ]
    assert manifests[0].read_bytes() == manifests[1].read_bytes()


@pytest.mark.parametrize(
    "other",
    [(101, OBSERVED, DONE, 2), (100, OBSERVED, DONE, 1), (100, 4, DONE, 2), (100, OBSERVED, 1, 2)],
    ids=["capacity", "environments", "observations", "actions"],
)
def test_a_memory_of_another_kind_is_refused(other):
    state = filled(30, capacity=100, environments=2).state_dict()
    with pytest.raises(RunError, match="100 rows of 2 environments, 3 numbers observed, 2 done"):
        Replay(*other).load_state_dict(state)


# Capacity and files


def test_a_capacity_below_one_row_of_each_environment_is_refused():
    with pytest.raises(ConfigError, match="capacity = 2 holds no row of each of 3 environments"):
        Replay(2, *SIZES, environments=3)
    assert len(filled(5, capacity=3, environments=3)) == 3


def test_more_than_any_memory_holds_is_refused():
    with pytest.raises(ConfigError, match="GiB") as caught:
        Replay(10**15, *SIZES)
    assert "memory_map" in caught.value.hint


def test_mapped_rows_lie_on_the_disk_leave_nothing_there_and_give_the_same(tmp_path):
    folder = tmp_path / "run"
    mapped, plain = filled(500, 300, 2, path=folder), filled(500, 300, 2)
    assert_same(*(one.sample(64, 8, np.random.default_rng(0)) for one in (mapped, plain)))
    maps = [line.split() for line in Path("/proc/self/maps").read_text().splitlines()]
    ours = [
        line[0].split("-") for line in maps if len(line) > 5 and line[5].startswith(f"{folder}")
    ]
    assert sum(int(end, 16) - int(start, 16) for start, end in ours) >= 300 * ROW_BYTES
    assert list(folder.iterdir()) == []  # whatever ends the process, no file is left
    assert all(type(one) is np.ndarray for one in mapped.sample(1, 1, np.random.default_rng(0)))


def test_a_file_that_may_not_grow_so_large_is_named(tmp_path):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        with pytest.raises(RunError, match="cannot write") as caught:
            Replay(10_000, *SIZES, path=tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert str(tmp_path) in caught.value.where and "MiB free" in caught.value.where
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_found_when_the_files_are_made(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(RunError, match="No space left"):
        Replay(100, *SIZES, path=tmp_path)


def test_the_blocks_of_its_files_are_there_from_the_start(tmp_path):
    with segments._reserved(tmp_path, 300_000) as file:
        found = os.fstat(file.fileno())
    assert found.st_size == 300_000 <= found.st_blocks * 512
