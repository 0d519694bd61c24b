"""Figures: what they show, that texts keep apart, and that files are whole."""

import numpy as np
import pytest

from toolkit.core import plots
from toolkit.core.errors import RunError
from toolkit.core.statistics import Interval

PNG = b"\x89PNG\r\n\x1a\n"
CLASSES = "NSR APB AFL AFIB SVTA WPW PVC Bigeminy Trigeminy VT IVR VFL Fusion LBBB RBBB SDHB Paced"


def texts(ax):
    return [t.get_text() for t in ax.texts]


def assert_apart(figure, artists):
    """No two texts cover each other once drawn."""
    figure.canvas.draw()
    boxes = [a.get_window_extent() for a in artists if a.get_text() and a.get_visible()]
    assert len(boxes) > 1
    for i, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[i + 1 :])


def ecg(n=3600):
    time_s = np.arange(n) / 360
    return {"time_s": time_s, "millivolts": np.sin(9 * time_s), "title": "record 100"}


def test_save_is_whole_and_reproducible(tmp_path):
    paths = []
    for name in ("a.png", "b.png"):
        figure = plots.lines_with_bands({"one": plots.Band([0, 1], [1, 2], [0, 1], [2, 3])})
        paths.append(plots.save(figure, tmp_path / "figures" / name))
    first, second = (p.read_bytes() for p in paths)
    assert first.startswith(PNG) and first == second
    assert sorted(p.name for p in paths[0].parent.iterdir()) == ["a.png", "b.png"]


def test_a_failed_save_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    path.write_bytes(b"old")
    figure, _ = plots.canvas()

    def fail(*args, **kwargs):
        raise RuntimeError("no memory")

    monkeypatch.setattr(figure, "savefig", fail)
    with pytest.raises(RuntimeError):
        plots.save(figure, path)
    assert path.read_bytes() == b"old" and len(list(tmp_path.iterdir())) == 1


def test_learning_curves_skip_what_a_row_lacks():
    rows = [{"step": i, "loss": 1 / (i + 1)} for i in range(6)] + [{"step": 6, "loss": None}]
    rows[2]["accuracy"] = 0.5
    figure = plots.learning_curves(rows, ["loss", ("accuracy", "never")], log=["loss"])
    loss, accuracy = figure.axes
    assert loss.lines[0].get_xydata().shape == (6, 2) and loss.get_yscale() == "log"
    assert [len(line.get_xydata()) for line in accuracy.lines] == [1, 0]


def test_long_curves_are_smoothed_within_their_range():
    rows = [{"step": i, "loss": float(i % 2)} for i in range(1000)]
    raw, smooth = plots.learning_curves(rows, ["loss"]).axes[0].lines
    assert len(raw.get_xdata()) == 1000
    np.testing.assert_allclose(smooth.get_ydata(), 0.5)
    assert smooth.get_xdata()[0] == pytest.approx(9.5)  # centred on its window


@pytest.mark.parametrize("names", [list("NSVFQ"), CLASSES.split()])
def test_confusion_matrix_shows_counts_and_margins(names):
    k = len(names)
    counts = np.diag(np.arange(k) * 100)
    counts[1, 0] = 100
    figure = plots.confusion_matrix(counts, names, "title")
    (ax,) = figure.axes
    shown = texts(ax)
    assert shown.count("200") == 1 and "0" not in shown
    assert shown.count("50.0") == 1  # sensitivity of class 1
    assert shown.count("–") == 1 and "0.0" in shown  # class 0: no true sample; +P 0
    assert_apart(figure, ax.texts)
    figure.canvas.draw()
    title = ax.get_tightbbox().y1
    assert all(t.get_window_extent().y1 < title for t in ax.texts)


def test_confusion_matrix_without_any_count():
    assert plots.confusion_matrix(np.zeros((2, 2)), "ab").axes


def test_bars_show_intervals_and_single_values():
    figure = plots.bars_with_intervals(
        {
            "new": Interval(0.9, 0.85, 0.93, 0.95, 10),
            "old": Interval(-0.1, float("nan"), float("nan"), 0.95, 1),
        },
        references={"paper": 0.87},
    )
    (ax,) = figure.axes
    assert texts(ax) == ["0.9 [0.85, 0.93]   n = 10", "-0.1", "paper"]
    assert [t.get_text() for t in ax.get_yticklabels()] == ["new", "old"]
    assert_apart(figure, ax.texts)


def test_lines_name_their_references_beside_the_plot():
    x = np.arange(3) * 10_000
    curves = {n: plots.Band(x, x * i, x * i - 1, x * i + 1) for i, n in enumerate(CLASSES.split())}
    figure = plots.lines_with_bands(curves, references={"SAC": 5734})
    (ax,) = figure.axes
    legend = ax.get_legend()
    assert legend.get_texts()[-1].get_text() == "SAC: 5734"
    figure.canvas.draw()
    assert legend.get_window_extent().x0 > ax.get_window_extent().x1 - 1
    assert "20k" in [t.get_text() for t in ax.get_xticklabels()]
    styles = {(line.get_color(), line.get_linestyle()) for line in ax.lines[:14]}
    assert len(styles) == 14


@pytest.mark.parametrize("samples, columns", [(3600, 1), (360, 3), (108_000, 1)])
def test_strips_are_legible_and_to_scale(samples, columns):
    strip = ecg(samples) | {"marks": [(0.1, "N")]}
    figure = plots.signal_strips([strip] * 4, columns=columns)
    first = figure.axes[0]
    assert texts(first) == ["N"]
    figure.canvas.draw()
    box = first.get_window_extent()
    labels = [t for t in first.get_xticklabels() if box.x0 <= t.get_window_extent().x1 <= box.x1]
    assert_apart(figure, labels)
    assert_apart(figure, first.get_yticklabels())
    if samples == 3600:
        per_mv = box.height / np.ptp(first.get_ylim())
        per_s = box.width / np.ptp(first.get_xlim())
        assert per_mv / per_s == pytest.approx(0.4, rel=0.25)


def test_strips_with_gaps_and_estimates():
    strip = ecg(720)
    strip["millivolts"][100:200] = np.nan
    strip["estimate"] = np.full(720, 3.0)
    (ax,) = plots.signal_strips([strip]).axes
    assert len(ax.lines) == 2 and ax.get_ylim()[1] > 3
    empty = {"time_s": np.arange(5), "millivolts": np.full(5, np.nan)}
    assert plots.signal_strips([empty]).axes


def test_a_figure_below_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot write"):
        plots.save(plots.canvas(2, 2)[0], tmp_path / "file" / "a.png")
