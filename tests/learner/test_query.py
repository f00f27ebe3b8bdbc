# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""query: positions in the argument, nothing asked twice, a pure function."""

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from skal import ActiveLearner
from skal.exceptions import (
    MissingCapabilityError,
    NotQueryableError,
    PoolChangedError,
    PoolExhaustedWarning,
)
from skal.filters import AnchorAL, RandSub
from skal.strategies import Entropy, RandomSampling


@pytest.fixture
def learner(points):
    X, y, _ = points
    return ActiveLearner(LogisticRegression(), n_queries=5, random_state=0).fit(
        X[:30], y[:30]
    )


def test_positions_are_int64_unique_and_in_the_argument(learner, points):
    rows = learner.query(points[0][30:], n_queries=7)
    assert rows.dtype == np.int64
    assert rows.shape == (7,)
    assert len(set(rows.tolist())) == 7
    assert rows.max() < 270


def test_n_queries_of_the_learner_is_the_default(learner, points):
    assert len(learner.query(points[0])) == 5


def test_asking_twice_gives_the_same_batch_and_changes_nothing(points):
    X, y, _ = points
    for strategy in (RandomSampling(), RandSub(Entropy(), max_subpool=50), AnchorAL()):
        learner = ActiveLearner(LogisticRegression(), strategy, random_state=0)
        learner.fit(X[:30], y[:30])
        first = learner.query(X)
        assert first.tolist() == learner.query(X).tolist()
        learner.teach(X[first], y[first])
        assert first.tolist() != learner.query(X).tolist()


def test_the_seed_decides(points):
    X, y, _ = points

    def ask(seed):
        learner = ActiveLearner(
            LogisticRegression(), RandomSampling(), random_state=seed
        )
        return learner.fit(X[:30], y[:30]).query(X).tolist()

    assert ask(0) == ask(0)
    assert ask(0) != ask(1)


def test_excluded_positions_are_left_out(learner, points):
    X = points[0]
    first = learner.query(X, n_queries=20)
    rest = learner.query(X, n_queries=20, exclude=first)
    assert not set(first.tolist()) & set(rest.tolist())
    assert learner.query(X, 40).tolist() == [*first.tolist(), *rest.tolist()]


def test_exclude_equals_a_shorter_pool(learner, points):
    X = points[0]
    shorter = learner.query(X[100:], n_queries=10) + 100
    assert learner.query(X, 10, exclude=np.arange(100)).tolist() == shorter.tolist()


def test_ids_leave_out_what_was_taught_or_skipped(points):
    X, y, ids = points
    learner = ActiveLearner(LogisticRegression(), n_queries=30, random_state=0)
    learner.fit(X[:30], y[:30], ids=ids[:30])
    asked = set(range(30))
    for _ in range(9):
        rows = learner.query(X, ids=ids)
        assert not asked & set(rows.tolist())
        asked |= set(rows.tolist())
        answers = [None if row % 3 == 0 else y[row] for row in rows]
        learner.teach(X[rows], answers, ids=[ids[row] for row in rows])
    assert asked == set(range(300))
    with pytest.warns(PoolExhaustedWarning, match="0 are left"):
        assert learner.query(X, ids=ids).tolist() == []


def test_more_than_is_left_is_all_that_is_left_with_a_warning(learner, points):
    with pytest.warns(PoolExhaustedWarning, match="301 rows .* 300 are left"):
        rows = learner.query(points[0], n_queries=301)
    assert sorted(rows.tolist()) == list(range(300))


@pytest.mark.parametrize(
    ("n_queries", "error"),
    [(0, ValueError), (-3, ValueError), (2.0, TypeError), (True, TypeError)],
)
def test_a_count_that_is_none_is_refused(learner, points, n_queries, error):
    with pytest.raises(error, match="int of at least 1"):
        learner.query(points[0], n_queries=n_queries)


def test_an_empty_pool_is_refused(learner):
    with pytest.raises(ValueError, match="X_pool is empty"):
        learner.query(np.empty((0, 2)))


def test_a_bare_string_is_refused(learner):
    with pytest.raises(TypeError, match=r"wrap it in a list: \['a text'\]"):
        learner.query("a text")


@pytest.mark.parametrize("bad", [[300], [-1], [5, 1000]])
def test_exclude_out_of_range_is_refused(learner, points, bad):
    with pytest.raises(ValueError, match="from 0 to 299"):
        learner.query(points[0], exclude=bad)


def test_a_mask_as_exclude_is_refused(learner, points):
    with pytest.raises(TypeError, match="flatnonzero"):
        learner.query(points[0], exclude=np.zeros(300, dtype=bool))


