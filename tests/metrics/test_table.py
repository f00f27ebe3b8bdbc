# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""What the metrics take out of the table of a simulation."""

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import make_blobs
from sklearn.linear_model import LogisticRegression

from skal import ActiveLearner, simulate
from skal.metrics import (
    batch_overlap,
    budget_matched_auc,
    learning_curve_auc,
    learning_curves,
    minority_discovery,
    paired_permutation_test,
    pairwise_stochastic_order,
    queried_labels,
)
from skal.strategies import Entropy, RandomSampling

LEARNERS = {
    "random": ActiveLearner(LogisticRegression(), RandomSampling()),
    "entropy": ActiveLearner(LogisticRegression(), Entropy()),
}


@pytest.fixture(scope="module")
def data():
    X, y = make_blobs(300, cluster_std=3.0, random_state=0)
    return X[:200], y[:200], X[200:], y[200:]


@pytest.fixture(scope="module")
def run(data):
    def do(**kwargs):
        options = {"n_rounds": 3, "n_queries": 6, "seeds": [4, 1, 3]} | kwargs
        options.setdefault("learners", LEARNERS)
        options.setdefault("datasets", {"blobs": data})
        return simulate(scoring=["accuracy", "f1_macro"], **options)

    return do


@pytest.fixture(scope="module")
def table(run):
    return run()


def test_curves_are_those_of_the_table(table):
    curves = learning_curves(table, "f1_macro")
    assert list(curves) == ["random", "entropy"]
    for learner, runs in curves.items():
        assert runs.shape == (3, 4)
        for seed, curve in zip([1, 3, 4], runs, strict=True):
            mine = (table.learner == learner) & (table.seed == seed)
            assert np.array_equal(curve, table.test_f1_macro[mine])
    # Seeds are paired: all learners began with the same rows.
    assert np.array_equal(curves["random"][:, 0], curves["entropy"][:, 0])


def test_a_table_comes_in_several_forms(run, tmp_path):
    folder = tmp_path / "results"
    table = run(folder=folder)
    expected = learning_curves(table, "test_accuracy")
    shuffled = pd.DataFrame(table).sample(frac=1, random_state=0)
    for form in (dict(table), pd.DataFrame(table), shuffled, folder, str(folder)):
        curves = learning_curves(form, "accuracy")
        assert set(curves) == set(expected)
        for learner in curves:
            assert np.array_equal(curves[learner], expected[learner])
    lines = pd.read_json(folder / "table.jsonl", lines=True)
    assert learning_curves(lines, "accuracy").keys() == expected.keys()


def test_any_numeric_column_is_a_curve(table):
    n_labeled = learning_curves(table, "n_labeled")["entropy"]
    assert n_labeled.tolist() == [[6, 12, 18, 24]] * 3


def test_curves_go_into_the_tests(table):
    curves = learning_curves(table, "accuracy")
    areas = {
        name: [learning_curve_auc(run, normalize=True) for run in runs]
        for name, runs in curves.items()
    }
    order = pairwise_stochastic_order(areas, random_state=0)
    assert order.names == ["random", "entropy"]
    test = paired_permutation_test(areas["entropy"], areas["random"])
    difference = np.mean(curves["entropy"] - curves["random"], axis=0)
    assert test.difference == pytest.approx(
        learning_curve_auc(difference, normalize=True)
    )


def test_runs_of_unequal_length(run, data):
    X, y, *test = data
    small = ActiveLearner(LogisticRegression(), RandomSampling(), n_queries=6)
    large = ActiveLearner(LogisticRegression(), RandomSampling(), n_queries=20)
    learners = {"small": small, "large": large}
    # The pool of 40 rows lasts for two batches of the one.
    table = run(
        learners=learners,
        datasets=(X[:40], y[:40], *test),
        n_queries=None,
        initial=5,
        seeds=2,
    )
    with pytest.raises(ValueError, match="between 3 and 4 rounds; pass pad=True"):
        learning_curves(table, "accuracy")
    curves = learning_curves(table, "accuracy", pad=True)
    assert np.isnan(curves["large"][:, 3]).all()
    assert np.isfinite(curves["small"]).all()
    areas = budget_matched_auc(curves)
    assert areas.n_rounds.tolist() == [3, 2]
    assert areas.matched_n_rounds.tolist() == [2, 2]


def test_labels_are_those_of_the_rows_asked_for(table, data):
    y = data[1]
    labels = queried_labels(table, y)
    for learner, runs in labels.items():
        for seed, rounds in zip([1, 3, 4], runs, strict=True):
            mine = (table.learner == learner) & (table.seed == seed)
            asked = table.rows[mine]
            for of_round, rows in zip(rounds, asked, strict=True):
                assert np.array_equal(of_round, y[rows])
            count, share = minority_discovery(rounds, 1)
            in_all = (y[np.concatenate(asked)] == 1).sum()
            assert count[-1] == in_all
            assert share[-1] == in_all / 24


