# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Pseudo-labels: who is trusted, for how long, and that nothing else changes."""

import os
import signal

import joblib
import numpy as np
import pytest
import sklearn
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.datasets import make_blobs
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from skal import (
    CEAL,
    ActiveLearner,
    Committee,
    PseudoLabelClassifier,
    TransformerClassifier,
)
from skal.exceptions import (
    MissingCapabilityError,
    NoPseudoLabelsWarning,
    SingleClassWarning,
)
from skal.filters import AnchorAL
from skal.functional import (
    confident_region_rows,
    confident_rows,
    entropy,
    k_means,
    region_scores,
)
from skal.strategies import (
    ALPS,
    BALD,
    AcTune,
    CartographyAL,
    Entropy,
    Margin,
    RandomSampling,
)
from skal.text import DenseClassifier
from skal.utils._capabilities import compute_outputs

X, CODES = make_blobs(300, centers=3, cluster_std=1.3, random_state=0)
Y = np.array(["a", "b", "c"])[CODES]
IDS = [f"row {row}" for row in range(300)]
X_SEED, Y_SEED, X_POOL, Y_POOL = X[:30], Y[:30], X[30:], Y[30:]
ENTROPY = PseudoLabelClassifier(LogisticRegression(), threshold=0.1)
REGIONS = PseudoLabelClassifier(LogisticRegression(), rule="regions", random_state=0)
REGIONS.set_params(n_clusters=8, n_regions=4)
DENSE = DenseClassifier((8,), max_epochs=5, lr=0.05, device="cpu", random_state=0)
TEXTS = make_pipeline(TfidfVectorizer(), LogisticRegression(C=30))


class Counted(LogisticRegression):
    """Logistic regression that notes the rows of every training and every look."""

    trained, looked = [], []

    def fit(self, X, y, sample_weight=None):
        self.trained.append((np.asarray(X), np.asarray(y), sample_weight))
        return super().fit(X, y, sample_weight)

    def predict_proba(self, X):
        self.looked.append(len(X))
        return super().predict_proba(X)


@pytest.fixture
def counted():
    Counted.trained, Counted.looked = [], []
    return Counted()


def test_entropy_rows_join_one_training(counted):
    classifier = PseudoLabelClassifier(counted, threshold=0.1)
    assert classifier.fit(X_SEED, Y_SEED, X_unlabeled=X_POOL) is classifier
    assert len(Counted.trained) == 2
    assert len(Counted.trained[0][1]) == 30
    assert Counted.looked == [270]
    alone = LogisticRegression().fit(X_SEED, Y_SEED)
    rows = confident_rows(alone.predict_proba(X_POOL), 0.1)
    assert 20 < len(rows) < 250
    assert classifier.n_pseudo_labels_ == len(rows)
    assert classifier.pseudo_rows_.tolist() == rows.tolist()
    labels = alone.predict(X_POOL[rows])
    assert classifier.pseudo_labels_.tolist() == labels.tolist()
    assert classifier.threshold_ == 0.1
    joined, y, _ = Counted.trained[1]
    np.testing.assert_array_equal(joined, np.concatenate([X_SEED, X_POOL[rows]]))
    assert y.tolist() == [*Y_SEED, *labels]
    expected = LogisticRegression().fit(joined, y).predict_proba(X)
    np.testing.assert_array_equal(classifier.predict_proba(X), expected)
    assert not np.allclose(expected, alone.predict_proba(X))


def test_pseudo_labels_are_right_more_often_than_predictions_are():
    classifier = clone(ENTROPY).fit(X_SEED, Y_SEED, X_unlabeled=X_POOL)
    right = (classifier.pseudo_labels_ == Y_POOL[classifier.pseudo_rows_]).mean()
    average = LogisticRegression().fit(X_SEED, Y_SEED).score(X_POOL, Y_POOL)
    assert average < 0.95
    assert right > average + 0.03


def test_region_rows_join_one_training(counted):
    classifier = clone(REGIONS).set_params(estimator=counted)
    classifier.fit(X_SEED, Y_SEED, X_unlabeled=X_POOL)
    assert len(Counted.trained) == 2
    assert Counted.looked == [270]
    alone = LogisticRegression().fit(X_SEED, Y_SEED)
    proba = alone.predict_proba(X_POOL)
    rows = classifier.pseudo_rows_
    assert proba[rows].max(axis=1).min() > 0.7 == classifier.threshold_
    assert 10 < len(rows) < (proba.max(axis=1) > 0.7).sum()
    assert (np.diff(entropy(proba)[rows]) >= 0).all()
    others = np.setdiff1d(np.arange(270), rows)
    assert entropy(proba)[rows].mean() < entropy(proba)[others].mean() / 2
    again = clone(classifier).fit(X_SEED, Y_SEED, X_unlabeled=X_POOL)
    assert again.pseudo_rows_.tolist() == rows.tolist()


