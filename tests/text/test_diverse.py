# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""The diverse ensemble: one start, then trainings of their own."""

import numpy as np
import pytest
import torch
from sklearn.datasets import make_blobs
from skorch.callbacks import Callback

from skal.text import DenseClassifier, DiverseEnsemble
from skal.utils._random import draw_seed, stream

X, y = make_blobs(103, 4, centers=3, cluster_std=3.0, random_state=0)


def make(shared=0.3, n_estimators=3, **params):
    quick = {"hidden_layer_sizes": (16, 8), "lr": 0.01, "max_epochs": 10}
    network = DenseClassifier(**(quick | {"batch_size": 20, "device": "cpu"} | params))
    return DiverseEnsemble(
        network, n_estimators=n_estimators, shared=shared, random_state=0
    )


class _Probe(Callback):
    """Notes the weights that each training begins with; the list is the class's."""

    begins = []

    def on_train_begin(self, net, **kwargs):
        self.begins.append(_weights(net.module_))


def _weights(module):
    return torch.cat([p.detach().ravel() for p in module.parameters()]).numpy().copy()


def test_members_begin_where_the_common_training_ended():
    _Probe.begins.clear()
    ensemble = make(callbacks=[_Probe()]).fit(X, y)
    seed = draw_seed(stream(draw_seed(0), 0))
    common = ensemble.estimator.set_params(
        max_epochs=3, random_state=seed, callbacks=None
    )
    expected = _weights(common.fit(X, y).net_.module_)
    assert len(_Probe.begins) == 4
    for begin in _Probe.begins[1:]:
        np.testing.assert_array_equal(begin, expected)


def test_a_member_is_the_start_trained_on_by_itself():
    ensemble = make().fit(X, y)
    seed = draw_seed(stream(draw_seed(0), 0))
    for member in ensemble.estimators_:
        alone = ensemble.estimator
        alone.set_params(max_epochs=3, random_state=seed, warm_start=True).fit(X, y)
        alone.set_params(max_epochs=7, random_state=member.random_state).fit(X, y)
        np.testing.assert_array_equal(member.predict_proba(X), alone.predict_proba(X))
        del alone.net_


@pytest.mark.parametrize(
    ("shared", "max_epochs", "n_shared"),
    [(0.3, 10, 3), (0.01, 10, 1), (0.99, 10, 9), (0.5, 2, 1), (0.3, 3, 1)],
)
def test_a_member_trains_for_as_long_as_it_would_alone(shared, max_epochs, n_shared):
    ensemble = make(shared, 2, max_epochs=max_epochs).fit(X, y)
    assert ensemble.n_shared_epochs_ == n_shared
    apart = [member.n_epochs_ for member in ensemble.estimators_]
    assert apart == [max_epochs - n_shared] * 2


def test_minimal_steps_count_towards_the_whole(make_classifier, toy_texts):
    X, y = toy_texts
    clf = make_classifier(max_epochs=1, min_steps=15, batch_size=8)  # 5 steps an epoch
    ensemble = DiverseEnsemble(clf, n_estimators=2, random_state=0).fit(X[:40], y[:40])
    assert ensemble.n_shared_epochs_ == 1
    assert [member.n_epochs_ for member in ensemble.estimators_] == [2, 2]
    assert len({member.tokenizer_ for member in ensemble.estimators_}) == 1


def test_parameters_of_members_are_those_of_the_estimator():
    ensemble = make(store_dtype="float16").fit(X, y)
    seeds = set()
    for member in ensemble.estimators_:
        seeds.add(member.random_state)
        given = ensemble.estimator.get_params()
        assert member.get_params() == given | {"random_state": member.random_state}
    assert len(seeds) == 3


def test_fewer_than_two_epochs_are_refused_before_training():
    _Probe.begins.clear()
    with pytest.raises(ValueError, match="plans 1; give it max_epochs of at least 2"):
        make(max_epochs=1, callbacks=[_Probe()]).fit(X, y)
    assert _Probe.begins == []


def test_without_dropout_the_order_of_rows_tells_members_apart():
    ensemble = make(dropout=0.0).fit(X, y)
    samples = ensemble.sample_proba(X)
    assert np.abs(samples[0] - samples[1]).max() > 1e-3
    with pytest.raises(ValueError, match="dropout=0: all of them would be equal"):
        ensemble.set_params(stochastic=True).sample_proba(X)


@pytest.mark.slow
def test_two_jobs_equal_one():
    one = make(store_dtype="float16").fit(X, y)
    two = make(store_dtype="float16").set_params(n_jobs=2).fit(X, y)
    np.testing.assert_array_equal(two.sample_proba(X), one.sample_proba(X))
    stored = [member.store_dtype for member in two.estimators_]
    assert stored == ["float16"] * 3
