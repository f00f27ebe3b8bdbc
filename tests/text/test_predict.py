# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Prediction: one streamed pass, rows in order, embeddings that explain the logits."""

import numpy as np
import pytest
import torch
from transformers import (
    AutoModelForSequenceClassification,
    BertConfig,
    DistilBertConfig,
    RobertaConfig,
)

from skal.neural import TokenTable, run_texts
from skal.neural._inference import _batches
from skal.text import TransformerClassifier

CONFIGS = {
    "bert": BertConfig(hidden_size=16, intermediate_size=16),
    "distilbert": DistilBertConfig(dim=16, hidden_dim=16, n_layers=1, n_heads=2),
    "roberta": RobertaConfig(
        hidden_size=16, intermediate_size=16, max_position_embeddings=34, pad_token_id=1
    ),
}


@pytest.fixture
def checkpoint(tiny_tokenizer, tmp_path):
    """A function that saves a tiny random model of an architecture."""

    def save(name):
        config = CONFIGS[name]
        config.vocab_size = len(tiny_tokenizer)
        config.num_hidden_layers, config.num_attention_heads = 1, 2
        with torch.random.fork_rng():
            model = AutoModelForSequenceClassification.from_config(config)
        model.save_pretrained(tmp_path)
        tiny_tokenizer.save_pretrained(tmp_path)
        return tmp_path

    return save


@pytest.fixture
def count_rows(fitted):
    """The sizes of the batches that pass the model, and a list of its inputs."""
    batches = []
    hook = fitted.net_.module_.network.register_forward_pre_hook(
        lambda module, args, kwargs: batches.append(kwargs["input_ids"].shape),
        with_kwargs=True,
    )
    yield batches
    hook.remove()


def test_outputs_have_the_promised_shapes_and_dtypes(fitted, toy_texts):
    X, _ = toy_texts
    outputs = fitted.predict_outputs(X, ["embedding", "proba", "logits"])
    assert list(outputs) == ["embedding", "proba", "logits"]
    shapes = {name: (array.shape, array.dtype) for name, array in outputs.items()}
    assert shapes == {
        "embedding": ((80, 32), np.float32),
        "proba": ((80, 2), np.float64),
        "logits": ((80, 2), np.float64),
    }
    np.testing.assert_allclose(outputs["proba"].sum(axis=1), 1, atol=1e-12)
    np.testing.assert_array_equal(outputs["proba"], fitted.predict_proba(X))
    np.testing.assert_array_equal(outputs["embedding"], fitted.embed(X))
    assert list(fitted.predict_outputs(X, {"logits"})) == ["logits"]


def test_unknown_output_is_refused_and_the_known_ones_listed(fitted, toy_texts):
    with pytest.raises(ValueError, match=r"'proba', 'logits', 'embedding'.*\['mood'\]"):
        fitted.predict_outputs(toy_texts[0], ["proba", "mood"])


@pytest.mark.parametrize("name", ["bert", "distilbert", "roberta"])
def test_logits_are_linear_in_the_embedding(checkpoint, toy_texts, name):
    X, y = toy_texts
    clf = TransformerClassifier(checkpoint(name), max_epochs=1, min_steps=0)
    clf.set_params(classes=["neg", "other", "pos"], lr=1e-3, device="cpu").fit(X, y)
    outputs = clf.predict_outputs([*X, "movie " * 30], ["logits", "embedding"])
    last = clf.net_.module_.last_linear
    weight, bias = last.weight.detach().numpy(), last.bias.detach().numpy()
    np.testing.assert_allclose(
        outputs["embedding"] @ weight.T + bias, outputs["logits"], atol=1e-5
    )


def test_probabilities_agree_with_a_plain_loop_in_float64(fitted, toy_texts):
    X, _ = toy_texts
    proba = fitted.predict_proba(X)
    module = fitted.net_.module_
    for row in (0, 7, 42):
        inputs = fitted.tokenizer_(X[row], return_tensors="pt")
        with torch.no_grad():
            logits = module(**inputs).double()
        np.testing.assert_allclose(proba[row], logits.softmax(1)[0], atol=1e-6)


@pytest.mark.parametrize("outputs", [["proba"], ["proba", "logits", "embedding"]])
def test_each_distinct_row_passes_the_model_once(
    fitted, toy_texts, count_rows, outputs
):
    X = toy_texts[0]
    fitted.predict_outputs(X + X[:30], outputs)
    assert sum(rows for rows, _ in count_rows) == len(X)


