# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""What a reviewer broke once, one test each."""

import warnings

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.decomposition import TruncatedSVD
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import StackingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skal import ActiveLearner, TransformerClassifier
from skal.base import PoolFilter, QueryStrategy, Reads, ScoreStrategy
from skal.exceptions import MissingCapabilityError, SingleClassWarning
from skal.filters import AnchorAL
from skal.strategies import Entropy, RandomSampling
from skal.utils import NeighborIndex


def tfidf(*steps):
    return make_pipeline(*steps, TfidfVectorizer(), LogisticRegression())


@pytest.mark.parametrize(
    ("start", "X_new", "error", "match"),
    [
        (["good a", "bad b"], ["fine", None], ValueError, "Row 1 is None"),
        (
            ["good a", "bad b"],
            np.zeros((2, 3)),
            (TypeError, ValueError),
            "column of texts",
        ),
        (np.eye(2), [[0.0, np.nan], [0.0, 1.0]], ValueError, "Row 0 contains NaN"),
        (np.eye(2), np.zeros((2, 3)), ValueError, "features of the labelled set"),
        (
            pd.DataFrame(np.eye(2), columns=["c", "d"]),
            pd.DataFrame(np.eye(2), columns=["c", "e"]),
            ValueError,
            "features of the labelled set",
        ),
    ],
    ids=["missing text", "vectors to texts", "nan", "width", "columns"],
)
def test_rows_that_could_never_be_fitted_are_not_recorded(start, X_new, error, match):
    is_text = isinstance(start, list)
    learner = ActiveLearner(tfidf() if is_text else LogisticRegression())
    learner.fit(start, ["n", "p"])
    before = dict(vars(learner))
    with pytest.raises(error, match=match):
        learner.teach(X_new, ["n", "p"])
    assert vars(learner) == before


def test_the_classifiers_own_vocabulary_is_the_learners():
    class Prior(DummyClassifier):
        def __init__(self, classes=None, strategy="prior"):
            super().__init__(strategy=strategy)
            self.classes = classes

    learner = ActiveLearner(Prior(classes=["x", "y", "z"]))
    with pytest.raises(ValueError, match=r"Got \['w'\]"):
        learner.fit([[0.0], [1.0]], ["x", "w"])
    learner.fit([[0.0], [1.0]], ["x", "z"])
    assert learner.classes_.tolist() == ["x", "y", "z"]
    assert learner.predict_proba([[0.0]]).tolist() == [[0.5, 0.0, 0.5]]
    with pytest.raises(ValueError, match="give them to one of the two, or alike"):
        ActiveLearner(Prior(classes=[0, 1]), classes=[0, 2]).fit([[0.0]], [0])


