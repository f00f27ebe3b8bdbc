# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Training: what is learned, how long, with which numbers, and what survives."""

import pickle
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from skorch.callbacks import Callback, EarlyStopping
from transformers import DistilBertConfig

from skal.exceptions import ModelNotFoundError, TruncationWarning
from skal.neural._net import TransformerNet, learning_rate_factor
from skal.text import TransformerClassifier


def test_learns_the_toy_texts(fitted, toy_texts):
    X, y = toy_texts
    assert fitted.score(X, y) > 0.9


@pytest.mark.parametrize(
    ("n_rows", "params", "n_epochs"),
    [
        (20, {"max_epochs": 2, "min_steps": 7, "batch_size": 8}, 3),  # 3 steps an epoch
        (20, {"max_epochs": 2, "min_steps": 6, "batch_size": 8}, 2),
        (20, {"max_epochs": 4, "min_steps": 7, "batch_size": 8}, 4),
        (5, {"max_epochs": 1, "min_steps": 10, "batch_size": 32}, 10),
    ],
)
def test_runs_enough_epochs_for_max_epochs_and_min_steps(
    make_classifier, toy_texts, n_rows, params, n_epochs
):
    X, y = toy_texts
    clf = make_classifier(**params).fit(X[:n_rows], y[:n_rows])
    assert clf.n_epochs_ == n_epochs
    assert clf.n_steps_ == n_epochs * -(-n_rows // params["batch_size"])


def test_history_has_one_entry_per_epoch(fitted):
    assert [epoch["epoch"] for epoch in fitted.history_] == [1, 2, 3, 4]
    losses = [epoch["train_loss"] for epoch in fitted.history_]
    assert losses[-1] < losses[0]
    assert all(epoch["seconds"] > 0 for epoch in fitted.history_)


def test_learning_rate_rises_then_falls_and_is_never_zero():
    factors = [learning_rate_factor(t, 10, 0.2, "linear") for t in range(10)]
    np.testing.assert_allclose(factors[:3], [0.5, 1.0, 1.0])
    np.testing.assert_allclose(factors[3:], np.arange(7, 0, -1) / 8)
    constant = [learning_rate_factor(t, 10, 0.2, "constant") for t in range(10)]
    np.testing.assert_allclose(constant, [0.5] + [1.0] * 9)
    assert learning_rate_factor(3, 4, 1.0, "linear") == 1.0
    assert learning_rate_factor(0, 4, 0.0, "constant") == 1.0


class _Probe(Callback):
    """Notes what training does; the list is the class's, as callbacks are copied."""

    seen = []

    def on_train_begin(self, net, **kwargs):
        self.seen.clear()

    def on_batch_end(self, net, **kwargs):
        grads = [p.grad for p in net.module_.parameters() if p.grad is not None]
        norm = torch.linalg.vector_norm(torch.stack([g.norm() for g in grads]))
        self.seen.append((net.optimizer_.param_groups[0]["lr"], float(norm)))


def test_schedule_and_clipping_reach_the_optimizer(make_classifier, toy_texts):
    clf = make_classifier(max_epochs=1, warmup_ratio=0.2, max_grad_norm=0.01)
    clf.set_params(callbacks=[_Probe()]).fit(*toy_texts)
    rates, norms = np.transpose(_Probe.seen)
    np.testing.assert_allclose(
        rates, [5e-3 * learning_rate_factor(t, 10, 0.2, "linear") for t in range(10)]
    )
    assert norms.max() < 0.0101
    clf.set_params(max_grad_norm=None).fit(*toy_texts)
    assert np.transpose(_Probe.seen)[1].max() > 0.0101


def test_biases_and_norm_weights_do_not_decay(fitted):
    net = TransformerNet(fitted.net_.module_, n_steps=1, weight_decay=0.5, lr=1e-3)
    decaying, other = net.initialize().optimizer_.param_groups
    names = {id(p): name for name, p in net.module_.named_parameters()}
    assert (decaying["weight_decay"], other["weight_decay"]) == (0.5, 0.0)
    for param in other["params"]:
        assert names[id(param)].endswith((".bias", "LayerNorm.weight"))
    for param in decaying["params"]:
        assert names[id(param)].endswith(".weight")
        assert "LayerNorm" not in names[id(param)]
    assert len(decaying["params"]) + len(other["params"]) == len(names)


def test_same_seed_is_equal_to_the_bit(make_classifier, fitted, toy_texts):
    X, y = toy_texts
    again = make_classifier().fit(X, y)
    np.testing.assert_array_equal(again.predict_proba(X), fitted.predict_proba(X))
    other = make_classifier(random_state=1).fit(X, y)
    assert np.abs(other.predict_proba(X) - fitted.predict_proba(X)).max() > 1e-4


def test_refitting_starts_from_scratch(make_classifier, fitted, toy_texts):
    X, y = toy_texts
    clf = make_classifier().fit(X[:10], y[:10]).fit(X, y)
    np.testing.assert_array_equal(clf.predict_proba(X), fitted.predict_proba(X))


def test_random_state_instance_advances(make_classifier, toy_texts):
    X, y = toy_texts
    rng = np.random.RandomState(0)
    clf = make_classifier(random_state=rng, max_epochs=1).fit(X, y)
    first = clf.predict_proba(X)
    assert np.abs(clf.fit(X, y).predict_proba(X) - first).max() > 0


def test_global_generators_are_untouched(make_classifier, toy_texts):
    state, numpy_state = torch.get_rng_state(), np.random.get_state()
    clf = make_classifier(max_epochs=1).fit(*toy_texts)
    clf.predict_outputs(toy_texts[0], ["proba", "embedding"])
    assert torch.equal(torch.get_rng_state(), state)
    np.testing.assert_array_equal(np.random.get_state()[1], numpy_state[1])


def test_warm_start_continues(make_classifier, toy_texts):
    X, y = toy_texts
    clf = make_classifier(warm_start=True).fit(X, y)
    before = clf.history_[-1]["train_loss"]
    net = clf.net_
    clf.fit(X, y)
    assert clf.history_[0]["train_loss"] < 2 * before
    assert clf.net_ is not net


def test_warm_start_refuses_a_new_class(make_classifier, toy_texts):
    X, y = toy_texts
    clf = make_classifier(warm_start=True, max_epochs=1).fit(X, y)
    proba = clf.predict_proba(X)
    with pytest.raises(ValueError, match=r"warm_start=True keeps .* Got \['neutral'\]"):
        clf.fit(X[:3], ["neg", "neutral", "pos"])
    np.testing.assert_array_equal(clf.predict_proba(X), proba)
    with pytest.raises(ValueError, match=r"warm_start=True keeps .* Got \['more'\]"):
        clf.set_params(classes=["more", "neg", "pos"]).fit(X, y)
    assert clf.set_params(classes=None).fit(X[:2], ["pos", "pos"]).classes_.size == 2


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
    make_classifier, toy_texts, callback, error, warm_start
):
    X, y = toy_texts
    clf = make_classifier(max_epochs=1, warm_start=warm_start).fit(X, y)
    proba, before = clf.predict_proba(X), dict(vars(clf))
    clf.set_params(callbacks=[callback()])
    with pytest.raises(error):
        clf.fit(X, y)
    changed = {key for key, value in vars(clf).items() if value is not before[key]}
    assert changed == {"callbacks"}
    np.testing.assert_array_equal(clf.predict_proba(X), proba)


