# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""The sentence encoder's cache on disk."""

import errno
import os
import pickle
import shutil
import time

import joblib
import numpy as np
import pytest
import torch
from sklearn.base import clone
from transformers import AutoModel

from skal import neural
from skal.exceptions import CacheWarning, TruncationWarning
from skal.text import SentenceEncoder


@pytest.fixture
def encoder(tiny_checkpoint, tmp_path):
    params = {"device": "cpu", "cache_dir": tmp_path / "cache"}
    return SentenceEncoder(tiny_checkpoint, **params).fit()


@pytest.fixture
def encoded(monkeypatch):
    """The texts that pass the model."""
    texts, run_texts = [], neural.run_texts

    def spy(module, forward, rows, *args, **kwargs):
        texts.extend(rows)
        return run_texts(module, forward, rows, *args, **kwargs)

    monkeypatch.setattr(neural, "run_texts", spy)
    return texts


def folders(encoder):
    return sorted(path.name for path in encoder.cache_dir.iterdir())


def test_same_vectors_as_without_a_cache(encoder, toy_texts):
    X = toy_texts[0] + toy_texts[0][:7]
    plain = clone(encoder).set_params(cache_dir=None).fit().transform(X)
    first = encoder.transform(X)
    np.testing.assert_allclose(first, plain, atol=1e-6)
    assert (first.dtype, first.flags.writeable) == (np.float32, True)
    np.testing.assert_array_equal(encoder.transform(X), first)
    np.testing.assert_array_equal(clone(encoder).fit().transform(X), first)


def test_no_text_is_encoded_twice(encoder, encoded, toy_texts):
    X = toy_texts[0]
    encoder.transform(X[:50] + X[:50])
    assert sorted(encoded) == sorted(X[:50])
    encoder.transform(X)
    assert sorted(encoded) == sorted(X)
    clone(encoder).fit().transform(X[::-1])
    clone(encoder).set_params(cache_dir=str(encoder.cache_dir)).fit().transform(X)
    assert len(encoded) == len(X)


def test_the_key_is_the_model_and_not_its_path(encoder, encoded, toy_texts, tmp_path):
    X = toy_texts[0]
    encoder.transform(X)
    copy = shutil.copytree(encoder.model, tmp_path / "copy")
    clone(encoder).set_params(model=copy).fit().transform(X)
    assert len(encoded) == len(X)
    model = AutoModel.from_pretrained(copy)
    with torch.no_grad():
        model.encoder.layer[1].output.dense.bias[3] += 0.25
    model.save_pretrained(copy)
    other = clone(encoder).set_params(model=copy).fit()
    assert np.abs(other.transform(X) - encoder.transform(X)).max() > 1e-3
    assert len(encoded) == 2 * len(X)
    assert len(folders(encoder)) == 2


def test_the_tokenizer_is_part_of_the_model(encoder):
    tokenizer = encoder.tokenizer_
    mark = neural.fingerprint(encoder.module_, tokenizer)
    tokenizer(["a"], truncation=True, max_length=5, padding=True)
    assert neural.fingerprint(encoder.module_, tokenizer) == mark
    tokenizer.add_tokens(["splendid"])
    assert neural.fingerprint(encoder.module_, tokenizer) != mark


@pytest.mark.parametrize(
    "params", [{"pooling": "cls"}, {"normalize": False}, {"max_length": 3}]
)
def test_other_settings_are_kept_apart(encoder, encoded, toy_texts, params):
    X = toy_texts[0]
    vectors = encoder.transform(X)
    other = clone(encoder).set_params(**params).fit()
    plain = clone(other).set_params(cache_dir=None).fit()
    np.testing.assert_allclose(other.transform(X), plain.transform(X), atol=1e-6)
    assert len(encoded) == 3 * len(X)
    assert len(folders(encoder)) == 2
    np.testing.assert_array_equal(encoder.transform(X), vectors)


def test_settings_that_change_no_vector_share_a_cache(encoder, encoded, toy_texts):
    X = toy_texts[0]
    encoder.transform(X)
    params = {"max_batch_tokens": 64, "device": "auto"}
    clone(encoder).set_params(**params).fit().transform(X)
    assert len(encoded) == len(X)


