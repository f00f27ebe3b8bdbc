# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""The multi-layer perceptron on vectors."""

import pickle
import signal
import subprocess
import sys

import joblib
import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import make_blobs
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import Callback

from skal import ActiveLearner
from skal.filters import AnchorAL
from skal.strategies import Entropy
from skal.text import DenseClassifier, SentenceEncoder

X, CODES = make_blobs(120, 5, centers=3, cluster_std=2.0, random_state=0)
X = X.astype(np.float32)
y = np.array(["a", "b", "c"])[CODES]


def make(**params):
    quick = {"hidden_layer_sizes": (16, 8), "lr": 0.01, "max_epochs": 8}
    quick |= {"batch_size": 16, "device": "cpu", "random_state": 0}
    return DenseClassifier(**(quick | params))


@pytest.fixture(scope="module")
def fitted():
    """A fitted classifier. Careful: do not fit it again."""
    return make().fit(X, y)


def test_defaults_are_those_of_the_paper():
    clf = DenseClassifier(max_epochs=1, device="cpu").fit(X, y)
    shapes = [tuple(layer.weight.shape) for layer in clf.net_.module_.hidden]
    assert shapes == [(300, 5), (300, 300), (300, 300)]
    assert clf.net_.module_.dropout.p == 0.3
    params = DenseClassifier().get_params()
    assert (params["lr"], params["max_epochs"], params["batch_size"]) == (1e-4, 30, 64)
    assert clf.embed(X).shape == (120, 300)


def test_learns_blobs(fitted):
    assert fitted.score(X, y) > 0.9
    losses = [epoch["train_loss"] for epoch in fitted.history_]
    assert losses[-1] < losses[0] / 2
    assert (fitted.n_epochs_, fitted.n_steps_) == (8, 8 * 8)


def test_learning_rate_is_constant_and_gradients_are_not_clipped():
    clf = make(callbacks=[_Probe()], max_epochs=2).fit(X * 1000, y)
    rates, norms = np.transpose(_Probe.seen)
    assert set(rates) == {0.01}
    assert norms.max() > 2
    assert clf.n_steps_ == len(rates)


def test_outputs_have_the_promised_shapes_and_dtypes(fitted):
    names = ["samples", "embedding", "proba", "logits"]
    outputs = fitted.predict_outputs(X, names, n_samples=4)
    assert list(outputs) == names
    shapes = {name: (array.shape, array.dtype) for name, array in outputs.items()}
    assert shapes == {
        "samples": ((4, 120, 3), np.float64),
        "embedding": ((120, 8), np.float32),
        "proba": ((120, 3), np.float64),
        "logits": ((120, 3), np.float64),
    }
    np.testing.assert_array_equal(outputs["proba"], fitted.predict_proba(X))
    np.testing.assert_array_equal(outputs["embedding"], fitted.embed(X))
    np.testing.assert_array_equal(outputs["samples"], fitted.sample_proba(X, 4))
    for name in ("proba", "samples"):
        np.testing.assert_allclose(outputs[name].sum(axis=-1), 1, atol=1e-12)


def test_logits_are_linear_in_the_embedding(fitted):
    outputs = fitted.predict_outputs(X, ["logits", "embedding"])
    last = fitted.net_.module_.last_linear
    weight, bias = last.weight.detach().numpy(), last.bias.detach().numpy()
    expected = outputs["embedding"] @ weight.T + bias
    np.testing.assert_allclose(outputs["logits"], expected, atol=1e-5)


def test_unknown_output_is_refused(fitted):
    with pytest.raises(ValueError, match=r"names out of .*\['mood'\]"):
        fitted.predict_outputs(X, ["proba", "mood"])


def test_each_row_passes_the_first_layer_once(fitted):
    sizes = []
    hook = fitted.net_.module_.hidden[0].register_forward_pre_hook(
        lambda layer, args: sizes.append(len(args[0]))
    )
    many = np.tile(X, (20, 1))
    fitted.predict_outputs(many, ["proba", "embedding", "samples"])
    hook.remove()
    assert sizes == [1024, 1024, 352]


