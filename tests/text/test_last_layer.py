# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""What holds of every classifier whose last layer is several networks."""

import signal
import subprocess
import sys
import textwrap

import joblib
import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import make_blobs
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.utils import get_tags
from skorch.callbacks import Callback

from skal import ActiveLearner
from skal.base import PoolView, Reads
from skal.exceptions import MissingCapabilityError
from skal.strategies import BALD, CartographyAL, Entropy, VoteEntropy
from skal.text import (
    BayesByBackpropClassifier,
    DenseClassifier,
    SentenceEncoder,
    SplitHeadClassifier,
    TransformerClassifier,
)
from skal.utils._capabilities import compute_outputs

X, CODES = make_blobs(120, 4, centers=3, cluster_std=2.5, random_state=0)
X = X.astype(np.float32)
y = np.array(["a", "b", "c"])[CODES]
NETWORK = DenseClassifier(
    (16,), lr=0.01, max_epochs=6, batch_size=32, device="cpu", random_state=5
)
PROVIDERS = [
    SplitHeadClassifier(NETWORK, n_heads=3, random_state=0),
    SplitHeadClassifier(NETWORK, n_heads=3, head_size=5, random_state=0),
    SplitHeadClassifier(NETWORK, n_heads=3, stochastic=True, random_state=0),
    BayesByBackpropClassifier(NETWORK, random_state=0),
    BayesByBackpropClassifier(
        NETWORK, prior="mixture", kl_weights="blundell", random_state=0
    ),
]
IDS = ["heads", "hidden", "stochastic", "gaussian", "mixture"]
with_providers = pytest.mark.parametrize("provider", PROVIDERS, ids=IDS)
TWO = [PROVIDERS[0], PROVIDERS[3]]
with_both = pytest.mark.parametrize("provider", TWO, ids=["heads", "gaussian"])


@pytest.fixture(scope="module", params=PROVIDERS, ids=IDS)
def fitted(request):
    """A fitted classifier of each kind. Careful: do not fit it again."""
    return clone(request.param).fit(X, y)


def test_it_learns_and_says_how(fitted):
    assert fitted.score(X, y) > 0.85
    assert fitted.classes_.tolist() == ["a", "b", "c"]
    assert (fitted.n_epochs_, fitted.n_steps_) == (6, 24)
    assert [entry["epoch"] for entry in fitted.history_] == list(range(1, 7))
    losses = [entry["train_loss"] for entry in fitted.history_]
    assert losses[-1] < losses[0]
    dynamics = fitted.training_dynamics_
    assert dynamics.correct.shape == dynamics.gold_proba.shape == (6, 120)
    assert dynamics.correct[-1].mean() > 0.8
    assert 0 < dynamics.gold_proba.min() < dynamics.gold_proba.max() < 1


def test_outputs_have_the_promised_shapes_and_agree(fitted):
    names = ["samples", "embedding", "proba"]
    outputs = fitted.predict_outputs(X, names, n_samples=3)
    assert list(outputs) == names
    shapes = {name: (array.shape, array.dtype) for name, array in outputs.items()}
    assert shapes == {
        "samples": ((3, 120, 3), np.float64),
        "embedding": ((120, 16), np.float32),
        "proba": ((120, 3), np.float64),
    }
    for name in ("samples", "proba"):
        np.testing.assert_allclose(outputs[name].sum(axis=-1), 1, atol=1e-12)
    np.testing.assert_array_equal(outputs["proba"], fitted.predict_proba(X))
    np.testing.assert_array_equal(outputs["embedding"], fitted.embed(X))
    np.testing.assert_array_equal(outputs["samples"], fitted.sample_proba(X, 3))
    expected = fitted.classes_[outputs["proba"].argmax(axis=1)]
    assert fitted.predict(X).tolist() == expected.tolist()
    assert len({sample.tobytes() for sample in outputs["samples"]}) == 3


