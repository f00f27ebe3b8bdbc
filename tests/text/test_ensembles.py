# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""What holds of both ensembles: members that differ where they should, samples by
member or by dropout, a plain scikit-learn classifier outside."""

import signal
import subprocess
import sys
import textwrap

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import make_blobs
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import Callback

from skal import ActiveLearner, TransformerClassifier
from skal.filters import AnchorAL
from skal.functional import bald
from skal.neural import TokenTable
from skal.strategies import ALPS, BALD, CartographyAL, VoteEntropy
from skal.text import DenseClassifier, DiverseEnsemble, SnapshotEnsemble

ENSEMBLES = [SnapshotEnsemble, DiverseEnsemble]
of_both = pytest.mark.parametrize("cls", ENSEMBLES, ids=lambda cls: cls.__name__)

# Two classes in a plane, whose border is the line u = 0.
X, CODES = make_blobs(
    400, centers=[[-1.5, 0.0], [1.5, 0.0]], cluster_std=1.0, random_state=0
)
Y = np.array(["left", "right"])[CODES]


def network(**params):
    quick = {"hidden_layer_sizes": (32,), "lr": 0.03, "max_epochs": 24}
    return DenseClassifier(**(quick | {"batch_size": 40, "device": "cpu"} | params))


def make(cls, n_estimators=4, **params):
    return cls(network(**params), n_estimators=n_estimators, random_state=0)


@pytest.fixture(scope="module", params=ENSEMBLES, ids=lambda cls: cls.__name__)
def fitted(request):
    """A fitted ensemble. Careful: do not fit it again."""
    return make(request.param).fit(X, Y)


def test_samples_are_the_members(fitted):
    samples = fitted.sample_proba(X)
    assert samples.shape == (4, 400, 2)
    assert fitted.classes_.tolist() == ["left", "right"]
    for sample, member in zip(samples, fitted.estimators_, strict=True):
        np.testing.assert_array_equal(sample, member.predict_proba(X))
        assert member.score(X, Y) > 0.8
    np.testing.assert_array_equal(fitted.sample_proba(X, 2), samples[:2])
    np.testing.assert_array_equal(fitted.sample_proba(X, 99), samples)
    np.testing.assert_array_equal(fitted.predict_proba(X), samples.mean(axis=0))
    outputs = fitted.predict_outputs(X, ["proba", "samples", "embedding"], n_samples=3)
    assert set(outputs) == {"proba", "samples"}
    np.testing.assert_array_equal(outputs["samples"], samples[:3])
    np.testing.assert_array_equal(outputs["proba"], samples.mean(axis=0))
    assert fitted.score(X, Y) > 0.9
    assert not hasattr(fitted, "embed")


def test_every_two_members_differ(fitted):
    samples = fitted.sample_proba(X)
    for i in range(4):
        for j in range(i):
            assert np.abs(samples[i] - samples[j]).max() > 0.01


def test_members_disagree_where_the_classes_overlap(fitted):
    grid = np.random.RandomState(1).uniform([-6, -2], [6, 2], size=(3000, 2))
    disagreement = bald(fitted.sample_proba(grid))
    distance = np.abs(grid[:, 0])
    regions = [(0, 0.7), (0.7, 2.5), (4, 6)]
    means = [
        disagreement[(low <= distance) & (distance < high)].mean()
        for low, high in regions
    ]
    assert means[0] > means[1] > means[2]
    assert means[0] > 10 * means[2]


class TestStochastic:
    def test_samples_are_drawn_with_the_dropout_of_each_member_in_turn(self, fitted):
        ensemble = _with(fitted, stochastic=True)
        samples = ensemble.sample_proba(X, 10)
        assert samples.shape == (10, 400, 2)
        for m, member in enumerate(fitted.estimators_):
            draws = samples[m::4]
            expected = member.sample_proba(X, len(draws))
            np.testing.assert_array_equal(draws, expected)
        assert len({sample.tobytes() for sample in samples}) == 10
        np.testing.assert_array_equal(ensemble.sample_proba(X), samples[:4])
        np.testing.assert_array_equal(ensemble.sample_proba(X, 3), samples[:3])

    def test_members_have_masks_of_their_own(self, fitted):
        masks = [member._masks(member.net_.module_, 1) for member in fitted.estimators_]
        assert len({mask.numpy().tobytes() for mask in masks}) == 4

    def test_the_mean_is_that_of_members_without_dropout(self, fitted):
        ensemble = _with(fitted, stochastic=True)
        expected = fitted.predict_proba(X)
        np.testing.assert_array_equal(ensemble.predict_proba(X), expected)
        for n_samples in (2, 10):
            found = ensemble.predict_outputs(
                X, ["proba", "samples"], n_samples=n_samples
            )
            np.testing.assert_allclose(found["proba"], expected, atol=1e-12)
            np.testing.assert_array_equal(
                found["samples"], ensemble.sample_proba(X, n_samples)
            )

    def test_each_member_looks_once(self, fitted, monkeypatch):
        asked, once = [], DenseClassifier.predict_outputs
        monkeypatch.setattr(
            DenseClassifier,
            "predict_outputs",
            lambda self, X, outputs, **options: (
                asked.append((sorted(outputs), options))
                or once(self, X, outputs, **options)
            ),
        )
        ensemble = _with(fitted, stochastic=True)
        ensemble.predict_outputs(X, ["samples", "proba"], n_samples=6)
        both = ["proba", "samples"]
        assert [options["n_samples"] for _, options in asked] == [2, 2, 1, 1]
        assert [outputs for outputs, _ in asked] == [both] * 4


def _with(fitted, **params):
    """A fitted ensemble with other parameters; the fixture itself is not changed."""
    ensemble = clone(fitted).set_params(**params)
    vars(ensemble).update({k: v for k, v in vars(fitted).items() if k.endswith("_")})
    return ensemble


@of_both
@pytest.mark.parametrize("store_dtype", ["float32", "float16"])
def test_same_seed_is_equal_to_the_bit(cls, store_dtype):
    short = {"max_epochs": 4, "n_estimators": 2}
    first = make(cls, **short).fit(X, Y).sample_proba(X)
    ensemble = make(cls, **short, store_dtype=store_dtype, random_state=7)
    ensemble.fit(X[:50], Y[:50])
    np.testing.assert_array_equal(ensemble.fit(X, Y).sample_proba(X), first)
    other = ensemble.set_params(random_state=1).fit(X, Y).sample_proba(X)
    assert np.abs(other - first).max() > 0.01
    ensemble.set_params(random_state=None)
    fresh = [ensemble.fit(X, Y).predict_proba(X) for _ in range(2)]
    assert np.abs(fresh[0] - fresh[1]).max() > 1e-3


@of_both
def test_what_the_user_gave_is_not_changed(cls):
    inner = network(random_state=3, warm_start=True, max_epochs=4)
    before = dict(vars(inner))
    cls(inner, n_estimators=2, classes=["left", "right", "up"]).fit(X, Y)
    assert vars(inner) == before
    state = joblib.hash(np.random.get_state())
    cls(inner, n_estimators=2).fit(X, Y)
    assert joblib.hash(np.random.get_state()) == state


def test_it_is_cloned(fitted):
    copy = clone(fitted)
    assert not [name for name in vars(copy) if name.endswith("_")]
    assert copy.get_params()["estimator__lr"] == 0.03
    copy.set_params(estimator__lr=0.5, n_estimators=7)
    assert copy.estimator.lr == 0.5
    assert fitted.estimator.lr == 0.03


def test_joblib_keeps_the_samples(fitted, tmp_path):
    joblib.dump(fitted, tmp_path / "ensemble")
    loaded = joblib.load(tmp_path / "ensemble")
    np.testing.assert_array_equal(loaded.sample_proba(X), fitted.sample_proba(X))


@pytest.mark.slow
def test_another_process_gives_the_same_samples(fitted, tmp_path):
    joblib.dump(fitted, tmp_path / "ensemble")
    np.save(tmp_path / "X.npy", X)
    code = textwrap.dedent(f"""
        import joblib, numpy as np
        ensemble = joblib.load({str(tmp_path / "ensemble")!r})
        X = np.load({str(tmp_path / "X.npy")!r})
        np.save({str(tmp_path / "samples.npy")!r}, ensemble.sample_proba(X))
    """)
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)
    samples = np.load(tmp_path / "samples.npy")
    np.testing.assert_allclose(samples, fitted.sample_proba(X), atol=1e-6)


@of_both
def test_it_is_searched_and_cross_validated(cls):
    scores = cross_validate(
        make(cls, max_epochs=4), X, Y, cv=2, error_score="raise", return_estimator=True
    )
    assert scores["test_score"].min() > 0.8
    grid = {"n_estimators": [2, 3], "estimator__lr": [1e-7, 0.03]}
    search = GridSearchCV(make(cls, max_epochs=4), grid, cv=2, error_score="raise")
    search.fit(X, Y)
    assert search.best_params_["estimator__lr"] == 0.03
    assert len(search.best_estimator_.estimators_) in (2, 3)


class _InEpochThree(Callback):
    """What happens in the third epoch of all; the list is the class's."""

    begun = []

    def __init__(self, key):
        self.key = key

    def on_epoch_begin(self, net, **kwargs):
        self.begun.append(net)

    def on_batch_end(self, net, **kwargs):
        if len(self.begun) == 3 and self.key == "ctrl-c":
            signal.raise_signal(signal.SIGINT)
        if len(self.begun) == 3 and self.key == "error":
            raise RuntimeError("no luck")


