# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""The sentence encoder."""

import pickle
import shutil

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from transformers import AutoModel

from skal.exceptions import ModelNotFoundError
from skal.text import SentenceEncoder


@pytest.fixture(scope="module")
def encoder(tiny_checkpoint):
    return SentenceEncoder(tiny_checkpoint, device="cpu").fit()


@pytest.mark.parametrize("pooling", ["mean", "cls"])
@pytest.mark.parametrize("normalize", [True, False])
def test_vectors_are_the_pooled_hidden_states(
    encoder, tiny_checkpoint, toy_texts, pooling, normalize
):
    X, _ = toy_texts
    params = {"pooling": pooling, "normalize": normalize}
    vectors = clone(encoder).set_params(**params).fit_transform(X)
    assert (vectors.shape, vectors.dtype) == ((80, 32), np.float32)
    model = AutoModel.from_pretrained(tiny_checkpoint).eval()
    for row in (0, 11):
        with torch.no_grad():
            inputs = encoder.tokenizer_(X[row], return_tensors="pt")
            tokens = model(**inputs).last_hidden_state[0].numpy()
        expected = tokens.mean(axis=0) if pooling == "mean" else tokens[0]
        if normalize:
            expected = expected / np.linalg.norm(expected)
        np.testing.assert_allclose(vectors[row], expected, atol=1e-5)


def test_equal_texts_have_equal_vectors_in_any_order(encoder, toy_texts):
    X = np.array(toy_texts[0] * 2, dtype=object)
    order = np.random.RandomState(0).permutation(len(X))
    vectors = encoder.transform(X)
    np.testing.assert_array_equal(vectors[:80], vectors[80:])
    np.testing.assert_array_equal(encoder.transform(X[order]), vectors[order])


def test_pickle_needs_no_checkpoint_folder(tiny_checkpoint, toy_texts, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(tiny_checkpoint, folder)
    encoder = SentenceEncoder(folder).fit()
    dump = pickle.dumps(encoder)
    vectors = encoder.transform(toy_texts[0])
    shutil.rmtree(folder)
    np.testing.assert_array_equal(pickle.loads(dump).transform(toy_texts[0]), vectors)


def test_names_of_the_features(encoder, toy_texts):
    names = encoder.get_feature_names_out()
    assert list(names[:2]) == ["sentenceencoder0", "sentenceencoder1"]
    assert len(names) == encoder.n_features_out_ == 32
    frame = clone(encoder).set_output(transform="pandas").fit_transform(toy_texts[0])
    assert list(frame.columns) == list(names)


def test_is_a_step_of_a_pipeline(encoder, toy_texts):
    X, y = toy_texts
    pipe = make_pipeline(clone(encoder), LogisticRegression(C=100)).fit(X, y)
    assert pipe.score(X, y) > 0.8


def test_errors(encoder, tmp_path):
    with pytest.raises(NotFittedError):
        clone(encoder).transform(["a"])
    with pytest.raises(ModelNotFoundError, match="local folder"):
        SentenceEncoder(tmp_path).fit()
    with pytest.raises(ValueError, match="no texts"):
        encoder.transform([])
    with pytest.raises(TypeError, match="wrap it in a list"):
        encoder.transform("a text")
    with pytest.raises(ValueError, match="'pooling' parameter"):
        clone(encoder).set_params(pooling="max").fit()
