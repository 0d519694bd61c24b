from __future__ import annotations

import numpy as np

from toolkit.ecg.label_share import labelled


def test_each_class_keeps_its_share_and_one_at_least() -> None:
    label = np.repeat([0, 1, 2], [1000, 50, 3])
    rows = labelled(label, 0.1, seed=0)
    assert np.bincount(label[rows]).tolist() == [100, 5, 1]
    assert (np.diff(rows) > 0).all()
    np.testing.assert_array_equal(rows, labelled(label, 0.1, seed=0))
    assert set(rows) != set(labelled(label, 0.1, seed=1))


def test_a_smaller_share_is_part_of_a_larger_one() -> None:
    label = np.repeat([0, 1], [400, 60])
    assert set(labelled(label, 0.05, 3)) <= set(labelled(label, 0.5, 3))


def test_all_labels_are_all_rows() -> None:
    label = np.array([1, 0, 1, 2])
    assert labelled(label, 1.0, 0).tolist() == [0, 1, 2, 3]
