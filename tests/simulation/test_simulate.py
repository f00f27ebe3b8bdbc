# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""simulate: what a run does, and that it does what a person with a learner would."""

import pickle
import sys

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from joblib._parallel_backends import ThreadingBackend
from scipy import sparse
from sklearn.datasets import make_blobs
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, make_scorer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler
from sklearn.utils import Bunch

from skal import ActiveLearner, NoisyOracle, PoolFilter, simulate
from skal.filters import AnchorAL, RandSub
from skal.strategies import Entropy, RandomSampling

LEARNERS = {
    "entropy": ActiveLearner(LogisticRegression(), Entropy()),
    "anchoral": ActiveLearner(LogisticRegression(), AnchorAL()),
    "randsub": ActiveLearner(
        LogisticRegression(), RandSub(RandomSampling(), max_subpool=90)
    ),
}
SHORT = {"n_rounds": 3, "n_queries": 10, "seeds": 2}


@pytest.fixture(scope="module")
def data():
    """200 points in the plane with labels "a", "b", "c", and 100 to test on."""
    X, codes = make_blobs(300, centers=3, cluster_std=2.0, random_state=0)
    y = np.array(["a", "b", "c"])[codes]
    return X[:200], y[:200], X[200:], y[200:]


@pytest.fixture(scope="module")
def table(data):
    return simulate(LEARNERS, data, **SHORT, scoring=["accuracy", "f1_macro"])


def same(first, second):
    """Whether two tables are the same but for the seconds."""
    assert list(first) == list(second)
    for name in first:
        if name in ("subpool_counts", "rows"):
            assert [*map(list, first[name])] == [*map(list, second[name])]
        elif not name.endswith("_time"):
            np.testing.assert_array_equal(first[name], second[name])
    return True


def one_run(table, **values):
    """The rows of the table that have these values, as a data frame."""
    frame = pd.DataFrame(table)
    return frame[np.all([frame[name] == value for name, value in values.items()], 0)]


def test_the_table_is_tidy(table):
    assert len(pd.DataFrame(table)) == 3 * 2 * 4
    frame = one_run(table, learner="entropy", seed=1)
    assert frame["round"].tolist() == [0, 1, 2, 3]
    assert frame["n_labeled"].tolist() == [10, 20, 30, 40]
    assert frame["n_subpool"].isna().all()
    filtered = one_run(table, learner="randsub", seed=1)["n_subpool"].tolist()
    assert np.isnan(filtered[0])
    assert filtered[1:] == [90, 90, 90]
    assert set(table.dataset) == {"dataset"}
    seconds = [name for name in table if name.endswith("_time")]
    assert seconds == [
        f"{kind}_time"
        for kind in ("fit", "score", "encode", "filter", "look", "select")
    ]
    assert (table.fit_time > 0).all()
    assert (table.score_time > 0).all()
    assert (table.look_time[(table.learner == "entropy") & (table.round > 0)] > 0).all()
    assert (table.filter_time[~np.isnan(table.n_subpool)] > 0).all()


@pytest.mark.parametrize("initial", [10, {"a": 5, "c": 4}, RandomSampling()], ids=repr)
@pytest.mark.parametrize("name", LEARNERS)
def test_a_run_is_that_of_a_learner_with_a_budget(data, name, initial):
    X, y, X_test, y_test = data
    learner = LEARNERS[name]
    table = simulate(learner, data, **SHORT | {"seeds": [7]}, initial=initial)
    alone = ActiveLearner(**learner.get_params(deep=False)).set_params(
        n_queries=10,
        initial=initial,
        budget=(9 if isinstance(initial, dict) else 10) + 30,
        keep_estimators=True,
        random_state=7,
    )
    alone.fit(X, y)
    bought = [entry["rows"].tolist() for entry in alone.rounds_]
    assert [rows.tolist() for rows in table.rows] == bought
    scores = [np.mean(labels == y_test) for labels in alone.staged_predict(X_test)]
    assert table.test_score.tolist() == scores


class Drops(PoolFilter):
    """Keeps the rows whose first feature is not this."""

    def __init__(self, strategy=None, value=0):
        self.strategy = strategy
        self.value = value

    def _select(self, view, n_queries):
        return np.flatnonzero(view.X[:, 0] != self.value)


