# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""ALPS through the class: golden vectors, what it costs, before and after a fit."""

import pickle
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skal import ActiveLearner, TransformerClassifier
from skal.base import PoolView, Reads
from skal.exceptions import MissingCapabilityError, PoolChangedError
from skal.filters import RandSub
from skal.functional import k_means, nearest_to_centers, surprisal_embedding
from skal.strategies import ALPS, Entropy, RandomSampling

GOLDEN = sorted((Path(__file__).parents[1] / "golden" / "alps").glob("*.npz"))
of_golden = pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)


class Told:
    """A language model that was told the surprisal of each text, a number."""

    def __init__(self, surprisal):
        self.told = np.asarray(surprisal, dtype=np.float32)
        self.asked = []

    def token_surprisal(self, X, picked=0.15, *, masked=False, random_state=None):
        self.asked.append([int(text) for text in X])
        return self.told[self.asked[-1]]


def view_of(surprisal, **kwargs):
    pool = [str(row) for row in range(len(surprisal))]
    return PoolView(pool, language_model=Told(surprisal), **kwargs)


# The authors' code.


@of_golden
def test_rows_are_represented_by_the_golden_vectors(path):
    case = np.load(path)
    vectors = ALPS()._represent(view_of(case["surprisal"]))
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, case["surprisal_l2norm"], atol=1e-6)
    assert (vectors == 0).all(axis=1).sum() == case["n_zero_vectors"]


@of_golden
def test_the_golden_rows_are_nearest_to_the_golden_centres(path):
    case = np.load(path)
    vectors = ALPS()._represent(view_of(case["surprisal"]))
    rows = nearest_to_centers(vectors, case["kmeans_centers"])
    expected = case["nearest_idx"]
    _, first = np.unique(expected, return_index=True)
    first = np.sort(first)  # one row is nearest to several centres: the next nearest
    assert rows[first].tolist() == expected[first].tolist()
    assert len(set(rows.tolist())) == len(rows) == case["kmeans_k"]


def tightness(vectors, rows):
    """Mean squared distance of the vectors to the nearest of the rows."""
    return (cdist(vectors, vectors[rows]).min(axis=1) ** 2).mean()


def assert_as_good_as_the_authors(case, rows):
    """The rows stand for the pool as well as those of the authors' k-means do."""
    vectors = case["surprisal_l2norm"].astype(np.float64)
    assert len(set(rows.tolist())) == case["kmeans_k"]
    theirs = tightness(vectors, case["nearest_idx"])
    luck = 1 + 8 / len(vectors)  # k-means of few rows depends more on its seeds
    assert tightness(vectors, rows) <= luck * theirs + 1e-9


@of_golden
@pytest.mark.parametrize("seed", range(3))
def test_picks_stand_for_the_pool_as_the_authors_do(path, seed):
    case = np.load(path)
    strategy = ALPS(random_state=seed)
    rows = strategy._query(view_of(case["surprisal"]), int(case["kmeans_k"]))
    assert_as_good_as_the_authors(case, rows)


@of_golden
@pytest.mark.parametrize("seed", range(20))
def test_random_picks_in_its_place_would_fail(path, seed):
    case = np.load(path)
    view = view_of(case["surprisal"])
    rows = RandomSampling(random_state=seed)._query(view, int(case["kmeans_k"]))
    with pytest.raises(AssertionError):
        assert_as_good_as_the_authors(case, rows)


def test_there_are_golden_cases():
    assert len(GOLDEN) == 3


# The picks.


def test_k_means_picks_are_the_kernels():
    surprisal = np.random.RandomState(0).gamma(1, size=(200, 9))
    view, strategy = view_of(surprisal), ALPS(random_state=3)
    vectors = surprisal_embedding(surprisal, dtype=np.float32)
    _, centers = k_means(vectors, 20, random_state=view.rng(3))
    expected = nearest_to_centers(vectors, centers)
    assert strategy._query(view, 20).tolist() == expected.tolist()


def test_k_means_plus_plus_draws_by_squared_distance():
    """Three directions; the second row drawn is off the first, the third off both."""
    surprisal = np.repeat(np.eye(3), [80, 10, 10], axis=0)
    counts = np.zeros(3)
    for seed in range(500):
        strategy = ALPS(clustering="k-means++", random_state=seed)
        rows = strategy._query(view_of(surprisal), 3)
        assert sorted(surprisal[rows].argmax(axis=1)) == [0, 1, 2]
        counts[surprisal[rows[0]].argmax()] += 1
    # The first is drawn uniformly: 400 of 500 expected, standard deviation 9.
    assert abs(counts[0] - 400) < 45


