# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Several heads on one network: known answers."""

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import make_blobs

from skal.functional import bald
from skal.text import DenseClassifier, SplitHeadClassifier, TransformerClassifier

# Two classes that overlap where the first coordinate is near 0.
X, y = make_blobs(400, centers=[[-1.5, 0], [1.5, 0]], random_state=0)
DISTANCE = np.abs(X[:, 0])
NETWORK = DenseClassifier((16,), lr=0.01, max_epochs=15, batch_size=32, device="cpu")
HEADS = SplitHeadClassifier(NETWORK, random_state=0)
HIDDEN = SplitHeadClassifier(NETWORK, head_size=8, random_state=0)


@pytest.fixture(scope="module")
def both():
    """Fitted classifiers with linear and with hidden heads. Do not fit them again."""
    return {"linear": clone(HEADS).fit(X, y), "hidden": clone(HIDDEN).fit(X, y)}


@pytest.fixture(params=["linear", "hidden"])
def fitted(both, request):
    return both[request.param]


def test_heads_disagree_where_the_classes_overlap(fitted):
    scores = bald(fitted.sample_proba(X))
    assert scores[DISTANCE < 0.5].mean() > 5 * scores[DISTANCE > 2.5].mean()
    assert DISTANCE[np.argsort(-scores)[:10]].max() < 1.5


def test_heads_differ_and_each_beats_chance(fitted):
    samples = fitted.sample_proba(X)
    assert len(samples) == 5
    for sample in samples:
        assert (sample.argmax(axis=1) == y).mean() > 0.9
    gaps = np.abs(samples[:, None] - samples).max(axis=(2, 3))
    assert gaps[~np.eye(5, dtype=bool)].min() > 1e-3


def test_heads_are_more_apart_with_a_hidden_layer(both):
    apart = {kind: bald(clf.sample_proba(X)).mean() for kind, clf in both.items()}
    assert apart["hidden"] > 2 * apart["linear"]


def test_samples_are_the_heads_on_the_embedding(fitted):
    outputs = fitted.predict_outputs(X, ["samples", "embedding"])
    embedding = torch.from_numpy(outputs["embedding"])
    heads = fitted.estimator_.net_.module_.last_linear.heads
    for sample, head in zip(outputs["samples"], heads, strict=True):
        with torch.no_grad():
            expected = head(embedding).double().softmax(dim=1)
        np.testing.assert_allclose(sample, expected, atol=1e-6)


def test_more_heads_than_there_are_cannot_be_asked(fitted):
    assert len(fitted.sample_proba(X, 99)) == 5
    assert len(fitted.predict_outputs(X, ["samples"], n_samples=99)["samples"]) == 5


class TestStochastic:
    def test_a_sample_is_one_head_under_a_mask_of_the_network(self):
        clf = SplitHeadClassifier(NETWORK, n_heads=2, stochastic=True, random_state=0)
        clf.fit(X, y)
        samples = clf.sample_proba(X, 5)
        assert samples.shape == (5, 400, 2)
        assert len(clf.sample_proba(X)) == 2
        inner = clf.estimator_
        module = inner.net_.module_
        masks = inner._masks(module, 5)
        with torch.no_grad():
            hidden = module.hidden[0](torch.tensor(X, dtype=torch.float32)).relu()
            for number, (sample, mask) in enumerate(zip(samples, masks, strict=True)):
                head = module.last_linear.heads[number % 2]
                expected = head(hidden * mask).double().softmax(dim=1)
                np.testing.assert_allclose(sample, expected, atol=1e-6)
        np.testing.assert_array_equal(
            clf.set_params(stochastic=False).sample_proba(X).mean(axis=0),
            clf.predict_proba(X),
        )

    def test_it_spreads_more_than_the_heads_alone(self):
        clf = clone(HEADS).fit(X, y)
        alone = bald(clf.sample_proba(X)).mean()
        drawn = bald(clf.set_params(stochastic=True).sample_proba(X)).mean()
        assert drawn > 5 * alone

    def test_a_transformer_draws_its_heads_in_turn(self, make_checkpoint, toy_texts):
        """With dropout in the head of the network only, which is of all heads."""
        checkpoint = make_checkpoint(
            "bert",
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
            classifier_dropout=1e-6,
        )
        network = TransformerClassifier(checkpoint, max_epochs=1, min_steps=0)
        clf = SplitHeadClassifier(network, n_heads=2, stochastic=True, random_state=0)
        texts, labels = toy_texts
        drawn = clf.fit(texts, labels).sample_proba(texts, 5)
        heads = clf.set_params(stochastic=False).sample_proba(texts)
        assert np.abs(heads[0] - heads[1]).max() > 1e-2
        for number, sample in enumerate(drawn):
            np.testing.assert_allclose(sample, heads[number % 2], atol=1e-4)

    def test_it_takes_dropout_and_says_so_before_training(
        self, make_checkpoint, toy_texts
    ):
        checkpoint = make_checkpoint(
            "bert", hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0
        )
        cases = [
            (DenseClassifier(dropout=0.0, max_epochs=10**9, device="cpu"), X, y),
            (TransformerClassifier(checkpoint, max_epochs=10**9), *toy_texts),
        ]
        for network, rows, labels in cases:
            clf = SplitHeadClassifier(network, stochastic=True)
            with pytest.raises(ValueError, match="stochastic=True draws .* are 0"):
                clf.fit(rows, labels)
        network = DenseClassifier((4,), dropout=0.0, max_epochs=1, device="cpu")
        assert SplitHeadClassifier(network).fit(X, y).sample_proba(X).shape[0] == 5


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"n_heads": 1}, "n_heads"),
        ({"n_heads": 2.5}, "n_heads"),
        ({"head_size": 0}, "head_size"),
        ({"head_dropout": 1.0}, "head_dropout"),
        ({"stochastic": "yes"}, "stochastic"),
    ],
    ids=str,
)
def test_bad_parameters_are_refused(params, message):
    with pytest.raises(ValueError, match=f"The '{message}' parameter of SplitHead"):
        clone(HEADS).set_params(**params).fit(X, y)