def test_regions_are_those_of_actune():
    """One look at probabilities and embedding; clusters weighted by entropy."""
    classifier = clone(REGIONS).set_params(estimator=DENSE)
    classifier.fit(X_SEED, Y_SEED, X_unlabeled=X_POOL)
    alone = clone(DENSE).fit(X_SEED, Y_SEED)
    proba, scores = alone.predict_proba(X_POOL), entropy(alone.predict_proba(X_POOL))
    found = []
    for seed in range(3):
        clusters, _ = k_means(
            alone.embed(X_POOL), 8, sample_weight=scores, random_state=seed
        )
        regions = region_scores(scores, proba, clusters)
        found.append(confident_region_rows(proba, clusters, regions, n_regions=4))
    rows = set(classifier.pseudo_rows_.tolist())
    shared = [len(rows & set(f)) / len(rows | set(f)) for f in found]
    assert max(shared) > 0.6


def test_at_most_so_many_and_those_the_surest():
    everything = clone(ENTROPY).fit(X_SEED, Y_SEED, X_unlabeled=X_POOL).pseudo_rows_
    few = clone(ENTROPY).set_params(max_pseudo_labels=7)
    few.fit(X_SEED, Y_SEED, X_unlabeled=X_POOL)
    assert few.pseudo_rows_.tolist() == everything[:7].tolist()
    regions = clone(REGIONS).set_params(max_pseudo_labels=5)
    regions.fit(X_SEED, Y_SEED, X_unlabeled=X_POOL)
    assert regions.n_pseudo_labels_ == 5


@pytest.mark.parametrize("rule", ["entropy", "regions"])
def test_without_a_pool_it_is_one_plain_training(counted, rule):
    classifier = PseudoLabelClassifier(counted, rule=rule).fit(X_SEED, Y_SEED)
    assert len(Counted.trained) == 1
    assert Counted.looked == []
    assert classifier.n_pseudo_labels_ == 0
    assert classifier.pseudo_rows_.dtype == np.int64
    assert classifier.pseudo_labels_.tolist() == []
    expected = LogisticRegression().fit(X_SEED, Y_SEED).predict_proba(X)
    np.testing.assert_array_equal(classifier.predict_proba(X), expected)


def test_a_threshold_that_lets_nothing_through_is_told_and_trains_once(counted):
    classifier = PseudoLabelClassifier(counted, threshold=1e-9)
    with pytest.warns(NoPseudoLabelsWarning, match="sure enough of no") as caught:
        classifier.fit(X_SEED, Y_SEED, X_unlabeled=X_POOL)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert (len(Counted.trained), len(Counted.looked)) == (1, 1)
    expected = LogisticRegression().fit(X_SEED, Y_SEED).predict_proba(X)
    np.testing.assert_array_equal(classifier.predict_proba(X), expected)
    regions = clone(REGIONS).set_params(threshold=0.999999)
    with pytest.warns(NoPseudoLabelsWarning):
        regions.fit(X_SEED, Y_SEED, X_unlabeled=X_POOL)
    np.testing.assert_array_equal(regions.predict_proba(X), expected)


def test_the_literal_threshold_goes_below_zero_and_then_nothing_is_looked_at(counted):
    classifier = PseudoLabelClassifier(counted, threshold=0.1, decay="literal")
    thresholds, sizes = [], []
    for n_rounds in range(10):
        Counted.trained, Counted.looked = [], []
        fit = {"X_unlabeled": X_POOL, "n_rounds": n_rounds}
        if n_rounds < 9:
            classifier.fit(X_SEED, Y_SEED, **fit)
        else:
            with pytest.warns(NoPseudoLabelsWarning):
                classifier.fit(X_SEED, Y_SEED, **fit)
        thresholds.append(classifier.threshold_)
        sizes.append(classifier.n_pseudo_labels_)
    expected = [0.1, *(0.1 - 0.0033 * t * (t + 1) / 2 for t in range(9))]
    np.testing.assert_allclose(thresholds, expected)
    assert thresholds[-2] > 0 > thresholds[-1]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-2] > 0 == sizes[-1]
    assert (len(Counted.trained), Counted.looked) == (1, [])


def test_the_threshold_of_regions_stays():
    classifier = clone(REGIONS).fit(X_SEED, Y_SEED, X_POOL, 9)
    assert classifier.threshold_ == 0.7


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"threshold": 1.2}, r"at most log\(n_classes\) = 1.1 for 3 classes. Got 1.2"),
        ({"threshold": 0}, "threshold"),
        ({"threshold": -0.1}, "threshold"),
        ({"rule": "regions", "threshold": 1}, "probability between 0 and 1"),
        ({"rule": "margin"}, "rule"),
        ({"decay": "slow"}, "decay"),
        ({"rate": -1}, "rate"),
        ({"n_clusters": 0}, "n_clusters"),
        ({"n_regions": 0}, "n_regions"),
        ({"beta": -1}, "beta"),
        ({"max_pseudo_labels": 0}, "max_pseudo_labels"),
        ({"classes": ["a", "b"]}, r"Got \['c'\]"),
        ({"estimator": LinearSVC()}, "estimator"),
    ],
    ids=str,
)
def test_bad_parameters_are_refused_before_any_training(counted, params, message):
    classifier = PseudoLabelClassifier(counted).set_params(**params)
    with pytest.raises(ValueError, match=message):
        classifier.fit(X_SEED, Y_SEED, X_unlabeled=X_POOL)
    assert Counted.trained == []


