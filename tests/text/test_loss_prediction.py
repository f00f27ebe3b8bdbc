# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""A classifier trained with a module that predicts its loss."""

import pickle
import signal
import subprocess
import sys

import joblib
import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags
from skorch.callbacks import Callback

from skal import TransformerClassifier
from skal.neural import SequenceClassifier, _loss_prediction
from skal.text import DenseClassifier, LossPredictingClassifier

ARCHITECTURES = ["bert", "roberta", "albert", "deberta-v2", "gpt2", "t5"]


def noisy_in_one_half(n, seed):
    """Two classes, told by the first feature; where the second is positive, by a coin.

    The rows, their labels, and whether the label is a coin's.
    """
    rng = np.random.RandomState(seed)
    X = rng.normal(size=(n, 4)).astype(np.float32)
    is_noisy = X[:, 1] > 0
    y = np.where(is_noisy, rng.randint(2, size=n), X[:, 0] > 0)
    return X, y, is_noisy


X, CODES, _ = noisy_in_one_half(90, 0)
y = np.array(["a", "b"])[CODES]


def dense(**params):
    quick = {"hidden_layer_sizes": (16, 8), "lr": 0.01, "max_epochs": 5}
    quick |= {"batch_size": 16, "device": "cpu", "random_state": 0}
    return DenseClassifier(**(quick | params))


def transformer(checkpoint, **params):
    quick = {"lr": 5e-3, "max_epochs": 3, "min_steps": 0, "batch_size": 16}
    quick |= {"device": "cpu", "random_state": 0, "max_length": 32}
    return TransformerClassifier(checkpoint, **(quick | params))


@pytest.fixture(scope="module")
def fitted():
    """A fitted classifier. Careful: do not fit it again."""
    return LossPredictingClassifier(dense(), hidden_size=8).fit(X, y)


@pytest.fixture(scope="module", params=ARCHITECTURES)
def of_text(request, make_checkpoint, toy_texts):
    """A classifier of each architecture. Careful: do not fit it again."""
    inner = transformer(make_checkpoint(request.param), classes=["neg", "?", "pos"])
    return LossPredictingClassifier(inner, hidden_size=8).fit(*toy_texts)


def true_losses(clf, X, y):
    proba = clf.predict_proba(X)
    return -np.log(proba[np.arange(len(X)), np.searchsorted(clf.classes_, y)])


# What it learns.


def held_out(seed):
    """How well predicted losses rank the true ones, and find where labels are noise."""
    train, labels, _ = noisy_in_one_half(400, seed)
    network = dense(hidden_layer_sizes=(32, 32), dropout=0.0, max_epochs=15)
    clf = LossPredictingClassifier(network, random_state=seed).fit(train, labels)
    rows, labels, is_noisy = noisy_in_one_half(1000, 100 + seed)
    predicted = clf.predict_loss(rows)
    correlation = spearmanr(predicted, true_losses(clf, rows, labels))[0]
    return correlation, roc_auc_score(is_noisy, predicted)


@pytest.mark.parametrize("seed", range(3))
def test_held_out_losses_are_ranked(seed):
    correlation, area = held_out(seed)
    assert correlation > 0.7
    assert area > 0.9


@pytest.mark.parametrize("seed", range(3))
def test_taught_the_other_way_round_it_ranks_the_other_way_round(seed, monkeypatch):
    told = _loss_prediction.ranking_losses
    monkeypatch.setattr(
        _loss_prediction,
        "ranking_losses",
        lambda predicted, losses, margin: told(predicted, -losses, margin),
    )
    correlation, area = held_out(seed)
    assert correlation < -0.5
    assert area < 0.2


@pytest.mark.parametrize("params", [{"loss_weight": 0}, {"detach_after": 0}], ids=str)
def test_a_module_that_only_looks_on_leaves_the_classifier_to_the_bit(params):
    plain = dense().fit(X, y)
    clf = LossPredictingClassifier(dense(), **params).fit(X, y)
    names = ["proba", "embedding", "samples"]
    for name, values in clf.predict_outputs(X, names).items():
        np.testing.assert_array_equal(values, plain.predict_outputs(X, [name])[name])
    for name, values in plain.training_dynamics_.items():
        np.testing.assert_array_equal(clf.training_dynamics_[name], values)
    other = LossPredictingClassifier(dense()).fit(X, y)
    assert np.abs(other.predict_proba(X) - plain.predict_proba(X)).max() > 1e-3


