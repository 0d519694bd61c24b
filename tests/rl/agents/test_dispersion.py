"""The properties that the spread of actions must have (Wawrzyński et al. 2022)."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from toolkit.core import rng
from toolkit.rl.agents.agent import adam, descend
from toolkit.rl.agents.dispersion import Dispersion, FixedDispersion, dispersion_loss, log_normal


def fresh(actions: int = 1, std: float = 0.4, floor: float = 1e-3, ceiling: float = 10.0):
    with rng.torch_scope(0, "test"):
        return Dispersion([1, 8, actions], std, floor, ceiling)


def fitted(actions, old_modes, modes, alpha, steps=600, dispersion=None):
    """σ (a,) that minimises L_η over fixed rows (B, a)."""
    rows = [torch.as_tensor(np.asarray(x), dtype=torch.float32) for x in (actions, old_modes)]
    mu = torch.as_tensor(np.asarray(modes), dtype=torch.float32).expand_as(rows[0])
    one = dispersion or fresh(rows[0].shape[1])
    optimizer, x = adam([(one, 0.01)]), torch.zeros(len(mu), 1)
    for _ in range(steps):
        descend(optimizer, dispersion_loss(one(x), *rows, mu, alpha))
    return one(x[:1])[0].exp().detach().numpy()


def test_log_density_is_scipys() -> None:
    a, mode, std = np.array([0.3, -1.2]), np.array([0.1, 0.4]), np.array([0.2, 1.5])
    found = log_normal(*(torch.tensor(x) for x in (a, mode, np.log(std))))
    assert found.item() == pytest.approx(stats.norm.logpdf(a, mode, std).sum())


def test_loss_is_the_negative_log_likelihood_but_for_a_constant() -> None:
    random = np.random.default_rng(0)
    a, m, mu, eta = (torch.tensor(random.normal(size=(50, 3))) for _ in range(4))
    alpha, constant = 0.3, (1 + 0.3) * 3 * 0.5 * math.log(2 * math.pi)
    likelihood = (log_normal(m, mu, eta) + alpha * log_normal(a, mu, eta)).mean()
    assert dispersion_loss(eta, a, m, mu, alpha) == pytest.approx(-likelihood.item() - constant)


def test_optimum_is_the_closed_form_in_every_dimension() -> None:
    random, alpha = np.random.default_rng(1), 0.3
    m = random.normal(0, [0.2, 0.7], (400, 2))
    a = m + random.normal(0, [0.5, 0.3], (400, 2))
    expected = np.sqrt(((m**2).mean(0) + alpha * (a**2).mean(0)) / (1 + alpha))
    np.testing.assert_allclose(fitted(a, m, np.zeros(2), alpha), expected, rtol=0.01)


@pytest.mark.parametrize(
    ("alpha", "share"), [(0.1, 0.3015), (0.3, 0.4804), (0.5, 0.5774), (1.0, 0.7071)]
)
def test_frozen_policy_shrinks_to_its_share_of_the_behaviours_width(alpha, share) -> None:
    noise = 0.5 * stats.norm.ppf((np.arange(2000) + 0.5) / 2000)[:, None]
    found = fitted(noise, np.zeros_like(noise), np.zeros(1), alpha)
    assert found[0] == pytest.approx(share * noise.std(), rel=0.01)


@given(scale=st.floats(0.25, 4.0))
def test_scaling_actions_and_modes_shifts_the_optimum_by_its_logarithm(scale) -> None:
    random, alpha = np.random.default_rng(2), 0.3
    m, a, mu = (torch.tensor(random.normal(size=(64, 2))) for _ in range(3))

    def gradient(c: float) -> np.ndarray:
        best = 0.5 * torch.log(((m - mu) ** 2 + alpha * (a - mu) ** 2).mean(0) / (1 + alpha))
        eta = (best + math.log(c)).expand(64, 2).clone().requires_grad_()
        dispersion_loss(eta, c * a, c * m, c * mu, alpha).backward()
        return eta.grad.sum(0).numpy()

    np.testing.assert_allclose(gradient(scale), 0.0, atol=1e-9)


def test_closed_loop_of_a_frozen_policy_falls_at_every_turnover_down_to_the_floor() -> None:
    random, alpha, floor = np.random.default_rng(3), 0.3, 0.05
    one, sigmas = fresh(floor=floor, ceiling=1.0), [0.4]
    for _ in range(5):
        noise = sigmas[-1] * random.standard_normal((2000, 1))
        fitted(noise, np.zeros_like(noise), np.zeros(1), alpha, 300, one)
        sigmas.append(one(torch.zeros(1, 1)).exp().item())
    expected = [max(0.4 * math.sqrt(alpha / (1 + alpha)) ** k, floor) for k in range(6)]
    assert sigmas == pytest.approx(expected, rel=0.08)
    assert sigmas[-1] == pytest.approx(floor)


def test_width_of_a_drifting_policy_is_that_of_its_drift_over_the_memory() -> None:
    random, alpha, drift, memory = np.random.default_rng(4), 0.3, 0.002, 400
    one = fresh(std=0.2)
    optimizer, x = adam([(one, 3e-3)]), torch.zeros(memory, 1)
    rows = np.zeros((memory, 2), np.float32)
    settled = []
    for t in range(12 * memory):
        std = one(x[:1]).exp().item()
        rows[t % memory] = drift * t + std * random.standard_normal(), drift * t
        a, m = torch.from_numpy(rows[: t + 1]).split(1, 1)
        mu = torch.full_like(m, drift * t)
        descend(optimizer, dispersion_loss(one(x[: len(m)]), a, m, mu, alpha))
        settled += [std] if t > 6 * memory else []
    expected = math.sqrt(1 + alpha) * drift * memory / math.sqrt(3)
    assert np.mean(settled) == pytest.approx(expected, rel=0.05)


def test_modes_get_no_gradient_from_the_dispersions_loss() -> None:
    mode = torch.zeros(4, 2, requires_grad=True)
    eta = torch.zeros(4, 2, requires_grad=True)
    dispersion_loss(eta, 2 * torch.ones(4, 2), torch.ones(4, 2), mode, 0.3).backward()
    assert mode.grad is None and eta.grad is not None and eta.grad.abs().min() > 0


def test_width_at_its_floor_is_led_back_up_but_no_farther_down() -> None:
    one = fresh(std=0.01, floor=0.1)
    assert one(torch.zeros(1, 1)).exp().item() == pytest.approx(0.1)
    before = one.layers[-1].bias.item()
    still = torch.zeros(1, 1)
    dispersion_loss(one(still), still, still, still, 0.3).backward()  # wants σ = 0
    assert one.layers[-1].bias.grad.item() == 0.0
    wide = torch.ones(1, 1)
    assert fitted(wide, wide, np.zeros(1), 0.3, 800, one)[0] == pytest.approx(1.0, rel=0.02)
    assert one.layers[-1].bias.item() > before


def test_fixed_dispersion_is_the_same_everywhere() -> None:
    found = FixedDispersion(0.2, 3)(torch.randn(5, 4, 7)).exp()
    assert found.shape == (5, 4, 3)
    np.testing.assert_allclose(found, 0.2, rtol=1e-6)