@pytest.mark.parametrize(
    ("fit", "error", "message"),
    [
        ({"X_unlabeled": X_POOL[:0]}, ValueError, "X_unlabeled is empty"),
        ({"X_unlabeled": "one text"}, TypeError, "X_unlabeled must be a sequence"),
        ({"X_unlabeled": ["a text"]}, TypeError, "X_unlabeled must be of the kind"),
        ({"X_unlabeled": X_POOL[:, :1]}, ValueError, "X_unlabeled must have the feat"),
        ({"X_unlabeled": sparse.csr_matrix(X)}, TypeError, "one of the two is sparse"),
        ({"X_unlabeled": X_POOL, "n_rounds": -1}, ValueError, "n_rounds must be"),
        ({"X_unlabeled": X_POOL, "n_rounds": 1.5}, ValueError, "n_rounds must be"),
        (
            {"X_unlabeled": X_POOL, "groups": Y_SEED[:9]},
            ValueError,
            r"Got \['groups'\]",
        ),
    ],
    ids=lambda value: str(value)[:30].replace("\n", ""),
)
def test_bad_pools_are_refused_before_any_training(counted, fit, error, message):
    classifier = PseudoLabelClassifier(counted).fit(X_SEED, Y_SEED)
    before, Counted.trained = classifier.estimator_, []
    with pytest.raises(error, match=message):
        classifier.fit(X_SEED[:9], Y_SEED[:9], **fit)
    assert Counted.trained == []
    assert classifier.estimator_ is before


def test_an_empty_pool_is_fine_in_a_round_of_a_learner(counted):
    classifier = PseudoLabelClassifier(counted)
    classifier.fit(X_SEED, Y_SEED, X_unlabeled=X_POOL[:0], n_rounds=3)
    assert len(Counted.trained) == 1
    assert classifier.n_pseudo_labels_ == 0
    learner = ActiveLearner(ENTROPY, n_queries=100, budget=300, random_state=0)
    learner.set_params(estimator__threshold=0.3).fit(X, Y)
    assert learner.termination_condition_ == "budget"
    assert learner.estimator_.n_pseudo_labels_ == 0
    plain = LogisticRegression().fit(learner.X_labeled_, learner.y_labeled_)
    np.testing.assert_array_equal(learner.predict_proba(X), plain.predict_proba(X))


def test_regions_of_a_classifier_without_embedding():
    classifier = PseudoLabelClassifier(LogisticRegression(), rule="regions")
    X_sparse = sparse.csr_matrix(X)
    with pytest.raises(MissingCapabilityError, match="or rule='entropy'"):
        classifier.fit(X_sparse[:30], Y_SEED, X_unlabeled=X_sparse[30:])
    assert not hasattr(classifier, "estimator_")


# Containers.


def containers(texts):
    """A list of texts in everything that a column of texts may be."""
    pd = pytest.importorskip("pandas")
    pl = pytest.importorskip("polars")
    pa = pytest.importorskip("pyarrow")
    index = np.random.RandomState(0).permutation(len(texts))
    return {
        "list": texts,
        "tuple": tuple(texts),
        "object array": np.array(texts, dtype=object),
        "str array": np.array(texts),
        "pandas Series": pd.Series(texts, index=index),
        "polars Series": pl.Series(texts),
        "Arrow column": pa.chunked_array([texts[:3], texts[3:]]),
    }


def test_texts_in_every_container(toy_texts):
    texts, y = toy_texts
    classifier = PseudoLabelClassifier(TEXTS, threshold=0.4)
    expected = clone(classifier).fit(texts[:20], y[:20], X_unlabeled=texts[20:])
    assert expected.n_pseudo_labels_ > 5
    pools = containers(texts[20:])
    before = {name: joblib.hash(list(pool)) for name, pool in pools.items()}
    for name, labeled in containers(texts[:20]).items():
        for pool in (pools[name], texts[20:]):
            got = clone(classifier).fit(labeled, y[:20], X_unlabeled=pool)
            assert got.pseudo_rows_.tolist() == expected.pseudo_rows_.tolist()
            np.testing.assert_allclose(
                got.predict_proba(texts), expected.predict_proba(texts), atol=1e-9
            )
    for name, pool in pools.items():
        assert joblib.hash(list(pool)) == before[name]