@pytest.mark.parametrize("architecture", ["bert", "gpt2", "t5"])
@pytest.mark.parametrize("params", [{"loss_weight": 0}, {"detach_after": 0}], ids=str)
def test_the_same_of_transformers(make_checkpoint, toy_texts, architecture, params):
    inner = transformer(make_checkpoint(architecture), max_epochs=1)
    expected = clone(inner).fit(*toy_texts).predict_proba(toy_texts[0])
    clf = LossPredictingClassifier(inner, **params).fit(*toy_texts)
    np.testing.assert_array_equal(clf.predict_proba(toy_texts[0]), expected)
    assert clf.predict_loss(toy_texts[0]).std() > 1e-3


def test_a_step_is_one_pass_of_the_network(make_checkpoint, toy_texts, monkeypatch):
    sizes, run = [], SequenceClassifier._run

    def spy(self, inputs, **options):
        sizes.append(inputs["input_ids"].shape)
        return run(self, inputs, **options)

    monkeypatch.setattr(SequenceClassifier, "_run", spy)
    inner = transformer(make_checkpoint("bert"), batch_size=40)
    clf = LossPredictingClassifier(inner).fit(*toy_texts)
    # Before them, the pass of one token that tells how many layers there are.
    assert [rows for rows, _ in sizes] == [1] + [40] * clf.n_steps_


# What it says of rows.


def test_outputs_have_the_promised_shapes_and_dtypes(fitted):
    names = ["predicted_loss", "samples", "embedding", "proba", "logits"]
    outputs = fitted.predict_outputs(X, names, n_samples=4)
    shapes = {name: (array.shape, array.dtype) for name, array in outputs.items()}
    assert shapes == {
        "predicted_loss": ((90,), np.float64),
        "samples": ((4, 90, 2), np.float64),
        "embedding": ((90, 8), np.float32),
        "proba": ((90, 2), np.float64),
        "logits": ((90, 2), np.float64),
    }
    np.testing.assert_array_equal(outputs["predicted_loss"], fitted.predict_loss(X))
    np.testing.assert_array_equal(outputs["proba"], fitted.predict_proba(X))
    np.testing.assert_array_equal(outputs["embedding"], fitted.embed(X))
    np.testing.assert_array_equal(outputs["samples"], fitted.sample_proba(X, 4))
    expected = fitted.classes_[outputs["proba"].argmax(axis=1)]
    assert fitted.predict(X).tolist() == expected.tolist()
    with pytest.raises(ValueError, match=r"'predicted_loss'\]. Got \['mood'\]"):
        fitted.predict_outputs(X, ["mood"])


def test_each_row_passes_the_network_once(fitted):
    sizes = []
    hook = fitted.estimator_.net_.module_.hidden[0].register_forward_pre_hook(
        lambda layer, args: sizes.append(len(args[0]))
    )
    fitted.predict_outputs(X, ["proba", "embedding", "predicted_loss"])
    hook.remove()
    assert sizes == [90]


def test_outputs_of_the_layers_are_what_is_read(fitted):
    module = fitted.estimator_.net_.module_
    assert fitted.layers_ == [1, 2]
    with torch.no_grad():
        states = [torch.from_numpy(X)]
        for layer in module.hidden:
            states.append(layer(states[-1]).relu())
        expected = module.loss_module(states)
    np.testing.assert_allclose(fitted.predict_loss(X), expected, atol=1e-6)


def test_states_of_the_token_that_stands_for_the_text_are_what_is_read(
    of_text, toy_texts
):
    texts = [*toy_texts[0], "", "movie " * 300, "good </s> bad <|endoftext|>"]
    names = ["hidden_states", "predicted_loss", "proba", "samples"]
    outputs = of_text.predict_outputs(texts, names, n_samples=2)
    states = torch.from_numpy(outputs["hidden_states"])
    assert states.shape == (83, 3, 32)
    assert of_text.layers_ == [1, 2]
    with torch.no_grad():
        expected = of_text.estimator_.net_.module_.loss_module(list(states.unbind(1)))
    np.testing.assert_allclose(outputs["predicted_loss"], expected, atol=1e-5)
    assert outputs["predicted_loss"].std() > 1e-3
    assert outputs["proba"].shape == (83, 3)
    assert of_text.score(*toy_texts) > 0.5
    # The order of the rows and what else is asked for change nothing but rounding.
    alone = of_text.predict_loss(texts[::-1])[::-1]
    np.testing.assert_allclose(alone, outputs["predicted_loss"], atol=1e-5)


