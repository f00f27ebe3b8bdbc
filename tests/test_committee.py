# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""The committee: members that differ, columns that do not, a plain scikit-learn
classifier outside."""

import os
import signal

import joblib
import numpy as np
import pytest
import sklearn
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.datasets import make_blobs
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier, ExtraTreeClassifier

from skal import ActiveLearner, Committee, TransformerClassifier
from skal.base import PoolView, Reads
from skal.exceptions import MissingCapabilityError
from skal.filters import AnchorAL
from skal.functional import bald, vote_entropy
from skal.strategies import ALPS, BALD, Entropy, VoteEntropy
from skal.text import DenseClassifier
from skal.utils._capabilities import compute_outputs

X, CODES = make_blobs(60, centers=3, cluster_std=3.0, random_state=0)
Y = np.array(["a", "b", "c"])[CODES]
TREES = Committee(DecisionTreeClassifier(), n_estimators=5, bootstrap=True)
TREES.set_params(random_state=0)


@pytest.fixture(scope="module")
def fitted():
    return clone(TREES).fit(X, Y)


def test_samples_are_the_members(fitted):
    samples = fitted.sample_proba(X)
    assert samples.shape == (5, 60, 3)
    assert samples.dtype == np.float64
    assert fitted.classes_.tolist() == ["a", "b", "c"]
    for sample, member in zip(samples, fitted.estimators_, strict=True):
        np.testing.assert_array_equal(sample, member.predict_proba(X))
    np.testing.assert_array_equal(fitted.sample_proba(X, 2), samples[:2])
    np.testing.assert_array_equal(fitted.sample_proba(X, n_samples=99), samples)
    np.testing.assert_array_equal(fitted.predict_proba(X), samples.mean(axis=0))
    expected = fitted.classes_[samples.mean(axis=0).argmax(axis=1)]
    assert fitted.predict(X).tolist() == expected.tolist()
    assert fitted.score(X, Y) > 0.8


@pytest.mark.parametrize("n_samples", [0, -1, 1.5, True])
def test_a_number_of_samples_that_is_none_is_refused(fitted, n_samples):
    with pytest.raises((ValueError, TypeError), match="n_samples must be an int"):
        fitted.sample_proba(X, n_samples)


def test_outputs_come_from_one_pass(fitted, monkeypatch):
    asked = []
    told = DecisionTreeClassifier.predict_proba
    monkeypatch.setattr(
        DecisionTreeClassifier,
        "predict_proba",
        lambda self, X: asked.append(len(X)) or told(self, X),
    )
    reads = Reads(pool=frozenset({"proba", "samples", "embedding"}), n_samples=3)
    view = PoolView(X, estimator=fitted, classes=fitted.classes_, reads=reads)
    assert view.samples(3).shape == (3, 60, 3)
    assert asked == [60] * 5
    np.testing.assert_array_equal(view.embedding, X.astype(np.float32))
    np.testing.assert_array_equal(view.proba, view.samples(5).mean(axis=0))
    np.testing.assert_array_equal(view.proba, fitted.predict_proba(X))


@pytest.mark.parametrize(
    ("outputs", "names"),
    [
        (["proba"], {"proba"}),
        (["samples"], {"samples"}),
        (["logits", "samples", "proba"], {"proba", "samples"}),
        (["embedding"], set()),
    ],
    ids=str,
)
def test_the_outputs_that_there_are(fitted, outputs, names):
    assert set(fitted.predict_outputs(X, outputs)) == names


def test_a_committee_has_no_logits(fitted):
    with pytest.raises(AttributeError, match="Committee gives no logits"):
        compute_outputs(fitted, X, {"logits"}, fitted.classes_)


def test_members_have_seeds_of_their_own():
    """The learner, and the user, give the classifier itself one seed."""
    classifier = ExtraTreeClassifier(random_state=0)
    committee = Committee(classifier, n_estimators=4, random_state=1).fit(X, Y)
    seeds = {member.random_state for member in committee.estimators_}
    assert len(seeds) == 4
    assert classifier.random_state == 0
    assert bald(committee.sample_proba(X + 1)).max() > 0.1


def test_without_bootstrap_or_seed_members_agree():
    committee = Committee(LogisticRegression(), n_estimators=3).fit(X, Y)
    np.testing.assert_allclose(bald(committee.sample_proba(X)), 0, atol=1e-12)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_one_seed_one_committee(n_jobs):
    first = clone(TREES).fit(X, Y).sample_proba(X)
    again = clone(TREES).set_params(n_jobs=n_jobs).fit(X, Y).sample_proba(X)
    np.testing.assert_array_equal(again, first)
    other = clone(TREES).set_params(random_state=1).fit(X, Y).sample_proba(X)
    assert not np.array_equal(other, first)


def test_random_states_of_all_kinds():
    state = np.random.RandomState(0)
    committee = clone(TREES).set_params(random_state=state)
    first, second = (clone(committee).fit(X, Y).sample_proba(X) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    global_state = joblib.hash(np.random.get_state())
    clone(TREES).set_params(random_state=None).fit(X, Y)
    assert joblib.hash(np.random.get_state()) == global_state


def test_rare_classes_keep_their_columns():
    """A bootstrap sample of 40 rows often lacks a class that has one row."""
    rows = np.append(np.flatnonzero(Y != "c")[:39], np.flatnonzero(Y == "c")[0])
    committee = Committee(GaussianNB(), n_estimators=20, bootstrap=True, random_state=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        committee.fit(X[rows], Y[rows])
    saw = [len(member.classes_) == 3 for member in committee.estimators_]
    assert 0 < sum(saw) < 20
    with np.errstate(divide="ignore", invalid="ignore"):
        samples = committee.sample_proba(X)
    assert samples.shape == (20, 60, 3)
    for sample, member, all_three in zip(
        samples, committee.estimators_, saw, strict=True
    ):
        if not all_three:
            assert member.classes_.tolist() == ["a", "b"]
            assert not sample[:, 2].any()


def test_classes_that_no_row_has():
    committee = clone(TREES).set_params(classes=["z", "c", "b", "a"])
    samples = committee.fit(X, Y).sample_proba(X)
    assert committee.classes_.tolist() == ["a", "b", "c", "z"]
    assert samples.shape == (5, 60, 4)
    assert not samples[..., 3].any()
    np.testing.assert_allclose(samples.sum(axis=2), 1)
    with pytest.raises(ValueError, match=r"Got \['c'\]"):
        committee.set_params(classes=["a", "b"]).fit(X, Y)


def test_classes_are_passed_on():
    network = DenseClassifier((4,), max_epochs=1, device="cpu")
    committee = Committee(network, n_estimators=2, classes=["a", "b", "c", "z"])
    samples = committee.fit(X, Y).sample_proba(X)
    assert [len(member.classes_) for member in committee.estimators_] == [4, 4]
    assert samples[..., 3].min() > 0
    assert network.classes is None


@pytest.mark.parametrize(
    "classifier",
    [LogisticRegression(), make_pipeline(LogisticRegression()), DenseClassifier((2,))],
    ids=["estimator", "pipeline", "network"],
)
def test_a_single_class(classifier):
    committee = Committee(classifier, n_estimators=2, random_state=0)
    committee.fit(X[:4], ["a"] * 4)
    assert committee.predict(X[:2]).tolist() == ["a", "a"]
    assert committee.sample_proba(X).tolist() == np.ones((2, 60, 1)).tolist()


def test_classifiers_without_probabilities_vote():
    committee = Committee(LinearSVC(), n_estimators=7, bootstrap=True, random_state=0)
    samples = committee.fit(X, Y).sample_proba(X)
    assert set(samples.ravel().tolist()) == {0.0, 1.0}
    for sample, member in zip(samples, committee.estimators_, strict=True):
        votes = committee.classes_[sample.argmax(axis=1)]
        assert votes.tolist() == member.predict(X).tolist()
    learner = ActiveLearner(committee, VoteEntropy(), random_state=0).fit(
        X[:30], Y[:30]
    )
    rows = learner.query(X[30:], 3)
    scores = vote_entropy(learner.estimator_.sample_proba(X[30:]))
    assert scores[rows].min() >= np.sort(scores)[-3]


def test_texts_in_every_container(toy_texts):
    pd = pytest.importorskip("pandas")
    pl = pytest.importorskip("polars")
    pa = pytest.importorskip("pyarrow")
    texts, y = toy_texts
    member = make_pipeline(TfidfVectorizer(), LogisticRegression())
    committee = Committee(member, n_estimators=3, bootstrap=True, random_state=0)
    expected = committee.fit(texts, y).sample_proba(texts)
    index = np.random.RandomState(0).permutation(len(texts))
    for container in (
        tuple(texts),
        np.array(texts, dtype=object),
        np.array(texts),
        pd.Series(texts, index=index),
        pl.Series(texts),
    ):
        got = clone(committee).fit(container, y).sample_proba(texts)
        np.testing.assert_allclose(got, expected, atol=1e-12)
    got = clone(committee).fit(pa.chunked_array([texts]), y).sample_proba(texts)
    np.testing.assert_allclose(got, expected, atol=1e-12)
    assert committee.score(texts, y) > 0.9
    assert not hasattr(committee, "pretrained_encoder")
    assert not hasattr(committee, "keep_tokens")


def test_one_text_without_its_brackets_is_refused():
    with pytest.raises(TypeError, match="wrap it in a list"):
        Committee(LogisticRegression()).fit("one text", ["a"])


def test_it_is_cloned_pickled_searched_and_cross_validated(fitted, tmp_path):
    joblib.dump(fitted, tmp_path / "committee")
    loaded = joblib.load(tmp_path / "committee")
    np.testing.assert_array_equal(loaded.sample_proba(X), fitted.sample_proba(X))
    assert not hasattr(clone(fitted), "estimators_")
    scores = [
        cross_validate(TREES, X, Y, cv=3, n_jobs=n_jobs)["test_score"].tolist()
        for n_jobs in (1, 2)
    ]
    assert scores[0] == scores[1]
    grid = {"n_estimators": [1, 3], "estimator__max_depth": [1, None]}
    search = GridSearchCV(TREES, grid, cv=2).fit(X, Y)
    assert len(set(search.cv_results_["mean_test_score"].tolist())) > 1


def test_features_are_noted(fitted):
    pd = pytest.importorskip("pandas")
    assert fitted.n_features_in_ == 2
    committee = clone(TREES).fit(pd.DataFrame(X, columns=["u", "v"]), Y)
    assert committee.feature_names_in_.tolist() == ["u", "v"]
    committee.fit(X, Y)
    assert not hasattr(committee, "feature_names_in_")


class Weighted(ClassifierMixin, BaseEstimator):
    """Keeps what its fit was given."""

    def fit(self, X, y, sample_weight=None, flag=None):
        self.X_, self.weights_, self.flag_ = X, sample_weight, flag
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.repeat(self.classes_[:1], len(X))


@pytest.mark.parametrize("routing", [False, True])
def test_fit_parameters_follow_the_bootstrap(routing):
    with sklearn.config_context(enable_metadata_routing=routing):
        member = Weighted()
        if routing:
            member.set_fit_request(sample_weight=True, flag=True)
        committee = Committee(member, n_estimators=3, bootstrap=True, random_state=0)
        committee.fit(X, Y, sample_weight=X[:, 0], flag="yes")
    for fitted in committee.estimators_:
        assert fitted.flag_ == "yes"
        assert len(fitted.X_) == 60
        np.testing.assert_array_equal(fitted.weights_, fitted.X_[:, 0])


class Untouched(Weighted):
    """Must not be fitted."""

    def fit(self, X, y):
        raise AssertionError("fitted")


class Interrupted(ClassifierMixin, BaseEstimator):
    """A fit during which Ctrl-C is pressed, and swallowed as skorch does."""

    def __init__(self, key="none"):
        self.key = key

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        try:
            if self.key == "ctrl-c":
                os.kill(os.getpid(), signal.SIGINT)
            if self.key == "error":
                raise RuntimeError("no luck")
        except KeyboardInterrupt:
            pass
        return self

    def predict(self, X):
        return np.repeat(self.classes_[:1], len(X))


@pytest.mark.parametrize(
    ("key", "error"), [("ctrl-c", KeyboardInterrupt), ("error", RuntimeError)]
)
def test_a_fit_that_ends_early_leaves_the_committee(key, error):
    committee = Committee(Interrupted(), n_estimators=3).fit(X, Y)
    before = committee.estimators_
    committee.set_params(estimator__key=key)
    with pytest.raises(error):
        committee.fit(X[:4], ["d", "e", "d", "e"])
    assert committee.estimators_ is before
    assert committee.classes_.tolist() == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"n_estimators": 0}, "n_estimators"),
        ({"bootstrap": "yes"}, "bootstrap"),
        ({"estimator": TfidfVectorizer()}, "estimator"),
    ],
    ids=str,
)
def test_bad_parameters_are_refused(params, message):
    with pytest.raises(ValueError, match=message):
        clone(TREES).set_params(**params).fit(X, Y)


def test_inside_a_learner_members_differ_and_rounds_repeat():
    def run():
        committee = Committee(DenseClassifier((8,), device="cpu"), n_estimators=3)
        learner = ActiveLearner(committee, BALD(), n_queries=5, budget=25, initial=10)
        return learner.set_params(random_state=0).fit(X, Y)

    first, second = run(), run()
    for one, other in zip(first.rounds_, second.rounds_, strict=True):
        assert one["rows"].tolist() == other["rows"].tolist()
    samples = first.estimator_.sample_proba(X)
    assert len({sample.tobytes() for sample in samples}) == 3


@pytest.fixture(scope="module")
def transformers(tiny_checkpoint, toy_texts):
    member = TransformerClassifier(
        tiny_checkpoint, max_epochs=1, min_steps=2, device="cpu", random_state=0
    )
    return Committee(member, n_estimators=2, random_state=0).fit(*toy_texts)


def test_transformers_differ_and_keep_their_tokens(
    transformers, toy_texts, monkeypatch
):
    from skal.neural import _tokenized

    texts, _ = toy_texts
    samples = transformers.sample_proba(texts)
    assert samples.shape == (2, 80, 2)
    assert np.abs(samples[0] - samples[1]).max() > 1e-3
    tokenized = []
    table = _tokenized.TokenTable
    monkeypatch.setattr(
        _tokenized,
        "TokenTable",
        lambda texts, *args, **kwargs: (
            tokenized.append(len(texts)) or table(texts, *args, **kwargs)
        ),
    )
    kept = transformers.keep_tokens(texts)
    np.testing.assert_allclose(transformers.sample_proba(kept), samples, atol=1e-6)
    assert sum(tokenized) == len(set(texts))


def test_transformers_share_a_tokenizer_and_tokenise_by_themselves(
    transformers, toy_texts
):
    first, second = transformers.estimators_
    assert first.tokenizer_ is second.tokenizer_
    kept = transformers.keep_tokens(toy_texts[0])
    assert transformers.keep_tokens(kept) is kept
    assert second.keep_tokens(kept) is kept


def test_alps_starts_cold_with_a_committee(toy_texts):
    member = TransformerClassifier("skal-tiny", device="cpu", max_length=32)
    picks = [
        ActiveLearner(clf, ALPS(), n_queries=5, random_state=0).query(toy_texts[0])
        for clf in (Committee(member), member)
    ]
    np.testing.assert_array_equal(*picks)
    assert not hasattr(Committee(LogisticRegression()), "token_surprisal")


NETWORK = DenseClassifier((8,), max_epochs=3, device="cpu")


@pytest.mark.parametrize(
    "member",
    [NETWORK, make_pipeline(StandardScaler(), NETWORK)],
    ids=["network", "pipeline"],
)
def test_stochastic_samples_are_the_members_own(member):
    committee = Committee(member, n_estimators=3, stochastic=True, random_state=0)
    samples = committee.fit(X, Y).sample_proba(X, 8)
    assert samples.shape == (8, 60, 3)
    assert len({sample.tobytes() for sample in samples}) == 8
    for m, fitted in enumerate(committee.estimators_):
        seen, network = X, fitted
        if not hasattr(fitted, "sample_proba"):
            seen, network = fitted[0].transform(X), fitted[1]
        expected = network.sample_proba(seen, len(samples[m::3]))
        np.testing.assert_array_equal(samples[m::3], expected)
    plain = np.mean([fitted.predict_proba(X) for fitted in committee.estimators_], 0)
    np.testing.assert_allclose(committee.predict_proba(X), plain, atol=1e-12)
    assert committee.sample_proba(X).shape == (3, 60, 3)


def test_stochastic_members_without_samples_are_refused_before_any_fit():
    for given in (Untouched(), make_pipeline(StandardScaler(), Untouched())):
        with pytest.raises(MissingCapabilityError, match="`sample_proba`. Untouched"):
            Committee(given, stochastic=True).fit(X, Y)


def test_stochastic_members_of_a_single_class():
    """A bootstrap sample that lacks a class, and a classifier told nothing of it."""
    rare = np.array(["a"] * 9 + ["b"])
    committee = Committee(
        make_pipeline(StandardScaler(), NETWORK),
        n_estimators=4,
        bootstrap=True,
        stochastic=True,
        random_state=0,
    ).fit(X[:10], rare)
    assert {len(member.classes_) for member in committee.estimators_} == {1, 2}
    samples = committee.sample_proba(X, 8)
    assert samples.shape == (8, 60, 2)
    np.testing.assert_allclose(samples.sum(axis=2), 1, atol=1e-12)


def test_transformers_inside_a_filter_of_a_learner(transformers, toy_texts):
    texts, y = toy_texts
    strategy = AnchorAL(VoteEntropy(), n_anchors=2, n_neighbors=5, max_subpool=20)
    learner = ActiveLearner(transformers, strategy, random_state=0)
    learner.fit(texts[:20], y[:20])
    rows = learner.query(texts[20:], 4)
    assert len(set(rows.tolist())) == 4
    assert learner.estimator_.pretrained_encoder().model == (
        transformers.estimator.model
    )


def test_the_mean_of_all_samples_is_the_committees_own_probability(fitted):
    picks = [
        strategy.fit(X, Y, fitted).query(X, n_queries=10).tolist()
        for strategy in (Entropy(), Entropy(n_samples=5))
    ]
    assert picks[0] == picks[1]