def test_repeated_ids_are_refused_and_named(learner, points):
    with pytest.raises(ValueError, match="'row 4' more than once"):
        learner.query(points[0], ids=[*points[2][:299], "row 4"])


def test_unhashable_ids_are_refused(learner, points):
    with pytest.raises(TypeError, match="must be hashable"):
        learner.query(points[0], ids=[[i] for i in range(300)])


def test_too_few_ids_are_refused(learner, points):
    with pytest.raises(ValueError, match="3 ids for 300 rows"):
        learner.query(points[0], ids=[1, 2, 3])


def test_before_fit_a_strategy_that_needs_no_model_answers(points):
    learner = ActiveLearner(LogisticRegression(), RandomSampling(), random_state=0)
    rows = learner.query(points[0], n_queries=4)
    assert len(rows) == 4
    assert rows.tolist() == learner.query(points[0], n_queries=4).tolist()
    without_labels = ActiveLearner(
        LogisticRegression(), AnchorAL(RandomSampling(), max_subpool=9)
    )
    assert len(without_labels.query(points[0], n_queries=4)) == 4


def test_before_fit_a_strategy_that_needs_a_model_is_refused(points):
    with pytest.raises(NotQueryableError, match="Entropy reads .*proba"):
        ActiveLearner(LogisticRegression()).query(points[0])


def test_a_frozen_model_answers_without_fit(points):
    X, y, _ = points
    classifier = LogisticRegression().fit(X[:30], y[:30])
    fitted = ActiveLearner(LogisticRegression(), random_state=0).fit(X[:30], y[:30])
    frozen = ActiveLearner(FrozenEstimator(classifier), random_state=0)
    assert frozen.query(X).tolist() == fitted.query(X).tolist()


def test_a_missing_capability_is_reported_before_any_work(points):
    X, y, _ = points
    with pytest.raises(MissingCapabilityError, match="LinearSVC has none"):
        ActiveLearner(LinearSVC(), Entropy()).fit(X[:30], y[:30])


def test_anchoral_on_texts_names_the_remedy_without_an_encoder():
    classifier = make_pipeline(TfidfVectorizer(), LogisticRegression())
    with pytest.raises(MissingCapabilityError, match="pretrained_encoder"):
        ActiveLearner(classifier, AnchorAL()).fit(["good", "bad"], [1, 0])


def test_a_pool_changed_in_place_after_indexing_is_refused(points):
    X, y, _ = points
    pool = X.copy()
    learner = ActiveLearner(LogisticRegression(), AnchorAL(), random_state=0)
    learner.fit(X[:30], y[:30])
    rows = learner.query(pool)
    pool[0] += 1
    with pytest.raises(PoolChangedError, match="changed in place"):
        learner.query(pool)
    pool[0] -= 1
    pool[:] = X
    assert learner.query(pool).tolist() == rows.tolist()
    assert learner.query(pool + 1).shape == rows.shape  # another object is another pool


def test_a_list_that_lost_a_row_is_refused(points):
    X, y, _ = points
    pool = X.tolist()
    learner = ActiveLearner(LogisticRegression(), AnchorAL(), random_state=0)
    learner.fit(X[:30], y[:30]).query(pool)
    del pool[7]
    with pytest.raises(PoolChangedError):
        learner.query(pool)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_vectors_that_are_not_finite_are_refused(points, bad):
    X, y, _ = points
    pool = X.copy()
    pool[17, 1] = bad
    learner = ActiveLearner(LogisticRegression(), AnchorAL(RandomSampling()))
    learner.fit(X[:30], y[:30])
    with pytest.raises(ValueError, match="Row 17 contains NaN or infinity"):
        learner.query(pool)


def test_a_two_dimensional_object_array_is_refused(points):
    X, y, _ = points
    learner = ActiveLearner(LogisticRegression(), AnchorAL(RandomSampling()))
    learner.fit(X[:30], y[:30])
    with pytest.raises(TypeError, match="dense numeric vectors"):
        learner.query(X.astype(object))


@pytest.mark.parametrize("bad", [None, np.nan, 3, b"bytes"])
def test_what_is_no_text_among_texts_is_refused_with_its_row(bad):
    classifier = make_pipeline(TfidfVectorizer(), LogisticRegression())
    learner = ActiveLearner(classifier).fit(["good", "bad"], [1, 0])
    with pytest.raises(ValueError, match="Row 1 is"):
        learner.query(["fine", bad, "poor"])


def test_sparse_rows_for_anchoral_name_truncated_svd(points):
    from scipy import sparse

    X, y, _ = points
    learner = ActiveLearner(LogisticRegression(), AnchorAL(), random_state=0)
    learner.fit(X[:30], y[:30])
    with pytest.raises(TypeError, match="TruncatedSVD"):
        learner.query(sparse.csr_matrix(X))