def test_rows_of_a_table_overlap(table):
    of = {
        name: table.rows[(table.learner == name) & (table.seed == 1)]
        for name in LEARNERS
    }
    per_round, total = batch_overlap(of["random"], of["entropy"])
    assert per_round[0] == 6  # the same initial rows
    assert total >= per_round.sum()


def test_the_only_column_and_the_only_data_set_need_no_name(run, data):
    table = run(datasets={"one": data, "two": data}, n_rounds=1, seeds=1)
    with pytest.raises(ValueError, match=r"Got None; there are \['one', 'two'\]"):
        learning_curves(table, "accuracy")
    with pytest.raises(ValueError, match="Got 'three'"):
        queried_labels(table, data[1], dataset="three")
    one, two = (
        learning_curves(table, "accuracy", dataset=name) for name in ("one", "two")
    )
    assert np.array_equal(one["entropy"], two["entropy"])
    with pytest.raises(ValueError, match=r"\['test_accuracy', 'test_f1_macro'\]"):
        learning_curves(table, dataset="one")
    del table["test_f1_macro"]
    assert learning_curves(table, dataset="one").keys() == one.keys()


def test_unknown_columns(table):
    with pytest.raises(ValueError, match="Got 'f1_micro'; there are.*test_accuracy"):
        learning_curves(table, "f1_micro")
    frame = pd.DataFrame(table)
    with pytest.raises(ValueError, match="of this version of skal.*name 'seed'"):
        learning_curves(frame.drop(columns="seed"), "accuracy")
    with pytest.raises(ValueError, match="of this version of skal.*name 'rows'"):
        queried_labels(frame.drop(columns="rows"), np.zeros(200))
    with pytest.raises(ValueError, match="must be numbers. The entries of 'learner'"):
        learning_curves(table, "learner")
    with pytest.raises(TypeError, match="what simulate returned.*Got list"):
        learning_curves([1, 2])


def test_results_of_another_version(run, tmp_path):
    folder = tmp_path / "results"
    run(folder=folder, seeds=1, n_rounds=1)
    about = folder / "simulation.json"
    settings = json.loads(about.read_text())
    about.write_text(json.dumps(settings | {"skal": "0.0.9"}))
    with pytest.raises(ValueError, match="are of 0.0.9, whose numbers may differ"):
        learning_curves(folder, "accuracy")
    about.write_text(json.dumps({"skal_version": "0.0.9"}))
    with pytest.raises(ValueError, match="are of None"):
        learning_curves(folder, "accuracy")


def test_a_folder_without_results(tmp_path):
    with pytest.raises(ValueError, match=r"there is no table.jsonl"):
        learning_curves(tmp_path)
    with pytest.raises(ValueError, match=r"there is no table.jsonl"):
        queried_labels(tmp_path / "nowhere", [0, 1])


@pytest.mark.parametrize(
    "keep",
    [
        lambda frame: frame["round"] != 0,
        lambda frame: frame["round"] != 2,
        lambda frame: (frame["round"] != 0) | (frame["seed"] != 3),
        lambda frame: (frame["round"] != 0) | (frame["seed"] != 1),
    ],
    ids=["first", "middle", "first_of_one", "first_of_the_first"],
)
def test_rounds_that_are_missing(table, keep):
    frame = pd.DataFrame(table)
    with pytest.raises(ValueError, match="each round of each run once.*'random'"):
        learning_curves(frame[keep(frame)], "accuracy")


def test_rounds_that_are_there_twice(table):
    frame = pd.DataFrame(table)
    with pytest.raises(ValueError, match="each round of each run once"):
        learning_curves(pd.concat([frame, frame]), "accuracy")


def test_seeds_that_differ(table):
    frame = pd.DataFrame(table)
    fewer = frame[(frame["learner"] != "entropy") | (frame["seed"] != 3)]
    with pytest.raises(ValueError, match=r"\[1, 3, 4\] for 'random' and \[1, 4\]"):
        learning_curves(fewer, "accuracy")


def test_an_empty_table(table):
    frame = pd.DataFrame(table)
    with pytest.raises(ValueError, match="table must have rows"):
        learning_curves(frame[:0], "accuracy")


def test_labels_of_another_pool(table):
    with pytest.raises(ValueError, match="labels of the whole pool. Got 50"):
        queried_labels(table, np.zeros(50))


def test_rows_read_from_csv(run, tmp_path):
    run(folder=tmp_path, seeds=1, n_rounds=1)
    frame = pd.read_csv(tmp_path / "table.csv")
    with pytest.raises(ValueError, match="read table.jsonl in place of table.csv"):
        queried_labels(frame, np.zeros(200))
    assert learning_curves(frame, "accuracy")["random"].shape == (1, 2)
