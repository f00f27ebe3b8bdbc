# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""The snapshot ensemble: its rates, its snapshots, and a loop written by hand."""

import numpy as np
import pytest
import torch
from sklearn.datasets import make_blobs
from skorch.callbacks import Callback, EarlyStopping

from skal import neural
from skal.functional import cyclic_cosine
from skal.text import DenseClassifier, SnapshotEnsemble
from skal.utils._random import draw_seed, stream

X, y = make_blobs(103, 4, centers=3, cluster_std=3.0, random_state=0)
X = X.astype(np.float32)


def make(n_estimators=4, **params):
    quick = {"hidden_layer_sizes": (16, 8), "lr": 0.01, "max_epochs": 20}
    quick |= {"batch_size": 20, "device": "cpu"}
    network = DenseClassifier(**(quick | params))
    return SnapshotEnsemble(network, n_estimators=n_estimators, random_state=0)


class _Probe(Callback):
    """Notes each step's rate and the weights after it; the lists are the class's."""

    rates, weights = [], []

    def on_train_begin(self, net, **kwargs):
        self.rates.clear()
        self.weights.clear()

    def on_batch_end(self, net, **kwargs):
        self.rates.append({group["lr"] for group in net.optimizer_.param_groups})
        self.weights.append(_weights(net.module_))


def _weights(module):
    return torch.cat([p.detach().ravel() for p in module.parameters()]).numpy().copy()


def weights_of(member):
    return _weights(member.net_.module_)


def test_rates_and_snapshots_of_a_real_training():
    """120 steps in 7 cycles of 18, the last of 12."""
    ensemble = make(7, callbacks=[_Probe()]).fit(X, y)
    factors, ends = cyclic_cosine(120, 7)
    assert ensemble.n_steps_ == 120
    rates = [rate for (rate,) in _Probe.rates]
    np.testing.assert_allclose(rates, 0.01 * factors, rtol=1e-12)
    assert ends.tolist() == [18, 36, 54, 72, 90, 108, 120]
    assert len(ensemble.estimators_) == 7
    for member, end in zip(ensemble.estimators_, ends, strict=True):
        np.testing.assert_array_equal(weights_of(member), _Probe.weights[end - 1])


def test_warm_up_and_schedule_of_the_estimator_are_not_read(make_classifier, toy_texts):
    clf = make_classifier(warmup_ratio=0.5, max_epochs=1, callbacks=[_Probe()])
    ensemble = SnapshotEnsemble(clf, n_estimators=3).fit(*toy_texts)
    factors, _ = cyclic_cosine(10, 3)
    rates = [rate for (rate,) in _Probe.rates]
    np.testing.assert_allclose(rates, 5e-3 * factors, rtol=1e-12)
    assert len({member.tokenizer_ for member in ensemble.estimators_}) == 1


def test_equals_a_loop_written_by_hand():
    ensemble = make().fit(X, y)
    seed = draw_seed(stream(draw_seed(0), 0))
    assert ensemble.estimators_[-1].random_state == seed
    factors, ends = cyclic_cosine(120, 4)
    snapshots = []
    with neural.seeded(draw_seed(seed), torch.device("cpu")):
        module = neural.DenseModule(4, [16, 8], 3, 0.3)
        params = list(module.parameters())
        groups = [
            {"params": [p for p in params if p.ndim > 1], "weight_decay": 0.01},
            {"params": [p for p in params if p.ndim == 1], "weight_decay": 0.0},
        ]
        optimizer = torch.optim.AdamW(groups, lr=0.01)
        data = torch.utils.data.TensorDataset(torch.from_numpy(X), torch.from_numpy(y))
        step = 0
        for _ in range(20):
            batches = torch.utils.data.DataLoader(data, batch_size=20, shuffle=True)
            for batch, codes in batches:
                for group in optimizer.param_groups:
                    group["lr"] = 0.01 * factors[step]
                optimizer.zero_grad()
                torch.nn.functional.cross_entropy(module(batch), codes).backward()
                optimizer.step()
                step += 1
                if step in ends:
                    snapshots.append(_weights(module))
    assert step == ensemble.n_steps_ == ends[-1]
    for member, expected in zip(ensemble.estimators_, snapshots, strict=True):
        np.testing.assert_allclose(weights_of(member), expected, atol=1e-5)


def test_members_share_all_but_weights_and_seed():
    members = make().fit(X, y).estimators_
    assert len({id(member.net_.module_) for member in members}) == 4
    assert len({member.random_state for member in members}) == 4
    assert len({id(member.training_dynamics_) for member in members}) == 1
    for member in members[1:]:
        params = member.get_params() | {"random_state": members[0].random_state}
        assert params == members[0].get_params()
    proba = [member.predict_proba(X) for member in members]
    members[0].fit(X[:50], y[:50])
    np.testing.assert_array_equal(members[1].predict_proba(X), proba[1])


def test_what_was_recorded_is_of_the_whole_run():
    ensemble = make().fit(X, y)
    assert (ensemble.n_epochs_, len(ensemble.history_)) == (20, 20)
    assert ensemble.training_dynamics_.correct.shape == (20, 103)
    assert SnapshotEnsemble.training_dynamics_ is None


@pytest.mark.parametrize(
    ("n_estimators", "params", "message"),
    [
        (50, {"max_epochs": 1}, "6 steps in cycles of .* = 1 make 6 cycles"),
        (4, {"max_epochs": 9, "batch_size": 200}, "9 steps .* = 3 make 3 cycles"),
    ],
)
def test_more_members_than_cycles_is_noticed_before_training(
    n_estimators, params, message
):
    ensemble = make(n_estimators, callbacks=[_Probe()], **params)
    _Probe.rates.append("as before")
    with pytest.raises(ValueError, match=message) as error:
        ensemble.fit(X, y)
    assert f"n_estimators={n_estimators}" in str(error.value)
    assert "raise max_epochs" in str(error.value)
    assert _Probe.rates.pop() == "as before"
    assert not hasattr(ensemble, "estimators_")


def test_a_training_that_ends_early_keeps_what_there_is():
    stops = EarlyStopping("train_loss", patience=1, threshold=100.0, sink=None)
    ensemble = make(4, callbacks=[_Probe(), stops]).fit(X, y)
    n_steps = ensemble.n_steps_
    ends = [end for end in (30, 60, 90) if end < n_steps] + [n_steps]
    assert n_steps < 60
    assert len(ensemble.estimators_) == len(ends)
    for member, end in zip(ensemble.estimators_, ends, strict=True):
        np.testing.assert_array_equal(weights_of(member), _Probe.weights[end - 1])


class _StopsAt(Callback):
    """Ends training after some steps."""

    def __init__(self, n_steps):
        self.n_steps = n_steps

    def on_epoch_end(self, net, **kwargs):
        if net.steps_done_ >= self.n_steps:
            raise KeyboardInterrupt  # how skorch's callbacks end a training


def test_a_training_that_ends_where_a_cycle_does_has_no_member_twice():
    ensemble = make(4, callbacks=[_StopsAt(60)]).fit(X, y)
    assert ensemble.n_steps_ == 60
    assert len(ensemble.estimators_) == 2
    first, second = map(weights_of, ensemble.estimators_)
    assert np.abs(first - second).max() > 1e-3
