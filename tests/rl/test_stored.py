from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from commands import answer, refused

from toolkit.core.errors import ConfigError, DataError, RunError
from toolkit.core.run import Run
from toolkit.rl import load_policy
from toolkit.rl.agents.networks import Actor
from toolkit.rl.agents.policy import Policy
from toolkit.rl.agents.standardisation import Standardisation
from toolkit.rl.config import RlRunConfig
from toolkit.rl.environments import Spaces
from toolkit.rl.stored import load_stored, save_policy

SPACES = Spaces(3, np.array([-2.0], np.float32), np.array([2.0], np.float32), 200)
CONFIG = RlRunConfig(
    env="Pendulum-v1", env_args={"g": 9.81}, label="acerax", hidden=(8, 8), activation="relu"
)


def small(squash=False, standardise=True, bounded=False):
    torch.manual_seed(0)
    standardisation = Standardisation(3, standardise)
    standardisation.update(np.random.default_rng(0).normal(size=(30, 3)))
    return Policy(SPACES, Actor([3, 8, 8, 1], "relu", bounded, 1.3), standardisation, squash)


@pytest.fixture
def run(tmp_path):
    """A finished run below ``tmp_path``."""
    made = Run.create(tmp_path, "rl", "run", CONFIG)
    save_policy(made.path, small(), CONFIG, [0.25])
    return made


@pytest.mark.parametrize(("squash", "bounded"), [(False, False), (True, False), (False, True)])
@pytest.mark.parametrize("standardise", [False, True])
def test_a_policy_comes_back_and_acts_to_the_bit_alike(tmp_path, squash, bounded, standardise):
    policy = small(squash, standardise, bounded)
    said = save_policy(tmp_path, policy, CONFIG, [0.25])
    again, about = load_stored(tmp_path)
    rows = torch.randn(20, 3)
    assert again(rows).equal(policy(rows)) and not again.training
    assert about == said and about.env_args == {"g": 9.81} and about.sigma == (0.25,)
    assert about.spaces.high.tolist() == [2.0] and about.spaces.time_limit == 200


def test_a_run_is_loaded_by_path_prefix_and_as_the_last_one(run, tmp_path):
    observation = np.array([1.0, 0.0, 0.5])
    expected = load_policy(run.path)(observation)
    for spec in (str(run.path), run.name[:30], "@last:rl"):
        assert load_policy(spec, tmp_path)(observation) == expected


def test_a_policy_acts_on_one_observation_or_many(run):
    policy = load_policy(run.path)
    rows = np.random.default_rng(0).normal(size=(5, 3))
    actions = policy(rows)
    assert actions.shape == (5, 1) and actions.dtype == np.float32
    assert policy(rows[0]).shape == (1,)
    np.testing.assert_allclose([policy(row) for row in rows], actions, atol=1e-6)
    assert (policy.env, policy.env_args, policy.label) == ("Pendulum-v1", {"g": 9.81}, "acerax")


def test_samples_are_those_of_the_generator_and_stay_in_the_box(run):
    policy = load_policy(run.path)
    rows = np.zeros((2000, 3))
    first, again = (
        policy(rows, deterministic=False, random=np.random.default_rng(3)) for _ in range(2)
    )
    np.testing.assert_array_equal(first, again)
    assert first.std() == pytest.approx(0.25 * 2.0, rel=0.05)  # the box is twice [-1, 1]
    assert np.abs(first).max() <= 2.0


def test_a_sample_without_a_generator_is_refused(run):
    sampling = load_policy(run.path, deterministic=False)
    with pytest.raises(ConfigError, match="generator"):
        sampling(np.zeros(3))


@pytest.mark.parametrize("shape", [(4,), (2, 4), (1, 1, 3), ()])
def test_an_observation_of_another_shape_is_refused_with_both(run, shape):
    with pytest.raises(DataError, match=r"\(3,\) or \(N, 3\)"):
        load_policy(run.path)(np.zeros(shape))


@pytest.mark.parametrize(
    ("file", "says"), [("model.safetensors", "no finished model"), ("model.json", "no policy yet")]
)
def test_a_missing_file_is_an_unfinished_policy(run, file, says):
    (run.path / file).unlink()
    with pytest.raises(RunError, match=says):
        load_policy(run.path)


@pytest.mark.parametrize("file", ["model.safetensors", "model.json"])
@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b"\xff\xfe\x00"])
def test_a_damaged_file_is_one_clear_error(run, file, content):
    (run.path / file).write_bytes(content)
    with pytest.raises(RunError):
        load_policy(run.path)


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("sigma", [0.1, 0.2], "differ in length"),
        ("activation", "rleu", "rleu"),
        ("hidden", [0], "sizes"),
        ("observation_size", "three", "observation_size"),
        ("low", ["NaN"], "low"),
        ("surprise", 1, "surprise"),
    ],
)
def test_a_description_that_cannot_be_is_named(run, key, value, says):
    path = run.path / "model.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))
    with pytest.raises(RunError, match=says):
        load_policy(run.path)


def test_weights_of_another_network_are_named_with_both_shapes(run):
    path = run.path / "model.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "hidden": [8, 9]}))
    with pytest.raises(RunError, match=r"'actor\..*weight'.* 9\), found .* 8\)"):
        load_policy(run.path)


@pytest.mark.parametrize(
    ("state", "step", "is_told"),
    [
        ("running", 500, True),
        ("failed", 301, True),
        ("paused", 300, False),
        ("finished", 500, False),
    ],
)
def test_a_policy_that_its_run_has_gone_on_from_is_told(run, state, step, is_told, caplog):
    save_policy(run.path, small(), CONFIG, [0.25], step=300)
    run.set_status(state, step)
    load_policy(run.path)
    assert (f"come to step {step}, its policy is of step 300" in caplog.text) == is_told
    (run.path / "status.json").write_text("{")
    load_policy(run.path)


def test_a_run_of_another_application_is_refused(tmp_path):
    other = Run.create(tmp_path, "ecg", "train", RlRunConfig())
    with pytest.raises(RunError, match="a run of ecg"):
        load_policy(other.path)


def test_the_package_knows_only_what_it_offers():
    import toolkit.rl

    with pytest.raises(AttributeError, match="load_polices"):
        _ = toolkit.rl.load_polices
    assert toolkit.rl.__all__ == ["load_policy"]


def test_export_writes_a_file_that_gives_the_same_actions(run, tmp_path):
    runtime = pytest.importorskip("onnxruntime")
    path = tmp_path / "policy.onnx"
    assert answer("rl", "export", run.path, path)["largest_difference"] < 1e-5
    rows = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
    found = runtime.InferenceSession(path).run(None, {"input": rows})[0]
    np.testing.assert_allclose(found, load_policy(run.path)(rows), atol=1e-5)


@pytest.mark.parametrize("words", [("evaluate",), ("render", "--out", "a.gif"), ("export", "a")])
def test_commands_refuse_a_run_that_has_no_policy_yet(tmp_path, words):
    made = Run.create(tmp_path, "rl", "run", RlRunConfig())
    verb, *rest = words
    refused(4, "rl", verb, made.path, *rest, says=("no policy yet", "toolkit runs resume"))
    refused(4, "rl", verb, "nothing", *rest, "--runs-dir", tmp_path, says=("nothing",))
