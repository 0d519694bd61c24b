"""The moving threshold on hand-made traces."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.vqe.curriculum import CurriculumConfig, Threshold

MOVING = CurriculumConfig(
    kind="moving", threshold_ha=0.1, every=6, slack_ha=0.01, successes=2, lowerings=2
)


def trace(config, episodes, start=None):
    """The thresholds after each of ``episodes``, pairs of lowest error and success."""
    states = [start or Threshold(config.threshold_ha)]
    for error, succeeded in episodes:
        states.append(states[-1].after(error, succeeded, config))
    return states[1:]


def values(states):
    return pytest.approx([state.value_ha for state in states], abs=1e-15)


def test_a_fixed_threshold_never_moves_and_counts():
    states = trace(CurriculumConfig(threshold_ha=0.1), [(0.05, True)] * 5000)
    assert {state.value_ha for state in states} == {0.1}
    assert (states[-1].episodes, states[-1].lowest_error_ha) == (5000, 0.05)


def test_after_enough_episodes_it_returns_to_the_lowest_error_and_counts_anew():
    states = trace(MOVING, [(0.3, False), (0.2, False), (0.02, True), *[(0.4, False)] * 5])
    assert values(states) == [*[0.1] * 5, *[0.03] * 3]
    assert [state.episodes for state in states] == [1, 2, 3, 4, 5, 0, 1, 2]
    assert [state.successes for state in states] == [0, 0, 1, 1, 1, 0, 0, 0]
    assert [state.lowest_error_ha for state in states] == [0.3, 0.2, *[0.02] * 6]


def test_it_may_return_to_a_higher_value():
    start = Threshold(0.005, episodes=5, lowered=2, lowest_error_ha=0.02)
    (state,) = trace(MOVING, [(0.3, False)], start)
    assert state == Threshold(pytest.approx(0.03), lowest_error_ha=0.02)


def test_successes_lower_it_by_a_tenth_of_the_slack_so_many_times():
    config = replace_config(MOVING, every=100)
    states = trace(config, [(0.05, True)] * 8)
    assert values(states) == [0.1, 0.099, 0.099, *[0.098] * 5]
    assert [state.successes for state in states] == [1, 0] * 4
    assert [state.lowered for state in states] == [0, 1, 1, 2, 2, 2, 2, 2]


def test_failures_between_successes_do_not_reset_their_count():
    config = replace_config(MOVING, every=100)
    states = trace(config, [(0.05, True), (0.2, False), (0.2, False), (0.05, True)])
    assert values(states) == [0.1, 0.1, 0.1, 0.099]


def test_lowerings_begin_anew_after_a_return():
    start = Threshold(0.1, episodes=5, successes=1, lowered=2, lowest_error_ha=0.05)
    states = trace(MOVING, [(0.05, True)] * 3, start)
    assert values(states) == [0.06, 0.06, 0.059]
    assert [state.lowered for state in states] == [0, 0, 1]


def test_it_is_never_lowered_below_the_lowest_error():
    config = replace_config(MOVING, every=100, successes=1, lowerings=10)
    states = trace(config, [(0.0985, True)] * 5)
    assert values(states) == [0.099, *[0.0985] * 4]


def replace_config(config, **changes):
    return CurriculumConfig(**{**config.model_dump(), **changes})


def test_it_never_goes_below_its_floor():
    floored = replace_config(MOVING, floor_ha=0.095)
    states = trace(floored, [(1e-9, True)] * 30)
    assert min(state.value_ha for state in states) == 0.095


errors = st.lists(st.tuples(st.floats(0, 1), st.booleans()), max_size=60)


@given(errors, st.sampled_from([MOVING, CurriculumConfig(threshold_ha=0.1)]))
def test_a_threshold_is_a_function_of_the_episodes_and_changes_nothing_before(episodes, config):
    states, once_more = trace(config, episodes), trace(config, episodes)
    assert states == once_more
    for before, (error, succeeded) in zip(states, episodes):
        copy = replace(before)
        before.after(error, succeeded, config)
        assert before == copy


def test_its_state_cannot_be_changed_in_place():
    with pytest.raises(FrozenInstanceError):
        Threshold(0.1).value_ha = 0.0  # type: ignore[misc]


def test_it_is_final_once_it_is_fixed_or_on_its_floor():
    assert Threshold(5.0).is_final(CurriculumConfig(threshold_ha=5.0))
    floored = replace_config(MOVING, floor_ha=0.01)
    assert not Threshold(0.0101).is_final(floored)
    assert Threshold(0.01).is_final(floored)
