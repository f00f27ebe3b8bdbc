# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""A distribution of last layers: known answers."""

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.base import clone
from sklearn.datasets import make_blobs

from skal.functional import bald, gaussian_kl
from skal.text import BayesByBackpropClassifier, DenseClassifier

# Two classes that overlap where the first coordinate is near 0.
X, y = make_blobs(400, centers=[[-1.5, 0], [1.5, 0]], random_state=0)
DISTANCE = np.abs(X[:, 0])
NETWORK = DenseClassifier((16,), lr=0.01, max_epochs=15, batch_size=32, device="cpu")
BAYES = BayesByBackpropClassifier(NETWORK, head_lr=0.02, random_state=0)
KINDS = [
    BAYES,
    clone(BAYES).set_params(prior="mixture", kl_weights="blundell"),
]


@pytest.fixture(scope="module")
def fitted():
    """A fitted classifier. Careful: do not fit it again."""
    return clone(BAYES).fit(X, y)


def bayes(network=None, **params):
    return clone(BAYES).set_params(estimator=network or NETWORK, **params)


@pytest.mark.parametrize("clf", KINDS, ids=["gaussian", "mixture"])
def test_draws_disagree_where_the_classes_overlap(clf):
    scores = bald(clone(clf).fit(X, y).sample_proba(X, 50))
    assert scores[DISTANCE < 0.5].mean() > 5 * scores[DISTANCE > 2.5].mean()
    assert DISTANCE[np.argsort(-scores)[:10]].max() < 1.5


def test_draws_spread_away_from_the_data(fitted):
    """Along the border no label says which way: the farther, the less is known."""
    along = np.array([[0.0, v] for v in (0, 3, 6, 12, 24)])
    samples = fitted.sample_proba(along, 50)
    log_odds = np.log(samples[..., 1] / samples[..., 0])
    spread = log_odds.std(axis=0)
    assert (np.diff(spread) > 0).all()
    assert spread[-1] > 5 * spread[0]


def test_samples_are_draws_from_the_posterior(fitted):
    outputs = fitted.predict_outputs(X, ["samples", "embedding"], n_samples=2000)
    embedding = outputs["embedding"][:20].astype(float)
    mean, scale = fitted.posterior_mean_, fitted.posterior_scale_
    assert mean.shape == scale.shape == (2, 17)
    extended = np.c_[embedding, np.ones(20)]
    log_odds = np.log(outputs["samples"][:, :20])
    log_odds = log_odds[..., 1] - log_odds[..., 0]
    np.testing.assert_allclose(
        log_odds.mean(axis=0), extended @ (mean[1] - mean[0]), atol=0.15
    )
    variance = extended**2 @ (scale**2).sum(axis=0)
    np.testing.assert_allclose(log_odds.var(axis=0), variance, rtol=0.15)


def test_the_prediction_is_the_mean_of_as_many_draws(fitted):
    proba = fitted.predict_proba(X)
    np.testing.assert_allclose(
        proba, fitted.sample_proba(X, 30).mean(axis=0), atol=1e-12
    )
    one = clone(fitted).set_params(n_draws=1).fit(X, y)
    np.testing.assert_array_equal(one.predict_proba(X), one.sample_proba(X, 1)[0])
    means = softmax(
        fitted.embed(X) @ fitted.posterior_mean_[:, :-1].T
        + fitted.posterior_mean_[:, -1],
        axis=1,
    )
    np.testing.assert_allclose(fitted.estimator_.predict_proba(X), means, atol=1e-5)
    assert np.abs(proba - means).max() > 1e-3


def test_more_labels_narrow_the_posterior():
    """As many steps and the same prior: only the number of labels differs."""
    many, codes = make_blobs(4000, centers=[[-1.5, 0], [1.5, 0]], random_state=1)
    scales = []
    for n_rows, n_epochs in ((40, 250), (4000, 10)):
        network = DenseClassifier((8,), lr=0.005, max_epochs=n_epochs, device="cpu")
        network.set_params(batch_size=40 if n_rows == 40 else 160)
        clf = bayes(network, head_lr=0.05).fit(many[:n_rows], codes[:n_rows])
        assert clf.n_steps_ == 250
        scales.append(clf.posterior_scale_.mean())
    assert scales[1] < 0.6 * scales[0]


@pytest.mark.parametrize("kl_weights", ["uniform", "blundell"])
def test_a_heavy_divergence_makes_the_posterior_the_prior(kl_weights):
    network = DenseClassifier((8,), lr=0.01, max_epochs=40, batch_size=40, device="cpu")
    clf = bayes(
        network, kl_scale=1e5, prior_scale=0.5, head_lr=0.05, kl_weights=kl_weights
    ).fit(X, y)
    np.testing.assert_allclose(clf.posterior_scale_, 0.5, rtol=0.05)
    assert np.abs(clf.posterior_mean_).mean() < 0.05
    divergence = gaussian_kl(clf.posterior_mean_, clf.posterior_scale_, 0.5)
    light = clone(clf).set_params(kl_scale=1.0).fit(X, y)
    assert divergence < 0.1 * gaussian_kl(
        light.posterior_mean_, light.posterior_scale_, 0.5
    )
    assert light.score(X, y) > 0.9


