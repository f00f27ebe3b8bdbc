# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""What a file holds of a fitted classifier, of a committee and of ensembles: weights,
in one precision or the other, and one tokenizer."""

import copy
import io
import pickle

import joblib
import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import make_blobs

from skal import ActiveLearner, Committee
from skal.neural import _storage
from skal.text import DenseClassifier, DiverseEnsemble, SnapshotEnsemble

X, y = make_blobs(120, 5, centers=3, cluster_std=2.0, random_state=0)


def dumped(estimator):
    """The bytes of a joblib dump."""
    file = io.BytesIO()
    joblib.dump(estimator, file)
    return file.getvalue()


def loaded(estimator):
    return joblib.load(io.BytesIO(dumped(estimator)))


def n_bytes(module):
    return sum(p.numel() * p.element_size() for p in module.parameters())


def stored(classifier, dtype):
    """The classifier with another `store_dtype`; it itself is not changed."""
    return copy.copy(classifier).set_params(store_dtype=dtype)


@pytest.fixture(scope="module")
def network():
    """A fitted network of 0.4 MB. Careful: do not fit it again."""
    clf = DenseClassifier((300, 300), max_epochs=3, device="cpu", random_state=0)
    return clf.fit(X, y)


def test_float16_halves_the_file_and_loads_as_float32(network):
    size = n_bytes(network.net_.module_)
    full, half = dumped(network), dumped(stored(network, "float16"))
    assert size < len(full) < size + 12_000
    assert size / 2 < len(half) < size / 2 + 12_000
    again = loaded(stored(network, "float16"))
    dtypes = {weights.dtype for weights in again.net_.module_.parameters()}
    assert dtypes == {torch.float32}
    moved = np.abs(again.predict_proba(X) - network.predict_proba(X))
    assert 0 < moved.max() < 1e-3
    np.testing.assert_array_equal(  # what is rounded once is not rounded again
        loaded(again).predict_proba(X), again.predict_proba(X)
    )


def test_float16_of_a_transformer(fitted, toy_texts):
    texts, _ = toy_texts
    half = stored(fitted, "float16")
    size = n_bytes(fitted.net_.module_)
    assert abs(len(dumped(fitted)) - len(dumped(half)) - size / 2) < 2000
    moved = np.abs(loaded(half).predict_proba(texts) - fitted.predict_proba(texts))
    assert 0 < moved.max() < 2e-3
    assert (loaded(half).predict(texts) == fitted.predict(texts)).all()


def test_the_fitted_model_in_memory_keeps_its_precision(network):
    proba = network.predict_proba(X)
    half = stored(network, "float16")
    dumped(half)
    for same in (half, copy.copy(half), copy.deepcopy(half)):
        np.testing.assert_array_equal(same.predict_proba(X), proba)
        assert same.store_dtype == "float16"
    copied = copy.deepcopy(half.net_)
    assert copied.module_ is not half.net_.module_
    assert len(pickle.dumps(copied)) == len(pickle.dumps(half.net_))


def test_it_may_be_decided_after_the_fit_and_back(network):
    half = stored(network, "float16")
    np.testing.assert_array_equal(
        loaded(stored(half, "float32")).predict_proba(X), network.predict_proba(X)
    )
    fresh = clone(half).fit(X, y)
    assert len(dumped(fresh)) == len(dumped(half))
    assert len(pickle.dumps(fresh.net_)) < len(pickle.dumps(network.net_))


def test_training_goes_on_in_full_precision(network):
    """A learner's next round starts from a copy of the model of the last one."""
    scores = []
    for dtype in ("float32", "float16"):
        clf = clone(network).set_params(store_dtype=dtype, warm_start=True)
        learner = ActiveLearner(clf, random_state=0).fit(X[:60], y[:60])
        learner.teach(X[60:70], y[60:70])
        scores.append(learner.predict_proba(X))
    np.testing.assert_array_equal(*scores)


def test_weights_beyond_float16_stay_as_they_are(network):
    big = copy.deepcopy(network)
    layer = big.net_.module_.hidden[1]
    with torch.no_grad():
        layer.weight[0, 0] = 1e6
    proba = big.predict_proba(X)
    again = loaded(stored(big, "float16"))
    assert again.net_.module_.hidden[1].weight[0, 0] == 1e6
    np.testing.assert_allclose(again.predict_proba(X), proba, atol=1e-3)


