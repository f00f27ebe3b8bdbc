# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Training dynamics: the gold label of each row and epoch, as training saw it."""

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback, EarlyStopping

from skal.neural import TokenDataset


class _Spy(Callback):
    """Keeps each batch's rows and logits; the list is the class's."""

    seen = []

    def on_train_begin(self, net, X=None, **kwargs):
        self.seen.clear()
        self.dataset = X

    def on_batch_end(self, net, batch=None, training=None, y_pred=None, **kwargs):
        logits = y_pred.detach().numpy().astype(np.float64)
        self.seen.append((list(self.dataset.rows), logits))


def test_records_the_gold_label_of_each_row_and_epoch(make_classifier, toy_texts):
    X, y = toy_texts
    clf = make_classifier(callbacks=[_Spy()], max_epochs=3).fit(X, y)
    dynamics = clf.training_dynamics_
    assert set(dynamics) == {"gold_proba", "correct"}
    assert dynamics.gold_proba.shape == dynamics.correct.shape == (3, 80)
    assert (dynamics.gold_proba.dtype, dynamics.correct.dtype) == (np.float32, bool)
    gold = np.searchsorted(clf.classes_, y)
    for step, (rows, logits) in enumerate(_Spy.seen):
        proba = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        epoch = step // 10
        expected = proba[np.arange(len(rows)), gold[rows]]
        np.testing.assert_allclose(
            dynamics.gold_proba[epoch, rows], expected, rtol=1e-5
        )
        np.testing.assert_array_equal(
            dynamics.correct[epoch, rows], logits.argmax(axis=1) == gold[rows]
        )


def test_rows_are_in_the_order_given_to_fit(make_classifier, toy_texts):
    X, y = toy_texts
    y = y.copy()
    y[7] = "pos" if y[7] == "neg" else "neg"  # one wrong label
    dynamics = make_classifier(max_epochs=8).fit(X, y).training_dynamics_
    assert dynamics.gold_proba.mean(axis=0).argmin() == 7
    assert dynamics.correct[-1].mean() > 0.9
    assert dynamics.gold_proba[-1].mean() > dynamics.gold_proba[0].mean() + 0.2


def test_agrees_with_the_loss(fitted):
    # the mean of -log p over an epoch is the loss of the epoch
    losses = -np.log(fitted.training_dynamics_.gold_proba).mean(axis=1)
    expected = [epoch["train_loss"] for epoch in fitted.history_]
    np.testing.assert_allclose(losses, expected, rtol=1e-4)


def test_only_the_last_fit_counts(make_classifier, toy_texts):
    X, y = toy_texts
    clf = make_classifier(warm_start=True, max_epochs=2).fit(X, y)
    clf.set_params(max_epochs=1).fit(X[:30], y[:30])
    assert clf.training_dynamics_.gold_proba.shape == (1, 30)
    assert clf.net_.dynamics_ is None


def test_early_stopping_leaves_whole_epochs(make_classifier, toy_texts):
    stopping = EarlyStopping("train_loss", patience=1, threshold=10.0, sink=None)
    clf = make_classifier(callbacks=[stopping]).fit(*toy_texts)
    assert clf.training_dynamics_.correct.shape == (clf.n_epochs_, 80)


def test_an_absent_class_and_equal_texts(make_classifier):
    clf = make_classifier(classes=["a", "b", "c"], max_epochs=2, batch_size=2)
    clf.fit(["good", "good", "bad"], ["a", "c", "c"])
    assert clf.training_dynamics_.gold_proba.shape == (2, 3)
    assert (clf.training_dynamics_.gold_proba > 0).all()


@pytest.mark.parametrize("rows", [[3, 1], [0]])
def test_a_dataset_knows_the_rows_it_handed_out(rows):
    class Table(list):
        def batch(self, rows):
            return {"input_ids": torch.zeros(len(rows), 1)}

    dataset = TokenDataset(Table(range(4)), np.arange(4))
    _, codes = dataset.__getitems__(rows)
    assert dataset.rows == rows == codes.tolist()
