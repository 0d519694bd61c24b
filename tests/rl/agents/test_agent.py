"""What all agents share."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from toolkit.rl.agents.agent import anyhow


@pytest.mark.parametrize("squash", [False, True])
def test_random_actions_have_the_width_and_the_density_that_they_say(squash: bool) -> None:
    uniform = np.random.default_rng(0).uniform(-1, 1, (100_000, 2))
    found = anyhow(uniform, squash)
    assert np.exp(found.log_stds) == pytest.approx(np.full((100_000, 2), found.actions.std()), 0.01)
    law = stats.logistic(scale=0.5) if squash else stats.uniform(-1, 2)  # artanh of a uniform one
    expected = law.logpdf(found.actions.astype(np.float64)).sum(1)
    inner = np.abs(uniform).max(1) < 0.999  # beyond, float32 rounds
    np.testing.assert_allclose(found.log_probs[inner], expected[inner], atol=1e-3)
