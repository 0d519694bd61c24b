from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from toolkit.core.errors import ConfigError
from toolkit.hsi import synthetic


def test_some_classes_are_kept_and_the_others_pixels_are_unlabelled():
    made = replace(synthetic.scene(20, 20, 8, 4, seed=0), class_ids=(2, 3, 7, 9))
    kept = made.only((9, 3))
    assert (kept.classes, kept.class_ids) == ((made.classes[1], made.classes[3]), (3, 9))
    np.testing.assert_array_equal(kept.labels == 1, made.labels == 2)
    np.testing.assert_array_equal(kept.labels == 2, made.labels == 4)
    assert kept.colours == ((made.colours[1], made.colours[3]) if made.colours else ())
    assert kept.notes[-1] == "2 of 4 classes were kept" and kept.facts["classes"] == [9, 3]


def test_a_class_that_is_none_is_named_with_those_there_are():
    with pytest.raises(ConfigError, match=r"no class has id 5; .* \[1, 2, 3\]"):
        synthetic.scene(20, 20, 8, 3, seed=0).only((1, 5))
