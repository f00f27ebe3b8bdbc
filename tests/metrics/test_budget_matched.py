# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Areas of curves of different lengths, after the same number of rounds."""

from pathlib import Path

import numpy as np
import pytest

from skal.metrics import budget_matched_auc, learning_curve_auc

GOLDEN = Path(__file__).parents[1] / "golden" / "budget_matched" / "notebook04.npz"


@pytest.mark.parametrize("ragged", [False, True], ids=["padded", "ragged"])
def test_agrees_with_the_authors_notebook(ragged):
    case = np.load(GOLDEN)
    curves = dict(zip(case["strategies"].tolist(), case["f1"], strict=True))
    if ragged:
        curves = {
            name: [run[np.isfinite(run)] for run in runs]
            for name, runs in curves.items()
        }
    table = budget_matched_auc(
        curves,
        min_runs=dict.fromkeys(curves, 3) | {"noop_entropy": 1},
        exclude=["noop_entropy"],
    )
    order = np.argsort(table.name)
    for ours, theirs in (("", "overall"), ("matched_", "matched")):
        assert table.name[order].tolist() == case[f"{theirs}_strategy"].tolist()
        steps = table[f"{ours}n_rounds"][order]
        assert np.array_equal(steps, case[f"{theirs}_step"])
        for key in ("median", "iqr"):
            np.testing.assert_allclose(
                table[ours + key][order],
                case[f"{theirs}_{key}"],
                rtol=1e-9,
                atol=1e-12,
            )


def test_every_run_counts_unless_fewer_are_asked_for():
    runs = [[1, 1, 1, 1], [1, 1], [1, 1, 1]]
    lengths = {None: 1, 3: 1, 2: 2, 1: 3}
    for min_runs, n_rounds in lengths.items():
        table = budget_matched_auc({"a": runs}, min_runs=min_runs)
        assert table.n_rounds.tolist() == [n_rounds]
        assert table.median.tolist() == [n_rounds]
        assert table.iqr.tolist() == [0.0]
        assert table.matched_median.tolist() == [n_rounds]


def test_the_budget_is_matched_to_the_shortest_not_excluded():
    curves = {"a": [np.ones(9)], "b": [np.ones(5)], "c": [np.ones(3)]}
    table = budget_matched_auc(curves)
    assert table.matched_n_rounds.tolist() == [2, 2, 2]
    table = budget_matched_auc(curves, exclude="c")
    assert table.matched_n_rounds.tolist() == [4, 4, 2]
    assert table.matched_median.tolist() == [4.0, 4.0, 2.0]
    assert table.n_rounds.tolist() == [8, 4, 2]


def test_curves_of_one_length_are_matched_as_they_are():
    random = np.random.RandomState(0)
    curves = {"a": random.rand(5, 7), "b": random.rand(4, 7)}
    table = budget_matched_auc(curves, normalize=True)
    for key in ("n_rounds", "median", "iqr"):
        assert np.array_equal(table[key], table[f"matched_{key}"])
    areas = [learning_curve_auc(run, normalize=True) for run in curves["a"]]
    assert table.median[0] == np.median(areas)
    assert table.iqr[0] == pytest.approx(np.subtract(*np.percentile(areas, [75, 25])))


def test_it_is_a_table_and_the_input_is_left_alone():
    pandas = pytest.importorskip("pandas")
    runs = np.array([[0.5, 0.5, np.nan], [0.5, 0.5, 0.5]])
    before = runs.copy()
    frame = pandas.DataFrame(budget_matched_auc({"a": runs}))
    assert frame.shape == (1, 7)
    np.testing.assert_array_equal(runs, before)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"curves": {}}, "Some method must not be excluded"),
        ({"curves": {"a": []}}, "at least one. Got shapes"),
        ({"curves": {"a": [0.5, 0.6]}}, "wrap a single run in a list"),
        ({"curves": {"a": [[0.5, np.nan, 0.6]]}}, "finite score for every round"),
        ({"curves": {"a": [[0.5, np.inf]]}}, "finite score for every round"),
        ({"curves": {"a": [[np.nan, np.nan]]}}, "finite score for every round"),
        ({"min_runs": 2}, "between 1 and the number of runs. Got 2 for 'a'"),
        ({"min_runs": 0}, "Got 0"),
        ({"min_runs": 0.5}, "Got 0.5"),
        ({"min_runs": {"b": 1}}, "min_runs must name methods in curves. Got 'b'"),
        ({"exclude": ["b"]}, r"Got 'b'; there are \['a'\]"),
        ({"exclude": ["a"]}, "Some method must not be excluded"),
    ],
)
def test_bad_input(kwargs, message):
    kwargs = {"curves": {"a": [[0.5, 0.6]]}} | kwargs
    with pytest.raises(ValueError, match=message):
        budget_matched_auc(**kwargs)


def test_curves_come_under_names():
    with pytest.raises(TypeError, match="must be a dict.*Got list"):
        budget_matched_auc([[0.5, 0.6]])
