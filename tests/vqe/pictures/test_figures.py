"""Figures of a search: what they show, what their captions say, and that nothing is in the way."""

import numpy as np
import pytest
from random_circuits import random_circuit

from toolkit.core import plots
from toolkit.core.plots import SMALL, caption_of
from toolkit.core.run import Run
from toolkit.vqe.pictures import charts, figures
from toolkit.vqe.pictures.chart_style import FLOOR_HA
from toolkit.vqe.pictures.front_chart import front

BASELINES = [
    {"method": "Hartree-Fock", "error_ha": 36.9e-3, "depth": 1, "gates": 2, "cnot": 0},
    {"method": "RY and CNOT ladder", "error_ha": 5e-4, "depth": 13, "gates": 39, "cnot": 15},
    {"method": "random circuits", "error_ha": None, "depth": 12, "gates": 39, "cnot": 9},
    {"method": "ADAPT-VQE", "error_ha": -1e-13, "depth": 78, "gates": 200, "cnot": 56},
    *[
        {"method": "beam search", "error_ha": 0.04 / d, "depth": d, "gates": 2 * d, "cnot": d}
        for d in range(1, 9)
    ],
]
PUBLISHED = [
    {"method": "a mean", "depth": 16, "gates": 35, "source": "Nobody 2021"},
    {"method": "a range", "depth": [23, 31], "source": "Nobody 2021"},
    {"method": "a circuit", "error_ha": 1.8e-4, "depth": 30, "cnot": 25, "source": "A Paper"},
]


def history(n=6000):
    """Errors that fall while the threshold moves down, and up again at each 2000th episode."""
    error = 0.03 * np.exp(-4 * np.arange(n) / n + np.random.default_rng(0).normal(0, 0.8, n))
    error[::97] = 0.0
    episode = np.arange(n)
    moved = 1.1e-3 - 1e-4 * np.minimum(episode % 2000 // 150, 5)
    threshold = np.where(episode < 2000, 5e-3, moved)
    return np.c_[error, threshold, np.full(n, 20)]


def greedy(n=6000, every=50, success=True):
    steps = range(every, n + 1, every)
    return [
        {
            "step": step,
            "greedy/error_ha": 1e-3 if success and i % 2 else 1e-2,
            "greedy/depth": 6.0 + i % 3,
            "greedy/gates": 16.0,
        }
        for i, step in enumerate(steps)
    ]


def pareto(n=300):
    rng = np.random.default_rng(0)
    depth, cnot = rng.integers(1, 18, n), rng.integers(0, 18, n)
    error = 0.8 * np.exp(-0.3 * depth - 0.3 * cnot + rng.normal(0, 0.4, n))
    rows = zip(error.tolist(), depth.tolist(), cnot.tolist())
    return [{"error_ha": e, "depth": d, "gates": d + c, "cnot": c} for e, d, c in rows]


def line(ax, label):
    (found,) = [one for one in ax.lines if one.get_label() == label]
    return found


def legend_names(figure):
    (legend,) = figure.legends
    return [text.get_text() for text in legend.get_texts()]


def draw(folder, **given):
    folder.mkdir(exist_ok=True)
    whole = {"history": history(), "greedy": greedy(), "pareto": pareto(), "baselines": BASELINES}
    run = Run(folder)
    figures.draw(run, circuit=random_circuit(4, 12), **{**whole, **given})
    return run.figures


def test_a_search_leaves_its_figures_with_captions(tmp_path):
    folder = draw(tmp_path, published=PUBLISHED)
    found = sorted(folder.iterdir())
    assert [p.name for p in found] == ["circuit.png", "errors.png", "front.png", "success.png"]
    captions = [caption_of(path) for path in found]
    cost = random_circuit(4, 12).cost
    assert f"depth {cost.depth}; gates: 12, of them CNOTs: {cost.cnot}" in captions[0]
    assert "running median over 200 episodes" in captions[1]
    assert "published results (Nobody 2021; A Paper)" in captions[2]
    assert "1e-06 Ha" in captions[2]
    assert "below 1.6 mHa" in captions[3] and "last 20" in captions[3]


def test_equal_searches_give_equal_files(tmp_path):
    first, second = (draw(tmp_path / name) for name in "ab")
    for path in first.iterdir():
        assert path.read_bytes() == (second / path.name).read_bytes()


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ({"history": np.zeros((0, 3)), "greedy": []}, ["circuit", "front"]),
        ({"history": [], "greedy": greedy()}, ["circuit", "errors", "front", "success"]),
        ({"history": history(1), "greedy": []}, ["circuit", "errors", "front"]),
        ({"greedy": [{"step": 5, "loss": 1.0}]}, ["circuit", "errors", "front"]),
        ({"greedy": greedy(50)}, ["circuit", "errors", "front", "success"]),
        ({"greedy": greedy(success=False)}, ["circuit", "errors", "front", "success"]),
        ({"baselines": []}, ["circuit", "errors", "front", "success"]),
        ({"pareto": [], "baselines": []}, ["circuit", "errors", "front", "success"]),
    ],
)
def test_what_is_not_there_is_left_out(tmp_path, given, names):
    folder = draw(tmp_path, **given)
    assert sorted(path.stem for path in folder.iterdir()) == names