def test_matrices_in_every_container():
    pd = pytest.importorskip("pandas")
    pl = pytest.importorskip("polars")
    expected = clone(ENTROPY).fit(X_SEED, Y_SEED, X_unlabeled=X_POOL)
    names = ["u", "v"]
    for make in (
        sparse.csr_matrix,
        sparse.csc_array,
        np.asfortranarray,
        lambda rows: rows.tolist(),
        lambda rows: pd.DataFrame(rows, columns=names),
        lambda rows: pl.DataFrame(rows, schema=names),
    ):
        pool = make(X_POOL)
        got = clone(ENTROPY).fit(make(X_SEED), Y_SEED, X_unlabeled=pool)
        assert got.pseudo_rows_.tolist() == expected.pseudo_rows_.tolist()
        proba = got.predict_proba(make(X))
        np.testing.assert_allclose(proba, expected.predict_proba(X), atol=1e-6)
    assert got.n_features_in_ == 2
    assert got.feature_names_in_.tolist() == names
    assert not hasattr(got.fit(X_SEED, Y_SEED), "feature_names_in_")


def test_an_array_of_vectors_and_a_pool_of_lists():
    expected = clone(ENTROPY).fit(X_SEED, Y_SEED, X_unlabeled=X_POOL)
    got = clone(ENTROPY).fit(X_SEED, Y_SEED, X_unlabeled=X_POOL.tolist())
    assert got.pseudo_rows_.tolist() == expected.pseudo_rows_.tolist()


def test_nothing_given_is_changed():
    given = X_SEED.copy(), Y_SEED.copy(), X_POOL.copy()
    before, state = joblib.hash(given), joblib.hash(np.random.get_state())
    classifier = clone(REGIONS).set_params(random_state=None)
    classifier.fit(*given)
    assert joblib.hash(given) == before
    assert joblib.hash(np.random.get_state()) == state
    assert not hasattr(classifier.estimator, "coef_")


# What is passed on.


def test_what_a_network_offers_is_passed_on():
    classifier = PseudoLabelClassifier(DENSE, threshold=0.5)
    assert classifier.training_dynamics_ is None
    assert hasattr(classifier, "sample_proba")
    classifier.fit(X_SEED, Y_SEED, X_unlabeled=X_POOL)
    inner = classifier.estimator_
    assert classifier.n_pseudo_labels_ > 10
    np.testing.assert_array_equal(classifier.embed(X), inner.embed(X))
    outputs = classifier.predict_outputs(
        X, ["proba", "logits", "embedding", "samples"], n_samples=3
    )
    assert {name: values.shape for name, values in outputs.items()} == {
        "proba": (300, 3),
        "logits": (300, 3),
        "embedding": (300, 8),
        "samples": (3, 300, 3),
    }
    np.testing.assert_array_equal(outputs["samples"], inner.sample_proba(X, 3))
    np.testing.assert_array_equal(classifier.sample_proba(X, 3), outputs["samples"])
    dynamics = classifier.training_dynamics_
    assert dynamics.correct.shape == dynamics.gold_proba.shape == (5, 30)
    recorded = inner.training_dynamics_
    assert recorded.correct.shape == (5, 30 + classifier.n_pseudo_labels_)
    np.testing.assert_array_equal(dynamics.correct, recorded.correct[:, :30])
    rows = (
        CartographyAL(t_cor=0.8, device="cpu", random_state=0)
        .fit(X_SEED, Y_SEED, classifier)
        .query(X_POOL, 5)
    )
    assert len(set(rows.tolist())) == 5


def test_what_a_plain_classifier_lacks_is_not_offered():
    for classifier in (clone(ENTROPY), clone(ENTROPY).fit(X_SEED, Y_SEED)):
        for name in (
            "embed",
            "sample_proba",
            "token_surprisal",
            "pretrained_encoder",
            "keep_tokens",
            "training_dynamics_",
            "staged_predict",
        ):
            assert not hasattr(classifier, name), name
    assert clone(ENTROPY).fit(X_SEED, Y_SEED).decision_function(X).shape == (300, 3)
    tree = PseudoLabelClassifier(DecisionTreeClassifier())
    assert not hasattr(tree, "decision_function")


def test_vectors_through_a_pipeline(toy_texts):
    texts, y = toy_texts
    svd = TruncatedSVD(5, random_state=0)
    pipeline = make_pipeline(TfidfVectorizer(), svd, LogisticRegression())
    classifier = PseudoLabelClassifier(pipeline, rule="regions", n_clusters=4)
    classifier.set_params(n_regions=2, threshold=0.5, random_state=0)
    classifier.fit(texts[:20], y[:20], X_unlabeled=texts[20:])
    assert 0 < classifier.n_pseudo_labels_ < 60
    outputs = classifier.predict_outputs(texts, ["embedding", "proba"])
    np.testing.assert_array_equal(outputs["embedding"], classifier.embed(texts))
    assert outputs["embedding"].shape == (80, 5)
    found = compute_outputs(classifier, texts, {"proba"}, classifier.classes_)
    np.testing.assert_array_equal(found["proba"], classifier.predict_proba(texts))