def test_a_mixture_holds_weights_near_zero():
    sizes = []
    for share in (0.999, 0.001):
        clf = bayes(prior="mixture", wide_share=share, narrow_scale=0.05, kl_scale=10.0)
        sizes.append(np.abs(clf.fit(X, y).posterior_mean_).mean())
    assert sizes[1] < 0.5 * sizes[0]


def test_without_prior_and_spread_it_is_the_classifier_itself():
    """In one batch, so that the draws of training change nothing either."""
    network = DenseClassifier((16,), dropout=0.0, lr=0.01, max_epochs=40, device="cpu")
    network.set_params(batch_size=400, weight_decay=0.0)
    clf = bayes(network, init_scale=1e-6, kl_scale=0.0, head_lr=None).fit(X, y)
    plain = clone(network).set_params(random_state=clf.estimator_.random_state)
    plain.fit(X, y)
    np.testing.assert_allclose(clf.predict_proba(X), plain.predict_proba(X), atol=1e-4)
    losses = [
        [entry["train_loss"] for entry in fitted.history_] for fitted in (clf, plain)
    ]
    np.testing.assert_allclose(*losses, atol=1e-4)
    np.testing.assert_allclose(
        clf.training_dynamics_.gold_proba,
        plain.training_dynamics_.gold_proba,
        atol=1e-4,
    )


@pytest.mark.parametrize("kl_weights", ["uniform", "blundell"])
def test_the_loss_of_an_epoch_is_the_objective_per_row(kl_weights):
    """One step so slow that nothing moves, draws so narrow that all are the mean; 90
    rows make a last batch that is smaller."""
    network = DenseClassifier((4,), dropout=0.0, lr=1e-12, max_epochs=1, device="cpu")
    network.set_params(batch_size=40)
    clf = bayes(
        network, init_scale=1e-4, head_lr=1e-12, kl_scale=2.0, kl_weights=kl_weights
    )
    clf.set_params(prior_scale=0.7).fit(X[:90], y[:90])
    divergence = gaussian_kl(clf.posterior_mean_, clf.posterior_scale_, 0.7)
    gold = clf.predict_proba(X[:90])[np.arange(90), y[:90]]
    expected = (2 * divergence - np.log(gold).sum()) / 90
    assert clf.history_[0]["train_loss"] == pytest.approx(expected, rel=1e-3)


def test_weight_decay_is_no_second_prior():
    """Decay of the layers below would show at this strength; the posterior has none."""
    ends = []
    for decay in (0.0, 10.0):
        network = DenseClassifier((4,), dropout=0.0, lr=1e-9, max_epochs=5)
        network.set_params(batch_size=400, weight_decay=decay, device="cpu")
        ends.append(bayes(network, head_lr=0.05).fit(X, y).posterior_mean_)
    np.testing.assert_allclose(*ends, atol=1e-5)


def test_the_head_has_a_rate_of_its_own_and_the_rest_has_not():
    slow = DenseClassifier((4,), lr=1e-9, max_epochs=5, device="cpu")
    still = bayes(slow, head_lr=None).fit(X, y)
    moved = bayes(slow, head_lr=0.05).fit(X, y)
    np.testing.assert_allclose(still.posterior_scale_, 0.05, atol=1e-5)
    assert np.abs(moved.posterior_mean_ - still.posterior_mean_).mean() > 0.05
    np.testing.assert_allclose(moved.embed(X), still.embed(X), atol=1e-5)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"prior": "laplace"}, "The 'prior' parameter"),
        ({"prior_scale": 0.0}, "The 'prior_scale' parameter"),
        ({"prior_scale": -1.0}, "The 'prior_scale' parameter"),
        ({"narrow_scale": 0.0}, "The 'narrow_scale' parameter"),
        ({"wide_share": 0.0}, "The 'wide_share' parameter"),
        ({"wide_share": 1.0}, "The 'wide_share' parameter"),
        ({"init_scale": 0.0}, "The 'init_scale' parameter"),
        ({"kl_weights": "half"}, "The 'kl_weights' parameter"),
        ({"kl_scale": -0.1}, "The 'kl_scale' parameter"),
        ({"kl_scale": np.nan}, "The 'kl_scale' parameter"),
        ({"head_lr": 0.0}, "The 'head_lr' parameter"),
        ({"n_draws": 0}, "The 'n_draws' parameter"),
        (
            {"prior": "mixture", "narrow_scale": 1.0},
            "narrow_scale must be below prior_scale=1.0. Got 1.0",
        ),
    ],
    ids=str,
)
def test_bad_parameters_are_refused(params, message):
    with pytest.raises(ValueError, match=message):
        bayes(**params).fit(X, y)
