# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Classifiers whose last layer is several networks, around transformers."""

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

from skal import ActiveLearner
from skal.filters import AnchorAL
from skal.functional import bald
from skal.strategies import BALD, VoteEntropy
from skal.text import (
    BayesByBackpropClassifier,
    DenseClassifier,
    SentenceEncoder,
    SplitHeadClassifier,
    TransformerClassifier,
)

QUICK = {"lr": 5e-3, "max_epochs": 4, "min_steps": 0, "batch_size": 16}
QUICK |= {"device": "cpu", "max_length": 32}
AROUND_TEXT = {
    "heads": lambda network: SplitHeadClassifier(network, random_state=0),
    "hidden": lambda network: SplitHeadClassifier(
        network, head_size=8, stochastic=True, random_state=0
    ),
    "bayes": lambda network: BayesByBackpropClassifier(network, random_state=0),
}


@pytest.mark.parametrize("kind", AROUND_TEXT)
@pytest.mark.parametrize(
    "architecture", ["bert", "roberta", "albert", "deberta-v2", "gpt2", "t5"]
)
def test_every_architecture(make_checkpoint, toy_texts, tmp_path, architecture, kind):
    texts, labels = toy_texts
    network = TransformerClassifier(make_checkpoint(architecture), **QUICK)
    clf = AROUND_TEXT[kind](network).set_params(classes=["neg", "other", "pos"])
    clf.fit(texts, labels)
    losses = [epoch["train_loss"] for epoch in clf.history_]
    assert losses[-1] < losses[0]
    hard = [*texts, "", "movie " * 300]
    outputs = clf.predict_outputs(hard, ["proba", "samples", "embedding"], n_samples=4)
    assert outputs["samples"].shape == (4, 82, 3)
    assert outputs["embedding"].shape == (82, 32)
    assert bald(outputs["samples"]).max() > 1e-5
    inner = clf.estimator_.predict_proba(hard)
    if kind != "bayes":  # the heads in torch are the heads in NumPy
        np.testing.assert_allclose(inner, outputs["proba"], atol=1e-5)
    joblib.dump(clf, tmp_path / "clf")
    loaded = joblib.load(tmp_path / "clf").predict_proba(hard)
    np.testing.assert_array_equal(loaded, outputs["proba"])


@pytest.fixture(scope="module", params=AROUND_TEXT)
def clf(request, tiny_checkpoint, toy_texts):
    network = TransformerClassifier(tiny_checkpoint, **QUICK | {"batch_size": 8})
    return AROUND_TEXT[request.param](network).fit(*toy_texts)


def test_it_learns(clf, toy_texts):
    assert clf.score(*toy_texts) > 0.7
    assert not hasattr(clf, "n_features_in_")


def test_the_encoder_runs_once_for_all_but_stochastic_samples(clf, toy_texts):
    passed = []
    encoder = clf.estimator_.net_.module_.network.base_model
    hook = encoder.register_forward_hook(lambda *args: passed.append(1))
    clf.predict_outputs(toy_texts[0], ["proba", "embedding"])
    plain = len(passed)
    clf.predict_outputs(toy_texts[0], ["proba", "samples", "embedding"])
    hook.remove()
    draws = 5 if getattr(clf, "stochastic", False) else 0
    assert len(passed) == plain + (1 + draws) * plain


def test_lower_precision(clf, toy_texts):
    low = clone(clf).set_params(estimator__mixed_precision="bf16").fit(*toy_texts)
    outputs = low.predict_outputs(toy_texts[0], ["proba", "samples"], n_samples=3)
    assert all(values.dtype == np.float64 for values in outputs.values())
    assert np.isfinite(low.training_dynamics_.gold_proba).all()
    near = np.abs(outputs["proba"] - clf.predict_proba(toy_texts[0]))
    assert near.mean() < 0.1


def test_what_needs_no_fit_passes_through(clf, toy_texts):
    assert clf.pretrained_encoder().model == clf.estimator.model
    kept = clf.keep_tokens(toy_texts[0])
    np.testing.assert_allclose(
        clf.predict_proba(kept), clf.predict_proba(toy_texts[0]), atol=1e-6
    )
    network = TransformerClassifier("skal-tiny", device="cpu", random_state=7)
    around = clone(clf).set_params(estimator=network)
    surprisal = around.token_surprisal(toy_texts[0][:3])
    expected = network.token_surprisal(toy_texts[0][:3], random_state=0)
    np.testing.assert_array_equal(surprisal, expected)


def test_vectors_have_no_tokens():
    for cls in (SplitHeadClassifier, BayesByBackpropClassifier):
        for name in ("keep_tokens", "pretrained_encoder", "token_surprisal"):
            assert not hasattr(cls(DenseClassifier()), name)


@pytest.mark.parametrize("strategy", [BALD(), VoteEntropy()], ids=repr)
def test_inside_a_filter_of_a_learner(clf, toy_texts, strategy):
    texts, labels = toy_texts
    strategy = AnchorAL(strategy, n_anchors=2, n_neighbors=5, max_subpool=20)
    learner = ActiveLearner(
        clone(clf), strategy, classes=["neg", "pos"], random_state=0
    )
    learner.set_params(estimator__estimator__max_epochs=1)
    seed = np.flatnonzero(np.asarray(labels) == "pos")[:10]
    learner.fit([texts[row] for row in seed], labels[seed], ids=seed)
    rows = learner.query(texts, 4, ids=np.arange(80))
    assert not {*rows.tolist()} & {*seed.tolist()}
    learner.teach([texts[row] for row in rows], labels[rows], ids=rows)
    assert learner.predict_proba(texts).shape == (80, 2)


@pytest.mark.parametrize("cls", [SplitHeadClassifier, BayesByBackpropClassifier])
def test_after_a_sentence_encoder(tiny_checkpoint, toy_texts, cls):
    network = DenseClassifier((16,), lr=0.01, batch_size=16, device="cpu")
    encoder = SentenceEncoder(tiny_checkpoint, device="cpu")
    clf = make_pipeline(encoder, cls(network, random_state=0))
    assert clf.fit(*toy_texts).score(*toy_texts) > 0.8
