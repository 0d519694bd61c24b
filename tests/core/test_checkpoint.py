"""Checkpoints: round trips, detection of every damage, no code execution, no rewriting."""

import errno
import json
import os
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_tasks import equal

from toolkit.core import checkpoint, hashed_files
from toolkit.core.checkpoint import Frozen
from toolkit.core.errors import RunError


def trained_optimizer():
    layer = torch.nn.Linear(3, 2)
    optimizer = torch.optim.AdamW(layer.parameters())
    layer(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    return optimizer


def segment(number):
    rows = np.arange(24, dtype=np.float32).reshape(8, 3) + number
    return Frozen(f"segment-{number}", {"rows": rows, "ended": rows[:, 0] > 4})


def example(step=0):
    return {
        "model": {"weight": torch.arange(6.0).reshape(2, 3) + step, "steps": torch.tensor(step)},
        "memory": {"full": [segment(0), segment(1)], "current": np.full((3, 2), step)},
        "search": {"words": [[0, 1], [1, 1]], "name": "x", "none": None, "best": 0.1 + 0.2},
        "step": step,
    }


def tree(value):
    """As it comes back: tuples are lists, NumPy scalars are Python's."""
    if isinstance(value, dict):
        return {key: tree(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [tree(item) for item in value]
    return value.item() if isinstance(value, np.generic) else value


def assert_round_trip(state, folder):
    path = checkpoint.save(folder, 7, state)
    step, back = checkpoint.load(path)
    assert step == 7 and equal(tree(state), back)
    return back


@pytest.fixture
def two(tmp_path):
    """A folder with the checkpoints of steps 10 and 20."""
    checkpoint.save(tmp_path, 10, example(10))
    checkpoint.save(tmp_path, 20, example(20))
    return tmp_path


def test_round_trip(tmp_path):
    assert_round_trip(example(), tmp_path)


def test_optimiser_state_keeps_its_whole_number_keys(tmp_path):
    optimizer = trained_optimizer()
    back = assert_round_trip({"optimizer": optimizer.state_dict()}, tmp_path)
    assert set(back["optimizer"]["state"]) == {0, 1}
    again = torch.optim.AdamW(torch.nn.Linear(3, 2).parameters(), lr=9)
    again.load_state_dict(back["optimizer"])
    assert equal(tree(again.state_dict()), tree(optimizer.state_dict()))


@pytest.mark.parametrize(
    "kind",
    ["bfloat16", "float16", "float32", "float64", "bool", "uint8", "int8", "int16", "int64"],
)
@pytest.mark.parametrize("shape", [(), (0,), (0, 3), (2, 3)])
def test_tensors_of_every_kind(kind, shape, tmp_path):
    tensor = torch.randint(0, 2, shape, generator=torch.Generator().manual_seed(1))
    assert_round_trip({"x": tensor.to(getattr(torch, kind))}, tmp_path)


@pytest.mark.parametrize(
    "array",
    [
        np.array(1.5),
        np.zeros((0, 4), np.float32),
        np.array([True, False]),
        np.arange(5, dtype=np.int32)[::-2],
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.arange(4, dtype=np.uint64),
        np.array([np.nan, np.inf, -0.0]),
    ],
    ids=str,
)
def test_arrays_of_every_kind(array, tmp_path):
    back = assert_round_trip({"x": {"deep": [array]}}, tmp_path)
    assert back["x"]["deep"][0].flags.writeable


def test_views_of_one_storage_and_expanded_tensors(tmp_path):
    base = torch.arange(6.0)
    assert_round_trip({"m": {"a": base[:3], "b": base[2:], "c": base[:1].expand(4)}}, tmp_path)


def test_names_that_would_collide(tmp_path):
    one, two, three = (torch.tensor(x) for x in (1, 2, 3))
    state = {"m": {"a.b": one, "a": {"b": two}, 0: three, "0": one}, "m.a": {"b": three}}
    assert_round_trip(state, tmp_path)


def test_generators_continue(tmp_path):
    draw = np.random.default_rng(1)
    draw.integers(3, size=5, dtype=np.int8)  # leaves half a word behind
    back = assert_round_trip({"state": draw.bit_generator.state}, tmp_path)
    again = np.random.default_rng()
    again.bit_generator.state = back["state"]
    assert again.integers(1000) == draw.integers(1000)


leaves = (
    st.none()
    | st.booleans()
    | st.integers(-(2**130), 2**130)
    | st.floats()
    | st.text()
    | st.integers(0, 5).map(lambda n: torch.full((n,), 0.5))
    | st.integers(0, 5).map(lambda n: np.arange(n))
)
keys = st.text(max_size=5) | st.integers(-3, 3) | st.just("$tensor") | st.just("$items")
trees = st.recursive(
    leaves, lambda t: st.lists(t, max_size=3) | st.dictionaries(keys, t), max_leaves=12
)
names = st.text("abcdefgh_", min_size=1, max_size=5)


@settings(max_examples=40)
@given(state=st.dictionaries(names, trees, max_size=3))
def test_any_tree_round_trips(state, tmp_path_factory):
    assert_round_trip(state, tmp_path_factory.mktemp("tree"))


@pytest.mark.parametrize("value", [object(), b"bytes", {1, 2}, np.array(["text"]), lambda: 0])
def test_what_cannot_be_saved_is_refused_and_leaves_nothing(value, tmp_path):
    with pytest.raises(TypeError):
        checkpoint.save(tmp_path, 1, {"x": value})
    assert list(tmp_path.iterdir()) == []


def inode(folder, step, number):
    return (folder / checkpoint.name_of(step) / f"segment-{number}.frozen").stat().st_ino


def test_frozen_arrays_are_linked_from_the_checkpoint_before_the_last(two):
    assert inode(two, 10, 0) != inode(two, 20, 0)  # neighbours share nothing
    state = example(30)
    state["memory"]["full"] = [segment(1), segment(2)]
    checkpoint.save(two, 30, state)
    assert inode(two, 30, 1) == inode(two, 10, 1)
    checkpoint.save(two, 40, state)
    assert inode(two, 40, 1) == inode(two, 20, 1)
    checkpoint.prune(two, [10, 20, 30])
    assert not (two / checkpoint.name_of(30) / "segment-0.frozen").exists()
    checkpoint.prune(two, [30])
    assert checkpoint.steps(two) == [30]
    assert equal(tree(state), checkpoint.load_newest(two)[1])  # whole without those before it


def test_frozen_arrays_are_written_where_they_cannot_be_linked(two, monkeypatch):
    def refuse(self, target):
        raise PermissionError(1, "no hard links here")

    monkeypatch.setattr(checkpoint.Path, "hardlink_to", refuse)
    checkpoint.save(two, 30, example(30))
    assert inode(two, 30, 0) != inode(two, 20, 0)
    assert equal(tree(example(30)), checkpoint.load_newest(two)[1])


def test_frozen_arrays_are_verified_at_once_and_read_when_asked_for(two):
    path = two / checkpoint.name_of(20)
    arrays = checkpoint.load(path)[1]["memory"]["full"][0].arrays
    assert sorted(arrays) == ["ended", "rows"] and len(arrays) == 2 and "other" not in arrays
    assert np.array_equal(arrays["rows"], segment(0).arrays["rows"])
    (path / "segment-0.frozen").unlink()
    with pytest.raises(RunError, match=r"step-0000000020 is damaged: segment-0\.frozen"):
        arrays["rows"]


@pytest.mark.parametrize("damage", ["cut", "gone"])
def test_frozen_arrays_are_written_anew_when_the_last_ones_are_damaged(damage, two):
    last = two / checkpoint.name_of(20) / "segment-0.frozen"
    last.unlink()
    if damage == "cut":
        last.write_bytes(b"cut")
    checkpoint.save(two, 30, example(30))
    assert equal(tree(example(30)), checkpoint.load_newest(two)[1])


def test_damage_to_a_segment_leaves_every_other_checkpoint_whole(two):
    shared = two / checkpoint.name_of(20) / "segment-0.frozen"
    content = bytearray(shared.read_bytes())
    content[-1] ^= 1
    shared.write_bytes(content)
    assert checkpoint.load_newest(two)[0] == 10
    for step in (30, 40, 50):  # by a process that has the right rows in memory
        checkpoint.save(two, step, example(step))
        checkpoint.prune(two, checkpoint.steps(two)[-2:])
        assert checkpoint.load_newest(two)[0] == {30: 30, 40: 30, 50: 50}[step]


@pytest.mark.parametrize("name", ["manifest.json", "segment-0.frozen", "state.json"])
def test_a_checkpoint_that_cannot_be_read_just_now_is_not_taken_for_damaged(name, two, monkeypatch):
    open_, read = Path.open, Path.read_bytes

    def failing(whole):
        def call(self, *args, **kwargs):
            if self.name == name:
                raise OSError(errno.EIO, "Input/output error")
            return whole(self, *args, **kwargs)

        return call

    monkeypatch.setattr(Path, "open", failing(open_))
    monkeypatch.setattr(Path, "read_bytes", failing(read))
    with pytest.raises(RunError, match=f"cannot read {name}: Input/output error"):
        checkpoint.load_newest(two)


def files_of(folder):
    return sorted(path.name for path in (folder / checkpoint.name_of(20)).iterdir())


def assert_falls_back(folder, caplog):
    caplog.clear()
    step, state = checkpoint.load_newest(folder)
    assert step == 10 and equal(tree(example(10)), state)
    assert "step-0000000020 is damaged" in caplog.text and "the one before" in caplog.text


FILES = (
    "manifest.json",
    "memory.safetensors",
    "model.safetensors",
    "segment-0.frozen",
    "segment-1.frozen",
    "state.json",
)


def test_the_files_of_a_checkpoint(two):
    assert files_of(two) == list(FILES)


@pytest.mark.parametrize("name", FILES)
def test_every_truncation_falls_back(name, two, caplog):
    path = two / checkpoint.name_of(20) / name
    whole = path.read_bytes()
    for length in {0, 1, 7, 8, 9, len(whole) // 2, len(whole) - 1}:
        path.write_bytes(whole[:length])
        assert_falls_back(two, caplog)
    for content in (whole + b"\0", bytes(len(whole)), whole[::-1]):
        path.write_bytes(content)
        assert_falls_back(two, caplog)
    path.unlink()
    assert_falls_back(two, caplog)
    path.mkdir()
    assert_falls_back(two, caplog)


def flip_bits(name, folder, caplog, times):
    path = folder / checkpoint.name_of(20) / name
    whole = path.read_bytes()
    draw = np.random.default_rng(len(name))
    for bit in draw.integers(8 * len(whole), size=times):
        flipped = bytearray(whole)
        flipped[bit // 8] ^= 1 << (bit % 8)
        path.write_bytes(bytes(flipped))
        assert_falls_back(folder, caplog)


@pytest.mark.parametrize("name", FILES)
def test_flipped_bits_fall_back(name, two, caplog):
    flip_bits(name, two, caplog, 40)


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_five_hundred_flipped_bits_fall_back(name, two, caplog):
    flip_bits(name, two, caplog, 500)


def test_an_empty_or_alien_directory_falls_back(two, caplog):
    newest = two / checkpoint.name_of(20)
    shutil.rmtree(newest)
    newest.mkdir()
    assert_falls_back(two, caplog)
    newest.rmdir()
    newest.write_text("a file")
    assert_falls_back(two, caplog)


class Bomb:
    def __init__(self, canary):
        self.canary = canary

    def __reduce__(self):
        return os.mkdir, (str(self.canary),)


@pytest.mark.parametrize("signed", [False, True], ids=["as it is", "with a fitting manifest"])
@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("writer", [pickle.dumps, "torch"])
def test_a_pickle_in_place_of_a_file_is_refused(writer, name, signed, two, tmp_path_factory):
    canary = tmp_path_factory.mktemp("canary") / "alive"
    folder = two / checkpoint.name_of(20)
    if writer == "torch":
        torch.save({"x": Bomb(canary)}, canary.with_name("bomb.pt"))
        content = canary.with_name("bomb.pt").read_bytes()
    else:
        content = writer(Bomb(canary))
    (folder / name).write_bytes(content)
    if signed and name != "manifest.json":
        sign(folder, name, content)
    with pytest.raises(RunError):
        checkpoint.load(folder)
    assert checkpoint.load_newest(two)[0] == 10
    assert not canary.exists()


def sign(folder, name, content):
    """Rewrite the manifest of ``folder`` as if ``content`` belonged there."""
    scratch = folder.parent / "scratch"
    facts = hashed_files.put(scratch, content)
    scratch.unlink()
    manifest = json.loads((folder / "manifest.json").read_bytes())
    signed = checkpoint._manifest(manifest["step"], {**manifest["files"], name: facts})
    (folder / "manifest.json").write_bytes(signed)


@pytest.mark.parametrize(
    "content",
    [
        b"[]",
        b'{"a": {"$tensor": "model/none"}}',
        b'{"a": {"$tensor": 5}}',
        b'{"a": {"$frozen": "../../x"}}',
        b'{"a": {"$items": [1]}}',
        b'{"a": {"$items": [[[], 1]]}}',
        b"[" * 100_000,
        b"\xff\xfe",
    ],
)
def test_a_forged_skeleton_is_refused(content, two):
    folder = two / checkpoint.name_of(20)
    (folder / "state.json").write_bytes(content)
    sign(folder, "state.json", content)
    with pytest.raises(RunError):
        checkpoint.load(folder)


@pytest.mark.parametrize("files", [{}, {"state.json": None}, {"state.json": {"size": 2}}, {"a": 1}])
def test_a_forged_manifest_is_refused(files, two):
    folder = two / checkpoint.name_of(20)
    (folder / "manifest.json").write_bytes(checkpoint._manifest(20, files))
    with pytest.raises(RunError):
        checkpoint.load(folder)


def test_nothing_saved_and_nothing_whole(tmp_path):
    assert checkpoint.load_newest(tmp_path / "none") is None
    checkpoint.save(tmp_path, 1, example())
    (tmp_path / checkpoint.name_of(1) / "state.json").unlink()
    with pytest.raises(RunError, match="all 1 checkpoints are damaged"):
        checkpoint.load_newest(tmp_path)


def test_the_same_step_saved_again(two):
    checkpoint.save(two, 20, example(21))
    assert equal(tree(example(21)), checkpoint.load_newest(two)[1])
    assert sorted(p.name for p in two.iterdir()) == [checkpoint.name_of(s) for s in (10, 20)]


def test_leftovers_of_killed_saves_and_prunes_are_no_checkpoints_and_are_cleaned(two):
    for name in (".tmp-30-123", ".tmp-prune-10", ".tmp-replaced-20"):
        shutil.copytree(two / checkpoint.name_of(20), two / name)
    (two / ".tmp-30-123" / "manifest.json").unlink()
    assert checkpoint.steps(two) == [10, 20]
    assert checkpoint.load_newest(two)[0] == 20
    checkpoint.clean(two)
    assert sorted(p.name for p in two.iterdir()) == [checkpoint.name_of(s) for s in (10, 20)]


def test_prune_keeps_what_is_asked_for(tmp_path):
    for step in (1, 2, 3, 4):
        checkpoint.save(tmp_path, step, example(step))
    checkpoint.prune(tmp_path, [2, 4, 99])
    assert checkpoint.steps(tmp_path) == [2, 4]
    assert [checkpoint.load(tmp_path / checkpoint.name_of(s))[0] for s in (2, 4)] == [2, 4]


def test_ten_digits_and_more_sort_by_number(tmp_path):
    for step in (9, 10**10, 10**9):
        checkpoint.save(tmp_path, step, {"step": step})
    assert checkpoint.steps(tmp_path) == [9, 10**9, 10**10]