def test_a_cache_may_be_given_after_fit(encoder, encoded, toy_texts):
    X = toy_texts[0]
    late = clone(encoder).set_params(cache_dir=None).fit()
    late.set_params(cache_dir=encoder.cache_dir).transform(X)
    encoder.transform(X)
    assert len(encoded) == len(X)


def test_weights_that_the_checkpoint_lacks_do_not_change_the_key(
    encoder, toy_texts, tmp_path
):
    model = AutoModel.from_pretrained(encoder.model, add_pooling_layer=False)
    copy = tmp_path / "no-pooler"
    model.save_pretrained(copy)
    encoder.tokenizer_.save_pretrained(copy)
    state = torch.get_rng_state()
    for _ in range(2):
        clone(encoder).set_params(model=copy).fit().transform(toy_texts[0])
    assert len(folders(encoder)) == 1
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("way", ["pickle", "joblib"])
def test_a_pickle_does_not_hold_the_cache(encoder, toy_texts, tmp_path, way):
    X = toy_texts[0]
    size = len(pickle.dumps(encoder))
    vectors = encoder.transform(X)
    encoder.transform(X)
    dump = pickle.dumps(encoder)
    assert len(dump) < size + 500
    if way == "joblib":
        joblib.dump(encoder, tmp_path / "encoder")
        loaded = joblib.load(tmp_path / "encoder")
    else:
        loaded = pickle.loads(dump)
    np.testing.assert_array_equal(loaded.transform(X), vectors)
    shutil.rmtree(encoder.cache_dir)
    np.testing.assert_allclose(loaded.transform(X), vectors, atol=1e-6)


def test_a_damaged_cache_is_encoded_again(encoder, encoded, toy_texts):
    X = toy_texts[0]
    vectors = encoder.transform(X)
    for path in encoder.cache_dir.rglob("*.vectors.npy"):
        path.write_bytes(path.read_bytes()[:100])
    fresh = clone(encoder).fit()
    with pytest.warns(CacheWarning, match="damaged") as caught:
        np.testing.assert_allclose(fresh.transform(X), vectors, atol=1e-6)
    assert caught[0].filename == __file__
    assert len(encoded) == 2 * len(X)


def test_a_full_disk_costs_time_and_nothing_else(encoder, toy_texts, monkeypatch):
    X = toy_texts[0]

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    plain = clone(encoder).set_params(cache_dir=None).fit().transform(X)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.warns(CacheWarning, match="No space left on device") as caught:
            vectors = encoder.transform(X)
    assert caught[0].filename == __file__
    np.testing.assert_allclose(vectors, plain, atol=1e-6)
    np.testing.assert_array_equal(encoder.transform(X), vectors)


def test_a_file_is_no_cache(tiny_checkpoint, tmp_path):
    path = tmp_path / "file"
    path.touch()
    with pytest.raises(NotADirectoryError, match="must be a folder"):
        SentenceEncoder(tiny_checkpoint, cache_dir=path).fit()


@pytest.mark.slow
def test_encoding_again_takes_a_hundredth_of_the_time(tiny_bert, trec, tmp_path):
    X = trec[0][:4000]
    encoder = SentenceEncoder(tiny_bert, cache_dir=tmp_path, device="cpu").fit()
    seconds = []
    for _ in range(6):
        start = time.perf_counter()
        encoder.transform(X)
        seconds.append(time.perf_counter() - start)
    assert np.median(seconds[1:]) < 0.01 * seconds[0]


def test_cut_texts_are_counted_once_whatever_the_shards(tiny_checkpoint, tmp_path):
    texts = [f"{row} " + "word " * 200 for row in range(5)] + ["short"]
    encoder = SentenceEncoder(
        tiny_checkpoint, max_length=500, device="cpu", cache_dir=tmp_path
    ).fit()
    encoder._store.shard_rows = 2
    with pytest.warns(TruncationWarning) as found:
        encoder.transform(texts)
    assert [str(warning.message)[:6] for warning in found] == ["5 of 6"]
    assert len(list(tmp_path.glob("*/*.keys.npy"))) == 3


def test_one_progress_bar_whatever_the_shards(encoder, toy_texts, capsys):
    encoder.verbose = 1
    encoder._store.shard_rows = 10
    encoder.transform(toy_texts[0])
    last = capsys.readouterr().err.splitlines()[-1]
    assert f"{len(set(toy_texts[0]))}/{len(set(toy_texts[0]))}" in last