def test_names_it_does_not_give_are_left_out(fitted):
    assert set(fitted.predict_outputs(X, ["logits", "proba"])) == {"proba"}
    assert set(fitted.predict_outputs(X, "samples")) == {"samples"}
    assert fitted.predict_outputs(X, ["logits"]) == {}
    with pytest.raises(MissingCapabilityError, match="gives no logits"):
        compute_outputs(fitted, X, {"logits"}, fitted.classes_)


def test_samples_are_the_same_at_every_call_for_every_number_and_any_rows(fitted):
    samples = fitted.sample_proba(X, 3)
    np.testing.assert_array_equal(fitted.sample_proba(X, 3), samples)
    np.testing.assert_array_equal(fitted.sample_proba(X, 2), samples[:2])
    rows = np.random.RandomState(0).permutation(120)[:50]
    np.testing.assert_allclose(
        fitted.sample_proba(X[rows], 3), samples[:, rows], atol=1e-6
    )
    many = np.tile(X, (20, 1))  # more than a block of rows
    np.testing.assert_allclose(
        fitted.sample_proba(many, 3), np.tile(samples, (1, 20, 1)), atol=1e-6
    )


@pytest.mark.parametrize("n_samples", [0, -1, 1.5, True])
def test_a_number_of_samples_that_is_none_is_refused(fitted, n_samples):
    with pytest.raises((ValueError, TypeError), match="n_samples must be an int"):
        fitted.sample_proba(X, n_samples)


def test_a_view_asks_for_all_in_one_pass(fitted):
    passed = []
    hook = fitted.estimator_.net_.module_.hidden[0].register_forward_pre_hook(
        lambda layer, args: passed.append(len(args[0]))
    )
    reads = Reads(pool=frozenset({"proba", "samples", "embedding"}), n_samples=3)
    view = PoolView(X, estimator=fitted, classes=fitted.classes_, reads=reads)
    view.proba, view.embedding, view.samples(3)
    hook.remove()
    assert passed == [120]


def test_the_inner_classifier_predicts_by_itself(fitted):
    inner = fitted.estimator_
    assert inner.predict_proba(X).shape == (120, 3)
    agree = inner.predict(X) == fitted.predict(X)
    assert agree.mean() > 0.95
    assert inner.sample_proba(X, 2).shape == (2, 120, 3)


@with_providers
def test_one_seed_one_classifier_whatever_the_estimators_own(provider):
    def outputs(**params):
        clf = clone(provider).set_params(**params).fit(X, y)
        return clf.predict_outputs(X, ["proba", "samples"])

    first, again = outputs(), outputs(estimator__random_state=None)
    for name, values in first.items():
        np.testing.assert_array_equal(again[name], values)
    other = outputs(random_state=1)
    assert np.abs(other["proba"] - first["proba"]).max() > 1e-3


@with_both
def test_random_states_of_all_kinds(provider):
    state = np.random.RandomState(0)
    clf = clone(provider).set_params(random_state=state)
    first, second = (clone(clf).fit(X, y).sample_proba(X) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    numpy_state, torch_state = np.random.get_state()[1].copy(), torch.get_rng_state()
    clone(provider).set_params(random_state=None).fit(X, y).sample_proba(X)
    np.testing.assert_array_equal(np.random.get_state()[1], numpy_state)
    assert torch.equal(torch.get_rng_state(), torch_state)


def test_nothing_that_was_given_is_changed(fitted):
    assert fitted.estimator is not fitted.estimator_
    assert not hasattr(fitted.estimator, "net_")
    assert fitted.estimator.get_params() == NETWORK.get_params()
    copy = clone(fitted)
    assert not [name for name in vars(copy) if name.endswith("_") or name[0] == "_"]


def test_joblib_keeps_the_predictions(fitted, tmp_path):
    joblib.dump(fitted, tmp_path / "clf")
    loaded = joblib.load(tmp_path / "clf")
    names = ["proba", "samples", "embedding"]
    expected = fitted.predict_outputs(X, names)
    for name, values in loaded.predict_outputs(X, names).items():
        np.testing.assert_array_equal(values, expected[name])


@pytest.mark.slow
def test_another_process_predicts(fitted, tmp_path):
    joblib.dump((fitted, X), tmp_path / "clf")
    code = textwrap.dedent(f"""
        import joblib, numpy as np
        clf, X = joblib.load({str(tmp_path / "clf")!r})
        np.save({str(tmp_path / "samples.npy")!r}, clf.sample_proba(X))
    """)
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)
    expected = fitted.sample_proba(X)
    np.testing.assert_allclose(np.load(tmp_path / "samples.npy"), expected, atol=1e-6)