def test_equal_texts_have_equal_outputs_in_any_order(fitted, toy_texts):
    X = np.array(toy_texts[0] * 2, dtype=object)
    order = np.random.RandomState(1).permutation(len(X))
    proba = fitted.predict_proba(X)
    np.testing.assert_array_equal(proba[:80], proba[80:])
    np.testing.assert_array_equal(fitted.predict_proba(X[order]), proba[order])


def test_batches_keep_the_token_budget(fitted, toy_texts, count_rows):
    proba = fitted.predict_proba(toy_texts[0])
    whole = list(count_rows)
    count_rows.clear()
    fitted.max_batch_tokens = 40
    try:
        np.testing.assert_allclose(fitted.predict_proba(toy_texts[0]), proba, atol=1e-6)
        assert all(rows * length <= 40 or rows == 1 for rows, length in count_rows)
        assert len(count_rows) > len(whole)
        fitted.max_batch_tokens = 1
        count_rows.clear()
        fitted.predict(toy_texts[0])
        assert {rows for rows, _ in count_rows} == {1}
    finally:
        fitted.max_batch_tokens = "auto"


def test_batches_have_at_most_512_rows_and_cover_each_row_once():
    lengths = np.array([3, 9, 3] * 400)
    batches = [rows for rows, _ in _batches(lambda rows: rows, lengths, 10**6)]
    assert [len(rows) for rows in batches] == [512, 512, 176]
    assert sorted(np.concatenate(batches)) == list(range(1200))
    assert (np.diff(lengths[np.concatenate(batches[::-1])]) >= 0).all()


def test_out_of_memory_splits_the_batch(fitted, toy_texts):
    X, largest = toy_texts[0], []
    module = fitted.net_.module_

    def forward(inputs):
        n_rows = len(inputs["input_ids"])
        if n_rows > 9:
            raise torch.OutOfMemoryError("no memory left")
        largest.append(n_rows)
        return {"logits": module(**inputs)}

    outputs = run_texts(
        module, forward, np.array(X, dtype=object), fitted.tokenizer_, max_length=128
    )
    expected = fitted.predict_outputs(X, ["logits"])["logits"]
    np.testing.assert_allclose(outputs["logits"], expected, atol=1e-5)
    assert sum(largest) == 80
    assert 4 <= max(largest) <= 9


def test_out_of_memory_with_one_row_is_raised(fitted, toy_texts):
    def forward(inputs):
        raise torch.OutOfMemoryError("no memory left")

    texts = np.array(toy_texts[0], dtype=object)
    with pytest.raises(torch.OutOfMemoryError):
        run_texts(
            fitted.net_.module_, forward, texts, fitted.tokenizer_, max_length=128
        )


def test_padding_equals_the_tokenizers_own(fitted, toy_texts):
    tokenizer, X = fitted.tokenizer_, toy_texts[0][:9]
    for side in ("left", "right"):
        tokenizer.padding_side = side
        table = TokenTable(X, tokenizer, max_length=8, module=fitted.net_.module_)
        expected = tokenizer(
            X[3:7], padding=True, truncation=True, max_length=8, return_tensors="pt"
        )
        batch = table.batch([3, 4, 5, 6])
        assert batch.keys() == expected.keys()
        for key, values in expected.items():
            torch.testing.assert_close(batch[key], values)


def test_prediction_draws_no_random_numbers_and_stays_in_evaluation_mode(
    fitted, toy_texts
):
    X, _ = toy_texts
    fitted.net_.module_.train()
    first = fitted.predict_proba(X)
    assert not fitted.net_.module_.training
    np.testing.assert_array_equal(fitted.predict_proba(X), first)
    assert not any(p.grad is not None for p in fitted.net_.module_.parameters())


def test_texts_that_tokenizers_dislike(fitted):
    assert fitted.predict_proba(["", "\ud800 broken", "nul\0", "\U0001f600"]).shape == (
        4,
        2,
    )


def test_pretrained_encoder_needs_no_fit(make_classifier):
    encoder = make_classifier(max_length=17, max_batch_tokens=99).pretrained_encoder()
    params = encoder.get_params()
    assert (params["max_length"], params["max_batch_tokens"]) == (17, 99)
    assert params["device"] == "cpu"
    assert not hasattr(encoder, "module_")
    assert encoder.fit().transform(["good"]).shape == (1, 32)


def test_verbose_shows_a_progress_bar(make_classifier, toy_texts, capfd):
    encoder = make_classifier(verbose=1).pretrained_encoder().fit()
    capfd.readouterr()
    encoder.transform(toy_texts[0] * 2)
    assert "80/80" in capfd.readouterr().err
