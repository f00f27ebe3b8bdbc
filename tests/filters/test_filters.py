# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Filters in a learner: what they keep, what they remember, what they put up with."""

import io

import joblib
import numpy as np
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.datasets import make_blobs
from sklearn.linear_model import LogisticRegression

from skal import ActiveLearner, make_query_pipeline
from skal.base import PoolView
from skal.filters import SEALS, UPS, AnchorAL, KMeansSub, RandSub
from skal.strategies import Entropy, RandomSampling
from skal.utils import NeighborIndex


def on_a_circle(*degrees):
    """Unit vectors in the plane: the nearer the angles, the more similar."""
    angles = np.deg2rad(degrees)
    return np.column_stack([np.cos(angles), np.sin(angles)])


def view_of(pool, labeled, left_out=(), y=None):
    rows = np.setdiff1d(np.arange(len(pool)), left_out) if len(left_out) else None
    y = np.zeros(len(labeled)) if y is None else y
    return PoolView(pool, rows, labeled=(labeled, y, np.zeros(len(labeled), int)))


POOL = on_a_circle(0, 10, 21, 33, 90, 100, 180)


@pytest.mark.parametrize(
    ("labeled", "left_out", "expected"),
    [
        ([-1], [], [0, 1]),
        ([1, 89], [], [0, 1, 4, 5]),
        ([12], [1], [2]),  # the gap is not filled
        ([10], [1], [0, 2]),  # a row of the pool takes no place among its neighbours
        ([10], [1, 2], [0]),
    ],
)
def test_seals_keeps_the_neighbours_less_the_rows_left_out(labeled, left_out, expected):
    view = view_of(POOL, on_a_circle(*labeled), left_out)
    kept = SEALS(n_neighbors=2)._select(view, 1)
    rows = kept if view.rows is None else view.rows[kept]
    assert rows.tolist() == expected


def test_seals_doubles_the_neighbours_until_the_batch_is_full():
    view = view_of(POOL, on_a_circle(-1))
    kept = [SEALS(n_neighbors=1)._select(view, n).tolist() for n in (1, 2, 3, 5, 7)]
    assert kept == [[0], [0, 1], [0, 1, 2, 3], [*range(6), 6][:7], [*range(7)]]


def test_anchoral_tops_up_a_subpool_that_is_smaller_than_the_batch():
    """The authors' code picks nothing then, and its loop stalls."""
    view = view_of(POOL, on_a_circle(-1, 91), y=np.array([0, 1]))
    strategy = AnchorAL(n_neighbors=1, max_subpool=1)
    assert len(strategy._select(view, 1)) == 1
    assert strategy._select(view, 2).tolist() == [0, 4]
    assert set(strategy._select(view, 4)) == {0, 1, 4, 5}


@pytest.fixture(scope="module")
def blobs():
    X, y = make_blobs(400, 6, centers=5, cluster_std=3.0, random_state=0)
    return X, y % 2


def test_the_growth_of_the_subpool_shows_in_the_rounds(blobs):
    X, y = blobs
    learner = ActiveLearner(
        LogisticRegression(max_iter=1000),
        SEALS(n_neighbors=4),
        n_queries=10,
        budget=60,
        random_state=0,
    ).fit(X, y)
    unit = X / np.linalg.norm(X, axis=1)[:, None]
    similarity = unit @ unit.T
    np.fill_diagonal(similarity, -2)
    neighbors = np.argsort(-similarity, axis=1, kind="stable")[:, :4]
    labeled, sizes = np.empty(0, dtype=int), []
    for entry in learner.rounds_:
        if len(labeled):
            subpool = np.setdiff1d(neighbors[labeled], labeled)
            assert entry["n_subpool"] == len(subpool)
            assert np.isin(entry["rows"], subpool).all()
            sizes.append(len(subpool))
        labeled = np.concatenate([labeled, entry["rows"]])
    assert len(sizes) == 5
    assert sizes[-1] > sizes[0]


