# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Six architectures: what stands for a text, training, what scikit-learn expects."""

import copy
import shutil

import joblib
import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from skal.text import TransformerClassifier

ARCHITECTURES = ["bert", "roberta", "albert", "deberta-v2", "gpt2", "t5"]
HARD = ["", "movie " * 300, "good </s> bad <|endoftext|>", "a film"]


def quick(checkpoint, **params):
    settings = {"lr": 5e-3, "max_epochs": 4, "min_steps": 0, "batch_size": 16}
    settings |= {"device": "cpu", "random_state": 0, "max_length": 32}
    return TransformerClassifier(checkpoint, **(settings | params))


@pytest.fixture(scope="module", params=ARCHITECTURES)
def trained(request, make_checkpoint, toy_texts):
    """A classifier of each architecture, fitted on the toy texts."""
    checkpoint = make_checkpoint(request.param)
    return quick(checkpoint, classes=["neg", "other", "pos"]).fit(*toy_texts)


def test_training_lowers_the_loss(trained, toy_texts):
    losses = [epoch["train_loss"] for epoch in trained.history_]
    assert losses[-1] < losses[0]


def test_head_of_the_embedding_gives_the_logits(trained, toy_texts):
    outputs = trained.predict_outputs([*toy_texts[0], *HARD], ["logits", "embedding"])
    head = trained.net_.module_.last_linear
    with torch.no_grad():
        logits = head(torch.from_numpy(outputs["embedding"])).numpy()
    np.testing.assert_allclose(logits, outputs["logits"], atol=1e-5)
    assert outputs["embedding"].shape == (84, 32)


def test_logits_are_those_of_transformers(trained, toy_texts):
    network = trained.net_.module_.network.eval()
    X = ["", *toy_texts[0][:4], "movie good"]
    logits = trained.predict_outputs(X, ["logits"])["logits"]
    for row, text in enumerate(X):
        inputs = trained.tokenizer_(text, return_tensors="pt")
        if inputs["input_ids"].numel():  # GPT-2 has no token for the empty text
            with torch.no_grad():
                expected = network(**inputs).logits[0].numpy()
            np.testing.assert_allclose(logits[row], expected, atol=1e-5)


def test_batch_mates_and_padding_change_a_row_by_rounding_only(trained, toy_texts):
    X = [*toy_texts[0][:20], *HARD]
    outputs = trained.predict_outputs(X, ["embedding", "logits"])
    for row in (0, 7, 19, 20, 21, 22):
        alone = trained.predict_outputs([X[row]], ["embedding", "logits"])
        for name, values in alone.items():
            np.testing.assert_allclose(values[0], outputs[name][row], atol=1e-5)


def test_last_hidden_state_stands_for_the_text(trained, toy_texts):
    states = trained.predict_outputs(toy_texts[0], ["hidden_states"])["hidden_states"]
    assert states.shape == (80, 3, 32)
    assert states.dtype == np.float32
    # A copy: transformers leaves hooks behind that no pickle takes.
    network = copy.deepcopy(trained.net_.module_.network)
    inputs = trained.tokenizer_(toy_texts[0][5], return_tensors="pt")
    with torch.no_grad():
        output = network.eval()(**inputs, output_hidden_states=True)
    if "decoder_hidden_states" in output:
        token, layers = -1, output.decoder_hidden_states
    else:
        token = -1 if "gpt2" in network.config.model_type else 0
        layers = output.hidden_states
    expected = np.stack([layer[0, token].numpy() for layer in layers])
    np.testing.assert_allclose(states[5], expected, atol=1e-5)


def test_clone_and_joblib(trained, toy_texts, tmp_path):
    assert clone(trained).get_params() == trained.get_params()
    joblib.dump(trained, tmp_path / "clf.joblib")
    loaded = joblib.load(tmp_path / "clf.joblib")
    outputs = ["proba", "embedding"]
    for name, values in loaded.predict_outputs(toy_texts[0], outputs).items():
        expected = trained.predict_outputs(toy_texts[0], [name])[name]
        np.testing.assert_array_equal(values, expected)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_grid_search(make_checkpoint, toy_texts, architecture):
    X, y = toy_texts
    clf = quick(make_checkpoint(architecture), max_epochs=1)
    search = GridSearchCV(clf, {"max_length": [4, 16]}, cv=2, error_score="raise")
    assert set(search.fit(X[:16], y[:16]).best_params_) == {"max_length"}
    assert search.predict(X).shape == (80,)


def test_padding_side_of_a_decoders_tokenizer_does_not_matter(
    make_checkpoint, toy_texts, tmp_path
):
    X, y = toy_texts
    clf = quick(make_checkpoint("gpt2"), max_epochs=1).fit(X, y)
    shutil.copytree(clf.model, tmp_path, dirs_exist_ok=True)
    AutoTokenizer.from_pretrained(tmp_path, padding_side="left").save_pretrained(
        tmp_path
    )
    again = clone(clf).set_params(model=tmp_path).fit(X, y)
    np.testing.assert_array_equal(again.predict_proba(X), clf.predict_proba(X))


def test_an_embedding_per_token_is_refused(trained, toy_texts, monkeypatch):
    module = trained.net_.module_
    monkeypatch.setattr(type(module), "last_linear", torch.nn.Linear(2, 2))
    with pytest.raises(ValueError, match="one vector per text"):
        trained.embed(toy_texts[0])


def test_checkpoint_without_a_padding_token(make_checkpoint):
    folder = make_checkpoint("gpt2")
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    assert model.config.pad_token_id is None
    clf = quick(folder, max_epochs=1, batch_size=3)
    clf.fit(["", "a good movie", "bad"], ["neg", "pos", "neg"])
    assert clf.predict_proba(["", ""]).shape == (2, 2)