@pytest.mark.parametrize(
    ("strategy", "kept"),
    [
        (Entropy(), []),
        (RandSub(), [0, 1, 2]),
        (Drops(value=1), [0, 2]),
        (Drops(Drops(value=2), value=0), [1]),
    ],
    ids=["none", "all", "one", "nested"],
)
def test_the_classes_in_the_subpool_are_counted(tmp_path, strategy, kept):
    codes = np.random.RandomState(0).permutation(np.repeat([0, 1, 2], [25, 20, 15]))
    X, y = codes[:, None].astype(float), np.array(["a", "b", "c"])[codes]
    table = simulate(
        ActiveLearner(LogisticRegression(), strategy, n_queries=5),
        (X, y, [[0.0], [3.0]], ["a", "not in the pool"]),
        n_rounds=2,
        initial={"a": 5, "b": 5, "c": 5},
        seeds=1,
        folder=tmp_path,
    )
    expected, shown = [[]], np.isin(codes, kept)
    for rows in table.rows[:-1]:
        shown[rows] = False
        counts = np.bincount(codes[shown], minlength=4).tolist()
        expected.append(counts if kept else [])
    assert [counts.tolist() for counts in table.subpool_counts] == expected
    assert [sum(counts) for counts in expected] == np.nan_to_num(
        table.n_subpool
    ).tolist()
    lines = pd.read_json(tmp_path / "table.jsonl", lines=True)
    assert lines["subpool_counts"].tolist() == expected
    cells = pd.read_csv(tmp_path / "table.csv", keep_default_na=False)
    assert cells["subpool_counts"].tolist() == [" ".join(map(str, c)) for c in expected]


def test_all_learners_begin_with_the_same_rows(table):
    frame = one_run(table, round=0)
    for seed in range(2):
        first = [tuple(rows) for rows in frame[frame["seed"] == seed]["rows"]]
        assert len(set(first)) == 1
        assert len(set(first[0])) == 10
    assert tuple(frame["rows"].iloc[0]) != tuple(frame["rows"].iloc[1])
    assert frame["seed"].iloc[0] != frame["seed"].iloc[1]


def test_no_row_is_asked_twice_and_the_pool_ends_a_run(data):
    X, y, *test = data
    small = X[:47], y[:47], *test
    table = simulate(LEARNERS, small, n_rounds=9, n_queries=10, seeds=1)
    for name in LEARNERS:
        frame = one_run(table, learner=name)
        assert sorted(np.concatenate(frame["rows"].tolist())) == list(range(47))
        assert frame["n_labeled"].tolist() == [10, 20, 30, 40, 47]


def test_labels_not_bought_decide_nothing(data):
    X, y, *test = data
    learner = LEARNERS["anchoral"]
    table = simulate(learner, data, **SHORT | {"seeds": 1})
    others = np.setdiff1d(np.arange(200), np.concatenate(table.rows))
    shuffled = y.copy()
    shuffled[others] = np.random.RandomState(0).permutation(y[others])
    assert not np.array_equal(y, shuffled)
    again = simulate(learner, (X, shuffled, *test), **SHORT | {"seeds": 1})
    del table["subpool_counts"], again["subpool_counts"]  # counted with all labels
    assert same(table, again)


def test_a_class_that_was_never_bought_has_a_column(data):
    table = simulate(
        LEARNERS["entropy"],
        data,
        n_rounds=0,
        seeds=1,
        initial={"a": 5, "b": 5},
        scoring="roc_auc_ovr",
    )
    assert 0.5 < table.test_score[0] < 1


def macro(learner, X, y):
    return f1_score(y, learner.predict(X), average="macro")


def two(learner, X, y):
    return {"accuracy": learner.score(X, y), "f1_macro": macro(learner, X, y)}


def test_scorers_of_every_kind(data, table):
    several = (
        two,
        ("accuracy", "f1_macro"),
        {"accuracy": "accuracy", "f1_macro": macro},
    )
    learner, options = LEARNERS["entropy"], SHORT | {"seeds": 1}
    expected = one_run(table, learner="entropy", seed=0)
    for scoring in several:
        scores = simulate(learner, data, **options, scoring=scoring)
        for name in ("test_accuracy", "test_f1_macro"):
            np.testing.assert_array_equal(scores[name], expected[name])
    for scoring in ("f1_macro", macro, make_scorer(f1_score, average="macro")):
        scores = simulate(learner, data, **options, scoring=scoring).test_score
        np.testing.assert_array_equal(scores, expected["test_f1_macro"])


def test_several_data_sets_in_their_order(data, table):
    X, y, *test = data
    datasets = {
        "all": data,
        "half": Bunch(
            **dict(
                zip(
                    ("data", "target", "data_test", "target_test"),
                    (X[::2], y[::2], *test),
                    strict=True,
                )
            )
        ),
    }
    both = simulate(LEARNERS, datasets, **SHORT)
    keys = pd.DataFrame(both)[["learner", "dataset", "seed", "round"]]
    expected = pd.MultiIndex.from_product([LEARNERS, datasets, range(2), range(4)])
    assert [tuple(key) for key in keys.to_numpy()] == expected.tolist()
    first = pd.DataFrame(both)[both.dataset == "all"]["test_score"]
    np.testing.assert_array_equal(first, table.test_accuracy)


