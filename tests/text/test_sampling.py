# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Monte Carlo dropout: which modules drop, with which seed, at what cost."""

import numpy as np
import pytest
import torch

from skal.neural import DropoutSampler
from skal.neural._dropout import _drops
from skal.text import TransformerClassifier

NO_ENCODER_DROPOUT = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}


@pytest.fixture(scope="module")
def head_only(make_checkpoint, toy_texts):
    """A function: a fitted classifier whose head alone has dropout."""

    def make(kind, **settings):
        checkpoint = make_checkpoint(kind, **(NO_ENCODER_DROPOUT | settings))
        params = {"max_epochs": 1, "min_steps": 0, "lr": 5e-3, "device": "cpu"}
        return TransformerClassifier(checkpoint, random_state=0, **params).fit(
            *toy_texts
        )

    return make


def test_samples_are_probabilities_that_differ(fitted, toy_texts):
    samples = fitted.sample_proba(toy_texts[0], n_samples=4)
    assert (samples.shape, samples.dtype) == ((4, 80, 2), np.float64)
    np.testing.assert_allclose(samples.sum(axis=2), 1, atol=1e-12)
    for draw in range(1, 4):
        assert np.abs(samples[draw] - samples[0]).max() > 1e-3
    assert fitted.sample_proba(toy_texts[0][:3]).shape == (10, 3, 2)


def test_same_seed_same_samples_and_nothing_else_moves(make_classifier, toy_texts):
    X, y = toy_texts
    for random_state in (0, None, np.random.RandomState(0)):
        clf = make_classifier(max_epochs=1, random_state=random_state).fit(X, y)
        state, proba = torch.get_rng_state(), clf.predict_proba(X)
        samples = clf.sample_proba(X, n_samples=3)
        np.testing.assert_array_equal(clf.sample_proba(X, n_samples=3), samples)
        assert torch.equal(torch.get_rng_state(), state)
        assert not any(part.training for part in clf.net_.module_.modules())
        np.testing.assert_array_equal(clf.predict_proba(X), proba)
    clf.set_params(random_state=5)
    assert np.abs(clf.sample_proba(X, n_samples=3) - samples).max() > 1e-3


def test_samples_scatter_around_the_prediction(fitted, toy_texts):
    samples = fitted.sample_proba(toy_texts[0][:20], n_samples=100)
    proba = fitted.predict_proba(toy_texts[0][:20])
    assert np.abs(samples.mean(axis=0) - proba).mean() < 0.1
    assert samples.std(axis=0).max() > 0.01


def test_everything_in_the_same_pass(fitted, toy_texts):
    X, names = toy_texts[0], ["samples", "proba", "embedding", "hidden_states"]
    passes = []
    hook = fitted.net_.module_.network.register_forward_pre_hook(
        lambda module, args, kwargs: passes.append(len(kwargs["input_ids"])),
        with_kwargs=True,
    )
    try:
        outputs = fitted.predict_outputs(X + X[:9], names, n_samples=3)
        assert sum(passes) == 4 * 80
        passes.clear()
        samples = fitted.sample_proba(X, n_samples=3)
        assert sum(passes) == 3 * 80
    finally:
        hook.remove()
    assert list(outputs) == names
    np.testing.assert_array_equal(outputs["proba"], fitted.predict_proba(X + X[:9]))
    assert outputs["samples"].shape == (3, 89, 2)
    np.testing.assert_array_equal(outputs["samples"][:, :80], samples)


def test_only_what_drops_is_in_training_mode(fitted, toy_texts):
    network = fitted.net_.module_.network
    network.norm = torch.nn.BatchNorm1d(2)
    seen = {}
    hook = network.classifier.register_forward_pre_hook(
        lambda *args: seen.update({n: m.training for n, m in network.named_modules()})
    )
    try:
        fitted.sample_proba(toy_texts[0][:2], n_samples=1)
    finally:
        hook.remove()
        del network.norm
    attention = "bert.encoder.layer.1.attention."
    for name in ("dropout", attention + "output.dropout", attention + "self"):
        assert seen[name]
    for name in ("norm", "classifier", attention + "output.LayerNorm", "bert.pooler"):
        assert not seen[name]


