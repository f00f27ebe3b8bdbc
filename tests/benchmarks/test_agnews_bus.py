# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Agnews-Bus: the task, and that what the documentation shows follows from the runs."""

import importlib
import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.utils import Bunch

from skal.metrics import learning_curve_auc

FOLDER = Path(__file__).parents[2] / "benchmarks"
RESULTS = FOLDER / "results" / "agnews_bus"


@pytest.fixture(scope="module")
def script():
    sys.path.insert(0, str(FOLDER))
    yield importlib.import_module("agnews_bus")
    sys.path.remove(str(FOLDER))


@pytest.fixture(scope="module")
def frame():
    return pd.read_csv(RESULTS / "table.csv")


def test_the_task_is_the_papers(script, shared_dir):
    X, y, X_test, y_test = script.load(shared_dir / "data" / "agnews")
    assert len(X) == len(y)
    assert y.mean() == pytest.approx(0.01, abs=1e-4)
    assert len(X_test) == 7600  # Table 4 of the paper
    assert y_test.sum() == 1900
    about = json.loads((RESULTS / "about.json").read_text())
    assert about["pool"] == np.bincount(y).tolist()
    assert about["test"] == np.bincount(y_test).tolist()


def test_every_run_is_there_and_followed_the_protocol(frame, script):
    about = json.loads((RESULTS / "about.json").read_text())
    runs = frame.groupby(["learner", "seed"], sort=False)
    assert len(runs) == len(script.STYLES) * frame["seed"].nunique()
    assert frame["seed"].nunique() >= 3
    first_rows = {}
    for (_, seed), run in runs:
        assert run["n_labeled"].tolist() == list(range(100, 476, 25))
        assert run["n_minority"].iloc[0] == 5
        rows = " ".join(run["rows"]).split()
        assert len(set(rows)) == len(rows) == 475
        assert max(map(int, rows)) < sum(about["pool"])
        first_rows.setdefault(seed, set()).add(run["rows"].iloc[0])
    assert all(len(rows) == 1 for rows in first_rows.values())
    assert len(set.union(*first_rows.values())) == len(first_rows)


def test_the_cap_of_anchoral_never_binds(frame):
    """20 anchors and 50 neighbours are at most 1,000 rows."""
    small, large = (
        frame[frame["learner"] == f"AnchorAL M={size}"] for size in (1000, 10000)
    )
    for name in ("rows", "n_subpool", "test_f1_minority"):
        assert small[name].astype(str).tolist() == large[name].astype(str).tolist()
    assert small["n_subpool"].max() <= 1000


def test_what_is_shown_follows_from_the_table(frame, script, tmp_path):
    for name, table in script.summaries(frame).items():
        table.to_csv(tmp_path / "it.csv")
        shown = (RESULTS / f"{name}.csv").read_text()
        assert (tmp_path / "it.csv").read_text() == shown


def test_the_orders_are_read_off_the_runs(frame, script):
    runs = dict(iter(frame.groupby(["learner", "seed"])))
    values = {
        "area under minority F1": lambda run: learning_curve_auc(
            run["test_f1_minority"]
        ),
        "minority rows found": lambda run: run["n_minority"].iloc[-1],
    }
    orders = script.summaries(frame)["orders"]
    assert len(orders) == len(script.ORDERS)
    checked = orders[orders.index.isin(values)]
    assert len(checked) == 8
    for quantity, line in checked.iterrows():
        larger, smaller = line["order in the paper"].split(" > ")
        value = values[quantity]
        n_seeds = sum(
            value(runs[larger, seed]) > value(runs[smaller, seed]) for seed in range(3)
        )
        assert line["seeds"] == f"{n_seeds} of 3"
        assert line["holds"] == {0: "no", 3: "yes"}.get(n_seeds, "open")


def test_tidy_adds_up(script):
    y = np.array([0, 1, 0, 1, 0, 0, 1, 0])
    rows = [np.array([0, 1]), np.array([3, 4]), np.array([5, 6])]
    table = Bunch(
        learner=["it"] * 3,
        dataset=["agnews-bus"] * 3,
        seed=[0] * 3,
        round=[0, 1, 2],
        n_labeled=[2, 4, 6],
        n_subpool=[np.nan, 3.0, np.nan],
        test_query_cpu=[0.0, 0.5, 0.25],
        fit_time=[0.1234567] * 3,
        subpool_counts=[[], [1, 2], []],
        rows=rows,
    )
    frame = script.tidy(table, y)
    assert frame["n_minority"].tolist() == [1, 2, 3]
    assert frame["n_subpool"].fillna(-1).tolist() == [-1, 3, 4]
    assert frame["n_subpool_minority"].fillna(-1).tolist() == [-1, 2, 1]
    assert frame["rows"].tolist() == ["0 1", "3 4", "5 6"]
    assert frame["fit_time"].tolist() == [0.12346] * 3
    assert frame["query_cpu_time"].tolist() == [0.0, 0.5, 0.25]


def test_the_time_of_a_query_is_shared_out(script):
    frame = pd.DataFrame(
        {
            "round": [0, 1, 2],
            "query_cpu_time": [0.0, 3.0, 3.0],
            "encode_time": 0,
            "look_time": [0, 8, 1],  # waited for a processor; something else in between
            "filter_time": [0, 4, 1],
            "select_time": [1, 0, 0],
            "n_subpool": [None, 50, 40],
            "n_subpool_minority": [None, 5, 10],
        }
    )
    shared = script.with_shares(frame)
    assert shared["wait"].tolist()[1:] == [3, 3]
    assert shared["look_time"].tolist()[1:] == [2, 1]
    assert shared["filter_time"].tolist()[1:] == [1, 1]
    assert shared["share"].tolist()[1:] == [0.1, 0.25]
    assert shared.iloc[0][["wait", "share", "select_time"]].isna().all()