def test_texts_and_a_transformer(toy_texts, tiny_checkpoint):
    from skal import TransformerClassifier

    X, y = toy_texts
    classifier = TransformerClassifier(tiny_checkpoint, max_epochs=1, min_steps=1)
    learner = ActiveLearner(classifier, AnchorAL())
    options = {"n_rounds": 2, "n_queries": 5, "seeds": [3], "initial": 10}
    before = torch.get_num_threads(), torch.random.get_rng_state()
    np.random.seed(0)
    state = np.random.get_state()[1].copy()
    table = simulate(learner, (X[:50], y[:50], X[50:], y[50:]), **options)
    assert table.n_labeled.tolist() == [10, 15, 20]
    assert torch.get_num_threads() == before[0]
    assert torch.equal(torch.random.get_rng_state(), before[1])
    assert np.array_equal(np.random.get_state()[1], state)


def as_series(texts):
    return pd.Series(texts, index=range(100, 100 + len(texts)))


def test_texts_in_any_container(toy_texts):
    X, y = toy_texts
    classifier = make_pipeline(TfidfVectorizer(), LogisticRegression())
    learner = ActiveLearner(classifier, RandSub(Entropy(), max_subpool=30))
    containers = [list, np.array, as_series, pl.Series, pa.array]
    datasets = {
        str(i): (container(X[:50]), y[:50].tolist(), container(X[50:]), y[50:])
        for i, container in enumerate(containers)
    }
    table = simulate(learner, datasets, n_rounds=2, n_queries=5, seeds=1)
    picked = {
        name: [rows.tolist() for rows in table.rows[table.dataset == name]]
        for name in datasets
    }
    assert all(rows == picked["0"] for rows in picked.values())
    assert len(set(table.test_score[table["round"] == 2])) == 1


def test_sparse_rows(data):
    X, y, X_test, y_test = data
    classifier = make_pipeline(MaxAbsScaler(), LogisticRegression())
    learner = ActiveLearner(classifier, Entropy())
    dense = simulate(learner, data, **SHORT)
    rows = sparse.csr_array(X), y, sparse.csr_array(X_test), y_test
    assert [*map(list, simulate(learner, rows, **SHORT).rows)] == [
        *map(list, dense.rows)
    ]


def test_nothing_given_is_changed(data):
    learner = ActiveLearner(LogisticRegression(), Entropy(), keep_estimators=True)
    before = [joblib.hash(part) for part in data]
    simulate({"it": learner}, data, **SHORT)
    assert not hasattr(learner, "estimator_")
    assert [joblib.hash(part) for part in data] == before


def test_a_classifier_is_offered_what_was_not_asked(data):
    learner = ActiveLearner(CountsUnlabeled(), RandomSampling())
    table = simulate(learner, data, **SHORT | {"seeds": 1})
    assert table.test_score.tolist() == [190, 180, 170, 160]


class CountsUnlabeled(LogisticRegression):
    """Its score is the number of unlabelled rows that `fit` was given."""

    def fit(self, X, y, X_unlabeled=None):
        self.n_ = len(X_unlabeled)
        return super().fit(X, y)

    def score(self, X, y):
        return self.n_


class RemembersAnswers(NoisyOracle):
    """Notes what it answered, for all copies of it in this process."""

    told = {}

    def __call__(self, rows, X, y, seed):
        assert X.shape == (200, 2)
        answers = super().__call__(rows, X, y, seed)
        for row, answer in zip(rows, answers, strict=True):
            assert self.told.setdefault((seed, int(row)), answer) == answer
        return answers


def test_a_noisy_oracle_answers_alike_for_all_learners(data):
    told = RemembersAnswers.told
    oracle = RemembersAnswers(noise=0.3, abstention=0.2)
    table = simulate(LEARNERS, data, **SHORT, oracle=oracle)
    given = [answer is not None for answer in told.values()]
    wrong = [answer != data[1][row] for (_, row), answer in told.items() if answer]
    assert 0.7 < np.mean(given) < 0.9
    assert 0.2 < np.mean(wrong) < 0.4
    frame = pd.DataFrame(table)
    asked = frame["rows"].map(len).groupby([frame["learner"], frame["seed"]]).cumsum()
    assert (frame["n_labeled"] < asked).mean() > 0.9
    for _, run in frame.groupby(["learner", "seed"]):
        rows = np.concatenate(run["rows"].tolist())
        assert len(set(rows)) == len(rows) == 40, "a skipped row was asked again"