class Encoder(TransformerMixin, BaseEstimator):
    """Numbers in a text to a vector; counts the rows it encodes."""

    n_rows = 0

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        Encoder.n_rows += len(X)
        return np.array([[float(word) for word in text.split()] for text in X])


@pytest.fixture
def searches(monkeypatch):
    """The number of queries of every search made."""
    counts, search = [], NeighborIndex.search

    def counting(self, queries, *args, **kwargs):
        counts.append(len(queries))
        return search(self, queries, *args, **kwargs)

    monkeypatch.setattr(NeighborIndex, "search", counting)
    return counts


def rounds_of(learner, texts, y, n_rounds, forget=False):
    """Batches of a loop over the texts from row 20 on."""
    pool, batches = texts[20:], []
    ids = range(20, len(texts))
    learner.fit(texts[:20], y[:20])
    for _ in range(n_rounds):
        if forget:
            learner.__dict__.pop("_memory", None)
        rows = learner.query(pool, ids=ids)
        batches.append(rows.tolist())
        picked = [ids[row] for row in rows]
        learner.teach([texts[row] for row in picked], y[picked], ids=picked)
    return batches


@pytest.fixture
def numbers(blobs):
    X, y = blobs
    return [" ".join(map(repr, row)) for row in X.tolist()], y


def text_learner(strategy):
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.pipeline import make_pipeline

    vectorizer = CountVectorizer(analyzer="char")
    classifier = make_pipeline(vectorizer, LogisticRegression(max_iter=1000))
    return ActiveLearner(classifier, strategy, n_queries=5, random_state=0)


def test_only_new_labels_are_encoded_and_searched_for(numbers, searches):
    texts, y = numbers
    Encoder.n_rows = 0
    rounds_of(text_learner(SEALS(n_neighbors=7, encoder=Encoder())), texts, y, 4)
    assert searches == [20, 5, 5, 5]
    assert Encoder.n_rows == 380 + 20 + 5 + 5 + 5


@pytest.mark.parametrize(
    "strategy",
    [
        SEALS(n_neighbors=7, encoder=Encoder()),
        AnchorAL(n_neighbors=7, encoder=Encoder()),
        RandSub(SEALS(n_neighbors=20, encoder=Encoder()), max_subpool=200),
    ],
    ids=lambda strategy: type(strategy).__name__,
)
def test_what_is_remembered_changes_no_batch(numbers, strategy):
    texts, y = numbers
    remembering = rounds_of(text_learner(strategy), texts, y, 4)
    assert remembering == rounds_of(text_learner(strategy), texts, y, 4, forget=True)


def test_a_label_that_is_corrected_gives_the_subpool_of_a_fresh_learner(numbers):
    texts, y = numbers
    strategy = SEALS(n_neighbors=7, encoder=Encoder())
    learner = text_learner(strategy)
    rounds_of(learner, texts, y, 3)
    first = next(row for row in learner.ids_labeled_ if row is not None)
    learner.teach([texts[first]], [1 - y[first]], ids=[first])
    rows = learner.query(texts[20:], ids=range(20, 400))
    del learner._memory
    assert np.array_equal(rows, learner.query(texts[20:], ids=range(20, 400)))


def test_indexes_of_several_kinds_share_the_vectors(numbers):
    texts, y = numbers
    encoder, Encoder.n_rows = Encoder(), 0
    learner = text_learner(SEALS(encoder=encoder)).fit(texts[:20], y[:20])
    pool = texts[20:]
    for index in ("auto", "exact", "hnsw", "ivf"):
        learner.set_params(strategy__index=index).query(pool)
    (entry,) = learner._memory._entries.values()
    assert sorted(entry._indexes) == ["auto", "exact", "hnsw", "ivf"]
    assert all(found.vectors is entry.vectors for found in entry._indexes.values())
    assert learner.strategy.encoder is encoder
    assert Encoder.n_rows == len(texts)