def test_errors_show_points_median_threshold_and_greedy_episodes():
    figure = charts.errors(history(), [(50, 1e-2), (100, -1e-4)], "LiH")
    (ax,) = figure.axes
    assert ax.get_yscale() == "log" and ax.get_ylabel() == "error (Ha)"
    points = line(ax, "lowest of an episode")
    assert min(points.get_ydata()) == FLOOR_HA  # an error of 0
    median = line(ax, "its running median")
    assert len(median.get_xdata()) == 5801 and median.get_xdata()[0] == pytest.approx(100.5)
    assert median.get_ydata()[0] == pytest.approx(np.median(history()[:200, 0]))
    assert list(line(ax, "greedy episode").get_ydata()) == [1e-2, FLOOR_HA]
    assert line(ax, "chemical accuracy, 1.6 mHa").get_ydata()[0] == 1.6e-3


@pytest.mark.parametrize("n", [1, 2, 6000])
def test_the_threshold_is_a_step_line_that_holds_at_every_episode(n):
    (ax,) = charts.errors(history(n), []).axes
    drawn = line(ax, "threshold of success")
    assert drawn.get_drawstyle() == "steps-post" and len(drawn.get_xdata()) < 20
    episodes = np.arange(1, n + 1)
    last = np.searchsorted(drawn.get_xdata(), episodes, side="right") - 1
    np.testing.assert_array_equal(drawn.get_ydata()[last], history(n)[:, 1])


def test_long_searches_stay_small_files(tmp_path):
    figure = charts.errors(history(20_000), [])
    assert len(line(figure.axes[0], "lowest of an episode").get_xdata()) <= 4000
    assert plots.save(figure, tmp_path / "long.png").stat().st_size < 300_000
    assert "20k" in [text.get_text() for text in figure.axes[0].get_xticklabels()]


def test_errors_above_a_bound_are_drawn_above_the_exact_energy(tmp_path):
    key, lines = "greedy/error_ha", greedy(300, 10)
    above = {
        "history": history(300) + np.array([0.5, 0.5, 0]),
        "greedy": [{**one, key: one[key] + 0.5} for one in lines],
        "e_min_below_ha": 0.5,
    }
    known = draw(tmp_path / "a", history=history(300), greedy=lines)
    bound = draw(tmp_path / "b", **above)
    for name in ("errors.png", "success.png"):
        assert (known / name).read_bytes() == (bound / name).read_bytes()


def test_the_front_is_the_lowest_error_at_each_cost_or_below():
    figure = front(pareto(), BASELINES, PUBLISHED)
    for ax, key in zip(figure.axes, ("depth", "cnot")):
        drawn = line(ax, "this search")
        assert drawn.get_drawstyle() == "steps-post"
        for cost, error in zip(*drawn.get_data()):
            lowest = min(row["error_ha"] for row in pareto() if row[key] <= cost)
            assert error == pytest.approx(1e3 * max(lowest, FLOOR_HA))


