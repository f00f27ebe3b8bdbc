# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Cartography AL through the class: golden picks, the boundary, one side absent."""

from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.utils import Bunch

from skal import ActiveLearner
from skal.base import PoolView
from skal.exceptions import MissingCapabilityError, SingleClassWarning
from skal.functional import entropy, top_rows
from skal.strategies import CartographyAL, RandomSampling
from skal.text import DenseClassifier

GOLDEN = Path(__file__).parents[1] / "golden"
SELECT = sorted((GOLDEN / "cartography_al_select").glob("*.npz"))
DATAMAP = sorted((GOLDEN / "datamap").glob("*.npz"))


def of(paths):
    return pytest.mark.parametrize("path", paths, ids=lambda path: path.stem)


class Recorded:
    """A classifier whose embedding is X, that was right on each row as often as told.

    Its probability of the second class is X's first column, squashed.
    """

    def __init__(self, correct):
        gold_proba = np.where(correct, 0.9, 0.1)
        self.training_dynamics_ = Bunch(gold_proba=gold_proba, correct=correct)
        self.n_passes = 0

    def predict_outputs(self, X, outputs):
        self.n_passes += 1
        one = 1 / (1 + np.exp(-X[:, 0]))
        told = {"proba": np.column_stack([1 - one, one]), "embedding": X}
        return {name: told[name] for name in outputs}


def view_of(correct, labeled, pool, **kwargs):
    correct = np.asarray(correct, dtype=bool)
    y = np.zeros(len(labeled), dtype=int)
    return PoolView(
        np.asarray(pool, dtype=np.float64),
        estimator=Recorded(correct),
        classes=np.array([0, 1]),
        labeled=(np.asarray(labeled, dtype=np.float64), y, y),
        reads=CartographyAL().reads,
        **kwargs,
    )


def learning(**kwargs):
    """With a network that learns in a moment."""
    params = {"lr": 0.01, "max_epochs": 100, "device": "cpu", "random_state": 0}
    return CartographyAL(**(params | kwargs))


# Golden picks.


class GivenProba(CartographyAL):
    """With the probabilities of the golden file in place of the network's."""

    def _proba_of_high(self, view, is_high):
        return view.embedding[:, 1].astype(np.float64)


def golden_view(case):
    correct = [[True, False]]  # one row on each side
    return view_of(correct, np.zeros((2, 2)), case["p_binary"])


@of(SELECT)
def test_picks_are_the_golden_ones(path):
    case = np.load(path)
    n_queries = len(case["selected"])
    rows = GivenProba()._query(golden_view(case), n_queries)
    assert rows.tolist() == case["selected"].tolist()
    closeness = -np.abs(0.5 - case["p_binary"][:, 1])
    assert top_rows(closeness, n_queries).tolist() == case["selected"].tolist()


@of([path for path in SELECT if "abs_half_minus_p" in np.load(path)])
def test_scores_are_the_golden_ones(path):
    case = np.load(path)
    scores = GivenProba()._represent(golden_view(case))
    np.testing.assert_allclose(-scores[:, 0], case["abs_half_minus_p"], atol=1e-7)


@of(SELECT)
@pytest.mark.parametrize("seed", range(20))
def test_random_picks_in_its_place_would_fail(path, seed):
    case = np.load(path)
    rows = RandomSampling(random_state=seed)._query(
        golden_view(case), len(case["selected"])
    )
    assert set(rows.tolist()) != set(case["selected"].tolist())


@of(DATAMAP)
def test_rows_of_high_correctness_are_the_golden_ones(path):
    case = np.load(path)
    dynamics = Bunch(gold_proba=case["gold_probs"], correct=case["correct"])
    share = case["correctness_count"] / len(case["correct"])
    for t_cor in (0.0, 0.2, 0.4, 0.6, 0.8):
        binned = CartographyAL(t_cor=t_cor, binned=True)._is_high(dynamics)
        assert np.array_equal(binned, case[f"cal_y_t{t_cor}"])
        paper = CartographyAL(t_cor=t_cor)._is_high(dynamics)
        assert np.array_equal(paper, share > t_cor)


# Half of the labelled rows were learned, half were not, and they lie apart.