def test_everything_else_is_the_transformers(toy_texts, of_text):
    texts, _ = toy_texts
    inner = of_text.estimator_
    np.testing.assert_array_equal(of_text.embed(texts), inner.embed(texts))
    kept = of_text.keep_tokens(texts)
    np.testing.assert_array_equal(
        of_text.predict_loss(kept), of_text.predict_loss(texts)
    )
    assert of_text.pretrained_encoder().model == inner.model
    assert of_text.training_dynamics_ is inner.training_dynamics_
    assert of_text.training_dynamics_.correct.shape == (3, 80)
    assert of_text.history_ == inner.history_
    assert (of_text.n_epochs_, of_text.n_steps_) == (3, 15)
    assert of_text.classes_.tolist() == ["?", "neg", "pos"]
    assert get_tags(of_text).input_tags == get_tags(inner).input_tags


def test_surprisal_is_the_checkpoints(toy_texts):
    inner = TransformerClassifier("skal-tiny", device="cpu", random_state=3)
    expected = inner.token_surprisal(toy_texts[0][:9])
    clf = LossPredictingClassifier(inner)
    np.testing.assert_array_equal(clf.token_surprisal(toy_texts[0][:9]), expected)


def test_a_network_on_vectors_offers_nothing_of_texts(fitted):
    for method in ("keep_tokens", "pretrained_encoder", "token_surprisal"):
        assert not hasattr(fitted, method)


def test_the_features_of_a_frame_are_noted():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(X, columns=list("uvwx"))
    clf = LossPredictingClassifier(dense(max_epochs=1)).fit(frame, y)
    assert clf.feature_names_in_.tolist() == ["u", "v", "w", "x"]
    clf.fit(X, y)
    assert clf.n_features_in_ == 4
    assert not hasattr(clf, "feature_names_in_")


# Batches, layers, precision.