def test_the_front_names_its_baselines_and_published_results():
    figure = front(pareto(), BASELINES, PUBLISHED)
    depth, cnot = figure.axes
    assert depth.get_ylim() == cnot.get_ylim() and depth.get_yscale() == "log"
    assert legend_names(figure) == [
        "this search",
        *dict.fromkeys(row["method"] for row in BASELINES if row["error_ha"] is not None),
        *(f"published: {row['method']}" for row in PUBLISHED),
        "chemical accuracy, 1.6 mHa",
    ]
    assert line(depth, "ADAPT-VQE").get_xydata().tolist() == [[78, 1e3 * FLOOR_HA]]
    published = [one for one in depth.lines if one.get_label().startswith("published: ")]
    assert [list(one.get_xdata()) for one in published] == [[16, 16], [23, 23], [31, 31], [30]]
    on_cnots = [one.get_label() for one in cnot.lines if one.get_label().startswith("published")]
    assert on_cnots == ["published: a circuit"]  # CNOTs of the others are not known


@pytest.mark.parametrize(("baselines", "scale"), [(BASELINES[:3], "linear"), (BASELINES, "symlog")])
def test_an_axis_with_dear_circuits_says_that_it_turns_logarithmic(baselines, scale):
    ax = front(pareto(), baselines).axes[0]
    assert ax.get_xscale() == scale
    assert ("logarithmic beyond 20" in ax.get_xlabel()) == (scale == "symlog")
    shallowest, deepest = ax.get_xlim()
    assert shallowest < 0 and deepest > max(row["depth"] for row in [*pareto(), *baselines])


def test_success_is_the_mean_of_the_last_twenty_evaluations():
    lines = [{"step": 1, "loss": 0.1}, *greedy()]
    rate, gates, depth = charts.success({"seed 0": lines, "seed 1": greedy()[:30]}).axes
    share = line(rate, "seed 0")
    assert share.get_xdata()[0] == 50 * charts.FEWEST and share.get_ydata()[0] == 40
    np.testing.assert_allclose(share.get_ydata()[15:], 50)
    assert len(line(rate, "seed 1").get_xdata()) == 26
    np.testing.assert_allclose(line(gates, "seed 0").get_ydata(), 16)
    assert line(depth, "seed 0").get_ydata()[-1] == pytest.approx(np.mean([6, 7, 8] * 6 + [7, 8]))


def test_success_of_nothing_is_an_empty_figure(tmp_path):
    for runs in ({}, {"": []}, {"a": [], "b": []}):
        assert plots.save(charts.success(runs), tmp_path / "none.png").exists()


def test_a_curve_shows_energies_and_errors():
    lengths = np.arange(0.8, 4.0, 0.2)
    exact = -7.85 + 0.06 * (1 - np.exp(-1.2 * (lengths - 1.6))) ** 2
    found = exact + 4e-4
    found[3] = np.nan
    energies = {"exact in the active space": exact, "Hartree-Fock": exact + 0.03, "circuit": found}
    errors_ha = {name: energies[name] - exact for name in ("Hartree-Fock", "circuit")}
    above, below = charts.curve(lengths, energies, errors_ha, "LiH").axes
    assert (above.get_ylabel(), below.get_ylabel()) == ("energy (Ha)", "error (mHa)")
    assert below.get_xlabel() == "bond length (Å)" and below.get_yscale() == "log"
    assert line(above, "circuit").get_linestyle() == "None"
    hartree_fock, circuit = below.lines
    np.testing.assert_allclose(hartree_fock.get_ydata(), 30)
    np.testing.assert_allclose(circuit.get_ydata()[[0, 1, 2, 4]], 0.4)
    assert below.get_ylim()[0] < 1.6 < below.get_ylim()[1]


def test_texts_have_the_house_size_and_stand_apart():
    figure = front(pareto(), BASELINES, PUBLISHED)
    figure.canvas.draw()
    (legend,) = figure.legends
    labels = [*legend.get_texts(), *(ax.xaxis.label for ax in figure.axes)]
    labels += [label for ax in figure.axes for label in ax.get_xticklabels()]
    boxes = [label.get_window_extent() for label in labels if label.get_text()]
    for i, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[i + 1 :])
    assert {label.get_fontsize() for label in labels} == {SMALL}
    width, height = figure.canvas.get_width_height()
    assert all(b.x0 >= 0 and b.x1 <= width and b.y0 >= 0 and b.y1 <= height for b in boxes)