def test_around_a_committee():
    committee = Committee(DecisionTreeClassifier(), n_estimators=5, bootstrap=True)
    classifier = PseudoLabelClassifier(committee, random_state=0)
    learner = ActiveLearner(classifier, BALD(n_samples=5), budget=50, random_state=0)
    learner.fit(X, Y)
    assert learner.estimator_.n_pseudo_labels_ > 0
    assert learner.estimator_.sample_proba(X, 5).shape == (5, 300, 3)


# In a learner.


class Watched(PseudoLabelClassifier):
    """Keeps what each training was given."""

    seen = []

    def fit(self, X, y, X_unlabeled=None, n_rounds=0, **fit_params):
        super().fit(X, y, X_unlabeled, n_rounds, **fit_params)
        self.seen.append((np.asarray(X), np.asarray(X_unlabeled), n_rounds, self))
        return self


@pytest.fixture
def watched():
    Watched.seen = []
    return Watched(LogisticRegression(), threshold=0.2, rate=0.01)


def as_set(rows):
    return {tuple(row) for row in np.asarray(rows).tolist()}


def test_pseudo_labels_enter_no_budget_and_survive_no_round(watched):
    learner = ActiveLearner(watched, RandomSampling(), n_queries=10, budget=60)
    learner.set_params(keep_estimators=True, random_state=0).fit(X, Y)
    rows = np.concatenate([entry["rows"] for entry in learner.rounds_])
    assert len(learner.y_labeled_) == len(rows) == len(set(rows.tolist())) == 60
    assert learner.y_labeled_.tolist() == Y[rows].tolist()
    assert len(Watched.seen) == 6
    everywhere = set()
    for number, (labeled, pool, n_rounds, fitted) in enumerate(Watched.seen):
        bought = rows[: 10 * (number + 1)]
        np.testing.assert_array_equal(labeled, X[bought])
        assert as_set(pool) == as_set(np.delete(X, bought, axis=0))
        assert n_rounds == number + 1
        assert fitted.threshold_ == pytest.approx(0.2 - 0.01 * number)
        pseudo = as_set(pool[fitted.pseudo_rows_])
        assert not pseudo & as_set(labeled)
        everywhere |= pseudo
    asked_later = as_set(X[rows[10:]])
    assert everywhere & asked_later  # pseudo-labelled in one round, asked for later


def test_by_hand_it_is_as_with_a_budget(watched):
    """One pool object in all rounds: its ids say what is labelled by now."""
    learner = CEAL(LogisticRegression(), threshold=0.2, rate=0.01)
    learner.set_params(n_queries=10, budget=50, random_state=0).fit(X, Y)
    first, *later = learner.rounds_
    ids = np.array(IDS)
    by_hand = ActiveLearner(watched, random_state=0, classes=["a", "b", "c"])
    rows = first["rows"]
    pool = {"X_pool": X, "pool_ids": IDS}
    by_hand.fit(X[rows], Y[rows], ids=ids[rows], **pool)
    for entry in later:
        rows = by_hand.query(X, ids=IDS)
        assert rows.tolist() == entry["rows"].tolist()
        by_hand.teach(X[rows], Y[rows], ids=ids[rows], **pool)
        labeled, unlabeled, _, fitted = Watched.seen[-1]
        assert not as_set(labeled) & as_set(unlabeled[fitted.pseudo_rows_])
        assert len(unlabeled) == 300 - len(labeled)
    np.testing.assert_array_equal(by_hand.predict_proba(X), learner.predict_proba(X))
    assert len(by_hand.y_labeled_) == 50


def test_without_a_pool_teach_trains_once(watched):
    learner = ActiveLearner(watched, random_state=0).fit(X_SEED, Y_SEED)
    assert learner.estimator_.n_pseudo_labels_ == 0
    learner.teach(X_POOL[:2], Y_POOL[:2], X_pool=X_POOL[2:])
    assert learner.estimator_.n_pseudo_labels_ > 0
    assert len(learner.y_labeled_) == 32


def test_pool_ids_are_checked_before_anything_is_recorded():
    learner = ActiveLearner(ENTROPY).fit(X_SEED, Y_SEED)
    for wrong, message in [
        ({"pool_ids": IDS[1:], "X_pool": X}, "pool_ids must hold one id per row"),
        ({"pool_ids": IDS}, "Got no X_pool"),
        ({"pool_ids": [1] * 300, "X_pool": X}, "pool_ids must be unique"),
    ]:
        with pytest.raises(ValueError, match=message):
            learner.teach(X_POOL[:2], Y_POOL[:2], **wrong)
        with pytest.raises(ValueError, match=message):
            learner.fit(X_POOL[:2], Y_POOL[:2], **wrong)
    assert len(learner.y_labeled_) == 30