def test_an_oracle_without_fault_changes_nothing(data, table):
    again = simulate(LEARNERS, data, **SHORT, oracle=NoisyOracle(noise=0))
    np.testing.assert_array_equal(again.test_score, table.test_accuracy)


def test_noise_costs_accuracy(data, table):
    wrong = simulate(LEARNERS, data, **SHORT, oracle=NoisyOracle(noise=1.0))
    assert wrong.test_score.mean() < table.test_accuracy.mean() - 0.3


def test_an_oracle_that_only_skips(data):
    with pytest.raises(ValueError, match="must answer at least one of the initial"):
        simulate(LEARNERS, data, oracle=lambda rows, X, y, seed: [None] * len(rows))


def test_progress_is_shown_when_asked(data, capsys):
    simulate(LEARNERS["entropy"], data, n_rounds=1, seeds=2)
    assert capsys.readouterr().err == ""
    simulate(LEARNERS["entropy"], data, n_rounds=1, seeds=2, verbose=1)
    assert "2/2" in capsys.readouterr().err


class MeasuringBackend(ThreadingBackend):
    """Runs tasks in threads, as a cluster would receive them: pickled."""

    sizes = []

    def submit(self, func, callback=None):
        sent = pickle.dumps(func)
        self.sizes.append(len(sent))
        return super().submit(pickle.loads(sent), callback)


def test_tasks_are_small(data, table, tmp_path):
    rng = np.random.RandomState(0)
    wide = [np.hstack([X, rng.normal(size=(len(X), 500))]) for X in data[::2]]
    big = wide[0], data[1], wide[1], data[3]
    MeasuringBackend.sizes.clear()
    n_threads = torch.get_num_threads()
    with joblib.parallel_config(backend=MeasuringBackend(), n_jobs=2):
        simulate(LEARNERS, big, **SHORT, folder=tmp_path / ("long" * 30))
    assert torch.get_num_threads() == n_threads
    assert len(MeasuringBackend.sizes) == 6
    assert max(MeasuringBackend.sizes) < 1000


@pytest.mark.slow
def test_two_processes_give_the_same_table(data, table):
    options = SHORT | {"scoring": ["accuracy", "f1_macro"]}
    assert same(simulate(LEARNERS, data, **options, n_jobs=2), table)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"learners": LogisticRegression()}, ValueError, "'learners' parameter"),
        ({"learners": {"a": LogisticRegression()}}, TypeError, "wrap a classifier"),
        ({"learners": {}}, ValueError, "at least one"),
        ({"learners": {1: LEARNERS["entropy"]}}, ValueError, "names that are str"),
        ({"datasets": (1, 2)}, ValueError, "of type tuple of length 2"),
        ({"datasets": {"x": Bunch(data=[], target=[])}}, ValueError, "lacks data_test"),
        ({"datasets": "no such folder"}, FileNotFoundError, "no such folder"),
        ({"n_rounds": -1}, ValueError, "'n_rounds' parameter"),
        ({"n_queries": 0}, ValueError, "'n_queries' parameter"),
        ({"initial": 0}, ValueError, "'initial' parameter"),
        ({"initial": {"a": 1000}}, ValueError, "asks for 1000 rows of class 'a'"),
        ({"initial": {}}, ValueError, "at least one class"),
        ({"seeds": 0}, ValueError, "'seeds' parameter"),
        ({"seeds": [1, 1]}, ValueError, "must be different"),
        ({"seeds": [0.5]}, ValueError, "sequence of ints"),
        ({"scoring": "no such score"}, ValueError, "no such score"),
        ({"oracle": 3}, ValueError, "'oracle' parameter"),
    ],
)
def test_bad_input(data, changes, error, message):
    arguments = {"learners": LEARNERS, "datasets": data} | changes
    with pytest.raises(error, match=message):
        simulate(**arguments)


def test_learners_that_ask_for_different_numbers(data):
    learners = {
        str(n): ActiveLearner(LogisticRegression(), RandomSampling(), n_queries=n)
        for n in (5, 20)
    }
    with pytest.raises(ValueError, match=r"their n_queries differ: \[5, 20\]"):
        simulate(learners, data)
    table = simulate(learners, data, initial=10, n_rounds=1, seeds=1)
    assert table.n_labeled.tolist() == [10, 15, 10, 30]


def test_an_error_names_the_run(data):
    X, y, X_test, y_test = data
    with pytest.raises(ValueError, match="NaN") as caught:
        simulate(LEARNERS, {"bad": (X * np.nan, y, X_test, y_test)}, seeds=[4])
    if sys.version_info >= (3, 11):
        note = "In the run of learners['entropy'] on datasets['bad'] with seed 4."
        assert caught.value.__notes__ == [note]