@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize(
    ("key", "error"), [("ctrl-c", KeyboardInterrupt), ("error", RuntimeError)]
)
@of_both
def test_a_fit_that_ends_early_leaves_the_ensemble(cls, key, error, again):
    """Of six epochs; in the third, members of the one are trained apart."""
    ensemble = make(cls, max_epochs=6)
    if again:
        ensemble.fit(X, Y)
    _InEpochThree.begun.clear()
    ensemble.set_params(estimator__callbacks=[_InEpochThree(key)])
    before = dict(vars(ensemble))
    with pytest.raises(error):
        ensemble.fit(X[:200], CODES[:200])
    assert len(_InEpochThree.begun) == 3
    assert vars(ensemble).keys() == before.keys()
    assert all(value is before[key] for key, value in vars(ensemble).items())
    if again:
        assert ensemble.predict(X[:2]).dtype.kind == "U"


@pytest.mark.parametrize(
    "estimator",
    [LogisticRegression(), make_pipeline(StandardScaler(), network())],
    ids=["estimator", "pipeline"],
)
@of_both
def test_other_classifiers_are_refused(cls, estimator):
    name = type(estimator).__name__
    with pytest.raises(
        TypeError, match=f"TransformerClassifier or .*DenseClassifier. Got {name}"
    ) as caught:
        cls(estimator).fit(X, Y)
    assert "skal.Committee" in str(caught.value)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"n_estimators": 1}, "of at least 2. Got 1; for one model use DenseClassif"),
        ({"n_estimators": -3}, "of at least 2. Got -3"),
        ({"n_estimators": 2.0}, "n_estimators"),
        ({"stochastic": "yes"}, "stochastic"),
        ({"estimator__lr": -1.0}, "lr"),
        ({"estimator__store_dtype": "int8"}, "store_dtype"),
        ({"classes": ["left"]}, r"Got \['right'\]"),
        ({"classes": ["a", "b"], "estimator__classes": ["a", "c"]}, "or alike"),
    ],
    ids=str,
)
@of_both
def test_bad_parameters_are_refused(cls, params, message):
    with pytest.raises(ValueError, match=message):
        make(cls).set_params(**params).fit(X, Y)