def test_interrupted_first_fit_leaves_an_unfitted_estimator(make_classifier, toy_texts):
    clf = make_classifier(callbacks=[_CtrlC()])
    with pytest.raises(KeyboardInterrupt):
        clf.fit(*toy_texts)
    with pytest.raises(NotFittedError):
        clf.predict(toy_texts[0])


def test_early_stopping_stops_without_an_interrupt(make_classifier, toy_texts):
    stopping = EarlyStopping("train_loss", patience=1, threshold=10.0, sink=None)
    clf = make_classifier(callbacks=[stopping]).fit(*toy_texts)
    assert clf.n_epochs_ < 4
    assert clf.n_steps_ == clf.n_epochs_ * 10
    assert clf.predict(toy_texts[0]).shape == (80,)


def test_callbacks_of_the_user_are_not_changed(make_classifier, toy_texts):
    stopping = EarlyStopping("train_loss", patience=1, threshold=10.0)
    callbacks = [stopping, ("named", _Probe())]
    state = dict(vars(stopping))
    make_classifier(callbacks=callbacks, max_epochs=1).fit(*toy_texts)
    assert len(callbacks) == 2
    assert callbacks[0] is stopping
    assert vars(stopping) == state


@pytest.mark.parametrize("mixed_precision", ["bf16", "fp16"])
def test_mixed_precision_trains_and_predicts(
    make_classifier, toy_texts, mixed_precision
):
    X, y = toy_texts
    clf = make_classifier(mixed_precision=mixed_precision).fit(X, y)
    outputs = clf.predict_outputs(X, ["proba", "logits", "embedding"])
    assert outputs["proba"].dtype == np.float64
    assert outputs["embedding"].dtype == np.float32
    assert np.isfinite(outputs["logits"]).all()
    assert clf.score(X, y) > 0.9
    assert next(clf.net_.module_.parameters()).dtype == torch.float32


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of torch's own making; needs a C++ compiler
def test_a_compiled_model_trains_and_predicts(make_classifier, toy_texts):
    X, y = toy_texts
    clf = make_classifier(compile=True).fit(X, y)
    outputs = ["proba", "embedding", "hidden_states", "samples"]
    found = clf.predict_outputs(X, outputs, n_samples=2)
    assert clf.score(X, y) > 0.9
    assert found["samples"].std(axis=0).max() > 1e-3
    loaded = pickle.loads(pickle.dumps(clf)).set_params(compile=False)
    plain = loaded.predict_outputs(X, ["proba", "hidden_states"])
    for name, values in plain.items():
        np.testing.assert_allclose(values, found[name], atol=1e-4)