def test_out_of_memory_halves_the_batch(fitted, monkeypatch):
    module, sizes = fitted.net_.module_, []
    forward = type(module).forward_outputs

    def cramped(self, batch, **kwargs):
        if len(batch) > 9:
            raise torch.OutOfMemoryError("no memory left")
        sizes.append(len(batch))
        return forward(self, batch, **kwargs)

    expected = fitted.predict_proba(X)
    monkeypatch.setattr(type(module), "forward_outputs", cramped)
    np.testing.assert_allclose(fitted.predict_proba(X), expected, atol=1e-6)
    assert sum(sizes) == 120

    def full(self, batch, **kwargs):
        raise torch.OutOfMemoryError("no memory left")

    monkeypatch.setattr(type(module), "forward_outputs", full)
    with pytest.raises(torch.OutOfMemoryError):
        fitted.predict_proba(X)


class TestSamples:
    def test_each_sample_is_one_network_with_its_masks(self, fitted):
        samples = fitted.sample_proba(X, 3)
        module = fitted.net_.module_
        masks = fitted._masks(module, 3)
        assert masks.shape == (3, 24)
        scaled = torch.tensor(1 / 0.7, dtype=torch.float32)
        assert set(masks.unique().tolist()) == {0.0, scaled.item()}
        hidden = torch.from_numpy(X)
        with torch.no_grad():
            for layer, mask in zip(module.hidden, masks[1].split([16, 8]), strict=True):
                hidden = torch.relu(layer(hidden)) * mask
            expected = module.last_linear(hidden).double().softmax(dim=1)
        np.testing.assert_allclose(samples[1], expected, atol=1e-6)

    def test_are_the_same_at_every_call_and_for_every_number(self, fitted):
        samples = fitted.sample_proba(X, 6)
        np.testing.assert_array_equal(fitted.sample_proba(X, 6), samples)
        np.testing.assert_array_equal(fitted.sample_proba(X, 2), samples[:2])
        assert np.abs(samples[0] - samples[1]).max() > 0.01
        loaded = pickle.loads(pickle.dumps(fitted))
        np.testing.assert_array_equal(loaded.sample_proba(X, 6), samples)
        assert fitted.sample_proba(X).shape == (10, 120, 3)

    def test_of_a_row_do_not_depend_on_the_others(self, fitted):
        rows = np.random.RandomState(0).permutation(120)[:50]
        np.testing.assert_allclose(
            fitted.sample_proba(X[rows], 3),
            fitted.sample_proba(X, 3)[:, rows],
            atol=1e-6,
        )

    def test_mean_is_near_the_prediction_and_drops_the_right_part(self, fitted):
        samples = fitted.sample_proba(X, 400)
        assert np.abs(samples.mean(axis=0) - fitted.predict_proba(X)).mean() < 0.1
        kept = (fitted._masks(fitted.net_.module_, 2000) > 0).float().mean()
        assert abs(kept - 0.7) < 0.01

    def test_leave_the_network_in_evaluation_mode(self, fitted):
        fitted.sample_proba(X, 2)
        assert not any(part.training for part in fitted.net_.module_.modules())

    def test_take_dropout_and_a_count(self, fitted):
        with pytest.raises(ValueError, match="dropout=0: all of them would be equal"):
            make(dropout=0.0, max_epochs=1).fit(X, y).sample_proba(X)
        with pytest.raises(ValueError, match="n_samples must be an int of at least 1"):
            fitted.sample_proba(X, 0)


class TestDynamics:
    def test_shapes_and_dtypes(self, fitted):
        dynamics = fitted.training_dynamics_
        assert set(dynamics) == {"gold_proba", "correct"}
        assert dynamics.gold_proba.shape == dynamics.correct.shape == (8, 120)
        assert dynamics.gold_proba.dtype == np.float32
        assert dynamics.correct.dtype == bool
        assert dynamics.correct[-1].mean() > dynamics.correct[0].mean()

    def test_are_what_training_saw_in_the_order_of_the_rows(self):
        # One batch, no dropout: an epoch sees the network that the last one left.
        params = {"dropout": 0.0, "batch_size": 120, "max_epochs": 2}
        dynamics = make(**params).fit(X, y).training_dynamics_
        proba = make(**params | {"max_epochs": 1}).fit(X, y).predict_proba(X)
        np.testing.assert_allclose(
            dynamics.gold_proba[1], proba[np.arange(120), CODES], atol=1e-6
        )
        np.testing.assert_array_equal(
            dynamics.correct[1], proba.argmax(axis=1) == CODES
        )

    def test_are_recorded_before_the_step_with_dropout(self):
        params = {"batch_size": 120, "max_epochs": 1, "hidden_layer_sizes": (64,)}
        first = make(**params).fit(X, y).training_dynamics_.gold_proba
        slow = make(**params | {"lr": 1e-9}).fit(X, y)
        np.testing.assert_allclose(slow.training_dynamics_.gold_proba, first, atol=1e-6)
        still = slow.predict_proba(X)[np.arange(120), CODES]
        assert np.abs(first[0] - still).max() > 0.01