def apart(n_pool=200, **kwargs):
    rng = np.random.RandomState(0)
    side = np.arange(60) % 2
    labeled = rng.normal(size=(60, 2)) * 0.3 + 3 * side[:, None]
    correct = np.zeros((5, 60), dtype=bool)
    correct[:, side == 1] = True
    correct[0, side == 0] = True  # a correctness of 0.2 is not above 0.2
    pool = np.linspace(-1, 4, n_pool)[:, None] * np.ones(2)
    return view_of(correct, labeled, pool, **kwargs)


def test_the_rows_between_are_picked():
    view = apart()
    rows = learning()._query(view, 20)
    middle = view.X[rows, 0]
    assert np.ptp(rows) == 19  # neighbours on the line
    assert np.all((middle > 0.3) & (middle < 2.7))
    assert view.estimator.n_passes == 2  # the pool once, the labelled rows once


def test_random_picks_are_not_between():
    for seed in range(20):
        rows = RandomSampling(random_state=seed)._query(apart(), 20)
        assert np.ptp(rows) > 19


def test_the_threshold_decides_what_is_told_apart():
    """Rows of three correctnesses on a line: 0 at the left, 0.5 and 1 at the right."""
    rng = np.random.RandomState(0)
    third = np.arange(90) % 3
    labeled = rng.normal(size=(90, 1)) * 0.1 + 2 * third[:, None]
    correct = np.array([third == 2, third >= 1])
    pool = np.linspace(-1, 5, 121)[:, None]
    low, high = (
        pool[learning(t_cor=t)._query(view_of(correct, labeled, pool), 10), 0].mean()
        for t in (0.2, 0.5)
    )
    assert 0.3 < low < 1.7 < 2.3 < high < 3.7


def test_binning_moves_the_threshold():
    rng = np.random.RandomState(0)
    third = np.arange(90) % 3
    labeled = rng.normal(size=(90, 1)) * 0.1 + 2 * third[:, None]
    correct = np.zeros((4, 90), dtype=bool)
    correct[:1, third == 1] = True  # a correctness of 0.25 is binned to 0.2
    correct[:, third == 2] = True
    view = view_of(correct, labeled, np.linspace(-1, 5, 121)[:, None])
    paper, code = (
        view.X[learning(binned=binned)._query(view, 10), 0].mean()
        for binned in (False, True)
    )
    assert paper < 1.7 < 2.3 < code


@pytest.mark.parametrize("correct", [True, False])
def test_where_one_side_is_absent_the_widest_predictions_go_first(correct):
    rng = np.random.RandomState(0)
    view = view_of(
        np.full((3, 10), correct), rng.normal(size=(10, 2)), rng.normal(size=(30, 2))
    )
    strategy = learning()
    expected = top_rows(entropy(view.proba), 7)
    assert strategy._query(view, 7).tolist() == expected.tolist()
    np.testing.assert_allclose(strategy._represent(view)[:, 0], entropy(view.proba))


def test_rounds_differ_and_a_query_twice_is_the_same():
    view = apart()
    numpy_before = np.random.get_state()[1].tolist()
    torch_before = torch.get_rng_state()
    strategy = learning(max_epochs=2)
    scores = strategy._represent(view)
    assert np.array_equal(scores, strategy._represent(view))
    assert not np.array_equal(scores, strategy._represent(apart(round_=1)))
    assert np.random.get_state()[1].tolist() == numpy_before
    assert torch.equal(torch.get_rng_state(), torch_before)


AWKWARD = {
    "zero variance": (np.ones((20, 3)), np.ones((30, 3))),
    "zeros": (np.zeros((20, 3)), np.zeros((30, 3))),
    "duplicates": (np.repeat(np.eye(2), 10, axis=0), np.repeat(np.eye(2), 15, axis=0)),
    "one pool row": (np.arange(20.0)[:, None], np.ones((1, 1))),
    "long": (np.arange(20.0)[:, None] * 1e6, np.arange(30.0)[:, None] * 1e6),
}


@pytest.mark.parametrize("name", AWKWARD)
def test_awkward_pools_give_whole_batches(name):
    labeled, pool = AWKWARD[name]
    correct = np.arange(20)[None] % 2 == 0
    for n_queries in (1, len(pool)):
        view = view_of(correct, labeled, pool)
        rows = CartographyAL(device="cpu")._query(view, n_queries)
        assert len(np.unique(rows)) == len(rows) == n_queries
    if name in ("zero variance", "zeros"):
        assert rows.tolist() == list(range(30))  # ties go to the lower row


