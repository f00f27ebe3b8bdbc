# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""The small network that tells two kinds of vectors apart."""

import numpy as np
import pytest
import torch
from scipy.special import expit
from sklearn.datasets import make_blobs
from sklearn.metrics import roc_auc_score

from skal.neural import fit_binary, predict_binary
from skal.neural._binary import row_weights

CPU = torch.device("cpu")
X, Y = make_blobs(200, centers=[[0, 0], [3, 3]], cluster_std=0.5, random_state=0)
X, Y = X.astype(np.float32), Y == 1


def fit(**kwargs):
    params = {"hidden_layer_sizes": (20,), "lr": 0.01, "max_epochs": 20}
    params |= {"batch_size": 16, "seed": 0, "device": CPU}
    return fit_binary(X, Y, **(params | kwargs))


def test_two_blobs_are_told_apart():
    proba = predict_binary(fit(), X)
    assert proba.shape == (200,)
    assert proba.dtype == np.float64
    assert roc_auc_score(Y, proba) > 0.999
    between = predict_binary(fit(), np.array([[1.5, 1.5]], dtype=np.float32))
    assert 0.1 < between[0] < 0.9


def test_the_probability_is_that_of_the_second_logit():
    module = fit()
    with torch.inference_mode():
        logits = module(torch.from_numpy(X)).double().numpy()
    proba = expit(logits[:, 1] - logits[:, 0])
    np.testing.assert_allclose(predict_binary(module, X), proba, atol=1e-6)
    assert logits.min() < 0  # no ReLU on the logits


def test_the_seed_decides_and_the_global_generator_is_left_alone():
    before = torch.get_rng_state()
    first, again, other = (predict_binary(fit(seed=s), X) for s in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), before)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_sizes_are_those_asked_for():
    module = fit(hidden_layer_sizes=(7, 5), max_epochs=1)
    shapes = [tuple(layer.weight.shape) for layer in module.hidden]
    assert shapes == [(7, 2), (5, 7)]
    assert module.last_linear.weight.shape == (2, 5)
    assert module.dropout.p == 0


def test_every_row_takes_part_in_every_epoch():
    """Plain full-batch AdamW by hand gives the same network."""
    module = fit(batch_size=1000, max_epochs=3)
    other = fit(batch_size=1000, max_epochs=1, lr=1e-12)  # the same first weights
    optimizer = torch.optim.AdamW(other.parameters(), lr=0.01)
    for _ in range(3):
        logits = other(torch.from_numpy(X))
        loss = torch.nn.functional.cross_entropy(logits, torch.from_numpy(Y).long())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    pairs = zip(module.parameters(), other.parameters(), strict=True)
    for ours, theirs in pairs:
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)


def test_ctrl_c_stops_the_training(monkeypatch):
    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(torch.optim.AdamW, "step", interrupted)
    before = torch.get_rng_state()
    with pytest.raises(KeyboardInterrupt):
        fit()
    assert torch.equal(torch.get_rng_state(), before)


def test_balanced_rows_weigh_the_same_in_all():
    is_positive = np.arange(110) >= 10
    weights = row_weights(is_positive, balanced=True)
    assert weights.dtype == np.float32
    assert weights[:10].sum() == pytest.approx(weights[10:].sum()) == pytest.approx(55)
    assert row_weights(is_positive, balanced=False).tolist() == [1] * 110
    assert row_weights(np.ones(3, dtype=bool), balanced=True).tolist() == [1] * 3


def test_kinds_that_cannot_be_told_apart_are_even_where_both_weigh_the_same():
    vectors = np.random.RandomState(0).normal(size=(200, 2)).astype(np.float32)
    is_positive = np.arange(200) % 10 > 0
    settings = {"hidden_layer_sizes": (5,), "lr": 0.01, "max_epochs": 20}
    settings |= {"batch_size": 50, "seed": 0, "device": CPU}
    for balanced, share in [(False, 0.9), (True, 0.5)]:
        module = fit_binary(vectors, is_positive, balanced=balanced, **settings)
        assert abs(predict_binary(module, vectors).mean() - share) < 0.1


def test_training_ends_where_enough_is_predicted_right(monkeypatch):
    steps = []
    step = torch.optim.AdamW.step
    monkeypatch.setattr(
        torch.optim.AdamW, "step", lambda self: (steps.append(1), step(self))
    )
    lengths = []
    for stop_accuracy in (None, 0.9, 0.5):
        steps.clear()
        fit(stop_accuracy=stop_accuracy, max_epochs=20)
        lengths.append(len(steps) / 13)  # batches in an epoch
    assert lengths[0] == 20
    assert 20 > lengths[1] >= lengths[2] >= 1
    assert lengths[2] < 5
