from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from PIL import Image

from toolkit.core.plots import caption_of
from toolkit.hsi import synthetic
from toolkit.hsi.maps.legend import Legend
from toolkit.hsi.maps.map_figures import draw_map, map_figure
from toolkit.hsi.scene import Scene

SCENE = replace(synthetic.scene(40, 50, 12, 4, 0, name="s"), colours=())
CLASSES = np.maximum(SCENE.labels - 1, 0).astype(np.int16)  # type: ignore[operator]
CONFIDENCE = np.random.default_rng(0).random(SCENE.shape).astype(np.float32)


def titles(figure: Figure) -> list[str]:
    return [title for ax in figure.axes if (title := ax.get_title(loc="left"))]


def entries(figure: Figure) -> dict[str, tuple[int, ...]]:
    (legend,) = figure.legends
    patches = zip(legend.get_texts(), legend.get_patches())
    return {
        text.get_text(): tuple(round(255 * v) for v in to_rgb(patch.get_facecolor()))
        for text, patch in patches
    }


def test_panels_legend_and_files_have_the_same_colours() -> None:
    figure = map_figure(SCENE, CLASSES, CONFIDENCE)
    assert titles(figure)[1:] == ["ground truth", "class map", "confidence"]
    legend = Legend.of_scene(SCENE)
    named = dict(zip(legend.names, legend.colours)) | {"unlabelled": (0, 0, 0)}
    assert entries(figure) == named
    truth, found = (ax.images[0].get_array() for ax in figure.axes[1:3])
    np.testing.assert_array_equal(truth, legend.paint(SCENE.labels - 1))
    np.testing.assert_array_equal(found, legend.paint(CLASSES))


def test_a_scene_without_truth_has_no_panel_for_it() -> None:
    bare = replace(SCENE, labels=None, classes=(), class_ids=(), wavelengths_nm=None)
    figure = map_figure(bare, CLASSES, CONFIDENCE, Legend.of_scene(SCENE))
    assert titles(figure) == ["bands 10, 6, 2", "class map", "confidence"]
    assert list(entries(figure)) == list(SCENE.classes)


def test_a_truth_of_other_classes_is_not_shown_in_the_maps_colours() -> None:
    figure = map_figure(SCENE, CLASSES, CONFIDENCE, Legend.of(("a", "b", "c", "d")))
    assert "ground truth" not in titles(figure)
    assert list(entries(figure)) == ["a", "b", "c", "d"]


def test_pixels_without_a_class_are_black_and_the_legend_says_so() -> None:
    classes = CLASSES.copy()
    classes[3, 4] = -1
    figure = map_figure(SCENE, classes, CONFIDENCE)
    assert entries(figure)["unclassified, unlabelled"] == (0, 0, 0)
    assert not figure.axes[2].images[0].get_array()[3, 4].any()


@pytest.mark.parametrize(("shape", "columns"), [((145, 145), 4), ((610, 340), 4), ((20, 90), 1)])
def test_panels_of_wide_scenes_stand_above_one_another(
    shape: tuple[int, int], columns: int
) -> None:
    labels = np.ones(shape, np.int32)
    scene = Scene("s", np.ones((*shape, 6)), labels, ("a",), (1,))
    figure = map_figure(scene, np.zeros(shape, np.int16), np.ones(shape, np.float32))
    assert figure.axes[0].get_subplotspec().get_gridspec().ncols == columns


@pytest.mark.parametrize("k", [1, 3, 40])
def test_the_legend_stays_within_the_figure(k: int) -> None:
    names = tuple(f"a class with quite a long name, {i}" for i in range(k))
    figure = map_figure(SCENE, CLASSES % k, CONFIDENCE, Legend.of(names))
    figure.draw_without_rendering()
    (legend,) = figure.legends
    assert legend.get_window_extent().width <= figure.bbox.width
    shown = [ax.get_window_extent() for ax in figure.axes if ax.images]
    assert all(legend.get_window_extent().y1 < box.y0 for box in shown)


def test_the_png_is_whole_has_its_caption_and_comes_out_the_same_again(tmp_path: Path) -> None:
    paths = [draw_map(tmp_path / f"{i}.png", SCENE, CLASSES, CONFIDENCE) for i in range(2)]
    with Image.open(paths[0]) as image:
        assert 1600 < image.width < 2000
    assert "ground truth" in caption_of(paths[0])
    assert paths[0].read_bytes() == paths[1].read_bytes()