@pytest.mark.parametrize("architecture", ["albert", "gpt2", "t5"])
def test_shared_weights_stay_shared_and_buffers_as_they_are(
    make_checkpoint, make_classifier, toy_texts, architecture
):
    clf = make_classifier(max_epochs=1, store_dtype="float16")
    clf.set_params(model=make_checkpoint(architecture)).fit(*toy_texts)
    module, again = clf.net_.module_, loaded(clf).net_.module_
    names = dict(module.named_parameters(remove_duplicate=False))
    kept = dict(again.named_parameters(remove_duplicate=False))
    assert list(kept) == list(names)
    assert len({*map(id, kept.values())}) == len({*map(id, names.values())})
    for before, after in zip(module.buffers(), again.buffers(), strict=True):
        assert torch.equal(before, after)
        assert before.dtype == after.dtype


def test_a_module_that_is_as_it_is_to_be_stored_is_not_copied(network):
    module = network.net_.module_
    assert _storage.on_cpu(module) is module
    assert _storage.in_half(module) is not module
    assert network.net_.stored_as("float32") is network.net_


def providers(member):
    return [
        Committee(member, n_estimators=3, random_state=0),
        SnapshotEnsemble(member, n_estimators=3, random_state=0),
        DiverseEnsemble(member, n_estimators=3, random_state=0),
    ]


@pytest.mark.parametrize("kind", range(3), ids=["committee", "snapshot", "diverse"])
@pytest.mark.parametrize("store_dtype", ["float32", "float16"])
def test_a_file_holds_each_members_weights_and_one_tokenizer(
    make_classifier, toy_texts, kind, store_dtype
):
    texts, labels = toy_texts
    clf = make_classifier(max_epochs=2, store_dtype=store_dtype)
    ensemble = providers(clf)[kind].fit(texts, labels)
    members = ensemble.estimators_
    assert len({id(member.tokenizer_) for member in members}) == 1
    file, tokenizer = dumped(ensemble), len(pickle.dumps(members[0].tokenizer_))
    one = n_bytes(members[0].net_.module_) / (2 if store_dtype == "float16" else 1)
    # What is not weights: names of modules and the configuration, in each member.
    rest = len(dumped(members[0])) - one - tokenizer
    assert 0 < rest < 40_000
    assert 3 * one + tokenizer < len(file) < 3 * (one + rest) + tokenizer + 20_000
    again = loaded(ensemble)
    assert len({id(member.tokenizer_) for member in again.estimators_}) == 1
    moved = np.abs(again.sample_proba(texts) - ensemble.sample_proba(texts)).max()
    assert moved == 0 if store_dtype == "float32" else 0 < moved < 2e-3


@pytest.mark.parametrize("kind", range(3), ids=["committee", "snapshot", "diverse"])
def test_a_file_holds_nothing_of_the_training(make_classifier, toy_texts, kind):
    texts, labels = [f"{text} secretword" for text in toy_texts[0]], toy_texts[1]
    ensemble = providers(make_classifier(max_epochs=2))[kind].fit(texts, labels)
    assert b"secretword" not in dumped(ensemble)
    for member in loaded(ensemble).estimators_:
        net = member.net_
        for name in ("optimizer_", "scaler_", "dynamics_", "dataset_", "recipe"):
            assert getattr(net, name) is None
        assert net.module is None
        assert all(weights.grad is None for weights in net.module_.parameters())


@pytest.mark.slow
@pytest.mark.parametrize("kind", [0, 2], ids=["committee", "diverse"])
def test_members_of_other_processes_are_the_same(make_classifier, toy_texts, kind):
    clf = make_classifier(max_epochs=2, store_dtype="float16")
    ensemble = providers(clf)[kind].fit(*toy_texts)
    apart = clone(ensemble).set_params(n_jobs=2).fit(*toy_texts)
    np.testing.assert_array_equal(
        apart.sample_proba(toy_texts[0]), ensemble.sample_proba(toy_texts[0])
    )
    assert abs(len(dumped(apart)) - len(dumped(ensemble))) < 10_000
    assert len({id(member.tokenizer_) for member in apart.estimators_}) == 1
    assert {member.store_dtype for member in apart.estimators_} == {"float16"}