def test_a_search_over_the_threshold_compares_what_each_chose():
    learner = CEAL(
        LogisticRegression(), n_queries=10, budget=40, keep_estimators=True
    ).set_params(random_state=0)
    grid = {"estimator__threshold": [0.001, 0.5], "estimator__rate": [0]}
    picked = {}
    for threshold in grid["estimator__threshold"]:
        alone = clone(learner).set_params(
            estimator__threshold=threshold, estimator__rate=0
        )
        with pytest.warns(NoPseudoLabelsWarning) if threshold < 0.01 else no_warning():
            alone.fit(X, Y)
        picked[threshold] = [entry["rows"].tolist() for entry in alone.rounds_]
    assert picked[0.001][0] == picked[0.5][0]
    assert picked[0.001] != picked[0.5]
    with pytest.warns(NoPseudoLabelsWarning):
        search = GridSearchCV(learner, grid, cv=2).fit(X, Y)
    assert len(set(search.cv_results_["mean_test_score"])) == 2
    assert search.best_estimator_.estimator_.threshold_ in grid["estimator__threshold"]


class no_warning:
    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None


def test_rules_are_compared_by_a_search():
    learner = ActiveLearner(REGIONS, budget=30, random_state=0)
    grid = {"estimator__rule": ["regions", "entropy"]}
    search = GridSearchCV(learner, grid, cv=2).fit(X, Y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_it_is_cloned_pickled_and_cross_validated(tmp_path):
    fitted = clone(ENTROPY).fit(X_SEED, Y_SEED, X_unlabeled=X_POOL)
    joblib.dump(fitted, tmp_path / "classifier")
    loaded = joblib.load(tmp_path / "classifier")
    np.testing.assert_array_equal(loaded.predict_proba(X), fitted.predict_proba(X))
    assert loaded.pseudo_rows_.tolist() == fitted.pseudo_rows_.tolist()
    assert not hasattr(clone(fitted), "estimator_")
    learner = CEAL(LogisticRegression(), threshold=0.1, budget=40, random_state=0)
    scores = [
        cross_validate(learner, X, Y, cv=3, n_jobs=n_jobs)["test_score"].tolist()
        for n_jobs in (1, 2)
    ]
    assert scores[0] == scores[1]
    assert min(scores[0]) > 0.6
    plain, wrapped = (
        cross_validate(estimator, X, Y, cv=3)["test_score"].tolist()
        for estimator in (LogisticRegression(), ENTROPY)
    )
    assert wrapped == plain


def test_one_class_before_and_after(counted):
    """A single class says nothing of another: nothing is labelled by it."""
    learner = ActiveLearner(PseudoLabelClassifier(counted, threshold=0.3))
    one = np.flatnonzero(Y == "a")[:5]
    with pytest.warns(SingleClassWarning):
        learner.fit(X[one], Y[one], X_pool=np.delete(X, one, axis=0))
    assert learner.predict(X[:3]).tolist() == ["a"] * 3
    assert (len(Counted.trained), len(Counted.looked)) == (0, 0)
    two = np.flatnonzero(Y == "b")[:5]
    rest = np.delete(X, [*one, *two], axis=0)
    learner.teach(X[two], Y[two], X_pool=rest)
    assert learner.estimator_.n_pseudo_labels_ > 0
    assert set(learner.estimator_.pseudo_labels_) == {"a", "b"}


@pytest.mark.parametrize("inner", [LogisticRegression(), DENSE], ids=["plain", "dense"])
def test_one_class_where_all_are_known(inner):
    classifier = PseudoLabelClassifier(inner, classes=["a", "b", "c"])
    fit = {"X": X[Y == "a"][:5], "y": ["a"] * 5, "X_unlabeled": X_POOL}
    if inner is DENSE:
        classifier.fit(**fit)
    else:
        with pytest.warns(SingleClassWarning):
            classifier.fit(**fit)
    assert classifier.n_pseudo_labels_ == 0
    assert classifier.predict_proba(X).shape == (300, 3)
    assert classifier.classes_.tolist() == ["a", "b", "c"]


def test_classes_that_no_row_has():
    classifier = clone(ENTROPY).set_params(classes=["z", "c", "b", "a"])
    classifier.fit(X_SEED, Y_SEED, X_unlabeled=X_POOL)
    proba = classifier.predict_proba(X)
    assert proba.shape == (300, 4)
    assert not proba[:, 3].any()
    assert set(classifier.pseudo_labels_) <= {"a", "b", "c"}
    network = PseudoLabelClassifier(DENSE, classes=["a", "b", "c", "z"], threshold=0.3)
    network.fit(X_SEED, Y_SEED, X_unlabeled=X_POOL)
    assert network.estimator_.classes_.tolist() == ["a", "b", "c", "z"]
    assert DENSE.classes is None


def test_seeds():
    """Both trainings have one seed, drawn by `random_state`."""
    network = clone(DENSE).set_params(random_state=None)

    def proba(random_state):
        classifier = PseudoLabelClassifier(network, random_state=random_state)
        classifier.set_params(threshold=0.8).fit(X_SEED, Y_SEED, X_unlabeled=X_POOL)
        return classifier.predict_proba(X)

    np.testing.assert_array_equal(proba(0), proba(0))
    np.testing.assert_array_equal(proba(0), proba(np.random.RandomState(0)))
    assert not np.array_equal(proba(0), proba(1))


# Weights, metadata, what ends early.


@pytest.mark.parametrize("routing", [False, True])
def test_weights_of_pseudo_labelled_rows_are_average(counted, routing):
    weights = np.random.RandomState(0).uniform(0.5, 2, size=30)
    with sklearn.config_context(enable_metadata_routing=routing):
        if routing:
            counted.set_fit_request(sample_weight=True)
        classifier = PseudoLabelClassifier(counted, threshold=0.2)
        classifier.fit(X_SEED, Y_SEED, X_unlabeled=X_POOL, sample_weight=weights)
        assert not hasattr(classifier.get_metadata_routing(), "X_unlabeled")
    (_, _, first), (_, _, second) = Counted.trained
    np.testing.assert_array_equal(first, weights)
    np.testing.assert_array_equal(second[:30], weights)
    assert len(second) == 30 + classifier.n_pseudo_labels_
    np.testing.assert_allclose(second[30:], weights.mean())


@pytest.mark.parametrize("routing", [False, True])
def test_weights_in_a_learner(routing):
    weights = np.random.RandomState(0).uniform(0.5, 2, size=300)
    with sklearn.config_context(enable_metadata_routing=routing):
        inner = LogisticRegression()
        if routing:
            inner.set_fit_request(sample_weight=True)
        learner = CEAL(inner, threshold=0.2, budget=40, random_state=0)
        learner.fit(X, Y, sample_weight=weights)
        assert "X_unlabeled" not in str(learner.get_metadata_routing())
    plain = CEAL(LogisticRegression(), threshold=0.2, budget=40, random_state=0)
    plain.fit(X, Y)
    assert learner.estimator_.n_pseudo_labels_ > 0
    assert not np.array_equal(learner.predict_proba(X), plain.predict_proba(X))


class Interrupted(ClassifierMixin, BaseEstimator):
    """Ctrl-C is pressed in the training that has this many rows, and swallowed."""

    def __init__(self, more_than=10**9, key="ctrl-c"):
        self.more_than = more_than
        self.key = key

    def fit(self, X, y):
        self.inner_ = LogisticRegression().fit(X, y)
        self.classes_ = self.inner_.classes_
        try:
            if len(y) > self.more_than and self.key == "ctrl-c":
                os.kill(os.getpid(), signal.SIGINT)
            if len(y) > self.more_than and self.key == "error":
                raise RuntimeError("no luck")
        except KeyboardInterrupt:
            pass
        return self

    def predict(self, X):
        return self.inner_.predict(X)

    def predict_proba(self, X):
        return self.inner_.predict_proba(X)


@pytest.mark.parametrize("more_than", [0, 30], ids=["first", "second"])
@pytest.mark.parametrize(
    ("key", "error"), [("ctrl-c", KeyboardInterrupt), ("error", RuntimeError)]
)
def test_a_fit_that_ends_early_leaves_what_there_was(key, error, more_than):
    classifier = PseudoLabelClassifier(Interrupted(), threshold=0.3)
    classifier.fit(X_SEED, Y_SEED, X_unlabeled=X_POOL)
    before = dict(vars(classifier))
    classifier.set_params(estimator__more_than=more_than, estimator__key=key)
    with pytest.raises(error):
        classifier.fit(X_SEED, np.roll(Y_SEED, 1), X_unlabeled=X_POOL)
    assert {**vars(classifier), "estimator": None} == {**before, "estimator": None}


def test_an_interrupted_round_keeps_the_answers():
    learner = CEAL(Interrupted(), threshold=0.3, random_state=0)
    learner.fit(X_SEED, Y_SEED, X_pool=X_POOL)
    before = learner.estimator_
    learner.set_params(estimator__estimator__more_than=32)
    with pytest.raises(KeyboardInterrupt):
        learner.teach(X_POOL[:2], Y_POOL[:2], X_pool=X_POOL[2:])
    assert learner.estimator_ is before
    assert len(learner.y_labeled_) == 32
    learner.set_params(estimator__estimator__more_than=10**9)
    learner.teach([], [], X_pool=X_POOL[2:])
    assert learner.estimator_ is not before


# CEAL and AcTune.


def test_ceal_is_what_it_says():
    learner = CEAL(LogisticRegression(), Margin(), decay="literal", n_queries=7)
    assert isinstance(learner, ActiveLearner)
    assert isinstance(learner.estimator, PseudoLabelClassifier)
    assert learner.estimator.get_params(deep=False) | {"estimator": None} == (
        PseudoLabelClassifier(None, threshold=0.05, decay="literal").get_params(False)
    )
    assert isinstance(learner.strategy, Margin)
    assert learner.n_queries == 7
    assert clone(learner).get_params()["estimator__threshold"] == 0.05
    assert CEAL(LogisticRegression()).strategy is None


def test_both_halves_of_actune():
    strategy = AcTune(n_clusters=8, random_state=0)
    learner = ActiveLearner(REGIONS, strategy, n_queries=5, budget=30, random_state=0)
    learner.fit(X, Y)
    assert len(learner.y_labeled_) == 30
    assert learner.estimator_.n_pseudo_labels_ > 0
    assert learner.score(X, Y) > 0.8


def test_toy_texts_in_a_learner(toy_texts):
    texts, y = toy_texts
    learner = CEAL(TEXTS, threshold=0.4, n_queries=5, budget=30, random_state=0)
    learner.fit(texts, y)
    assert learner.estimator_.n_pseudo_labels_ > 5
    assert learner.score(texts, y) > 0.8


def test_a_transformer_in_a_learner(toy_texts):
    texts, y = toy_texts
    transformer = TransformerClassifier(
        "skal-tiny", lr=1e-3, max_epochs=1, min_steps=8, device="cpu"
    )
    classifier = PseudoLabelClassifier(transformer, threshold=0.6, random_state=0)
    strategy = AnchorAL(Entropy(), n_anchors=2, n_neighbors=5, max_subpool=20)
    learner = ActiveLearner(classifier, strategy, n_queries=5, random_state=0)
    ids = np.arange(80)
    learner.set_params(budget=25, initial=20).fit(texts, y, ids=ids)
    fitted = learner.estimator_
    assert 0 < fitted.n_pseudo_labels_ <= 55
    assert len(learner.y_labeled_) == 25
    kept = fitted.keep_tokens(texts)
    np.testing.assert_allclose(
        fitted.predict_proba(kept), fitted.predict_proba(texts), atol=1e-6
    )
    assert fitted.pretrained_encoder().model == "skal-tiny"
    assert fitted.training_dynamics_.correct.shape[1] == 25
    assert fitted.token_surprisal(texts[:2], random_state=0).shape[0] == 2
    cold = ActiveLearner(classifier, ALPS(), random_state=0)
    assert len(cold.query(texts, 5)) == 5


# On TREC, with a pretrained BERT.


@pytest.fixture(scope="module")
def trec_parts(trec):
    X, y, X_test, y_test = trec
    rows = np.random.RandomState(0).permutation(len(X))[:1500]
    return [X[row] for row in rows], y[rows], X_test, y_test


def bert(tiny_bert, lr=5e-4, min_steps=150):
    return TransformerClassifier(
        tiny_bert,
        lr=lr,
        max_epochs=5,
        min_steps=min_steps,
        max_length=32,
        random_state=0,
    )


@pytest.mark.slow
@pytest.mark.parametrize(("rule", "threshold"), [("entropy", 0.3), ("regions", None)])
def test_pseudo_labels_on_trec_are_right_more_often(
    tiny_bert, trec_parts, rule, threshold
):
    texts, y, _, _ = trec_parts
    classifier = PseudoLabelClassifier(
        bert(tiny_bert), rule=rule, threshold=threshold, random_state=0
    )
    classifier.fit(texts[:150], y[:150], X_unlabeled=texts[150:])
    right = (classifier.pseudo_labels_ == y[150:][classifier.pseudo_rows_]).mean()
    average = bert(tiny_bert).fit(texts[:150], y[:150]).score(texts[150:], y[150:])
    print(
        f"\n{rule}: {classifier.n_pseudo_labels_} of {len(texts) - 150} rows, "
        f"{right:.3f} right; all predictions {average:.3f}"
    )
    assert classifier.n_pseudo_labels_ > 50
    assert right > average + 0.05


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rule", "strategy"),
    [
        ("entropy", Entropy()),
        ("entropy", AnchorAL(Entropy())),
        ("regions", AcTune()),
        ("regions", AnchorAL(Margin())),
    ],
    ids=str,
)
def test_three_rounds_on_trec(tiny_bert, trec_parts, rule, strategy):
    texts, y, X_test, y_test = trec_parts
    classifier = PseudoLabelClassifier(
        bert(tiny_bert, lr=1e-3, min_steps=80), rule=rule, max_pseudo_labels=200
    )
    if rule == "entropy":
        classifier.set_params(threshold=0.5)
    learner = ActiveLearner(
        classifier,
        strategy,
        n_queries=20,
        budget=120,
        initial=60,
        classes=range(6),
        keep_estimators=True,
        random_state=0,
    ).fit(texts, y)
    assert len(learner.rounds_) == 4
    rows = np.concatenate([entry["rows"] for entry in learner.rounds_])
    assert len(set(rows.tolist())) == len(learner.y_labeled_) == 120
    sizes = [fitted.n_pseudo_labels_ for fitted in learner.estimators_]
    print(f"\n{sizes}, {learner.score(X_test, y_test):.3f} on the test set")
    assert max(sizes) > 20
    assert learner.score(X_test, y_test) > 0.35
