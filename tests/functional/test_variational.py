# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""The terms of Bayes by backprop, against golden vectors and against integrals."""

from pathlib import Path

import numpy as np
import pytest
from scipy import integrate, stats

from skal.functional import (
    gaussian_kl,
    gaussian_log_density,
    minibatch_weights,
    scale_mixture_log_density,
)

FOLDER = Path(__file__).parents[1] / "golden" / "bayes_by_backprop"
GOLDEN = sorted(FOLDER.glob("*.npz"))
with_golden = pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)


@with_golden
def test_log_densities_are_the_golden_ones(path):
    case = np.load(path)
    log_q = gaussian_log_density(case["w"], case["mu"], case["sigma"])
    np.testing.assert_allclose(log_q, case["log_q"], rtol=1e-10)
    log_prior = gaussian_log_density(case["w"])
    np.testing.assert_allclose(log_prior, case["log_prior_std_normal"], rtol=1e-10)
    log_prior = scale_mixture_log_density(
        case["w"], float(case["pi"]), (case["sigma1"], case["sigma2"])
    )
    np.testing.assert_allclose(log_prior, case["log_prior_mixture"], rtol=1e-10)


@with_golden
def test_divergence_and_batch_weights_are_the_golden_ones(path):
    case = np.load(path)
    divergence = gaussian_kl(case["mu"], case["sigma"])
    np.testing.assert_allclose(divergence, case["kl_closed_form_std_normal"])
    weights = minibatch_weights(int(case["M"]), kind="blundell")
    np.testing.assert_allclose(weights, case["minibatch_weights"], rtol=1e-12)


def test_divergence_is_the_mean_of_the_difference_of_log_densities():
    mean, scale, prior = 0.7, 0.3, 0.5
    q = stats.norm(mean, scale)
    expected, _ = integrate.quad(
        lambda w: q.pdf(w) * (q.logpdf(w) - stats.norm(0, prior).logpdf(w)), -3, 4
    )
    assert gaussian_kl(mean, scale, prior) == pytest.approx(expected)
    drawn = q.rvs(20_000, random_state=0)
    sampled = gaussian_log_density(drawn, mean, scale)
    sampled -= gaussian_log_density(drawn, scale=prior)
    assert sampled / len(drawn) == pytest.approx(expected, abs=0.02)


def test_densities_integrate_to_one():
    for density in (
        lambda w: gaussian_log_density(w, 0.3, 0.2),
        lambda w: scale_mixture_log_density(w, 0.25, (1.0, 0.1)),
    ):
        total, _ = integrate.quad(lambda w: np.exp(density(w)), -8, 8, points=[0.0])  # noqa: B023
        assert total == pytest.approx(1)


def test_a_mixture_far_out_is_its_wide_part():
    """Where a density of float64 would be 0, its logarithm is still finite."""
    far = scale_mixture_log_density([50.0], 0.25, (1.0, 0.01))
    assert far == pytest.approx(np.log(0.25) + stats.norm.logpdf(50))


def test_terms_are_summed_over_weights_of_any_shape():
    w = np.random.RandomState(0).normal(size=(3, 4))
    for density in (gaussian_log_density, scale_mixture_log_density):
        each = [density(value) for value in w.ravel()]
        assert density(w) == pytest.approx(sum(each))
    assert gaussian_kl(w, np.abs(w)) == gaussian_kl(w.ravel(), np.abs(w).ravel())
    assert gaussian_kl(w, np.abs(w)) > 0
    assert isinstance(gaussian_kl(w, np.abs(w)), float)


@pytest.mark.parametrize("kind", ["uniform", "blundell"])
@pytest.mark.parametrize("n_batches", [1, 2, 5000])
def test_batch_weights_sum_to_one_and_never_overflow(kind, n_batches):
    weights = minibatch_weights(n_batches, kind)
    assert weights.shape == (n_batches,)
    assert weights.sum() == pytest.approx(1)
    assert (np.diff(weights) <= 0).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: gaussian_log_density([0.0], scale=0), "scale must be above 0"),
        (lambda: gaussian_kl([0, 0], [1, -1]), "scale must be above 0 .* Got -1"),
        (lambda: gaussian_kl([0], [1], 0), "prior_scale must be above 0"),
        (lambda: scale_mixture_log_density([0], 1.0), "between 0 and 1. Got 1.0"),
        (lambda: scale_mixture_log_density([0], 0.5, (1, 0)), "scales must be above"),
        (lambda: minibatch_weights(0), "n_batches must be at least 1. Got 0"),
        (lambda: minibatch_weights(3, "half"), "kind must be one of .* Got 'half'"),
    ],
)
def test_what_is_no_scale_or_share_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