@with_both
def test_it_is_searched_and_cross_validated(provider):
    scores = cross_validate(provider, X, y, cv=3, error_score="raise")["test_score"]
    assert scores.min() > 0.6
    own = "n_heads" if isinstance(provider, SplitHeadClassifier) else "n_draws"
    grid = {own: [2, 4], "estimator__lr": [1e-6, 0.01]}
    search = GridSearchCV(provider, grid, cv=2, error_score="raise").fit(X, y)
    assert search.best_params_["estimator__lr"] == 0.01
    assert search.predict(X).shape == (120,)


@pytest.mark.slow
@with_both
def test_two_jobs_equal_one(provider):
    scores = [
        cross_validate(provider, X, y, cv=3, n_jobs=n_jobs, scoring="neg_log_loss")[
            "test_score"
        ].tolist()
        for n_jobs in (1, 2)
    ]
    assert scores[0] == scores[1]


def test_tags_are_those_of_the_estimator():
    text = TransformerClassifier("skal-tiny")
    for cls in (SplitHeadClassifier, BayesByBackpropClassifier):
        assert get_tags(cls(text)).input_tags.string
        assert not get_tags(cls(text)).input_tags.two_d_array
        assert get_tags(cls(NETWORK)).input_tags.two_d_array
        assert get_tags(cls(NETWORK)).estimator_type == "classifier"


@with_both
def test_classes_that_no_row_has(provider):
    clf = clone(provider).set_params(classes=["z", "c", "b", "a"]).fit(X, y)
    assert clf.classes_.tolist() == ["a", "b", "c", "z"]
    assert clf.sample_proba(X, 3).shape == (3, 120, 4)
    assert clf.estimator.classes is None
    # The wrapper's own classes come before the estimator's.
    clf.set_params(estimator__classes=["a", "b"]).fit(X, y)
    assert len(clf.classes_) == 4
    clf.set_params(classes=None, estimator__classes=["a", "b", "c", "d"]).fit(X, y)
    assert clf.classes_.tolist() == ["a", "b", "c", "d"]
    with pytest.raises(ValueError, match="Every label must be one of"):
        clf.set_params(classes=["a", "b"]).fit(X, y)
    with pytest.raises(ValueError, match="at least two classes"):
        clone(provider).fit(X[:4], ["a"] * 4)


@with_both
def test_features_are_noted(provider):
    pd = pytest.importorskip("pandas")
    clf = clone(provider).fit(pd.DataFrame(X, columns=list("uvwx")), y)
    assert clf.feature_names_in_.tolist() == list("uvwx")
    assert clf.n_features_in_ == 4
    assert not hasattr(clf.fit(X, y), "feature_names_in_")


@with_both
def test_warm_start_of_the_estimator_has_no_effect(provider):
    clf = clone(provider).set_params(estimator__warm_start=True)
    first = clf.fit(X, y).predict_proba(X)
    np.testing.assert_array_equal(clf.fit(X, y).predict_proba(X), first)


class _Fails(Callback):
    def on_epoch_end(self, net, **kwargs):
        raise RuntimeError("no")


class _CtrlC(Callback):
    def on_batch_end(self, net, **kwargs):
        signal.raise_signal(signal.SIGINT)