def test_texts_beyond_the_positions_are_cut_counted_and_told_once_a_call(
    make_classifier, toy_texts
):
    X, y = toy_texts
    long = "good movie " * 100
    fits = "good " * 62  # and two special tokens
    clf = make_classifier(max_length=512, max_epochs=1)
    match = "^2 of 83 texts were cut to 64 tokens: .* max_length=512"
    with pytest.warns(TruncationWarning, match=match) as caught:
        clf.fit([*X, long, fits, long + "x"], [*y, "pos", "pos", "pos"])
    assert len(caught) == 1
    with pytest.warns(TruncationWarning, match="^1 of 2 texts"):
        assert clf.predict_proba([long, "good"]).shape == (2, 2)
    clf.predict([fits])  # no warning
    clf.set_params(max_length=64).predict([long])  # as it was asked for


def test_long_texts_are_cut_to_max_length(make_classifier, toy_texts):
    X, y = toy_texts
    short = make_classifier(max_length=4, max_epochs=1).fit(X, y)
    assert short.predict_proba(["good movie the"]).shape == (1, 2)
    np.testing.assert_array_equal(
        short.predict_proba(["good movie the"]), short.predict_proba(["good movie bad"])
    )


def test_a_folder_without_a_tokenizer_is_refused(
    tiny_checkpoint, make_classifier, toy_texts, tmp_path
):
    # transformers would make up a tokenizer that knows no word
    for file in Path(tiny_checkpoint).iterdir():
        if "token" not in file.name:
            shutil.copy(file, tmp_path)
    with pytest.raises(ModelNotFoundError, match="has no tokenizer") as caught:
        make_classifier().set_params(model=tmp_path).fit(*toy_texts)
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize("module", ["empty", "absent"])
def test_unknown_model_says_what_to_do(tmp_path, toy_texts, module):
    name = str(tmp_path) if module == "empty" else "no-such/model"
    with pytest.raises(ModelNotFoundError, match="HF_HUB_OFFLINE") as caught:
        TransformerClassifier(name).fit(*toy_texts)
    assert name in str(caught.value)
    assert isinstance(caught.value, OSError)
    assert isinstance(caught.value.__cause__, (OSError, ValueError))


def test_folder_without_weights_is_no_checkpoint(tmp_path, tiny_tokenizer, toy_texts):
    DistilBertConfig().save_pretrained(tmp_path)
    tiny_tokenizer.save_pretrained(tmp_path)
    with pytest.raises(ModelNotFoundError, match="weights") as caught:
        TransformerClassifier(tmp_path).fit(*toy_texts)
    assert isinstance(caught.value.__cause__, OSError)


def test_silent_by_default_and_restores_what_it_silenced(
    make_classifier, toy_texts, capfd
):
    from transformers.utils import logging

    before = logging.get_verbosity(), logging.is_progress_bar_enabled()
    make_classifier(max_epochs=1, classes=["neg", "other", "pos"]).fit(*toy_texts)
    assert (logging.get_verbosity(), logging.is_progress_bar_enabled()) == before
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("", "")


def test_verbose_prints_a_line_per_epoch(make_classifier, toy_texts, capfd):
    make_classifier(max_epochs=2, verbose=1).fit(*toy_texts)
    out = capfd.readouterr().out
    assert "train_loss" in out
    assert len(out.strip().splitlines()) == 4


@pytest.mark.parametrize(
    ("params", "match"),
    [
        ({"lr": 0}, "'lr' parameter"),
        ({"max_epochs": 0}, "'max_epochs' parameter"),
        ({"max_length": 2}, "'max_length' parameter"),
        ({"lr_schedule": "cosine"}, "'lr_schedule' parameter"),
        ({"mixed_precision": "int8"}, "'mixed_precision' parameter"),
        ({"warmup_ratio": 1.5}, "'warmup_ratio' parameter"),
        ({"model": 3}, "'model' parameter"),
        ({"device": "gpu"}, "device must be 'auto' .* this machine has 'cpu'"),
        ({"device": "cuda:99"}, "not available on this machine, which has 'cpu'"),
    ],
)
def test_bad_parameters_are_refused_in_fit(make_classifier, toy_texts, params, match):
    clf = make_classifier().set_params(**params)
    with pytest.raises(ValueError, match=match):
        clf.fit(*toy_texts)


def test_an_unknown_device_is_refused_before_any_work(toy_texts):
    clf = TransformerClassifier("nowhere", device="gpu")
    for ask in (lambda: clf.fit(*toy_texts), lambda: clf.token_surprisal(["good"])):
        with pytest.raises(ValueError, match="device must be 'auto'"):
            ask()


def test_accepts_a_path_object(tiny_checkpoint, fitted, toy_texts, tmp_path):
    clf = clone(fitted).set_params(model=tmp_path.__class__(tiny_checkpoint))
    proba = clf.fit(*toy_texts).predict_proba(toy_texts[0])
    np.testing.assert_array_equal(proba, fitted.predict_proba(toy_texts[0]))