def test_same_seed_is_equal_to_the_bit(fitted):
    again = make().fit(X[:30], y[:30]).fit(X, y)
    np.testing.assert_array_equal(again.predict_proba(X), fitted.predict_proba(X))
    np.testing.assert_array_equal(again.sample_proba(X), fitted.sample_proba(X))
    other = make(random_state=1).fit(X, y)
    assert np.abs(other.predict_proba(X) - fitted.predict_proba(X)).max() > 1e-3


def test_global_generators_are_untouched():
    state, numpy_state = torch.get_rng_state(), np.random.get_state()
    clf = make(random_state=None, max_epochs=1).fit(X, y)
    clf.predict_outputs(X, ["proba", "samples"])
    assert torch.equal(torch.get_rng_state(), state)
    np.testing.assert_array_equal(np.random.get_state()[1], numpy_state[1])


def test_warm_start_continues_and_keeps_classes_and_features():
    clf = make(warm_start=True).fit(X, y)
    before, net = clf.history_[-1]["train_loss"], clf.net_
    clf.fit(X[:60], y[:60])
    assert clf.history_[0]["train_loss"] < 2 * before
    assert clf.net_ is not net
    assert clf.training_dynamics_.correct.shape == (8, 60)
    with pytest.raises(ValueError, match=r"warm_start=True keeps"):
        clf.fit(X, np.where(y == "a", "z", y))
    with pytest.raises(ValueError, match="expecting 5 features"):
        clf.fit(X[:, :4], y)


class _Probe(Callback):
    """Notes what training does; the list is the class's, as callbacks are copied."""

    seen = []

    def on_train_begin(self, net, **kwargs):
        self.seen.clear()

    def on_batch_end(self, net, **kwargs):
        grads = [p.grad.norm() for p in net.module_.parameters()]
        norm = float(torch.linalg.vector_norm(torch.stack(grads)))
        self.seen.append((net.optimizer_.param_groups[0]["lr"], norm))


class _Fails(Callback):
    def on_epoch_end(self, net, **kwargs):
        raise RuntimeError("no")


class _CtrlC(Callback):
    def on_batch_end(self, net, **kwargs):
        signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize(
    ("callback", "error"), [(_Fails, RuntimeError), (_CtrlC, KeyboardInterrupt)]
)
@pytest.mark.parametrize("warm_start", [False, True])
def test_a_fit_that_fails_or_is_interrupted_leaves_the_model(
    callback, error, warm_start
):
    clf = make(max_epochs=1, warm_start=warm_start).fit(X, y)
    proba, samples = clf.predict_proba(X), clf.sample_proba(X)
    clf.set_params(callbacks=[callback()])
    before = dict(vars(clf))
    other = X if warm_start else X[:, :3]
    with pytest.raises(error):
        clf.fit(other, y)
    assert all(value is before[key] for key, value in vars(clf).items())
    np.testing.assert_array_equal(clf.predict_proba(X), proba)
    np.testing.assert_array_equal(clf.sample_proba(X), samples)


def test_interrupted_first_fit_leaves_an_unfitted_estimator():
    clf = make(callbacks=[_CtrlC()])
    with pytest.raises(KeyboardInterrupt):
        clf.fit(X, y)
    with pytest.raises(NotFittedError):
        clf.predict(X)
    assert not hasattr(clf, "n_features_in_")


def test_classes_that_the_labelled_rows_lack():
    clf = make(classes=["c", "b", "a", "d"]).fit(X[CODES < 2], y[CODES < 2])
    assert clf.classes_.tolist() == ["a", "b", "c", "d"]
    assert clf.predict_proba(X).shape == (120, 4)
    with pytest.raises(ValueError, match="Every label must be one of"):
        make(classes=["a", "b"]).fit(X, y)
    with pytest.raises(ValueError, match="at least two classes"):
        make().fit(X[CODES == 1], y[CODES == 1])


