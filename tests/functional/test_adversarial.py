# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""The losses of VAAL and MAL against the authors' numbers, of arrays and of tensors."""

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.special import logit, softmax

from skal.functional import (
    adversarial_loss,
    cosine_logits,
    discriminator_loss,
    entropy,
    gaussian_divergence,
    logit_entropy,
    vae_loss,
)

GOLDEN = Path(__file__).parents[1] / "golden"
VAAL = sorted((GOLDEN / "vaal").glob("s*_B*.npz"))
MAL = sorted((GOLDEN / "mal").glob("*.npz"))
of_vaal = pytest.mark.parametrize("path", VAAL, ids=lambda path: path.stem)
of_mal = pytest.mark.parametrize("path", MAL, ids=lambda path: path.stem)
of_kinds = pytest.mark.parametrize("kind", [np.asarray, torch.tensor])


def load(path, kind):
    case = np.load(path)
    return {key: kind(case[key]) for key in case}


def test_there_are_golden_cases():
    assert len(VAAL) == len(MAL) == 2


@of_vaal
@of_kinds
@pytest.mark.parametrize("part", ["", "_u"], ids=["labelled", "unlabelled"])
def test_golden_autoencoder(path, kind, part):
    """Theirs: the squares' mean over all numbers, the divergences' sum."""
    case = load(path, kind)
    X, *codes = (case[key + part] for key in ("x", "recon", "mu", "logvar"))
    n, d = X.shape
    beta = case["beta"] * n * d / 2
    theirs = case["vae_loss_u" if part else "vae_loss_l"]
    assert float(vae_loss(X, *codes, beta=beta) * 2 / d) == pytest.approx(float(theirs))
    if not part:
        lost = vae_loss(X, *codes, beta=0) * 2 / d
        assert float(lost) == pytest.approx(float(case["mse_l"]))
        divergence = gaussian_divergence(*codes[1:])
        assert divergence.shape == (n,)
        assert float(divergence.sum()) == pytest.approx(float(case["kld_l"]))


@of_vaal
@of_kinds
def test_golden_game(path, kind):
    case = load(path, lambda values: values)
    logits = [kind(logit(case[key])) for key in ("d_l", "d_u")]
    assert float(adversarial_loss(*logits)) == pytest.approx(case["adv_vae_loss"])
    assert float(discriminator_loss(*logits)) == pytest.approx(
        case["discriminator_loss"]
    )


@of_mal
@of_kinds
def test_golden_classifier(path, kind):
    case = load(path, kind)
    temperature = float(case["T"])
    logits = cosine_logits(case["F_raw"], case["W"], temperature=temperature)
    proba = softmax(np.asarray(logits), axis=1)
    np.testing.assert_allclose(proba, case["probs"], rtol=1e-6, atol=1e-12)
    scores = logit_entropy(logits)
    np.testing.assert_allclose(scores, case["entropy"], rtol=1e-6, atol=1e-12)
    assert float(scores.mean()) == pytest.approx(float(case["L_Ent"]))
    gold = np.log(proba[np.arange(len(proba)), np.asarray(case["y"])])
    assert -gold.mean() == pytest.approx(float(case["L_CE"]))


# What else holds.


def test_tensors_give_what_arrays_give_and_stay_in_the_graph():
    rng = np.random.RandomState(0)
    X, other = rng.normal(size=(2, 7, 3))
    weights = rng.normal(size=(3, 4))
    calls = [
        (gaussian_divergence, X, other),
        (vae_loss, X, other, X, other),
        (discriminator_loss, X[:, 0], other[:, 0]),
        (adversarial_loss, X[:, 0], other[:, 0]),
        (cosine_logits, X, weights),
        (logit_entropy, X),
    ]
    for function, *arrays in calls:
        tensors = [torch.tensor(array, requires_grad=True) for array in arrays]
        result = function(*tensors)
        assert isinstance(result, torch.Tensor)
        array = function(*arrays)
        assert array.dtype == np.float64
        np.testing.assert_allclose(result.detach().numpy(), array, rtol=1e-12)
        result.sum().backward()
        assert all(tensor.grad.abs().sum() > 0 for tensor in tensors)
        assert function(*(tensor.float() for tensor in tensors)).dtype == torch.float32
        np.testing.assert_allclose(
            function(*(array.tolist() for array in arrays)), array
        )


