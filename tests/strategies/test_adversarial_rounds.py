# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""VAAL and MAL in the rounds of a learner, with scikit-learn's tools and on texts."""

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_validate

from skal import ActiveLearner, TransformerClassifier
from skal.exceptions import SingleClassWarning
from skal.filters import AnchorAL
from skal.strategies import MAL, VAAL
from skal.text import DenseClassifier

of_both = pytest.mark.parametrize("cls", [VAAL, MAL])
SMALL = {"hidden_layer_sizes": (32,), "n_components": 8, "n_steps": 60, "lr": 2e-3}
SMALL |= {"device": "cpu"}


@of_both
def test_a_seed_of_one_class_and_rounds_in_a_learner(cls):
    X = np.random.RandomState(0).normal(size=(60, 4))
    learner = ActiveLearner(LogisticRegression(), cls(**SMALL), random_state=0)
    with pytest.warns(SingleClassWarning):
        learner.fit(X[:10], ["a"] * 10, ids=range(10))
    for _ in range(2):
        rows = learner.query(X, 7, ids=range(60))
        learner.teach(X[rows], np.where(X[rows, 0] > 0, "a", "b"), ids=rows)
    assert len(set(learner.ids_labeled_)) == 24


@of_both
def test_a_class_that_has_no_row_yet(cls):
    X, y = np.random.RandomState(0).normal(size=(60, 4)), np.arange(60) % 2
    learner = ActiveLearner(
        LogisticRegression(), cls(**SMALL), classes=[0, 1, 2], random_state=0
    )
    learner.fit(X[:10], y[:10])
    assert len(learner.query(X[10:], 7)) == 7


@pytest.fixture(scope="module")
def vectors():
    X = np.random.RandomState(0).normal(size=(90, 4)).astype(np.float32)
    return X, (X[:, 0] > 0).astype(int)


def learner_of(strategy, **kwargs):
    classifier = DenseClassifier((8,), max_epochs=3, device="cpu")
    kwargs = {"n_queries": 6, "budget": 22, "initial": 10, "classes": [0, 1]} | kwargs
    return ActiveLearner(classifier, strategy, random_state=0, **kwargs)


def picks(learner):
    return np.concatenate([entry["rows"] for entry in learner.rounds_]).tolist()


@of_both
def test_a_clone_picks_the_same(cls, vectors):
    learner = learner_of(cls(**SMALL | {"n_steps": 5})).fit(*vectors)
    again = clone(learner).fit(*vectors)
    assert picks(again) == picks(learner)
    assert len(set(picks(learner))) == 22


@of_both
def test_cross_validation(cls, vectors):
    learner = learner_of(cls(**SMALL | {"n_steps": 5}))
    runs = [
        cross_validate(learner, *vectors, cv=3, error_score="raise") for _ in range(2)
    ]
    assert runs[0]["test_score"].tolist() == runs[1]["test_score"].tolist()


@pytest.mark.parametrize(
    ("cls", "name", "values"),
    [(VAAL, "beta", [0.1, 100.0]), (MAL, "temperature", [0.05, 1.0])],
)
def test_a_search_compares_what_candidates_picked(cls, name, values, vectors):
    learner = learner_of(cls(**SMALL))
    grid = {f"strategy__{name}": values}
    search = GridSearchCV(learner, grid, cv=2, error_score="raise").fit(*vectors)
    assert search.best_estimator_.n_rounds_ == 2
    batches = {
        tuple(picks(learner.set_params(**params).fit(*vectors)))
        for params in search.cv_results_["params"]
    }
    assert len(batches) == 2


@of_both
def test_ctrl_c_leaves_the_learner_as_it_was(cls, vectors, monkeypatch):
    X, y = vectors
    learner = learner_of(cls(**SMALL | {"n_steps": 5}), budget=None)
    learner.fit(X[:20], y[:20])
    expected = learner.query(X[20:]).tolist()
    step, taken = torch.optim.Adam.step, []

    def interrupted(self, *args, **kwargs):
        taken.append(self)
        if len(taken) == 4:
            raise KeyboardInterrupt
        return step(self, *args, **kwargs)

    with monkeypatch.context() as patched:
        patched.setattr(torch.optim.Adam, "step", interrupted)
        state = torch.get_rng_state()
        with pytest.raises(KeyboardInterrupt):
            learner.query(X[20:])
        assert torch.equal(torch.get_rng_state(), state)
    assert len(taken) == 4
    assert learner.query(X[20:]).tolist() == expected


# Texts.


def test_frozen_texts_before_and_after_the_first_fit(toy_texts):
    X, y = toy_texts
    classifier = TransformerClassifier(
        "skal-tiny", max_epochs=1, min_steps=0, device="cpu"
    )
    strategy = VAAL(encoder="auto", **SMALL)
    learner = ActiveLearner(classifier, strategy, random_state=0)
    assert len(set(learner.query(X, 5).tolist())) == 5
    learner.fit(X[:20], y[:20], ids=range(20))
    rows = learner.query(X, 5, ids=range(80))
    assert rows.min() >= 20


@of_both
def test_rounds_on_texts(cls, toy_texts):
    X, y = toy_texts
    classifier = TransformerClassifier(
        "skal-tiny", max_epochs=1, min_steps=0, device="cpu"
    )
    learner = ActiveLearner(classifier, cls(**SMALL), random_state=0)
    learner.fit(X[:20], y[:20], ids=range(20))
    for _ in range(2):
        rows = learner.query(X, 5, ids=range(80))
        learner.teach([X[row] for row in rows], y[rows], ids=rows)
    assert len(set(learner.ids_labeled_)) == 30


def of_trec(tiny_bert):
    return TransformerClassifier(
        tiny_bert, lr=5e-4, max_epochs=5, min_steps=60, max_length=32, device="cpu"
    )


@pytest.mark.slow
@of_both
@pytest.mark.parametrize("filtered", [False, True], ids=["alone", "inside AnchorAL"])
def test_three_rounds_on_trec(tiny_bert, trec, cls, filtered):
    X, y, X_test, y_test = trec
    X, y = X[:1500], y[:1500]
    learner = ActiveLearner(
        of_trec(tiny_bert),
        AnchorAL(cls(), n_neighbors=20) if filtered else cls(),
        n_queries=20,
        budget=120,
        initial=60,
        classes=range(6),
        random_state=0,
    ).fit(X, y)
    assert len(learner.rounds_) == 4
    assert len(set(picks(learner))) == len(picks(learner)) == 120
    assert learner.score(X_test, y_test) > 0.35


@pytest.mark.slow
@of_both
@pytest.mark.parametrize("filtered", [False, True], ids=["alone", "inside AnchorAL"])
def test_three_rounds_on_trec_from_a_seed_of_one_class(tiny_bert, trec, cls, filtered):
    X, y = trec[0][:1000], trec[1][:1000]
    strategy = AnchorAL(cls(), n_neighbors=20) if filtered else cls()
    learner = ActiveLearner(
        of_trec(tiny_bert), strategy, classes=range(6), n_queries=20, random_state=0
    )
    seed = np.flatnonzero(y == y[0])[:30]
    learner.fit([X[row] for row in seed], y[seed], ids=seed)
    for _ in range(3):
        rows = learner.query(X, ids=range(1000))
        learner.teach([X[row] for row in rows], y[rows], ids=rows)
    assert len(set(learner.ids_labeled_)) == 90
    assert len(set(learner.y_labeled_)) > 3