def test_every_round_clusters_anew_and_a_query_twice_is_the_same():
    surprisal = np.random.RandomState(0).gamma(1, size=(500, 9))
    for clustering in ("k-means", "k-means++"):
        strategy = ALPS(clustering=clustering, random_state=0)
        rounds = {
            tuple(strategy._query(view_of(surprisal, round_=r), 20)) for r in range(5)
        }
        assert len(rounds) == 5
        view = view_of(surprisal)
        assert np.array_equal(strategy._query(view, 20), strategy._query(view, 20))


AWKWARD = {
    "duplicates": np.repeat(np.random.RandomState(0).gamma(1, size=(5, 4)), 6, axis=0),
    "no token anywhere": np.zeros((30, 4)),
    "one text has a token": np.eye(30)[:, :4],
    "all alike": np.ones((30, 4)),
    "hardly surprised": np.full((30, 4), 1e-25),
    "one token": np.random.RandomState(0).gamma(1, size=(30, 1)),
    "one row": np.ones((1, 4)),
}


@pytest.mark.parametrize("clustering", ["k-means", "k-means++"])
@pytest.mark.parametrize("pool", AWKWARD)
def test_awkward_pools_give_whole_batches(pool, clustering):
    surprisal = AWKWARD[pool]
    for n_queries in (1, len(surprisal) // 2 + 1, len(surprisal)):
        strategy = ALPS(clustering=clustering, random_state=0)
        rows = strategy._query(view_of(surprisal), n_queries)
        assert len(np.unique(rows)) == len(rows) == n_queries
        assert rows.dtype == np.int64


# What is asked of the language model.


def test_a_row_is_asked_for_once_and_only_when_it_is_looked_at():
    view = view_of(np.random.RandomState(0).gamma(1, size=(20, 4)))
    told = view.language_model
    some = view.take(np.array([3, 5, 8])).surprisal()
    np.testing.assert_array_equal(some, told.told[[3, 5, 8]])
    more = view.take(np.array([4, 5])).surprisal()
    np.testing.assert_array_equal(more, told.told[[4, 5]])
    np.testing.assert_array_equal(view.surprisal(), told.told)
    rest = [row for row in range(20) if row not in (3, 4, 5, 8)]
    assert told.asked == [[3, 5, 8], [4], rest]
    view.surprisal()
    assert len(told.asked) == 3
    for kind in ({"picked": 0.3}, {"masked": True}, {"random_state": 7}):
        view.surprisal(**kind)
    assert told.asked[3:] == [list(range(20))] * 3
    view.surprisal()
    assert len(told.asked) == 6
    whole = view.surprisal(0.5)
    assert whole is view.surprisal(0.5)  # what is kept, not a copy


def test_few_kinds_are_kept():
    view = view_of(np.ones((5, 4)))
    for seed in (*range(6), 5, 0):
        view.surprisal(random_state=seed)
    assert len(view.language_model.asked) == 7
    assert len(view.memory._surprisals) == 4


def test_a_pool_that_was_changed_is_noticed():
    view = view_of(np.ones((5, 4)))
    view.surprisal()
    view.pool[2] = "0"
    with pytest.raises(PoolChangedError):
        view.surprisal()


def test_surprisal_is_read_of_the_pool_alone():
    with pytest.raises(ValueError, match="surprisal"):
        Reads(labeled=frozenset({"surprisal"}))
    assert ALPS().reads == Reads(pool=frozenset({"surprisal"}))


# With a real model.


@pytest.fixture
def classifier():
    return TransformerClassifier(
        "skal-tiny", max_epochs=1, min_steps=0, max_length=20, device="cpu"
    )


def count_passes(monkeypatch):
    """How many texts each look of a language model is at."""
    looks = []
    ask = TransformerClassifier.token_surprisal

    def counted(self, X, *args, **kwargs):
        looks.append(len(X))
        return ask(self, X, *args, **kwargs)

    monkeypatch.setattr(TransformerClassifier, "token_surprisal", counted)
    return looks


def test_before_any_label_and_in_all_rounds_with_one_look(
    classifier, toy_texts, monkeypatch
):
    looks = count_passes(monkeypatch)
    X, y = toy_texts
    ids = np.arange(len(X))
    learner = ActiveLearner(classifier, ALPS(), n_queries=6, random_state=0)
    rows = learner.query(X, ids=ids)
    assert np.array_equal(rows, learner.query(X, ids=ids))
    for _ in range(3):
        learner.teach([X[row] for row in rows], y[rows], ids=rows)
        rows = learner.query(X, ids=ids)
    assert len({*learner.ids_labeled_, *rows.tolist()}) == 24
    assert looks == [1, len(X)]  # one row to see that there is a head
    assert classifier._masked_lm is None  # what the user gave is left alone


def test_the_picks_are_those_of_the_surprisal_of_the_texts(classifier, toy_texts):
    X, _ = toy_texts
    learner = ActiveLearner(classifier, ALPS(random_state=5), n_queries=6)
    surprisal = classifier.token_surprisal(X, random_state=5)
    view = PoolView(X)
    vectors = surprisal_embedding(surprisal, dtype=np.float32)
    _, centers = k_means(vectors, 6, random_state=view.rng(5))
    expected = nearest_to_centers(vectors, centers)
    assert learner.query(X).tolist() == expected.tolist()


def test_as_the_first_batch_of_a_budget(classifier, toy_texts):
    X, y = toy_texts
    learner = ActiveLearner(
        classifier, Entropy(), n_queries=6, budget=12, initial=ALPS(), random_state=0
    ).fit(X, y)
    first = learner.rounds_[0]["rows"]
    assert len(learner.rounds_) == 2
    cold = ActiveLearner(classifier, ALPS(), n_queries=6, random_state=0)
    assert cold.query(X).tolist() == first.tolist()


def test_inside_a_filter_no_more_is_looked_at_than_the_filter_leaves(
    classifier, toy_texts, monkeypatch
):
    looks = count_passes(monkeypatch)
    strategy = RandSub(ALPS(), max_subpool=25)
    learner = ActiveLearner(classifier, strategy, n_queries=6, random_state=0)
    rows = learner.query(toy_texts[0])
    assert len(set(rows.tolist())) == 6
    assert looks == [1, 25]


def test_nothing_of_it_is_pickled(classifier, toy_texts):
    X, y = toy_texts
    learner = ActiveLearner(classifier, ALPS(), n_queries=6, random_state=0)
    before = len(pickle.dumps(learner))
    rows = learner.query(X)
    assert len(pickle.dumps(learner)) < before + 2000
    loaded = pickle.loads(pickle.dumps(learner))
    assert np.array_equal(loaded.query(X), rows)
    strategy = ALPS(random_state=0).fit(X, y, estimator=classifier)
    strategy.query(X)
    assert len(pickle.dumps(strategy)) < 20_000


def test_very_short_texts(classifier):
    X = ["", "a", "b", "", "a b", "c"] * 5
    learner = ActiveLearner(classifier, ALPS(token_share=0.5), random_state=0)
    for n_queries in (1, 4, 30):
        assert len(set(learner.query(X, n_queries).tolist())) == n_queries


@pytest.mark.parametrize("fit", [True, False])
def test_a_classifier_without_a_language_model_is_refused_before_any_work(
    no_head, toy_texts, fit
):
    X, y = toy_texts
    for estimator in (LogisticRegression(), no_head):
        learner = ActiveLearner(estimator, ALPS())
        with pytest.raises(MissingCapabilityError):
            learner.fit(X, y) if fit else learner.query(X)
        assert not hasattr(learner, "estimator_")


@pytest.fixture
def no_head(tiny_checkpoint):
    return TransformerClassifier(tiny_checkpoint, device="cpu")


def test_what_is_no_text_is_refused(classifier):
    reads_columns = make_pipeline(FunctionTransformer(), classifier)
    learner = ActiveLearner(reads_columns, ALPS())
    with pytest.raises(MissingCapabilityError, match="reads the tokens of texts"):
        learner.query(np.zeros((10, 3)))


@pytest.mark.parametrize(
    "params", [{"token_share": 0}, {"token_share": 1.5}, {"clustering": "dbscan"}]
)
def test_parameters_are_checked(params, classifier, toy_texts):
    with pytest.raises(ValueError, match=f"The '{next(iter(params))}' parameter"):
        ALPS(**params).fit(toy_texts[0], estimator=classifier)