def test_gradients_are_those_of_torchs_own_losses():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(6, 1, generator=generator, requires_grad=True)
    bce = torch.nn.functional.binary_cross_entropy_with_logits
    own = bce(logits[:4], torch.ones(4, 1)) + bce(logits[4:], torch.zeros(2, 1))
    (expected,) = torch.autograd.grad(own, logits)
    (got,) = torch.autograd.grad(discriminator_loss(logits[:4], logits[4:]), logits)
    torch.testing.assert_close(got, expected)
    X = torch.randn(5, 3, generator=generator, requires_grad=True)
    own = torch.distributions.Categorical(logits=X).entropy().sum()
    (expected,) = torch.autograd.grad(own, X)
    (got,) = torch.autograd.grad(logit_entropy(X).sum(), X)
    torch.testing.assert_close(got, expected)
    normal = torch.distributions.Normal
    mean, log_variance = X, X.flip(0)
    own = torch.distributions.kl_divergence(
        normal(mean, (log_variance / 2).exp()), normal(0.0, 1.0)
    ).sum()
    torch.testing.assert_close(gaussian_divergence(mean, log_variance).sum(), own)


@of_kinds
def test_large_logits_neither_overflow_nor_lose_the_gradient(kind):
    large = kind(np.array([1e4, -1e4]))
    assert float(discriminator_loss(large, large)) == pytest.approx(1e4)
    assert float(adversarial_loss(large, large)) == pytest.approx(1e4)
    logits = kind(np.array([[1e4, 0, -1e4], [1e4, 1e4, 0], [40.0, 0, 0]]))
    scores = logit_entropy(logits)
    np.testing.assert_allclose(scores[:2], [0, np.log(2)], atol=1e-12)
    assert 0 < float(scores[2]) < 1e-15


@of_kinds
def test_a_row_of_zeros_has_no_direction(kind):
    X, weights = kind(np.zeros((1, 3))), kind(np.ones((3, 2)))
    if kind is torch.tensor:
        X.requires_grad_()
        cosine_logits(X, weights).sum().backward()
        assert torch.isfinite(X.grad).all()
        X = X.detach()
    assert np.asarray(cosine_logits(X, weights)).tolist() == [[0, 0]]


def test_the_length_of_features_does_not_matter_that_of_weights_does():
    rng = np.random.RandomState(0)
    X, weights = rng.normal(size=(5, 3)), rng.normal(size=(3, 2))
    logits = cosine_logits(X, weights)
    np.testing.assert_allclose(cosine_logits(7 * X, weights), logits)
    np.testing.assert_allclose(cosine_logits(X, 7 * weights), 7 * logits)
    np.testing.assert_allclose(cosine_logits(X, weights, temperature=0.1) * 2, logits)


def test_entropy_of_logits_is_that_of_probabilities():
    logits = np.random.RandomState(0).normal(size=(20, 4)) * 3
    expected = entropy(softmax(logits, axis=1))
    np.testing.assert_allclose(logit_entropy(logits), expected, rtol=1e-10)


def test_shapes_that_do_not_fit_are_refused():
    two, three = np.zeros((4, 2)), np.zeros((4, 3))
    with pytest.raises(ValueError, match=r"mean and log_variance .*\(4, 2\) and \(4"):
        gaussian_divergence(two, three)
    with pytest.raises(ValueError, match="X and reconstruction"):
        vae_loss(two, three[:1], two, two)
    with pytest.raises(ValueError, match="must be two-dimensional"):
        gaussian_divergence(two[0], two[0])
    with pytest.raises(ValueError, match=r"features must have shape \(n, d\)"):
        cosine_logits(two, three)
    with pytest.raises(ValueError, match="logits must have shape"):
        logit_entropy(two[0])