@pytest.mark.parametrize("shared", [0.0, 1.0, -0.5])
def test_a_bad_share_is_refused(shared):
    with pytest.raises(ValueError, match="shared"):
        make(DiverseEnsemble).set_params(shared=shared).fit(X, Y)


@of_both
def test_classes_that_no_row_has(cls):
    every = ["up", "right", "left"]
    ensemble = make(cls, max_epochs=4).set_params(classes=every).fit(X, Y)
    assert ensemble.classes_.tolist() == ["left", "right", "up"]
    assert ensemble.sample_proba(X).shape == (4, 400, 3)
    inner = make(cls, max_epochs=4, classes=every).fit(X, Y)
    np.testing.assert_array_equal(inner.sample_proba(X), ensemble.sample_proba(X))
    with pytest.raises(ValueError, match="at least two classes"):
        make(cls).fit(X[CODES == 0], Y[CODES == 0])


@of_both
def test_features_are_noted(cls):
    pd = pytest.importorskip("pandas")
    ensemble = make(cls, max_epochs=4).fit(pd.DataFrame(X, columns=["u", "v"]), Y)
    assert ensemble.feature_names_in_.tolist() == ["u", "v"]
    assert ensemble.fit(X, Y).n_features_in_ == 2
    assert not hasattr(ensemble, "feature_names_in_")