@pytest.mark.parametrize(
    ("module", "drops"),
    [
        (torch.nn.Dropout(0.1), True),
        (torch.nn.Dropout(0.0), False),
        (torch.nn.AlphaDropout(0.1), True),
        (torch.nn.LSTM(2, 2, num_layers=2, dropout=0.1), True),
        (torch.nn.LSTM(2, 2, num_layers=2), False),
        (torch.nn.BatchNorm1d(2), False),
        (torch.nn.Linear(2, 2), False),
    ],
)
def test_what_drops(module, drops):
    assert _drops(module) is drops


def test_attention_weights_are_dropped(make_checkpoint, toy_texts):
    settings = NO_ENCODER_DROPOUT | {"classifier_dropout": 0.0}
    settings["attention_probs_dropout_prob"] = 0.3
    clf = TransformerClassifier(
        make_checkpoint("bert", **settings), max_epochs=1, min_steps=0, device="cpu"
    ).fit(*toy_texts)
    assert clf.sample_proba(toy_texts[0], n_samples=5).std(axis=0).max() > 1e-4


def test_modes_come_back_after_an_error(fitted, toy_texts, monkeypatch):
    module = fitted.net_.module_.eval()

    def fail(**inputs):
        assert any(part.training for part in module.modules())
        raise RuntimeError("no")

    monkeypatch.setattr(module, "forward", fail)
    with pytest.raises(RuntimeError, match="no"):
        fitted.sample_proba(toy_texts[0])
    assert not any(part.training for part in module.modules())


@pytest.mark.parametrize("kind", ["bert", "roberta", "albert", "deberta-v2"])
def test_dropout_in_the_head_alone_runs_the_encoder_once(head_only, toy_texts, kind):
    settings = {"albert": {"classifier_dropout_prob": 0.3}}.get(kind, {})
    settings |= {"deberta-v2": {"cls_dropout": 0.3}}.get(kind, {})
    clf, X = head_only(kind, classifier_dropout=0.3, **settings), toy_texts[0]
    module = clf.net_.module_
    encoder = module.network.base_model
    rows = []
    hook = encoder.register_forward_pre_hook(
        lambda part, args, kwargs: rows.append(1), with_kwargs=True
    )
    sampler = DropoutSampler(module, 6)
    assert sampler.head_only
    try:
        clf.predict(X)
        n_batches = len(rows)
        outputs = clf.predict_outputs(
            X, ["samples", "embedding", "logits"], n_samples=6
        )
        assert len(rows) == 2 * n_batches
        samples = clf.sample_proba(X, n_samples=6)
        assert len(rows) == 3 * n_batches
    finally:
        hook.remove()
    assert module.network.base_model is encoder
    assert samples.std(axis=0).max() > 1e-3
    np.testing.assert_array_equal(outputs["samples"], samples)
    # the same masks through the whole model
    inputs = clf.tokenizer_(X[:8], padding=True, return_tensors="pt")
    with torch.no_grad(), torch.random.fork_rng():
        torch.manual_seed(0)
        fast = sampler.draw(inputs)
        torch.manual_seed(0)
        with sampler._dropout():
            slow = torch.stack([module(**inputs) for _ in range(6)], dim=1)
    torch.testing.assert_close(fast, slow)


def test_a_model_without_dropout_is_refused(head_only, toy_texts):
    clf = head_only("bert", classifier_dropout=0.0)
    with pytest.raises(ValueError, match=r"every dropout rate of BertForSeq.* is 0"):
        clf.sample_proba(toy_texts[0])
    assert clf.predict_proba(toy_texts[0]).shape == (80, 2)


@pytest.mark.parametrize("kind", ["gpt2", "t5"])
def test_decoders_and_encoder_decoders_sample(make_checkpoint, toy_texts, kind):
    clf = TransformerClassifier(make_checkpoint(kind), max_epochs=1, min_steps=0)
    clf.set_params(device="cpu", max_length=16).fit(*toy_texts)
    samples = clf.sample_proba(["", *toy_texts[0][:9]], n_samples=3)
    assert samples.shape == (3, 10, 2)
    assert samples.std(axis=0).max() > 1e-4


@pytest.mark.parametrize("n_samples", [0, -1, 2.5, "3", None])
def test_number_of_samples_is_checked(fitted, toy_texts, n_samples):
    with pytest.raises(
        (TypeError, ValueError), match="n_samples must be an int of at least 1"
    ):
        fitted.sample_proba(toy_texts[0], n_samples=n_samples)