@pytest.mark.parametrize("batch_size", [1, 7, 89, 90, 100])
def test_batches_of_any_size(batch_size):
    inner = dense(batch_size=batch_size, max_epochs=1)
    clf = LossPredictingClassifier(inner).fit(X, y)
    assert clf.n_steps_ == -(-90 // batch_size)
    assert np.isfinite(clf.predict_loss(X)).all()


def test_with_batches_of_one_the_module_learns_nothing():
    """But for weight decay, it stays as it was drawn."""
    inner = dense(batch_size=1, max_epochs=1, weight_decay=0)
    first, second = (
        LossPredictingClassifier(inner).fit(rows, y[:30]).estimator_.net_.module_
        for rows in (X[:30], X[:30] + 1)
    )
    for one, other in zip(
        first.loss_module.parameters(), second.loss_module.parameters(), strict=True
    ):
        assert torch.equal(one, other)


@pytest.mark.parametrize(
    ("layers", "sizes"), [([2], [8]), ([0, 1], [4, 16]), (np.array([2, 0]), [8, 4])]
)
def test_layers_of_ones_own(layers, sizes):
    inner = dense(max_epochs=1)
    clf = LossPredictingClassifier(inner, layers=layers, hidden_size=3).fit(X, y)
    module = clf.estimator_.net_.module_.loss_module
    assert clf.layers_ == list(layers)
    assert [branch.in_features for branch in module.branches] == sizes
    assert {branch.out_features for branch in module.branches} == {3}
    assert clf.predict_loss(X).shape == (90,)


@pytest.mark.parametrize("layers", [[3], [1, 1], [], [1.0], ["1"], [[1]], [-1], [True]])
def test_layers_that_there_are_not_are_refused(layers):
    with pytest.raises(ValueError, match="layers must be"):
        LossPredictingClassifier(dense(), layers=layers).fit(X, y)


@pytest.mark.parametrize("mixed_precision", ["bf16", "fp16"])
def test_losses_are_predicted_in_single_precision(
    make_checkpoint, toy_texts, mixed_precision
):
    inner = transformer(make_checkpoint("bert"), mixed_precision=mixed_precision)
    clf = LossPredictingClassifier(inner, random_state=0).fit(*toy_texts)
    predicted = clf.predict_loss(toy_texts[0])
    assert len(np.unique(predicted)) == 80
    loaded = pickle.loads(pickle.dumps(clf)).set_params()
    loaded.estimator_.set_params(mixed_precision=None)
    np.testing.assert_allclose(loaded.predict_loss(toy_texts[0]), predicted, atol=0.1)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of torch's own making; needs a C++ compiler
def test_a_compiled_model_trains_and_predicts(make_checkpoint, toy_texts):
    inner = transformer(make_checkpoint("bert"), compile=True)
    clf = LossPredictingClassifier(inner, random_state=0).fit(*toy_texts)
    predicted = clf.predict_loss(toy_texts[0])
    loaded = pickle.loads(pickle.dumps(clf))
    loaded.estimator_.set_params(compile=False)
    np.testing.assert_allclose(loaded.predict_loss(toy_texts[0]), predicted, atol=1e-4)


# What may be inside, and what it is told.


@pytest.mark.parametrize(
    "estimator",
    [
        LogisticRegression(),
        KNeighborsClassifier(),
        make_pipeline(StandardScaler(), dense()),
        LossPredictingClassifier(dense()),
        DenseClassifier,
        None,
    ],
    ids=repr,
)
def test_a_classifier_without_hidden_layers_is_refused(estimator):
    with pytest.raises(TypeError, match="must be a TransformerClassifier or a Dense"):
        LossPredictingClassifier(estimator).fit(X, y)


@pytest.mark.parametrize(
    "params",
    [
        {"margin": 0},
        {"loss_weight": -1},
        {"hidden_size": 0},
        {"detach_after": 1.1},
        {"layers": "all"},
        {"estimator__lr": -1},
        {"estimator__batch_size": 0},
    ],
    ids=str,
)
def test_bad_parameters_are_refused(params):
    clf = LossPredictingClassifier(dense()).set_params(**params)
    with pytest.raises(ValueError, match=f"'{next(iter(params)).split('__')[-1]}'"):
        clf.fit(X, y)


def test_as_the_last_step_of_a_pipeline():
    pipe = make_pipeline(StandardScaler(), LossPredictingClassifier(dense()))
    assert pipe.fit(X, y).score(X, y) > 0.5


def test_classes_are_passed_on():
    clf = LossPredictingClassifier(dense(max_epochs=1), classes=["c", "b", "a"])
    assert clf.fit(X, y).predict_proba(X).shape == (90, 3)
    assert clf.estimator.classes is None
    clf.set_params(classes=None, estimator__classes=["a", "b", "d", "e"]).fit(X, y)
    assert clf.classes_.tolist() == ["a", "b", "d", "e"]
    only = X[y == "a"], y[y == "a"]
    clf = LossPredictingClassifier(dense(max_epochs=1), classes=["a", "b"]).fit(*only)
    assert clf.predict_loss(X).shape == (90,)
    with pytest.raises(ValueError, match="at least two classes"):
        clf.set_params(classes=None).fit(*only)
    with pytest.raises(ValueError, match="Every label must be one of"):
        clf.set_params(classes=["b", "c"]).fit(*only)


def test_the_seed_replaces_the_estimators():
    def fit(random_state, own=0):
        inner = dense(max_epochs=1, random_state=own)
        return LossPredictingClassifier(inner, random_state=random_state).fit(X, y)

    first = fit(1)
    for same in (fit(1, own=5), fit(1)):
        assert np.array_equal(same.predict_proba(X), first.predict_proba(X))
        assert np.array_equal(same.predict_loss(X), first.predict_loss(X))
    for other in (fit(2), fit(None)):
        assert not np.array_equal(other.predict_loss(X), first.predict_loss(X))
    assert np.array_equal(fit(None).predict_loss(X), fit(None).predict_loss(X))
    assert first.estimator.random_state == 0
    state = np.random.RandomState(0)
    draws = [fit(state).predict_loss(X) for _ in range(2)]
    assert not np.array_equal(*draws)


def test_global_generators_are_untouched():
    state, numpy_state = torch.get_rng_state(), np.random.get_state()
    inner = dense(random_state=None, max_epochs=1)
    LossPredictingClassifier(inner).fit(X, y).predict_loss(X)
    assert torch.equal(torch.get_rng_state(), state)
    np.testing.assert_array_equal(np.random.get_state()[1], numpy_state[1])


# What scikit-learn and joblib expect.


def test_clone_and_nested_parameters(fitted):
    copy = clone(fitted)
    assert repr(copy.get_params()) == repr(fitted.get_params())
    assert not [name for name in vars(copy) if name.endswith("_")]
    copy.set_params(estimator__lr=0.5, margin=2)
    assert (copy.estimator.lr, fitted.estimator.lr) == (0.5, 0.01)
    with pytest.raises(NotFittedError):
        copy.predict_loss(X)


def cross_validated(n_jobs):
    clf = LossPredictingClassifier(dense(max_epochs=2), random_state=0)
    found = cross_validate(clf, X, y, cv=3, n_jobs=n_jobs, error_score="raise")
    return found["test_score"].tolist()


@pytest.mark.slow
def test_cross_validation_in_parallel_equals_serial():
    assert cross_validated(2) == cross_validated(1)


def test_cross_validation_and_search():
    assert cross_validated(1) == cross_validated(1)
    clf = LossPredictingClassifier(dense(max_epochs=2), random_state=0)
    grid = {"loss_weight": [0.1, 1], "estimator__lr": [1e-6, 0.01]}
    search = GridSearchCV(clf, grid, cv=2, error_score="raise").fit(X, y)
    assert search.best_params_["estimator__lr"] == 0.01
    assert search.best_estimator_.predict_loss(X).shape == (90,)


def test_joblib_into_another_process(fitted, tmp_path):
    n_weights = sum(p.numel() for p in fitted.estimator_.net_.module_.parameters())
    size = 4 * n_weights + 5 * fitted.training_dynamics_.correct.size
    assert len(pickle.dumps(fitted)) < size + 15_000
    joblib.dump(fitted, tmp_path / "clf.joblib")
    np.save(tmp_path / "X.npy", X)
    code = (
        "import joblib, numpy as np; clf = joblib.load('clf.joblib');"
        "np.save('predicted.npy', clf.predict_loss(np.load('X.npy')))"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    np.testing.assert_allclose(
        np.load(tmp_path / "predicted.npy"), fitted.predict_loss(X), atol=1e-6
    )


def test_a_transformers_pickle_predicts_the_same(of_text, toy_texts, tmp_path):
    joblib.dump(of_text, tmp_path / "clf.joblib")
    loaded = joblib.load(tmp_path / "clf.joblib")
    texts = toy_texts[0]
    np.testing.assert_array_equal(
        loaded.predict_loss(texts), of_text.predict_loss(texts)
    )


class _Fails(Callback):
    def on_epoch_end(self, net, **kwargs):
        raise RuntimeError("no")


class _CtrlC(Callback):
    def on_batch_end(self, net, **kwargs):
        signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize(
    ("callback", "error"), [(_Fails, RuntimeError), (_CtrlC, KeyboardInterrupt)]
)
def test_a_fit_that_fails_or_is_interrupted_leaves_the_model(callback, error):
    clf = LossPredictingClassifier(dense(max_epochs=1)).fit(X, y)
    predicted, proba = clf.predict_loss(X), clf.predict_proba(X)
    clf.set_params(estimator__callbacks=[callback()])
    before = dict(vars(clf))
    with pytest.raises(error):
        clf.fit(X[:, :3], y)
    assert vars(clf).keys() == before.keys()
    assert all(value is before[key] for key, value in vars(clf).items())
    np.testing.assert_array_equal(clf.predict_loss(X), predicted)
    np.testing.assert_array_equal(clf.predict_proba(X), proba)


def test_an_interrupted_first_fit_leaves_an_unfitted_transformer(
    make_checkpoint, toy_texts
):
    inner = transformer(make_checkpoint("bert"), callbacks=[_CtrlC()])
    clf = LossPredictingClassifier(inner)
    with pytest.raises(KeyboardInterrupt):
        clf.fit(*toy_texts)
    with pytest.raises(NotFittedError):
        clf.predict_loss(toy_texts[0])
    assert not [name for name in vars(clf) if name.endswith("_")]