def test_the_dynamics_of_a_snapshot_ensemble_are_read():
    strategy = CartographyAL(device="cpu")
    learner = ActiveLearner(make(SnapshotEnsemble), strategy, random_state=0)
    learner.fit(X[:40], Y[:40])
    assert learner.estimator_.training_dynamics_.correct.shape == (24, 40)
    assert len(set(learner.query(X[40:], 5).tolist())) == 5


def tiny(**params):
    quick = {"lr": 1e-3, "max_epochs": 2, "min_steps": 5, "max_length": 32}
    return TransformerClassifier("skal-tiny", **(quick | {"device": "cpu"} | params))


def learner_of(cls, strategy, **params):
    ensemble = cls(tiny(), n_estimators=2, **params)
    return ActiveLearner(ensemble, strategy, n_queries=4, random_state=0)


@pytest.mark.parametrize(
    "strategy",
    [
        BALD(),
        AnchorAL(VoteEntropy(), n_anchors=2, n_neighbors=5, max_subpool=20),
    ],
    ids=repr,
)
@of_both
def test_texts_in_a_learner(cls, strategy, toy_texts):
    texts, labels = toy_texts
    learner = learner_of(cls, strategy).fit(texts[:20], labels[:20])
    pool = texts[20:]
    rows = learner.query(pool)
    assert len(set(rows.tolist())) == 4
    np.testing.assert_array_equal(learner.query(pool), rows)
    learner.teach([pool[row] for row in rows], labels[20:][rows])
    samples = learner.estimator_.sample_proba(pool)
    assert samples.shape == (2, 60, 2)
    assert np.abs(samples[0] - samples[1]).max() > 1e-3
    assert learner.predict(pool).shape == (60,)
    if not isinstance(strategy, AnchorAL):
        scores = strategy.fit(texts[:20], labels[:20], learner.estimator_)
        scores = scores.transform(pool)[:, 0]
        assert scores[learner.query(pool)].min() >= np.sort(scores)[-4]


@of_both
def test_dropout_samples_of_texts(cls, toy_texts):
    texts, labels = toy_texts
    learner = learner_of(cls, BALD(n_samples=5), stochastic=True)
    learner.fit(texts[:20], labels[:20])
    ensemble = learner.estimator_
    samples = ensemble.sample_proba(texts, 5)
    assert len({sample.tobytes() for sample in samples}) == 5
    np.testing.assert_array_equal(
        samples[::2], ensemble.estimators_[0].sample_proba(texts, 3)
    )
    assert len(learner.query(texts[20:])) == 4


@of_both
def test_a_seed_of_one_class(cls, toy_texts):
    texts, labels = toy_texts
    rows = np.flatnonzero(labels == "pos")[:8]
    learner = learner_of(cls, VoteEntropy()).set_params(classes=["neg", "pos", "so"])
    learner.fit([texts[row] for row in rows], labels[rows])
    assert learner.estimator_.sample_proba(texts[:5]).shape == (2, 5, 3)
    assert learner.estimator_.classes_.tolist() == ["neg", "pos", "so"]
    assert len(learner.query(texts)) == 4


@of_both
def test_a_cold_start_by_surprisal(cls, toy_texts):
    texts, _ = toy_texts
    picks = [
        ActiveLearner(classifier, ALPS(), n_queries=4, random_state=0).query(texts)
        for classifier in (cls(tiny(), n_estimators=2), tiny())
    ]
    np.testing.assert_array_equal(*picks)


@of_both
def test_texts_are_tokenised_once_for_all_members(cls, toy_texts, monkeypatch):
    texts, labels = toy_texts
    ensemble = cls(tiny(), n_estimators=3, random_state=0).fit(texts[:20], labels[:20])
    each = [member.predict_proba(texts) for member in ensemble.estimators_]
    seen, init = [], TokenTable.__init__

    def spy(self, texts, *args, **kwargs):
        seen.extend(texts)
        init(self, texts, *args, **kwargs)

    monkeypatch.setattr(TokenTable, "__init__", spy)
    np.testing.assert_allclose(ensemble.sample_proba(texts), each, atol=1e-6)
    assert sorted(seen) == sorted(set(texts))
    kept = ensemble.keep_tokens(texts)
    assert ensemble.keep_tokens(kept) is kept
    seen.clear()
    ensemble.set_params(stochastic=True)
    ensemble.predict_outputs(kept, ["proba", "samples"], n_samples=3)
    ensemble.predict(kept)
    assert sorted(seen) == sorted(set(texts))
    with pytest.raises(ValueError, match="Row 1"):
        ensemble.predict(["fine", 3])