@pytest.mark.parametrize("sizes", [(), (0,), (8, -1), (8.5,), ("8",), ((8, 8),)])
def test_hidden_layer_sizes_are_checked(sizes):
    with pytest.raises(ValueError, match="one width of at least 1 per hidden layer"):
        make(hidden_layer_sizes=sizes).fit(X, y)


def test_unknown_device_is_refused():
    with pytest.raises(ValueError, match="device must be 'auto' or the name"):
        make(device="abacus").fit(X, y)


def test_pickle_and_joblib_are_small_and_keep_the_predictions(fitted, tmp_path):
    n_weights = 5 * 16 + 16 + 16 * 8 + 8 + 8 * 3 + 3
    size = 4 * n_weights + 5 * fitted.training_dynamics_.correct.size
    assert len(pickle.dumps(fitted)) < size + 12_000
    joblib.dump(fitted, tmp_path / "clf.joblib")
    loaded = joblib.load(tmp_path / "clf.joblib").set_params(device="cuda:99")
    np.testing.assert_array_equal(loaded.predict_proba(X), fitted.predict_proba(X))
    assert loaded.net_.optimizer_ is None
    assert loaded.net_.dataset_ is None


def test_clone_forgets_the_fit(fitted):
    copy = clone(fitted)
    assert copy.get_params() == fitted.get_params()
    assert not [name for name in vars(copy) if name.endswith("_") or name[0] == "_"]


def test_grid_search():
    grid = {"hidden_layer_sizes": [(4,), (16, 8)], "dropout": [0.0, 0.5]}
    search = GridSearchCV(make(), grid, cv=2).fit(X, y)
    assert search.best_score_ > 0.8
    assert search.predict(X).shape == (120,)


@pytest.mark.slow
def test_two_jobs_equal_one():
    one, two = (
        cross_validate(make(), X, y, cv=3, n_jobs=n_jobs, return_estimator=True)
        for n_jobs in (1, 2)
    )
    np.testing.assert_array_equal(one["test_score"], two["test_score"])
    for a, b in zip(one["estimator"], two["estimator"], strict=True):
        np.testing.assert_array_equal(a.predict_proba(X), b.predict_proba(X))


@pytest.mark.parametrize(
    "strategy", [Entropy(), AnchorAL(Entropy(), max_subpool=40)], ids=repr
)
@pytest.mark.parametrize("scaled", [False, True])
def test_inside_the_learner(strategy, scaled):
    clf = make(max_epochs=30)
    clf = make_pipeline(StandardScaler(), clf) if scaled else clf
    learner = ActiveLearner(clf, strategy, n_queries=7, random_state=0)
    seed = np.r_[:6, 60:66]
    learner.fit(X[seed], y[seed])
    pool, labels = X[66:], y[66:]
    rows = learner.query(pool)
    assert len(set(rows)) == 7
    np.testing.assert_array_equal(learner.query(pool), rows)
    learner.teach(pool[rows], labels[rows])
    assert learner.score(X, y) > 0.6


def test_after_a_sentence_encoder(tiny_checkpoint, toy_texts):
    texts, labels = toy_texts
    encoder = SentenceEncoder(tiny_checkpoint, device="cpu")
    clf = make_pipeline(encoder, make(max_epochs=40)).fit(texts, labels)
    assert clf.score(texts, labels) > 0.8


def test_a_batch_of_one_row_trains_and_a_callback_is_not_changed():
    probe = _Probe()
    clf = make(batch_size=119, max_epochs=1, callbacks=[("named", probe)]).fit(X, y)
    assert clf.n_steps_ == 2
    assert vars(probe) == {}


def test_verbose_prints_a_line_per_epoch(capsys):
    make(max_epochs=2, verbose=1).fit(X, y)
    assert "train_loss" in capsys.readouterr().out
    make(max_epochs=2).fit(X, y)
    assert capsys.readouterr().out == ""


def test_importing_the_class_does_not_import_torch():
    code = (
        "import sys; from skal.text import DenseClassifier; DenseClassifier(); "
        "heavy = {'torch', 'transformers', 'skorch'} & set(sys.modules); "
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)
