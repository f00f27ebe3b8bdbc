# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Label dispersion and forgetting events through their classes: golden scores, known
answers, and what both say of real texts."""

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.datasets import make_blobs
from sklearn.linear_model import LogisticRegression
from sklearn.utils import Bunch

from skal import ActiveLearner, TransformerClassifier
from skal.base import PoolView
from skal.exceptions import MissingCapabilityError
from skal.filters import AnchorAL
from skal.functional import forgetting_events, top_rows
from skal.strategies import ForgettingEvents, LabelDispersion, RandomSampling
from skal.text import DenseClassifier, PoolRecorder

GOLDEN = Path(__file__).parents[1] / "golden"
DISPERSION = sorted((GOLDEN / "label_dispersion").glob("*.npz"))
FORGETTING = sorted((GOLDEN / "forgetting").glob("*.npz"))
# Files of one run in which rows differ enough to be told from random picks.
TELLING = [
    path for path in FORGETTING if path.stem in ("s1_n500_E3", "s2_n3000_E10")
] + [path for path in FORGETTING if path.stem.startswith("dyn_s")]


def of(paths):
    return pytest.mark.parametrize("path", paths, ids=lambda path: path.stem)


class Remembers:
    """A classifier that says what it predicted of the rows numbered by X."""

    def __init__(self, predictions, n_classes):
        self.predictions, self.classes_ = predictions, np.arange(n_classes)

    def epoch_predictions(self, X):
        return self.predictions[:, X[:, 0]]


def dispersion_view(predictions, n_classes):
    rows = np.arange(predictions.shape[1])[:, None]
    classifier = Remembers(predictions, n_classes)
    return PoolView(rows, estimator=classifier, classes=classifier.classes_)


def golden_dispersion(path):
    case = np.load(path)
    return case, dispersion_view(case["pred"], int(case["n_classes"]))


class Forgets:
    """A classifier whose embedding is X, that was right on each row when told so."""

    def __init__(self, correct):
        gold_proba = np.where(correct, 0.9, 0.1)
        self.training_dynamics_ = Bunch(gold_proba=gold_proba, correct=correct)
        self.classes_ = np.arange(2)

    def embed(self, X):
        return X


def forgetting_view(correct, pool=None):
    """Labelled rows at even angles; of the pool rows each is one of them by default."""
    correct = np.asarray(correct, dtype=bool)
    angle = np.arange(correct.shape[1]) / correct.shape[1] * 2 * np.pi
    labeled = np.column_stack([np.cos(angle), np.sin(angle)]).astype(np.float32)
    pool = labeled if pool is None else np.asarray(pool, dtype=np.float32)
    y = np.zeros(len(labeled), dtype=int)
    return PoolView(
        pool,
        estimator=Forgets(correct),
        classes=np.arange(2),
        labeled=(labeled, y, y),
        reads=ForgettingEvents().reads,
    )


# Golden scores and picks.


@of(DISPERSION)
def test_dispersion_is_the_golden_one(path):
    case, view = golden_dispersion(path)
    scores = LabelDispersion()._represent(view)
    np.testing.assert_allclose(scores, case["dispersion"][:, None], atol=1e-12)
    best = np.argsort(-case["dispersion"].round(12), kind="stable")[:20]
    assert LabelDispersion()._query(view, 20).tolist() == best.tolist()


@of(DISPERSION)
@pytest.mark.parametrize("seed", range(20))
def test_random_picks_in_place_of_dispersion_would_fail(path, seed):
    case, view = golden_dispersion(path)
    rows = RandomSampling(random_state=seed)._query(view, 20)
    best = np.sort(case["dispersion"])[::-1][:20]
    assert case["dispersion"][rows].sum() < best.sum()


@of(FORGETTING)
def test_forgetting_events_are_the_golden_ones(path):
    """A row of the pool that is a labelled one has the count of it."""
    case = np.load(path)
    correct = case["correct"]
    if correct.ndim == 3:
        correct = correct[0]
        expected = forgetting_events(correct)
    else:
        expected = case["toneva_score"]
    view = forgetting_view(correct)
    strategy = ForgettingEvents(n_neighbors=1)
    assert np.array_equal(strategy._represent(view)[:, 0], expected)
    n_queries = min(20, len(expected))
    assert np.array_equal(
        strategy._query(view, n_queries),
        np.argsort(-np.float64(expected), kind="stable")[:n_queries],
    )


@of([path for path in FORGETTING if not path.stem.startswith("multirun")])
def test_rows_never_learned_count_as_asked(path):
    case = np.load(path)
    view = forgetting_view(case["correct"])
    for never_learned, key in ((0, "forget_count"), (1000, "allenai_forgetfulness")):
        strategy = ForgettingEvents(n_neighbors=1, never_learned=never_learned)
        assert np.array_equal(strategy._represent(view)[:, 0], case[key])


@of(TELLING)
@pytest.mark.parametrize("seed", range(20))
def test_random_picks_in_place_of_forgetting_events_would_fail(path, seed):
    case = np.load(path)
    rows = RandomSampling(random_state=seed)._query(
        forgetting_view(case["correct"]), 20
    )
    best = np.sort(case["toneva_score"])[::-1][:20]
    assert case["toneva_score"][rows].sum() < best.sum()


def test_there_are_golden_cases():
    assert [len(paths) for paths in (DISPERSION, FORGETTING, TELLING)] == [3, 17, 5]


# By hand.


def test_rows_that_were_not_recorded_come_last():
    predictions = np.array([[0, -1, 1, 2, -1, 0], [0, -1, 0, 1, -1, 0]])
    view = dispersion_view(predictions, 3)
    scores = LabelDispersion()._represent(view)[:, 0]
    assert scores.tolist() == [0, -1, 0.5, 0.5, -1, 0]
    assert LabelDispersion()._query(view, 6).tolist() == [2, 3, 0, 5, 1, 4]


def test_one_epoch_disperses_nothing():
    view = dispersion_view(np.array([[0, 1, 2, -1]]), 3)
    assert LabelDispersion()._represent(view)[:, 0].tolist() == [0, 0, 0, -1]


def test_counts_go_to_the_rows_near_by():
    """Of four labelled rows, at the four winds, the one at the right is forgotten."""
    correct = [[1, 1, 1, 0], [0, 1, 1, 0], [1, 1, 1, 0]]
    pool = [[1, 0.1], [1, 0.9], [0.1, 2], [-3, 0.1], [0.1, -5]]
    view = forgetting_view(correct, pool)

    def scores(**params):
        return ForgettingEvents(**params)._represent(view)[:, 0].tolist()

    assert scores(n_neighbors=1) == [1, 1, 0, 0, 3]
    assert scores(n_neighbors=2) == [0.5, 0.5, 0.5, 0, 2]
    assert scores(n_neighbors=2, never_learned=0) == [0.5, 0.5, 0.5, 0, 0.5]
    assert scores() == [1, 1, 1, 1, 1]  # ten neighbours are asked for, four are there
    assert ForgettingEvents(n_neighbors=1)._query(view, 3).tolist() == [4, 0, 1]


@pytest.mark.parametrize(
    ("params", "match"),
    [
        ({"n_neighbors": 0}, "n_neighbors"),
        ({"n_neighbors": 1.5}, "n_neighbors"),
        ({"never_learned": -1}, "never_learned"),
        ({"never_learned": np.inf}, "never_learned"),
    ],
    ids=str,
)
def test_parameters_are_checked(params, match):
    X, y = make_blobs(30, random_state=0)
    classifier = DenseClassifier((5,), max_epochs=1, device="cpu").fit(X, y)
    with pytest.raises(ValueError, match=f"The '{match}' parameter"):
        ForgettingEvents(**params).fit(X, y, estimator=classifier)


@pytest.mark.parametrize(
    ("strategy", "told"),
    [
        (LabelDispersion(), "PoolRecorder"),
        (ForgettingEvents(), "TransformerClassifier"),
    ],
    ids=repr,
)
def test_a_classifier_that_lacks_what_is_read_is_refused(strategy, told):
    X, y = make_blobs(30, random_state=0)
    with pytest.raises(MissingCapabilityError, match=told):
        ActiveLearner(LogisticRegression(), strategy).fit(X, y)


# Known answers.


def flipped(y, rate, n_classes, seed=0):
    """Labels of which a share is wrong, and which those are."""
    rng = np.random.RandomState(seed)
    wrong = rng.permutation(len(y)) < rate * len(y)
    other = (y + rng.randint(1, n_classes, size=len(y))) % n_classes
    return np.where(wrong, other, y), wrong


def precision(events, wrong):
    """The share of wrong labels among as many rows with the largest counts."""
    return wrong[top_rows(events, wrong.sum())].mean()


def test_forgetting_events_put_wrong_labels_on_top():
    X, y = make_blobs(300, 8, centers=3, cluster_std=3.0, random_state=0)
    for seed in range(3):
        noisy, wrong = flipped(y, 0.1, 3, seed)
        classifier = DenseClassifier(
            (32,), lr=0.01, max_epochs=12, device="cpu", random_state=seed
        )
        events = classifier.fit(X, noisy).forgetting_events_
        assert wrong.mean() == 0.1
        assert precision(events, wrong) > 0.5


def test_what_lies_near_wrong_labels_is_picked():
    """In one of two halves of the plane labels are drawn by lot."""
    X, _ = make_blobs(600, centers=[[-4, 0], [-4, 3], [4, 0], [4, 3]], random_state=0)
    y = (X[:, 1] > 1.5).astype(int)
    left = X[:, 0] < 0
    rng = np.random.RandomState(1)
    y[left] = rng.randint(2, size=left.sum())
    classifier = DenseClassifier((32,), lr=0.01, device="cpu", random_state=0)
    strategy = ForgettingEvents().fit(
        X[:200], y[:200], estimator=classifier.fit(X[:200], y[:200])
    )
    assert left[200:][strategy.query(X[200:], 50)].mean() > 0.9


def test_dispersion_goes_with_error():
    X, y = make_blobs(1000, 8, centers=6, cluster_std=4.5, random_state=0)
    classifier = DenseClassifier(
        (32,), lr=5e-3, max_epochs=20, batch_size=16, device="cpu", random_state=0
    )
    recorder = PoolRecorder(classifier).fit(X[:100], y[:100], X_unlabeled=X[100:])
    pool, gold = X[100:], y[100:]
    strategy = LabelDispersion().fit(X[:100], y[:100], estimator=recorder)
    wrong = recorder.predict(pool) != gold
    dispersion = strategy.transform(pool)[:, 0]
    assert spearmanr(dispersion, wrong).statistic > 0.2
    assert wrong[strategy.query(pool, 100)].mean() > 1.5 * wrong.mean()


# On real texts.


def tiny_bert_classifier(tiny_bert, **params):
    return TransformerClassifier(
        tiny_bert, lr=5e-4, max_epochs=10, min_steps=0, max_length=32, device="cpu"
    ).set_params(random_state=0, **params)


@pytest.mark.slow
def test_forgetting_events_find_wrong_labels_of_trec(tiny_bert, trec):
    X, y, *_ = trec
    noisy, wrong = flipped(y[:2000], 0.1, 6)
    classifier = tiny_bert_classifier(tiny_bert)
    events = classifier.fit(X[:2000], noisy).forgetting_events_
    found = precision(events, wrong)
    print(f"\nprecision at the noise rate of 0.1: {found:.3f}")
    assert found > 0.3


@pytest.mark.slow
def test_dispersion_goes_with_error_on_trec(tiny_bert, trec):
    """The survey's figure 11, by fifths of the pool."""
    X, y, *_ = trec
    recorder = PoolRecorder(tiny_bert_classifier(tiny_bert, max_epochs=30))
    pool, gold = X[500:2500], y[500:2500]
    recorder.fit(X[:500], y[:500], X_unlabeled=pool)
    strategy = LabelDispersion().fit(X[:500], y[:500], estimator=recorder)
    dispersion = strategy.transform(pool)[:, 0]
    right = recorder.predict(pool) == gold
    rho = spearmanr(dispersion, ~right).statistic
    fifths = np.array_split(np.argsort(dispersion, kind="stable"), 5)
    accuracy = [right[rows].mean() for rows in fifths]
    print(f"\n{len(gold)} rows, accuracy {right.mean():.3f}, Spearman's rho {rho:.3f}")
    for rows, share in zip(fifths, accuracy, strict=True):
        print(f"dispersion up to {dispersion[rows].max():.2f}: accuracy {share:.3f}")
    assert rho > 0.15
    assert accuracy[0] > right.mean() + 0.1
    assert accuracy[-1] < right.mean() - 0.2


@pytest.mark.slow
@pytest.mark.parametrize("strategy", [LabelDispersion(), ForgettingEvents()], ids=repr)
@pytest.mark.parametrize("filtered", [False, True], ids=["alone", "AnchorAL"])
def test_three_rounds_on_trec(tiny_bert, trec, strategy, filtered):
    X, y, X_test, y_test = trec
    classifier = tiny_bert_classifier(tiny_bert, max_epochs=5, min_steps=60)
    learner = ActiveLearner(
        PoolRecorder(classifier),
        AnchorAL(strategy) if filtered else strategy,
        n_queries=20,
        budget=60 + 3 * 20,
        initial=60,
        classes=range(6),
        random_state=0,
    ).fit(X[:1000], y[:1000])
    rows = np.concatenate([entry["rows"] for entry in learner.rounds_])
    assert len(learner.rounds_) == 4
    assert len(set(rows.tolist())) == len(rows) == 120
    assert learner.score(X_test, y_test) > 2 / 6
    sizes = [entry["n_subpool"] for entry in learner.rounds_[1:]]
    assert all((size is None) != filtered for size in sizes)
