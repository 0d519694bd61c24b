"""A comparison across environments, after Agarwal et al. 2021 (arXiv 2108.13264).

Scores are normalised by SAC's published return after a million steps (1) and a return of zero (0).
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from toolkit.core import rng
from toolkit.core.seed_statistics import Curve, performance_profile, probability_of_improvement
from toolkit.rl.protocol.comparison import Comparison, ends, interval
from toolkit.rl.protocol.histories import Floats
from toolkit.rl.protocol.reference import normaliser

_PROFILE = 101  # thresholds of a profile
NORMALISED = "return / SAC's published return after 1M steps on v4, a return of 0 being 0"


def summary(comparison: Comparison) -> dict[str, Any]:
    """Rows, aggregate and improvement for JSON, with what a reader must know beside them."""
    return {
        "rows": comparison.rows(),
        "aggregate": aggregate(comparison),
        "improvement": improvement(comparison),
        "notes": _notes(comparison),
        "warnings": list(comparison.warnings),
    }


def _notes(comparison: Comparison) -> list[str]:
    groups = comparison.groups
    notes = ["Returns are of the mode of the policy over episodes from fixed starts."]
    if any(len(one.histories) < 2 for one in groups):
        notes.append("One seed alone has no interval.")
    left_out = sorted({one.env for one in groups} - scales(comparison).keys())
    if left_out:
        why = "no published score to normalise by, or a preset has no run there"
        notes.append(f"Not in the aggregate: {', '.join(left_out)} ({why}).")
    if len({len(one.histories) for one in groups}) > 1:
        notes.append("In the aggregate environments count alike, however many seeds they have.")
    return notes


def scales(comparison: Comparison) -> dict[str, float]:
    """What a normalised score of 1 is, by environment: common to all presets, and published."""
    common = set.intersection(*(set(comparison.scores(p)) for p in comparison.presets))
    ids = {group.env: group.env_id for group in comparison.groups}
    known = {env: normaliser(ids[env]) for env in sorted(common)}
    return {env: scale for env, scale in known.items() if scale is not None}


def normalised(comparison: Comparison) -> dict[str, list[Floats]]:
    """For each preset the normalised scores, an array of seeds for each of :func:`scales`."""
    units = scales(comparison)
    scores = {preset: comparison.scores(preset) for preset in comparison.presets}
    return {p: [own[env] / unit for env, unit in units.items()] for p, own in scores.items()}


def aggregate(comparison: Comparison) -> dict[str, Any]:
    """Mean, IQM and profile of each preset over :func:`scales`; {} where there are none."""
    units = scales(comparison)
    if not units:
        return {}
    rows = []
    for preset, strata in normalised(comparison).items():
        mean, middle = interval(strata, "mean"), interval(strata, "iqm")
        row = {"preset": preset, "n_runs": mean.n, "iqm": middle.estimate}
        row |= {"iqm_ci95": ends(middle), "mean": mean.estimate, "ci95": ends(mean)}
        rows.append(row)
    thresholds, profiles = profile(comparison)
    shares = {preset: curve.middle.tolist() for preset, curve in profiles.items()}
    return {
        "normalised": NORMALISED,
        "environments": [
            {"env": env, "one_is": unit, "budget": comparison.budgets[env]}
            for env, unit in units.items()
        ],
        "presets": rows,
        "profile": {"thresholds": thresholds.tolist(), "share_above": shares},
    }


def profile(comparison: Comparison) -> tuple[Floats, dict[str, Curve]]:
    """Normalised thresholds (T,), and for each preset the share of runs above them."""
    strata = normalised(comparison)
    seen = np.concatenate([scores for arrays in strata.values() for scores in arrays])
    thresholds = np.linspace(min(0.0, seen.min()), max(0.0, 1.02 * seen.max()), _PROFILE)
    return thresholds, {
        preset: performance_profile(arrays, thresholds, rng=rng.generator(0, "compare profile"))
        for preset, arrays in strata.items()
    }


def improvement(comparison: Comparison) -> list[dict[str, Any]]:
    """For each pair of presets the probability that a run of the first beats the second's."""
    rows = []
    for a, b in itertools.combinations(comparison.presets, 2):
        one, other = comparison.scores(a), comparison.scores(b)
        common = sorted(one.keys() & other.keys())
        if common:
            strata = [[scores[env] for env in common] for scores in (one, other)]
            generator = rng.generator(0, "compare improvement")
            found = probability_of_improvement(*strata, rng=generator)
            row = {"a": a, "b": b, "environments": common, "n_runs": found.n}
            rows.append(row | {"probability": found.estimate, "ci95": ends(found)})
    return rows
