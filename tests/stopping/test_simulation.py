# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""simulate notes what criteria advise; obey cuts the table there."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC

from skal import ActiveLearner, NoisyOracle, simulate
from skal.exceptions import MissingCapabilityError
from skal.stopping import (
    Budget,
    KappaAverage,
    OverallUncertainty,
    Patience,
    SelectedAccuracy,
    obey,
)
from skal.strategies import Entropy, RandomSampling

LEARNERS = {
    "entropy": ActiveLearner(LogisticRegression(), Entropy()),
    "random": ActiveLearner(LogisticRegression(), RandomSampling()),
}
CRITERIA = {
    "kappa": KappaAverage(0.9, window=2),
    "sure": OverallUncertainty(0.5) & Budget(30),
    "hits": SelectedAccuracy(0.7),
    "never": Budget(10_000),
}
SHORT = {"n_rounds": 6, "n_queries": 10, "seeds": 2}


@pytest.fixture(scope="module")
def data(points):
    X, y = points
    return X[:200], y[:200], X[200:], y[200:]


@pytest.fixture(scope="module")
def table(data):
    return simulate(LEARNERS, data, **SHORT, stopping=CRITERIA)


def test_advice_ends_no_run_and_changes_none(data, table):
    alone = simulate(LEARNERS, data, **SHORT)
    added = [name for name in table if name not in alone]
    assert added == [
        f"{kind}_{name}" for name in CRITERIA for kind in ("stop", "value")
    ]
    for name in ("learner", "seed", "round", "n_labeled", "test_score"):
        np.testing.assert_array_equal(table[name], alone[name])
    assert [*map(list, table.rows)] == [*map(list, alone.rows)]


def test_the_columns_are_those_of_a_loop_by_hand(data, table):
    X, y, *_ = data
    for seed in range(2):
        learner = clone(LEARNERS["entropy"]).set_params(
            random_state=seed, classes=["a", "b"]
        )
        criteria = {name: clone(criterion) for name, criterion in CRITERIA.items()}
        run = (table.learner == "entropy") & (table.seed == seed)
        for rows in table.rows[run]:
            learner.teach(X[rows], y[rows], ids=rows)
            for criterion in criteria.values():
                criterion.update(learner, X, ids=range(200))
        for name, criterion in criteria.items():
            assert table[f"stop_{name}"][run].tolist() == criterion.advice_
            np.testing.assert_array_equal(
                table[f"value_{name}"][run], criterion.history_
            )
    assert table.value_kappa.dtype == np.float64
    assert np.isnan(table.value_kappa[table["round"] == 0]).all()
    assert table.stop_kappa.dtype == bool
    assert not hasattr(CRITERIA["kappa"], "history_")


def test_obeying_is_what_fit_does(data, table):
    X, y, *_ = data
    for name in CRITERIA:
        cut = obey(table, name)
        assert list(cut) == list(table)
        for seed in range(2):
            learner = clone(LEARNERS["entropy"]).set_params(
                random_state=seed, n_queries=10, budget=70, stopping=CRITERIA[name]
            )
            learner.fit(X, y)
            run = (cut.learner == "entropy") & (cut.seed == seed)
            bought = [entry["rows"].tolist() for entry in learner.rounds_]
            assert [rows.tolist() for rows in cut.rows[run]] == bought
    assert len(obey(table, "never").rows) == len(table.rows)
    frame = pd.DataFrame(obey(table, "kappa"))
    assert frame.groupby(["learner", "seed"])["stop_kappa"].sum().max() == 1
    assert len(frame) < len(table.rows)


def test_a_criterion_without_a_name(data):
    table = simulate(LEARNERS, data, **SHORT, stopping=Budget(25))
    assert obey(table).n_labeled.tolist() == [10, 20, 30] * 4
    assert pd.DataFrame(obey(dict(table)))["n_labeled"].max() == 30


def test_a_folder_keeps_the_advice(data, table, tmp_path):
    options = SHORT | {"stopping": CRITERIA, "folder": tmp_path}
    simulate({"entropy": LEARNERS["entropy"]}, data, **options)
    again = simulate(LEARNERS, data, **options)
    for name in table:
        if name.startswith(("stop_", "value_")):
            np.testing.assert_array_equal(again[name], table[name])
    stored = pd.read_csv(tmp_path / "table.csv")
    assert stored["stop_kappa"].tolist() == table.stop_kappa.tolist()
    np.testing.assert_allclose(stored["value_kappa"], table.value_kappa)
    stored = pd.read_json(tmp_path / "table.jsonl", lines=True)
    np.testing.assert_allclose(stored["value_hits"].astype(float), table.value_hits)
    others = {"kappa": KappaAverage(0.8)}
    with pytest.raises(ValueError, match="protocol.stopping"):
        simulate(LEARNERS, data, **options | {"stopping": others})
    with pytest.raises(ValueError, match="protocol.stopping"):
        simulate(LEARNERS, data, **options | {"stopping": None})


def test_a_round_without_answers_repeats_the_advice(data):
    oracle = NoisyOracle(noise=0, abstention=0.9)
    table = simulate(
        LEARNERS["random"],
        data,
        n_rounds=10,
        n_queries=4,
        initial=40,
        seeds=1,
        oracle=oracle,
        stopping=Budget(6),
    )
    assert len(set(table.n_labeled)) < 11
    assert table.stop_stopping.tolist() == (table.n_labeled >= 6).tolist()


@pytest.mark.parametrize(
    ("stopping", "error", "match"),
    [
        ({}, ValueError, "stopping must be given under names"),
        ({1: Budget(3)}, ValueError, "stopping must be given under names"),
        ({"a": "kappa"}, TypeError, "'a' is 'kappa'"),
        ({"a": Budget(0)}, ValueError, "n_labels"),
        (lambda view: True, ValueError, "stopping"),
        (Patience(None), ValueError, "criterion"),
    ],
    ids=str,
)
def test_bad_criteria_are_refused(data, stopping, error, match):
    with pytest.raises(error, match=match):
        simulate(LEARNERS, data, **SHORT, stopping=stopping)


def test_what_a_classifier_lacks_is_said_before_any_run(data):
    learner = ActiveLearner(LinearSVC(), RandomSampling())
    with pytest.raises(MissingCapabilityError, match="OverallUncertainty"):
        simulate(learner, data, stopping=OverallUncertainty())


def test_a_name_that_is_not_there(table):
    with pytest.raises(
        ValueError, match=r"Got 'kapa'; the table has \['kappa', 'sure'"
    ):
        obey(table, "kapa")
