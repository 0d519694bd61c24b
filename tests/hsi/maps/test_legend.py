from __future__ import annotations

import numpy as np
import pytest

from toolkit.hsi.maps.legend import Legend, class_colours
from toolkit.hsi.scene import Scene


@pytest.mark.parametrize("n", [0, 1, 9, 24, 60])
def test_every_class_has_a_colour_of_its_own_that_is_not_black(n: int) -> None:
    colours = class_colours(n)
    assert len(set(colours)) == n
    assert all(max(colour) > 60 for colour in colours)


def test_the_first_colours_do_not_depend_on_how_many_follow() -> None:
    assert class_colours(40)[:5] == class_colours(5)


def test_many_colours_are_far_apart() -> None:
    colours = np.array(class_colours(24), int)
    distances = np.abs(colours[:, None] - colours).sum(-1) + 999 * np.eye(24, dtype=int)
    assert distances.min() > 60


def test_the_users_own_ids_and_colours_are_kept() -> None:
    scene = Scene(
        "s",
        np.zeros((1, 1, 1)),
        np.zeros((1, 1), np.int32),
        ("corn", "soy"),
        (3, 7),
        colours=((1, 2, 3), (4, 5, 6)),
    )
    legend = Legend.of_scene(scene)
    classes = np.array([[0, -1], [1, 0]], np.int16)
    np.testing.assert_array_equal(legend.coded(classes), [[3, 0], [7, 3]])
    assert legend.coded(classes).dtype == np.uint8
    np.testing.assert_array_equal(
        legend.paint(classes), [[[1, 2, 3], [0, 0, 0]], [[4, 5, 6], [1, 2, 3]]]
    )


@pytest.mark.parametrize("ids", [(), (1, 256), (0, 1), (5,)])
def test_ids_that_no_byte_holds_give_way_to_numbers(ids: tuple[int, ...]) -> None:
    assert Legend.of(["a", "b"], ids).values == (1, 2)


def test_files_colours_that_are_the_same_or_too_few_give_way_to_ours() -> None:
    for colours in [(), ((9, 9, 9),), ((9, 9, 9), (9, 9, 9))]:
        assert Legend.of(["a", "b"], (), colours).colours == class_colours(2)


def test_more_classes_than_a_byte_holds() -> None:
    legend = Legend.of([f"c{i}" for i in range(300)])
    assert legend.coded(np.array([[-1, 299]])).tolist() == [[0, 300]]
