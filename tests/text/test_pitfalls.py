# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""The pitfalls of skorch and transformers under scikit-learn, each found by running.

Numbered as in the list that the design keeps. Those tested elsewhere: 14 (seeding) and
24 (Ctrl-C) in test_fit.py, 16 (evaluation mode) in test_predict.py, 25 (data-free
checks) in test_sklearn_contract.py. 4 (a BatchEncoding cannot be cross-validated) does
not arise: tokens never leave the estimator. 28 concerns the index, not this part.
"""

import pickle
import threading

import numpy as np
import pandas as pd
import pytest
import torch
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from transformers import AutoModelForSequenceClassification

from skal.neural import TokenDataset, TokenTable


def test_texts_are_rows_not_characters(fitted):  # 1
    assert len(fitted.predict(["ab", "cd", "ef"])) == 3
    assert len(fitted.predict(("ab", "cd"))) == 2
    assert len(fitted.predict(pd.Series(["ab", "cd"], index=[7, 3]))) == 2


def test_batches_are_tensors_in_plain_dicts(fitted, toy_texts):  # 2, 3
    table = TokenTable(
        toy_texts[0], fitted.tokenizer_, max_length=9, module=fitted.net_.module_
    )
    inputs, codes = TokenDataset(table, np.arange(80)).__getitems__([5, 2, 9])
    assert type(inputs) is dict
    assert {value.dtype for value in inputs.values()} == {torch.int64}
    assert codes.tolist() == [5, 2, 9]


@pytest.mark.parametrize(
    ("X", "error", "match"),
    [
        ("a bare text", TypeError, "wrap it in a list"),
        ([], ValueError, "no texts"),
        (["good", None], ValueError, "Row 1 is None"),
        (["good", float("nan")], ValueError, "Row 1 is nan"),
        (["good", 3], ValueError, "Row 1 is 3"),
        (["good", b"bad"], ValueError, "Row 1 is b'bad'"),
        (np.array([["good"], ["bad"]], dtype=object), ValueError, "one-dimensional"),
        (pd.DataFrame({"text": ["good", "bad"]}), ValueError, "one-dimensional"),
    ],
)
def test_what_is_not_a_column_of_texts_is_refused(  # 5
    fitted, make_classifier, X, error, match
):
    for predict in (fitted.predict, fitted.predict_proba, fitted.embed):
        with pytest.raises(error, match=match):
            predict(X)
    with pytest.raises(error, match=match):
        make_classifier().fit(X, ["neg", "pos"])


@pytest.mark.parametrize(
    "labels",
    [
        np.array([1, 2], dtype=np.int32),
        np.array([0, 2], dtype=np.int8),
        np.array([False, True]),
        np.array([-1.0, 1.0]),
        np.array(["no", "yes"]),
        np.array(["no", "yes"], dtype=object),
    ],
)
def test_any_kind_of_label_comes_back(make_classifier, toy_texts, labels):  # 6, 7
    X, y = toy_texts
    y = labels[(y == "pos").astype(int)]
    clf = make_classifier().fit(X, y)
    np.testing.assert_array_equal(clf.classes_, labels)
    assert clf.predict(X).dtype == labels.dtype
    assert clf.score(X, y) > 0.9


def test_an_absent_class_keeps_its_column(make_classifier, toy_texts):  # 7
    X, y = toy_texts
    clf = make_classifier(classes=["pos", "neutral", "neg"]).fit(X, y)
    assert clf.classes_.tolist() == ["neg", "neutral", "pos"]
    assert clf.predict_proba(X).shape == (80, 3)
    assert clf.predict_proba(X)[:, 1].max() < 0.2
    only = make_classifier(classes=["neg", "pos"], max_epochs=1).fit(X[:2], ["pos"] * 2)
    assert only.predict_proba(X).shape == (80, 2)


def test_one_class_without_classes_is_refused(make_classifier):  # 7
    with pytest.raises(ValueError, match=r"at least two classes.*`classes`"):
        make_classifier().fit(["good", "bad"], ["pos", "pos"])


def test_labels_outside_classes_are_refused(make_classifier, toy_texts):  # 8
    X, y = toy_texts
    with pytest.raises(ValueError, match=r"Got \['pos'\]"):
        make_classifier(classes=["a", "neg"]).fit(X, y)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        make_classifier().fit(X, y[:-1])


def test_labels_are_class_labels(make_classifier, toy_texts):  # 8
    X, _ = toy_texts
    with pytest.raises(ValueError, match="Unknown label type"):
        make_classifier().fit(X, np.linspace(0, 1, 80))


def test_score_and_training_see_the_same_labels(fitted, toy_texts):  # 9
    X, y = toy_texts
    assert fitted.score(X, y) == np.mean(fitted.predict(X) == y)


def test_probabilities_are_normalised_and_finite(fitted, toy_texts):  # 10, 11
    proba = fitted.predict_proba(toy_texts[0])
    assert proba.dtype == np.float64
    np.testing.assert_allclose(proba.sum(axis=1), 1, atol=1e-12)
    assert ((proba > 0) & (proba < 1)).all()
    assert all(np.isfinite(epoch["train_loss"]) for epoch in fitted.history_)


def test_a_head_of_another_size_is_replaced(  # 12
    tiny_checkpoint, tiny_tokenizer, make_classifier, toy_texts, tmp_path
):
    model = AutoModelForSequenceClassification.from_pretrained(
        tiny_checkpoint, num_labels=5, ignore_mismatched_sizes=True
    )
    model.save_pretrained(tmp_path)
    tiny_tokenizer.save_pretrained(tmp_path)
    clf = make_classifier(max_epochs=1).set_params(model=tmp_path).fit(*toy_texts)
    assert clf.predict_proba(["good"]).shape == (1, 2)


def test_setting_a_parameter_keeps_the_weights(fitted, toy_texts):  # 13
    loaded = pickle.loads(pickle.dumps(fitted))
    proba = loaded.predict_proba(toy_texts[0])
    loaded.set_params(lr=1.0, max_epochs=7)
    np.testing.assert_array_equal(loaded.predict_proba(toy_texts[0]), proba)


def test_batch_mates_change_a_row_by_rounding_only(fitted, toy_texts):  # 15
    X = toy_texts[0]
    proba = fitted.predict_proba(X)
    alone = np.vstack([fitted.predict_proba([text]) for text in X[:20]])
    np.testing.assert_allclose(proba[:20], alone, atol=1e-6)


def test_tokenizer_is_fitted_state(fitted):  # 17
    assert fitted.tokenizer_ is not None
    assert not hasattr(clone(fitted), "tokenizer_")


def test_pickle_holds_the_weights_once_and_no_training_state(fitted):  # 18
    params = fitted.net_.module_.parameters()
    n_bytes = sum(p.numel() * p.element_size() for p in params)
    assert n_bytes < len(pickle.dumps(fitted)) < n_bytes + 40_000
    assert fitted.net_.optimizer_ is None
    assert fitted.net_.callbacks_ == []


@pytest.mark.slow
def test_fitted_classifiers_travel_to_worker_processes(fitted, toy_texts):  # 19, 20
    X = toy_texts[0][:5]
    found = Parallel(n_jobs=2)(delayed(fitted.predict_proba)(X) for _ in range(2))
    for proba in found:
        np.testing.assert_allclose(proba, fitted.predict_proba(X), atol=1e-6)


def test_fits_in_a_thread(make_classifier, toy_texts):  # 20, and no signal handling
    scores = []
    thread = threading.Thread(
        target=lambda: scores.append(
            make_classifier().fit(*toy_texts).score(*toy_texts)
        )
    )
    thread.start()
    thread.join()
    assert scores[0] > 0.9


def test_no_label_is_held_out(make_classifier):  # 21
    clf = make_classifier(max_epochs=1, batch_size=1)
    clf.fit(["good", "bad", "great"], ["pos", "neg", "pos"])
    assert clf.n_steps_ == 3


def test_training_shuffles(make_classifier, toy_texts):  # 22
    X, y = toy_texts
    order = np.argsort(y, kind="stable")
    clf = make_classifier().fit([X[row] for row in order], y[order])
    assert clf.score(X, y) > 0.9


def test_a_new_class_gets_a_new_head(make_classifier, toy_texts):  # 23
    X, y = toy_texts
    clf = make_classifier(max_epochs=1).fit(X, y)
    clf.fit(X[:3], ["neg", "neutral", "pos"])
    assert clf.predict_proba(X).shape == (80, 3)


def test_unfitted_use_is_a_not_fitted_error(make_classifier):  # 26
    clf = make_classifier()
    for method in (clf.predict, clf.predict_proba, clf.embed):
        with pytest.raises(NotFittedError, match="TransformerClassifier"):
            method(["good"])
    assert hasattr(clf, "predict_proba")
    assert not hasattr(clf, "classes_")


def test_a_pickle_lies_on_the_cpu(fitted):  # 27
    loaded = pickle.loads(pickle.dumps(fitted))
    assert loaded.net_.device == "cpu"
    assert {p.device.type for p in loaded.net_.module_.parameters()} == {"cpu"}