def test_a_transformer_that_knows_its_classes(tiny_checkpoint, toy_texts):
    X, y = toy_texts
    classifier = TransformerClassifier(
        tiny_checkpoint, classes=["neg", "neu", "pos"], max_epochs=1, min_steps=1
    )
    learner = ActiveLearner(classifier).fit(X[:8], y[:8])
    np.testing.assert_allclose(learner.predict_proba(X).sum(axis=1), 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        one_class = ActiveLearner(classifier).fit(X[:2], ["neg", "neg"])
    assert one_class.predict_proba(X).shape == (80, 3)


def test_a_frozen_model_with_other_classes_is_refused():
    frozen = FrozenEstimator(LogisticRegression().fit(np.eye(3), [0, 1, 2]))
    learner = ActiveLearner(frozen, classes=[0, 2]).fit(np.eye(3)[:1], [0])
    with pytest.raises(ValueError, match="the label vocabulary is"):
        learner.predict_proba(np.eye(3))


def test_a_frozen_model_that_is_not_fitted_is_refused():
    with pytest.raises(NotFittedError):
        ActiveLearner(FrozenEstimator(LogisticRegression())).fit(np.eye(2), [0, 1])


def test_a_budget_checks_all_rows_first():
    X = [f"text {i}" for i in range(60)]
    X[57] = None
    learner = ActiveLearner(tfidf(), budget=30, random_state=0)
    with pytest.raises(ValueError, match="Row 57 of X|Every row of X .* Row 57"):
        learner.fit(X, [0, 1] * 30)
    assert not hasattr(learner, "estimator_")


class Sampler(BaseEstimator):
    """Like imbalanced-learn's: a step without transform, which acts in fit only."""

    def fit(self, X, y=None):
        return self


class SamplingPipeline(type(make_pipeline(StandardScaler()))):
    """Like imbalanced-learn's pipeline: passes samplers by when it predicts."""

    def fit(self, X, y=None):
        for _, step in self.steps[:-1]:
            step.fit(X, y)
            X = step.transform(X) if hasattr(step, "transform") else X
        self.steps[-1][1].fit(X, y)
        return self

    def predict(self, X):
        return self.steps[-1][1].predict(self._moved(X))

    def predict_proba(self, X):
        return self.steps[-1][1].predict_proba(self._moved(X))

    def _moved(self, X):
        for _, step in self.steps[:-1]:
            X = step.transform(X) if hasattr(step, "transform") else X
        return X


def test_pipelines_with_samplers(points):
    X, y, _ = points
    steps = [("scale", StandardScaler()), ("over", Sampler())]
    pipeline = SamplingPipeline([*steps, ("lr", LogisticRegression())])
    learner = ActiveLearner(pipeline, classes=["a", "b", "c"]).fit(X[:30], y[:30])
    assert len(learner.query(X)) == 10
    assert learner.embed(X).shape == X.shape
    with pytest.warns(SingleClassWarning):
        learner.fit(X[:2], ["a", "a"])
    assert len(learner.query(X)) == 10


class Draws(ClassifierMixin, BaseEstimator):
    """Offers sample_proba over the classes it saw."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return self.classes_[np.zeros(len(X), dtype=int)]

    def predict_proba(self, X):
        return np.full((len(X), len(self.classes_)), 1 / len(self.classes_))

    def sample_proba(self, X, n_samples):
        assert abs(X.mean()) < 1e-6, "the scaler came first"
        return np.stack([self.predict_proba(X)] * n_samples)


class ReadsSamples(ScoreStrategy):
    reads = Reads(pool=frozenset({"samples"}))

    def _score(self, view):
        assert view.samples(4).shape == (4, len(view), 3)
        assert view.samples(4) is view.samples(4)
        return view.samples(4)[0, :, 0]


def test_samples_of_a_pipeline_are_aligned(points):
    X, y, _ = points
    known = np.flatnonzero(y != "b")[:20]
    pipeline = make_pipeline(StandardScaler(), Draws())
    learner = ActiveLearner(pipeline, ReadsSamples(), classes=["a", "b", "c"])
    learner.fit(X[known], y[known])
    assert len(learner.query(X[known], n_queries=3)) == 3


class KeepsNothing(PoolFilter):
    def __init__(self, strategy=None):
        self.strategy = strategy

    def _select(self, view, n_queries):
        return []


class PicksOne(QueryStrategy):
    def _represent(self, view):
        return np.zeros((len(view), 1))

    def _query(self, view, n_queries):
        return [0]


class ShortScores(ScoreStrategy):
    def _score(self, view):
        return np.zeros(len(view) + 5)


@pytest.mark.parametrize(
    ("strategy", "match"),
    [
        (
            KeepsNothing(RandomSampling()),
            "_select of KeepsNothing must return at least",
        ),
        (PicksOne(), "_query of PicksOne must return 10"),
        (ShortScores(), "_score of ShortScores must return one score per row"),
    ],
    ids=repr,
)
def test_a_strategy_that_returns_too_little_is_named(points, strategy, match):
    X, y, _ = points
    with pytest.raises(ValueError, match=match):
        ActiveLearner(LogisticRegression(), strategy, budget=60).fit(X, y)


def test_what_is_read_must_be_known():
    with pytest.raises(ValueError, match=r"Got \['probas'\]"):
        Reads(pool=frozenset({"probas"}))


def test_fitting_again_does_not_encode_the_pool_again(points):
    X, y, _ = points
    seen = []

    def note(vectors):
        seen.append(len(vectors))
        return vectors

    encoder = FunctionTransformer(note)
    learner = ActiveLearner(LogisticRegression(), AnchorAL(encoder=encoder))
    for size in (20, 30, 40):
        learner.fit(X[:size], y[:size]).query(X)
    assert sorted(seen) == [20, 30, 40, 300]
    learner.set_params(strategy__encoder__kw_args={}).query(X)
    assert seen.count(300) == 2, "an encoder with other parameters is another encoder"


def test_the_checkpoint_is_encoded_with_once(tiny_checkpoint, toy_texts):
    X, y = toy_texts
    classifier = TransformerClassifier(tiny_checkpoint, max_epochs=1, min_steps=1)
    learner = ActiveLearner(classifier, AnchorAL(), random_state=0)
    learner.fit(X[:8], y[:8]).query(X)
    index = learner._memory._entries.copy()
    learner.fit(X[:12], y[:12]).query(X)
    assert learner._memory._entries == index


@pytest.mark.parametrize(
    "container",
    [pd.Series, pl.Series, pa.array],
    ids=["pandas", "polars", "arrow"],
)
def test_columns_stay_the_columns_they_were(container):
    learner = ActiveLearner(tfidf()).fit(container(["good a", "bad b"]), [1, 0])
    learner.teach(container(["good c"]), [1]).teach(container(["bad d"]), [0])
    assert isinstance(learner.X_labeled_, list if container is pa.array else container)
    assert list(learner.X_labeled_) == ["good a", "bad b", "good c", "bad d"]
    assert learner.query(container(["good", "fine", "bad"]), 1).tolist() == [1]


def test_a_series_reaches_the_classifier_as_a_series():
    lower = FunctionTransformer(lambda series: series.str.lower())
    learner = ActiveLearner(tfidf(lower)).fit(pd.Series(["Good", "Bad"]), [1, 0])
    learner.teach(pd.Series(["GOOD one"], index=[7]), [1])
    assert learner.predict(pd.Series(["good"])).tolist() == [1]


@pytest.mark.parametrize(
    "kind",
    [sparse.csr_matrix, lambda X: pd.DataFrame({"x": X[:, 0], "t": ["text"] * len(X)})],
    ids=["sparse", "mixed frame"],
)
def test_anchoral_refuses_what_it_cannot_compare_before_any_fit(points, kind):
    X, y, _ = points
    learner = ActiveLearner(LogisticRegression(), AnchorAL(), budget=20)
    with pytest.raises(MissingCapabilityError, match="pass encoder="):
        learner.fit(kind(X), y)
    assert not hasattr(learner, "estimator_")


def test_anchoral_on_sparse_rows_with_an_encoder():
    X = [f"word{i % 7} word{i % 5} word{i % 3}" for i in range(60)]
    rows = TfidfVectorizer().fit_transform(X)
    strategy = AnchorAL(encoder=TruncatedSVD(4))
    learner = ActiveLearner(LogisticRegression(), strategy, random_state=0)
    learner.fit(rows[:20], [0, 1] * 10)
    assert len(learner.query(rows)) == 10


def test_trying_again_after_a_failure_changes_no_later_batch(points, monkeypatch):
    X, y, _ = points
    learners = [
        ActiveLearner(SGDClassifier(loss="log_loss"), RandomSampling(), random_state=0)
        for _ in range(2)
    ]
    for learner in learners:
        learner.fit(X[:30], y[:30])
    learners[0].teach(X[30:40], y[30:40])
    fit = SGDClassifier.fit
    monkeypatch.setattr(SGDClassifier, "fit", lambda *args, **kwargs: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        learners[1].teach(X[30:40], y[30:40])
    monkeypatch.setattr(SGDClassifier, "fit", fit)
    learners[1].teach([], [])
    assert learners[0].query(X).tolist() == learners[1].query(X).tolist()
    assert np.array_equal(learners[0].predict_proba(X), learners[1].predict_proba(X))


def test_a_stacking_classifier(points):
    X, y, _ = points
    stack = StackingClassifier([("lr", LogisticRegression())], cv=2)
    assert len(ActiveLearner(stack).fit(X[:30], y[:30]).query(X)) == 10


def test_constant_fit_parameters_may_change_with_teach(points):
    class Tagged(LogisticRegression):
        def fit(self, X, y, tag=None):
            self.tag_ = tag
            return super().fit(X, y)

    X, y, _ = points
    learner = ActiveLearner(Tagged()).fit(X[:30], y[:30], tag="a")
    assert learner.teach(X[30:31], y[30:31]).estimator_.tag_ == "a"
    assert learner.teach(X[31:32], y[31:32], tag="b").estimator_.tag_ == "b"


@pytest.mark.parametrize("missing", [None, float("nan"), pd.NaT])
def test_an_id_must_be_there(points, missing):
    X, y, _ = points
    learner = ActiveLearner(LogisticRegression()).fit(X[:30], y[:30])
    with pytest.raises(ValueError, match="id of row 1 is missing"):
        learner.query(X[:3], 1, ids=[1, missing, 2])


def test_ids_of_boxed_scalars_are_those_of_the_values(points):
    torch = pytest.importorskip("torch")
    X, y, _ = points
    learner = ActiveLearner(LogisticRegression(), n_queries=299)
    days = np.arange("2020-01-01", "2020-10-27", dtype="datetime64[D]")
    for pool_ids, taught in [
        (list(range(300)), [torch.tensor(i) for i in range(30)]),
        (np.arange(300), [pa.scalar(i) for i in range(30)]),
        (days, [days[i] for i in range(30)]),
        (pl.Series(range(300)), pd.Index(range(30))),
    ]:
        learner.fit(X[:30], y[:30], ids=taught)
        assert learner.query(X, 270, ids=pool_ids).min() == 30 or (
            set(learner.query(X, 270, ids=pool_ids)) == set(range(30, 300))
        )


def test_parameters_set_after_fit_count(points):
    X, y, _ = points
    learner = ActiveLearner(LogisticRegression(), RandomSampling(), random_state=0)
    learner.fit(X[:30], y[:30])
    uncertain = ActiveLearner(LogisticRegression(), Entropy(), random_state=0)
    expected = uncertain.fit(X[:30], y[:30]).query(X)
    assert learner.set_params(strategy=Entropy()).query(X).tolist() == expected.tolist()


def test_a_cold_query_does_not_advance_a_random_state(points):
    X, y, _ = points

    def ask(cold):
        learner = ActiveLearner(
            LogisticRegression(),
            RandomSampling(),
            random_state=np.random.RandomState(0),
        )
        if cold:
            learner.query(X)
        return learner.fit(X[:30], y[:30]).query(X).tolist()

    assert ask(cold=True) == ask(cold=False)


def test_warm_start_has_a_seed_per_round_and_starts_anew_for_a_new_class(points):
    X, y, _ = points
    estimator = SGDClassifier(loss="log_loss", warm_start=True)
    learner = ActiveLearner(estimator, random_state=0)
    known = np.flatnonzero(y != "b")[:20]
    first = learner.fit(X[known], y[known]).estimator_
    second = learner.teach(X[known[:2]], y[known[:2]]).estimator_
    assert first.random_state != second.random_state
    learner.teach(X[:40], y[:40])
    assert learner.predict_proba(X).shape == (300, 3)


def test_warnings_point_at_the_users_line(points):
    X = points[0]
    for budget in (None, 20):
        learner = ActiveLearner(LogisticRegression(), budget=budget, random_state=0)
        with pytest.warns(SingleClassWarning) as caught:
            learner.fit(X, np.array(["b"] * 300))
        assert {warning.filename for warning in caught} == {__file__}
    with pytest.warns(UserWarning, match="are left") as caught:
        learner.query(X, 1000)
    assert caught[0].filename == __file__


def test_labels_that_a_missing_answer_made_floats_are_integers_again(points):
    X, y, _ = points
    learner = ActiveLearner(LogisticRegression())
    learner.fit(X[:30], (y[:30] == "a").astype(int))
    learner.teach(X[30:34], pd.Series([1, None, 0, 1]))
    assert learner.y_labeled_.dtype.kind == "i"
    with pytest.raises(ValueError, match=r"Got shape \(2, 2\)"):
        learner.teach(X[:2], np.zeros((2, 2)))


@pytest.mark.parametrize(
    ("initial", "error", "match"),
    [
        ({}, ValueError, "empty dict"),
        ({"a": 2.5}, TypeError, r"initial\['a'\] must be an int"),
        ({"a": -1}, ValueError, r"initial\['a'\] must be an int"),
    ],
)
def test_initial_counts_are_checked(points, initial, error, match):
    X, y, _ = points
    with pytest.raises(error, match=match):
        ActiveLearner(LogisticRegression(), budget=20, initial=initial).fit(X, y)


def test_the_embedding_of_a_pipeline_is_offered(toy_texts):
    X, y = toy_texts
    pipeline = make_pipeline(TfidfVectorizer(), TruncatedSVD(3), LogisticRegression())
    learner = ActiveLearner(pipeline).fit(X, y)
    np.testing.assert_allclose(learner.embed(X), pipeline_rows(learner, X), atol=1e-6)
    assert not hasattr(ActiveLearner(LogisticRegression()), "embed")


def pipeline_rows(learner, X):
    return learner.estimator_[:-1].transform(X)


@pytest.mark.parametrize("pool", [[None, None], np.array([["a"], ["b"]], dtype=object)])
def test_pools_of_nothing_and_of_one_wide_column_are_refused(pool):
    learner = ActiveLearner(tfidf()).fit(["good a", "bad b"], [1, 0])
    with pytest.raises(ValueError, match="Row 0 is None|one-dimensional"):
        learner.query(pool)


@pytest.mark.parametrize("scale", [1e-42, 1e-30, 1e30])
def test_the_index_holds_lengths_at_the_edge_of_single_precision(scale):
    rng = np.random.RandomState(0)
    vectors = rng.normal(size=(200, 8))
    expected, _ = NeighborIndex(vectors).search(vectors[:5], 10)
    tiny = (vectors * scale).astype(np.float32)
    neighbors, _ = NeighborIndex(vectors).search((vectors[:5] * 1e-38), 10)
    assert neighbors.shape == expected.shape
    neighbors, similarity = NeighborIndex(tiny).search(tiny[:5], 10)
    if scale > 1e-40:  # below, single precision has hardly any digits left
        assert np.array_equal(neighbors, expected)
    assert neighbors.shape == (5, 10)
    assert (neighbors[:, 0] == np.arange(5)).all()
    np.testing.assert_allclose(similarity[:, 0], 1)


def test_what_a_learner_shows_of_its_labels_is_a_copy(points):
    X, y, _ = points
    learner = ActiveLearner(LogisticRegression()).fit(X[:30], y[:30])
    learner.y_labeled_[:] = "a"
    learner.X_labeled_[:] = 0
    learner.ids_labeled_.clear()
    assert learner.y_labeled_.tolist() == y[:30].tolist()
    assert np.array_equal(learner.X_labeled_, X[:30])
    with pytest.raises(AttributeError, match="call fit or teach first"):
        _ = ActiveLearner(LogisticRegression()).ids_skipped_
    learner.set_params(keep_estimators=True)
    assert not hasattr(learner, "staged_predict")