@with_both
@pytest.mark.parametrize(
    ("callback", "error"), [(_Fails, RuntimeError), (_CtrlC, KeyboardInterrupt)]
)
def test_a_fit_that_ends_early_leaves_the_classifier(provider, callback, error):
    clf = clone(provider).set_params(estimator__callbacks=[callback()])
    with pytest.raises(error):
        clf.fit(X, y)
    with pytest.raises(NotFittedError):
        clf.predict(X)
    clf.set_params(estimator__callbacks=None).fit(X, y)
    samples, before = clf.sample_proba(X), dict(vars(clf))
    clf.set_params(estimator__callbacks=[callback()])
    with pytest.raises(error):
        clf.fit(X[:, :3], y)
    assert all(value is before[name] for name, value in vars(clf).items())
    np.testing.assert_array_equal(clf.sample_proba(X), samples)


@pytest.mark.parametrize("cls", [SplitHeadClassifier, BayesByBackpropClassifier])
@pytest.mark.parametrize(
    "estimator",
    [
        LogisticRegression(),
        make_pipeline(LogisticRegression()),
        SplitHeadClassifier(NETWORK),
        SentenceEncoder("skal-tiny"),
        DenseClassifier,
        "skal-tiny",
        None,
    ],
    ids=lambda estimator: f"{estimator!r:.30}",
)
def test_another_classifier_is_refused_before_any_work(cls, estimator):
    with pytest.raises(TypeError, match=r"DenseClassifier\. Got .* use skal.Committee"):
        cls(estimator).fit(["not", "looked at"], None)


@with_both
@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"estimator__lr": -1.0}, "'lr' parameter of DenseClassifier"),
        ({"estimator__max_epochs": 0}, "'max_epochs' parameter of DenseClassifier"),
        ({"random_state": "x"}, "'random_state' parameter"),
        ({"classes": 3}, "'classes' parameter"),
    ],
    ids=str,
)
def test_bad_parameters_of_both_are_refused(provider, params, message):
    with pytest.raises(ValueError, match=message):
        clone(provider).set_params(**params).fit(X, y)


@with_both
def test_bad_rows_are_refused(provider):
    with pytest.raises(ValueError, match="one label per row"):
        clone(provider).fit(X, y[:-1])
    with pytest.raises(ValueError, match="NaN"):
        clone(provider).fit(np.full_like(X, np.nan), y)
    with pytest.raises(ValueError, match="expecting 4 features"):
        clone(provider).fit(X, y).sample_proba(X[:, :3])


@with_both
@pytest.mark.parametrize("strategy", [BALD(), VoteEntropy()], ids=repr)
def test_inside_a_learner_from_a_seed_of_one_class(provider, strategy):
    learner = ActiveLearner(
        provider, strategy, n_queries=6, classes=["a", "b", "c"], random_state=0
    )
    learner.set_params(estimator__random_state=None)
    seed = np.flatnonzero(y == "a")[:6]
    learner.fit(X[seed], y[seed])
    assert learner.predict_proba(X).shape == (120, 3)
    ids = np.arange(120)
    learner.teach([], [])
    for _ in range(2):
        rows = learner.query(X, ids=ids)
        assert learner.query(X, ids=ids).tolist() == rows.tolist()
        assert len(set(rows.tolist())) == 6
        learner.teach(X[rows], y[rows], ids=rows)
    assert learner.estimator_.estimator_.classes_.tolist() == ["a", "b", "c"]
    learner.set_params(strategy=CartographyAL(device="cpu"))
    assert len(learner.query(X, ids=ids)) == 6


def test_the_mean_of_all_heads_is_the_probability():
    heads = clone(PROVIDERS[0]).fit(X, y)
    picks = [
        strategy.fit(X, y, heads).query(X, n_queries=10).tolist()
        for strategy in (Entropy(), Entropy(n_samples=3))
    ]
    assert picks[0] == picks[1]
    np.testing.assert_allclose(
        heads.sample_proba(X).mean(axis=0), heads.predict_proba(X), atol=1e-15
    )


def test_importing_the_classes_does_not_import_torch():
    code = (
        "import sys; from skal.text import *; "
        "SplitHeadClassifier(DenseClassifier()); "
        "heavy = {'torch', 'transformers', 'skorch'} & set(sys.modules); "
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)
