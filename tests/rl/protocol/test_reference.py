"""Published returns: where they belong to an environment, and nowhere else."""

from __future__ import annotations

import pytest

from toolkit.rl.protocol.reference import normaliser, references

LOCOMOTION = ("Ant", "HalfCheetah", "Hopper", "Walker2d")


def scores(env_id: str, name: str) -> dict[int, float]:
    return {one.steps: one.score for one in references(env_id) if one.name == name}


@pytest.mark.parametrize("task", LOCOMOTION)
def test_four_algorithms_at_a_million_steps_with_their_sources(task: str) -> None:
    last = [one for one in references(f"{task}-v4") if one.steps == 1_000_000]
    assert {one.algorithm for one in last} == {"SAC", "TD3", "CrossQ", "SimbaV2"}
    assert all("arXiv" in one.source and one.score > 0 for one in last)


@pytest.mark.parametrize("task", LOCOMOTION)
def test_v5_is_told_the_scores_of_v4_under_their_name(task: str) -> None:
    assert references(f"{task}-v5") == references(f"{task}-v4")
    assert all(one.name.endswith("(v4)") for one in references(f"{task}-v5"))


def test_sac_is_known_by_budget() -> None:
    found = scores("HalfCheetah-v5", "SAC (v4)")
    assert found == {50_000: 4212, 100_000: 6156, 200_000: 7679, 500_000: 9838, 1_000_000: 11321}
    assert scores("Hopper-v4", "SAC (v4)")[100_000] == 1103
    assert scores("Walker2d-v4", "SimbaV2 (v4)") == {1_000_000: 6938}


def test_scores_are_normalised_by_sac_at_a_million_steps() -> None:
    assert normaliser("Ant-v5") == 5734
    assert normaliser("Pendulum-v1") is None


@pytest.mark.parametrize("env_id", ["Pendulum-v1", "Hopper-v2", "Hopper", "v4", "Nothing-v4", ""])
def test_nothing_is_published_for_what_is_unknown(env_id: str) -> None:
    assert references(env_id) == []
