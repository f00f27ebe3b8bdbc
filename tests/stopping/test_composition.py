# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Criteria made of criteria: truth tables, names, clones, one look for all."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression

from skal import ActiveLearner
from skal.stopping import (
    All,
    Any,
    Budget,
    ClassificationChange,
    KappaAverage,
    OverallUncertainty,
    Patience,
    Plateau,
    SelectedAccuracy,
    StoppingCriterion,
)


class Flags(StoppingCriterion):
    """Advises to stop in the rounds whose sign is 1."""

    def __init__(self, flags):
        self.flags = flags

    def _value(self, seen):
        return int(self.flags[seen.n_labeled - 1])

    def _advises(self, values):
        return values[-1] == 1


FIRST, SECOND = Flags("0011"), Flags("0101")


def signs(criterion):
    return "".join(str(int(advice)) for advice in criterion.advice_)


@pytest.mark.parametrize(
    ("criterion", "expected"),
    [
        (FIRST & SECOND, "0001"),
        (FIRST | SECOND, "0111"),
        (FIRST & SECOND & Flags("1110"), "0000"),
        (FIRST | SECOND | Flags("1000"), "1111"),
        (FIRST & SECOND | Flags("1000"), "1001"),
        (FIRST & (SECOND | Flags("1110")), "0011"),
        (All([FIRST]), "0011"),
        (Any([FIRST]), "0011"),
        (Patience(Flags("1101110"), 2), "0100110"),
        (Patience(Flags("1101110"), 1), "1101110"),
        (Patience(Flags("1101110"), 3), "0000010"),
        (Patience(Flags("1101") | Flags("0010"), 3), "0011"),
    ],
    ids=repr,
)
def test_truth_tables(follow, criterion, expected):
    assert signs(follow(clone(criterion), ["+-"] * len(expected))) == expected


def test_every_criterion_is_told_of_every_round(follow):
    for criterion in (FIRST & SECOND, FIRST | SECOND):
        follow(criterion, ["+-"] * 4)
        assert [signs(inner) for inner in criterion.criteria_] == ["0011", "0101"]
        assert criterion.history_ == [0, 1, 1, 2]
        assert not hasattr(FIRST, "history_"), "what was given was changed"


def test_a_chain_is_flat():
    chain = Budget(1) & Budget(2) & Budget(3)
    assert repr(chain) == repr(All([Budget(1), Budget(2), Budget(3)]))
    assert repr(chain | Budget(4)) == repr(Any([chain, Budget(4)]))
    assert len(chain.criteria) == 3


@pytest.mark.parametrize("other", [True, None, 3, "kappa", lambda view: True], ids=repr)
def test_only_criteria_can_be_joined(other):
    with pytest.raises(TypeError, match="unsupported operand"):
        Budget(1) & other
    with pytest.raises(TypeError, match="unsupported operand"):
        Budget(1) | other


def test_parameters_by_name():
    criterion = Patience(KappaAverage() & Budget(5) | Budget(9), n_rounds=2)
    names = criterion.get_params()
    assert names["criterion__all__kappaaverage__threshold"] == 0.99
    assert names["criterion__budget__n_labels"] == 9
    again = clone(criterion).set_params(criterion__all__budget__n_labels=7)
    assert again.criterion.criteria[0].criteria[1].n_labels == 7
    assert criterion.criterion.criteria[0].criteria[1].n_labels == 5
    named = Any([("few", Budget(3)), ("many", Budget(30))]).set_params(few=Budget(4))
    assert [c.n_labels for _, c in named.criteria] == [4, 30]
    assert named.set_params(criteria=[Budget(8)]).get_params()["budget__n_labels"] == 8


@pytest.mark.parametrize(
    ("criterion", "error", "match"),
    [
        (Any([]), ValueError, "at least one criterion. Got \\[\\]"),
        (All([Budget(1), "kappa"]), TypeError, "'kappa' is 'kappa'"),
        (All(Budget(1)), ValueError, "criteria"),
        (Any([("a", Budget(1)), ("a", Budget(2))]), ValueError, "not unique"),
        (Any([Budget(1), All([Budget(0)])]), ValueError, "n_labels"),
        (Patience(None), ValueError, "criterion"),
    ],
    ids=repr,
)
def test_bad_compositions_are_refused(follow, criterion, error, match):
    with pytest.raises(error, match=match):
        follow(criterion, ["+-"])


class Counts(LogisticRegression):
    """Counts the rows whose probabilities were asked for."""

    n_rows = 0

    def predict_proba(self, X):
        Counts.n_rows += len(X)
        return super().predict_proba(X)


def run(criterion, points, n_rounds=5):
    X, y = points
    learner = ActiveLearner(Counts(), classes=["a", "b"], random_state=0)
    for rows in np.arange(10 * n_rounds).reshape(n_rounds, 10):
        learner.teach(X[rows], y[rows], ids=rows)
        criterion.update(learner, X, ids=range(len(X)))
    return criterion


def test_one_look_at_the_stop_set_serves_all(points):
    apart = [
        KappaAverage(n_stop=100),
        ClassificationChange(n_stop=50),
        OverallUncertainty(n_stop=80),
        Plateau(OverallUncertainty(n_stop=20)),
        SelectedAccuracy(),
        Budget(20),
    ]
    Counts.n_rows = 0
    together = run(Any(apart), points)
    assert Counts.n_rows == 5 * 100
    for criterion, inside in zip(apart, together.criteria_, strict=True):
        alone = run(clone(criterion), points)
        assert inside.history_ == pytest.approx(alone.history_, nan_ok=True, abs=0)
        assert inside.advice_ == alone.advice_


def test_none_is_the_whole_pool(points):
    Counts.n_rows = 0
    run(KappaAverage(n_stop=None) | OverallUncertainty(n_stop=10), points, n_rounds=1)
    assert Counts.n_rows == 300
    Counts.n_rows = 0
    run(KappaAverage(n_stop=1000), points, n_rounds=1)
    assert Counts.n_rows == 300


def test_what_is_read_is_the_union():
    assert (Budget(1) | Patience(Budget(2))).reads == frozenset()
    criterion = Patience(KappaAverage()) | Plateau(OverallUncertainty()) & Budget(2)
    assert criterion.reads == {"predictions", "proba"}
    assert Plateau(len).reads == {"model"}
