"""The supervised task: order, schedule, prediction, errors that name the tensor."""

import copy
import itertools
import math

import numpy as np
import pytest
import tiny_tasks
import torch
from tiny_tasks import CPU, SETTINGS, Points, build, equal, points_problem

from toolkit.core import supervised
from toolkit.core.errors import RunError
from toolkit.core.supervised import Supervised, SupervisedConfig


def indices_of(task, steps):
    return np.concatenate([task._indices(i) for i in steps])


@pytest.mark.parametrize(("n", "size"), [(96, 20), (96, 96), (7, 20), (96, 1), (5, 5)])
def test_every_epoch_visits_every_example_once(n, size):
    epochs = 4
    steps = range(math.ceil(epochs * n / size))
    order = np.concatenate([supervised._shuffled(n, i * size, size, 3) for i in steps])
    shuffles = order[: epochs * n].reshape(epochs, n)
    assert np.array_equal(np.sort(shuffles, axis=1), np.tile(np.arange(n), (epochs, 1)))
    assert n < 6 or all(not np.array_equal(a, b) for a, b in itertools.pairwise(shuffles))


def test_order_is_a_pure_function_of_seed_and_step():
    one, two = build("supervised", SETTINGS), build("supervised", SETTINGS)
    forwards = [one._indices(i).tolist() for i in range(12)]
    backwards = [two._indices(i).tolist() for i in reversed(range(12))]
    assert forwards == backwards[::-1]
    other = build("supervised", SETTINGS.model_copy(update={"seed": 4}))
    assert forwards != [other._indices(i).tolist() for i in range(12)]


def test_a_batch_handed_out_cannot_spoil_the_order():
    before = supervised._shuffled(20, 0, 20, 1).copy()
    supervised._shuffled(20, 0, 20, 1)[:] = 0
    assert np.array_equal(supervised._shuffled(20, 0, 20, 1), before)


def test_weighted_sampling_follows_the_weights():
    task = build("weighted", SETTINGS)
    drawn = indices_of(task, range(500))
    share = np.mean(task.problem.train.y[drawn] == 0)
    zeros = np.sum(task.problem.train.y == 0)
    expected = 3 * zeros / (3 * zeros + 96 - zeros)
    assert share == pytest.approx(expected, abs=4 * math.sqrt(0.25 / len(drawn)))
    assert np.array_equal(drawn, indices_of(build("weighted", SETTINGS), range(500)))


def test_same_seed_identical_and_independent_of_global_state():
    tasks = []
    for noise in (1, 2):
        torch.manual_seed(noise)
        task = build("supervised", SETTINGS)
        torch.rand(noise)
        losses = [task.step(i) for i in range(5)]
        tasks.append((losses, task.state_dict()))
    assert equal(tasks[0], tasks[1])


def test_evaluation_changes_no_state():
    task = build("supervised", SETTINGS)
    task.step(0)
    before = {k: v.clone() for k, v in task.model.state_dict().items()}
    first = task.evaluate(1)
    assert task.evaluate(1) == first
    assert equal(before, dict(task.model.state_dict()))
    untouched = build("supervised", SETTINGS)
    untouched.step(0)
    assert task.step(1) == untouched.step(1)


def test_schedule_rises_then_falls():
    settings = SupervisedConfig(warmup=0.1, final_rate=0.01)
    shares = np.linspace(0, 1, 101)
    factors = np.array([supervised.rate_factor(share, settings) for share in shares])
    assert factors[0] == pytest.approx(1e-3)
    assert np.all(np.diff(factors[:11]) > 0) and np.all(np.diff(factors[10:]) < 0)
    assert factors[10] == pytest.approx(1) and factors[5] == pytest.approx(0.5)
    assert factors[-1] == pytest.approx(0.01)
    assert factors[55] == pytest.approx(0.01 + 0.99 * 0.5)
    assert supervised.rate_factor(3.0, settings) == pytest.approx(0.01)  # extended runs


def test_schedule_without_warmup_begins_at_its_peak():
    assert supervised.rate_factor(0.0, SupervisedConfig(warmup=0)) == 1


def test_the_rate_is_set_before_each_step():
    task = build("supervised", SETTINGS)
    rates = []
    for i in range(SETTINGS.steps):
        task.step(i)
        rates.append(task.optimizer.param_groups[0]["lr"])
    factors = [supervised.rate_factor(i / SETTINGS.steps, SETTINGS) for i in range(SETTINGS.steps)]
    assert rates == [SETTINGS.learning_rate * factor for factor in factors]


def test_averaged_weights_are_what_is_released():
    task = build("supervised", SETTINGS.model_copy(update={"average": 0.2}))
    expected = None
    for i in range(5):
        task.step(i)
        now = task.model[0].weight.detach().clone()
        decay = min(0.2, (1 + i) / (10 + i))  # a young average forgets faster
        expected = now if expected is None else decay * expected + (1 - decay) * now
    torch.testing.assert_close(task.released[0].weight, expected)
    assert not torch.equal(task.released[0].weight, task.model[0].weight)
    assert build("supervised", SETTINGS).averaged is None


@pytest.mark.parametrize("batch_size", [1, 7, 95, 96, 97, 1000])
def test_predictions_keep_the_order(batch_size):
    model, points = tiny_tasks.small_model(0), Points()
    with torch.no_grad():
        expected = model.eval()(torch.from_numpy(points.x)).numpy()
    got = supervised.predict(model, points, batch_size=batch_size)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda w: w.pop("0.bias"), "'0.bias': expected float32 (32,), found none"),
        (lambda w: w.update(extra=torch.ones(2)), "'extra': expected none, found float32 (2,)"),
        (
            lambda w: w.update({"4.weight": torch.ones(3, 32)}),
            "'4.weight': expected float32 (2, 32), found float32 (3, 32)",
        ),
        (
            lambda w: w.update({"0.bias": w["0.bias"].double()}),
            "'0.bias': expected float32 (32,), found float64 (32,)",
        ),
    ],
    ids=["missing", "unexpected", "shape", "dtype"],
)
def test_weights_that_do_not_fit_are_named(change, said):
    model = tiny_tasks.small_model(0)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    weights = dict(tiny_tasks.small_model(1).state_dict())
    change(weights)
    with pytest.raises(RunError) as caught:
        supervised.load_weights(model, weights)
    assert said in caught.value.what
    assert equal(before, dict(model.state_dict()))


def test_state_is_taken_over_exactly():
    one, two = build("supervised", SETTINGS), build("supervised", SETTINGS)
    for i in range(3):
        one.step(i)
    two.load_state_dict(copy.deepcopy(one.state_dict()))
    assert [one.step(i) for i in range(3, 6)] == [two.step(i) for i in range(3, 6)]


def test_gradients_are_clipped():
    settings = SETTINGS.model_copy(update={"grad_clip": 1e-4})
    task = Supervised(points_problem(settings), settings, CPU)
    assert task.step(0)["gradient_norm"] > 1e-4  # what is told is the norm before
    norm = torch.cat([p.grad.flatten() for p in task.model.parameters()]).norm()
    assert norm.item() == pytest.approx(1e-4, rel=1e-2)