@pytest.mark.parametrize("kind", [SEALS, AnchorAL])
@pytest.mark.parametrize("index", ["hnsw", "ivf"])
def test_an_approximate_index_gives_the_exact_batch_where_it_misses_nothing(
    blobs, kind, index
):
    X, y = blobs
    batches = []
    for name in (index, "exact"):
        strategy = kind(Entropy(), n_neighbors=5, index=name)
        learner = ActiveLearner(LogisticRegression(), strategy, random_state=0)
        batches.append(learner.fit(X[:20], y[:20]).query(X[20:]).tolist())
    assert batches[0] == batches[1]


@pytest.mark.parametrize("kind", [SEALS, AnchorAL])
def test_an_index_of_no_known_kind_is_refused(blobs, kind):
    X, y = blobs
    learner = ActiveLearner(LogisticRegression(), kind(index="annoy"))
    with pytest.raises(ValueError, match="'index' parameter.*'annoy'"):
        learner.fit(X, y)


@pytest.mark.parametrize("index", ["exact", "hnsw", "ivf"])
def test_an_index_is_never_pickled(index):
    X = np.random.RandomState(0).normal(size=(2000, 32))
    learner = ActiveLearner(LogisticRegression(), SEALS(index=index), random_state=0)
    learner.fit(X[:20], np.arange(20) % 2)
    rows = learner.query(X[20:])
    file = io.BytesIO()
    joblib.dump(learner, file)
    assert file.tell() < 50_000
    file.seek(0)
    assert np.array_equal(joblib.load(file).query(X[20:]), rows)


def test_before_any_label_seals_shows_the_whole_pool():
    learner = ActiveLearner(LogisticRegression(), SEALS(RandomSampling()))
    assert len(learner.query(POOL, 3)) == 3
    assert SEALS()._select(view_of(POOL, np.empty((0, 2))), 3).tolist() == [*range(7)]


FILTERS = [
    RandSub(max_subpool=30),
    SEALS(n_neighbors=3),
    SEALS(n_neighbors=500, index="ivf"),
    AnchorAL(n_anchors=3, n_neighbors=3, max_subpool=30),
    AnchorAL(n_anchors=3, n_neighbors=500, anchors="entropy", index="hnsw"),
    RandSub(SEALS(n_neighbors=3), max_subpool=30),
    SEALS(RandSub(max_subpool=5), n_neighbors=3),
    AnchorAL(SEALS(n_neighbors=3)),
    UPS(),
    UPS(scorer=LogisticRegression(), uncertainty="margin", temperature=0.3),
    KMeansSub(n_clusters=7, n_per_cluster=3),
    UPS(KMeansSub(n_clusters=60), gamma=0.5),
    make_query_pipeline(
        "passthrough", SEALS(n_neighbors=3), AnchorAL(n_neighbors=3), Entropy()
    ),
]


def awkward_pools():
    X = np.random.RandomState(0).normal(size=(60, 4))
    few = X.copy()
    few[10:] = few[10]
    zeros = X.copy()
    zeros[::3] = 0
    return {
        "ordinary": X,
        "one row fifty times": few,
        "zeros among them": zeros,
        "all zeros": np.zeros((60, 4)),
        "tiny": X * 1e-30,
        "one dimension": X[:, :1],
    }


@pytest.mark.parametrize("n_queries", [1, 7, 49, 50])
@pytest.mark.parametrize("classes", [1, 2, 10])
@pytest.mark.parametrize("name", awkward_pools())
@pytest.mark.parametrize("strategy", FILTERS, ids=repr)
@pytest.mark.filterwarnings("ignore::skal.exceptions.SingleClassWarning")
def test_awkward_rows_give_a_valid_batch_without_a_warning(
    strategy, name, classes, n_queries
):
    X = awkward_pools()[name]
    learner = ActiveLearner(LogisticRegression(), strategy, random_state=0)
    learner.fit(X[:10], np.arange(10) % classes)
    rows = learner.query(X[10:], n_queries)
    assert len(set(rows.tolist())) == n_queries
    again = learner.query(X, n_queries, exclude=np.arange(10))
    assert len(set(again.tolist())) == n_queries
    assert again.min() >= 10