# With real classifiers.


def data(n_rows=300):
    rng = np.random.RandomState(0)
    X = rng.normal(size=(n_rows, 4)).astype(np.float32)
    return X, (X[:, 0] + 0.5 * rng.normal(size=n_rows) > 0).astype(int)


def dense(**kwargs):
    return DenseClassifier((20,), lr=0.01, device="cpu", **({"max_epochs": 5} | kwargs))


def test_inside_a_learner():
    X, y = data()
    learner = ActiveLearner(dense(), learning(t_cor=0.7, lr=5e-5), random_state=0)
    learner.fit(X[:40], y[:40], ids=range(40))
    for _ in range(3):
        rows = learner.query(X, 10, ids=range(300))
        assert len(set(rows.tolist()) - set(range(40))) == 10
        learner.teach(X[rows], y[rows], ids=rows)
    view = learner._view(X, None)
    assert view.labeled.training_dynamics.correct.shape == (5, 70)


@pytest.mark.parametrize("estimator", [LogisticRegression(), dense()])
def test_a_seed_of_one_class(estimator):
    X, _ = data()
    learner = ActiveLearner(estimator, CartographyAL(), random_state=0)
    if isinstance(estimator, LogisticRegression):
        with pytest.raises(MissingCapabilityError):
            learner.fit(X[:10], ["a"] * 10)
        return
    with pytest.warns(SingleClassWarning):
        learner.fit(X[:10], ["a"] * 10)
    assert len(learner.query(X, 7)) == 7


@pytest.mark.parametrize("budget", [None, 20])
def test_a_classifier_that_records_nothing_is_refused_before_any_work(budget):
    class Unfittable(LogisticRegression):
        def fit(self, X, y):
            raise AssertionError("too late")

    X, y = data()
    learner = ActiveLearner(Unfittable(), CartographyAL(), budget=budget)
    with pytest.raises(MissingCapabilityError) as caught:
        learner.fit(X, y)
    for told in ("training_dynamics_", "TransformerClassifier", "DenseClassifier"):
        assert told in str(caught.value)


def test_a_class_of_ones_own_that_says_that_it_records():
    class Own(LogisticRegression):
        training_dynamics_ = None

        def fit(self, X, y):
            super().fit(X, y)
            proba = self.predict_proba(X)[np.arange(len(y)), y][None]
            recorded = Bunch(gold_proba=proba, correct=proba > 0.5)
            self.training_dynamics_ = recorded
            return self

    X, y = data()
    learner = ActiveLearner(Own(), CartographyAL(), random_state=0)
    assert len(learner.fit(X[:40], y[:40]).query(X, 5)) == 5


def test_dynamics_of_other_rows_than_the_labelled_ones_are_refused():
    X, y = data()
    frozen = FrozenEstimator(dense().fit(X[:40], y[:40]))
    learner = ActiveLearner(frozen, CartographyAL(), random_state=0)
    learner.fit(X[:30], y[:30])
    with pytest.raises(ValueError, match="recorded 40 rows and 30 are labelled"):
        learner.query(X)
    unfitted = CartographyAL().fit(X[:40], y[:40], estimator=dense())
    with pytest.raises(NotFittedError, match="Fit it first"):
        unfitted.query(X)
    strategy = CartographyAL().fit(X[:40], None, estimator=frozen)
    with pytest.raises(ValueError, match="recorded 40 rows and 0 are labelled"):
        strategy.query(X)


@pytest.mark.parametrize(
    ("params", "match"),
    [
        ({"t_cor": 1.0}, "t_cor"),
        ({"t_cor": -0.1}, "t_cor"),
        ({"binned": "yes"}, "binned"),
        ({"hidden_layer_sizes": 300}, "hidden_layer_sizes"),
        ({"lr": 0.0}, "lr"),
        ({"max_epochs": 0}, "max_epochs"),
    ],
)
def test_parameters_are_checked(params, match):
    X, y = data(20)
    with pytest.raises(ValueError, match=f"The '{match}' parameter"):
        CartographyAL(**params).fit(X, y, estimator=dense().fit(X, y))
